"""The URLs in a style sheet or in a list of declarations.

The tokens are those of CSS Syntax Module Level 3, section 4. The text is not parsed further:
a URL counts wherever a function that takes one stands.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

__all__ = ["Text", "find_requests", "find_urls"]

# Functions whose strings are URLs: CSS Values 4, "URLs"; CSS Images 4, sections 2.4 and 2.5.
_TAKES_STRINGS = frozenset(["url", "src", "image", "image-set", "-webkit-image-set"])
# Functions that become any tokens, a URL perhaps: CSS Values 5, "Arbitrary Substitution".
_SUBSTITUTES = frozenset(["var", "env", "attr", "inherit"])

_CLOSERS = {"(": ")", "[": "]", "{": "}"}

# Repeats are possessive, so that they take linear time and keep nothing to return to. Before
# Python 3.11.5 (gh-106052) such a repeat continued from the position that its last, failed
# iteration had reached: each one here looks ahead first, or fails at its first characters.
_LETTER = r"a-zA-Z0-9_\x80-\U0010ffff-"
_ESCAPE = r"(?=\\[^\n\r\f])\\(?:[0-9a-fA-F]{1,6}+(?:\r\n|[ \t\n\r\f])?|[^0-9a-fA-F])"
_IN_STRING = rf"{_ESCAPE}|(?=\\[\n\r\f])\\(?:\r\n|[\n\r\f])"
_WS = r"[ \t\n\r\f]"
_COMMENT = r"/\*[\s\S]*?(?:\*/|\Z)"
_STRING = rf"""
    "(?P<double>(?:[^"\\\n\r\f]++|{_IN_STRING})*+)(?:"|\\?\Z)?
  | '(?P<single>(?:[^'\\\n\r\f]++|{_IN_STRING})*+)(?:'|\\?\Z)?"""
_NAME = rf"(?P<mark>[@\#]?)(?P<name>(?:[{_LETTER}]++|{_ESCAPE}|\\\Z)++)(?P<function>\()?"
# What lies outside of those functions is of no interest but for two rules: much of it is passed
# at once, up to a name that is one of theirs or that has an escape.
_OUTSIDE = re.compile(
    rf"""
    (?: [^"'/\\@\#<{_LETTER}]++ | <(?:!--)?
      | {_COMMENT}
      | {_STRING.replace("?P<double>", "?:").replace("?P<single>", "?:")}
      | (?!(?i:(?:{"|".join(_TAKES_STRINGS)})\(|@(?:import|namespace)(?![{_LETTER}\\])))
        [@\#]?[{_LETTER}]++(?!\\)
      | [@\#](?![{_LETTER}\\]) | /(?!\*)
    ){{0,1000}} (?:{_NAME}|[@\#\\])?""",
    re.VERBOSE,
)
_WITHIN = re.compile(
    rf"{_COMMENT} | <!-- | --> | {_STRING} | {_NAME} | (?P<bracket>[(\[{{)\]}}])", re.VERBOSE
)
_GAP = rf"(?:{_WS}++|{_COMMENT})*+"
_PREFIX = rf"-?+(?:[a-zA-Z_\x80-\U0010ffff-]|{_ESCAPE})(?:[{_LETTER}]++|{_ESCAPE})*+(?!\()"
# What may stand between the name of a rule and its address.
_BEFORE_ADDRESS = {
    "import": re.compile(_GAP),
    "namespace": re.compile(rf"{_GAP}(?:{_PREFIX}{_GAP})?"),
}
_LEADING_STRING = re.compile(_STRING, re.VERBOSE)
_URL = re.compile(
    rf"""{_WS}*+ (?: (?=["'])
      | (?P<url>(?:[^"'()\\ \t\n\r\f\x00-\x08\x0b\x0e-\x1f\x7f]++|{_ESCAPE}|\\\Z)*+)
        {_WS}*+ (?:\)|\Z)
      | (?P<bad>(?:[^)\\]++|\\[\s\S]?+)*+ \)?+) )""",
    re.VERBOSE,
)
_ESCAPED = re.compile(r"\\(?:([0-9a-fA-F]{1,6}+)(?:\r\n|[ \t\n\r\f])?+|(\r\n|[\n\r\f])|([\s\S]?))")
# Only a font is followed by its format (CSS Fonts 4, section 4.3.1); it may be an SVG too.
_FONT = re.compile(rf"""["']?{_GAP}\){_GAP}format\(""", re.IGNORECASE)
_SURROGATES = range(0xD800, 0xE000)


class Text(NamedTuple):
    """A string, an unquoted URL, or a function that becomes other tokens.

    Attributes:
        text: Its content, escapes resolved; of a function, its name and `()`.
        start: Where its spelling begins, without quotes.
        end: Where it ends.
        function: The innermost function around it; `url` for an unquoted URL.
        rule: `import` or `namespace`, if it is the address in that rule.
    """

    text: str
    start: int
    end: int
    function: str
    rule: str


def find_urls(css: str) -> Iterator[tuple[str, int, int]]:
    """Find the URLs in a CSS text, but those of fonts.

    Args:
        css: Any text; character references resolved.

    Yields:
        The URL, escapes resolved, and where its spelling begins and ends, without quotes.
    """
    for found in _find_texts(css):
        if found.function in _TAKES_STRINGS and not _FONT.match(css, found.end):
            yield found[:3]


def find_requests(css: str) -> Iterator[Text]:
    """Find all that a browser could request, and so what may become an address.

    Besides URLs that is an imported sheet, and what is substituted within a function that
    takes strings. The name of a namespace is never requested (CSS Namespaces 3, section 2).

    Args:
        css: As for `find_urls`.
    """
    for found in _find_texts(css):
        if found.function != "type" and found.rule != "namespace":
            yield found


def _find_texts(css: str) -> Iterator[Text]:
    """Find what stands in functions that take URLs, and what is imported."""
    position, rule, address = 0, "", -1  # the last rule, and where its address would begin
    while position < len(css) and (token := _OUTSIDE.match(css, position)):
        position = token.end()
        name = _unescape(token["name"] or "").lower()
        if token["mark"] == "@" and name in _BEFORE_ADDRESS and not token["function"]:
            gap = _BEFORE_ADDRESS[name].match(css, position)
            rule, address = name, gap.end() if gap else position
            if string := _LEADING_STRING.match(css, address):
                position = string.end()
                yield from _read_string(css, string, "", rule)
        elif token["function"] and not token["mark"] and name in _TAKES_STRINGS:
            is_address = token.start("name") == address
            position = yield from _read_function(css, position, name, rule if is_address else "")


def _read_function(css: str, position: int, name: str, rule: str) -> Generator[Text, None, int]:
    """Yield the texts in a function; return where it ends."""
    blocks: list[tuple[str, str]] = []  # the function and the closing bracket of each
    position = yield from _open_function(css, position, name, rule, blocks)
    while blocks:
        token = _WITHIN.search(css, position)
        if token is None:
            return len(css)
        position = token.end()
        if token.lastgroup in {"double", "single"}:
            yield from _read_string(css, token, blocks[-1][0], rule)
        elif token["function"]:
            name = "" if token["mark"] else _unescape(token["name"]).lower()
            if name in _SUBSTITUTES or name.startswith("--"):
                yield Text(f"{name}()", *token.span(), name, rule)
            position = yield from _open_function(css, position, name, rule, blocks)
        elif token["bracket"] in _CLOSERS:
            blocks.append(("", _CLOSERS[token["bracket"]]))
        elif token["bracket"] == blocks[-1][1]:
            blocks.pop()
    return position


def _open_function(
    css: str, position: int, name: str, rule: str, blocks: list[tuple[str, str]]
) -> Generator[Text, None, int]:
    """Enter a function, or yield an unquoted URL; return where reading continues."""
    url = _URL.match(css, position) if name == "url" else None
    if url is None or url.lastgroup is None:
        blocks.append((name, ")"))
        return position
    if url["url"]:
        yield Text(_unescape(url["url"]), *url.span("url"), name, rule)
    return url.end()


def _read_string(css: str, token: re.Match[str], function: str, rule: str) -> Iterator[Text]:
    text = token["double"] or token["single"]
    if text:
        start = token.start() + 1
        end = start + len(text)
        if end < token.end() or end == len(css):  # else a line end makes it a bad string
            yield Text(_unescape(text), start, end, function, rule)


def _unescape(text: str) -> str:
    """Resolve escapes ("Consume an escaped code point")."""
    return _ESCAPED.sub(_character, text) if "\\" in text else text


def _character(escaped: re.Match[str]) -> str:
    digits, line_end, other = escaped.groups()
    if line_end:
        return ""
    if not digits:
        return other or "\ufffd"
    number = int(digits, 16)
    invalid = number == 0 or number > sys.maxunicode or number in _SURROGATES
    return "\ufffd" if invalid else chr(number)
