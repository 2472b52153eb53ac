"""The output of a build: files are written whole, and only if they have changed.

The writer of Pelican opens files, and its static generator copies them. Both functions are
replaced (`Output.install`), so this also works for writers of plugins. A browser never
reads a partial page, and an abandoned build leaves no partial files.
"""

from __future__ import annotations

import builtins
import contextlib
import hashlib
import io
import logging
import os
import shutil
import time
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import pelican.utils
import pelican.writers
from blinker import ANY
from pelican import signals

from pelican_imagehost.storage.index import Stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

__all__ = ["Output"]

logger = logging.getLogger(__name__)

_CHUNK = 1024**2


class _Known(NamedTuple):
    """A file as it was written: its source or digest, and its stamp."""

    source: object
    stamp: Stamp | None


class Output:
    """The files of the output, tracked from build to build.

    Args:
        root: the folder.
        announce: called with each new path before it is created, so that files of an
            abandoned build can be found and removed.

    Attributes:
        roots: the folder, and those of other sites that are built with this one, beside it.
        produced: the files of the last whole build, and all created since.
    """

    def __init__(self, root: str, announce: Callable[[str], None]) -> None:
        self.root = root
        self.roots = {root}
        self.produced: set[str] = set()
        self._announce = announce
        self._known: dict[str, _Known] = {}
        self._finals: dict[str, bytes] = {}
        self._reworked: set[str] = set()  # changed after they were written, so not current
        self._began: int | None = None
        self._doubtful: frozenset[str] = frozenset()
        self._current: set[str] = set()
        self._touched: set[str] = set()

    def install(self) -> None:
        """Replace the functions with which Pelican writes, in this process."""
        pelican.writers.open = self.open
        pelican.utils.copy_file = self.copy

    def begin(self, *, whole: bool, doubtful: Iterable[str] = ()) -> None:
        """Start a whole build, or an update of single pages.

        Args:
            whole: whether it is a build.
            doubtful: files that abandoned builds may have written.
        """
        self._began = time.time_ns() if whole else None
        self._doubtful = frozenset(doubtful)
        self._current.clear()
        self._touched.clear()

    def open(self, path: str, mode: str = "r", **options: Any) -> IO[Any]:  # noqa: ANN401
        """Open a file like `open`; a file of the output is written when it is closed."""
        if mode != "w" or not self._is_inside(path):
            return builtins.open(path, mode, **options)
        return _Sink(self, path, options.get("encoding") or "utf-8")

    def write(self, path: str, data: bytes) -> None:
        """Write a file, unless it already has that content."""
        self._current.add(path)
        if self._is_overtaken(path):
            return
        digest = hashlib.blake2b(data, digest_size=16).digest()
        is_reworked = _are_pages_changed_later() or path in self._reworked
        if not is_reworked and self._is_current(path, digest, data):
            return
        self._make(path, lambda temporary: _write(temporary, data))
        self._known[path] = _Known(digest, Stamp.at(path))

    def copy(self, source: str, destination: str) -> None:
        """Copy a file, unless the copy already exists."""
        destination = os.path.normpath(destination)  # Pelican's `theme/./style.css`
        self._current.add(destination)
        try:
            stamp = Stamp.of(os.stat(source))
            is_reworked = destination in self._reworked
            if not is_reworked and self._is_current(destination, (source, stamp), None):
                return
            known = self._known.get(destination)
            if _is_same(source, destination):
                if known is not None and known.stamp != Stamp.at(destination):
                    self._touched.add(destination)  # as in `_is_current`
            else:
                self._make(destination, lambda temporary: shutil.copyfile(source, temporary))
            settled = stamp if stamp.is_settled(time.time_ns()) else None
            self._known[destination] = _Known((source, settled), Stamp.at(destination))
        except OSError as error:  # Pelican also warns and continues
            logger.warning("cannot copy %s to %s: %s", source, destination, error)

    def expect(self, paths: Iterable[str]) -> None:
        """Record files of the output that other code is about to write, or needs."""
        for path in paths:
            if path not in self.produced:
                self._announce(path)
            self._current.add(path)

    def drafted(self) -> list[str]:
        """End an update of single pages.

        Returns:
            The changed files.
        """
        changed = self._settle()
        self.produced |= self._current
        return changed

    def sweep(self, kept: Container[str] = ()) -> None:
        """Remove the files of earlier builds that this whole build did not write.

        Args:
            kept: files that it may still need.
        """
        for path in (self.produced | self._doubtful) - self._current:
            if path not in kept:
                self._remove(path)

    def finish(self) -> list[str]:
        """End a whole build, and sweep.

        Returns:
            The changed files, unordered.
        """
        changed = self._settle()
        changed += [path for path in self.produced ^ self._current if path not in self._touched]
        self.sweep()
        self.produced = self._current
        self._current, self._touched = set(), set()
        return changed

    def clean_up(self, processes: Iterable[int]) -> None:
        """Remove the temporary files of killed processes."""
        ends = tuple(f".{process}.tmp" for process in processes)
        for root in self.roots if ends else ():
            for folder, _, names in os.walk(root):
                for name in names:
                    if name.startswith(".") and name.endswith(ends):
                        self._remove(os.path.join(folder, name))

    def _settle(self) -> list[str]:
        """Record changes to files after they were written; list the changed files."""
        later = _are_pages_changed_later()
        for path in self._current & self._known.keys():
            source, before = self._known[path]
            after = Stamp.at(path)
            (self._reworked.discard if before == after else self._reworked.add)(path)
            if before != after:
                self._touched.add(path)
                self._known[path] = _Known(source, after)
        return [
            path
            for path in self._touched
            if not (later or path in self._reworked) or self._is_final_new(path)
        ]

    def _is_final_new(self, path: str) -> bool:
        data = _read(path)
        if data is None:
            return True
        digest = hashlib.blake2b(data, digest_size=16).digest()
        before, self._finals[path] = self._finals.get(path), digest
        return digest != before

    def _is_current(self, path: str, source: object, data: bytes | None) -> bool:
        stamp = Stamp.at(path)
        known = self._known.get(path)
        if known is not None and known.stamp == stamp:
            return stamp is not None and known.source == source
        if data is None or stamp is None or stamp.size != len(data) or _read(path) != data:
            return False
        self._known[path] = _Known(source, stamp)
        if known is not None and known.source != source:
            self._touched.add(path)  # written by an abandoned build, so not reported yet
        return True

    def _is_overtaken(self, path: str) -> bool:
        """Return whether another process has written a file since this whole build started.

        The parent has then updated the page after a newer save, and another build will follow.
        """
        if self._began is None or path in self._touched:
            return False
        stamp = Stamp.at(path)
        return stamp is not None and stamp.mtime_ns > self._began

    def _make(self, path: str, make: Callable[[str], object]) -> None:
        if path not in self.produced:
            self._announce(path)
        temporary = f"{os.path.dirname(path)}/.{os.path.basename(path)}.{os.getpid()}.tmp"
        try:
            make(temporary)
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        self._touched.add(path)

    def _remove(self, path: str) -> None:
        self._known.pop(path, None)
        self._finals.pop(path, None)
        self._reworked.discard(path)
        if not self._is_inside(path):
            return
        with contextlib.suppress(OSError):
            os.unlink(path)
        with contextlib.suppress(OSError):  # stop at a folder that is not empty
            folder = os.path.dirname(path)
            while self._is_inside(folder):
                os.rmdir(folder)
                folder = os.path.dirname(folder)

    def _is_inside(self, path: str) -> bool:
        return any(path.startswith(root + os.sep) for root in self.roots)


class _Sink(io.StringIO):
    """A text file that is written to the output when it is closed without an error."""

    def __init__(self, output: Output, path: str, encoding: str) -> None:
        super().__init__(newline=os.linesep)  # the line ends of the system, as with `open`
        self._output = output
        self._path = path
        self._encoding = encoding
        self._over = False

    def close(self) -> None:
        """Write the file."""
        if not self._over:
            self._over = True
            self._output.write(self._path, self.getvalue().encode(self._encoding))
        super().close()

    def __exit__(self, kind: object, *_: object) -> None:
        self._over = self._over or kind is not None
        self.close()

    def __del__(self) -> None:
        self._over = True  # not closed, so incomplete


def _are_pages_changed_later() -> bool:
    """Return whether a plugin other than ours changes pages after they are written.

    Such a plugin must always get the page as Pelican wrote it, because it may not be able to
    process its own result again.
    """
    receivers = signals.content_written.receivers_for(ANY)
    return any(not receiver.__module__.startswith("pelican_imagehost.") for receiver in receivers)


def _read(path: str) -> bytes | None:
    try:
        with builtins.open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


def _is_same(source: str, destination: str) -> bool:
    try:
        if os.stat(source).st_size != os.stat(destination).st_size:
            return False
        with builtins.open(source, "rb") as one, builtins.open(destination, "rb") as other:
            pairs = iter(lambda: (one.read(_CHUNK), other.read(_CHUNK)), (b"", b""))
            return all(mine == yours for mine, yours in pairs)
    except OSError:
        return False


def _write(path: str, data: bytes) -> None:
    with builtins.open(path, "wb") as file:
        file.write(data)
