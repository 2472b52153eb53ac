"""Thumbnails of stored images, so that a page of many loads quickly on a phone.

They are made for the gallery of the owner, never on upload, by `shrink` in a child process.
For images that it cannot read, the gallery shows the image itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import weakref
from contextlib import suppress
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from pelican_imagehost.storage.store import Store

__all__ = ["Thumbnails"]

_SMALL = 50_000  # bytes; smaller images are shown directly
_TYPES = frozenset(
    ["avif", "jpg", "png", "webp"]
)  # the others are animated, or scale by themselves
_SECONDS = 10  # of CPU for an image; honest ones take less than one
_LONGEST = 60.0  # seconds by the clock, on a busy machine too
_MEMORY = 1024**3  # bytes of address space
_MODULE = "pelican_imagehost.gallery.shrink"


class Thumbnails:
    """Makes thumbnails on demand, and caches them.

    Args:
        store: the store of the images.
        folder: the cache; its files may be deleted at any time.
        seconds: the CPU time allowed for an image.
        memory: the bytes of address space allowed.
    """

    def __init__(
        self, store: Store, folder: Path, *, seconds: int = _SECONDS, memory: int = _MEMORY
    ) -> None:
        self._store = store
        self._folder = folder
        self._lock = threading.Lock()  # one at a time, to limit memory
        self._failed: set[str] = set()
        self._child = _Child(seconds, memory)

    def ready(self, key: str) -> Path | None:
        """Return the file to show for an image at once; None if it must be made first."""
        original = self._store.path(key)
        name, _, kind = key.rpartition(".")
        small = self._folder / f"{name}.webp"
        if small.exists():
            return small
        if kind not in _TYPES or key in self._failed or original.stat().st_size < _SMALL:
            return original
        return None

    def find(self, key: str) -> Path:
        """Return the file to show for an image; make the thumbnail if necessary.

        Args:
            key: the key of a stored image.

        Returns:
            A small WebP, or the image itself.
        """
        with self._lock:
            shown = self.ready(key)
            if shown is not None:
                return shown
            name, _, kind = key.rpartition(".")
            if not self._child.make(self._store.path(key), kind, self._folder / f"{name}.webp"):
                self._failed.add(key)
        return self.ready(key) or self._store.path(key)


class _Child:
    """The process that decodes images; started when needed, replaced when it dies.

    Args:
        seconds: the CPU time allowed for an image.
        memory: the bytes of address space allowed.
    """

    def __init__(self, seconds: int, memory: int) -> None:
        self._limits = (str(seconds), str(memory))
        self._process: subprocess.Popen[bytes] | None = None

    def make(self, original: Path, kind: str, small: Path) -> bool:
        """Make a thumbnail; return whether it succeeded."""
        process = self._process or self._start()
        timer = threading.Timer(_LONGEST, process.kill)
        timer.start()
        try:
            answer = _ask(process, json.dumps([str(original), kind, str(small)]))
        finally:
            timer.cancel()
        if not answer:  # it has died
            self._end()
            self._process = None
        return answer == b"1\n"

    def _start(self) -> subprocess.Popen[bytes]:
        self._process = process = subprocess.Popen(  # noqa: S603  our own module
            # -P: no module of the working folder is imported instead of the library's.
            [sys.executable, "-P", "-m", _MODULE, *self._limits],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            # Ctrl-C is for the service, which ends this process.
            process_group=0,
        )
        self._end = weakref.finalize(self, _end, process)
        return process


def _environment() -> dict[str, str]:
    """Return the environment without our secrets, and with one heap, for the memory limit."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("IMAGEHOST_")}
    return {**own, "MALLOC_ARENA_MAX": "1"}


def _ask(process: subprocess.Popen[bytes], question: str) -> bytes:
    """Send a line; return the answer, or nothing if the process has died."""
    into, out = _pipes(process)
    try:
        into.write(question.encode() + b"\n")
        into.flush()
        return out.readline()
    except BrokenPipeError:
        return b""


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    assert process.stdin is not None  # noqa: S101  as started
    assert process.stdout is not None  # noqa: S101
    return process.stdin, process.stdout


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    into, out = _pipes(process)
    out.close()
    with suppress(BrokenPipeError):  # an unsent question
        into.close()
