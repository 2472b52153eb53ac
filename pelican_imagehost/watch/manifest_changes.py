"""Changes of the manifest by others, as opposed to our own builds."""

from __future__ import annotations

import json
import os

from pelican_imagehost.storage.regular import open_regular

__all__ = ["Lines"]

_VARIANTS = b'"variants"'


class Lines:
    """The lines of a manifest when it was last read.

    Args:
        file: the manifest; may be missing.
        root: the folder of its relative paths.
    """

    def __init__(self, file: str, root: str) -> None:
        self.file = file
        self._root = root
        self._lines = self._read()

    def are_news(self) -> bool:
        """Read the manifest again; return whether it changes the result of a build.

        It does if a line of a missing file has changed, or one with variants is new; builds write
        none of them. So lines from `git pull` count, and lines written by a build do not.
        """
        before, self._lines = self._lines, self._read()
        if any(_VARIANTS in line for line in self._lines - before):
            return True
        return any(not self._is_here(line) for line in before ^ self._lines)

    def _read(self) -> frozenset[bytes]:
        try:
            with open_regular(self.file) as file:
                return frozenset(file.read().splitlines())
        except OSError:
            return frozenset()

    def _is_here(self, line: bytes) -> bool:
        try:
            path = json.loads(line)["path"]
            return os.path.isfile(os.path.join(self._root, path))
        except (
            ValueError,
            TypeError,
            LookupError,
            RecursionError,
        ):  # not a valid line; builds report it
            return False
