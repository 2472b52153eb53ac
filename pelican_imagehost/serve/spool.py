"""Uploads in progress: written as they arrive, on the file system of the store."""

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
from pelican_imagehost.images import heic, kinds
from pelican_imagehost.images.identify import check_size, identify
from pelican_imagehost.images.prepare import prepare_file

if TYPE_CHECKING:
    from pathlib import Path

    from pelican_imagehost.images.image import Image, Limits

__all__ = ["Spool", "SpooledFile"]

_ABANDONED = 3600  # seconds without a byte; no upload takes that long
_LONGEST_NAME = 255
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


class Spool:
    """The folder of files being received, on the file system of the store.

    Args:
        folder: the folder.
        limits: the limits on an image.
        keep_metadata: the metadata that published images keep.
    """

    def __init__(
        self, folder: Path, limits: Limits, keep_metadata: frozenset[str] = frozenset()
    ) -> None:
        self.folder = folder
        self.limits = limits
        self.keep_metadata = keep_metadata
        self._swept = -math.inf
        self._mine = secrets.token_hex(8)  # several processes share the folder
        self._numbers = itertools.count()

    def prepare(self) -> None:
        """Create the folder, and remove files left by killed processes.

        Raises:
            StoreError: the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._sweep()
        except OSError as error:
            raise StoreError(f"{self.folder} cannot be written: {error.strerror}") from error

    def open(self, name: str) -> SpooledFile:
        """Open a new file.

        Args:
            name: the name that the client gave to it; need not be a valid file name.

        Raises:
            StoreError: the file cannot be written.
        """
        try:
            if self._swept + _ABANDONED < time.monotonic():
                self._sweep()
            path = self.folder / f"{self._mine}-{next(self._numbers)}.part"
            descriptor = os.open(path, _NEW, 0o600)
        except OSError as error:
            raise StoreError(f"{self.folder} cannot be written: {error.strerror}") from error
        return SpooledFile(descriptor, path, _plain(name), self)

    def _sweep(self) -> None:
        self._swept = time.monotonic()
        for file in self.folder.glob("*.part"):
            with suppress(FileNotFoundError):  # removed by another process, or stored
                if file.stat().st_mtime + _ABANDONED < time.time():
                    file.unlink()


class SpooledFile:
    """A file being received, or received.

    Attributes:
        path: its path.
        name: its name, for messages: without folders and control characters.
        size: bytes so far.
    """

    def __init__(self, descriptor: int, path: Path, name: str, spool: Spool) -> None:
        self.path = path
        self.name = name
        self.size = 0
        self._file = os.fdopen(descriptor, "r+b", buffering=0)
        self._limits = spool.limits
        self._keep_metadata = spool.keep_metadata

    def write(self, data: bytes | memoryview) -> None:
        """Write the next bytes.

        Raises:
            ImageTooLarge: the file has more bytes than allowed.
            StoreError: the file cannot be written.
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

    def finish(self) -> None:
        """Close the file, when all of it has been received; a request may have many."""
        self._file.close()

    def identify(self) -> Image:
        """Identify the image, when all of it has been received, and clean the file.

        Returns:
            The image to publish, which the file now holds.

        Raises:
            ImageHostError: as `identify` and `prepare_file` do.
        """
        self.finish()
        try:
            self._convert()
            with self.path.open("rb", buffering=0) as file:
                image = identify(file, self._limits, walks=False)
            return prepare_file(self.path, image, self._keep_metadata)
        except OSError as error:
            raise StoreError(f"{self.path.parent} cannot be written: {error.strerror}") from error

    def _convert(self) -> None:
        """Convert a HEIC photo, if it is one."""
        with self.path.open("rb", buffering=0) as file:
            is_heic = kinds.is_heic(file.read(kinds.SAMPLE))
        if is_heic:
            self.path.write_bytes(heic.convert(self.path.read_bytes(), self._limits.max_pixels))

    def discard(self) -> None:
        """Remove the file, unless it has been stored."""
        self._file.close()
        self.path.unlink(missing_ok=True)


def _plain(name: str) -> str:
    """Reduce a name sent by a client to printable characters; it is never used as a path."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(c for c in last if c.isprintable())[:_LONGEST_NAME].strip()
