"""Remember the manifests whose images were all seen online, so that a push need not ask again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["PUSHED", "REMOTE", "Served"]

REMOTE = "imagehost"  # of the repository of the store
PUSHED = f"refs/remotes/{REMOTE}/main"

_MANY = 50  # branches and tags whose manifests are remembered


class Served:
    """The list of manifests, in a file.

    Args:
        file: the file.
        head: lines that name the host and its state; a list with another head is void.
    """

    def __init__(self, file: Path, head: list[str]) -> None:
        self._file, self._head = file, head

    @property
    def has_place(self) -> bool:
        """Return whether there is a folder for the list; else nothing has been published."""
        return self._file.parent.exists()

    def __contains__(self, manifest: object) -> bool:
        """Return whether the images of a manifest, named by its git object, were seen online."""
        return manifest in self._read()

    def add(self, manifests: Iterable[str]) -> None:
        """Remember manifests, named by their git objects."""
        names = list(dict.fromkeys([*manifests, *self._read()]))[:_MANY]
        self._file.write_text("".join(f"{line}\n" for line in [*self._head, *names]), "utf-8")

    def _read(self) -> list[str]:
        try:
            lines = self._file.read_text("utf-8").splitlines()
        except FileNotFoundError:
            return []
        count = len(self._head)
        return lines[count:] if lines[:count] == self._head else []
