"""Forms of `multipart/form-data` (RFC 7578), parsed in chunks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from python_multipart.multipart import MultipartParser, parse_options_header

from pelican_imagehost.serve.parts import decode
from pelican_imagehost.serve.refusal import Refusal

if TYPE_CHECKING:
    from pelican_imagehost.serve.parts import Parts

__all__ = ["MultipartReader"]

# RFC 8187; browsers do not send it, but urllib3 did until version 1.25.
_EXTENDED = re.compile(r"""; *filename\*= *"?(utf-8|iso-8859-1)'[^']*'([^";\s]*)""", re.IGNORECASE)
_FILE_TYPES = ("image/", "application/octet-stream")


class MultipartReader:
    """Gives the parts of a form to `Parts`.

    Args:
        boundary: the boundary, from the type of the body.
        parts: takes the parts.

    Raises:
        FormParserError: the boundary is invalid.
    """

    def __init__(self, boundary: bytes, parts: Parts) -> None:
        self._parts = parts
        self._header = b"", b""
        self._headers: dict[bytes, str] = {}
        self._is_complete = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._open,
                "on_part_data": self._data,
                "on_part_end": parts.end,
                "on_end": self._complete,
            },
        )

    def write(self, data: bytes) -> None:
        """Parse the next bytes.

        Raises:
            FormParserError: they are not part of a form.
            Refusal: as `Parts` raises.
        """
        self._parser.write(data)

    def finish(self) -> None:
        """Refuse an incomplete form."""
        if not self._is_complete:
            raise Refusal(400, "cut_off", "the form is incomplete; send it again")

    def _begin(self) -> None:
        self._parts.count()
        self._headers = {}

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header = self._header[0] + data[start:end], b""

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._header = self._header[0], self._header[1] + data[start:end]

    def _header_end(self) -> None:
        name, value = self._header
        self._headers[name.lower()] = value.decode("latin-1")
        self._header = b"", b""

    def _open(self) -> None:
        disposition = self._headers.get(b"content-disposition", "")
        options = parse_options_header(disposition)[1]
        filename = options.get(b"filename")
        if filename is not None:
            shown: str | None = _unescape(decode(filename))
        elif extended := _EXTENDED.search(disposition):
            shown = unquote(extended[2], extended[1])
        else:
            is_file = self._headers.get(b"content-type", "").lower().startswith(_FILE_TYPES)
            shown = "" if is_file else None
        self._parts.open(_unescape(decode(options.get(b"name", b""))), shown)

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._parts.take(memoryview(data)[start:end])

    def _complete(self) -> None:
        self._is_complete = True


def _unescape(text: str) -> str:
    """Undo the escapes of browsers (HTML, "multipart/form-data encoding")."""
    return text.replace("%22", '"').replace("%0D", " ").replace("%0A", " ")
