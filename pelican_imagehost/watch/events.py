"""Changed files: events are hints, and stat(2) decides.

Editors save in many ways: in place, by a rename, by swapping files, with a moment without
a file. A folder that is moved causes one event for all its files, or events with the old
names; a full queue causes none. So an event only shows where to look, and all files are
checked from time to time.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
import warnings
from typing import TYPE_CHECKING, Final

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

from pelican_imagehost.watch.snapshot import Snapshot, is_any_networked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from watchdog.observers.api import BaseObserver

    from pelican_imagehost.watch.messages import Roots

__all__ = ["Watcher"]

logger = logging.getLogger(__name__)

_KINDS: Final = [
    FileClosedEvent,
    FileMovedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    DirCreatedEvent,
    DirMovedEvent,
    DirDeletedEvent,
]
_MANY = 200  # hints at once; with more it is cheaper to check all files
_QUIET = 0.15  # seconds without a hint that end a burst
_GRACE = 0.1  # seconds for an editor to restore a file
_FIRST = 2.0  # seconds after the start, to find changes made while watches were set
_EVERY = 60.0  # seconds between checks of all files
_POLL = 1.0  # the same without events


class Watcher:
    """A thread that reports changed files.

    Args:
        roots: the folders to watch.
        changed: called in that thread, with absolute paths.
        poll: check all files every second instead of using events.
    """

    def __init__(
        self, roots: Roots, changed: Callable[[set[str]], None], *, poll: bool = False
    ) -> None:
        self._roots = roots
        self._changed = changed
        folders = (*roots.recursive, *roots.flat, *map(os.path.dirname, roots.files))
        self.polling = poll or is_any_networked(folders)
        self._hints: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._snapshot = Snapshot(roots)
        self._handler = _Handler(self._hints, self._snapshot)
        self._overflow = _OverflowHandler(self._hints)
        self._observer: BaseObserver | None = None
        self._identities: list[object] = []
        self._stopped = False
        self._missing: dict[str, float] = {}
        self._thread = threading.Thread(target=self._run, name="file events", daemon=True)

    def start(self) -> None:
        """Set the watches and check all files; no later change is missed."""
        logging.getLogger("watchdog.observers.inotify_c").addHandler(self._overflow)
        self._snapshot.compare()
        if not self.polling:
            self._observe()
            self._snapshot.compare()
        self._thread.start()

    def stop(self) -> None:
        """End the thread and the watches."""
        self._stopped = True
        self._hints.put(None)
        if self._thread.is_alive():
            self._thread.join()
        self._unobserve()
        logging.getLogger("watchdog.observers.inotify_c").removeHandler(self._overflow)

    def unreported(self) -> set[str]:
        """Return changes that were not reported before the end."""
        return self._snapshot.compare()

    def rescan(self) -> None:
        """Check all files soon."""
        self._hints.put(None)

    def _observe(self) -> None:
        """Set watches; poll if the system limit is reached."""
        # A folder that is moved away and back keeps its watch. That is harmless, and if the
        # warning became an error, it would end the thread that reads all events.
        warnings.filterwarnings("ignore", "Callback with id", RuntimeWarning, r"watchdog\.")
        self._identities = self._identify()
        self._observer = Observer()
        kinds: list[type[FileSystemEvent]] = [*_KINDS]
        if type(self._observer).__name__ != "InotifyObserver":
            kinds.append(FileModifiedEvent)  # only inotify reports when a file is closed
        try:
            for path, recursive in self._folders():
                # Links in a folder are in `tops`, so that loops of links are not followed
                # forever; the slash resolves a root that is itself a link.
                slashed = os.path.join(path, "")
                self._observer.schedule(
                    self._handler, slashed, recursive=recursive, event_filter=kinds
                )
            self._observer.start()
        except OSError as error:
            logger.warning("cannot use file events (%s); polling every second", error)
            self._observer = None
            self.polling = True

    def _unobserve(self) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
            self._observer = None

    def _folders(self) -> Iterable[tuple[str, bool]]:
        beside = map(os.path.dirname, self._roots.files)
        folders = dict.fromkeys((*self._roots.flat, *beside), False)
        folders |= dict.fromkeys(self._snapshot.tops, True)
        return [(path, deep) for path, deep in folders.items() if os.path.isdir(path)]

    def _identify(self) -> list[object]:
        """Identify the watched folders, to detect replaced ones, which have lost their watch."""
        statuses = [(path, os.stat(path)) for path, _ in self._folders()]
        return [(path, status.st_dev, status.st_ino) for path, status in statuses]

    def _run(self) -> None:
        full_look = time.monotonic() + (_POLL if self.polling else _FIRST)
        while not self._stopped:
            due = min([full_look, *self._missing.values()])
            hints = self._wait(max(0.0, due - time.monotonic()))
            if self._stopped:
                return
            if None in hints or len(hints) > _MANY or time.monotonic() >= full_look:
                changed = self._check_all()
                full_look = time.monotonic() + (_POLL if self.polling else _EVERY)
            else:
                changed = self._look(hints)
            if changed:
                self._changed(changed)

    def _wait(self, seconds: float) -> set[str | None]:
        """Return all pending hints; wait for the end of a burst."""
        hints: set[str | None] = set()
        try:
            hints.add(self._hints.get(timeout=seconds))
            while True:
                burst = None in hints or len(hints) > _MANY
                hints.add(self._hints.get(timeout=_QUIET if burst and not self._stopped else 0))
        except queue.Empty:
            return hints

    def _look(self, hints: Iterable[str | None]) -> set[str]:
        changed = set()
        for path in hints:
            if path is None:
                continue
            state = self._snapshot.look(path)
            if state is None:
                self._missing.setdefault(path, time.monotonic() + _GRACE)
            elif state:
                self._missing.pop(path, None)
                changed.add(path)
        return changed | self._find_deleted()

    def _find_deleted(self) -> set[str]:
        now = time.monotonic()
        late = [path for path, due in self._missing.items() if due <= now]
        gone = set()
        for path in late:
            del self._missing[path]
            if self._snapshot.drop(path) or self._snapshot.look(path):
                gone.add(path)
        return gone

    def _check_all(self) -> set[str]:
        self._missing.clear()
        changed = self._snapshot.compare()
        if self._observer is not None and self._identities != self._identify():
            self._unobserve()
            self._observe()
            changed |= self._snapshot.compare()
        return changed


class _Handler(FileSystemEventHandler):
    """Turns events into hints: a path to check, or None for all files."""

    def __init__(self, hints: queue.SimpleQueue[str | None], snapshot: Snapshot) -> None:
        self._hints = hints
        self._snapshot = snapshot

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Queue a hint."""
        paths = [os.fsdecode(path) for path in (event.src_path, event.dest_path) if path]
        for path in filter(self._snapshot.concerns, paths):
            folder = event.is_directory or os.path.isdir(path) or path in self._snapshot.tops
            self._hints.put(None if folder else path)


class _OverflowHandler(logging.Handler):
    """Detects an overflow of the event queue in the log of watchdog, which has no event for it."""

    def __init__(self, hints: queue.SimpleQueue[str | None]) -> None:
        super().__init__(logging.WARNING)
        self._hints = hints

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a hint for all files."""
        if "overflow" in record.getMessage():
            self._hints.put(None)
