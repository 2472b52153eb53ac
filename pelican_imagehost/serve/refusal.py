"""What a client is told when its request is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse

from pelican_imagehost.errors import (
    CorruptImage,
    ImageHostError,
    ImageTooLarge,
    MissingImage,
    RecordsError,
    StoreError,
    UnreadableImage,
    UnsupportedImage,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Refusal", "explain"]

_ANSWERS: dict[type[ImageHostError], tuple[int, str]] = {
    ImageTooLarge: (413, "too_large"),
    UnsupportedImage: (415, "unsupported"),
    CorruptImage: (415, "corrupt"),
    MissingImage: (400, "missing"),
    UnreadableImage: (400, "unreadable"),
    StoreError: (507, "storage"),
    RecordsError: (507, "records"),
}


class Refusal(Exception):
    """A request that is not granted.

    Args:
        status: HTTP's status code (RFC 9110, section 15).
        code: a word for programs.
        message: a sentence for people.
        headers: what else the answer says.
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
        """The JSON of an answer, in our own dialect."""
        return {"error": {"code": self.code, "message": str(self)}}

    def answer(self) -> JSONResponse:
        """Answer with it."""
        return JSONResponse(self.content, self.status, self.headers)


def explain(error: ImageHostError, name: str = "") -> Refusal:
    """Say over HTTP what the core said.

    Args:
        error: the core's.
        name: the file that it is about, as the client calls it.
    """
    kinds = (answer for kind, answer in _ANSWERS.items() if isinstance(error, kind))
    status, code = next(kinds, (500, "internal"))
    return Refusal(status, code, f"{name}: {error}" if name else str(error))
