"""Remember the manifests whose images were all seen online, so that a push need not ask again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pelican_imagehost.publish.repository import PUSHED

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pelican_imagehost.publish.publisher import Publisher

__all__ = ["Served"]

_MANY = 50  # branches and tags whose manifests are remembered


class Served:
    """The list of manifests, in the git folder of the store.

    It holds for one address of the host, and one commit of the images: a removal by another
    author makes it void as soon as it is fetched.

    Args:
        publisher: the publisher of the site.
    """

    def __init__(self, publisher: Publisher) -> None:
        repository = publisher.repository
        self._file: Path = repository.store.root / ".git" / "imagehost-served"
        self._head = [publisher.settings.address_prefix, repository.git.commit_of(PUSHED)]

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
        return lines[2:] if lines[:2] == self._head else []
