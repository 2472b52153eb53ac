"""The segments of a JPEG (ITU-T T.81, annex B), walked to the end without decoding."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pelican_imagehost.images import broken, exif
from pelican_imagehost.images.pieces import Pieces

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator

    from pelican_imagehost.images.exif import Credits
    from pelican_imagehost.images.pieces import Piece

__all__ = ["check", "clean", "measure", "metadata", "walk"]

_NAME = "a JPEG"
_MARKER = re.compile(rb"\xff[\x01-\xfe]")
# In the data of a scan, 00 follows an FF that is a value, and restart markers stand between.
_SCAN_END = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
SOI, EOI, SOS = 0xD8, 0xD9, 0xDA
APP0, APP1, APP2, APP13, APP14 = 0xE0, 0xE1, 0xE2, 0xED, 0xEE
SCAN = 0  # stands for the data of a scan, which has no marker
_ALONE = frozenset([0x01, *range(0xD0, 0xDA)])  # TEM, restarts, SOI and EOI have no content
_FRAMES = frozenset([0xC0, 0xC1, 0xC2, 0xC9, 0xCA])  # baseline to progressive, arithmetic too
_OTHER_FRAMES = frozenset([0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF, 0xF7])
_TABLES = frozenset([0xC4, 0xCC, 0xDB, 0xDC, 0xDD])
_COMMENTS = frozenset([*range(0xE0, 0xF0), 0xFE])  # APP0 to APP15 and COM
_PASSED = (_TABLES | _COMMENTS | _ALONE | {SCAN}) - {SOI}
_DRAWN = _FRAMES | _TABLES | {SOS, SCAN, EOI}
_JFIF, _ADOBE = 14, 12  # bytes of their segments
_METADATA = (
    (b"Exif\0\0", "exif"),
    (b"http://ns.adobe.com/xap/1.0/\0", "xmp"),
    (b"http://ns.adobe.com/xmp/extension/\0", "xmp"),
    (b"Photoshop 3.0\0", "iptc"),
)
_FILM_PLACE = b"\xa9xyz"  # QuickTime's name for it
_MOST_EXIF = 65_535
_MAX_SIDE = 65_500  # libjpeg's limit, and so that of all browsers
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
        CorruptImage: the header is truncated or damaged.
        UnsupportedImage: the image is of a kind that browsers lack.
    """
    size, facts = _read_header(data)
    return facts.turn(*facts.scale(*size))


def check(data: bytes | mmap.mmap) -> None:
    """Check that the file leads to the end of the image.

    Without an end marker the last rows are missing in browsers: their decoder waits for more
    of the scan. Only decoding could tell such a file from one that was cut off earlier.

    Args:
        data: the whole file.

    Raises:
        CorruptImage: it is cut off, or not what browsers show.
    """
    for _ in _follow(data):
        pass


def clean(data: bytes | mmap.mmap, credited: Credits | None = None) -> list[Piece] | None:
    """Return the pieces without metadata; see `images/clean`.

    What follows the end goes too: other pictures, gain maps, the film of a motion photo.

    Args:
        data: the whole file.
        credited: whom the image shall credit.

    Raises:
        CorruptImage, UnsupportedImage: as `measure` and `check`.
    """
    size, facts = _read_header(data)
    block = exif.write(facts.reduce(*size), credited or exif.NOBODY)
    if block:
        block = b"\xff\xe1" + (len(block) + 8).to_bytes(2) + b"Exif\0\0" + block
    pieces = Pieces(data)
    pieces.keep(0, 2)
    for marker, start, end in _follow(data):
        if marker != APP0:  # which is the first segment if it is JFIF's
            pieces.put(block)
            block = b""
        if marker in _DRAWN:
            pieces.keep(start, end)
        elif content := _kept(data, marker, start, end):
            if len(content) == end - start - 4:
                pieces.keep(start, end)
            else:
                pieces.put(bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2) + content)
    return pieces.finish()


def metadata(data: bytes | mmap.mmap) -> Iterator[tuple[str, bytes]]:
    """Yield the kind and content of each block of metadata; see `images/metadata`.

    Args:
        data: the whole file.
    """
    end = 0
    for marker, start, end in walk(data):
        if marker in {APP1, APP13}:
            content = data[start + 4 : end]
            for name, kind in _METADATA:
                if content.startswith(name):
                    yield kind, content[len(name) :]
    # Other pictures may follow, with places of their own, or a film with one.
    if data.find(_FILM_PLACE, end) >= 0:
        yield "other", _FILM_PLACE
    while (end := data.find(b"Exif\0\0", end)) >= 0:
        end += 6
        yield "exif", data[end : end + _MOST_EXIF]


def _read_header(data: bytes | mmap.mmap) -> tuple[tuple[int, int], exif.Exif]:
    """Read the size and the first EXIF block."""
    size, facts = (0, 0), None
    for marker, start, end in walk(data):
        if marker in _FRAMES or marker in _OTHER_FRAMES:
            size = _frame(data[start:end])
        elif marker == APP1 and facts is None and data[start + 4 : start + 9] == b"Exif\0":
            # One without content does not count.
            facts = exif.read(data[start + 10 : end]) if end > start + 10 else None
        elif marker == SOS:
            return size, facts or exif.Exif()
    raise broken.cut_off(_NAME)


def _follow(data: bytes | mmap.mmap) -> Iterator[tuple[int, int, int]]:
    """Walk as `walk` does, and check that the file leads to its end."""
    frames = scans = marker = 0
    for marker, start, end in walk(data):
        if marker in _FRAMES:
            frames += 1
        elif marker == SOS:
            scans += 1
            _check_scan(data[start : start + 5], frames)
        elif marker not in _PASSED or (scans and marker in _ALONE and marker != EOI):
            raise broken.damaged(_NAME, f"marker {marker:02X} at byte {start:,}")
        elif marker == EOI and not scans:
            raise broken.damaged(_NAME, "no scan")
        yield marker, start, end
    if marker != EOI:
        raise broken.cut_off(_NAME)


def _kept(data: bytes | mmap.mmap, marker: int, start: int, end: int) -> bytes:
    """Return the content to keep of a segment that draws nothing by itself; empty if none is."""
    start += 4
    if marker == APP0 and data[start : start + 5] == b"JFIF\0" and end - start >= _JFIF:
        return data[start : start + _JFIF - 2] + b"\0\0"  # without its small picture
    if marker == APP2 and data[start : start + 12] == b"ICC_PROFILE\0":
        return data[start:end]
    if marker == APP14 and data[start : start + 5] == b"Adobe" and end - start >= _ADOBE:
        return data[start : start + _ADOBE]
    return b""


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
