"""Which files of the site name which image by its address.

A document names an image beside it by its file, which the index remembers, and an uploaded
one by its address, which only the document's text tells. The texts are read once, and
again only where a file's length or time has changed.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from pelican_imagehost.documents.references import IMAGE_SUFFIXES
from pelican_imagehost.images.image import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pelican_imagehost.settings import Settings

__all__ = ["Mentions", "keys_in"]

_KEY: Final = re.compile(KEY.pattern.encode())
_LARGEST: Final = 2_000_000  # bytes; a document is never larger
_OTHERS: Final = "avi flac gz m4a m4v mkv mov mp3 mp4 ogg pdf ttf wav webm woff woff2 zip"
_NO_TEXT: Final = frozenset(IMAGE_SUFFIXES) | {f".{name}" for name in _OTHERS.split()}

_Stamp = tuple[int, int]


class Mentions:
    """The image keys that the files below `PATH` mention.

    Args:
        settings: the site's; its store, its output and its cache are no part of what it says.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        own = (settings.store, settings.output, settings.index.parent)
        self._skipped = {str(folder) for folder in own}
        self._known: dict[str, tuple[_Stamp, frozenset[str]]] = {}

    def find(self) -> dict[str, frozenset[str]]:
        """Look at every file again.

        Returns:
            The file, as a reader would look for it → the keys that it mentions; only files
            that mention any.
        """
        found = {}
        for path, stamp in _files(str(self._settings.content), self._skipped):
            known = self._known.get(path)
            if known is None or known[0] != stamp:
                known = (stamp, keys_in(path))
            found[path] = known
        self._known = found
        return {self._settings.relative(path): keys for path, (_, keys) in found.items() if keys}


def keys_in(path: str) -> frozenset[str]:
    """The keys that a file mentions; none where it cannot be read."""
    with suppress(OSError), open(path, "rb") as file:
        return frozenset(match[0].decode() for match in _KEY.finditer(file.read(_LARGEST)))
    return frozenset()


def _files(top: str, skipped: set[str]) -> Iterator[tuple[str, _Stamp]]:
    """Yield files that may be text, links followed as Pelican follows them, and their state."""
    waiting, seen = [top], set()
    while waiting:
        folder = waiting.pop()
        with suppress(OSError):
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in seen:  # a link that leads up again
                continue
            seen.add((status.st_dev, status.st_ino))
            for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
                if entry.name.startswith(".") or entry.path in skipped:
                    continue
                if entry.is_dir():
                    waiting.append(entry.path)
                elif os.path.splitext(entry.name)[1].lower() not in _NO_TEXT:
                    with suppress(OSError):  # a link that leads nowhere
                        status = entry.stat()
                        if status.st_size <= _LARGEST:
                            yield entry.path, (status.st_size, status.st_mtime_ns)
