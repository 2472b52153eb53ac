"""Which variants an image gets: smaller pictures in newer types, as wide as screens show them."""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.errors import CorruptImage, ImageTooLarge, MissingEncoder

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from types import ModuleType

    from pelican_imagehost.images.variants.picture import Picture, Source

__all__ = [
    "ANY",
    "LARGE",
    "SHOWN_ANYWHERE",
    "TOP",
    "Asked",
    "Made",
    "Wanted",
    "is_worthwhile",
    "make",
    "widths_to_make",
]

ANY = "any"  # a type of `SHOWN_ANYWHERE`
SHOWN_ANYWHERE = ("jpg", "png", "webp")  # browsers have shown WebP since 2020
SMALL = 30_000  # bytes; smaller images get no variants
_GAIN = 0.8  # of the original's bytes, at most
_NARROWER = 0.9  # than the original's width
TOP = 1440  # pixels, the width to compare at, and that of the fallback
LARGE = 1_000_000  # bytes; larger originals get a fallback
_LONGEST = 16_383  # pixels of a side in WebP; decoders of AVIF have limits, too
_MOST_FRAME_PIXELS = 500_000_000  # of an animation: twenty seconds of CPU
_SCAN = b"\xff\xda"
_MOST_SCANS = 200  # of a JPEG, its EXIF's and MPF's pictures included
_SHARP = frozenset(["gif", "png"])  # types of screenshots and drawings
_MOST_LOSSLESS = 25_000_000  # pixels; each takes up to 25 bytes of memory
_LOSSLESS_WEIGHT = 6  # decoded pixels
_FRAMES_WEIGHT = 8  # decoded frames that are in memory
# A quick lossless encoding this many times larger than a photo never gets smaller than that; with
# all effort a screenshot of text got to a sixth, a photo to nine tenths.
_HOPELESS = 12


class Asked(NamedTuple):
    """A variant that a theme asks for: the same picture, whatever it saves.

    Attributes:
        width: pixels, fewer than the original has, or as many.
        type: `avif` or `webp`; `ANY` for one that every browser shows.
    """

    width: int
    type: str = ANY

    def is_met(self, width: int, image_type: str) -> bool:
        """Return whether a picture of a width and a type is what was asked for."""
        types = SHOWN_ANYWHERE if self.type == ANY else (self.type,)
        return width == self.width and image_type in types


class Wanted(NamedTuple):
    """The variants to make of an image, in so far as they are worth it.

    Attributes:
        formats: `avif`, `webp` or both; nothing is made without one.
        widths: pixels.
        fallback: whether a large original also gets a smaller JPEG, or a PNG, for readers of
            feeds, previews and old browsers.
        asked: what a theme asks for; then nothing else is made.
    """

    formats: Sequence[str] = ("avif",)
    widths: Sequence[int] = (720, 1080, 1440)
    fallback: bool = True
    asked: Collection[Asked] = ()


class Made(NamedTuple):
    """A variant.

    Attributes:
        width: pixels, as shown.
        height: pixels, as shown.
        type: `avif` or `webp`; `jpg` or `png` for the fallback.
        data: the file.
    """

    width: int
    height: int
    type: str
    data: bytes


def is_worthwhile(size: int, image_type: str) -> bool:
    """Return whether an image may get variants, by its bytes and type alone."""
    return size >= SMALL and image_type != "svg"


def make(
    data: bytes,
    image_type: str,
    wanted: Wanted = Wanted(),  # noqa: B008  a constant
    hold: Callable[[int], AbstractContextManager[object]] = nullcontext,
) -> list[Made]:
    """Make the variants of an image; the same bytes each time, from any number of threads.

    - A photo gets each wanted width below 0.9 of its own, scaled from the next larger one, and
      its own width if a wanted one is not below: a browser that takes a `<source>` never sees the
      original, and would scale a narrower variant up.
    - A PNG or still GIF that is smaller as a lossless WebP at full size than as a photo of
      1440 pixels gets that WebP alone: a screenshot blurs when it is scaled.
    - An animation gets an animation of its size, unless it is an AVIF.
    - An original of more than 1 MB gets a fallback of at most 1440 pixels: a JPEG, or a PNG if
      it is transparent or a screenshot.
    - A variant is at least a fifth smaller than the original. If a width is not, no narrower one
      is made: a large screen would get that instead of the original.
    - SVGs and images below 30 kB get none, and none is made if its colours would change.

    Args:
        data: the original.
        image_type: its type, as in `IMAGE_TYPES`.
        wanted: the variants.
        hold: is called with the pixels to keep in memory at a time, for as long as they are.

    Returns:
        The variants, each type from the widest; nothing in them but pixels and their profile.

    Raises:
        MissingEncoder: Pillow is missing, or cannot write a type.
        CorruptImage: the original cannot be decoded.
        ImageTooLarge: it has too many pixels, or frames.
    """
    if not (wanted.formats and is_worthwhile(len(data), image_type)):
        return []
    if image_type == "jpg" and (scans := data.count(_SCAN)) > _MOST_SCANS:
        raise CorruptImage(f"has {scans:,} scans, which take long to decode; a JPEG has about ten")
    if wanted.asked:
        return _make_asked(data, image_type, wanted.asked, hold)
    with _pillow(wanted.formats).open_picture(data, image_type) as source:
        if source.frames > 1:
            if image_type == "avif":  # as small as it gets, and Pillow cannot say how it plays
                return []
            return _animate(source, len(data), wanted, hold)
        source.reduce(max((TOP, *wanted.widths)))
        sharp = image_type in _SHARP and source.weight <= _MOST_LOSSLESS
        with hold(source.weight * (_LOSSLESS_WEIGHT if sharp else 1)):
            whole = source.decode()
            return _still(whole, source.size, len(data), wanted, sharp=sharp) if whole else []


def _make_asked(
    data: bytes,
    image_type: str,
    asked: Collection[Asked],
    hold: Callable[[int], AbstractContextManager[object]],
) -> list[Made]:
    """Make what a theme asks for; nothing of an animation, which would stand still."""
    formats = {one.type for one in asked} - {ANY}
    with _pillow(sorted(formats)).open_picture(data, image_type) as source:
        if source.frames > 1:
            return []
        source.reduce(max(one.width for one in asked))
        with hold(source.weight):
            whole = source.decode()
            if whole is None:
                return []
            # A JPEG, because link previews take it too; 12 photos of 400 pixels had 23 kB each, and
            # 17 as WebP, which browsers get better from `picture` (AVIF: 15). A PNG had 198.
            shown = "webp" if whole.is_transparent else "jpg"
            plan: dict[int, list[str]] = {}
            for one in sorted(asked):
                plan.setdefault(one.width, []).append(shown if one.type == ANY else one.type)
            return list(_scale(whole, source.size, plan, math.inf))


def widths_to_make(own: int, wanted: Sequence[int]) -> set[int]:
    """Return the widths to make: those that are narrower, and its own where the widest is not.

    Args:
        own: the width of the image.
        wanted: the widths.
    """
    widths = {width for width in wanted if width < _NARROWER * own}
    return widths if widths == set(wanted) else {*widths, own}


def _pillow(formats: Sequence[str]) -> ModuleType:
    """Import the module that imports Pillow."""
    try:
        from pelican_imagehost.images.variants import picture  # noqa: PLC0415  only if needed
    except ImportError as error:
        raise MissingEncoder(
            f"Pillow cannot be imported ({error}); run: pip install --upgrade pillow"
        ) from error
    kinds = dict.fromkeys((*formats, "webp"))  # WebP for what is kept without loss
    missing = [kind.upper() for kind in kinds if not picture.can_encode(kind)]
    if missing:
        raise MissingEncoder(
            f"Pillow cannot write {' or '.join(missing)} here; run: pip install --upgrade pillow"
        )
    return picture


def _animate(
    source: Source,
    size: int,
    wanted: Wanted,
    hold: Callable[[int], AbstractContextManager[object]],
) -> list[Made]:
    frames, (width, height) = source.frames, source.size
    if frames * width * height > _MOST_FRAME_PIXELS:
        raise ImageTooLarge(
            f"has {frames:,} frames of {width:,} × {height:,} pixels, too many to encode; "
            "a video is smaller"
        )
    with hold(source.weight * _FRAMES_WEIGHT):
        made = ((kind, source.encode_animation(kind)) for kind in wanted.formats)
        return [
            Made(width, height, kind, data)
            for kind, data in made
            if data and len(data) <= _GAIN * size
        ]


def _still(
    whole: Picture, full: tuple[int, int], size: int, wanted: Wanted, *, sharp: bool
) -> list[Made]:
    lossless = _lossless(whole, wanted.formats[0]) if sharp else b""
    plan: dict[int, list[str]] = {}
    if not lossless:
        plan = {width: list(wanted.formats) for width in widths_to_make(full[0], wanted.widths)}
    if wanted.fallback and size > LARGE:
        kind = "png" if lossless or whole.is_transparent else "jpg"
        plan.setdefault(min(TOP, full[0]), []).append(kind)
    made = list(_scale(whole, full, plan, _GAIN * size))
    if lossless and len(lossless) <= _GAIN * size:
        made.insert(0, Made(*full, "webp", lossless))
    return made


def _lossless(whole: Picture, kind: str) -> bytes:
    """Return a lossless WebP, or nothing if it is larger than the picture as a photo."""
    if max(whole.size) > _LONGEST:
        return b""
    photo = len(whole.resize(_fit(whole.size, TOP)).encode(kind))
    if len(whole.encode("webp", lossless=True, method=0, quality=0)) > _HOPELESS * photo:
        return b""
    best = whole.encode("webp", lossless=True)
    return best if len(best) < photo else b""


def _scale(
    picture: Picture, full: tuple[int, int], plan: Mapping[int, Sequence[str]], most: float
) -> Iterator[Made]:
    """Yield the pictures of a plan, width → types, each scaled from the one before."""
    given_up: set[str] = set()
    for width in sorted(plan, reverse=True):
        size = _fit(full, width)
        picture = picture.resize(size)
        for kind in plan[width]:
            tried = kind not in given_up and max(size) <= _LONGEST
            data = picture.encode(kind) if tried else b""
            if data and len(data) <= most:
                yield Made(*size, kind, data)
            else:
                given_up.add(kind)


def _fit(full: tuple[int, int], width: int) -> tuple[int, int]:
    """Return the size of a picture scaled down to a width."""
    width = min(width, full[0])
    return width, max(1, round(full[1] * width / full[0]))
