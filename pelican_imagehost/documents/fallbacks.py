r"""Smaller pictures in place of large originals, where a browser cannot choose.

What a page says about itself (`og:image`, JSON-LD and such) and what a feed shows is fetched as
it is named: readers of feeds would get megabytes, and some previews give up. Nothing else
changes: links lead to the original, and so does an `enclosure`, which offers a file and says
how long it is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.documents.regions import find_regions
from pelican_imagehost.documents.sources import PLAIN
from pelican_imagehost.documents.tags import WS, decode, read_tag, value_of
from pelican_imagehost.images.image import KEY, MEDIA_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pelican_imagehost.documents.tags import Tag
    from pelican_imagehost.images.image import Image

    FallbackOf = Callable[[str], Image | None]

__all__ = ["name_in_feed", "name_in_page"]

_DATA = "application/ld+json"
_ABOUT_IMAGES = re.compile(r"image_src|image|thumbnail|thumbnailurl|logo", re.IGNORECASE)
_SLASH = r"\/"  # in JSON
_LONGEST = 5_000  # characters of a tag in a feed, and around it
# Media RSS 1.5.1, "media:content" and "media:thumbnail"; podcasts' and Feedly's covers.
_SHOWN = re.compile(
    r"<(?:(?:media:content|media:thumbnail)\s(?:[^<>]*\s)?url"
    r"|itunes:image\s(?:[^<>]*\s)?href|webfeeds:cover\s(?:[^<>]*\s)?image)=[\"']\Z"
)
_ESCAPED = re.compile(r"<(?:content|content:encoded|description|summary)[\s>]")
_FACTS = re.compile(r"\s(?:fileSize|length|width|height)\s*=")  # of the original
_TYPE = re.compile(r"\stype\s*=\s*[\"']([^\"']*)")


class _Address(NamedTuple):
    """An address of an original, and the picture in place of it."""

    start: int
    end: int
    key: int  # where the key begins
    fallback: Image


def name_in_page(page: str, prefix: str, complete: str, fallback_of: FallbackOf) -> str:
    r"""Name smaller pictures in what a page says about itself.

    In `<meta content>`, `<link rel=image_src>`, and strings of JSON-LD. No other script changes.

    Args:
        page: the text of a page.
        prefix: what stands before the keys of images in it.
        complete: the same where slashes are escaped, as in `https:\/\/`; it is never relative.
        fallback_of: returns the picture for an original by its SHA-256; None if it has none.

    Returns:
        The page.
    """
    found = list(_addresses(page, prefix, "/", fallback_of, _may_be_about))
    if _SLASH in page:
        escaped = complete.replace("/", _SLASH)
        found += _addresses(page, escaped, _SLASH, fallback_of, _may_be_about)
        found.sort()
    if not found:
        return page
    regions = list(find_regions(page, found[-1].start))
    chosen = []
    for one in found:
        around = [region.start for region in regions if region.start < one.start < region.end]
        if (
            (_is_data(page, around[0]) and page[one.start - 1] == '"')
            if around
            else _is_in_tag(page, one)
        ):
            chosen.append(one)
    return _replaced(page, chosen)


def name_in_feed(feed: str, prefix: str, fallback_of: FallbackOf) -> str:
    """Name smaller pictures where a feed shows them.

    Args:
        feed: the text of an Atom or RSS feed, with its entries escaped, in CDATA or as XHTML.
        prefix: what stands before the keys of images in it.
        fallback_of: as for `name_in_page`.

    Returns:
        The feed.
    """
    found = _addresses(feed, prefix, "/", fallback_of, lambda *_: True)
    return _replaced(feed, [one for one in found if _is_shown(feed, one)])


def _addresses(
    text: str,
    prefix: str,
    slash: str,
    fallback_of: FallbackOf,
    is_possible: Callable[[str, int, int], bool],
) -> Iterator[_Address]:
    key = KEY if slash == "/" else _ESCAPED_KEY
    position = text.find(prefix)
    while position >= 0:
        after = position + len(prefix)
        match = key.match(text, after)
        is_meant = match is not None and is_possible(text, position, match.end())
        fallback = fallback_of(match[2]) if match and is_meant else None
        if match and fallback:
            yield _Address(position, match.end(), after, fallback)
        position = text.find(prefix, after)


_ESCAPED_KEY = re.compile(KEY.pattern.replace("/", r"\\/"))


def _replaced(text: str, addresses: Iterable[_Address]) -> str:
    parts: list[str] = []
    done = 0
    for one in addresses:
        slash = _SLASH if text.startswith(_SLASH, one.key + 2) else "/"
        parts += (text[done : one.key], one.fallback.key.replace("/", slash))
        done = one.end
    return "".join((*parts, text[done:]))


def _may_be_about(page: str, start: int, end: int) -> bool:
    """Return whether an address may be one to replace: most are not, and this is quick."""
    first = page.rfind("<", 0, start)
    if page.find(">", first, start) < 0:  # it is in this tag
        return page[first + 1 : first + 5].lower() in {"meta", "link"}
    quote = page[start - 1]
    return quote in {'"', "'"} and page[end : end + 1] == quote


def _tag_around(page: str, one: _Address) -> Tag | None:
    tag = read_tag(page, max(0, page.rfind("<", 0, one.start)))
    return tag if tag is not None and tag.end > one.start else None


def _is_in_tag(page: str, one: _Address) -> bool:
    tag = _tag_around(page, one)
    if tag is None:
        return False
    name = "content" if tag.name == "meta" else "href"
    if tag.name == "link":
        kinds = f"{value_of(page, tag, 'rel')} {value_of(page, tag, 'itemprop')}".split()
        if not any(map(_ABOUT_IMAGES.fullmatch, kinds)):
            return False
    first, last = tag.attributes.get(name, (0, 0))
    return page[first:last].strip(WS) == page[one.start : one.end]


def _is_data(page: str, start: int) -> bool:
    """Return whether the JSON-LD of a page begins at a position."""
    tag = read_tag(page, start)
    kind = value_of(page, tag, "type") if tag is not None and tag.name == "script" else ""
    return kind.partition(";")[0].strip(WS).lower() == _DATA


def _is_shown(feed: str, one: _Address) -> bool:
    """Return whether a feed shows a picture: in an `img`, or in an element of its own."""
    first = max(0, one.start - _LONGEST)
    before = feed[first : one.start]
    name = before.rfind("<")
    if _SHOWN.match(before, max(0, name)):
        tag = feed[first + name : feed.find(">", one.end)]
        kind = _TYPE.search(tag)
        is_right = kind is None or kind[1] == MEDIA_TYPES[one.fallback.type]
        return is_right and not _FACTS.search(tag)
    opening = "<"
    if name < 0 or _ESCAPED.match(before, name):  # in CDATA and XHTML, that is a sample of code
        opening = "(?:<|&lt;)"
    start = _last(rf"{opening}img[\s/]", before)
    if start < 0 or _last(f"{opening}picture", before[:start]) > _last(
        f"{opening}/picture", before[:start]
    ):
        return False
    closing = "&gt;" if before[start] == "&" else ">"
    raw = feed[first + start : feed.find(closing, one.end) + len(closing)]
    return _is_source(raw, one.start - first - start, one.end - first - start)


def _last(pattern: str, text: str) -> int:
    """Return where the last match of a pattern begins; -1 if there is none."""
    found = re.finditer(pattern, text, re.ASCII | re.IGNORECASE)
    return max((match.start() for match in found), default=-1)


def _is_source(raw: str, start: int, end: int) -> bool:
    """Return whether a text begins with an `img`, maybe escaped, whose source is at a span."""
    html, offsets = decode(raw) if raw[0] == "&" else (raw, range(len(raw) + 1))
    tag = read_tag(html, 0)
    if tag is None or "srcset" in tag.attributes:
        return False
    first, last = tag.attributes.get("src", (0, 0))
    is_there = (offsets[first], offsets[last]) == (start, end)
    return is_there and PLAIN not in value_of(html, tag, "class").split()
