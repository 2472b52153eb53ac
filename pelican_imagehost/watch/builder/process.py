"""A builder: a process with one thread that keeps a built site for the main process.

When a document changes, it writes that page at once. Then it forks: the child, which shares
the memory of the parent, builds the whole site and takes over; the parent serves until
then. After a newer save the parent ends the child and forks another. So pages are never
older than the last save, and memory is freed with each process that ends.
"""

from __future__ import annotations

import contextlib
import gc
import mmap
import os
import signal
import sys
import time
from multiprocessing.connection import Client
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from pelican_imagehost.errors import ImageHostError
from pelican_imagehost.watch.builder.live_site import Workshop
from pelican_imagehost.watch.messages import Built, Edit, GiveUp, Hello, Leave, New, PageProblem
from pelican_imagehost.watch.processes import KEY_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

__all__ = ["main"]

_PATIENCE = 2.0  # seconds for a child to exit


class _Abandoned(BaseException):
    """The build was abandoned for a newer one; plugins do not catch it by accident."""


class Builder:
    """The builder in this process.

    Args:
        address: the address of the main process.
        key: the secret for the connection.
        generation: the number of the build for which this process was started.
    """

    def __init__(self, address: str, key: bytes, generation: int) -> None:
        self._address = address
        self._key = key
        self._child: int | None = None
        self._child_is_done = _flag()
        self._is_done = _flag()  # shared with the parent, if that is a builder
        self._killed: frozenset[int] = frozenset()
        self._building = False
        self._cold = True
        self._connection = self._connect(generation)
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the main process

    def serve(self, settings_file: Path, generation: int, *, first: bool) -> None:
        """Read the settings, and handle messages until the main process ends the connection."""
        try:
            self._workshop = Workshop(settings_file, self._announce, first=first)
        except (ImageHostError, SystemExit) as error:
            problems = (PageProblem(str(error)),)
            nothing = frozenset[str]()
            self._send(Built(generation, (), problems, (), nothing, nothing, {}, True, 0.0))
            return
        self._send(self._workshop.roots())
        while True:
            message = self._receive()
            if isinstance(message, Edit):
                self._handle(message)
                continue
            if isinstance(message, Leave):
                return  # the child, if any, has taken over
            self._give_up()
            if not isinstance(message, GiveUp):
                return

    def _handle(self, edit: Edit) -> None:
        if edit.generation is not None:
            self._abandon()
        self._workshop.expect(edit.paths)
        if edit.paths and self._workshop.generators:
            self._send(self._workshop.draft(edit.paths))
        if edit.generation is None:
            return
        edit = edit._replace(killed=edit.killed | self._killed)
        try:
            if self._cold:
                self._cold = False
                self._build(edit)
            else:
                self._fork(edit)
        except _Abandoned:
            self._end()

    def _fork(self, edit: Edit) -> None:
        self._give_up()
        self._child_is_done = _flag()
        with _undisturbed():  # so that `_stop` is correct in both from the start
            self._child = os.fork() or None
            self._building = self._child is None
            if self._building:
                self._is_done = self._child_is_done
        if not self._building:
            return
        self._connection.close()
        assert edit.generation is not None  # noqa: S101  as `_handle` ensures
        try:
            self._connection = self._connect(edit.generation)
        except (OSError, EOFError):  # the main process has exited
            self._end()
        if self._build(edit).failed:
            self._end()

    def _build(self, edit: Edit) -> Built:
        _yield_to_others(True)
        gc.unfreeze()
        self._building = True
        built = self._workshop.build(edit)
        self._building = False
        gc.collect()
        gc.freeze()  # keep the collector from copying shared memory
        _yield_to_others(False)
        self._send(built)
        return built

    def _abandon(self) -> None:
        """Make the child do nothing more.

        The system may still be freeing its memory, which takes longer the larger the site is.
        """
        if self._child is None or self._child_is_done[0]:
            return
        deadline = time.monotonic() + _PATIENCE
        os.kill(self._child, signal.SIGTERM)
        while not self._child_is_done[0]:
            if _has_ended(self._child):
                self._child = None
                return
            if time.monotonic() > deadline:  # it ignores SIGTERM, or is busy
                os.kill(self._child, signal.SIGKILL)
                os.waitpid(self._child, 0)
                self._killed |= {self._child}
                self._child = None
                return
            time.sleep(0.0005)

    def _give_up(self) -> None:
        """End the child, and wait until it has exited."""
        self._abandon()
        if self._child is not None:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._child, 0)
            self._child = None

    def _stop(self, *_: object) -> None:
        if self._building:
            raise _Abandoned
        self._give_up()
        self._end()

    def _connect(self, generation: int) -> Connection:
        connection = Client(self._address, authkey=self._key)
        connection.send(Hello(os.getpid(), generation))
        return connection

    def _announce(self, path: str) -> None:
        self._send(New(path))

    def _send(self, message: object) -> None:
        try:
            self._connection.send(message)
        except OSError:  # the main process has exited
            self._end()

    def _receive(self) -> object:
        try:
            return self._connection.recv()
        except (EOFError, OSError):  # the main process has exited
            return None

    def _end(self) -> NoReturn:
        self._is_done[0] = 1
        _end()


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Delay SIGTERM, because an exception of a handler during `os.fork` is lost."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def _has_ended(process: int) -> bool:
    try:
        return os.waitpid(process, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return True


def _yield_to_others(yielding: bool) -> None:  # noqa: FBT001
    """Lower the priority; unlike a nice value this can be reverted without privileges."""
    if sys.platform == "linux":
        policy = os.SCHED_BATCH if yielding else os.SCHED_OTHER
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, policy, os.sched_param(0))


def _flag() -> mmap.mmap:
    """Return a byte, 0, that this process shares with those that it forks."""
    return mmap.mmap(-1, 1)


def _end() -> NoReturn:
    """Exit without the clean-up functions inherited from the first process."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def main() -> None:
    """Run a builder: ADDRESS GENERATION FIRST SETTINGS_FILE, and the key in the environment."""
    address, generation, first, settings_file = sys.argv[1:]
    key = bytes.fromhex(os.environ.pop(KEY_VARIABLE))
    try:
        builder = Builder(address, key, int(generation))
    except (OSError, EOFError):  # the main process has exited
        _end()
    builder.serve(Path(settings_file), int(generation), first=first == "first")
    _end()


if __name__ == "__main__":
    main()
