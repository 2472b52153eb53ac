"""Forms of `application/x-www-form-urlencoded` (URL Standard), parsed in chunks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from python_multipart.multipart import QuerystringParser

from pelican_imagehost.serve.parts import decode
from pelican_imagehost.serve.refusal import Refusal

if TYPE_CHECKING:
    from pelican_imagehost.serve.parts import Parts

__all__ = ["UrlEncodedReader"]

_LONGEST_NAME = 200  # bytes
_ESCAPE = 3  # bytes
_RUN = re.compile(b"&&+")


class UrlEncodedReader:
    """Gives the fields of a form to `Parts`.

    Args:
        parts: takes the fields.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._name = b""
        self._is_open = False
        self._is_file = False
        self._rest = b""  # the begin of an escape
        self._parser = QuerystringParser(
            {
                "on_field_start": self._begin,
                "on_field_name": self._take_name,
                "on_field_data": self._data,
                "on_field_end": self._end,
            }
        )

    def write(self, data: bytes) -> None:
        """Parse the next bytes.

        Raises:
            Refusal: as `Parts` raises.
        """
        self._parser.write(_RUN.sub(b"&", data))  # the parser is slow with empty fields

    def finish(self) -> None:
        """End the last field."""
        self._parser.finalize()

    def _begin(self) -> None:
        self._parts.count()
        self._name = self._rest = b""
        self._is_open = False

    def _take_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]
        if len(self._name) > _LONGEST_NAME:
            raise Refusal(400, "field_too_long", "the name of a field is too long")

    def _open(self) -> None:
        name = unquote_to_bytes(self._name.replace(b"+", b" "))
        self._is_file = self._parts.open(decode(name), None)
        self._is_open = True

    def _data(self, data: bytes, start: int, end: int) -> None:
        if not self._is_open:
            self._open()
        text = self._rest + data[start:end]
        cut = text.rfind(b"%", max(0, len(text) - _ESCAPE + 1))
        whole, self._rest = (text, b"") if cut < 0 else (text[:cut], text[cut:])
        self._pass(whole)

    def _pass(self, text: bytes) -> None:
        # Some programs send the + of Base64 as it is, so it is not a space there.
        self._parts.take(unquote_to_bytes(text if self._is_file else text.replace(b"+", b" ")))

    def _end(self) -> None:
        if not self._is_open:
            self._open()
        self._pass(self._rest)
        self._parts.end()
