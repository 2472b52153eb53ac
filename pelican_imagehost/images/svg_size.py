"""The size of an SVG in CSS pixels, as Chromium shows the file in `<img>`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pelican_imagehost.errors import CorruptImage
from pelican_imagehost.images.svg_rules import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["measure"]

_NUMBER = r"([+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
_LENGTH = re.compile(rf"\s*+{_NUMBER}([a-z]*|%)\s*+", re.ASCII | re.IGNORECASE)
_NEXT = rf"(?:\s*+,\s*+|\s++|(?=[+.-])){_NUMBER}"
_BOX = re.compile(rf"\s*+{_NUMBER}{_NEXT}{_NEXT}{_NEXT}\s*+", re.ASCII)
_STRETCHED = re.compile(r"\s*+none(?:\s++(?:meet|slice))?\s*+", re.ASCII)
_FONT_SIZE = re.compile(r"(?:^|;)\s*+font-size\s*+:([^;!]*+)", re.IGNORECASE)
_INCH = 96.0
_UNITS = {
    "": 1.0,
    "px": 1.0,
    "pt": _INCH / 72,
    "pc": _INCH / 6,
    "in": _INCH,
    "cm": _INCH / 2.54,
    "mm": _INCH / 25.4,
    "q": _INCH / 101.6,
}
# In widths of `em`, by the metrics of Times, the default font everywhere.
_FONT_UNITS = {"em": 1.0, "ex": 0.459, "ch": 0.5, "cap": 0.655, "ic": 1.0, "lh": 1.125}
_FONT_SIZES = {
    "xx-small": 9.0,
    "x-small": 10.0,
    "small": 13.0,
    "medium": 16.0,
    "large": 18.0,
    "x-large": 24.0,
    "xx-large": 32.0,
    "xxx-large": 48.0,
}
_MEDIUM = 16.0
# Of a window or a container, which an image is measured without.
_WINDOW_UNITS = re.compile(r"[lsd]?v(?:[whib]|min|max)|cq(?:[whib]|min|max)")
_DEFAULT_WIDTH, _DEFAULT_HEIGHT = 300.0, 150.0  # CSS 2.2, section 10.3.2
_MOST = 2.0**25 - 4  # pixels, as far as Chromium counts
_INFINITE = 2.0**128  # for numbers of single precision
_LONGEST = 1000  # characters of a value that is read


def measure(root: Mapping[str, str]) -> tuple[int, int]:
    """Measure an SVG by the attributes of its root (SVG 2, section 8.12, "Intrinsic sizing").

    Args:
        root: the attributes.

    Returns:
        Width and height: what is written, else from the other by the viewBox, else the
        viewBox fitted into 300 × 150, else these. A part of a pixel counts as one.

    Raises:
        CorruptImage: a side is 0, so nothing is shown, or cannot be computed.
    """
    font = _font_size(root)
    width = _read_side("width", root.get("width", ""), font)
    height = _read_side("height", root.get("height", ""), font)
    if width is None or height is None:
        width, height = _complete(width, height, root)
    return _round(width), _round(height)


def _complete(
    width: float | None, height: float | None, root: Mapping[str, str]
) -> tuple[float, float]:
    if _STRETCHED.fullmatch(root.get("preserveAspectRatio", "")[:_LONGEST]):
        return _DEFAULT_WIDTH, _DEFAULT_HEIGHT
    ratio = _read_ratio(root.get("viewBox", ""))
    if ratio is None:
        return width or _DEFAULT_WIDTH, height or _DEFAULT_HEIGHT
    if width:
        return width, width / ratio
    if height:
        return height * ratio, height
    return min(_DEFAULT_WIDTH, _DEFAULT_HEIGHT * ratio), min(
        _DEFAULT_HEIGHT, _DEFAULT_WIDTH / ratio
    )


def _read_ratio(box: str) -> float | None:
    match = _BOX.fullmatch(box[:_LONGEST])
    if match is None:
        return None
    left, top, width, height = map(float, match.groups())
    valid = (
        min(width, height) > 1 / _INFINITE
        and max(-left, left, -top, top, width, height) < _INFINITE
    )
    return width / height if valid else None


def _read_side(name: str, value: str, font: float) -> float | None:
    """Read a side in pixels; return None where it is left to the viewBox.

    Raises:
        CorruptImage: the side is 0, or cannot be computed.
    """
    computed = "(" in value or "/*" in value or len(value) > _LONGEST
    pixels = None if computed else _to_pixels(value, font)
    if computed or (pixels is not None and pixels <= 0):
        reason = "cannot be computed here" if computed else "makes it invisible as an image"
        raise CorruptImage(
            f'is an SVG whose {name}="{shown(value)}" {reason}; write the number of pixels'
        )
    return pixels


def _to_pixels(value: str, font: float) -> float | None:
    match = _LENGTH.fullmatch(value)
    if match is None:
        return None
    number, unit = float(match[1]), match[2].lower()
    if _WINDOW_UNITS.fullmatch(unit):
        return 0.0
    relative = _FONT_UNITS.get(unit) or _FONT_UNITS.get(unit.removeprefix("r"))
    scale = relative * font if relative else _UNITS.get(unit)
    return None if scale is None else number * scale


def _font_size(root: Mapping[str, str]) -> float:
    """Read the size of the root's font in pixels; its style counts before its attribute."""
    styled = _FONT_SIZE.findall(root.get("style", "")[:_LONGEST])
    for value in (*reversed(styled), root.get("font-size", "")[:_LONGEST]):
        word = value.strip().lower()
        percent = _to_pixels(f"{word[:-1]}em", _MEDIUM / 100) if word.endswith("%") else None
        pixels = percent or _FONT_SIZES.get(word) or _to_pixels(word, _MEDIUM)
        if pixels is not None and pixels >= 0:
            return pixels
    return _MEDIUM


def _round(side: float) -> int:
    return max(1, int(min(side, _MOST) + 0.5))
