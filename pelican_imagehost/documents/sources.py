"""The variants of a picture, in the markup from which a browser chooses, and the one for others."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.images.variants.make import LARGE, SHOWN_ANYWHERE, TOP, widths_to_make

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pelican_imagehost.images.image import Image

__all__ = ["MARK", "PLAIN", "Sources", "fallback_of", "shown_anywhere", "sources_of"]

MARK = "data-imagehost"
PLAIN = "imagehost-plain"  # the class of a picture that stays as it is
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
    return _fallback_in(image, image.variants) if image.size > LARGE else None


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
    variants = image.variants  # read from its line each time
    planned = widths_to_make(image.width, widths)
    sets = {kind: _set(image, _of_type(variants, kind), prefix, planned) for kind in formats}
    sets = {kind: text for kind, text in sets.items() if text}
    if not sets:  # a screenshot has one without loss, whatever the formats
        sets = {"webp": _set(image, _of_type(variants, "webp"), prefix, set())}
    if not any(sets.values()):
        return None
    has_widths = any(text.endswith("w") for text in sets.values())
    shown = {"sizes": sizes} if has_widths else {}
    smaller = _fallback_in(image, variants) if image.size > LARGE else None
    fallback = prefix + smaller.key if smaller else ""
    if tuple(formats) == _ALONE:
        return Sources("", {"srcset": sets["webp"], **shown}, fallback)
    tags = "".join(
        f"<source type=~image/{kind}~ srcset=~{text}~"
        f"{f' sizes=~{sizes}~' if text.endswith('w') else ''}>"
        for kind, text in sets.items()
    )
    return Sources(tags, shown, fallback)


def _fallback_in(image: Image, variants: Iterable[Image]) -> Image | None:
    width = min(TOP, image.width)
    found = [one for one in variants if one.type in _FALLBACKS and one.width == width]
    return min(found, key=lambda one: one.type, default=None)


def _of_type(variants: Iterable[Image], kind: str) -> dict[int, Image]:
    return {one.width: one for one in variants if one.type == kind}


def _set(image: Image, variants: Mapping[int, Image], prefix: str, planned: set[int]) -> str:
    """Return a `srcset`: of widths, but for a single variant as wide as the image.

    The widest has to be there: without it the others were made for something else, and a large
    screen would get a small picture.
    """
    is_whole = max(planned, default=0) in variants
    chosen = sorted(planned & variants.keys()) if is_whole else [image.width]
    if chosen == [image.width]:
        return prefix + variants[image.width].key if image.width in variants else ""
    return ", ".join(f"{prefix}{variants[width].key} {width}w" for width in chosen)
