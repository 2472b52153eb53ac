"""Whether a change of the manifest is news to the site: its own builds write there too."""

from __future__ import annotations

import json
import os

__all__ = ["Lines"]


class Lines:
    """The lines of a manifest, as they were when it was last read.

    Args:
        file: the manifest; none where it is not there.
        root: the folder that its paths are relative to.
    """

    def __init__(self, file: str, root: str) -> None:
        self.file = file
        self._root = root
        self._lines = self._read()

    def are_news(self) -> bool:
        """Read the manifest again, and tell whether a line changed whose file is not here.

        Only such a line answers for an image; a build writes none of them. So what a `git
        pull` brings is news, and what a build leaves is not.
        """
        before, self._lines = self._lines, self._read()
        return any(not self._is_here(line) for line in before ^ self._lines)

    def _read(self) -> frozenset[bytes]:
        try:
            with open(self.file, "rb") as file:
                return frozenset(file.read().splitlines())
        except OSError:
            return frozenset()

    def _is_here(self, line: bytes) -> bool:
        try:
            path = json.loads(line)["path"]
            return os.path.isfile(os.path.join(self._root, path))
        except (ValueError, TypeError, LookupError):  # no line of a manifest: builds complain of it
            return False
