"""The variants of a picture, in the markup from which a browser chooses, and the one for others."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.images.variants.make import LARGE, SHOWN_ANYWHERE, TOP, widths_to_make

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pelican_imagehost.images.image import Image

__all__ = ["MARK", "PLAIN", "Sources", "fallback_of", "offered", "shown_anywhere", "sources_of"]

MARK = "data-imagehost"
PLAIN = "imagehost-plain"  # the class of a picture that stays as it is
_LOSSLESS = "webp"  # a screenshot is kept without loss, whatever types photos are to have
_ALONE = ("webp",)  # the formats that need no `picture`, which a theme's `> img` would miss
_FALLBACKS = ("jpg", "png")


class Sources(NamedTuple):
    """The variants of a picture as markup; `~` stands for the quotes of its attributes.

    Attributes:
        tags: stand before the `img` in a `picture`; "" if its own attributes say everything.
        attributes: more attributes for the `img`.
        fallback: another address for the `img` itself; "" if it keeps its own.
    """

    tags: str
    attributes: dict[str, str]
    fallback: str


def fallback_of(image: Image) -> Image | None:
    """Return the variant that stands for a large original where no browser chooses.

    Args:
        image: the image; what else was made of it, for a theme, has no influence.

    Returns:
        The variant; None if the original is small enough, or has none.
    """
    if image.size <= LARGE:
        return None
    width = min(TOP, image.width)
    found = [one for one in image.variants if one.type in _FALLBACKS and one.width == width]
    return min(found, key=lambda one: one.type, default=None)


def shown_anywhere(image: Image, width: int) -> Image:
    """Return what a browser of any age can show in a width, of what there is.

    Args:
        image: the image.
        width: pixels.

    Returns:
        The narrowest variant that is wide enough; the image itself if none is.
    """
    least = min(width, image.width)
    found = [one for one in image.variants if one.type in SHOWN_ANYWHERE and one.width >= least]
    return min(found, key=lambda one: (one.width, one.type), default=image)


def sources_of(
    image: Image, prefix: str, formats: Sequence[str], widths: Sequence[int], sizes: str
) -> Sources | None:
    """Return the markup for the variants of an image.

    Args:
        image: the image.
        prefix: what stands before the keys of images in the page.
        formats: the types to name, the best first.
        widths: the widths to name, of those that were made.
        sizes: the value of the attribute `sizes`.

    Returns:
        The markup; None if the image has no such variants.
    """
    chosen = offered(image, formats, widths)
    sets = {kind: _set(image, ones, prefix) for kind, ones in chosen.items()}
    if not sets:
        return None
    has_widths = any(text.endswith("w") for text in sets.values())
    shown = {"sizes": sizes} if has_widths else {}
    smaller = fallback_of(image)
    fallback = prefix + smaller.key if smaller else ""
    if tuple(formats) == _ALONE:
        return Sources("", {"srcset": sets["webp"], **shown}, fallback)
    tags = "".join(
        f"<source type=~image/{kind}~ srcset=~{text}~"
        f"{f' sizes=~{sizes}~' if text.endswith('w') else ''}>"
        for kind, text in sets.items()
    )
    return Sources(tags, shown, fallback)


def offered(image: Image, formats: Sequence[str], widths: Sequence[int]) -> dict[str, list[Image]]:
    """Return the variants that a page names; a browser chooses from the first type it knows.

    Args:
        image: the image.
        formats: the types to name, the best first.
        widths: the widths to name, of those that were made.

    Returns:
        Type → its variants, from the narrowest.
    """
    variants = image.variants  # read from its line each time
    planned = widths_to_make(image.width, widths)
    found = {kind: _chosen(image, _of_type(variants, kind), planned) for kind in formats}
    found = {kind: ones for kind, ones in found.items() if ones}
    if found:
        return found
    lossless = _chosen(image, _of_type(variants, _LOSSLESS), set())
    return {_LOSSLESS: lossless} if lossless else {}


def _of_type(variants: Iterable[Image], kind: str) -> dict[int, Image]:
    return {one.width: one for one in variants if one.type == kind}


def _chosen(image: Image, variants: Mapping[int, Image], planned: set[int]) -> list[Image]:
    """Return the variants of a type to name.

    The widest has to be there: without it the others were made for something else, and a large
    screen would get a small picture.
    """
    is_whole = max(planned, default=0) in variants
    widths = sorted(planned) if is_whole else [image.width]
    return [variants[width] for width in widths if width in variants]


def _set(image: Image, variants: Sequence[Image], prefix: str) -> str:
    """Return a `srcset`: of widths, but for a single variant as wide as the image."""
    if [one.width for one in variants] == [image.width]:
        return prefix + variants[0].key
    return ", ".join(f"{prefix}{one.key} {one.width}w" for one in variants)
