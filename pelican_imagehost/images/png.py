"""The chunks of a PNG or APNG (PNG, third edition), walked to the end."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.images import broken, exif
from pelican_imagehost.images.pieces import Pieces

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator

    from pelican_imagehost.images.exif import Credits
    from pelican_imagehost.images.pieces import Piece

__all__ = ["SIGNATURE", "check", "clean", "measure", "metadata", "walk"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_NAME = "a PNG"
_CRITICAL = frozenset([b"IHDR", b"PLTE", b"IDAT", b"IEND"])
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_TEXTS = frozenset([b"tEXt", b"zTXt", b"iTXt"])
_RAW = b"Raw profile type "
_MOST_TEXT = 2**20  # bytes
_DRAWN = _CRITICAL | frozenset(
    b"tRNS cHRM gAMA iCCP sBIT sRGB cICP mDCV mDCv cLLI cLLi bKGD pHYs acTL fcTL fdAT".split()
)
_MAX_SIDE = 2**31 - 1
_STEP = 65_536
_DATA = {b"IDAT": 8, b"fdAT": 12}  # bytes before the data: length, name, sequence number
# Start and step, horizontally and vertically, of the seven passes of Adam7 (section 8.2).
_PASSES = (
    (0, 8, 0, 8),
    (4, 8, 0, 8),
    (0, 4, 4, 8),
    (2, 4, 0, 4),
    (0, 2, 2, 4),
    (1, 2, 0, 2),
    (0, 1, 1, 2),
)


class _Header(NamedTuple):
    width: int
    height: int
    bits: int  # of a pixel
    interlaced: bool

    def raw_size(self) -> int:
        """Return the number of bytes of all rows, each with its filter type (section 9.2)."""
        passes = _PASSES if self.interlaced else ((0, 1, 0, 1),)
        total = 0
        for left, right_step, top, down_step in passes:
            columns = -(-(self.width - left) // right_step)
            rows = -(-(self.height - top) // down_step)
            total += rows * (1 + (columns * self.bits + 7) // 8) if columns > 0 < rows else 0
        return total


def walk(data: bytes | mmap.mmap) -> Iterator[tuple[bytes, int, int]]:
    """Walk the chunks.

    Args:
        data: the whole file.

    Yields:
        Name, start and end of each chunk, with its length and CRC. The end of the last is
        beyond the file if the file is cut off.

    Raises:
        CorruptImage: there are more chunks than in any image.
    """
    position, size = len(SIGNATURE), len(data)
    for _ in range(broken.MAX_PARTS):
        head = data[position : position + 8]
        if position + 8 > size:
            return
        name, start = head[4:], position
        position += int.from_bytes(head[:4]) + 12
        yield name, start, position
        if name == b"IEND":
            return
    raise broken.damaged(_NAME, f"more than {broken.MAX_PARTS:,} chunks")


def measure(data: bytes | mmap.mmap) -> tuple[int, int]:
    """Measure the image as browsers show it, by its header and an eXIf before its data.

    Args:
        data: the whole file.

    Returns:
        Width and height in pixels, turned upright.

    Raises:
        CorruptImage: the header is truncated or damaged.
        UnsupportedImage: the image is of a kind that browsers lack.
    """
    header = _header(data)
    return _read_exif(data).turn(header.width, header.height)


def check(data: bytes | mmap.mmap) -> None:
    """Check that the file leads to the end of the image.

    Browsers show a file without IEND if its rows are complete, so only then are they counted.

    Args:
        data: the whole file.

    Raises:
        CorruptImage: it is cut off, or not what browsers show.
    """
    for _ in _follow(data):
        pass


def clean(data: bytes | mmap.mmap, credited: Credits | None = None) -> list[Piece] | None:
    """Return the pieces without metadata; see `images/clean`.

    Args:
        data: the whole file.
        credited: whom the image shall credit; its own texts that do are kept then.

    Raises:
        CorruptImage, UnsupportedImage: as `measure` and `check`.
    """
    facts = exif.Exif(_read_exif(data).orientation)
    block = exif.write(facts, credited or exif.NOBODY)
    pieces = Pieces(data)
    pieces.keep(0, len(SIGNATURE))
    for name, start, end in _follow(data):
        is_credit = credited is not None and name in _TEXTS and _is_credit(data, start)
        if name in _DRAWN or is_credit:
            pieces.keep(start, min(end, len(data)))
        if name == b"IHDR" and block:
            crc = zlib.crc32(b"eXIf" + block).to_bytes(4)
            pieces.put(len(block).to_bytes(4) + b"eXIf" + block + crc)
    return pieces.finish()


def metadata(data: bytes | mmap.mmap) -> Iterator[tuple[str, bytes]]:
    """Yield the kind and content of each block of metadata; see `images/metadata`.

    Args:
        data: the whole file.
    """
    for name, start, end in walk(data):
        if name == b"eXIf":
            yield "exif", data[start + 8 : end - 4]
        elif name in _TEXTS:
            keyword, text = _read_text(name, data[start + 8 : end - 4])
            if keyword == b"XML:com.adobe.xmp":
                yield "xmp", text
            elif keyword.startswith(_RAW):  # as ImageMagick writes it: name, length, digits
                kind = {b"exif": "exif", b"APP1": "exif", b"iptc": "iptc"}.get(keyword[17:], "xmp")
                yield kind, _unhex(text).removeprefix(b"Exif\0\0")


def _read_text(name: bytes, content: bytes) -> tuple[bytes, bytes]:
    """Return the keyword and the text of a chunk (sections 11.3.3.2 to 11.3.3.4)."""
    keyword, _, rest = content.partition(b"\0")
    is_packed = name == b"zTXt" or (name == b"iTXt" and rest[:1] == b"\1")
    text = rest.split(b"\0", 3)[-1] if name == b"iTXt" and not is_packed else rest
    if is_packed:
        start = rest.find(b"\x78") if name == b"iTXt" else 1
        try:
            text = zlib.decompressobj().decompress(rest[start:], _MOST_TEXT)
        except zlib.error:
            text = b""
    return keyword, text


def _unhex(text: bytes) -> bytes:
    digits = b"".join(text.split()[2:])
    try:
        return bytes.fromhex(digits.decode("ascii"))
    except ValueError:
        return b""


def _is_credit(data: bytes | mmap.mmap, start: int) -> bool:
    return data[start + 8 : start + 18].partition(b"\0")[0] in {b"Author", b"Copyright"}


def _read_exif(data: bytes | mmap.mmap) -> exif.Exif:
    """Read the first intact eXIf before the data."""
    for name, start, end in walk(data):
        if name == b"IDAT" or end > len(data):
            break
        if name == b"eXIf" and _is_intact(data, start, end):
            return exif.read(data[start + 8 : end - 4])
    return exif.Exif()


def _follow(data: bytes | mmap.mmap) -> Iterator[tuple[bytes, int, int]]:
    """Walk as `walk` does, and check that the file leads to its end."""
    header = frame = _header(data)
    to_come, previous = 0, b""
    pieces: list[tuple[int, int]] = []  # of the data of the last frame
    for name, start, end in walk(data):
        _check_chunk(name, start, previous, has_data=bool(pieces))
        if name == b"acTL":
            to_come = int.from_bytes(data[start + 8 : start + 12])
        elif name == b"fcTL":
            to_come, pieces, frame = to_come - 1, [], _frame(data, start, header)
        elif name in _DATA:
            pieces.append((start + _DATA[name], end - 4))
        yield name, start, end
        previous = name
    if previous == b"IEND" and pieces:
        return
    if to_come > 0 or not _has_rows(data, pieces, frame.raw_size()):
        raise broken.cut_off(_NAME)


def _header(data: bytes | mmap.mmap) -> _Header:
    """Read the first chunk (section 11.2.1)."""
    chunk = data[8:33]
    if len(chunk) < 25:  # noqa: PLR2004  length, name, 13 bytes, CRC
        raise broken.cut_off(_NAME)
    width, height, interlace = *(int.from_bytes(chunk[p : p + 4]) for p in (8, 12)), chunk[20]
    depth, colour = chunk[16], chunk[17]
    if chunk[4:8] == b"CgBI":
        raise broken.exotic(_NAME, "made by Xcode, for iOS")
    if chunk[:8] != b"\0\0\0\rIHDR" or not _is_intact(data, 8, 33):
        raise broken.damaged(_NAME, "no valid IHDR at its start")
    if not (0 < width <= _MAX_SIDE and 0 < height <= _MAX_SIDE):
        raise broken.damaged(_NAME, f"{width:,} × {height:,} pixels")
    if depth not in _DEPTHS.get(colour, ()) or chunk[18:20] != b"\0\0" or interlace > 1:
        raise broken.damaged(_NAME, "an IHDR with values that the specification does not know")
    return _Header(width, height, depth * _CHANNELS[colour], interlaced=interlace == 1)


def _frame(data: bytes | mmap.mmap, start: int, header: _Header) -> _Header:
    """Read the size of a frame of an animation (section 11.3.6.2)."""
    sides = (int.from_bytes(data[p : p + 4]) for p in (start + 12, start + 16))
    return header._replace(width=next(sides), height=next(sides))


def _check_chunk(name: bytes, start: int, previous: bytes, *, has_data: bool) -> None:
    is_critical = not name[0] & 0x20
    split = name == b"IDAT" != previous and has_data
    if (is_critical and name not in _CRITICAL) or (name == b"IHDR" and previous) or split:
        raise broken.damaged(_NAME, f"chunk {ascii(name)[2:-1]} at byte {start:,}")


def _is_intact(data: bytes | mmap.mmap, start: int, end: int) -> bool:
    return zlib.crc32(data[start + 4 : end - 4]) == int.from_bytes(data[end - 4 : end])


def _has_rows(data: bytes | mmap.mmap, pieces: list[tuple[int, int]], missing: int) -> bool:
    """Return whether compressed data has so many bytes; they are counted and thrown away."""
    stream = zlib.decompressobj()
    steps = (
        data[p : min(p + _STEP, end)] for start, end in pieces for p in range(start, end, _STEP)
    )
    try:
        for step in steps:
            rest = step
            while missing > 0 and not stream.eof:
                got = len(stream.decompress(rest, _STEP))
                missing, rest = missing - got, stream.unconsumed_tail
                if not got and not rest:
                    break
    except zlib.error:
        return False
    return missing <= 0
