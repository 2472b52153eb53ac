"""HTTP connections with limits on the time and size of a request's head, and without copies.

uvicorn limits only the pause between requests: without this, a client that never finishes its
headers keeps its connection for ever.
"""

from __future__ import annotations

import asyncio
import threading

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["Protocol"]

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"connection: close\r\ncontent-length: 0\r\n\r\n"
)
_ROOM = 256 * 1024  # bytes


class _Room(threading.local):
    """What a loop receives into: it is parsed before anything else is received."""

    def __init__(self) -> None:
        self.buffer = memoryview(bytearray(_ROOM))


_room = _Room()


class Protocol(HttpToolsProtocol, asyncio.BufferedProtocol):
    """A connection that is closed if the head of a request is slow or endless.

    Attributes:
        head_seconds: from the connection, or from the first byte of a further request, to the
            end of the headers.
        head_bytes: of the request line and the headers.
    """

    head_seconds = 10.0
    head_bytes = 128 * 1024
    _timer: asyncio.TimerHandle | None = None
    _received = 0

    def connection_made(  # type: ignore[override]  # asyncio's own type is narrower, as uvicorn says
        self, transport: asyncio.Transport
    ) -> None:
        """Start to wait for the first head."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def get_buffer(self, _sizehint: int) -> memoryview:
        """Return where to receive the next bytes."""
        return _room.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Parse the next bytes; the parser takes them from any buffer."""
        self.data_received(_room.buffer[:nbytes])  # type: ignore[arg-type]

    def data_received(self, data: bytes) -> None:
        """Parse the next bytes, unless the head is too large."""
        super().data_received(data)
        self._received = self._received + len(data) if self._timer else 0
        if self._received > self.head_bytes and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        """Start to wait for the head of a further request."""
        super().on_message_begin()
        if self._timer is None:
            self._expect_head()

    def on_headers_complete(self) -> None:
        """Stop waiting: the head is complete."""
        self._stop_waiting()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Pass the next bytes on, as they are if the last ones have been taken.

        uvicorn appends them to a bytearray and copies that. Nothing is copied to append to no
        bytes; a bytearray is for those that wait, because many small chunks may follow.
        """
        waiting: bytes | bytearray = self.cycle.body
        if not waiting:
            self.cycle.body = b""  # type: ignore[assignment]  # also has len() and +=
        elif isinstance(waiting, bytes):
            self.cycle.body = bytearray(waiting)
        super().on_body(body)

    def _expect_head(self) -> None:
        self._received = 0
        self._timer = self.loop.call_later(self.head_seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._expect_head()  # the answer to the request before it comes first
        else:
            self.transport.close()
