"""Remember the manifests whose images were all seen online, so that a push need not ask again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pelican_imagehost.publish.git import Git
    from pelican_imagehost.settings import Settings

__all__ = ["PUSHED", "REMOTE", "Served"]

REMOTE = "imagehost"  # of the repository of the store
PUSHED = f"refs/remotes/{REMOTE}/main"

_MANY = 50  # branches and tags whose manifests are remembered


class Served:
    """The list of manifests, in the git folder of the store.

    It holds for one address of the host, and one commit of the images: a removal by another
    author makes it void as soon as it is fetched.

    Args:
        settings: the settings of the site.
        git: runs git.
    """

    def __init__(self, settings: Settings, git: type[Git]) -> None:
        self._file: Path = settings.store / ".git" / "imagehost-served"
        pushed = git(settings.store).commit_of(PUSHED) if self._file.parent.exists() else ""
        self._head = [settings.address_prefix, settings.remote or "", pushed]

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
