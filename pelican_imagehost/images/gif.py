"""The blocks of a GIF (GIF89a specification), walked to the end without decoding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pelican_imagehost.images import broken

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator

__all__ = ["CONTROL", "FRAME", "TRAILER", "check", "measure", "walk"]

_NAME = "a GIF"
FRAME, EXTENSION, TRAILER = b",", b"!", b";"
CONTROL = b"!\xf9"  # the Graphic Control Extension, which announces a frame
_HEADER = 13  # bytes: signature and Logical Screen Descriptor
_DESCRIPTOR = 10
_MAX_CODE_SIZE = 8  # bits; decoders refuse more


def walk(data: bytes | mmap.mmap) -> Iterator[tuple[bytes, int, int]]:
    """Walk the blocks after the header.

    Args:
        data: the whole file.

    Yields:
        `,` or `;`, or `!` with the label of an extension; start and end of each block. The end
        of the last is beyond the file if the file is cut off. A block with another name is
        the rest of the file.
    """
    position = _HEADER + _table(data[10:11])
    while position < len(data):
        start, kind = position, data[position : position + 1]
        if kind == EXTENSION:
            kind = data[position : position + 2]
            position = _end_of_data(data, position + 2)
        elif kind == FRAME:
            table = _table(data[position + 9 : position + _DESCRIPTOR])
            position = _end_of_data(data, position + _DESCRIPTOR + table + 1)
        else:
            position = position + 1 if kind == TRAILER else len(data)
        yield kind, start, position
        if kind == TRAILER:
            return


def measure(data: bytes | mmap.mmap) -> tuple[int, int]:
    """Measure the image as browsers show it: the screen, grown to hold the first frame.

    Args:
        data: the whole file.

    Returns:
        Width and height in pixels.

    Raises:
        CorruptImage: the header is truncated or damaged.
    """
    if len(data) < _HEADER:
        raise broken.cut_off(_NAME)
    width, height = _shorts(data[6:10])
    for kind, start, _ in walk(data):
        if kind == FRAME and start + _DESCRIPTOR <= len(data):
            left, top, frame_width, frame_height = _shorts(data[start + 1 : start + 9])
            width, height = max(width, left + frame_width), max(height, top + frame_height)
            break
    else:
        raise broken.cut_off(_NAME)
    if not width or not height:
        raise broken.damaged(_NAME, f"{width:,} × {height:,} pixels")
    return width, height


def check(data: bytes | mmap.mmap) -> None:
    """Check that the file leads to the end of a frame, with nothing begun after it.

    Browsers need no trailer. The data of a frame must end, though: without decoding, the rows
    that it holds cannot be counted.

    Args:
        data: the whole file.

    Raises:
        CorruptImage: it is cut off, or not what browsers show.
    """
    frames, previous = 0, b""
    for kind, start, end in walk(data):
        if kind == FRAME:
            _check_frame(data, start, end)
            frames += 1
        elif kind[:1] not in {EXTENSION, TRAILER} and _may_continue(data, start, frames):
            raise broken.damaged(_NAME, f"no block begins at byte {start:,}")
        previous = kind
    if not frames or previous == CONTROL:
        raise broken.cut_off(_NAME)


def _check_frame(data: bytes | mmap.mmap, start: int, end: int) -> None:
    if end > len(data):
        raise broken.cut_off(_NAME)
    code_size = start + _DESCRIPTOR + _table(data[start + 9 : start + _DESCRIPTOR])
    if data[code_size] > _MAX_CODE_SIZE:
        raise broken.damaged(_NAME, f"a frame of unknown compression at byte {start:,}")


def _may_continue(data: bytes | mmap.mmap, start: int, frames: int) -> bool:
    """Return whether a reader that looks for the next block could find one."""
    return not frames or data.find(FRAME, start) >= 0 or data.find(EXTENSION, start) >= 0


def _table(flags: bytes) -> int:
    """Return the number of bytes of a colour table (sections 18 and 20)."""
    return 3 << ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0


def _shorts(data: bytes) -> list[int]:
    return [int.from_bytes(data[p : p + 2], "little") for p in range(0, len(data), 2)]


def _end_of_data(data: bytes | mmap.mmap, position: int) -> int:
    """Return the end of sub-blocks (section 15); beyond the file if they do not end."""
    size = len(data)
    while position < size:
        length = data[position]
        position += 1 + length
        if not length:
            return position
    return size + 1
