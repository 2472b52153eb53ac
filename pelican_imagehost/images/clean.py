"""Metadata out, pixels untouched: what of an image is published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pelican_imagehost.images import avif, gif, jpeg, png, webp
from pelican_imagehost.images.metadata import find_credits, find_location
from pelican_imagehost.images.svg_clean import clean_svg

if TYPE_CHECKING:
    import mmap

    from pelican_imagehost.images.pieces import Piece

__all__ = ["clean", "has_location"]

ALL, COPYRIGHT = "all", "copyright"
_WALKERS = {"avif": avif, "gif": gif, "jpg": jpeg, "png": png, "webp": webp}


def clean(
    data: bytes | mmap.mmap, kind: str, keep: frozenset[str] = frozenset()
) -> list[Piece] | None:
    """Find what to publish of an image: all that draws, and nothing about its author or place.

    Orientation, colour, timing and resolution stay. The image is walked to its end, so
    `check` of its walker is not needed as well.

    Args:
        data: the whole file.
        kind: its type.
        keep: what else to keep: `copyright`, or `all` for the file as it is.

    Returns:
        The pieces of the published file, in order; None if it is the file as it is.

    Raises:
        CorruptImage: the file is cut off or damaged, so that metadata could be overlooked.
        UnsupportedImage: browsers do not show it.
    """
    if kind == "svg":
        return clean_svg(data[:], keep)
    walker = _WALKERS[kind]
    walker.measure(data)
    if ALL in keep:
        walker.check(data)
        return None
    credited = find_credits(walker.metadata(data)) if COPYRIGHT in keep else None
    pieces: list[Piece] | None = walker.clean(data, credited)
    return pieces


def has_location(data: bytes | mmap.mmap, kind: str) -> bool:
    """Return whether an image says where it was taken.

    Args:
        data: the whole file.
        kind: its type.

    Raises:
        CorruptImage: the file is damaged.
    """
    walker = _WALKERS.get(kind)
    return walker is not None and find_location(walker.metadata(data))
