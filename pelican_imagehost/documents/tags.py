"""The tags of an HTML text that may name images, and the values of their attributes.

The text is never parsed: a scanner follows the tokenizer of the WHATWG HTML standard
("Tokenization"). Like any tokenizer it does not build a tree: within SVG, CDATA sections and
an empty `<title/>` are read as they would be outside.

A position counts code points, and every span is half-open.
"""

from __future__ import annotations

import re
import string
import sys
from html.entities import html5
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.documents.wanted import ELEMENTS, EVERYWHERE
from pelican_imagehost.images.image import IMAGE_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

__all__ = ["ATTRIBUTES", "RAW_TEXT", "WS", "Tag", "decode", "find_tags", "read_tag", "value_of"]


class Tag(NamedTuple):
    """A start tag.

    Attributes:
        name: The name of the element, in lower case.
        attributes: The span of the value of each attribute, by its name in lower case;
            empty if it does not have one.
        start: Where the tag begins.
        end: Where the tag ends.
        text_end: Where its text ends, if that is raw; otherwise `end`.
    """

    name: str
    attributes: dict[str, tuple[int, int]]
    start: int
    end: int
    text_end: int


def _any_of(words: Collection[str]) -> str:
    """Return a pattern for any of these words, which looks at their first letters once."""
    initials = sorted({word[0] for word in words})
    rests = ("|".join(sorted(word[1:] for word in words if word[0] == i)) for i in initials)
    return "|".join(f"{i}(?:{rest})" for i, rest in zip(initials, rests, strict=True))


RAW_TEXT = ("iframe", "noembed", "noframes", "style", "textarea", "title", "xmp")

# The white space of HTML; `\s` matches more. HTML letters are ASCII: without re.A the Kelvin
# sign would match k, and the long s would match s.
WS = "\t\n\f\r "
_FLAGS = re.ASCII | re.IGNORECASE | re.VERBOSE
_NAME_END = rf"(?=[{WS}/>])"

# "Before attribute name state" to "After attribute value (quoted) state". It is possessive,
# and every path through it ends at the `>` of the tag or at the end of the text, so it takes
# linear time on any input. A group in a possessive repeat makes CPython fail ("The span of
# capturing group is wrong"), and before 3.11.5 (gh-106052) such a repeat continued from the
# position that its last, failed iteration had reached, so an iteration may fail only in front
# of white space.
_NAME = rf"[^{WS}/>][^{WS}/>=]*+"
_EQUALS = rf"[{WS}]*+ = [{WS}]*+"
_UNQUOTED = rf"""[^{WS}>"'][^{WS}>]*+"""
_VALUE = rf"""(?: "[^"]*+ (?: "|\Z ) | '[^']*+ (?: '|\Z ) | {_UNQUOTED} )"""
ATTRIBUTES = rf"(?: [{WS}/]++ | {_NAME} (?: {_EQUALS} {_VALUE}?+ )?+ )*+"

# Most tags can be skipped at once: an end tag without quotes; a tag that cannot contain a
# reference and whose attributes, all double-quoted, contain neither `<` nor `>`, so that the
# next `<` is after it; and such a link that does not contain the suffix of an image. A `style`
# with a URL has a parenthesis.
_NAMES = _any_of({*ELEMENTS, *RAW_TEXT, "script", "plaintext"})
_SUFFIX = "|".join(suffix[1:] for suffix in IMAGE_SUFFIXES)
_LATE = _any_of({name[5:] for name in EVERYWHERE if name.startswith("data-")})
_ANYWHERE = rf"(?: style | background | data-(?:{_LATE}) )"
_SKIPPED = rf"""
      /[a-z][^<>"']*+>
    | (?: (?!(?:{_NAMES}){_NAME_END}) [a-z][^{WS}/<>"'=]*+
        | a (?=[{WS}][^<>&.]*+ (?: \.(?!{_SUFFIX})[^<>&.]*+ )*> ) )
      (?: [{WS}]++ (?: (?!{_ANYWHERE}) [^{WS}/<>"'=]++ (?: ="[^"<>]*+" )?
                     | style="[^"<>(&]*+" ) )*
      [{WS}]*+ /?+ >
"""
_MARKUP = re.compile(
    rf"""
    < (?! {_SKIPPED} )
    (?: !-- (?: -?> | [\s\S]*? (?: --!?> | \Z ) )  # "Comment start state"
      | (?: [!?] | /(?![a-z]) ) [^>]*+             # "Bogus comment state"
      | (?P<name> /?[a-z][^{WS}/>]*+ ) {ATTRIBUTES} (?: (?P<close> > ) | \Z )
    )""",
    _FLAGS,
)
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_MAY_NAME = re.compile(_ANYWHERE, _FLAGS)
_RAW_TEXT_END = {name: re.compile(rf"</{name}{_NAME_END}", _FLAGS) for name in RAW_TEXT}
_SCRIPT_STEP = re.compile(rf"<!--(?:-?>)?|-->|<(?P<slash>/?)script{_NAME_END}", _FLAGS)
_NEXT_ATTRIBUTE = re.compile(
    rf"""[{WS}/]*+
    (?: \Z | ({_NAME}) (?: {_EQUALS} (?: "([^"]*+)" | '([^']*+)' | ({_UNQUOTED}) | () ) | () ) )""",
    _FLAGS,
)
_OWNED_ELSEWHERE = re.compile(rf"(?:[{WS}]|\A)image-process-")
_ENCODED = re.compile(
    r"&(?:#(?:[xX]([0-9a-fA-F]++)|([0-9]++));?+|([a-zA-Z][a-zA-Z0-9]*+(?:;|(?!=))))|\r\n?+|\0"
)
_SURROGATES = range(0xD800, 0xE000)
_WINDOWS_1252 = range(0x80, 0xA0)


def find_tags(html: str) -> Iterator[Tag]:
    """Find the start tags that may contain references to images.

    Comments, scripts and raw text are skipped ("Tokenization"); `noscript` and `template` are
    not. A tag with a class `image-process-…` is left to the plugin of that name.

    Args:
        html: Any text; it need not be well-formed.

    Yields:
        The tags in document order.
    """
    position = 0
    while markup := _MARKUP.search(html, position):
        position = end = markup.end()
        if not markup["close"]:  # a comment, or a tag that the end of the text cut off
            continue
        name = markup["name"]
        name = name.lower() if name.isascii() else name.translate(_LOWER)
        if name in _RAW_TEXT_END:
            text_end = _RAW_TEXT_END[name].search(html, end)
            position = text_end.start() if text_end else len(html)
        elif name == "script":
            position = _script_end(html, end)
        elif name == "plaintext":
            return
        is_wanted = name in ELEMENTS or (
            name[0] != "/" and _MAY_NAME.search(html, markup.end("name"), end - 1)
        )
        tag = _read(html, name, markup, position) if is_wanted else None
        if tag is not None:
            yield tag


def read_tag(html: str, position: int) -> Tag | None:
    """Read the one tag at a position, which is not within a comment, a script or raw text.

    Args:
        html: Any text.
        position: Where the tag begins.

    Returns:
        The tag, as `find_tags` gives it; None if there is no start tag, the end of the text
        cuts it off, or it is left to another plugin.
    """
    markup = _MARKUP.match(html, position)
    if markup is None or not markup["close"] or markup["name"][0] == "/":
        return None
    return _read(html, markup["name"].lower(), markup, markup.end())


def _read(html: str, name: str, markup: re.Match[str], text_end: int) -> Tag | None:
    attributes = _attributes(html, markup.end("name"), markup.end() - 1)
    owner = html[slice(*attributes.get("class", (0, 0)))]
    if owner and _OWNED_ELSEWHERE.search(decode(owner)[0]):
        return None
    return Tag(name, attributes, markup.start(), markup.end(), text_end)


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
    spans: dict[str, tuple[int, int]] = {}
    for attribute in _NEXT_ATTRIBUTE.finditer(html, start, end):
        if attribute[1] and attribute[1].isascii():  # lower() turns the Kelvin sign into k
            span = attribute.span(attribute.lastindex or 0)
            spans.setdefault(attribute[1].lower(), span)  # the first of a name counts
    return spans


def value_of(html: str, tag: Tag, name: str) -> str:
    """Return the value of an attribute, decoded; "" if the tag does not have it."""
    return decode(html[slice(*tag.attributes.get(name, (0, 0)))])[0]


def decode(raw: str) -> tuple[str, Sequence[int]]:
    """Resolve the character references in the value of an attribute.

    The sources are "Character reference state" and the states after it, for line ends
    "Preprocessing the input stream", and for U+0000 the attribute value states.

    Args:
        raw: The value as written, without quotes.

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
