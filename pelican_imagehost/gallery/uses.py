"""The files of the site that refer to images by address.

A document refers to a local image by its file, which the index records, and to an uploaded
image by its address, which is only in the text of the document. Texts are read once, and
again when the length or the time of a file has changed.
"""

from __future__ import annotations

import mmap
import os
import re
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from pelican_imagehost.images.image import IMAGE_SUFFIXES, KEY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pelican_imagehost.settings import Settings

__all__ = ["Mentions", "keys_in"]

_KEY: Final = re.compile(KEY.pattern.encode())
_OTHERS: Final = (
    "avi db flac gz m4a m4v mkv mov mp3 mp4 ogg otf pdf pyc ttf wav webm woff woff2 xz zip"
)
_BINARY: Final = frozenset(IMAGE_SUFFIXES) | {f".{name}" for name in _OTHERS.split()}
_NOT_SITE: Final = frozenset(["node_modules", "__pycache__"])

_Stamp = tuple[int, int]


class Mentions:
    """The keys of images in the texts of a site and its theme.

    Args:
        settings: the settings of the site; its store, output, cache, manifest and records
            are not searched.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        records = str(settings.records)
        own = (settings.store, settings.output, settings.index.parent, settings.manifest)
        self._skipped = {*map(str, own), records, f"{records}-wal", f"{records}-shm"}
        self._known: dict[str, tuple[_Stamp, frozenset[str]]] = {}

    def find(self) -> dict[str, frozenset[str]]:
        """Search all files.

        Returns:
            File, relative to the site → the keys in it; only files that contain any.
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
    """Return the keys of images in a file; none if it cannot be read."""
    with (
        suppress(OSError, ValueError),  # ValueError: it is empty
        open(path, "rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        return frozenset(match[0].decode() for match in _KEY.finditer(data))
    return frozenset()


def _files(tops: Iterable[str], skipped: set[str]) -> Iterator[tuple[str, _Stamp]]:
    """Yield files that may be text, and their state; follows links, as Pelican does."""
    waiting, seen = list(tops), set()
    while waiting:
        folder = waiting.pop()
        with suppress(OSError):
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in seen:  # a link to a folder above it
                continue
            seen.add((status.st_dev, status.st_ino))
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            if any(entry.name == "pyvenv.cfg" for entry in entries):  # a virtual environment
                continue
            for entry in entries:
                if entry.name.startswith(".") or entry.path in skipped or entry.name in _NOT_SITE:
                    continue
                if entry.is_dir():
                    waiting.append(entry.path)
                elif os.path.splitext(entry.name)[1].lower() not in _BINARY:
                    with suppress(OSError):  # a broken link
                        status = entry.stat()
                        if stat.S_ISREG(status.st_mode):
                            yield entry.path, (status.st_size, status.st_mtime_ns)
