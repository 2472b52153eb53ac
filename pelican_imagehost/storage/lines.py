"""The lines of a manifest: JSON to images and back.

They also come from strangers, in pull requests. Whatever stands in a line, it is an image or
an error; nothing in it can stop the reading of others, or the writing of the file.
"""

from __future__ import annotations

import json
import re
from operator import itemgetter
from reprlib import Repr
from typing import TYPE_CHECKING, Any

from pelican_imagehost.errors import ManifestError, printable
from pelican_imagehost.images.image import KEY, MEDIA_TYPES, Image

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["format_line", "parse_lines", "read_line", "read_plain"]

FORMAT = 1
_DIGITS = 64
_HEXADECIMAL = re.compile("[0-9a-f]+").fullmatch
_MOST = 2**53 - 1  # the numbers that all readers of JSON agree on (RFC 8259, section 6)
_MOST_BRACKETS = 200  # of a line with unknown keys; Python can neither read nor write very many
_BETWEEN = re.compile(r"\}\s*,").search  # where a second record may begin
# NUL, and halves of surrogate pairs but those that stand for bytes (PEP 383): in no file's name.
_NO_NAME = re.compile(r"[\0\ud800-\udc7f\udd00-\udfff]").search
_FIELDS = ("path", "sha256", "type", "size", "width", "height")
_get_fields = itemgetter(*_FIELDS)
_encode = json.JSONEncoder(ensure_ascii=False).encode
_ADVICE = "; correct or delete this line"

_short = Repr()
_short.maxstring = _short.maxother = _short.maxlong = _LONGEST = 60


def parse_lines(lines: list[str]) -> list[object]:
    """Parse the lines of a manifest.

    All at once, which is six times faster, or one by one if any is invalid.

    Returns:
        For each line its value; a `ValueError` if it is not JSON.
    """
    try:
        records = json.loads("[" + ",".join(line or "null" for line in lines) + "]")
    except (ValueError, RecursionError):
        records = None
    if isinstance(records, list) and len(records) == len(lines) and _are_whole(lines):
        return records
    return [_parse_line(line) for line in lines]


def _parse_line(line: str) -> object:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        return error
    except ValueError:
        return ValueError("a number has too many digits")
    except RecursionError:
        return ValueError("too many brackets")


def _are_whole(lines: list[str]) -> bool:
    """Return whether each line is surely one record if all together are as many as the lines.

    A line could be cut in two, and another make up for it with two records.
    """
    text = "\n".join(lines).strip()
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    is_plain = text.count("\n") == text.count("}\n{") and text[:1] == "{" and text[-1:] == "}"
    return is_plain and not _BETWEEN(text)


def read_line(record: object, line: str) -> tuple[str, Image, dict[str, Any]]:
    """Read a line.

    Args:
        record: its value, from `parse_lines`.
        line: the line.

    Returns:
        The path, the image, and the unknown fields.

    Raises:
        ManifestError: the line is not an image, or from a newer version.
    """
    if isinstance(record, ValueError):
        raise ManifestError(
            f"is not a JSON object ({record}); look for an unresolved merge or a truncated line"
        )
    if not isinstance(record, dict):
        raise ManifestError(f"is not a JSON object with the fields {', '.join(_FIELDS)}")
    if record.get("format", FORMAT) != FORMAT:
        raise ManifestError(
            f"has format {_shown(record['format'])}, from a newer version; "
            "upgrade pelican-imagehost"
        )
    try:
        path, *values = _get_fields(record)
    except KeyError as error:
        raise ManifestError(f"has no field {error.args[0]!r}") from None
    image = Image(*values)
    _check(path, image)
    extras = {} if len(record) == len(_FIELDS) else _extras(record)
    if extras and line.count("[") + line.count("{") > _MOST_BRACKETS:
        raise ManifestError(f"has more than {_MOST_BRACKETS} brackets; remove unknown fields")
    return path, image, extras


def _extras(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in _FIELDS}


def read_plain(record: object) -> tuple[str, Image | None]:
    """Read a usual line, quickly; None for any other, which `read_line` examines."""
    if type(record) is not dict or len(record) != len(_FIELDS):
        return "", None
    try:
        path, sha256, kind, size, width, height = _get_fields(record)
        plain = (
            type(path) is str
            and type(size) is type(width) is type(height) is int
            and len(sha256) == _DIGITS
            and _HEXADECIMAL(sha256) is not None
            and kind in MEDIA_TYPES
            and size > 0
            and width > 0
            and height > 0
            and size | width | height <= _MOST  # each of them is
            and path != ""
            and "\0" not in path
            and (path.isascii() or _NO_NAME(path) is None)
        )
    except (KeyError, TypeError):
        return "", None
    return path, Image(sha256, kind, size, width, height) if plain else None


def _check(path: object, image: Image) -> None:
    if not isinstance(path, str) or not path or _NO_NAME(path):
        raise ManifestError(f"has an invalid path: {_shown(path)}{_ADVICE}")
    sha256, kind, *numbers = image
    if type(sha256) is not str or type(kind) is not str or KEY.fullmatch(image.key) is None:
        raise ManifestError(
            f"has an invalid sha256 or type: {_shown(sha256)}, {_shown(kind)}{_ADVICE}"
        )
    for name, value in zip(_FIELDS[3:], numbers, strict=True):
        if type(value) is not int or value <= 0:
            raise ManifestError(
                f"has a {name} that is not a whole number above 0: {_shown(value)}{_ADVICE}"
            )
        if value > _MOST:
            raise ManifestError(f"has a {name} that is too large: {_shown(value)}{_ADVICE}")


def _shown(value: object) -> str:
    """Show any value in a message: on one line, and not too long."""
    return printable(_short.repr(value), 2 * _LONGEST)


def format_line(path: str, image: Image, extras: Mapping[str, Any]) -> str:
    """Format a line, without its end.

    Args:
        path: the path.
        image: the image.
        extras: unknown fields to keep.
    """
    if path.isascii() and not extras:  # same result as below, ten times faster
        return (
            f'{{"path": {_encode(path)}, "sha256": "{image.sha256}", "type": "{image.type}", '
            f'"size": {image.size}, "width": {image.width}, "height": {image.height}}}'
        )
    record = {"path": path, **image._asdict(), **extras}
    line = _encode(record)
    try:
        line.encode()
    except UnicodeEncodeError:  # a name that is not UTF-8, or half a surrogate pair
        return json.dumps(record)  # which escapes them, so that editors keep them
    return line
