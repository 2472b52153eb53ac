"""The references to images in an HTML text, to the character, and their replacement.

Everything else stays as the reader of the site wrote it, byte for byte.

A position counts code points, and every span is half-open.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.documents.tags import WS, Tag, decode, find_tags
from pelican_imagehost.documents.wanted import Syntax, has_image_suffix, rules_for
from pelican_imagehost.images.css import find_urls

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Reference", "find_references", "replace_references"]


class Reference(NamedTuple):
    """A reference to an image in a document.

    Attributes:
        url: The URL, character references and CSS escapes resolved, surrounding white space
            removed.
        start: Where the URL begins in the document, in code points.
        end: Where it ends, exclusive; `html[start:end]` is the URL as written.
        element: The name of the element, in lower case.
        attribute: The name of the attribute, in lower case; "" for the text of a `style`
            element. Each candidate of a `srcset`, and each `url()` of a style, is a separate
            reference.
    """

    url: str
    start: int
    end: int
    element: str
    attribute: str


# A URL, and either the commas that end it or its descriptors, in which parentheses hide
# commas; and the descriptors with which a browser keeps the candidate.
_CANDIDATE = re.compile(rf"[{WS},]*+([^{WS}]*[^{WS},])(?:,++|((?:[^(,]++|\([^)]*+\)?+)*+),?+)")
_WIDTH, _HEIGHT = r"0*+[1-9][0-9]*+w", r"0*+[1-9][0-9]*+h"
_DENSITY = r"(?:(?:[0-9]*+\.)?[0-9]++|-(?:0*+\.)?0++)(?:[eE][+-]?+[0-9]++)?x"
_DESCRIPTORS = re.compile(
    rf"(?:{_WIDTH}(?:[{WS}]++{_HEIGHT})?|{_HEIGHT}[{WS}]++{_WIDTH}|{_DENSITY})?"
)
# `og:image`, `twitter:image`, `thumbnailUrl`, `logo` and so on; a description may end in a name.
_OF_IMAGE = re.compile("image|thumbnail|logo", re.IGNORECASE)
_ESCAPES = {"&": "&amp;", '"': "&quot;", "'": "&#39;", "<": "&lt;", ">": "&gt;"}
_PERCENT = {character: f"%{ord(character):02X}" for character in f"{WS}\0"}
_IN_VALUE = str.maketrans(_ESCAPES | _PERCENT)
_IN_STYLE = str.maketrans({character: f"%{ord(character):02X}" for character in "\"'()\\<>\x7f"})
_IN_STYLE |= {code: f"%{code:02X}" for code in range(0x21)}
_EDGE_COMMA = re.compile(r"\A,|,\Z")


def find_references(html: str) -> list[Reference]:
    """Find every reference to an image in an HTML text.

    The attributes are those of `wanted`, in the tags of `tags`; `style` attributes and
    elements are read as CSS.

    Args:
        html: Any text; it need not be well-formed.

    Returns:
        The references in document order. Their spans do not overlap.
    """
    references: list[Reference] = []
    for tag in find_tags(html):
        rules = rules_for(tag.name)
        for attribute, (first, last) in tag.attributes.items():
            rule = rules.get(attribute)
            if rule is None or (attribute == "content" and not _is_image(html, tag)):
                continue
            for url, start, end in _urls(html, first, last, rule.syntax):
                if url and (rule.always or has_image_suffix(url)):
                    references.append(Reference(url, start, end, tag.name, attribute))
        if tag.name == "style":
            references += _in_style_sheet(html, tag)
    return references


def replace_references(html: str, replacements: Mapping[Reference, str]) -> str:
    """Replace references by other URLs, and leave everything else unchanged.

    Args:
        html: The text in which the references were found.
        replacements: The new URL of each reference to replace. It is escaped for its place:
            characters that could end a value, however quoted, become character references;
            white space is percent-encoded, and so are a comma at either end of a URL in a
            `srcset` ("Srcset attributes") and what could end a URL in CSS.

    Returns:
        The text with the new URLs.

    Raises:
        ValueError: A new URL is empty, which not every attribute can express.
    """
    parts: list[str] = []
    position = 0
    for reference in sorted(replacements, key=lambda reference: reference.start):
        url = _escape(replacements[reference], reference)
        if url[0].isalnum() and html[reference.start - 1].isalnum():
            url = f"&#{ord(url[0])};{url[1:]}"  # it may follow `&#32`, for example, without `;`
        parts += (html[position : reference.start], url)
        position = reference.end
    return "".join((*parts, html[position:]))


def _is_image(html: str, tag: Tag) -> bool:
    """Return whether a `meta` is about an image: its content might be any text."""
    spans = (tag.attributes.get(name, (0, 0)) for name in ("itemprop", "name", "property"))
    return any(_OF_IMAGE.search(decode(html[slice(*span)])[0]) for span in spans)


def _in_style_sheet(html: str, tag: Tag) -> Iterator[Reference]:
    """Yield the references in the text of a `style`, which has no character references."""
    for url, start, end in find_urls(html[tag.end : tag.text_end].replace("\0", "\ufffd")):
        if has_image_suffix(url):
            yield Reference(url, tag.end + start, tag.end + end, "style", "")


def _urls(html: str, start: int, end: int, syntax: Syntax) -> Iterator[tuple[str, int, int]]:
    """Yield each URL in the value of an attribute, with its span in the document."""
    text, offsets = decode(html[start:end])
    urls: Iterable[tuple[str, int, int]] = ()
    if syntax == "srcset":
        urls = _candidates(text)
    elif syntax != "url" and "(" in text:
        urls = list(find_urls(text))
    if syntax == "url" or (syntax == "either" and not urls):
        urls = [(text.strip(WS), len(text) - len(text.lstrip(WS)), len(text.rstrip(WS)))]
    for url, first, last in urls:
        yield url, start + offsets[first], start + offsets[last]


def _candidates(srcset: str) -> Iterator[tuple[str, int, int]]:
    """Yield the URLs, and their spans, in a srcset ("Parsing a srcset attribute")."""
    position = 0
    while candidate := _CANDIDATE.match(srcset, position):
        position = candidate.end()
        if _DESCRIPTORS.fullmatch((candidate[2] or "").strip(WS)):
            yield candidate[1], *candidate.span(1)


def _escape(url: str, reference: Reference) -> str:
    """Escape a URL so that it is one value in any kind of quotes, or unquoted."""
    if not url:
        raise ValueError("the new URL of an image is empty")
    if not reference.attribute:
        return url.translate(_IN_STYLE)
    syntax = rules_for(reference.element)[reference.attribute].syntax
    if syntax in {"css", "either"}:
        url = url.translate(_IN_STYLE)
    elif syntax == "srcset":
        url = _EDGE_COMMA.sub("%2C", url)
    return url.translate(_IN_VALUE)
