"""The displayed size of an AVIF; imagesize 2.0.1 fails on rotated ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator

__all__ = ["measure"]


def measure(data: bytes | mmap.mmap) -> tuple[int, int]:
    """Measure the primary item (ISO/IEC 23008-12, sections 6.5.3 `ispe` and 6.5.10 `irot`).

    The orientation in EXIF is ignored in an AVIF (AV1 Image File Format, section 2.2.2).

    Args:
        data: the whole file.

    Returns:
        Width and height in pixels, rotation applied.

    Raises:
        ValueError: a box is missing, truncated or damaged.
    """
    meta = _boxes(_first(_boxes(data), b"meta")[4:])
    found = list(meta)
    primary = _first(iter(found), b"pitm")
    item = primary[4:6] if primary[:1] == b"\0" else primary[4:8]
    containers = list(_boxes(_first(iter(found), b"iprp")))
    properties = list(_boxes(_first(iter(containers), b"ipco")))
    width = height = turns = 0
    for index in _associations(containers, int.from_bytes(item)):
        name, content = properties[index - 1] if 0 < index <= len(properties) else (b"", b"")
        if name == b"ispe" and len(content) >= 12:  # noqa: PLR2004  version, flags, two sides
            width, height = int.from_bytes(content[4:8]), int.from_bytes(content[8:12])
        elif name == b"irot":
            turns = int.from_bytes(content[:1]) & 3
    return (height, width) if turns % 2 else (width, height)


def _associations(containers: list[tuple[bytes, bytes]], wanted: int) -> Iterator[int]:
    """Yield the indexes, from 1, of the properties of an item (`ipma`, section 9.3.1)."""
    for content in (content for name, content in containers if name == b"ipma"):
        item_bytes = 4 if content[:1] > b"\0" else 2
        index_bytes = 2 if content[3:4] and content[3] & 1 else 1
        position = 8
        for _ in range(int.from_bytes(content[4:8])):
            if position >= len(content):
                raise ValueError("ipma is truncated")
            item = int.from_bytes(content[position : position + item_bytes])
            number = int.from_bytes(content[position + item_bytes : position + item_bytes + 1])
            position += item_bytes + 1
            for start in range(position, position + number * index_bytes, index_bytes):
                if item == wanted:
                    index = int.from_bytes(content[start : start + index_bytes])
                    yield index & (0x7FFF if index_bytes > 1 else 0x7F)
            position += number * index_bytes


def _first(boxes: Iterator[tuple[bytes, bytes]], wanted: bytes) -> bytes:
    for name, content in boxes:
        if name == wanted:
            return content
    raise ValueError(f"there is no {wanted!r} box")


def _boxes(data: bytes | mmap.mmap) -> Iterator[tuple[bytes, bytes]]:
    """Yield the name and content of each box (ISO/IEC 14496-12, section 4.2)."""
    position = 0
    while position < len(data):
        size, start = int.from_bytes(data[position : position + 4]), position + 8
        if size == 1:
            size, start = int.from_bytes(data[start : start + 8]), start + 8
        end = position + size if size else len(data)
        if end < start or end > len(data):
            raise ValueError("a box is truncated")
        yield data[position + 4 : position + 8], data[start:end]
        position = end
