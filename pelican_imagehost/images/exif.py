"""EXIF (CIPA DC-008): what a browser reads of it, whom it credits, whether it has a place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["NOBODY", "Credits", "Exif", "has_location", "read", "read_credits", "write"]

_Order = Literal["little", "big"]
_ORDERS: dict[bytes, _Order] = {b"II*\0": "little", b"MM\0*": "big"}
_ENTRY = 12  # bytes of an entry: tag, type, number of values, values or their offset
_ASCII, _SHORT, _LONG, _RATIONAL, _UTF8 = 2, 3, 4, 5, 129
_SIZES = {_ASCII: 1, _SHORT: 2, _LONG: 4, _RATIONAL: 8, _UTF8: 1}
_ORIENTATION, _SUB_IFD, _GPS = 0x0112, 0x8769, 0x8825
_X_RESOLUTION, _Y_RESOLUTION, _UNIT = 0x011A, 0x011B, 0x0128
_ARTIST, _COPYRIGHT = 0x013B, 0x8298
_X_PIXELS, _Y_PIXELS = 0xA002, 0xA003
_LATITUDE, _LONGITUDE = 2, 4
_TYPES = {
    _ORIENTATION: {_SHORT},
    _UNIT: {_SHORT},
    _X_RESOLUTION: {_RATIONAL},
    _Y_RESOLUTION: {_RATIONAL},
    _X_PIXELS: {_SHORT, _LONG},
    _Y_PIXELS: {_SHORT, _LONG},
}
_INCH = 2
_UNKNOWN = 72  # pixels per inch; stands for an unknown resolution (DC-008, section 4.6.4)
_ORIENTATIONS = range(1, 9)
_TURNED = range(5, 9)
_Ratio = tuple[int, int]


class Credits(NamedTuple):
    """Whom an image credits.

    Attributes:
        artist: the author, UTF-8 as a rule; empty if unknown.
        copyright: the notice.
    """

    artist: bytes = b""
    copyright: bytes = b""


NOBODY = Credits()


class Exif(NamedTuple):
    """The facts of an EXIF block that change how a picture is shown or printed.

    Attributes:
        orientation: 1 to 8; 1 is upright.
        resolution: horizontal and vertical, each as numerator and denominator; None if it is
            not given.
        unit: of the resolution; 2 is the inch, 3 the centimetre.
        pixels: the size that the block gives; None if it gives none.
    """

    orientation: int = 1
    resolution: tuple[_Ratio, _Ratio] | None = None
    unit: int = _INCH
    pixels: tuple[int, int] | None = None

    def turn(self, width: int, height: int) -> tuple[int, int]:
        """Return the size of a picture after it was turned upright."""
        return (height, width) if self.orientation in _TURNED else (width, height)

    def scale(self, width: int, height: int) -> tuple[int, int]:
        """Return the size of a picture corrected for its resolution (HTML, section 4.8.4.3).

        The size in the block counts if it is that of the picture at 72 pixels per inch.
        """
        if self.resolution is None or self.pixels is None or self.unit != _INCH:
            return width, height
        sides = zip((width, height), self.resolution, strict=True)
        # Rounded half up, as browsers do.
        shown = tuple((2 * side * _UNKNOWN * b + a) // (2 * a) for side, (a, b) in sides)
        return self.pixels if shown == self.pixels else (width, height)

    def reduce(self, width: int, height: int) -> Exif:
        """Return the facts that matter for a picture of this size, without its defaults."""
        resolution = self.resolution
        if resolution and self.unit == _INCH and all(a == _UNKNOWN * b for a, b in resolution):
            resolution = None
        scaled = self.scale(width, height) != (width, height)
        return Exif(self.orientation, resolution, self.unit, self.pixels if scaled else None)


class _Entry(NamedTuple):
    tag: int
    kind: int
    number: int
    place: int  # of the first value; beyond the block if the values are not in it

    def numbers(self, tiff: bytes) -> tuple[int, ...]:
        """Return the numbers of the first value; none if it is not in the block."""
        size = min(_SIZES[self.kind], 4)
        end = self.place + _SIZES[self.kind]
        parts = range(self.place, end if end <= len(tiff) else self.place, size)
        return tuple(int.from_bytes(tiff[p : p + size], _ORDERS[tiff[:4]]) for p in parts)


def read(tiff: bytes) -> Exif:
    """Read an EXIF block; what is damaged is passed over, as browsers do.

    Args:
        tiff: the block, from its TIFF header.

    Returns:
        The first valid value of each tag.
    """
    found: dict[int, tuple[int, ...]] = {}
    for entry in _entries(tiff):
        if entry.kind in _TYPES.get(entry.tag, ()) and entry.number == 1:
            numbers = entry.numbers(tiff)
            if numbers and (entry.tag != _ORIENTATION or numbers[0] in _ORIENTATIONS):
                found.setdefault(entry.tag, numbers)
    resolution = pixels = None
    if _X_RESOLUTION in found and _Y_RESOLUTION in found:
        x, y = found[_X_RESOLUTION], found[_Y_RESOLUTION]
        resolution = ((x[0], x[1]), (y[0], y[1])) if all(x + y) else None
    if _X_PIXELS in found and _Y_PIXELS in found:
        pixels = found[_X_PIXELS][0], found[_Y_PIXELS][0]
    unit = found.get(_UNIT, (0,))[0]
    return Exif(found.get(_ORIENTATION, (1,))[0], resolution, unit, pixels)


def read_credits(tiff: bytes) -> Credits:
    """Read whom an EXIF block credits.

    Args:
        tiff: the block, from its TIFF header.
    """
    found: dict[int, bytes] = {}
    for entry in _entries(tiff):
        is_text = entry.kind in {_ASCII, _UTF8} and entry.tag in {_ARTIST, _COPYRIGHT}
        if is_text and entry.tag not in found:
            found[entry.tag] = tiff[entry.place : entry.place + entry.number].strip(b"\0 ")
    return Credits(found.get(_ARTIST, b""), found.get(_COPYRIGHT, b""))


def has_location(tiff: bytes) -> bool:
    """Return whether an EXIF block has a latitude or longitude.

    Args:
        tiff: the block, from its TIFF header.
    """
    for entry in _entries(tiff):
        if (entry.tag, entry.kind, entry.number) == (_GPS, _LONG, 1):
            start = entry.numbers(tiff)[0]
            return any(e.tag in {_LATITUDE, _LONGITUDE} for e in _directory(tiff, start))
    return False


def write(facts: Exif, credited: Credits = NOBODY) -> bytes:
    """Make an EXIF block of these facts alone.

    Args:
        facts: what to keep.
        credited: whom to credit.

    Returns:
        The block, from its TIFF header; empty if there is nothing to say.
    """
    rows = [(_ORIENTATION, _SHORT, facts.orientation.to_bytes(2))] if facts.orientation > 1 else []
    if facts.resolution:
        x, y = (a.to_bytes(4) + b.to_bytes(4) for a, b in facts.resolution)
        rows += [(_X_RESOLUTION, _RATIONAL, x), (_Y_RESOLUTION, _RATIONAL, y)]
        rows += [(_UNIT, _SHORT, facts.unit.to_bytes(2))]
    for tag, text in ((_ARTIST, credited.artist), (_COPYRIGHT, credited.copyright)):
        rows += [(tag, _ASCII, text + b"\0")] if text else []
    if not rows:
        return b""
    if facts.pixels:
        sides = (side.to_bytes(4) for side in facts.pixels)
        sub = [*zip((_X_PIXELS, _Y_PIXELS), (_LONG, _LONG), sides, strict=True)]
        start = 8 + len(_pack([*rows, (_SUB_IFD, _LONG, bytes(4))], 8))
        rows.append((_SUB_IFD, _LONG, start.to_bytes(4)))
        return b"MM\0*\0\0\0\x08" + _pack(rows, 8) + _pack(sub, start)
    return b"MM\0*\0\0\0\x08" + _pack(rows, 8)


def _pack(rows: list[tuple[int, int, bytes]], start: int) -> bytes:
    """Pack a directory of tags in ascending order, and behind it what does not fit into it."""
    packed, behind = len(rows).to_bytes(2), b""
    end = start + 2 + _ENTRY * len(rows) + 4
    for tag, kind, value in rows:
        packed += tag.to_bytes(2) + kind.to_bytes(2) + (len(value) // _SIZES[kind]).to_bytes(4)
        if len(value) <= 4:  # noqa: PLR2004  bytes of the field
            packed += value.ljust(4, b"\0")
        else:
            packed += (end + len(behind)).to_bytes(4)
            behind += value + b"\0" * (len(value) % 2)
    return packed + bytes(4) + behind


def _entries(tiff: bytes) -> Iterator[_Entry]:
    """Yield the entries of the first directory, and of the EXIF directory within it."""
    order = _ORDERS.get(tiff[:4])
    if order is None:
        return
    is_first = True  # a block of pointers would take hours
    for entry in _directory(tiff, int.from_bytes(tiff[4:8], order)):
        yield entry
        if entry.tag == _SUB_IFD and (entry.kind, entry.number) == (_LONG, 1) and is_first:
            is_first = False
            yield from _directory(tiff, entry.numbers(tiff)[0])


def _directory(tiff: bytes, start: int) -> Iterator[_Entry]:
    """Yield the entries of a directory, as far as it is in the block."""
    order = _ORDERS[tiff[:4]]
    count = int.from_bytes(tiff[start : start + 2], order)
    for entry in range(start + 2, start + 2 + count * _ENTRY, _ENTRY):
        if entry + _ENTRY > len(tiff):
            return
        tag, kind = (int.from_bytes(tiff[p : p + 2], order) for p in (entry, entry + 2))
        number, offset = (int.from_bytes(tiff[p : p + 4], order) for p in (entry + 4, entry + 8))
        size = number * _SIZES.get(kind, 0)
        place = entry + 8 if size <= 4 else offset  # noqa: PLR2004  bytes of the field
        yield _Entry(tag, kind, number, place if place + size <= len(tiff) else len(tiff))
