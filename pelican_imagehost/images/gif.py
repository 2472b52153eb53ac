"""The blocks of a GIF (GIF89a specification), walked to the end without decoding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pelican_imagehost.images import broken
from pelican_imagehost.images.pieces import Pieces

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator

    from pelican_imagehost.images.exif import Credits
    from pelican_imagehost.images.pieces import Piece

__all__ = ["check", "clean", "measure", "metadata", "walk"]

_NAME = "a GIF"
FRAME, EXTENSION, TRAILER = b",", b"!", b";"
DATA = b"data"  # stands for the data of a frame, which has no name
_BLOCKS = frozenset([FRAME, EXTENSION, TRAILER])
CONTROL = b"!\xf9"  # the Graphic Control Extension, which announces a frame
APPLICATION = b"!\xff"
_DRAWN = frozenset([FRAME, DATA, TRAILER, CONTROL])
_COLOURS = b"ICCRGBG1012"
_LOOPS = frozenset([b"NETSCAPE2.0", b"ANIMEXTS1.0"])
_CONTROL = 8  # bytes
_HEADER = 13  # bytes: signature and Logical Screen Descriptor
_DESCRIPTOR = 10
_MAX_CODE_SIZE = 8  # bits; decoders refuse more


def walk(data: bytes | mmap.mmap) -> Iterator[tuple[bytes, int, int]]:
    """Walk the blocks after the header.

    Args:
        data: the whole file.

    Yields:
        `,` or `;`, or `!` with the label of an extension; start and end of each block. `DATA`
        is the data of a frame, behind its descriptor and colours. The end of the last is
        beyond the file if the file is cut off. A block with another name is the rest of it.

    Raises:
        CorruptImage: there are more blocks than in any image.
    """
    position = _HEADER + _table(data[10:11])
    for _ in range(broken.MAX_PARTS):
        start, kind = position, data[position : position + 1]
        if kind == EXTENSION:
            kind = data[position : position + 2]
            position = _end_of_data(data, position + 2)
        elif kind == FRAME:
            position += _DESCRIPTOR + _table(data[position + 9 : position + _DESCRIPTOR])
        else:
            position = position + 1 if kind == TRAILER else len(data)
        if start < len(data):
            yield kind, start, position
        if kind == TRAILER or position >= len(data):
            return
        if kind == FRAME:
            start, position = position, _end_of_data(data, position + 1)
            yield DATA, start, position
    raise broken.damaged(_NAME, f"more than {broken.MAX_PARTS:,} blocks")


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
    for _ in _follow(data):
        pass


def clean(data: bytes | mmap.mmap, credited: Credits | None = None) -> list[Piece] | None:  # noqa: ARG001  a GIF has no place for them
    """Return the pieces without metadata; see `images/clean`.

    Args:
        data: the whole file.
        credited: whom the image shall credit.

    Raises:
        CorruptImage: as `measure` and `check`.
    """
    pieces = Pieces(data)
    pieces.keep(0, _HEADER + _table(data[10:11]))
    for kind, start, end in _follow(data):
        name = data[start + 3 : start + 14] if kind == APPLICATION else b""
        if kind in _DRAWN or name == _COLOURS:
            pieces.keep(start, end)
        elif name in _LOOPS and data[start + 14] > 2 and data[start + 15] == 1:  # noqa: PLR2004  bytes
            loops = data[start + 16 : start + 18]
            pieces.put(APPLICATION + b"\x0b" + name + b"\3\1" + loops + b"\0")
    return pieces.finish()


def metadata(data: bytes | mmap.mmap) -> Iterator[tuple[str, bytes]]:
    """Yield the kind and content of each block of metadata; see `images/metadata`.

    Args:
        data: the whole file.
    """
    for kind, start, end in walk(data):
        if kind == APPLICATION and data[start + 3 : start + 14] == b"XMP DataXMP":
            yield "xmp", data[start + 14 : end]


def _follow(data: bytes | mmap.mmap) -> Iterator[tuple[bytes, int, int]]:
    """Walk as `walk` does, and check that the file leads to the end of a frame."""
    frames, previous = 0, b""
    for kind, start, end in walk(data):
        if kind == DATA:
            frames += end <= len(data)
            if data[start] > _MAX_CODE_SIZE:
                raise broken.damaged(_NAME, f"unknown compression at byte {start:,}")
        elif kind[:1] not in _BLOCKS and _may_continue(data, start, frames):
            raise broken.damaged(_NAME, f"no block begins at byte {start:,}")
        elif kind == CONTROL and end != start + _CONTROL and end <= len(data):
            raise broken.damaged(_NAME, f"a control of another length at byte {start:,}")
        yield kind, start, end
        previous = kind if kind != DATA or end <= len(data) else FRAME
    if not frames or previous in {CONTROL, FRAME}:
        raise broken.cut_off(_NAME)


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
