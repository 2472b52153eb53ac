"""Multipart forms (RFC 7578): files are spooled in chunks, the size of fields is limited."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from pelican_imagehost.report import count
from pelican_imagehost.serve.body import receive_body
from pelican_imagehost.serve.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Collection

    from python_multipart.multipart import MultipartCallbacks
    from starlette.requests import Request

    from pelican_imagehost.serve.body import Patience
    from pelican_imagehost.serve.spool import Spool, SpooledFile

__all__ = ["Form", "receive_form"]

_MAX_PARTS = 100
_MAX_FIELD = 8192  # bytes
_OVERHEAD = 1024**2  # bytes of a body besides the files


class Form(NamedTuple):
    """A received form.

    Attributes:
        fields: text fields by name; the last one of each name.
        files: the files in accepted fields, in order.
        others: the names of the other fields with files.
    """

    fields: dict[str, str]
    files: list[SpooledFile]
    others: list[str]

    def discard(self) -> None:
        """Remove the files, unless they have been stored."""
        for file in self.files:
            file.discard()


async def receive_form(
    request: Request,
    spool: Spool,
    accepted: Collection[str],
    *,
    files: int,
    patience: Patience,
) -> Form:
    """Receive a form of `multipart/form-data`.

    Args:
        request: a request with an unread body.
        spool: stores the files.
        accepted: the names of the fields for files.
        files: the largest number of files.
        patience: the time limits.

    Returns:
        The form; the caller must discard its files.

    Raises:
        Refusal: not a valid form, too large, or too slow; its files are removed.
        ImageTooLarge: one of the files is too large.
        StoreError: the files cannot be written.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise Refusal(400, "not_a_form", _expected(accepted))
    form = Form({}, [], [])
    try:
        reader = _Reader(form, spool, accepted, files)
        parser = MultipartParser(boundary, reader.callbacks())
        limit = files * spool.limits.max_bytes + _OVERHEAD
        await receive_body(request, limit, patience, parser.write)
        reader.check_end()
    except FormParserError as error:
        form.discard()
        raise Refusal(400, "not_a_form", f"{_expected(accepted)}: {error}") from error
    except BaseException:
        form.discard()
        raise
    return form


def _expected(accepted: Collection[str]) -> str:
    names = " or ".join(accepted)
    return f"send multipart/form-data with the image in the field {names}"


class _Reader:
    """Fills a form from the events of a parser."""

    def __init__(self, form: Form, spool: Spool, accepted: Collection[str], files: int) -> None:
        self._form = form
        self._spool = spool
        self._accepted = accepted
        self._most = files
        self._parts = 0
        self._header = b"", b""
        self._disposition = b""
        self._name = ""
        self._file: SpooledFile | None = None
        self._text: bytearray | None = None
        self._is_complete = False

    def callbacks(self) -> MultipartCallbacks:
        """Return the callbacks for `MultipartParser`."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._open,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._complete,
        }

    def check_end(self) -> None:
        """Refuse an incomplete form."""
        if not self._is_complete:
            raise Refusal(400, "cut_off", "the form is incomplete; send it again")

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > _MAX_PARTS:
            raise Refusal(400, "too_many_parts", f"a form may have at most {_MAX_PARTS} parts")
        self._disposition = b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header = self._header[0] + data[start:end], b""

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._header = self._header[0], self._header[1] + data[start:end]

    def _header_end(self) -> None:
        if self._header[0].lower() == b"content-disposition":
            self._disposition = self._header[1]
        self._header = b"", b""

    def _open(self) -> None:
        options = parse_options_header(self._disposition.decode("latin-1"))[1]
        self._name = _decode(options.get(b"name", b""))
        filename = options.get(b"filename")
        self._file = self._text = None
        if filename is None:
            self._text = bytearray()
        elif self._name not in self._accepted:
            self._form.others.append(self._name)
        elif len(self._form.files) == self._most:
            raise Refusal(400, "too_many_files", f"at most {count(self._most, 'file')} per request")
        else:
            self._file = self._spool.open(_decode(filename))
            self._form.files.append(self._file)

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file.write(memoryview(data)[start:end])
        elif self._text is not None:
            self._text += data[start:end]
            if len(self._text) > _MAX_FIELD:
                raise Refusal(400, "field_too_long", f"the field {self._name} is too long")

    def _end(self) -> None:
        if self._text is not None:
            self._form.fields[self._name] = _decode(bytes(self._text))

    def _complete(self) -> None:
        self._is_complete = True


def _decode(raw: bytes) -> str:
    """Decode a name as browsers and programs encode it (HTML, "multipart/form-data encoding")."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return text.replace("%22", '"').replace("%0D", " ").replace("%0A", " ")
