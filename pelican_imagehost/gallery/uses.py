"""Which files of the site name which image by its address.

A document names an image beside it by its file, which the index remembers, and an uploaded
one by its address, which only the document's text tells. The texts are read once, and
again only where a file's length or time has changed.
"""

from __future__ import annotations

import mmap
import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from pelican_imagehost.documents.references import IMAGE_SUFFIXES
from pelican_imagehost.images.image import KEY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pelican_imagehost.settings import Settings

__all__ = ["Mentions", "keys_in"]

_KEY: Final = re.compile(KEY.pattern.encode())
_OTHERS: Final = (
    "avi db flac gz m4a m4v mkv mov mp3 mp4 ogg otf pdf pyc ttf wav webm woff woff2 xz zip"
)
_NO_TEXT: Final = frozenset(IMAGE_SUFFIXES) | {f".{name}" for name in _OTHERS.split()}
_NO_SITE: Final = frozenset(["node_modules", "__pycache__"])

_Stamp = tuple[int, int]


class Mentions:
    """The image keys that the files of a site and its theme mention.

    Args:
        settings: the site's; its store, output, cache, manifest and records do not count.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        records = str(settings.records)
        own = (settings.store, settings.output, settings.index.parent, settings.manifest)
        self._skipped = {*map(str, own), records, f"{records}-wal", f"{records}-shm"}
        self._known: dict[str, tuple[_Stamp, frozenset[str]]] = {}

    def find(self) -> dict[str, frozenset[str]]:
        """Look at every file again.

        Returns:
            The file, as a reader would look for it → the keys that it mentions; only files
            that mention any.
        """
        found = {}
        for path, stamp in _files(map(str, self._settings.text_folders), self._skipped):
            known = self._known.get(path)
            if known is None or known[0] != stamp:
                known = (stamp, keys_in(path))
            found[path] = known
        self._known = found
        return {self._settings.relative(path): keys for path, (_, keys) in found.items() if keys}


def keys_in(path: str) -> frozenset[str]:
    """Return the keys that a file mentions; none where it cannot be read."""
    with (
        suppress(OSError, ValueError),  # ValueError: it is empty
        open(path, "rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        return frozenset(match[0].decode() for match in _KEY.finditer(data))
    return frozenset()


def _files(tops: Iterable[str], skipped: set[str]) -> Iterator[tuple[str, _Stamp]]:
    """Yield files that may be text, links followed as Pelican follows them, and their state."""
    waiting, seen = list(tops), set()
    while waiting:
        folder = waiting.pop()
        with suppress(OSError):
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in seen:  # a link that leads up again
                continue
            seen.add((status.st_dev, status.st_ino))
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            if any(entry.name == "pyvenv.cfg" for entry in entries):  # a virtual environment
                continue
            for entry in entries:
                if entry.name.startswith(".") or entry.path in skipped or entry.name in _NO_SITE:
                    continue
                if entry.is_dir():
                    waiting.append(entry.path)
                elif os.path.splitext(entry.name)[1].lower() not in _NO_TEXT and entry.is_file():
                    status = entry.stat()
                    yield entry.path, (status.st_size, status.st_mtime_ns)
