"""The main process of drafting: ties events, builders and the preview together.

It holds no Pelican, so it can have threads; a builder has none, so it can fork. One
builder is asked at a time: it writes a changed document at once, and behind that the
whole site is built, by a fork of it, or by a new process where settings or plugins
changed or the system cannot fork. Each build has a number, and only the newest counts.
"""

from __future__ import annotations

import os
import queue
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pelican_imagehost.watch.events import Watcher
from pelican_imagehost.watch.manifest_changes import Lines
from pelican_imagehost.watch.messages import Built, Drafted, Edit, GiveUp, Leave, New, Roots
from pelican_imagehost.watch.processes import Ended, Peer, Processes
from pelican_imagehost.watch.snapshot import is_settings

if TYPE_CHECKING:
    from pelican_imagehost.settings import Settings
    from pelican_imagehost.watch.messages import Problems

__all__ = ["Drafting", "Show"]

_HURRY = 3.0  # times a build's length that saves may put it off; then it is let finish
_MISHAPS = 3  # builders lost in a row, after which the next save is waited for


class Show:
    """What drafting tells the one who watches; does nothing by itself."""

    def changed(self, paths: tuple[str, ...], seconds: float, *, whole: bool) -> None:
        """Files of the output, absolute, are not what they were; `whole`: after a whole build."""

    def problems(self, problems: Problems) -> None:
        """All that is wrong now; none when all is well."""

    def output(self, folder: str) -> None:
        """The output lies here."""

    def configured(self, settings: Settings) -> None:
        """The site's settings are these."""

    def say(self, message: str) -> None:
        """Say something on the terminal."""


class Drafting:
    """One drafting session: start it, let it serve, close it.

    Args:
        settings_file: Pelican's settings file.
        show: who is told.
        poll: do without file events.
        fork: whether builders fork; where not, each build is a new process.
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
        self._watcher: Watcher | None = None
        self._roots = Roots((), (str(self._file.parent),), (), (), "")
        self._lines = Lines("", "")
        self._failure: Problems = ()  # of the newest whole build
        self._current: Peer | None = None
        self._generation = 0  # of the newest build asked for
        self._building = False
        self._building_afresh = False
        self._first = True
        self._pending: set[str] = set()  # changes that no build asked for has seen
        self._afresh = True  # the next build needs a new process
        self._owed_since = 0.0
        self._length = 0.0
        self._mishaps = 0
        self._produced: frozenset[str] = frozenset()
        self._doubtful: set[str] = set()
        self._stopped = False

    def start(self) -> None:
        """Start watching and building."""
        self._watch(self._roots)
        self._advance(set())

    def serve(self) -> None:
        """Do what there is to do until `stop` is called, in this thread."""
        while not self._stopped:
            self._handle(*self._inbox.get())

    def stop(self) -> None:
        """End `serve`; any thread may call this."""
        self._stopped = True
        self._inbox.put((None, None))

    def close(self) -> None:
        """End every process and thread."""
        if self._watcher is not None:
            self._watcher.stop()
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
                self._tell((*self._failure, *message.problems), message.notes)
            case Built() if peer is not None:
                self._take_build(peer, message)
            case Ended() if peer is not None:
                self._take_end(peer)

    def _is_news(self, paths: set[str]) -> bool:
        """Leave out the manifest where a build of ours has written it; tell if anything is left."""
        if self._lines.file in paths and not self._lines.are_news():
            paths.discard(self._lines.file)
        return bool(paths)

    def _take_changes(self, paths: set[str]) -> None:
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
        """Tell whether only a new process can take a changed file in."""
        beside = Path(path).parent == self._file.parent
        return path.endswith(".py") or (beside and is_settings(path))

    def _may_restart(self) -> bool:
        """Tell whether a build under way, if any, is better given up for a newer one.

        A new process has all to read; and saves in a row must not put a build off forever.
        """
        if not self._building:
            return True
        late = time.monotonic() - self._owed_since > _HURRY * self._length + 1.0
        return not (late or self._building_afresh)

    def _advance(self, paths: set[str]) -> None:
        """Ask for a build of all that is pending, in place of one under way."""
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
        return Edit(frozenset(paths), self._generation, frozenset(doubtful), killed)

    def _take_roots(self, peer: Peer, roots: Roots) -> None:
        """Let a new process build, once what it will read is watched."""
        if peer.generation != self._generation:
            peer.send(Leave())
            return
        peer.ready = True
        self._lines = Lines(roots.manifest, roots.site)
        self._watch(roots)
        self._show.output(roots.output)
        if roots.settings is not None:
            self._show.configured(roots.settings)
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
            self._inbox.put((None, old.untold()))

    def _take_build(self, peer: Peer, built: Built) -> None:
        if built.generation != self._generation:
            return
        self._building = False
        self._mishaps = 0
        self._length = built.seconds
        if not built.failed:
            self._first = False
            self._produced = built.produced
            self._doubtful.clear()
            self.processes.killed.clear()
            self._show.changed(built.changed, built.seconds, whole=True)
        self._failure = built.problems if built.failed else ()
        self._tell(built.problems, built.notes)
        if peer is not self._current and (peer.ready or not built.failed):
            self._promote(peer)
        if built.failed and self._building_afresh and not peer.ready:
            self._await_mending()
        if self._pending:
            self._take_changes(set(self._pending))

    def _tell(self, problems: Problems, notes: Problems) -> None:
        self._show.problems(tuple(dict.fromkeys(problems)))
        for note in notes:
            self._show.say(note)

    def _await_mending(self) -> None:
        """Watch all of the site: anything may make its settings fit for use, a new folder too."""
        site = str(self._file.parent)
        if site not in self._roots.recursive:
            self._watch(self._roots._replace(recursive=(site, *self._roots.recursive)))
            self._advance(set())  # what changed before this was watched

    def _promote(self, peer: Peer) -> None:
        if self._current is not None:
            self._current.send(Leave())
        self._current = peer
        self._afresh = self._afresh and not peer.ready

    def _take_end(self, peer: Peer) -> None:
        """A builder has ended: as it was told to, or by a mishap."""
        self.processes.see_off(peer)
        lost = peer is self._current
        if lost:
            self._current = None
            self._afresh = True
        if lost or (self._building and peer.generation == self._generation):
            self._building = False
            self._afresh = True
            self._mishaps += 1
            self._show.say(f"the builder, process {peer.process}, has ended by itself")
            if self._mishaps < _MISHAPS:
                self._advance(set())
