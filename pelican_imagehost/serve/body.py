"""Bodies of requests: as they come, neither too long nor too slow."""

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


class Patience(NamedTuple):
    """How long a client is waited for.

    Attributes:
        silence: seconds without a byte.
        start: seconds that a slow sender has in any case.
        slowest: bytes a second after that.
        lingering: seconds in which a refused sender may end what it sends.
    """

    silence: float = 30.0
    start: float = 60.0
    slowest: float = 10_000
    lingering: float = 10.0


PATIENCE = Patience()


async def receive_body(
    request: Request, limit: int, patience: Patience, take: Callable[[bytes], object]
) -> None:
    """Receive a body, chunk by chunk.

    Args:
        request: whose body nobody has read.
        limit: bytes.
        patience: with its sender.
        take: called with each chunk.

    Raises:
        Refusal: it is longer than the limit, by its own word or in truth, or too slow.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_long(limit)
    clock = asyncio.get_running_loop().time
    begun, received = clock(), 0
    try:
        async with asyncio.timeout(patience.silence) as silence:
            async for chunk in request.stream():
                received += len(chunk)
                if received > limit:
                    raise _too_long(limit)
                now = clock()
                if now - begun > patience.start + received / patience.slowest:
                    raise _too_slow()
                silence.reschedule(now + patience.silence)
                take(chunk)
    except TimeoutError:
        raise _too_slow() from None
    except ClientDisconnect:
        raise Refusal(400, "cut_off", "the connection ended before the body did") from None


async def read_body(request: Request, limit: int, patience: Patience) -> bytes:
    """Receive a small body whole; as `receive_body`."""
    chunks: list[bytes] = []
    await receive_body(request, limit, patience, chunks.append)
    return b"".join(chunks)


def answer_refused(
    request: Request, content: Mapping[str, object], refusal: Refusal, patience: Patience
) -> JSONResponse:
    """Answer a request that was refused, perhaps in the middle of its body."""
    if request._stream_consumed:  # noqa: SLF001  Starlette says it nowhere else
        return JSONResponse(content, refusal.status, refusal.headers)
    return _LastAnswer(content, refusal, patience)


class _LastAnswer(JSONResponse):
    """An answer at once, after which the connection ends, though not at once.

    A sender whose connection is cut while it sends never reads the answer (RFC 9112,
    section 9.6), so what it sends is still taken for a while, and forgotten.
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
                await _forget(receive)
        except TimeoutError:
            pass
        await send({"type": "http.response.body", "body": b""})


async def _forget(receive: Receive) -> None:
    received, more = 0, True
    while more and received < _LINGERING:
        message = await receive()
        received += len(message.get("body", b""))
        more = message["type"] == "http.request" and message.get("more_body", False)


def _too_long(limit: int) -> Refusal:
    return Refusal(413, "too_large", f"the request has more than {limit:,} bytes")


def _too_slow() -> Refusal:
    return Refusal(408, "too_slow", "the body came too slowly; send it again")
