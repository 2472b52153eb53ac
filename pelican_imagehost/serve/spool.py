"""Uploads in progress, on the file system of the store: large ones are written as they arrive.

Small ones wait in memory, as long as there is room. What is refused is then never written, and
nobody who receives has to wait for a file system that is being synced.
"""

from __future__ import annotations

import itertools
import math
import os
import re
import secrets
import threading
import time
from contextlib import contextmanager, suppress
from io import FileIO
from typing import TYPE_CHECKING

from pelican_imagehost.errors import StoreError
from pelican_imagehost.images.identify import check_size
from pelican_imagehost.images.prepare import prepare_file, prepare_upload

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pelican_imagehost.images.image import Image, Limits

__all__ = ["Spool", "SpooledFile"]

_ABANDONED = 3600  # seconds without a byte; no upload takes that long
_LONGEST_NAME = 255
_SMALL = 1024**2  # bytes; larger files are on the disk while they are received
_MEMORY = 32 * 1024**2  # bytes of small files at once
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


class Spool:
    """The folder of files being received, on the file system of the store.

    Args:
        folder: the folder.
        limits: the limits on an image.
        keep_metadata: the metadata that published images keep.
        memory: bytes of small files that are not written before they are stored.
    """

    def __init__(
        self,
        folder: Path,
        limits: Limits,
        keep_metadata: frozenset[str] = frozenset(),
        *,
        memory: int = _MEMORY,
    ) -> None:
        self.folder = folder
        self.limits = limits
        self.keep_metadata = keep_metadata
        self._swept = -math.inf
        # Several processes share the folder.
        self._start = os.path.join(self.folder, f"{secrets.token_hex(8)}-")
        self._numbers = itertools.count()
        self._memory = memory
        self._held = 0
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Create the folder, and remove files left by killed processes.

        Raises:
            StoreError: the folder cannot be written.
        """
        with self.writing():
            self.folder.mkdir(parents=True, exist_ok=True)
            self._sweep()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Raise StoreError in place of OSError."""
        try:
            yield
        except OSError as error:
            raise StoreError(f"{self.folder} cannot be written: {error.strerror}") from error

    def open(self, name: str) -> SpooledFile:
        """Open a new file.

        Args:
            name: the name that the client gave to it; need not be a valid file name.

        Raises:
            StoreError: the file cannot be written.
        """
        if self._swept + _ABANDONED < time.monotonic():
            with self.writing():
                self._sweep()
        return SpooledFile(f"{self._start}{next(self._numbers)}.part", _plain(name), self)

    def hold(self, size: int) -> bool:
        """Count bytes that stay in memory, or no longer do; return whether there is room."""
        with self._lock:
            fits = self._held + size <= self._memory
            if fits:
                self._held += size
            return fits

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

    def __init__(self, path: str, name: str, spool: Spool) -> None:
        self.path = path
        self.name = name
        self.size = 0
        self._chunks: list[bytes | memoryview] = []
        self._held = 0
        self._file: FileIO | None = None
        self._spool = spool
        self._is_ours = True
        self._outcome: Image | Exception = RuntimeError(f"{path} was not inspected")

    def write(self, data: bytes | memoryview) -> None:
        """Write the next bytes: into memory while the file is small and there is room.

        Args:
            data: the bytes, which never change.

        Raises:
            ImageTooLarge: the file has more bytes than allowed.
            StoreError: the file cannot be written.
        """
        self.size += len(data)
        if self.size > self._spool.limits.max_bytes:
            check_size(self.size, self._spool.limits)
        if self._file is None and self.size <= _SMALL and self._spool.hold(len(data)):
            self._held += len(data)
            self._chunks.append(_kept(data))
            return
        with self._spool.writing():
            self._spill()
            self._write(data)

    def finish(self) -> None:
        """Close the file, when all of it has been received; a request may have many."""
        if self._file is not None:
            self._file.close()

    def _spill(self) -> None:
        """Open the file, and write what is in memory."""
        if self._file is None:
            self._file = FileIO(os.open(self.path, _NEW, 0o600), "w")
            for chunk in self._chunks:
                self._write(chunk)
            self._chunks.clear()
            self._release()

    def _release(self) -> None:
        held, self._held = self._held, 0
        self._spool.hold(-held)

    def _write(self, data: bytes | memoryview) -> None:
        assert self._file is not None  # noqa: S101  as `_spill` has opened it
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]

    def inspect(self) -> None:
        """Identify the image, when all of it has been received; clean it, and write its file."""
        try:
            self._outcome = self._prepare()
        except Exception as error:  # noqa: BLE001  raised when the image is asked for
            self._outcome = error

    def identify(self) -> Image:
        """Return the image to publish, which the file now holds, after `inspect`.

        Raises:
            ImageHostError: as `check_size` and `prepare_file` do, or the file cannot be written.
        """
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome

    def _prepare(self) -> Image:
        limits, keep = self._spool.limits, self._spool.keep_metadata
        check_size(self.size, limits)
        if self._file is not None:
            with self._spool.writing():
                self.finish()
                return prepare_file(self.path, limits, keep)
        published, image = prepare_upload(b"".join(self._chunks), limits, keep)
        self._chunks = [published]
        with self._spool.writing():
            self._spill()
            self.finish()
        return image

    def hand_over(self) -> None:
        """Leave the file to the store, which moves or removes it."""
        self._is_ours = False

    def discard(self) -> None:
        """Remove the file, unless it was handed over."""
        self._release()
        if self._file is None:
            return
        self._file.close()
        if self._is_ours:
            with suppress(FileNotFoundError):
                os.unlink(self.path)


def _kept(data: bytes | memoryview) -> bytes | memoryview:
    """Return bytes to keep: not a small part of others, which would be kept with it."""
    is_part = isinstance(data, memoryview) and data.nbytes * 2 < memoryview(data.obj).nbytes
    return bytes(data) if is_part else data


def _plain(name: str) -> str:
    """Reduce a name sent by a client to printable characters; it is never used as a path."""
    last = re.split(r"[/\\]", name)[-1]
    plain = last if last.isprintable() else "".join(filter(str.isprintable, last))
    return plain[:_LONGEST_NAME].strip()
