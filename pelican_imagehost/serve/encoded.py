"""Files in text fields: Base64 (RFC 4648), decoded in chunks."""

from __future__ import annotations

import binascii

from pelican_imagehost.serve.refusal import Refusal

__all__ = ["Base64Decoder"]

_URL_SAFE = bytes.maketrans(b"-_", b"+/")  # section 5
_SPACE = b" \t\r\n"
_PREFIX = b"data:"  # RFC 2397
_LONGEST_PREFIX = 200  # bytes of "data:image/png;base64,"


class Base64Decoder:
    """Decodes Base64, also of a data: URL, also URL-safe, without padding or with line breaks.

    Args:
        name: the name of the field, for messages.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._start: bytes | None = b""  # until the prefix of a data: URL can be skipped
        self._group = b""  # the begin of a group of four
        self._is_padded = False

    def decode(self, data: bytes) -> bytes:
        """Decode the next bytes.

        Raises:
            Refusal: they are not Base64.
        """
        data = data.translate(None, _SPACE)
        if self._start is not None:
            self._start += data
            if len(self._start) < _LONGEST_PREFIX:
                return b""
            data = self._skip_prefix(self._start)
        return self._take(data)

    def finish(self) -> bytes:
        """Decode the rest; otherwise as `decode`."""
        first = b"" if self._start is None else self._take(self._skip_prefix(self._start))
        padding = b"=" * (-len(self._group) % 4)
        return first + self._convert(self._group + padding)

    def _skip_prefix(self, data: bytes) -> bytes:
        self._start = None
        if data[: len(_PREFIX)].lower() != _PREFIX:
            return data
        kind, _, rest = data.partition(b",")
        if not kind.lower().endswith(b";base64"):
            raise self._refusal()
        return rest

    def _take(self, data: bytes) -> bytes:
        """Decode whole groups; padding may only end the text."""
        text, padding, after = data.partition(b"=")
        if after.strip(b"=") or (text and self._is_padded):
            raise self._refusal()
        self._is_padded |= bool(padding)
        text = self._group + text.translate(_URL_SAFE)
        whole = len(text) - len(text) % 4
        self._group = text[whole:]
        return self._convert(text[:whole])

    def _convert(self, data: bytes) -> bytes:
        try:
            return binascii.a2b_base64(data, strict_mode=True)
        except binascii.Error:
            raise self._refusal() from None

    def _refusal(self) -> Refusal:
        message = f"the field {self._name} has neither a file nor Base64; URLs are not fetched"
        return Refusal(400, "not_base64", message)
