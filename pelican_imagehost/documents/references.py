"""The references to images in an HTML text, to the character, and their replacement.

The text is never parsed and serialised: a scanner follows the tokenizer of the WHATWG HTML
standard ("Tokenization") and finds the characters of each URL of an image. Everything else
stays as the reader of the site wrote it, byte for byte. Like any tokenizer the scanner does
not build a tree: within SVG, CDATA sections and an empty `<title/>` are read as they would
be outside.

A position counts code points, and every span is half-open.
"""

from __future__ import annotations

import re
import sys
from html.entities import html5
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.images.image import IMAGE_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = [
    "Reference",
    "find_references",
    "has_image_suffix",
    "replace_references",
]


class Reference(NamedTuple):
    """A reference to an image in a document.

    Attributes:
        url: The URL, character references resolved, surrounding white space removed.
        start: Where the URL begins in the document, in code points.
        end: Where it ends, exclusive; `html[start:end]` is the URL as written.
        element: The name of the element, in lower case.
        attribute: The name of the attribute, in lower case; each candidate of a `srcset`
            is a separate reference.
    """

    url: str
    start: int
    end: int
    element: str
    attribute: str


_WANTED = {
    "a": frozenset({"href"}),
    "image": frozenset({"href", "xlink:href"}),
    "img": frozenset({"src", "srcset"}),
    "input": frozenset({"src"}),
    "source": frozenset({"src", "srcset"}),
    "video": frozenset({"poster"}),
}
_ONLY_WITH_SUFFIX = {("a", "href"), ("source", "src")}  # these may also link to pages and films
_RAW_TEXT = ("iframe", "noembed", "noframes", "style", "textarea", "title", "xmp")

# The white space of HTML; `\s` matches more. HTML letters are ASCII: without re.A the Kelvin
# sign would match k, and the long s would match s.
_WS = "\t\n\f\r "
_FLAGS = re.ASCII | re.IGNORECASE | re.VERBOSE
_NAME_END = rf"(?=[{_WS}/>])"

# "Before attribute name state" to "After attribute value (quoted) state". It is possessive,
# and every path through it ends at the `>` of the tag or at the end of the text, so it takes
# linear time on any input. A group in a possessive repeat makes CPython fail ("The span of
# capturing group is wrong"), and before 3.11.5 (gh-106052) such a repeat continued from the
# position that its last, failed iteration had reached, so an iteration may fail only in front
# of white space.
_NAME = rf"[^{_WS}/>][^{_WS}/>=]*+"
_EQUALS = rf"[{_WS}]*+ = [{_WS}]*+"
_UNQUOTED = rf"""[^{_WS}>"'][^{_WS}>]*+"""
_VALUE = rf"""(?: "[^"]*+ (?: "|\Z ) | '[^']*+ (?: '|\Z ) | {_UNQUOTED} )"""
_ATTRIBUTES = rf"(?: [{_WS}/]++ | {_NAME} (?: {_EQUALS} {_VALUE}?+ )?+ )*+"

# Most tags can be skipped at once: an end tag without quotes; a tag that cannot contain a
# reference and whose attributes, all double-quoted, contain neither `<` nor `>`, so that the
# next `<` is after it; and such a link that does not contain the suffix of an image.
_NAMES = "|".join((*_WANTED, *_RAW_TEXT, "script", "plaintext"))
_SUFFIX = "|".join(suffix[1:] for suffix in IMAGE_SUFFIXES)
_SKIPPED = rf"""
      /[a-z][^<>"']*+>
    | (?: (?!(?:{_NAMES}){_NAME_END}) [a-z][^{_WS}/<>"'=]*+
        | a (?=[{_WS}][^<>&.]*+ (?: \.(?!{_SUFFIX})[^<>&.]*+ )*> ) )
      (?: [{_WS}]++ [^{_WS}/<>"'=]++ (?: ="[^"<>]*+" )? )* [{_WS}]*+ /?+ >
"""
_MARKUP = re.compile(
    rf"""
    < (?! {_SKIPPED} )
    (?: !-- (?: -?> | [\s\S]*? (?: --!?> | \Z ) )  # "Comment start state"
      | (?: [!?] | /(?![a-z]) ) [^>]*+             # "Bogus comment state"
      | (?P<name> /?[a-z][^{_WS}/>]*+ ) {_ATTRIBUTES} (?: (?P<close> > ) | \Z )
    )""",
    _FLAGS,
)
_RAW_TEXT_END = {name: re.compile(rf"</{name}{_NAME_END}", _FLAGS) for name in _RAW_TEXT}
_SCRIPT_STEP = re.compile(rf"<!--(?:-?>)?|-->|<(?P<slash>/?)script{_NAME_END}", _FLAGS)
_NEXT_ATTRIBUTE = re.compile(
    rf"""[{_WS}/]*+
    (?: \Z | ({_NAME}) (?: {_EQUALS} (?: "([^"]*+)" | '([^']*+)' | ({_UNQUOTED}) | () ) | () ) )""",
    _FLAGS,
)
_OWNED_ELSEWHERE = re.compile(rf"(?:[{_WS}]|\A)image-process-")
_ENCODED = re.compile(
    r"&(?:#(?:[xX]([0-9a-fA-F]++)|([0-9]++));?+|([a-zA-Z][a-zA-Z0-9]*+(?:;|(?!=))))|\r\n?+|\0"
)
_SURROGATES = range(0xD800, 0xE000)
_WINDOWS_1252 = range(0x80, 0xA0)
# A URL, and either the commas that end it or its descriptors, in which parentheses hide
# commas; and the descriptors with which a browser keeps the candidate.
_CANDIDATE = re.compile(rf"[{_WS},]*+([^{_WS}]*[^{_WS},])(?:,++|((?:[^(,]++|\([^)]*+\)?+)*+),?+)")
_WIDTH, _HEIGHT = r"0*+[1-9][0-9]*+w", r"0*+[1-9][0-9]*+h"
_DENSITY = r"(?:(?:[0-9]*+\.)?[0-9]++|-(?:0*+\.)?0++)(?:[eE][+-]?+[0-9]++)?x"
_DESCRIPTORS = re.compile(
    rf"(?:{_WIDTH}(?:[{_WS}]++{_HEIGHT})?|{_HEIGHT}[{_WS}]++{_WIDTH}|{_DENSITY})?"
)
_ESCAPES = str.maketrans(
    {"&": "&amp;", '"': "&quot;", "'": "&#39;", "<": "&lt;", ">": "&gt;"}
    | {character: f"%{ord(character):02X}" for character in f"{_WS}\0"}
)
_EDGE_COMMA = re.compile(r"\A,|,\Z")


def find_references(html: str) -> list[Reference]:
    """Find every reference to an image in an HTML text.

    These are `img` `src` and `srcset`, `source` `src` and `srcset`, `video` `poster`,
    `input` `src`, `image` `href` and `xlink:href` of SVG, and `a` `href`; those of `a` and
    `source` `src` only if the URL has the suffix of an image. Comments, scripts, styles and
    other raw text are skipped ("Tokenization"); `noscript` and `template` are not. A tag
    with a class `image-process-…` is left to the plugin of that name.

    Args:
        html: Any text; it need not be well-formed.

    Returns:
        The references in document order. Their spans do not overlap.
    """
    return [
        Reference(url, start, end, element, attribute)
        for element, attributes in _start_tags(html)
        for attribute, (first, last) in attributes.items()
        if attribute in _WANTED[element]
        for url, start, end in _urls(html, first, last, is_set=attribute == "srcset")
        if url and ((element, attribute) not in _ONLY_WITH_SUFFIX or has_image_suffix(url))
    ]


def replace_references(html: str, replacements: Mapping[Reference, str]) -> str:
    """Replace references by other URLs, and leave everything else unchanged.

    Args:
        html: The text in which the references were found.
        replacements: The new URL of each reference to replace. It is escaped for its place:
            characters that could end a value, however quoted, become character references;
            white space is percent-encoded, and so is a comma at either end of a URL in a
            `srcset` ("Srcset attributes").

    Returns:
        The text with the new URLs.

    Raises:
        ValueError: A new URL is empty, which not every attribute can express.
    """
    parts: list[str] = []
    position = 0
    for reference in sorted(replacements, key=lambda reference: reference.start):
        url = _escape(replacements[reference], is_set=reference.attribute == "srcset")
        if url[0].isalnum() and html[reference.start - 1].isalnum():
            url = f"&#{ord(url[0])};{url[1:]}"  # it may follow `&#32`, for example, without `;`
        parts += (html[position : reference.start], url)
        position = reference.end
    return "".join((*parts, html[position:]))


def has_image_suffix(url: str) -> bool:
    """Return whether the path of a URL has the suffix of an image, in upper or lower case.

    Args:
        url: A URL or a path; its query and fragment are ignored.

    Returns:
        True if the path ends in one of `IMAGE_SUFFIXES`.
    """
    return url.partition("#")[0].partition("?")[0].lower().endswith(IMAGE_SUFFIXES)


def _start_tags(html: str) -> Iterator[tuple[str, dict[str, tuple[int, int]]]]:
    """Yield the names and attributes of the tags that may contain references."""
    position = 0
    while markup := _MARKUP.search(html, position):
        position = markup.end()
        if not markup["close"]:  # a comment, or a tag that the end of the text cut off
            continue
        name = markup["name"].lower()
        if name in _WANTED:
            attributes = _attributes(html, markup.end("name"), markup.start("close"))
            owner = html[slice(*attributes.get("class", (0, 0)))]
            if not (owner and _OWNED_ELSEWHERE.search(_decode(owner)[0])):
                yield name, attributes
        elif name == "plaintext":
            return
        elif name == "script":
            position = _script_end(html, position)
        elif name in _RAW_TEXT:
            end = _RAW_TEXT_END[name].search(html, position)
            position = end.start() if end else len(html)


def _script_end(html: str, position: int) -> int:
    """Return where a script ends ("Script data state" to "Script data double escape end state")."""
    escaped = hidden = False  # in `<!--`; and in a `<script>` within it, which hides one end tag
    for step in _SCRIPT_STEP.finditer(html, position):
        if step["slash"] is None:
            escaped = step[0] == "<!--"
            hidden = hidden and escaped
        elif step["slash"] and not hidden:
            return step.start()
        else:
            hidden = escaped and not step["slash"]
    return len(html)


def _attributes(html: str, start: int, end: int) -> dict[str, tuple[int, int]]:
    """Return the span of the value of each attribute; empty if it does not have one."""
    spans: dict[str, tuple[int, int]] = {}
    for attribute in _NEXT_ATTRIBUTE.finditer(html, start, end):
        if attribute[1] and attribute[1].isascii():  # lower() turns the Kelvin sign into k
            span = attribute.span(attribute.lastindex or 0)
            spans.setdefault(attribute[1].lower(), span)  # the first of a name counts
    return spans


def _urls(html: str, start: int, end: int, *, is_set: bool) -> Iterator[tuple[str, int, int]]:
    """Yield each URL in the value of an attribute, with its span in the document."""
    text, offsets = _decode(html[start:end])
    if is_set:
        spans = _candidates(text)
    else:
        spans = iter([(len(text) - len(text.lstrip(_WS)), len(text.rstrip(_WS)))])
    for first, last in spans:
        yield text[first:last], start + offsets[first], start + offsets[last]


def _decode(raw: str) -> tuple[str, Sequence[int]]:
    """Resolve the character references in the value of an attribute.

    The sources are "Character reference state" and the states after it, for line ends
    "Preprocessing the input stream", and for U+0000 the attribute value states.

    Returns:
        The text, and the offset in `raw` of each of its code points and of its end.
    """
    if not ("&" in raw or "\r" in raw or "\0" in raw):
        return raw, range(len(raw) + 1)
    parts: list[str] = []
    offsets: list[int] = []
    position = 0
    for encoded in _ENCODED.finditer(raw):
        offsets += range(position, encoded.start())
        parts += (raw[position : encoded.start()], _character(encoded))
        offsets += [encoded.start()] * len(parts[-1])
        position = encoded.end()
    return "".join((*parts, raw[position:])), [*offsets, *range(position, len(raw) + 1)]


def _character(encoded: re.Match[str]) -> str:
    """Return the character for a character reference, a line end or a U+0000."""
    hexadecimal, decimal, name = encoded.groups()
    if name:
        return html5.get(name, encoded[0])
    if not (hexadecimal or decimal):
        return "\ufffd" if encoded[0] == "\0" else "\n"
    digits = (hexadecimal or decimal).lstrip("0")[:8]  # eight are too many already
    number = int(digits or "0", 16 if hexadecimal else 10)
    if not 0 < number <= sys.maxunicode or number in _SURROGATES:
        return "\ufffd"
    if number in _WINDOWS_1252:
        return bytes([number]).decode("cp1252", "ignore") or chr(number)
    return chr(number)


def _candidates(srcset: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of the URLs in a srcset ("Parsing a srcset attribute")."""
    position = 0
    while candidate := _CANDIDATE.match(srcset, position):
        position = candidate.end()
        if _DESCRIPTORS.fullmatch((candidate[2] or "").strip(_WS)):
            yield candidate.span(1)


def _escape(url: str, *, is_set: bool) -> str:
    """Escape a URL so that it is one value in any kind of quotes, or unquoted."""
    if not url:
        raise ValueError("the new URL of an image is empty")
    return (_EDGE_COMMA.sub("%2C", url) if is_set else url).translate(_ESCAPES)
