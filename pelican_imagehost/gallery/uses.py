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
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from pelican_imagehost.images.image import IMAGE_SUFFIXES, KEY
from pelican_imagehost.storage.index import Stamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pelican_imagehost.settings import Settings

__all__ = ["Mentions", "keys_in"]

_KEY: Final = re.compile(KEY.pattern.encode())
_OTHERS: Final = (
    "avi db flac gz m4a m4v mkv mov mp3 mp4 ogg otf pdf pyc ttf wav webm woff woff2 xz zip"
)
_BINARY: Final = frozenset(IMAGE_SUFFIXES) | {f".{name}" for name in _OTHERS.split()}
_NOT_SITE: Final = frozenset(["node_modules", "__pycache__"])

_Stamp = tuple[int, int]
_Entries = tuple[list[str], list[str]]  # folders, and files that may be text


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
        self._known: dict[str, tuple[_Stamp, frozenset[str], str]] = {}
        self._folders: dict[str, tuple[Stamp, _Entries]] = {}

    def find(self) -> dict[str, frozenset[str]]:
        """Search all files.

        Returns:
            File, relative to the site → the keys in it; only files that contain any.
        """
        found = {}
        for path, stamp in self._files():
            known = self._known.get(path)
            if known is None or known[0] != stamp:
                known = (stamp, keys_in(path), self._settings.relative(path))
            found[path] = known
        self._known = found
        return {name: keys for _, keys, name in found.values() if keys}

    def _files(self) -> Iterator[tuple[str, _Stamp]]:
        """Yield files that may be text, and their state; follows links, as Pelican does."""
        waiting, seen = list(map(str, self._settings.text_folders)), set()
        while waiting:
            folder = waiting.pop()
            with suppress(OSError):
                status = os.stat(folder)
                if (status.st_dev, status.st_ino) in seen:  # a link to a folder above it
                    continue
                seen.add((status.st_dev, status.st_ino))
                folders, texts = self._entries(folder, Stamp.of(status))
                waiting.extend(folders)
                for path in texts:
                    try:
                        status = os.stat(path)
                    except OSError:  # a broken link
                        continue
                    if stat.S_ISREG(status.st_mode):
                        yield path, (status.st_size, status.st_mtime_ns)

    def _entries(self, folder: str, stamp: Stamp) -> _Entries:
        """Return what is in a folder; as before if no name in it has come or gone."""
        known = self._folders.get(folder)
        if known and known[0] == stamp:
            return known[1]
        entries = list(os.scandir(folder))
        found = _sort(entries, self._skipped)
        if stamp.is_settled(time.time_ns()) and not any(one.is_symlink() for one in entries):
            self._folders[folder] = stamp, found
        return found


def keys_in(path: str) -> frozenset[str]:
    """Return the keys of images in a file; none if it cannot be read."""
    with (
        suppress(OSError, ValueError),  # ValueError: it is empty
        open(path, "rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        return frozenset(match[0].decode() for match in _KEY.finditer(data))
    return frozenset()


def _sort(entries: list[os.DirEntry[str]], skipped: set[str]) -> _Entries:
    folders: list[str] = []
    texts: list[str] = []
    if any(entry.name == "pyvenv.cfg" for entry in entries):  # a virtual environment
        return folders, texts
    for entry in entries:
        if entry.name.startswith(".") or entry.path in skipped or entry.name in _NOT_SITE:
            continue
        if entry.is_dir():
            folders.append(entry.path)
        elif entry.name[entry.name.rfind(".") :].lower() not in _BINARY:
            texts.append(entry.path)
    return folders, texts
