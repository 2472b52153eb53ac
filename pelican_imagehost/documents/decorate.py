"""The pictures of a written page, with what keeps the page still while they arrive.

Attributes are added behind the name of an `img`, in the quotes of its `src`: so nothing around
it ends there, be it a script or the value of another tag. The author's text stays, and only
what is absent is added. `data-imagehost` holds the size of the image, and behind it `w` and `h`
for the sides that the author gave.

Numbers alone would distort pictures where a theme limits one side (`max-height`, or `max-width`
as in Pelican's own), and be lost where it says `width: auto`. So a style sheet of no weight,
which every rule of a theme overrides, takes them back and gives the box the natural size of
the picture instead (CSS Sizing 4, "Overriding Contained Intrinsic Sizes"): a theme does with it
what it does when the picture has arrived. Browsers that do not know this have the numbers.
"""

from __future__ import annotations

import re
from bisect import bisect
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.documents.regions import INERT, WITH_TAGS, find_regions
from pelican_imagehost.documents.sources import MARK as _MARKER
from pelican_imagehost.documents.sources import PLAIN
from pelican_imagehost.documents.tags import ATTRIBUTES, WS, find_tags, read_tag, value_of
from pelican_imagehost.documents.wanted import EVERYWHERE
from pelican_imagehost.images.image import KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pelican_imagehost.documents.sources import Sources
    from pelican_imagehost.documents.tags import Tag

__all__ = ["Size", "decorate"]

Size = tuple[int, int]  # width and height in pixels, as shown

_SIDES = ("width", "height")
_LATE = frozenset(EVERYWHERE) - {"style"}  # a script of the theme loads the picture
# HTML, "Rules for parsing dimension values".
_DIMENSION = re.compile(rf"[{WS}]*([0-9]+(?:\.[0-9]+)?)(%?)")
# What the style sheet stands behind: the encoding has to be in the first 1,024 bytes.
_HEAD = re.compile(
    rf"""(?: [{WS}\ufeff]+ | <!--[\s\S]*?--> | <[!?][^>]*> | <title[{WS}>][\s\S]*?</title[^>]*>
    | <(?: html | head | base | meta (?![^>]*security-policy) ) (?=[{WS}/>]) {ATTRIBUTES} > )*""",
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)
_SHEET = (
    f"<style>:where(img[{_MARKER}]:not([{_MARKER}*=h])){{height:auto}}"
    f"@supports(contain-intrinsic-size:1px){{"
    f":where(img[{_MARKER}]:not([{_MARKER}*=w])){{width:auto}}%s}}</style>"
)
# A `source` would be an item of its own where the theme says flex or grid.
_WRAPPER = (
    f":where(picture[{_MARKER}]){{display:contents}}"
    f":where(picture[{_MARKER}]>source){{display:none}}"
)
_RULE = (
    f':where(img[{_MARKER}|="%dx%d"])'
    "{contain:size;contain-intrinsic-size:%dpx %dpx;aspect-ratio:auto %d/%d}"
)


class _Picture(NamedTuple):
    """A hosted picture of a page.

    Attributes:
        tag: its tag.
        digest: the SHA-256 of its image.
        is_one_of_many: whether others may be shown in its place.
    """

    tag: Tag
    digest: str
    is_one_of_many: bool


def decorate(
    page: str,
    prefix: str,
    size_of: Callable[[str], Size | None],
    sources_of: Callable[[str, str], Sources | None] | None = None,
    sizes: str = "100vw",
) -> str:
    """Give the hosted pictures of a page their sizes, and an order in which to arrive.

    The first is fetched before all others; the others when they are near, if their boxes are
    known until then.

    Args:
        page: the text of a page.
        prefix: what stands before the keys of images in it.
        size_of: returns the size of an image by its SHA-256; None if it is not known.
        sources_of: returns the markup for the variants of an image, by its SHA-256 and the
            value for `sizes`; None if it has none.
        sizes: the width of a picture, for `sizes`.

    Returns:
        The page; one that was decorated already is unchanged.
    """
    pictures = list(_pictures(page, prefix))
    if not pictures:
        return page
    head = _HEAD.match(page)
    done = head.end() if head else 0
    parts = [page[:done], ""]  # the second is for the style sheet
    found: dict[Size, None] = {}
    wraps = False
    for number, picture in enumerate(pictures):
        tag = picture.tag
        size = None if picture.is_one_of_many else size_of(picture.digest)
        added = _attributes(page, tag, size, is_first=number == 0)
        sources = None
        if size is not None and _MARKER in added:
            found[size] = None
            width = _width(page, tag, added, sizes)
            sources = sources_of(picture.digest, width) if sources_of else None
        start = tag.start + len("<img")
        if sources is None:
            parts += (page[done:start], _written(page, tag, added))
            done = start
        else:
            quote = "'" if page[tag.attributes["src"][0] - 1] == "'" else '"'
            written = _written(page, tag, {**added, **sources.attributes}, quote)
            before, after = "", ""
            if sources.tags:
                before, after = f"<picture {_MARKER}>{sources.tags}", "</picture>"
                wraps = True
            parts += (page[done : tag.start], before.replace("~", quote))
            parts += (page[tag.start : start], written)
            parts += (_with_source(page, tag, start, sources.fallback), after)
            done = tag.end
    if found:
        parts[1] = _SHEET % "".join(_RULE % (size * 3) for size in found)
        if wraps:
            parts[1] = parts[1].replace("<style>", f"<style>{_WRAPPER}", 1)
    return "".join((*parts, page[done:]))


def _pictures(page: str, prefix: str) -> Iterator[_Picture]:
    """Yield the hosted pictures of a page, in its order, but those that are somebody else's."""
    tags, is_certain = _anchored(page, prefix)
    if not tags and is_certain:
        return
    starts = [tag.start for tag in tags]
    regions = [
        one
        for one in find_regions(page, starts[-1] if is_certain else len(page))
        if not is_certain or bisect(starts, one.start) < bisect(starts, one.end)
    ]
    if not is_certain or any(one.name not in WITH_TAGS for one in regions):
        tags = [tag for tag in find_tags(page) if tag.name == "img"]
    for tag in tags:
        digest = _digest(page, tag, prefix)
        around = {one.name for one in regions if one.start < tag.start < one.end}
        if digest and not (_is_left_alone(page, tag) or around & INERT):
            yield _Picture(tag, digest, "picture" in around or "srcset" in tag.attributes)


def _anchored(page: str, prefix: str) -> tuple[list[Tag], bool]:
    """Find the images of a page by their addresses, which takes a quarter of the time.

    Returns:
        The tags, and whether they are all, if none of them is in a comment, a script or such.
    """
    tags = []
    is_certain = True
    position = page.find(prefix)
    while position >= 0:
        after = position + len(prefix)
        if page[max(0, position - 9) : position].rstrip(_BEFORE_URL)[-3:].lower() == "src":
            start = page.rfind("<", 0, position)
            is_image = page[start + 1 : start + 4].lower() == "img"
            tag = read_tag(page, start) if is_image else None
            is_outermost = page.rfind(">", 0, start) >= page.rfind("<", 0, start)
            if tag is None or tag.end < after or not is_outermost:
                is_certain = False
            else:
                tags.append(tag)
                after = tag.end
        position = page.find(prefix, after)
    return tags, is_certain


_BEFORE_URL = f"\"'={WS}"


def _digest(page: str, tag: Tag, prefix: str) -> str:
    """Return the SHA-256 in the source of an image; "" if it is another address."""
    url = value_of(page, tag, "src").strip(WS)
    key = KEY.match(url, len(prefix)) if url.startswith(prefix) else None
    return key[2] if key and url[key.end() : key.end() + 1] in {"", "?", "#"} else ""


def _is_left_alone(page: str, tag: Tag) -> bool:
    is_late = not _LATE.isdisjoint(tag.attributes)
    return is_late or PLAIN in value_of(page, tag, "class").split()


def _attributes(page: str, tag: Tag, size: Size | None, *, is_first: bool) -> dict[str, str]:
    """Return the attributes to add to an image, by their names."""
    given = {
        side: _DIMENSION.match(value_of(page, tag, side))
        for side in _SIDES
        if side in tag.attributes
    }
    is_marked = _MARKER in tag.attributes
    added = {} if size is None or is_marked else _numbers(given, size)
    has_box = is_marked or bool(added) or all(given.get(side) for side in _SIDES)
    if tag.attributes.keys().isdisjoint(("loading", "fetchpriority")):
        if is_first:
            added["fetchpriority"] = "high"
        elif has_box:
            added["loading"] = "lazy"
    if "decoding" not in tag.attributes:
        added["decoding"] = "async"
    return added


def _numbers(given: dict[str, re.Match[str] | None], size: Size) -> dict[str, str]:
    """Return the numbers that an image lacks, and the marker.

    Args:
        given: what the author gave; None if browsers ignore it, as `height="auto"`.
        size: the size of the image.
    """
    natural = dict(zip(_SIDES, size, strict=True))
    added = {}
    for side, other in (_SIDES, _SIDES[::-1]):
        length = given.get(other)
        if side in given or (length and length[2]):
            continue
        share = float(length[1]) / natural[other] if length else 1
        added[side] = f"{max(1, round(natural[side] * share))}"
    theirs = "".join(side[0] for side in _SIDES if given.get(side))
    return {**added, _MARKER: f"{size[0]}x{size[1]}{theirs and '-'}{theirs}"}


def _width(page: str, tag: Tag, added: dict[str, str], sizes: str) -> str:
    """Return the value for `sizes`: what the author gave, or what a browser finds out itself."""
    given = _DIMENSION.match(value_of(page, tag, "width"))
    if given and not given[2]:
        return f"{given[1]}px"
    is_lazy = added.get("loading") == "lazy" or value_of(page, tag, "loading").lower() == "lazy"
    return f"auto, {sizes}" if is_lazy else sizes


def _written(page: str, tag: Tag, added: dict[str, str], quote: str | None = None) -> str:
    """Return attributes as they are written into a tag, behind its name."""
    before = page[tag.attributes["src"][0] - 1]
    is_slash_next = page[tag.start + len("<img")] == "/"  # it would become part of a value
    if quote is None:
        quote = before if before in "\"'" else '"' if is_slash_next else ""
    return "".join(f" {name}={quote}{value}{quote}" for name, value in added.items())


def _with_source(page: str, tag: Tag, start: int, source: str) -> str:
    """Return a tag from a position on, with another source unless the author gave its own more."""
    first, last = tag.attributes["src"]
    is_alone = source and page.find("?", first, last) < 0 and page.find("#", first, last) < 0
    return page[start:first] + source + page[last : tag.end] if is_alone else page[start : tag.end]
