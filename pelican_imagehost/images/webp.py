"""The chunks of a WebP (RFC 9649), walked to the end without decoding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pelican_imagehost.images import broken, exif
from pelican_imagehost.images.pieces import Pieces

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator, Sequence

    from pelican_imagehost.images.exif import Credits
    from pelican_imagehost.images.pieces import Piece

__all__ = ["check", "clean", "measure", "metadata", "walk"]

_NAME = "a WebP"
_HEADER = 12  # bytes: RIFF, size, WEBP
_BITSTREAMS = frozenset([b"VP8 ", b"VP8L"])
ANIMATION = 0x02  # the flag in VP8X
_EXIF, _XMP = 0x08, 0x04  # others
_IN_FRAME = _BITSTREAMS | {b"ALPH"}
_DRAWN = _IN_FRAME | {b"VP8X", b"ICCP", b"ANIM"}
_VP8X = 18  # bytes of the chunk, its header included
_ANMF = 24  # bytes before the chunks of a frame, the header of its own included
_KEY_FRAME = b"\x9d\x01\x2a"
_LOSSLESS = b"\x2f"


def walk(
    data: bytes | mmap.mmap, start: int = _HEADER, end: int | None = None
) -> Iterator[tuple[bytes, int, int]]:
    """Walk the chunks of the file, or those within a chunk.

    Args:
        data: the whole file.
        start: where the first begins.
        end: where the last ends; by default where the header says.

    Yields:
        Name, start and end of each chunk, with its header and padding.

    Raises:
        CorruptImage: the file ends before its header says, a chunk leads out of it, or there
            are more chunks than in any image.
    """
    if end is None:
        end = 8 + int.from_bytes(data[4:8], "little")
        if end > len(data):
            raise broken.cut_off(_NAME)
    for _ in range(broken.MAX_PARTS):
        if start >= end:
            return
        size = int.from_bytes(data[start + 4 : start + 8], "little")
        after = start + 8 + size + size % 2
        if start + 8 > end or after > end:
            raise broken.damaged(_NAME, f"a chunk at byte {start:,} that leads out of it")
        yield data[start : start + 4], start, after
        start = after
    raise broken.damaged(_NAME, f"more than {broken.MAX_PARTS:,} chunks")


def measure(data: bytes | mmap.mmap) -> tuple[int, int]:
    """Measure the image; browsers turn no WebP by its EXIF.

    Args:
        data: the whole file.

    Returns:
        Width and height in pixels.

    Raises:
        CorruptImage: the header is truncated or damaged.
    """
    for name, start, end in walk(data):
        if name == b"VP8X" and end - start == _VP8X:
            return _side(data, start + 12), _side(data, start + 15)
        return _picture(data, name, start, end)
    raise broken.damaged(_NAME, "no chunk")


def check(data: bytes | mmap.mmap) -> None:
    """Check that the file has all that its header says.

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
        credited: whom the image shall credit.

    Raises:
        CorruptImage: as `measure` and `check`.
    """
    parts = [part for name, *place in _follow(data) for part in _kept(data, name, *place)]
    if data[12:16] == b"VP8X":
        blocks = (content for kind, content in metadata(data) if kind == "exif")
        facts = exif.Exif(exif.read(next(blocks, b"")).orientation)
        block = exif.write(facts, credited or exif.NOBODY)
        flags = data[20] & ~(_EXIF | _XMP) | (_EXIF if block else 0)
        parts[0] = data[12:20] + bytes([flags]) + data[21 : _HEADER + _VP8X]
        parts += [_header(b"EXIF", len(block)), block + b"\0" * (len(block) % 2)] if block else []
    pieces = Pieces(data)
    pieces.put(_header(b"RIFF", 4 + _size(parts)) + b"WEBP")
    for part in parts:
        if isinstance(part, bytes):
            pieces.put(part)
        else:
            pieces.keep(*part)
    return pieces.finish()


def metadata(data: bytes | mmap.mmap) -> Iterator[tuple[str, bytes]]:
    """Yield the kind and content of each block of metadata; see `images/metadata`.

    Args:
        data: the whole file.
    """
    for name, start, end in walk(data):
        if name in {b"EXIF", b"XMP "}:
            content = data[start + 8 : end]
            yield ("xmp" if name == b"XMP " else "exif"), content.removeprefix(b"Exif\0\0")


def _follow(data: bytes | mmap.mmap) -> Iterator[tuple[bytes, int, int]]:
    """Walk the chunks that matter, and check that the picture is among them."""
    width, height = measure(data)
    chunks = walk(data)
    first, start, end = next(chunks)
    yield first, start, end
    if first != b"VP8X":
        for _ in chunks:
            pass  # nobody looks at what follows, but it must be whole
        return
    is_animated, pictures = bool(data[start + 8] & ANIMATION), 0
    for name, start, end in chunks:
        if name == b"ANMF" and is_animated:
            _check_frame(data, start, end, (width, height))
            pictures += 1
        elif name in _BITSTREAMS and not is_animated:
            if pictures or _picture(data, name, start, end) != (width, height):
                raise broken.damaged(_NAME, "pictures of several sizes")
            pictures += 1
        yield name, start, end
    if not pictures:
        raise broken.damaged(_NAME, "no picture")


def _kept(data: bytes | mmap.mmap, name: bytes, start: int, end: int) -> list[Piece]:
    """Return what to keep of a chunk."""
    if name != b"ANMF":
        return [(start, end)] if name in _DRAWN else []
    inner = [(s, e) for name, s, e in walk(data, start + _ANMF, end) if name in _IN_FRAME]
    head = _header(b"ANMF", _ANMF - 8 + _size(inner)) + data[start + 8 : start + _ANMF]
    return [head, *inner]


def _header(name: bytes, size: int) -> bytes:
    return name + size.to_bytes(4, "little")


def _size(parts: Sequence[Piece]) -> int:
    return sum(len(p) if isinstance(p, bytes) else p[1] - p[0] for p in parts)


def _check_frame(data: bytes | mmap.mmap, start: int, end: int, canvas: tuple[int, int]) -> None:
    """Check a frame of an animation (section 2.7.1.1)."""
    left, top, width, height = (_side(data, start + 8 + 3 * n) for n in range(4))
    inside = 2 * (left - 1) + width <= canvas[0] and 2 * (top - 1) + height <= canvas[1]
    chunks = walk(data, start + _ANMF, end)
    if not inside or not any(name in _BITSTREAMS for name, _, _ in chunks):
        raise broken.damaged(_NAME, f"a frame at byte {start:,} outside its canvas or empty")


def _picture(data: bytes | mmap.mmap, name: bytes, start: int, end: int) -> tuple[int, int]:
    """Read the size of a picture (RFC 6386, section 9.1; RFC 9649, section 3.4)."""
    head = data[start + 8 : min(start + 18, end)]
    if name == b"VP8L" and head[:1] == _LOSSLESS and len(head) > 4:  # noqa: PLR2004  size, version
        bits = int.from_bytes(head[1:5], "little")
        if not bits >> 29:
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    # A key frame that is shown; the two highest bits of a side are advice to scale it.
    if name == b"VP8 " and head[3:6] == _KEY_FRAME and len(head) == 10 and head[0] & 0x11 == 0x10:  # noqa: PLR2004  tag, code, two sides
        width, height = (int.from_bytes(head[p : p + 2], "little") & 0x3FFF for p in (6, 8))
        if width and height:
            return width, height
    raise broken.damaged(_NAME, "no picture where it should begin")


def _side(data: bytes | mmap.mmap, position: int) -> int:
    return int.from_bytes(data[position : position + 3], "little") + 1
