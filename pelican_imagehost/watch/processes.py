"""The builder processes, as the main process starts, reads and ends them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import queue
import secrets
import subprocess
import sys
import threading
import time
from multiprocessing.connection import Client, Connection, Listener
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.watch.messages import GiveUp, Hello, Leave

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["KEY_VARIABLE", "Ended", "Peer", "Processes"]

KEY_VARIABLE = "IMAGEHOST_DRAFTING_KEY"
_MODULE = "pelican_imagehost.watch.builder.process"
_PATIENCE = 5.0  # seconds for processes to end
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER, linux/prctl.h


class Ended(NamedTuple):
    """A builder has ended; sent after its last message."""


class Peer:
    """A builder.

    Attributes:
        process: the process ID; 0 until it is known.
        generation: the number of the build that it was started for.
        ready: whether it has read the settings.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.process = 0
        self.generation = 0
        self.ready = False

    def send(self, message: object) -> None:
        """Send a message; ignore errors, because `Processes` detects the end of a builder."""
        with contextlib.suppress(OSError):
            self.connection.send(message)


class Processes:
    """All builders of a session.

    Args:
        inbox: the queue for messages, as (builder, message).

    Attributes:
        killed: killed processes, which may have left temporary files.
    """

    def __init__(self, inbox: queue.SimpleQueue[tuple[Peer | None, object]]) -> None:
        self.killed: set[int] = set()
        self._inbox = inbox
        self._key = secrets.token_bytes(32)
        self._listener = Listener(authkey=self._key)
        self._peers: set[Peer] = set()
        self._started: dict[int, subprocess.Popen[bytes]] = {}
        self._orphans: set[int] = set()
        self._closed = False
        self._acceptor = threading.Thread(target=self._accept, name="builders", daemon=True)
        self._acceptor.start()
        _adopt_orphans()

    def start(self, settings_file: Path, generation: int, *, first: bool) -> None:
        """Start a new builder."""
        environment = {**os.environ, KEY_VARIABLE: self._key.hex()}
        environment.setdefault("PYTHONHASHSEED", "0")  # the same order of sets in each build
        arguments = [str(self._listener.address), str(generation), "first" if first else "later"]
        process = subprocess.Popen(  # noqa: S603  the same interpreter and our module
            [sys.executable, "-m", _MODULE, *arguments, str(settings_file)],
            env=environment,
            stdin=subprocess.DEVNULL,
            # Ctrl-C on a terminal must only reach the main process, from the very start.
            process_group=0 if os.name == "posix" else None,
        )
        self._started[process.pid] = process

    def end_started(self, *, but: Peer | None) -> None:
        """End the started builders, and wait until they have exited."""
        ending = [one for one in self._started.values() if but is None or one.pid != but.process]
        for process in ending:
            process.terminate()
        for process in ending:
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                self.killed.add(process.pid)
            del self._started[process.pid]

    def remove(self, peer: Peer) -> None:
        """Clean up after a builder that has ended."""
        self._peers.discard(peer)
        peer.connection.close()
        process = self._started.pop(peer.process, None)
        if process is not None:
            process.wait()
        elif peer.process:
            self._orphans.add(peer.process)
        self._orphans -= {orphan for orphan in self._orphans if _is_reaped(orphan)}

    def numbers(self) -> list[int]:
        """Return the process IDs of the builders."""
        return [peer.process for peer in self._peers if peer.process]

    def close(self) -> None:
        """End every builder."""
        self._closed = True
        for peer in list(self._peers):
            peer.send(GiveUp())
            peer.send(Leave())
        self.end_started(but=None)
        with contextlib.suppress(OSError):  # wakes the accepting thread; fails without the key
            Client(self._listener.address).close()
        self._acceptor.join(_PATIENCE)
        self._listener.close()
        deadline = time.monotonic() + _PATIENCE
        while self._peers and time.monotonic() < deadline:
            with contextlib.suppress(queue.Empty):
                one, message = self._inbox.get(timeout=0.5)
                if one is not None and isinstance(message, Ended):
                    self.remove(one)

    def _accept(self) -> None:
        while True:
            try:
                connection = self._listener.accept()
            except Exception:  # noqa: BLE001  multiprocessing raises anything for an unknown client
                if self._closed:
                    return
                continue
            if self._closed:
                connection.close()
                return
            peer = Peer(connection)
            self._peers.add(peer)
            threading.Thread(target=self._read, args=(peer,), name="builder", daemon=True).start()

    def _read(self, peer: Peer) -> None:
        while True:
            try:
                message = peer.connection.recv()
            except (EOFError, OSError):
                self._inbox.put((peer, Ended()))
                return
            if isinstance(message, Hello):
                peer.process, peer.generation = message
            else:
                self._inbox.put((peer, message))


def _adopt_orphans() -> None:
    """Become the parent of builders whose parent has ended, to reap them.

    Otherwise they stay zombies if process 1 does not reap, as in many containers.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)


def _is_reaped(process: int) -> bool:
    """Reap a process; return False while it runs."""
    if not hasattr(os, "WNOHANG"):
        return True
    try:
        return os.waitpid(process, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return not _exists(process)


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except OSError:
        return False
    return True
