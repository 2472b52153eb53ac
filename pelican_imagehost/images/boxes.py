"""The boxes of an ISO base media file (ISO/IEC 14496-12): AVIF, HEIC, videos."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.images.broken import MAX_PARTS

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator

__all__ = ["Box", "Reader", "brands", "find", "walk"]

_MAX_BOXES = 10_000  # in one
_FTYP = 12  # bytes up to the end of the major brand


class Box(NamedTuple):
    """A box.

    Attributes:
        name: its type, four letters.
        start: where it begins.
        content: where its content begins.
        end: where it ends.
    """

    name: bytes
    start: int
    content: int
    end: int


def walk(data: bytes | mmap.mmap, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """Walk the boxes of a file, or those in a box (section 4.2).

    Args:
        data: the whole file.
        start: where the first begins.
        end: where the last ends; by default with the file.

    Yields:
        Each box; the end of the last is beyond the given one if the box does not fit.

    Raises:
        ValueError: there are more boxes than in any image.
    """
    end = len(data) if end is None else end
    for _ in range(_MAX_BOXES):
        if start + 8 > end:
            return
        size, content = int.from_bytes(data[start : start + 4]), start + 8
        if size == 1:
            size, content = int.from_bytes(data[start + 8 : start + 16]), start + 16
        after = start + size if size else end
        if after < content:
            return
        yield Box(data[start + 4 : start + 8], start, content, after)
        start = after
    raise ValueError(f"more than {_MAX_BOXES:,} boxes in one")


def find(data: bytes | mmap.mmap, parent: Box | None, *path: bytes, skip: int = 0) -> Box | None:
    """Find the first box at a path of names.

    Args:
        data: the whole file.
        parent: the box that the path starts in; None for the file.
        path: the names.
        skip: bytes of content before the boxes in the parent.

    Returns:
        The box, or None if there is none that fits into its parent.

    Raises:
        ValueError: as `walk`.
    """
    for name in path:
        start, end = (parent.content + skip, parent.end) if parent else (0, len(data))
        boxes = (box for box in walk(data, start, end) if box.name == name and box.end <= end)
        parent, skip = next(boxes, None), 0
        if parent is None:
            return None
    return parent


def brands(sample: bytes) -> list[bytes]:
    """Return the brands of a file, the major one first; none if it is not of this kind.

    Args:
        sample: its first bytes.
    """
    if sample[4:8] != b"ftyp" or len(sample) < _FTYP:
        return []
    end = min(int.from_bytes(sample[:4]), len(sample)) - 3
    return [sample[8:12], *(sample[p : p + 4] for p in range(16, end, 4))]


class Reader:
    """Reads numbers of a box one after the other; beyond its end it raises ValueError.

    Args:
        data: the whole file.
        box: the box.
    """

    def __init__(self, data: bytes | mmap.mmap, box: Box) -> None:
        self._data = data[box.content : box.end]
        self._position = 0
        self._left = MAX_PARTS

    def count(self, size: int) -> int:
        """Return the next number, which says how many follow.

        Raises:
            ValueError: the box ends before it, or there are more than in any image.
        """
        number = self.number(size)
        self._left -= number
        if self._left < 0:
            raise ValueError("more parts than in any image")
        return number

    def number(self, size: int) -> int:
        """Return the next number of so many bytes.

        Raises:
            ValueError: the box ends before it.
        """
        if self._position + size > len(self._data):
            raise ValueError("the box is too short")
        self._position += size
        return int.from_bytes(self._data[self._position - size : self._position])
