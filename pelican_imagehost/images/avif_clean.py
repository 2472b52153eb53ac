"""The metadata of an AVIF, overwritten where it lies, because offsets lead everywhere."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.images import boxes, exif, heif, tracks
from pelican_imagehost.images.pieces import Pieces

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator

    from pelican_imagehost.images.boxes import Box
    from pelican_imagehost.images.exif import Credits
    from pelican_imagehost.images.pieces import Piece

__all__ = ["clean", "metadata"]

_EMPTY_TIFF = b"MM\0*\0\0\0\x08" + bytes(6)  # libavif refuses a block of zeros
# What stays, by the box that it is in; what else is there draws nothing.
_KEPT = {
    b"": frozenset([b"ftyp", b"meta", b"moov", b"mdat"]),
    b"meta": frozenset(b"hdlr pitm iloc iinf iref iprp idat dinf ipro grpl".split()),
    b"moov": frozenset([b"mvhd", b"trak", b"meta"]),
    b"trak": frozenset([b"tkhd", b"edts", b"tref", b"mdia", b"meta"]),
    b"mdia": frozenset([b"mdhd", b"hdlr", b"minf"]),
}
_SINGLE = frozenset([b"meta", b"moov"])  # only the first is read
_NOTES = frozenset([b"udes", b"crtt", b"mdft", b"uuid"])  # properties: descriptions and times
_TIMED = frozenset([b"mvhd", b"tkhd", b"mdhd"])
_HANDLER_NAME = 24  # bytes before it in `hdlr`


class _Blank(NamedTuple):
    start: int
    end: int
    new: bytes


def clean(data: bytes | mmap.mmap, credited: Credits) -> list[Piece] | None:
    """Return the pieces without metadata; see `images/clean`.

    Args:
        data: the whole file.
        credited: whom the image shall credit.

    Raises:
        ValueError: a box is damaged, or metadata shares bytes with a picture.
    """
    top, end = _whole_boxes(data)
    metas = list(_metas(data, top))
    all_items = [heif.read_items(data, meta) for meta in metas]
    pictures = [place for items in all_items for place in items.pictures()]
    used = _merge([*pictures, *tracks.samples(data)])
    metadata = {(kind, tuple(places)) for items in all_items for kind, places in items.metadata()}
    hidden = list(_hidden(metadata, credited, len(data)))
    blanks = sorted({*hidden, *_strays(data, b"", 0, end), *_gaps(data, top, used, hidden)})
    taken = [*sorted([*used, *(blank[:2] for blank in blanks)]), (end, end)]
    stores = [box for box in top if box.name == b"mdat"]
    stores += [box for meta in metas if (box := boxes.find(data, meta, b"idat", skip=heif.FULL))]
    if any(a[1] > b[0] for a, b in pairwise(taken)) or not _are_inside(hidden, stores):
        raise ValueError("metadata shares bytes with other data")
    pieces, position = Pieces(data), 0
    for blank in blanks:
        pieces.keep(position, blank.start)
        pieces.put(blank.new)
        position = blank.end
    pieces.keep(position, end)
    return pieces.finish()


def metadata(data: bytes | mmap.mmap) -> Iterator[tuple[str, bytes]]:
    """Yield the kind and content of each block of metadata; see `images/metadata`.

    Args:
        data: the whole file.

    Raises:
        ValueError: a box is damaged.
    """
    top, _ = _whole_boxes(data)
    for box in top:
        if box.name in {b"uuid", b"udta"}:
            yield "other", data[box.content : box.end]
    for meta in _metas(data, top):
        for kind, places in heif.read_items(data, meta).metadata():
            content = b"".join(data[start:end] for start, end in places)
            if kind == b"Exif":
                yield "exif", content[4 + int.from_bytes(content[:4]) :]
            elif kind == b"mime":
                yield "xmp", content


def _whole_boxes(data: bytes | mmap.mmap) -> tuple[list[Box], int]:
    """Return the boxes of the file, and where the last of them ends that is whole or needed."""
    top = list(boxes.walk(data))
    if top and top[-1].end > len(data) and top[-1].name not in _KEPT[b""]:
        top.pop()
    return top, min(top[-1].end, len(data)) if top else 0


def _metas(data: bytes | mmap.mmap, top: list[Box]) -> Iterator[Box]:
    """Yield the boxes that describe items: of the file, of its movie and of its tracks."""
    movie = next((box for box in top if box.name == b"moov"), None)
    parents = [None, *([movie] if movie else []), *tracks.walk(data)]
    yield from (meta for parent in parents if (meta := boxes.find(data, parent, b"meta")))


def _hidden(
    items: set[tuple[bytes, tuple[tuple[int, int], ...]]], credited: Credits, size: int
) -> Iterator[_Blank]:
    """Yield what to write over items that are metadata, as far as they are in the file."""
    left = size
    for kind, places in items:
        inside = [(start, min(end, size)) for start, end in places if start < min(end, size)]
        length = sum(end - start for start, end in inside)
        left -= length
        if left < 0:
            raise ValueError("more metadata than bytes")
        block = exif.write(exif.Exif(), credited) or _EMPTY_TIFF
        block = block if len(block) + 4 <= length else _EMPTY_TIFF
        new = {b"Exif": bytes(4) + block, b"mime": b" " * length}.get(kind, b"")
        new = new[:length].ljust(length, b"\0")
        for start, end in inside:
            yield _Blank(start, end, new[: end - start])
            new = new[end - start :]


def _strays(data: bytes | mmap.mmap, parent: bytes, start: int, end: int) -> Iterator[_Blank]:
    """Yield what to write over boxes that draw nothing, and over texts and times in others."""
    seen: set[bytes] = set()
    for box in boxes.walk(data, start, end):
        if box.end > end and parent:
            raise ValueError("a box leads out of its parent")
        if box.name not in _KEPT[parent] or box.name in seen & _SINGLE:
            yield _empty(data, box)
        elif box.name in _KEPT:
            inside = box.content + (heif.FULL if box.name == b"meta" else 0)
            yield from _strays(data, box.name, inside, min(box.end, end))
        elif box.name in _TIMED:
            times = 16 if data[box.content : box.content + 1] == b"\1" else 8
            yield _zeros(box.content + heif.FULL, min(box.content + heif.FULL + times, box.end))
        elif box.name == b"hdlr":
            yield _zeros(min(box.content + _HANDLER_NAME, box.end), box.end)
        elif box.name == b"iprp" and (listed := boxes.find(data, box, b"ipco")):
            for note in boxes.walk(data, listed.content, listed.end):
                if note.name in _NOTES and note.end <= listed.end:
                    yield _empty(data, note)
        seen.add(box.name)


def _gaps(
    data: bytes | mmap.mmap, top: list[Box], used: list[tuple[int, int]], hidden: list[_Blank]
) -> Iterator[_Blank]:
    """Yield what to write over data that no item or sample has."""
    taken = _merge([*used, *(blank[:2] for blank in hidden)])
    for box in top:
        if box.name == b"mdat":
            position, box_end = box.content, min(box.end, len(data))
            first = max(bisect_left(taken, (position,)) - 1, 0)
            last = bisect_left(taken, (box_end,))
            for start, end in [*taken[first:last], (box_end, box_end)]:
                if position < start:
                    yield _zeros(position, start)
                position = max(position, end)


def _are_inside(blanks: list[_Blank], stores: list[Box]) -> bool:
    """Return whether nothing is written over what is not data."""
    places = sorted((box.content, box.end) for box in stores)
    for blank in blanks:
        number = bisect_right(places, (blank.start, math.inf)) - 1
        if number < 0 or blank.end > places[number][1]:
            return False
    return True


def _merge(places: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join places that overlap."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(places):
        if start == end:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _empty(data: bytes | mmap.mmap, box: Box) -> _Blank:
    head = data[box.start : box.start + 4] + b"free" + data[box.start + 8 : box.content]
    return _Blank(box.start, box.end, head + bytes(box.end - box.content))


def _zeros(start: int, end: int) -> _Blank:
    return _Blank(start, end, bytes(end - start))
