"""The size of an SVG, and a check that it cannot run scripts or load other files.

A browser does not run scripts of an SVG in `<img>`, but it does when a reader opens the
address of the image itself, so an image host must not serve them. This module allows the
"secure static mode" of SVG 2 (section 2.2).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.parsers import expat

from pelican_imagehost.errors import CorruptImage, UnsupportedImage

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["inspect", "looks_like_svg"]

_SAMPLE = 65_536
_ROOT = re.compile(
    rb"""\A(?:\xef\xbb\xbf)?\s*+
    (?:(?><\?.*?\?>|<!--.*?-->|<!DOCTYPE\s+svg[^\[>]*(?:\[.*?\]\s*)?>)\s*+)*+
    <(?:[\w.-]+:)?svg[\s>/]""",
    re.VERBOSE | re.DOTALL,
)
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_ACTIVE = frozenset(
    [
        "script",
        "foreignobject",
        "iframe",
        "embed",
        "object",
        "audio",
        "video",
        "handler",
        "listener",
    ]
)
_LINKS = frozenset(["href", "src"])
_CSS_URL = re.compile(r"url\(\s*+[\"']?+\s*+(?!#|data:)|@import|image-set\(|\bsrc\(", re.IGNORECASE)
_XHTML = "http://www.w3.org/1999/xhtml"
_DATA_IMAGES = frozenset(["image", "feimage"])  # these never run scripts (SVG 2, section 2.2)
_LENGTH = re.compile(
    r"\s*((?:[0-9]++(?:\.[0-9]++)?|\.[0-9]++)(?:e[+-]?[0-9]++)?)\s*(px|pt|pc|mm|cm|in|)\s*",
    re.IGNORECASE,
)
_UNITS = {"px": 1.0, "": 1.0, "pt": 4 / 3, "pc": 16.0, "mm": 96 / 25.4, "cm": 96 / 2.54, "in": 96.0}
_DEFAULT_SIZE = (300, 150)  # CSS 2.2, section 10.3.2: a replaced element without a size
_MAX_SIDE = 10**9


def looks_like_svg(data: bytes) -> bool:
    """Return whether content begins like an SVG document."""
    if data.startswith(_UTF16):
        return b"<\0s\0v\0g" in data[:_SAMPLE] or b"\0<\0s\0v\0g" in data[:_SAMPLE]
    return _ROOT.match(data[:_SAMPLE]) is not None


def inspect(data: bytes) -> tuple[int, int]:
    """Measure an SVG, and refuse one that could run scripts or load other files.

    Args:
        data: the whole document.

    Returns:
        Width and height in CSS pixels, from the attributes, else the viewBox, else 300 × 150.

    Raises:
        CorruptImage: not well-formed XML, or its root is not `svg`.
        UnsupportedImage: it contains a script, an event handler, or a reference to another file.
    """
    inspector = _Inspector()
    try:
        inspector.parser.Parse(data, True)
    except (LookupError, ValueError) as error:  # from expat, for an unknown encoding
        raise UnsupportedImage(f"is an SVG in an encoding that cannot be read: {error}") from None
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise CorruptImage(f"is not a well-formed SVG: {reason}, line {error.lineno}") from None
    return _dimensions(inspector.root)


class _Inspector:
    """Expat handlers that check every element, attribute and style sheet once."""

    def __init__(self) -> None:
        self.root: Mapping[str, str] = {}
        self.styles: list[list[str]] = []  # the text so far of each open <style>
        self.depth = 0
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.EntityDeclHandler = self._entity
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.ProcessingInstructionHandler = self._instruction

    def _refuse(self, part: str) -> UnsupportedImage:
        line = self.parser.CurrentLineNumber
        return UnsupportedImage(f"is an SVG with {part} in line {line}; remove it to host the file")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = _local(tag)
        if self.depth == 0:
            if name != "svg":
                raise CorruptImage(f"is not an SVG: its root is <{tag}>")
            self.root = attributes
        self.depth += 1
        if name in _ACTIVE:
            raise self._refuse(f"<{tag}>")
        if name == "style":
            self.styles.append([])
        for attribute, value in attributes.items():
            self._check_attribute(name, _local(attribute), value)

    def _check_attribute(self, element: str, name: str, value: str) -> None:
        target = "".join(value.split()).lower()
        if value.strip() == _XHTML:
            raise self._refuse("HTML elements")  # <meta>, <img srcset>, … work in an SVG too
        if name.startswith("on"):
            raise self._refuse(f"an event handler ({name})")
        if target.startswith(("javascript:", "vbscript:", "data:text/html")):
            raise self._refuse("a script URL")
        if (
            name in _LINKS
            and element != "a"
            and target
            and not target.startswith("#")
            and not (element in _DATA_IMAGES and target.startswith("data:image/"))
        ):
            raise self._refuse(f"a reference to another file ({value[:80]})")
        if name == "attributename" and _local(target) in _LINKS:
            raise self._refuse("an animated link")
        if "(" in value and _CSS_URL.search(_css(value)):
            raise self._refuse(f"a reference to another file ({value[:80]})")

    def _end(self, tag: str) -> None:
        self.depth -= 1
        if _local(tag) == "style" and _CSS_URL.search(_css("".join(self.styles.pop()))):
            raise self._refuse("a style sheet that refers to another file")

    def _text(self, text: str) -> None:
        for style in self.styles:
            style.append(text)

    def _doctype(self, name: str, system: str | None, public: str | None, subset: int) -> None:  # noqa: ARG002  expat's signature
        # With the identifiers of XHTML, browsers resolve `&colon;`; expat skips it.
        if public is not None and "//DTD SVG" not in public:
            raise self._refuse(f"a document type other than SVG ({public[:80]})")

    def _entity(  # noqa: PLR0913, PLR0917  expat's signature
        self,
        name: str,
        is_parameter: bool,  # noqa: FBT001  as above
        value: str | None,
        base: str | None,  # noqa: ARG002  as above
        system: str | None,
        public: str | None,  # noqa: ARG002  as above
        notation: str | None,  # noqa: ARG002  as above
    ) -> None:
        # Nested entities grow without bound; the limit in expat takes effect late.
        if system is not None or is_parameter or "&" in (value or ""):
            raise self._refuse(f"an entity that refers to other content ({name})")

    def _instruction(self, target: str, data: str) -> None:  # noqa: ARG002  expat's signature
        if target.lower() == "xml-stylesheet":
            raise self._refuse("an external style sheet")


def _local(name: str) -> str:
    return name.rpartition(":")[2].lower()


def _css(text: str) -> str:
    """Resolve escapes, which could hide `url(` (CSS Syntax 3, section 4.3.7).

    Comments are kept: they cannot split `url(` or `@import`, and a string may contain text
    that looks like one. References within comments are refused too.
    """
    return re.sub(
        r"\\(?:([0-9a-fA-F]{1,6})\s?|(.))",
        lambda m: chr(min(int(m[1], 16), 0x10FFFF)) if m[1] else m[2],
        text,
    )


def _dimensions(root: Mapping[str, str]) -> tuple[int, int]:
    width, height = _pixels(root.get("width")), _pixels(root.get("height"))
    if width and height:
        return width, height
    box = re.split(r"[\s,]+", root.get("viewBox", "").strip())
    if len(box) == 4:  # noqa: PLR2004  min-x, min-y, width, height
        sides = _pixels(box[2]), _pixels(box[3])
        if sides[0] and sides[1]:
            return _scaled(width, height, sides[0], sides[1])
    return width or _DEFAULT_SIZE[0], height or _DEFAULT_SIZE[1]


def _scaled(width: int, height: int, box_width: int, box_height: int) -> tuple[int, int]:
    """Compute the missing side from the proportions of the viewBox."""
    if width:
        return width, max(1, round(width * box_height / box_width))
    if height:
        return max(1, round(height * box_width / box_height)), height
    return box_width, box_height


def _pixels(length: str | None) -> int:
    match = _LENGTH.fullmatch(length or "")
    if match is None:
        return 0
    value = float(match[1]) * _UNITS[match[2].lower()]
    return min(max(round(value), 1 if value else 0), _MAX_SIDE) if value < _MAX_SIDE else _MAX_SIDE
