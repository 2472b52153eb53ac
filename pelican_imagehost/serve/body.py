"""Request bodies: read in chunks, with limits on size and time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from pelican_imagehost.serve.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

__all__ = ["PATIENCE", "Patience", "answer_refused", "read_body", "receive_body"]

_LINGERING = 64 * 1024**2  # bytes
_ROUGHLY = 0.1  # of the seconds of silence: to move the timer costs as much as to write a chunk


class Patience(NamedTuple):
    """The time limits for a client.

    Attributes:
        silence: seconds without a byte.
        start: seconds allowed to every client.
        slowest: the minimum bytes per second after that.
        lingering: seconds for a refused client to finish sending.
    """

    silence: float = 30.0
    start: float = 60.0
    slowest: float = 10_000
    lingering: float = 10.0


PATIENCE = Patience()


async def receive_body(
    request: Request,
    limit: int,
    patience: Patience,
    take: Callable[[bytes], object],
    *,
    about: str = "",
) -> None:
    """Receive a body, chunk by chunk.

    Args:
        request: a request with an unread body.
        limit: bytes.
        patience: the time limits.
        take: called with each chunk.
        about: the end of the message if the body is too long.

    Raises:
        Refusal: the body is too long, by its header or in fact, too slow, or incomplete.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_long(limit, about)
    clock = asyncio.get_running_loop().time
    begun = moved = clock()
    received = 0
    try:
        async with asyncio.timeout(patience.silence) as silence:
            async for chunk in request.stream():
                received += len(chunk)
                if received > limit:
                    raise _too_long(limit, about)
                now = clock()
                if now - begun > patience.start + received / patience.slowest:
                    raise _too_slow()
                if now - moved > patience.silence * _ROUGHLY:
                    silence.reschedule(now + patience.silence)
                    moved = now
                take(chunk)
    except TimeoutError:
        raise _too_slow() from None
    except ClientDisconnect:
        raise Refusal(
            400, "cut_off", "the connection was closed before the end of the body"
        ) from None


async def read_body(request: Request, limit: int, patience: Patience) -> bytes:
    """Receive a small body; otherwise as `receive_body`."""
    chunks: list[bytes] = []
    await receive_body(request, limit, patience, chunks.append)
    return b"".join(chunks)


def answer_refused(
    request: Request, content: Mapping[str, object], refusal: Refusal, patience: Patience
) -> JSONResponse:
    """Answer a request that was refused, possibly before the end of its body."""
    if request._stream_consumed:  # noqa: SLF001  Starlette has no public attribute for it
        return JSONResponse(content, refusal.status, refusal.headers)
    return _LastAnswer(content, refusal, patience)


class _LastAnswer(JSONResponse):
    """An immediate answer, after which the connection is closed with a delay.

    A client whose connection is closed while it sends may never read the answer (RFC 9112,
    section 9.6), so the rest of its body is read and discarded for a while.
    """

    def __init__(self, content: Mapping[str, object], refusal: Refusal, patience: Patience) -> None:
        super().__init__(content, refusal.status, {**refusal.headers, "Connection": "close"})
        self._patience = patience

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code}
        await send({**start, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        try:
            async with asyncio.timeout(self._patience.lingering):
                await _discard(receive)
        except TimeoutError:
            pass
        await send({"type": "http.response.body", "body": b""})


async def _discard(receive: Receive) -> None:
    received, more = 0, True
    while more and received < _LINGERING:
        message = await receive()
        received += len(message.get("body", b""))
        more = message["type"] == "http.request" and message.get("more_body", False)


def _too_long(limit: int, about: str) -> Refusal:
    return Refusal(413, "too_large", f"the request has more than {limit:,} bytes{about}")


def _too_slow() -> Refusal:
    return Refusal(408, "too_slow", "the request was too slow; send it again")
