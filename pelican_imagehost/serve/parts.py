"""The parts of a form, whatever its encoding: files are spooled, the size of fields is limited."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.report import count
from pelican_imagehost.serve.encoded import Base64Decoder
from pelican_imagehost.serve.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Collection

    from pelican_imagehost.serve.spool import Spool, SpooledFile

__all__ = ["Accepted", "Form", "Parts"]

_MAX_PARTS = 100
_MAX_FIELD = 8192  # bytes


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


class Accepted(NamedTuple):
    """The fields in which a form may have files.

    Attributes:
        names: the names of the fields.
        files: the largest number of files.
        as_text: whether a file may also be Base64 in a text field.
    """

    names: Collection[str]
    files: int
    as_text: bool = False


class Parts:
    """Fills a form, part by part."""

    def __init__(self, form: Form, spool: Spool, accepted: Accepted) -> None:
        self._form = form
        self._spool = spool
        self._accepted = accepted
        self._number = 0
        self._name = ""
        self._file: SpooledFile | None = None
        self._text: bytearray | None = None
        self._decoder: Base64Decoder | None = None

    def count(self) -> None:
        """Count a part when it begins.

        Raises:
            Refusal: there are too many.
        """
        self._number += 1
        if self._number > _MAX_PARTS:
            raise Refusal(400, "too_many_parts", f"a form may have at most {_MAX_PARTS} parts")

    def open(self, name: str, filename: str | None) -> bool:
        """Open a part.

        Args:
            name: the name of the field.
            filename: the name of the file; None for text.

        Returns:
            Whether its text is a file in Base64.

        Raises:
            Refusal: there are too many files.
            StoreError: the file cannot be written.
        """
        self._name = name
        self._file = self._text = self._decoder = None
        is_accepted = name in self._accepted.names
        if filename is None and not (is_accepted and self._accepted.as_text):
            self._text = bytearray()
        elif not is_accepted:
            self._form.others.append(name)
        elif len(self._form.files) == self._accepted.files:
            most = count(self._accepted.files, "file")
            raise Refusal(400, "too_many_files", f"at most {most} per request")
        else:
            self._file = self._spool.open(name if filename is None else filename)
            self._form.files.append(self._file)
            self._decoder = Base64Decoder(name) if filename is None else None
        return self._decoder is not None

    def take(self, data: bytes | memoryview) -> None:
        """Take the next bytes of a part.

        Raises:
            Refusal: the field is too long, or its text is not Base64.
            ImageTooLarge: the file is too large.
            StoreError: the file cannot be written.
        """
        if self._file is not None:
            self._file.write(self._decoder.decode(bytes(data)) if self._decoder else data)
        elif self._text is not None:
            self._text += data
            if len(self._text) > _MAX_FIELD:
                raise Refusal(400, "field_too_long", f"the field {self._name} is too long")

    def end(self) -> None:
        """End a part; otherwise as `take`."""
        if self._file is not None:
            if self._decoder is not None:
                self._file.write(self._decoder.finish())
            self._file.finish()
        elif self._text is not None:
            self._form.fields[self._name] = decode(bytes(self._text))


def decode(raw: bytes) -> str:
    """Decode a text as UTF-8 or, as old programs send it, as Latin-1."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
