"""The chunks of a WebP (RFC 9649), walked to the end without decoding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pelican_imagehost.images import broken

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator

__all__ = ["check", "measure", "walk"]

_NAME = "a WebP"
_HEADER = 12  # bytes: RIFF, size, WEBP
_BITSTREAMS = frozenset([b"VP8 ", b"VP8L"])
ANIMATION = 0x02  # the flag in VP8X
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
    width, height = measure(data)
    first, start, _ = next(walk(data))
    is_extended = first == b"VP8X"
    is_animated = is_extended and bool(data[start + 8] & ANIMATION)
    pictures = 0
    for name, start, end in walk(data):
        if name == b"ANMF" and is_animated:
            _check_frame(data, start, end, (width, height))
            pictures += 1
        elif name in _BITSTREAMS and is_extended and not is_animated:
            if pictures or _picture(data, name, start, end) != (width, height):
                raise broken.damaged(_NAME, "pictures of several sizes")
            pictures += 1
    if is_extended and not pictures:
        raise broken.damaged(_NAME, "no picture")


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
