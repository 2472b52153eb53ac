"""The segments of a JPEG (ITU-T T.81, annex B), walked to the end without decoding."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pelican_imagehost.images import broken, exif

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator

__all__ = ["check", "measure", "walk"]

_NAME = "a JPEG"
_MARKER = re.compile(rb"\xff[\x01-\xfe]")
# In the data of a scan, 00 follows an FF that is a value, and restart markers stand between.
_SCAN_END = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
SOI, EOI, SOS, APP1 = 0xD8, 0xD9, 0xDA, 0xE1
SCAN = 0  # stands for the data of a scan, which has no marker
_ALONE = frozenset([0x01, *range(0xD0, 0xDA)])  # TEM, restarts, SOI and EOI have no content
_FRAMES = frozenset([0xC0, 0xC1, 0xC2, 0xC9, 0xCA])  # baseline to progressive, arithmetic too
_OTHER_FRAMES = frozenset([0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF, 0xF7])
_TABLES = frozenset([0xC4, 0xCC, 0xDB, 0xDC, 0xDD])
_COMMENTS = frozenset([*range(0xE0, 0xF0), 0xFE])  # APP0 to APP15 and COM
_PASSED = (_TABLES | _COMMENTS | _ALONE | {SCAN}) - {SOI, EOI}
_MAX_SIDE = 65_500  # libjpeg's limit, and so that of all browsers
_EXIF = b"Exif\0"
_FRAME = 10  # bytes of a frame header, up to the number of colours
_BITS = 8  # of a colour
_COLOURS = frozenset([1, 3, 4])


def walk(data: bytes | mmap.mmap) -> Iterator[tuple[int, int, int]]:
    """Walk the segments up to the end of the first image.

    Args:
        data: the whole file.

    Yields:
        Marker, start and end of each segment, and `SCAN` for the data behind a SOS. The end of
        the last is beyond the file if the file is cut off. Bytes between segments are in none.

    Raises:
        CorruptImage: there are more segments than in any image.
    """
    position = 2
    for _ in range(broken.MAX_PARTS):
        found = _MARKER.search(data, position)
        if found is None:
            return
        start, position = found.span()
        marker = data[position - 1]
        if marker not in _ALONE:
            position += max(2, int.from_bytes(data[position : position + 2]))
        yield marker, start, position
        if marker == EOI:
            return
        if marker == SOS:
            start, scan_end = position, _SCAN_END.search(data, position)
            position = scan_end.start() if scan_end else len(data)
            yield SCAN, start, position
    raise broken.damaged(_NAME, f"more than {broken.MAX_PARTS:,} segments")


def measure(data: bytes | mmap.mmap) -> tuple[int, int]:
    """Measure the image as browsers show it, by its header and the first EXIF block.

    Args:
        data: the whole file.

    Returns:
        Width and height in pixels, turned upright.

    Raises:
        CorruptImage: the header is truncated or damaged, or of a kind that browsers lack.
    """
    size, facts = (0, 0), None
    for marker, start, end in walk(data):
        if marker in _FRAMES or marker in _OTHER_FRAMES:
            size = _frame(data[start:end])
        elif marker == APP1 and facts is None and data[start + 4 : start + 9] == _EXIF:
            # One without content does not count.
            facts = exif.read(data[start + 10 : end]) if end > start + 10 else None
        elif marker == SOS:
            facts = facts or exif.Exif()
            return facts.turn(*facts.scale(*size))
    raise broken.cut_off(_NAME)


def check(data: bytes | mmap.mmap) -> None:
    """Check that the file leads to the end of the image.

    Without an end marker the last rows are missing in browsers: their decoder waits for more
    of the scan. Only decoding could tell such a file from one that was cut off earlier.

    Args:
        data: the whole file.

    Raises:
        CorruptImage: it is cut off, or not what browsers show.
    """
    frames = scans = 0
    for marker, start, end in walk(data):
        if marker in _FRAMES:
            frames += 1
        elif marker == SOS:
            scans += 1
            _check_scan(data[start : start + 5], frames)
        elif marker == EOI and scans:
            return
        elif marker not in _PASSED:
            raise broken.damaged(_NAME, f"marker {marker:02X} at byte {start:,}")
        if end > len(data):
            break
    raise broken.cut_off(_NAME)


def _check_scan(header: bytes, frames: int) -> None:
    if frames != 1:
        raise broken.damaged(_NAME, f"a scan after {frames} frame headers")
    if int.from_bytes(header[2:4]) != 6 + 2 * int.from_bytes(header[4:5]):
        raise broken.damaged(_NAME, "a scan's header of the wrong length")


def _frame(segment: bytes) -> tuple[int, int]:
    """Read a frame header (T.81, section B.2.2)."""
    if len(segment) < _FRAME:
        raise broken.cut_off(_NAME)
    height, width = int.from_bytes(segment[5:7]), int.from_bytes(segment[7:9])
    if segment[1] in _OTHER_FRAMES or segment[4] != _BITS:
        raise broken.exotic(_NAME, "lossless, hierarchical or of more than 8 bits a colour")
    if not width or not height or segment[9] not in _COLOURS:
        raise broken.damaged(_NAME, f"{width:,} × {height:,} pixels of {segment[9]} colours")
    if max(width, height) > _MAX_SIDE:
        raise broken.exotic(_NAME, f"a side of more than {_MAX_SIDE:,} pixels")
    return width, height
