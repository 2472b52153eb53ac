"""The URLs in a style sheet or in a list of declarations.

The tokens are those of CSS Syntax Module Level 3, section 4. The text is not parsed further:
a URL counts wherever a function that takes one stands.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["find_urls"]

# Functions whose strings are URLs: CSS Values 4, "URLs"; CSS Images 4, sections 2.4 and 2.5.
_TAKES_STRINGS = frozenset(["url", "src", "image", "image-set", "-webkit-image-set"])

_CLOSERS = {"(": ")", "[": "]", "{": "}"}

# A plain repeat here stops where no other iteration could begin, so it never backtracks far;
# possessive ones are for iterations that cannot fail halfway (see `tags`).
_ESCAPE = r"\\(?:[0-9a-fA-F]{1,6}+(?:\r\n|[ \t\n\r\f])?+|[^\n\r\f0-9a-fA-F])"
_IN_STRING = rf"{_ESCAPE}|\\(?:\r\n|[\n\r\f])"
_WS = r"[ \t\n\r\f]"
_TOKEN = re.compile(
    rf"""
    /\*[\s\S]*?(?:\*/|\Z) | <!-- | -->
  | "(?P<double>(?:[^"\\\n\r\f]++|{_IN_STRING})*)(?:"|\\?\Z)?+
  | '(?P<single>(?:[^'\\\n\r\f]++|{_IN_STRING})*)(?:'|\\?\Z)?+
  | [@\#]?(?P<name>(?:[a-zA-Z0-9_\x80-\U0010ffff-]++|{_ESCAPE}|\\\Z)+)(?P<function>\()?
  | (?P<open>[(\[{{]) | (?P<close>[)\]}}])
    """,
    re.VERBOSE,
)
_URL = re.compile(
    rf"""{_WS}*+ (?: (?=["'])
      | (?P<url>(?:[^"'()\\ \t\n\r\f\x00-\x08\x0b\x0e-\x1f\x7f]++|{_ESCAPE}|\\\Z)*)
        {_WS}*+ (?:\)|\Z)
      | (?P<bad>(?:[^)\\]++|\\[\s\S]?+)*+ \)?+) )""",
    re.VERBOSE,
)
_ESCAPED = re.compile(r"\\(?:([0-9a-fA-F]{1,6}+)(?:\r\n|[ \t\n\r\f])?+|(\r\n|[\n\r\f])|([\s\S]?))")
_SURROGATES = range(0xD800, 0xE000)


def find_urls(css: str) -> Iterator[tuple[str, int, int]]:
    """Find the URLs in a CSS text.

    Args:
        css: Any text; character references resolved.

    Yields:
        The URL, escapes resolved, and where its spelling begins and ends, without quotes.
    """
    position = 0
    blocks: list[tuple[str, str]] = []  # the function and the closing bracket of each
    while token := _TOKEN.search(css, position):
        position = token.end()
        text = token["double"] or token["single"]
        if text and blocks and blocks[-1][0] in _TAKES_STRINGS:
            start, end = token.start() + 1, token.start() + 1 + len(text)
            if end < position or end == len(css):  # else a line end makes it a bad string
                yield _unescape(text), start, end
        elif token["function"]:
            name = "" if token[0][0] in "@#" else _unescape(token["name"]).lower()
            url = _URL.match(css, position) if name == "url" else None
            if url is None or url.lastgroup is None:
                blocks.append((name, ")"))
                continue
            position = url.end()
            if url["url"]:
                yield _unescape(url["url"]), *url.span("url")
        elif token["open"]:
            blocks.append(("", _CLOSERS[token["open"]]))
        elif blocks and token["close"] == blocks[-1][1]:
            blocks.pop()


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
