"""The tracks of an ISO base media file (ISO/IEC 14496-12): the frames of a moving AVIF."""

from __future__ import annotations

import sys
from array import array
from itertools import accumulate, islice
from typing import TYPE_CHECKING

from pelican_imagehost.images import boxes
from pelican_imagehost.images.broken import MAX_PARTS

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator

    from pelican_imagehost.images.boxes import Box

__all__ = ["find_pictures", "measure", "samples", "walk"]

_FULL = 4  # bytes of version and flags, which begin a full box
_COUNTED = _FULL + 4  # these and the number of entries
_TABLE = b"mdia", b"minf", b"stbl"


def walk(data: bytes | mmap.mmap) -> Iterator[Box]:
    """Walk the tracks of a file.

    Args:
        data: the whole file.

    Yields:
        The box of each.

    Raises:
        ValueError: there are too many boxes.
    """
    movie = boxes.find(data, None, b"moov")
    if movie:
        yield from (b for b in boxes.walk(data, movie.content, movie.end) if b.name == b"trak")


def find_pictures(data: bytes | mmap.mmap) -> Box | None:
    """Return the first track of pictures, not of their transparency; None if there is none.

    Args:
        data: the whole file.

    Raises:
        ValueError: there are too many boxes.
    """
    for track in walk(data):
        handler = boxes.find(data, track, b"mdia", b"hdlr")
        if handler and data[handler.content + 8 : handler.content + 12] == b"pict":
            return track
    return None


def measure(data: bytes | mmap.mmap, track: Box) -> tuple[int, int]:
    """Read the size of a track from the end of its header, in 16.16 bits (section 8.3.2).

    Args:
        data: the whole file.
        track: its box.

    Returns:
        Width and height in whole pixels.

    Raises:
        ValueError: it has no header.
    """
    header = boxes.find(data, track, b"tkhd")
    if header is None or header.end - header.content < 8:  # noqa: PLR2004  two sides
        raise ValueError("a track without a header")
    sides = data[header.end - 8 : header.end]
    return int.from_bytes(sides[:4]) >> 16, int.from_bytes(sides[4:]) >> 16


def samples(data: bytes | mmap.mmap) -> list[tuple[int, int]]:
    """Return start and end of each chunk of samples of all tracks.

    Args:
        data: the whole file.

    Raises:
        ValueError: the tables are missing or too short, or there are too many.
    """
    all_samples = (chunk for track in walk(data) for chunk in _samples(data, track))
    found = list(islice(all_samples, MAX_PARTS + 1))
    if len(found) > MAX_PARTS:
        raise ValueError("more frames than in any image")
    return found


def _samples(data: bytes | mmap.mmap, track: Box) -> Iterator[tuple[int, int]]:
    """Yield start and end of each chunk of a track (sections 8.7.3 to 8.7.5)."""
    table = boxes.find(data, track, *_TABLE)
    parts = {b.name: b for b in boxes.walk(data, table.content, table.end)} if table else {}
    offsets = parts.get(b"stco") or parts.get(b"co64")
    if offsets is None or not parts.keys() >= {b"stsz", b"stsc"}:
        raise ValueError("a track without a table of its samples")
    sizes = boxes.Reader(data, parts[b"stsz"])
    _, size = sizes.number(_FULL), sizes.number(4)
    ends = [0, *accumulate(_numbers(data, parts[b"stsz"], _COUNTED + 4))]
    runs = _numbers(data, parts[b"stsc"], _COUNTED)  # first chunk, samples in each, description
    run = sample = 0
    for number, start in enumerate(_numbers(data, offsets, _COUNTED, wide=offsets.name == b"co64")):
        while run + 3 < len(runs) and runs[run + 3] <= number + 1:
            run += 3
        first, sample = sample, sample + (runs[run + 1] if len(runs) > 1 else 0)
        length = (sample - first) * size or ends[min(sample, len(ends) - 1)] - ends[
            min(first, len(ends) - 1)
        ]
        yield start, start + length


def _numbers(data: bytes | mmap.mmap, box: Box, skip: int, *, wide: bool = False) -> array[int]:
    """Return the numbers of a table, of 32 or 64 bits each."""
    numbers = array("Q" if wide else "I")
    content = data[box.content + skip : box.end]
    numbers.frombytes(content[: len(content) // numbers.itemsize * numbers.itemsize])
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers
