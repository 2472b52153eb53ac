"""Where a Markdown source names its images, to the character, for `export`.

No Markdown parser tells where everything stands that a reader accepts, and no two readers
accept the same. So the site's own reader is asked: whatever in the source could be the
spelling of an image's URL is replaced by a token, the source is rendered, and the tokens
that come out as images' URLs show which spellings were just that. Nobody has to
believe it: an export is rendered too, and refused unless its HTML is the HTML of the source
with other addresses in it.

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
from pelican_imagehost.errors import ExportRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["Span", "find_spans", "rewrite_markdown"]


class Span(NamedTuple):
    """One place of a Markdown source that gives an image's URL.

    Attributes:
        url: The URL as it is found in the rendered HTML, character references resolved.
        start: Where its spelling begins in the source, in code points.
        end: Where it ends, exclusive; angle brackets, quotes and titles are outside.
    """

    url: str
    start: int
    end: int


def find_spans(source: str, render: Callable[[str], str]) -> list[Span]:
    """Find every place of a Markdown source that gives an image's URL.

    Args:
        source: The Markdown text, line ends and byte order mark as they are in the file.
        render: What makes HTML of such a text; it is called twice, or, where many tokens
            at once disturb it, once more for each possible place.

    Returns:
        The spans in the order of the source. They do not overlap. One span can be the
        origin of many references: a definition used twice.
    """
    return _spans(source, render, find_references(render(source)))


def rewrite_markdown(
    source: str, render: Callable[[str], str], replace: Callable[[str], str | None]
) -> str:
    """Give the images of a Markdown source other addresses, and change nothing else.

    Args:
        source: The Markdown text, line ends and byte order mark as they are in the file.
        render: What makes HTML of such a text: the site's own reader.
        replace: Gives the new address for a URL as it is found in the rendered HTML, or
            None where it shall stay. The address is written into the source as it is.

    Returns:
        A source whose HTML is that of the old one with the new addresses in it.

    Raises:
        ExportRefused: There is no such source, or this module cannot find it.
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
    """Find the origins of references: of all at once, or, where that fails, one by one."""
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
    """Put tokens in these places; return those that come out as the URLs of references.

    Returns:
        The spans in the order of the source, or None where the tokens changed more than
        URLs: there are more references then, or fewer, or others.
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


def _possible_places(source: str, urls: Iterable[str]) -> list[tuple[int, int]]:
    """Return where one of the URLs stands in the source, however it is spelled."""
    spellings = [_spelling(url) for url in sorted(urls, key=len, reverse=True)]
    if not spellings:
        return []
    # A URL that is a word would be found inside others: `cat` in `/cat.png`.
    pattern = re.compile(rf"(?<![\w/%])(?:{'|'.join(spellings)})(?![\w/%])")
    return [found.span() for found in pattern.finditer(source)]


def _spelling(url: str) -> str:
    """Return a pattern of the ways to write a URL in Markdown and in HTML.

    A reader may have resolved character references and backslash escapes (CommonMark,
    "Backslash escapes", "Entity and numeric character references") and percent-encoded
    what it found unfit for a URL; python-markdown leaves all of that alone.
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
    """Return a pattern of the ways to write one character that is not percent-encoded."""
    names = [name for name, text in html5.items() if text == character and name.endswith(";")]
    ways = [f"#0*{ord(character)};", f"#[xX]0*(?i:{ord(character):x});", *names]
    escape = r"\\?" if character in string.punctuation else ""
    return f"{escape}{re.escape(character)}|&(?:{'|'.join(ways)})"


def _with(source: str, places: Iterable[tuple[int, int, str]]) -> str:
    """Return the source with other text in these places."""
    parts: list[str] = []
    position = 0
    for start, end, text in places:
        parts += (source[position:start], text)
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
                f"The image {url!r} cannot become {address!r}: no place of the source was found"
                " that gives this URL to images and to nothing else."
            )
    pairs = zip_longest(expected.splitlines(keepends=True), html.splitlines(keepends=True))
    number, (old, new) = next(
        (number, pair) for number, pair in enumerate(pairs, 1) if pair[0] != pair[1]
    )
    raise ExportRefused(
        f"The export would change more than its images' addresses: line {number} of the HTML"
        f" would be {new!r} instead of {old!r}."
    )


def _respelled(html: str) -> str:
    """Write every reference as this package would."""
    return replace_references(html, {r: r.url for r in find_references(html)})
