"""The variants of a picture, in the markup from which a browser chooses."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pelican_imagehost.images.image import Image

__all__ = ["MARK", "Sources", "sources_of"]

MARK = "data-imagehost"
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
    sets = {kind: _set(image, kind, prefix) for kind in formats}
    sets = {kind: text for kind, text in sets.items() if text}
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


def _set(image: Image, kind: str, prefix: str) -> str:
    """Return a `srcset`: of widths, but for a single variant as wide as the image."""
    variants = [one for one in image.variants if one.type == kind]
    variants.sort(key=lambda one: one.width)
    if len(variants) == 1 and variants[0].width == image.width:
        return prefix + variants[0].key
    return ", ".join(f"{prefix}{one.key} {one.width}w" for one in variants)
