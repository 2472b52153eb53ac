"""A limit on silence: a library that waits for an answer may wait for ever.

A program that hangs on a machine that lives keeps its connections; TCP ends none of them.
"""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Connection", "Watchdog"]


class Connection(Protocol):
    """A connection over a socket."""

    @property
    def closed(self) -> bool:
        """Return whether it has no socket any more."""

    def fileno(self) -> int:
        """Return the descriptor of the socket."""


class Watchdog:
    """Shuts the socket of a connection down when a block takes too long.

    What waits for an answer then fails, as if the other side had closed it. For one thread at a
    time.

    Args:
        seconds: the limit.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._watched: Connection | None = None
        self._timer: threading.Timer | None = None
        self._own: socket.socket | None = None

    @contextmanager
    def watching(self, connection: Connection | None) -> Iterator[None]:
        """Watch a block; None to let it take its time. The time of blocks within does not count."""
        before = self._watched
        self._watch(connection)
        try:
            yield
        finally:
            self._watch(before)

    def _watch(self, connection: Connection | None) -> None:
        self._stop()
        self._watched = connection
        if connection is not None and not connection.closed:
            # Of our own, because the number of one that was closed may soon be another file's.
            self._own = socket.socket(fileno=socket.dup(connection.fileno()))
            self._timer = threading.Timer(self._seconds, _shut_down, [self._own])
            self._timer.daemon = True
            self._timer.start()

    def _stop(self) -> None:
        if self._timer is not None and self._own is not None:
            self._timer.cancel()
            self._own.close()
        self._timer = self._own = None


def _shut_down(own: socket.socket) -> None:
    with suppress(OSError):  # the other side was quicker, or the block ends now
        own.shutdown(socket.SHUT_RDWR)
