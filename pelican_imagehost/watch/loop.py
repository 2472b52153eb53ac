"""The main loop of drafting: connects events, builders and the preview.

This process does not load Pelican, so it can use threads; a builder has only one thread,
so it can fork. One builder at a time gets requests: it writes a changed document at once,
and the whole site is then built in the background, by a fork of it, or by a new process
if settings or plugins have changed or the system cannot fork. Builds are numbered, and
only the newest counts.
"""

from __future__ import annotations

import os
import queue
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pelican_imagehost.storage.index import Stamp
from pelican_imagehost.watch.encoder import Encoder
from pelican_imagehost.watch.events import Watcher
from pelican_imagehost.watch.manifest_changes import Lines
from pelican_imagehost.watch.messages import (
    Built,
    Drafted,
    Edit,
    GiveUp,
    Leave,
    New,
    Roots,
    each_once,
)
from pelican_imagehost.watch.processes import Ended, Peer, Processes
from pelican_imagehost.watch.snapshot import is_settings

if TYPE_CHECKING:
    from pelican_imagehost.settings import Settings
    from pelican_imagehost.watch.messages import Problems

__all__ = ["Drafting", "Show"]

_HURRY = 3.0  # saves may delay a build by this many times its duration
_MAX_CRASHES = 3  # builders lost in a row before the loop waits for the next save


class Show:
    """The receiver of results; this base class ignores them."""

    def changed(self, paths: tuple[str, ...], seconds: float, *, whole: bool) -> None:
        """Report changed files of the output, absolute; `whole` is true after a whole build."""

    def problems(self, problems: Problems) -> None:
        """Report all current problems, if any."""

    def output(self, folder: str) -> None:
        """Set the folder of the output."""

    def configured(self, settings: Settings) -> None:
        """Set the settings of the site."""

    def say(self, message: str) -> None:
        """Print a message on the terminal."""


class Drafting:
    """A drafting session; call `start`, `serve` and `close`.

    Args:
        settings_file: the settings file of Pelican.
        show: the receiver of results.
        poll: check all files every second instead of using file events.
        fork: whether builders fork; otherwise each build is a new process.
    """

    def __init__(
        self,
        settings_file: Path,
        show: Show,
        *,
        poll: bool = False,
        fork: bool = hasattr(os, "fork"),
    ) -> None:
        self._file = settings_file.absolute()
        self._show = show
        self._poll = poll
        self._fork = fork
        self._inbox: queue.SimpleQueue[tuple[Peer | None, object]] = queue.SimpleQueue()
        self.processes = Processes(self._inbox)
        self.encoder = Encoder(show.say)
        self._watcher: Watcher | None = None
        self._roots = Roots((), (str(self._file.parent),), (), (), "")
        self._lines = Lines("", "")
        self._failure: Problems = ()  # from the newest whole build
        self._current: Peer | None = None
        self._generation = 0  # of the newest build requested
        self._building = False
        self._building_afresh = False
        self._first = True
        self._pending: set[str] = set()  # changes not included in a requested build
        self._afresh = True  # the next build needs a new process
        self._owed_since = 0.0
        self._length = 0.0
        self._crashes = 0
        self._produced: frozenset[str] = frozenset()
        self._outputs: frozenset[str] = frozenset()
        self._doubtful: set[str] = set()
        self._stopped = False

    def start(self) -> None:
        """Start watching and building."""
        self._watch(self._roots)
        self._advance(set())

    def serve(self) -> None:
        """Process events in this thread until `stop` is called."""
        while not self._stopped:
            self._handle(*self._inbox.get())

    def stop(self) -> None:
        """Make `serve` return; can be called from any thread."""
        self._stopped = True
        self._inbox.put((None, None))

    def close(self) -> None:
        """End every process and thread."""
        if self._watcher is not None:
            self._watcher.stop()
        self.encoder.close()
        self.processes.close()

    def _handle(self, peer: Peer | None, message: object) -> None:
        match message:
            case set() if self._is_news(message):
                self._take_changes(message)
            case Roots() if peer is not None:
                self._take_roots(peer, message)
            case New():
                self._doubtful.add(message.path)
            case Drafted():
                self._show.changed(message.changed, message.seconds, whole=False)
                self._report((*self._failure, *message.problems), message.notes)
            case Built() if peer is not None:
                self._take_build(peer, message)
            case Ended() if peer is not None:
                self._take_end(peer)

    def _is_news(self, paths: set[str]) -> bool:
        """Remove the manifest if one of our builds wrote it; return whether paths remain."""
        if self._lines.file in paths and not self._lines.are_news():
            paths.discard(self._lines.file)
        return bool(paths)

    def _take_changes(self, paths: set[str]) -> None:
        self.encoder.put_off()
        if not self._building:
            self._owed_since = time.monotonic()
        self._pending |= paths
        programs = [path for path in paths if self._is_program(path)]
        self._afresh = self._afresh or bool(programs)
        if programs or self._may_restart():
            self._advance(paths)
        elif self._current is not None:
            self._current.send(Edit(frozenset(paths)))

    def _is_program(self, path: str) -> bool:
        """Return whether a changed file requires a new process."""
        beside = Path(path).parent == self._file.parent
        return path.endswith(".py") or (beside and is_settings(path))

    def _may_restart(self) -> bool:
        """Return whether the running build, if any, should be replaced by a newer one.

        Not if it is a new process, which is slow to start, nor if it has been delayed too long
        by repeated saves.
        """
        if not self._building:
            return True
        late = time.monotonic() - self._owed_since > _HURRY * self._length + 1.0
        return not (late or self._building_afresh)

    def _advance(self, paths: set[str]) -> None:
        """Request a build of all pending changes; it replaces a running build."""
        self._generation += 1
        self._building = True
        self._pending.clear()
        self._building_afresh = self._afresh or not self._fork or self._current is None
        if self._building_afresh:
            if self._current is not None:
                documents = frozenset(path for path in paths if not self._is_program(path))
                if documents:
                    self._current.send(Edit(documents))
                self._current.send(GiveUp())
            self.processes.end_started(but=self._current)
            self.processes.start(self._file, self._generation, first=self._first)
        elif self._current is not None:
            self._current.send(self._order(paths, self._doubtful))

    def _order(self, paths: set[str], doubtful: set[str]) -> Edit:
        killed = frozenset(self.processes.killed)
        doubts = frozenset(doubtful)
        return Edit(frozenset(paths), self._generation, doubts, killed, self._outputs)

    def _take_roots(self, peer: Peer, roots: Roots) -> None:
        """Let a new process build, after its files are watched."""
        if peer.generation != self._generation:
            peer.send(Leave())
            return
        peer.ready = True
        self._lines = Lines(roots.manifest, roots.site)
        excluded = (*roots.excluded, *(self._outputs - {*roots.excluded}))
        self._watch(roots._replace(excluded=excluded, files=self._roots.files))
        self._show.output(roots.output)
        if roots.settings is not None:
            self._show.configured(roots.settings)
            self.encoder.settings = roots.settings
        peer.send(self._order(set(), self._doubtful | self._produced))

    def _watch(self, roots: Roots) -> None:
        self._roots = roots
        old = self._watcher
        self._watcher = Watcher(
            roots, lambda paths: self._inbox.put((None, paths)), poll=self._poll
        )
        self._watcher.start()
        if old is not None:
            old.stop()
            self._inbox.put((None, old.unreported()))

    def _take_build(self, peer: Peer, built: Built) -> None:
        if built.generation != self._generation:
            return
        self._building = False
        self._crashes = 0
        self._length = built.seconds
        if not built.failed:
            self._first = False
            self._produced = built.produced
            self._widen(built)
            self._doubtful.clear()
            self.processes.killed.clear()
            self.encoder.want(built.lacking)
            self._show.changed(built.changed, built.seconds, whole=True)
        self._failure = built.problems if built.failed else ()
        self._report(built.problems, built.notes)
        if peer is not self._current and (peer.ready or not built.failed):
            self._promote(peer)
        if built.failed and self._building_afresh and not peer.ready:
            self._await_fix()
        if self._pending:
            self._take_changes(set(self._pending))

    def _widen(self, built: Built) -> None:
        """Watch the files elsewhere that documents include, but no output of a subsite."""
        self._outputs = built.outputs
        excluded = (*self._roots.excluded, *sorted(built.outputs - {*self._roots.excluded}))
        roots = self._roots._replace(excluded=excluded, files=frozenset(built.included))
        if roots == self._roots:
            return
        new = roots.files - self._roots.files
        self._watch(roots)
        late = {path for path in new if Stamp.at(path) != built.included[path]}
        if late:
            self._inbox.put((None, late))

    def _report(self, problems: Problems, notes: tuple[str, ...]) -> None:
        self._show.problems(each_once(problems))
        for note in notes:
            self._show.say(note)

    def _await_fix(self) -> None:
        """Watch the whole site, because any change, even a new folder, may fix the settings."""
        site = str(self._file.parent)
        if site not in self._roots.recursive:
            self._watch(self._roots._replace(recursive=(site, *self._roots.recursive)))
            self._advance(set())  # for changes made before it was watched

    def _promote(self, peer: Peer) -> None:
        if self._current is not None:
            self._current.send(Leave())
        self._current = peer
        self._afresh = self._afresh and not peer.ready

    def _take_end(self, peer: Peer) -> None:
        """Handle the end of a builder, requested or unexpected."""
        self.processes.remove(peer)
        lost = peer is self._current
        if lost:
            self._current = None
            self._afresh = True
        if lost or (self._building and peer.generation == self._generation):
            self._building = False
            self._afresh = True
            self._crashes += 1
            self._show.say(f"build process {peer.process} exited unexpectedly")
            if self._crashes < _MAX_CRASHES:
                self._advance(set())
