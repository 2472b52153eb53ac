"""The references to images in a Markdown source, to the character, for `export`.

No Markdown parser reports the position of everything that a reader accepts, and no two
readers accept the same. So the reader of the site itself is used: everything in the source
that could be the URL of an image is replaced by a token, the source is rendered, and the
tokens that appear as URLs of images show which places were references. The result is
checked: an export is rendered too, and refused unless its HTML is the HTML of the source
with the new addresses.

A position counts code points, and every span is half-open.
"""

from __future__ import annotations

import re
import string
from functools import cache
from html.entities import html5
from itertools import count, zip_longest
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote_to_bytes

from pelican_imagehost.documents.references import (
    Reference,
    find_references,
    replace_references,
)
from pelican_imagehost.documents.wikilinks import EMBED, as_markdown, read_embed, target_of
from pelican_imagehost.errors import ExportRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

__all__ = ["Span", "find_spans", "rewrite_markdown"]


class Span(NamedTuple):
    """The place of the URL of an image in a Markdown source.

    Attributes:
        url: The URL as found in the rendered HTML, character references resolved.
        start: Where its spelling begins in the source, in code points.
        end: Where it ends, exclusive; angle brackets, quotes and titles are outside. The
            span of an embed, `![[cat.png|300]]`, is all of it.
    """

    url: str
    start: int
    end: int


def find_spans(source: str, render: Callable[[str], str]) -> list[Span]:
    """Find every URL of an image in a Markdown source.

    Args:
        source: The Markdown text, line ends and byte order mark as they are in the file.
        render: Renders such a text to HTML; called twice, or, if many tokens at once
            disturb it, once more for each possible place.

    Returns:
        The spans in source order. They do not overlap. One span can be the origin of
        several references, for example a definition used twice.
    """
    return _spans(source, render, find_references(render(source)))


def rewrite_markdown(
    source: str, render: Callable[[str], str], replace: Callable[[str], str | None]
) -> str:
    """Replace the addresses of the images in a Markdown source, and change nothing else.

    Args:
        source: The Markdown text, line ends and byte order mark as they are in the file.
        render: Renders such a text to HTML, with the reader of the site itself.
        replace: Returns the new address for a URL as found in the rendered HTML, or None
            to keep it. The address is written into the source unescaped.

    Returns:
        A source whose HTML is the HTML of the old one with the new addresses.

    Raises:
        ExportRefused: Such a source does not exist, or cannot be found.
    """
    html = render(source)
    references = find_references(html)
    addresses = {url: replace(url) for url in dict.fromkeys(r.url for r in references)}
    wanted = {r: address for r in references if (address := addresses[r.url]) is not None}
    if not wanted:
        return source
    places = [
        (span.start, span.end, address)
        for span in _spans(source, render, references)
        if (address := addresses[span.url]) is not None
    ]
    result = _with(source, places)
    _prove(replace_references(html, wanted), render(result))
    return result


def _spans(
    source: str, render: Callable[[str], str], references: Sequence[Reference]
) -> list[Span]:
    """Find the origins of references: all at once, or one by one if that fails."""
    places = _possible_places(source, {r.url for r in references})
    spans = _proven(source, places, render, references)
    if spans is None:
        each = (_proven(source, [place], render, references) for place in places)
        spans = [span for found in each for span in found or ()]
    return spans


def _proven(
    source: str,
    places: Sequence[tuple[int, int]],
    render: Callable[[str], str],
    references: Sequence[Reference],
) -> list[Span] | None:
    """Put tokens in these places, and find those that become URLs of references.

    Returns:
        The spans in source order, or None if the tokens changed more than URLs, so that
        there are more references, or fewer, or others.
    """
    stem = next(stem for n in count() if (stem := f"imagehost{n}x") not in source)
    tokens = {f"{stem}{n}.png": place for n, place in enumerate(places)}
    marked = _with(source, [(start, end, token) for token, (start, end) in tokens.items()])
    rendered = find_references(render(marked))
    if [(r.element, r.attribute) for r in rendered] != [
        (r.element, r.attribute) for r in references
    ]:
        return None
    spans = {}
    for before, after in zip(references, rendered, strict=True):
        if after.url in tokens:
            spans[after.url] = Span(before.url, *tokens[after.url])
        elif after.url != before.url:
            return None
    return sorted(spans.values(), key=lambda span: span.start)


def _possible_places(source: str, urls: Collection[str]) -> list[tuple[int, int]]:
    """Return the places of the URLs in the source, in any spelling."""
    targets = [target for url in urls if (target := target_of(url)) is not None]
    others = [url for url in urls if target_of(url) is None]
    patterns = [rf"!\[\[\s*{_spellings(targets)}\s*(?:\\?\|[^\[\]\n]*)?\]\]"] if targets else []
    # A URL that is a word would be found within others: `cat` in `/cat.png`.
    patterns += [rf"(?<![\w/%]){_spellings(others)}(?![\w/%])"] if others else []
    found = re.finditer("|".join(patterns), source) if patterns else ()
    return [place.span() for place in found]


def _spellings(urls: Iterable[str]) -> str:
    return f"(?:{'|'.join(map(_spelling, sorted(urls, key=len, reverse=True)))})"


def _spelling(url: str) -> str:
    """Return a pattern for all spellings of a URL in Markdown and in HTML.

    A reader may have resolved character references and backslash escapes (CommonMark,
    "Backslash escapes", "Entity and numeric character references") and percent-encoded
    characters that a URL cannot contain; python-markdown does neither. CSS has escapes too.
    """
    parts = []
    for coded, plain in re.findall(r"((?:%[0-9A-Fa-f]{2})+)|([\s\S])", url):
        for character in plain or unquote_to_bytes(coded).decode(errors="surrogateescape"):
            octets = character.encode(errors="surrogateescape")
            raw = "".join(f"%{octet:02X}" for octet in octets) if coded else ""
            parts.append(f"(?:{_written(character)}{raw and f'|(?i:{raw})'})")
    return "".join(parts)


@cache
def _written(character: str) -> str:
    """Return a pattern for all spellings of a character that is not percent-encoded."""
    names = [name for name, text in html5.items() if text == character and name.endswith(";")]
    ways = [f"#0*{ord(character)};", f"#[xX]0*(?i:{ord(character):x});", *names]
    escape = "" if character in string.hexdigits else r"\\?"
    in_css = rf"\\0*(?i:{ord(character):x})(?:\r\n|[ \t\n\f\r])?"  # CSS, "Escaping"
    return f"{escape}{re.escape(character)}|&(?:{'|'.join(ways)})|{in_css}"


def _with(source: str, places: Iterable[tuple[int, int, str]]) -> str:
    """Put addresses in these places; an embed becomes an image that others read too."""
    parts: list[str] = []
    position = 0
    for start, end, text in places:
        inside = re.fullmatch(EMBED, source[start:end])
        embed = read_embed(inside[1]) if inside else None
        parts += (source[position:start], as_markdown(embed, text) if embed else text)
        position = end
    return "".join((*parts, source[position:]))


def _prove(expected: str, html: str) -> None:
    """Refuse an export whose HTML is not the expected one.

    The same URL may be escaped in two ways, so both sides are compared in one spelling.
    """
    expected, html = _respelled(expected), _respelled(html)
    if expected == html:
        return
    wanted, found = ([r.url for r in find_references(text)] for text in (expected, html))
    for address, url in zip(wanted, found, strict=False):
        if address != url:
            raise ExportRefused(
                f"cannot replace the image {url!r} by {address!r}: no place in the source sets"
                " this URL for images alone"
            )
    pairs = zip_longest(expected.splitlines(keepends=True), html.splitlines(keepends=True))
    number, (old, new) = next(
        (number, pair) for number, pair in enumerate(pairs, 1) if pair[0] != pair[1]
    )
    raise ExportRefused(
        f"the export would change more than image addresses: line {number} of the HTML"
        f" would be {new!r} instead of {old!r}"
    )


def _respelled(html: str) -> str:
    """Rewrite every reference in the spelling of this package, and void elements in one."""
    html = replace_references(html, {r: r.url for r in find_references(html)})
    return html.replace(" />", ">")
