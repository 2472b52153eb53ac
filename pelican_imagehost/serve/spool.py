"""Uploads on their way: written as they arrive, beside the tree that will take them."""

from __future__ import annotations

import itertools
import math
import os
import re
import secrets
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from pelican_imagehost.errors import StoreError
from pelican_imagehost.images.identify import check_size, identify

if TYPE_CHECKING:
    from pathlib import Path

    from pelican_imagehost.images.image import Image, Limits
    from pelican_imagehost.storage.store import Store

__all__ = ["Spool", "SpooledFile"]

_ABANDONED = 3600  # seconds without a byte; no upload may take that long
_LONGEST_NAME = 255
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


class Spool:
    """A folder for files that are still arriving, on the store's file system.

    Args:
        store: that will take them.
        limits: what an image may be.
    """

    def __init__(self, store: Store, limits: Limits) -> None:
        self.folder = store.uploads
        self.limits = limits
        self._swept = -math.inf
        self._mine = secrets.token_hex(8)  # one folder serves several processes
        self._numbers = itertools.count()

    def prepare(self) -> None:
        """Make the folder, and remove what killed processes left in it.

        Raises:
            StoreError: it cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._sweep()
        except OSError as error:
            raise StoreError(f"{self.folder} cannot be written: {error.strerror}") from error

    def open(self, name: str) -> SpooledFile:
        """Begin a file.

        Args:
            name: what the client calls it, whatever that may be.

        Raises:
            StoreError: there is no room.
        """
        try:
            if self._swept + _ABANDONED < time.monotonic():
                self._sweep()
            path = self.folder / f"{self._mine}-{next(self._numbers)}.part"
            descriptor = os.open(path, _NEW, 0o600)
        except OSError as error:
            raise StoreError(f"{self.folder} cannot be written: {error.strerror}") from error
        return SpooledFile(descriptor, path, _plain(name), self.limits)

    def _sweep(self) -> None:
        self._swept = time.monotonic()
        for file in self.folder.glob("*.part"):
            with suppress(FileNotFoundError):  # another process sweeps, or it has ended well
                if file.stat().st_mtime + _ABANDONED < time.time():
                    file.unlink()


class SpooledFile:
    """One file that arrives, or has arrived.

    Attributes:
        path: where it lies.
        name: its name in words: no folder, no control character.
        size: bytes so far.
    """

    def __init__(self, descriptor: int, path: Path, name: str, limits: Limits) -> None:
        self.path = path
        self.name = name
        self.size = 0
        self._file = os.fdopen(descriptor, "r+b", buffering=0)
        self._limits = limits

    def write(self, data: bytes | memoryview) -> None:
        """Take the next bytes.

        Raises:
            ImageTooLarge: they are more than an image may have.
            StoreError: there is no room.
        """
        self.size += len(data)
        if self.size > self._limits.max_bytes:
            check_size(self.size, self._limits)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise StoreError(f"{self.path.parent} cannot be written: {error.strerror}") from error

    def identify(self) -> Image:
        """Say what it is, when all of it has come.

        Raises:
            ImageHostError: as `identify` does.
        """
        with self._file:
            self._file.seek(0)
            return identify(self._file, self._limits)

    def discard(self) -> None:
        """Remove it, unless the store has taken it."""
        self._file.close()
        self.path.unlink(missing_ok=True)


def _plain(name: str) -> str:
    """Reduce a name that a client sent to one that can be shown: it is never a path here."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(c for c in last if c.isprintable())[:_LONGEST_NAME].strip()
