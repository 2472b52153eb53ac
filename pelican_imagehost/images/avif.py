"""The pictures of an AVIF (AV1 Image File Format), followed to their ends without decoding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pelican_imagehost.images import avif_clean, boxes, broken, exif, heif, tracks
from pelican_imagehost.images.boxes import Reader

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator

    from pelican_imagehost.images.exif import Credits
    from pelican_imagehost.images.pieces import Piece

__all__ = ["check", "clean", "measure", "metadata"]

_NAME = "an AVIF"


def measure(data: bytes | mmap.mmap) -> tuple[int, int]:
    """Measure the image as browsers show it: cropped, then turned.

    EXIF counts for nothing here (AV1 Image File Format, section 2.2.2). Browsers play the track
    of pictures, if there is one, unless the major brand is that of a still image.

    Args:
        data: the whole file.

    Returns:
        Width and height in pixels.

    Raises:
        CorruptImage: the header is truncated or damaged.
    """
    brand = data[8:12]
    try:
        track = None if brand == b"avif" else tracks.find_pictures(data)
        if brand == b"avis" and track is None:
            raise ValueError("no track of pictures")  # noqa: TRY301  as the others
        width, height = tracks.measure(data, track) if track else _measure_item(data)
    except ValueError as error:
        raise broken.damaged(_NAME, str(error)) from error
    if not width or not height:
        raise broken.damaged(_NAME, f"{width:,} × {height:,} pixels")
    return width, height


def check(data: bytes | mmap.mmap) -> None:
    """Check that the file has the bytes of every picture and frame.

    Args:
        data: the whole file.

    Raises:
        CorruptImage: it is cut off, or not what browsers show.
    """
    try:
        ends = [end for _, end in _read_items(data).pictures()]
        frames = [end for _, end in tracks.samples(data)]
    except ValueError as error:
        raise broken.damaged(_NAME, str(error)) from error
    if not ends:
        raise broken.damaged(_NAME, "no picture")
    if max(ends + frames) > len(data):
        raise broken.cut_off(_NAME)


def clean(data: bytes | mmap.mmap, credited: Credits | None = None) -> list[Piece] | None:
    """Return the pieces without metadata; see `images/clean`.

    Every box stays where it is, because offsets lead everywhere: metadata is overwritten.

    Args:
        data: the whole file.
        credited: whom the image shall credit.

    Raises:
        CorruptImage: as `check`, or metadata shares bytes with a picture.
    """
    check(data)
    try:
        return avif_clean.clean(data, credited or exif.NOBODY)
    except ValueError as error:
        raise broken.damaged(_NAME, str(error)) from error


def metadata(data: bytes | mmap.mmap) -> Iterator[tuple[str, bytes]]:
    """Yield the kind and content of each block of metadata; see `images/metadata`.

    Args:
        data: the whole file.

    Raises:
        CorruptImage: a box is damaged.
    """
    try:
        yield from avif_clean.metadata(data)
    except ValueError as error:
        raise broken.damaged(_NAME, str(error)) from error


def _read_items(data: bytes | mmap.mmap) -> heif.Items:
    meta = boxes.find(data, None, b"meta")
    if meta is None:
        raise broken.cut_off(_NAME)
    return heif.read_items(data, meta)


def _measure_item(data: bytes | mmap.mmap) -> tuple[int, int]:
    """Measure the primary item (ISO/IEC 23008-12, sections 6.5.3, 6.5.9 and 6.5.10)."""
    width = height = turns = 0
    crop: list[int] = []
    for box in _read_items(data).properties:
        reader = Reader(data, box)
        if box.name == b"ispe":
            _, width, height = reader.number(heif.FULL), reader.number(4), reader.number(4)
        elif box.name == b"irot":
            turns = reader.number(1) & 3
        elif box.name == b"clap":
            crop = [reader.number(4) for _ in range(8)]
    if crop:
        width, height = _crop(crop, width, height)
    return (height, width) if turns % 2 else (width, height)


def _crop(crop: list[int], width: int, height: int) -> tuple[int, int]:
    """Apply a clean aperture as Chromium does: one of whole pixels, from the corner."""
    sides = [*zip(crop[0:4:2], crop[1:4:2], crop[4::2], crop[5::2], (width, height), strict=True)]
    for length, by, shift, parts, side in sides:
        whole = length // by if by else 0
        signed = shift - (shift >> 31 << 32)
        if not 0 < whole <= side or whole * by != length or 2 * signed != (whole - side) * parts:
            return width, height
    return crop[0] // crop[1], crop[2] // crop[3]
