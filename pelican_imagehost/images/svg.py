"""What an SVG is: well-formed, shown by browsers as an image, harmless, and of which size.

The file is parsed once. As an image, browsers read every SVG as UTF-8 whatever it declares, or
as UTF-16 by its byte order mark, and show nothing if the root is not `svg` in its namespace or
a prefix is not declared.
"""

from __future__ import annotations

import io
import re
from bisect import bisect
from typing import TYPE_CHECKING
from xml.parsers import expat

from pelican_imagehost.errors import CorruptImage, UnsupportedImage
from pelican_imagehost.images.svg_rules import (
    SEPARATOR,
    STYLES,
    SVG,
    find_danger,
    find_style_danger,
    shown,
)
from pelican_imagehost.images.svg_size import measure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pelican_imagehost.images.svg_rules import Danger

__all__ = ["inspect", "looks_like_svg", "parse", "to_utf8"]

_SAMPLE = 65_536
_ROOT = re.compile(
    rb"""\A(?:\xef\xbb\xbf)?\s*+
    (?:(?><\?.*?\?>|<!--.*?-->|<!DOCTYPE\s+svg[^\[>]*(?:\[.*?\]\s*)?>)\s*+)*+
    <(?:[\w.-]+:)?svg[\s>/]""",
    re.VERBOSE | re.DOTALL,
)
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_MARKS = (*_UTF16, b"\xef\xbb\xbf")  # byte order marks, which count before a declaration
_UTF8 = frozenset(["", "utf-8", "utf8"])
# Expat cannot be stopped within what it was given, so it is given a part at a time. With each
# part it reads an unfinished tag again from its start: parts end with a tag, and are not many.
_LEAST_PART, _MOST_PARTS = 65_536, 64
_DEEPEST = 1000  # elements within each other; Chromium shows at least 2,500
_LONGEST_NAMESPACE = 300  # characters; each element's name has it in full
_MOST_ATTRIBUTE_TYPES = 100  # declared in a DTD; expat looks through all for each element
_EXPANSION = 4  # characters of text and attributes, relative to the bytes of the file
_FREE_EXPANSION = 1_000_000
_REASONS = {
    expat.errors.codes[expat.errors.XML_ERROR_UNBOUND_PREFIX]: "a prefix without its xmlns:…",
    expat.errors.codes[expat.errors.XML_ERROR_UNDEFINED_ENTITY]: "undefined entity (&…;)",
}
_PREDEFINED = frozenset(["amp", "apos", "gt", "lt", "quot"])
_REFERENCE = re.compile(rb"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>|&([^#;][^;]*);", re.DOTALL)


def looks_like_svg(data: bytes) -> bool:
    """Return whether content begins like an SVG document."""
    if data.startswith(_UTF16):
        return b"<\0s\0v\0g" in data[:_SAMPLE] or b"\0<\0s\0v\0g" in data[:_SAMPLE]
    return _ROOT.match(data[:_SAMPLE]) is not None


def inspect(data: bytes) -> tuple[int, int]:
    """Measure an SVG, and refuse one that browsers do not show or that could act.

    Args:
        data: the whole document.

    Returns:
        Width and height in CSS pixels, as `svg_size.measure`.

    Raises:
        CorruptImage: browsers show nothing of it.
        UnsupportedImage: it could run a script or load another file, or is built to be costly.
    """
    text = to_utf8(data)
    inspector = _Inspector(len(text), any_encoding=data.isascii() or data.startswith(_MARKS))
    parse(inspector.parser, text)
    inspector.check_end(text)
    return measure(inspector.root)


def parse(parser: expat.XMLParserType, text: bytes) -> None:
    """Parse a whole document.

    Args:
        parser: the parser, with its handlers.
        text: the document in UTF-8.

    Raises:
        CorruptImage: it is not well-formed.
    """
    try:
        for part in _split(text):
            parser.Parse(part, False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        reason = _REASONS.get(error.code) or expat.ErrorString(error.code)
        raise CorruptImage(
            f"is not a well-formed SVG: {reason}, line {error.lineno}; browsers show nothing of it"
        ) from None


def to_utf8(data: bytes) -> bytes:
    """Return an SVG as UTF-8, as which browsers read it.

    Raises:
        CorruptImage: it is in another encoding.
    """
    try:
        if data.startswith(_UTF16):
            return data.decode("utf-16").encode()
        if not data.isascii():
            data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CorruptImage(
            f"is an SVG that is not in UTF-8 (line {line}), so browsers do not show it as an "
            "image; save it as UTF-8"
        ) from None
    return data


def _split(text: bytes) -> Iterator[bytes]:
    least = max(_LEAST_PART, len(text) // _MOST_PARTS)
    start = 0
    while start < len(text):
        end = text.find(b">", start + least) + 1 or len(text)
        yield text[start:end]
        start = end


class _Sheet:
    """The text of a `<style>` without that of elements in it, as browsers join it."""

    def __init__(self) -> None:
        self._text = io.StringIO()
        self._offsets: list[int] = []  # where each line of the file begins
        self._lines: list[int] = []

    def add(self, text: str, line: int) -> None:
        if not self._lines or self._lines[-1] != line:
            self._offsets.append(self._text.tell())
            self._lines.append(line)
        self._text.write(text)

    def find_danger(self) -> tuple[Danger, int] | None:
        """Find what the sheet fetches, and its line in the file."""
        danger = find_style_danger(self._text.getvalue())
        return danger and (danger, self._lines[bisect(self._offsets, danger.offset) - 1])


class _Inspector:
    """Expat handlers that check every element, attribute and style sheet once."""

    def __init__(self, size: int, *, any_encoding: bool) -> None:
        self.root: Mapping[str, str] = {}
        self._any_encoding = any_encoding
        self._left = _EXPANSION * size + _FREE_EXPANSION
        self._open: list[_Sheet | None] = []  # one of each open element
        self._entities = {*_PREDEFINED}
        self._attribute_types = 0
        self._has_dtd = False
        self.parser = parser = expat.ParserCreate("utf-8", SEPARATOR)
        parser.XmlDeclHandler = self._declaration
        parser.StartDoctypeDeclHandler = self._doctype
        parser.EntityDeclHandler = self._entity
        parser.AttlistDeclHandler = self._attribute_type
        parser.StartNamespaceDeclHandler = self._namespace
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.ProcessingInstructionHandler = self._instruction

    def check_end(self, text: bytes) -> None:
        """Check that every entity is declared; with an external DTD, expat lets others pass."""
        if self._has_dtd:
            for match in _REFERENCE.finditer(text):
                name = (match[1] or b"amp").decode()
                if name not in self._entities:
                    line = text.count(b"\n", 0, match.start()) + 1
                    raise CorruptImage(
                        f"is an SVG with an undeclared entity (&{shown(name)};) in line {line}, so "
                        "browsers show nothing of it; write the character itself"
                    )

    def _refuse(self, part: str, remedy: str = "remove it", line: int = 0) -> UnsupportedImage:
        line = line or self.parser.CurrentLineNumber
        return UnsupportedImage(f"is an SVG with {part} in line {line}; {remedy} to host the file")

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:  # noqa: ARG002  expat's signature
        if not version.startswith("1."):
            raise CorruptImage(f"is an SVG of XML {shown(version)}; browsers know XML 1.0 alone")
        if (encoding or "").lower() not in _UTF8 and not self._any_encoding:
            raise CorruptImage(
                f"is an SVG that declares encoding={shown(encoding or '')!r}; as an image, "
                "browsers read it as UTF-8: save it so, and change the declaration"
            )

    def _doctype(self, name: str, system: str | None, public: str | None, subset: int) -> None:  # noqa: ARG002  as above
        self._has_dtd = system is not None
        if set(system or "") & {*"<>&;"}:
            raise CorruptImage(
                f"is an SVG whose document type has an odd address ({shown(system or '')}), so "
                "browsers show nothing of it; remove the document type"
            )
        # With the identifiers of XHTML, browsers resolve `&colon;`; expat skips it.
        if public is not None and "//DTD SVG" not in public:
            raise self._refuse(f"a document type other than SVG ({shown(public)})")

    def _entity(  # noqa: PLR0913, PLR0917  as above
        self,
        name: str,
        is_parameter: bool,  # noqa: FBT001  as above
        value: str | None,
        base: str | None,  # noqa: ARG002  as above
        system: str | None,
        public: str | None,  # noqa: ARG002  as above
        notation: str | None,  # noqa: ARG002  as above
    ) -> None:
        if system is not None or is_parameter or "&" in (value or ""):
            raise self._refuse(
                f"an entity that refers to other content ({shown(name)})",
                "replace it by its text",
            )
        self._entities.add(name)

    def _attribute_type(self, *_: object) -> None:
        self._attribute_types += 1
        if self._attribute_types > _MOST_ATTRIBUTE_TYPES:
            raise self._refuse(f"more than {_MOST_ATTRIBUTE_TYPES} declared attributes")

    def _namespace(self, prefix: str | None, uri: str | None) -> None:
        if uri and len(uri) > _LONGEST_NAMESPACE:
            name = f"xmlns:{prefix}" if prefix else "xmlns"
            raise self._refuse(f"a namespace of {len(uri):,} characters ({shown(name)})")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if not self._open:
            _check_root(tag)
            self.root = attributes
        elif len(self._open) == _DEEPEST:
            raise self._refuse(f"elements nested {_DEEPEST:,} deep", "ungroup them")
        self._open.append(_Sheet() if tag in STYLES else None)
        self._spend(sum(map(len, attributes.values())))
        danger = find_danger(tag, attributes)
        if danger:
            raise self._refuse(danger.part, danger.remedy)

    def _end(self, _: str) -> None:
        sheet = self._open.pop()
        found = sheet and sheet.find_danger()
        if found:
            danger, line = found
            raise self._refuse(danger.part, danger.remedy, line)

    def _text(self, text: str) -> None:
        self._spend(len(text))
        sheet = self._open[-1]
        if sheet:
            sheet.add(text, self.parser.CurrentLineNumber)

    def _spend(self, characters: int) -> None:
        self._left -= characters
        if self._left < 0:
            raise self._refuse(
                f"entities that make it more than {_EXPANSION} times as long",
                "replace them by their text",
            )

    def _instruction(self, target: str, data: str) -> None:  # noqa: ARG002  as above
        if target.lower() == "xml-stylesheet":
            raise self._refuse("an external style sheet (<?xml-stylesheet?>)")


def _check_root(tag: str) -> None:
    """Check that browsers take the document for an SVG.

    Raises:
        CorruptImage: they do not.
    """
    namespace, _, name = tag.rpartition(SEPARATOR)
    if name != "svg":
        raise CorruptImage(f"is not an SVG: its root is <{shown(name)}>")
    if not namespace:
        raise CorruptImage(
            f'is an SVG without xmlns="{SVG}", so browsers show nothing of it; add that to <svg>'
        )
    if namespace != SVG:
        raise CorruptImage(
            f'is an SVG with xmlns="{shown(namespace)}", so browsers show nothing of it; write '
            f'xmlns="{SVG}"'
        )
