"""The folders that files may come from: nothing else is read because a stranger names it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Bounds"]


class Bounds:
    """Some folders, with everything in them.

    Args:
        folders: the folders; symbolic links in their paths are followed.
    """

    def __init__(self, folders: Iterable[str | os.PathLike[str]]) -> None:
        self._tops = [os.path.join(os.path.realpath(folder), "") for folder in folders]

    def contain(self, real: str) -> bool:
        """Return whether a file or folder is inside; its path has no symbolic links."""
        return any(f"{real}/".startswith(top) for top in self._tops)

    def find(self, path: str) -> str | None:
        """Follow the symbolic links in a path; return None if it leads out of the folders."""
        real = os.path.realpath(path)
        return real if self.contain(real) else None
