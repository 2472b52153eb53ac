"""What a browser reads from EXIF (CIPA DC-008) before it lays out a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Exif", "read"]

_Order = Literal["little", "big"]
_ORDERS: dict[bytes, _Order] = {b"II*\0": "little", b"MM\0*": "big"}
_ENTRY = 12  # bytes of an entry: tag, type, number of values, value or its offset
_SHORT, _LONG, _RATIONAL = 3, 4, 5
_ORIENTATION, _SUB_IFD = 0x0112, 0x8769
_X_RESOLUTION, _Y_RESOLUTION, _UNIT = 0x011A, 0x011B, 0x0128
_X_PIXELS, _Y_PIXELS = 0xA002, 0xA003
_TYPES = {
    _ORIENTATION: (_SHORT,),
    _UNIT: (_SHORT,),
    _SUB_IFD: (_LONG,),
    _X_RESOLUTION: (_RATIONAL,),
    _Y_RESOLUTION: (_RATIONAL,),
    _X_PIXELS: (_SHORT, _LONG),
    _Y_PIXELS: (_SHORT, _LONG),
}
_INCH = 2
_CSS_INCH = 72  # pixels; what the rule of browsers takes for the resolution of the size shown
_ORIENTATIONS = range(1, 9)
_TURNED = range(5, 9)


class Exif(NamedTuple):
    """The facts of an EXIF block that change how a picture is shown.

    Attributes:
        orientation: 1 to 8; 1 is upright.
        resolution: horizontal and vertical, each as numerator and denominator, in pixels per
            inch; None if it is not given, or in another unit.
        pixels: the size that the block gives; None if it gives none.
    """

    orientation: int = 1
    resolution: tuple[tuple[int, int], tuple[int, int]] | None = None
    pixels: tuple[int, int] | None = None

    def turn(self, width: int, height: int) -> tuple[int, int]:
        """Return the size of a picture after it was turned upright."""
        return (height, width) if self.orientation in _TURNED else (width, height)

    def scale(self, width: int, height: int) -> tuple[int, int]:
        """Return the size of a picture corrected for its resolution (HTML, section 4.8.4.3).

        The size in the block counts if it is that of the picture at 72 pixels per inch.
        """
        if self.resolution is None or self.pixels is None:
            return width, height
        sides = zip((width, height), self.resolution, strict=True)
        # Rounded half up, as browsers do.
        shown = tuple((2 * side * _CSS_INCH * b + a) // (2 * a) for side, (a, b) in sides)
        return self.pixels if shown == self.pixels else (width, height)


def read(tiff: bytes) -> Exif:
    """Read an EXIF block; what is damaged is passed over, as browsers do.

    Args:
        tiff: the block, from its TIFF header.

    Returns:
        The first valid value of each tag.
    """
    order = _ORDERS.get(tiff[:4])
    if order is None:
        return Exif()
    found: dict[int, tuple[int, ...]] = {}
    for tag, values in _entries(tiff, int.from_bytes(tiff[4:8], order), order, root=True):
        if tag != _ORIENTATION or values[0] in _ORIENTATIONS:
            found.setdefault(tag, values)
    resolution = pixels = None
    if _X_RESOLUTION in found and _Y_RESOLUTION in found and found.get(_UNIT) == (_INCH,):
        x, y = found[_X_RESOLUTION], found[_Y_RESOLUTION]
        resolution = ((x[0], x[1]), (y[0], y[1])) if all(x + y) else None
    if _X_PIXELS in found and _Y_PIXELS in found:
        pixels = found[_X_PIXELS][0], found[_Y_PIXELS][0]
    return Exif(found.get(_ORIENTATION, (1,))[0], resolution, pixels)


def _entries(
    tiff: bytes, start: int, order: _Order, *, root: bool
) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Yield the known tags of a directory, and of the EXIF directory within it."""
    count = int.from_bytes(tiff[start : start + 2], order)
    for entry in range(start + 2, start + 2 + count * _ENTRY, _ENTRY):
        if entry + _ENTRY > len(tiff):
            return
        tag, kind = (int.from_bytes(tiff[p : p + 2], order) for p in (entry, entry + 2))
        number, offset = (int.from_bytes(tiff[p : p + 4], order) for p in (entry + 4, entry + 8))
        if kind not in _TYPES.get(tag, ()) or number != 1:
            continue
        if kind == _SHORT:
            yield tag, (int.from_bytes(tiff[entry + 8 : entry + 10], order),)
        elif kind == _RATIONAL and offset + 8 <= len(tiff):
            parts = (tiff[p : p + 4] for p in (offset, offset + 4))
            yield tag, tuple(int.from_bytes(part, order) for part in parts)
        elif tag == _SUB_IFD and root:
            root = False  # the first alone, or a block of pointers would take hours
            yield from _entries(tiff, offset, order, root=False)
        elif kind == _LONG:
            yield tag, (offset,)
