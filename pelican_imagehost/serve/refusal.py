"""The answers to refused requests."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse

from pelican_imagehost.errors import (
    CorruptImage,
    ImageHostError,
    ImageTooLarge,
    MissingImage,
    PublishError,
    RecordsError,
    StoreError,
    UnreadableImage,
    UnsupportedImage,
    printable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

__all__ = ["Refusal", "explain", "log_refusal"]

logger = logging.getLogger(__name__)

_SHOWN = 500  # characters of a message in the log
_SHOWN_CLIENT = 100

_ANSWERS: dict[type[ImageHostError], tuple[int, str]] = {
    ImageTooLarge: (413, "too_large"),
    UnsupportedImage: (415, "unsupported"),
    CorruptImage: (415, "corrupt"),
    MissingImage: (400, "missing"),
    UnreadableImage: (400, "unreadable"),
    StoreError: (507, "storage"),
    RecordsError: (507, "records"),
    PublishError: (503, "bucket"),
}


class Refusal(Exception):
    """A refused request.

    Args:
        status: the HTTP status code (RFC 9110, section 15).
        code: the reason, for programs.
        message: the reason, for people.
        headers: more headers of the answer.
    """

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})

    @property
    def content(self) -> dict[str, Any]:
        """Return the JSON of the answer, in the dialect of this package."""
        return {"error": {"code": self.code, "message": str(self)}}

    def answer(self) -> JSONResponse:
        """Return the answer."""
        return JSONResponse(self.content, self.status, self.headers)


def explain(error: ImageHostError, name: str = "") -> Refusal:
    """Convert an error of the core to a refusal.

    Args:
        error: the error.
        name: the name that the client gave to the file.
    """
    kinds = (answer for kind, answer in _ANSWERS.items() if isinstance(error, kind))
    status, code = next(kinds, (500, "internal"))
    return Refusal(status, code, f"{name}: {error}" if name else str(error))


def log_refusal(request: Request, refusal: Refusal) -> None:
    """Log a refused request: its client and the reason, never the query, which may be secret."""
    client = request.client.host if request.client else "a client"
    program = printable(request.headers.get("user-agent", ""), _SHOWN_CLIENT)
    reason = f"{refusal.status} {refusal.code}: {printable(str(refusal), _SHOWN)}"
    path = printable(request.url.path, _SHOWN_CLIENT)
    logger.warning("refused %s from %s (%s): %s", path, client, program, reason)
