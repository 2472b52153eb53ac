"""The variants of a picture, in the markup from which a browser chooses."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pelican_imagehost.images.image import Image

__all__ = ["MARK", "Sources", "offered", "sources_of"]

MARK = "data-imagehost"
_LOSSLESS = "webp"  # a screenshot is kept without loss, whatever types photos are to have
_ALONE = ("webp",)  # the formats that need no `picture`, which a theme's `> img` would miss


class Sources(NamedTuple):
    """The variants of a picture as markup; `~` stands for the quotes of its attributes.

    Attributes:
        before: stands before the `img`; "" if its own attributes say everything.
        attributes: more attributes for the `img`.
        after: stands behind it.
    """

    before: str
    attributes: dict[str, str]
    after: str


def sources_of(image: Image, prefix: str, formats: Sequence[str], sizes: str) -> Sources | None:
    """Return the markup for the variants of an image.

    Args:
        image: the image.
        prefix: what stands before the keys of images in the page.
        formats: the types to name, the best first.
        sizes: the value of the attribute `sizes`.

    Returns:
        The markup; None if the image has no such variants.
    """
    sets = {kind: _set(image, ones, prefix) for kind, ones in offered(image, formats).items()}
    if not sets:
        return None
    has_widths = any(text.endswith("w") for text in sets.values())
    shown = {"sizes": sizes} if has_widths else {}
    if tuple(formats) == _ALONE:
        return Sources("", {"srcset": sets["webp"], **shown}, "")
    tags = "".join(
        f"<source type=~image/{kind}~ srcset=~{text}~"
        f"{f' sizes=~{sizes}~' if text.endswith('w') else ''}>"
        for kind, text in sets.items()
    )
    return Sources(f"<picture {MARK}>{tags}", shown, "</picture>")


def offered(image: Image, formats: Sequence[str]) -> dict[str, list[Image]]:
    """Return the variants that a page names; a browser chooses from the first type it knows.

    Args:
        image: the image.
        formats: the types to name, the best first.

    Returns:
        Type → its variants, from the narrowest.
    """
    found: dict[str, list[Image]] = {kind: [] for kind in (*formats, _LOSSLESS)}
    for one in sorted(image.variants, key=lambda one: one.width):
        if one.type in found:
            found[one.type].append(one)
    if _LOSSLESS not in formats and not _is_whole(image, found[_LOSSLESS]):
        del found[_LOSSLESS]
    return {kind: ones for kind, ones in found.items() if ones}


def _is_whole(image: Image, variants: Sequence[Image]) -> bool:
    return len(variants) == 1 and variants[0].width == image.width


def _set(image: Image, variants: Sequence[Image], prefix: str) -> str:
    """Return a `srcset`: of widths, but for a single variant as wide as the image."""
    if _is_whole(image, variants):
        return prefix + variants[0].key
    return ", ".join(f"{prefix}{one.key} {one.width}w" for one in variants)
