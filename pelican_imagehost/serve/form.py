"""Forms of uploads, received in chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from pelican_imagehost.serve.body import receive_body
from pelican_imagehost.serve.multipart import MultipartReader
from pelican_imagehost.serve.parts import Accepted, Form, Parts
from pelican_imagehost.serve.refusal import Refusal
from pelican_imagehost.serve.urlencoded import UrlEncodedReader

if TYPE_CHECKING:
    from starlette.requests import Request

    from pelican_imagehost.serve.body import Patience
    from pelican_imagehost.serve.spool import Spool

__all__ = ["INFLATION", "LARGEST", "Accepted", "Form", "receive_form"]

LARGEST = 20  # images of the largest allowed size in a request; more if they are smaller
INFLATION = 2  # Base64, escaped for a URL, has less than twice the bytes
_OVERHEAD = 1024**2  # bytes of a body besides the files


async def receive_form(
    request: Request, spool: Spool, accepted: Accepted, patience: Patience
) -> Form:
    """Receive a form of `multipart/form-data`, or another if it may have files as text.

    Args:
        request: a request with an unread body.
        spool: stores the files.
        accepted: the fields for files.
        patience: the time limits.

    Returns:
        The form; the caller must discard its files.

    Raises:
        Refusal: not a valid form, too large, or too slow; its files are removed.
        ImageTooLarge: one of the files is too large.
        StoreError: the files cannot be written.
    """
    form = Form({}, [], [])
    try:
        reader = _reader(request, Parts(form, spool, accepted), accepted)
        most = spool.limits.max_bytes
        inflation = INFLATION if accepted.as_text else 1
        limit = min(accepted.files, LARGEST) * most * inflation + _OVERHEAD
        about = f"; IMAGEHOST_MAX_BYTES allows {most:,} for an image"
        await receive_body(request, limit, patience, reader.write, about=about)
        reader.finish()
    except FormParserError as error:
        form.discard()
        raise Refusal(400, "not_a_form", f"{_expected(accepted)}: {error}") from error
    except BaseException:
        form.discard()
        raise
    return form


def _reader(
    request: Request, parts: Parts, accepted: Accepted
) -> MultipartReader | UrlEncodedReader:
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if kind == b"multipart/form-data" and boundary:
        return MultipartReader(boundary, parts)
    if kind == b"application/x-www-form-urlencoded" and accepted.as_text:
        return UrlEncodedReader(parts)
    raise Refusal(400, "not_a_form", _expected(accepted))


def _expected(accepted: Accepted) -> str:
    names = " or ".join(accepted.names)
    return f"send multipart/form-data with the image in the field {names}"
