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
from pelican_imagehost.images.image import IMAGE_TYPES, KEY, MEDIA_TYPES, Image

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["format_line", "read_line", "read_usual"]

FORMAT = 1
_MARK = "\ufeff"  # a byte order mark
_is_digest = re.compile("[0-9a-f]{64}").fullmatch
_MOST = 2**53 - 1  # the numbers that all readers of JSON agree on (RFC 8259, section 6)
_MOST_BRACKETS = 200  # of a line with unknown keys; Python can neither read nor write very many
# NUL, and halves of surrogate pairs but those that stand for bytes (PEP 383): in no file's name.
_NO_NAME = re.compile(r"[\0\ud800-\udc7f\udd00-\udfff]").search
_FIELDS = ("path", "sha256", "type", "size", "width", "height")
_get_fields = itemgetter(*_FIELDS)
_SOURCE = "source"  # the seventh, if there is one
_VARIANTS, _RECIPE = "variants", "recipe"
_VARIANT = (
    r'\[[1-9]\d{0,14}, [1-9]\d{0,14}, "[0-9a-f]{64}", '
    rf'"(?:{"|".join(IMAGE_TYPES)})", [1-9]\d{{0,14}}\]'
)
# A line as it is written, with a path that JSON does not escape.
_usual = re.compile(
    r'\{"path": "([^"\\\x00-\x1f]+)", "sha256": "([0-9a-f]{64})", "type": "([a-z]+)", '
    r'"size": ([1-9]\d{0,14}), "width": ([1-9]\d{0,14}), "height": ([1-9]\d{0,14})'
    r'(?:, "source": "([0-9a-f]{64})")?'
    rf'(?:, ("variants": \[(?:{_VARIANT}(?:, {_VARIANT})*)?\], "recipe": "[\w .-]*"))?\}}',
    re.ASCII,
).fullmatch
_encode = json.JSONEncoder(ensure_ascii=False).encode
_ADVICE = "; correct or delete this line"

_short = Repr()
_short.maxstring = _short.maxother = _short.maxlong = _LONGEST = 60


def read_usual(line: bytes) -> tuple[str, Image | None]:
    """Read a usual line in half the time that JSON takes.

    Args:
        line: the line, as it is in the file.

    Returns:
        The path and the image; of any other line the text, without its end and without byte
        order marks, which joined files have, and None.
    """
    text = line.decode(errors="surrogateescape").removesuffix("\n").lstrip(_MARK)
    match = _usual(text)
    if match is None:
        return text, None
    path, sha256, kind, size, width, height, source, forms = match.groups("")
    if kind not in MEDIA_TYPES or source == sha256:
        return text, None
    return path, Image(sha256, kind, int(size), int(width), int(height), source, forms)


def read_line(line: str) -> tuple[str, Image, dict[str, Any]]:
    """Read any line.

    Args:
        line: the line, without its end.

    Returns:
        The path, the image, and the unknown fields.

    Raises:
        ManifestError: the line is not an image, or from a newer version.
    """
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ManifestError(
            f"is not a JSON object ({_reason(error)}); look for an unresolved merge or a "
            "truncated line"
        ) from None
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
    source = record.get(_SOURCE, "")
    image = Image._make((*values, "" if source == record["sha256"] else source, ""))
    _check(path, image)
    if _VARIANTS in record:
        image = _with_variants(image, record)
    extras = {} if len(record) == len(_FIELDS) else _extras(record)
    if extras and line.count("[") + line.count("{") > _MOST_BRACKETS:
        raise ManifestError(f"has more than {_MOST_BRACKETS} brackets; remove unknown fields")
    return path, image, extras


def _reason(error: ValueError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "too many brackets"
    return str(error) if isinstance(error, json.JSONDecodeError) else "a number has too many digits"


def _extras(record: dict[str, Any]) -> dict[str, Any]:
    own = (*_FIELDS, _SOURCE, *((_VARIANTS, _RECIPE) if _VARIANTS in record else ()))
    return {name: value for name, value in record.items() if name not in own}


def _check(path: object, image: Image) -> None:
    if not isinstance(path, str) or not path or _NO_NAME(path):
        raise ManifestError(f"has an invalid path: {_shown(path)}{_ADVICE}")
    sha256, kind, *numbers, source, _ = image
    if type(sha256) is not str or type(kind) is not str or KEY.fullmatch(image.key) is None:
        raise ManifestError(
            f"has an invalid sha256 or type: {_shown(sha256)}, {_shown(kind)}{_ADVICE}"
        )
    if source != "" and not (type(source) is str and _is_digest(source)):
        raise ManifestError(f"has an invalid source: {_shown(source)}{_ADVICE}")
    for name, value in zip(_FIELDS[3:], numbers, strict=True):
        if type(value) is not int or value <= 0:
            raise ManifestError(
                f"has a {name} that is not a whole number above 0: {_shown(value)}{_ADVICE}"
            )
        if value > _MOST:
            raise ManifestError(f"has a {name} that is too large: {_shown(value)}{_ADVICE}")


def _with_variants(image: Image, record: dict[str, Any]) -> Image:
    variants, recipe = [], record.get(_RECIPE, "")
    try:
        for width, height, sha256, kind, size in record[_VARIANTS]:
            variants.append(Image._make((sha256, kind, size, width, height, "", "")))
            _check("variant", variants[-1])
    except (TypeError, ValueError, ManifestError):
        raise ManifestError(f"has invalid variants{_ADVICE}") from None
    if type(recipe) is not str or re.fullmatch(r"[\w .-]*", recipe, re.ASCII) is None:
        raise ManifestError(f"has an invalid recipe: {_shown(recipe)}{_ADVICE}")
    return image.with_variants(variants, recipe)


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
        source = f', "source": "{image.source}"' if image.source else ""
        forms = f", {image.forms}" if image.forms else ""
        return (
            f'{{"path": {_encode(path)}, "sha256": "{image.sha256}", "type": "{image.type}", '
            f'"size": {image.size}, "width": {image.width}, "height": {image.height}'
            f"{source}{forms}}}"
        )
    record = {"path": path, **dict(zip(_FIELDS[1:], image, strict=False))}
    record |= {_SOURCE: image.source} if image.source else {}
    record |= json.loads(f"{{{image.forms}}}") | dict(extras)
    line = _encode(record)
    try:
        line.encode()
    except UnicodeEncodeError:  # a name that is not UTF-8, or half a surrogate pair
        return json.dumps(record)  # which escapes them, so that editors keep them
    return line
