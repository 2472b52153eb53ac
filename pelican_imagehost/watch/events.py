"""Which files changed: events are hints, and stat says what is true.

Editors save in many ways: in place, by a rename, by swapping files, with a moment in
which there is no file. Folders that are moved give one event for all in them, or the
names of before; a full queue gives none. So an event only says where to look, and now
and then everything is looked at.
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
_MANY = 200  # hints at once; more, and it is cheaper to look at everything
_QUIET = 0.15  # seconds without a hint, after which a flood is over
_GRACE = 0.1  # seconds for an editor to put a file back
_FIRST = 2.0  # seconds after the start: what changed while watches were being set
_EVERY = 60.0  # seconds between looks at everything
_POLL = 1.0  # likewise, where there are no events


class Watcher:
    """A thread that tells which files below some roots have changed.

    Args:
        roots: what to watch.
        changed: called in that thread, with absolute paths.
        poll: do without events.
    """

    def __init__(
        self, roots: Roots, changed: Callable[[set[str]], None], *, poll: bool = False
    ) -> None:
        self._roots = roots
        self._changed = changed
        folders = (*roots.recursive, *roots.flat)
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
        """Set the watches and look at everything; from then on no change is missed."""
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

    def untold(self) -> set[str]:
        """Give what changed before the end and was not told."""
        return self._snapshot.compare()

    def rescan(self) -> None:
        """Look at everything, soon."""
        self._hints.put(None)

    def _observe(self) -> None:
        """Set watches; where the system has no more to give, poll."""
        # A folder that was moved out and comes back still has its watch: that is well, and
        # a warning that became an error would end the thread that reads all events.
        warnings.filterwarnings("ignore", "Callback with id", RuntimeWarning, r"watchdog\.")
        self._identities = self._identify()
        self._observer = Observer()
        kinds: list[type[FileSystemEvent]] = [*_KINDS]
        if type(self._observer).__name__ != "InotifyObserver":
            kinds.append(FileModifiedEvent)  # only inotify says when a file is closed
        try:
            for path, recursive in self._folders():
                # Links within are in `tops`, lest a circle of them is walked for ever; the
                # slash leads along one that is itself a link.
                slashed = os.path.join(path, "")
                self._observer.schedule(
                    self._handler, slashed, recursive=recursive, event_filter=kinds
                )
            self._observer.start()
        except OSError as error:
            logger.warning("no file events (%s); looking at every file each second", error)
            self._observer = None
            self.polling = True

    def _unobserve(self) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
            self._observer = None

    def _folders(self) -> Iterable[tuple[str, bool]]:
        folders = dict.fromkeys(self._roots.flat, False)
        folders |= dict.fromkeys(self._snapshot.tops, True)
        return [(path, deep) for path, deep in folders.items() if os.path.isdir(path)]

    def _identify(self) -> list[object]:
        """Tell one folder from another of its name, which has no watch on it."""
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
                changed = self._look_at_everything()
                full_look = time.monotonic() + (_POLL if self.polling else _EVERY)
            else:
                changed = self._look(hints)
            if changed:
                self._changed(changed)

    def _wait(self, seconds: float) -> set[str | None]:
        """Take all hints there are; of a flood, take it whole."""
        hints: set[str | None] = set()
        try:
            hints.add(self._hints.get(timeout=seconds))
            while True:
                flood = None in hints or len(hints) > _MANY
                hints.add(self._hints.get(timeout=_QUIET if flood and not self._stopped else 0))
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
        return changed | self._take_for_gone()

    def _take_for_gone(self) -> set[str]:
        now = time.monotonic()
        late = [path for path, due in self._missing.items() if due <= now]
        gone = set()
        for path in late:
            del self._missing[path]
            if self._snapshot.drop(path) or self._snapshot.look(path):
                gone.add(path)
        return gone

    def _look_at_everything(self) -> set[str]:
        self._missing.clear()
        changed = self._snapshot.compare()
        if self._observer is not None and self._identities != self._identify():
            self._unobserve()
            self._observe()
            changed |= self._snapshot.compare()
        return changed


class _Handler(FileSystemEventHandler):
    """Turns events into hints: a path to look at, or None for everything."""

    def __init__(self, hints: queue.SimpleQueue[str | None], snapshot: Snapshot) -> None:
        self._hints = hints
        self._snapshot = snapshot

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Give a hint."""
        paths = [os.fsdecode(path) for path in (event.src_path, event.dest_path) if path]
        for path in filter(self._snapshot.concerns, paths):
            folder = event.is_directory or os.path.isdir(path) or path in self._snapshot.tops
            self._hints.put(None if folder else path)


class _OverflowHandler(logging.Handler):
    """Hears of events that the kernel dropped, of which there is no event."""

    def __init__(self, hints: queue.SimpleQueue[str | None]) -> None:
        super().__init__(logging.WARNING)
        self._hints = hints

    def emit(self, record: logging.LogRecord) -> None:
        """Look at everything."""
        if "overflow" in record.getMessage():
            self._hints.put(None)
