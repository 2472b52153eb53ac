"""The items of a HEIF file (ISO/IEC 23008-12), the family of AVIF and HEIC."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.images import boxes

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator

    from pelican_imagehost.images.boxes import Box

__all__ = ["FULL", "Items", "read_items"]

FULL = 4  # bytes of version and flags, which begin a full box
_METADATA = frozenset([b"Exif", b"mime", b"uri "])
_MOST_IPMA = 4  # one for each combination of version and flags
_INSIDE = 1  # the construction method of an item whose bytes are in the box `idat`


class Items(NamedTuple):
    """The items that a `meta` box describes.

    Attributes:
        primary: the number of the item to show; 0 if there is none.
        types: number → type, four letters.
        extents: item, start and end, of all pieces of items in the file.
        properties: the boxes that describe the primary item.
    """

    primary: int
    types: dict[int, bytes]
    extents: list[tuple[int, int, int]]
    properties: list[Box]

    def pictures(self) -> list[tuple[int, int]]:
        """Return start and end of all pieces of items that draw something."""
        return [(s, e) for item, s, e in self.extents if self.types.get(item) not in _METADATA]

    def metadata(self) -> list[tuple[bytes, list[tuple[int, int]]]]:
        """Return the type of each other item, with start and end of its pieces."""
        places: dict[int, list[tuple[int, int]]] = {}
        for item, start, end in self.extents:
            places.setdefault(item, []).append((start, end))
        kinds = {item: kind for item, kind in self.types.items() if kind in _METADATA}
        return [(kind, places.get(item, [])) for item, kind in kinds.items()]


def read_items(data: bytes | mmap.mmap, meta: Box) -> Items:
    """Read a `meta` box.

    Args:
        data: the whole file.
        meta: the box.

    Returns:
        The items.

    Raises:
        ValueError: a box is too short, or leads out of its parent.
    """
    parts: dict[bytes, Box] = {}
    for box in boxes.walk(data, meta.content + FULL, meta.end):
        if box.end > meta.end:
            raise ValueError("a box leads out of its parent")
        parts.setdefault(box.name, box)
    primary = 0
    if b"pitm" in parts:
        reader = boxes.Reader(data, parts[b"pitm"])
        primary = reader.number(4 if reader.number(FULL) >> 24 else 2)
    types = dict(_types(data, parts[b"iinf"])) if b"iinf" in parts else {}
    extents = list(_extents(data, parts)) if b"iloc" in parts else []
    properties = list(_properties(data, parts[b"iprp"], primary)) if b"iprp" in parts else []
    return Items(primary, types, extents, properties)


def _types(data: bytes | mmap.mmap, info: Box) -> Iterator[tuple[int, bytes]]:
    """Yield the number and type of each item (ISO/IEC 14496-12, section 8.11.6)."""
    start = info.content + FULL + (4 if data[info.content] else 2)
    for box in boxes.walk(data, start, info.end):
        reader = boxes.Reader(data, box)
        version = reader.number(FULL) >> 24
        if version > 1:
            number, _ = reader.number(4 if version > 2 else 2), reader.number(2)  # noqa: PLR2004  versions 2 and 3
            yield number, reader.number(4).to_bytes(4)


def _extents(data: bytes | mmap.mmap, parts: dict[bytes, Box]) -> Iterator[tuple[int, int, int]]:
    """Yield item, start and end of each piece (ISO/IEC 14496-12, section 8.11.3)."""
    reader = boxes.Reader(data, parts[b"iloc"])
    version, sizes = reader.number(FULL) >> 24, reader.number(2)
    offset_size, length_size, base_size, index_size = (sizes >> s & 15 for s in (12, 8, 4, 0))
    index_size = index_size if version else 0
    inside = parts[b"idat"].content if b"idat" in parts else len(data)
    for _ in range(reader.count(4 if version > 1 else 2)):
        item = reader.number(4 if version > 1 else 2)
        method = reader.number(2) & 15 if version else 0
        reader.number(2)  # the file, which is this one
        base = reader.number(base_size) + (inside if method == _INSIDE else 0)
        count = reader.count(2)
        if not offset_size + length_size + index_size:
            count = min(count, 1)  # they take no bytes, and are all the same
        for _ in range(count):
            reader.number(index_size)
            start = base + reader.number(offset_size)
            length = reader.number(length_size)
            if method <= _INSIDE:
                yield item, start, start + length if length_size else len(data)


def _properties(data: bytes | mmap.mmap, container: Box, item: int) -> Iterator[Box]:
    """Yield the properties of an item (ISO/IEC 23008-12, section 9.3)."""
    listed = boxes.find(data, container, b"ipco")
    properties = list(boxes.walk(data, listed.content, listed.end)) if listed else []
    found = (b for b in boxes.walk(data, container.content, container.end) if b.name == b"ipma")
    for box in islice(found, _MOST_IPMA):
        for index in _associations(boxes.Reader(data, box), item):
            if 0 < index <= len(properties):
                yield properties[index - 1]


def _associations(reader: boxes.Reader, wanted: int) -> Iterator[int]:
    """Yield the indexes, from 1, of the properties of an item."""
    kind = reader.number(FULL)
    index_size = 2 if kind & 1 else 1
    for _ in range(reader.count(4)):
        item = reader.number(4 if kind >> 24 else 2)
        for _ in range(reader.count(1)):
            index = reader.number(index_size) & (0x7FFF if index_size > 1 else 0x7F)
            if item == wanted:
                yield index
