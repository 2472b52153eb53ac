"""Animations, frame by frame, and what Pillow cannot write in an animated AVIF."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image

from pelican_imagehost.images.variants import colour

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from PIL.ImageFile import ImageFile

__all__ = ["encode_animation", "frames_of", "settle"]

_SHORTEST = 10  # milliseconds; browsers show frames of no more for 100
_USUAL = 100
_FLAGS, _ALPHA = 20, 0x10  # in the header of a WebP (RFC 9649, section 2.7)
_PARENTS = frozenset([b"moov", b"trak", b"edts", b"mdia"])
# Offsets in boxes of version 1 (ISO/IEC 14496-12, sections 8.2.2, 8.3.2, 8.4.2 and 8.6.6).
_TIMED = frozenset([b"mvhd", b"tkhd", b"mdhd"])
_TIMES = slice(4, 20)
_DURATIONS = {b"mvhd": 24, b"tkhd": 28}
_SEGMENT = slice(8, 16)  # in `elst`


def encode_animation(
    picture: ImageFile, encoder: str, recipe: Mapping[str, object]
) -> bytes | None:
    """Encode an animation at its size, with the times of its frames.

    Args:
        picture: a GIF, PNG or WebP.
        encoder: `AVIF` or `WEBP`.
        recipe: the encoder's options.

    Returns:
        The animation; None if its colours or its transparency cannot be kept.
    """
    profile = picture.info.get("icc_profile")
    if colour.is_deep(picture) or (profile and colour.space_of(profile) != "RGB"):
        return None
    first = int(getattr(picture, "default_image", False))  # of a PNG; it is not a frame
    times, opaque = [], True
    for number in range(first, frames_of(picture)):
        picture.seek(number)
        opaque = opaque and _is_opaque(picture)  # which decodes it
        time = round(picture.info.get("duration", 0))
        times.append(time if time > _SHORTEST else _USUAL)
    film = _Film(picture, first, "RGB" if opaque else "RGBA")
    plays = _plays(picture)
    buffer = BytesIO()
    options = {"save_all": True, "duration": times, "loop": plays, "icc_profile": profile}
    film.save(buffer, encoder, **recipe, **options)
    data = buffer.getvalue()
    if encoder == "AVIF":
        return settle(data, plays)
    return data if opaque or data[_FLAGS] & _ALPHA else None  # Pillow 13 forgets to write it


def frames_of(picture: ImageFile) -> int:
    """Count the frames of a picture."""
    return int(getattr(picture, "n_frames", 1))


def _is_opaque(picture: ImageFile) -> bool:
    picture.load()
    return (
        not picture.has_transparency_data
        or picture.convert("RGBA").getchannel("A").getextrema()[0] == 255  # noqa: PLR2004  opaque
    )


def _plays(picture: ImageFile) -> int:
    """Return how often an animation is played; 0 for ever."""
    loop = picture.info.get("loop")
    if picture.format != "GIF":
        return int(loop or 0)
    return 1 if loop is None else loop and int(loop) + 1  # a GIF says how often it is repeated


class _Film(Image.Image):
    """The frames of an animation in one mode, decoded one at a time for an encoder.

    Args:
        picture: the animation.
        first: the number of its first frame.
        mode: the mode.
    """

    is_animated = True

    def __init__(self, picture: ImageFile, first: int, mode: str) -> None:
        super().__init__()
        self._picture = picture
        self._first = first
        self._shown = mode
        self.n_frames = frames_of(picture) - first
        self.seek(0)

    def seek(self, frame: int) -> None:
        """Decode a frame."""
        if frame >= self.n_frames:
            raise EOFError
        self._picture.seek(self._first + frame)
        shown = self._picture.convert(self._shown)
        self.im, self._mode, self._size = shown.im, shown.mode, shown.size

    def tell(self) -> int:
        """Return the number of the frame."""
        return self._picture.tell() - self._first


def settle(data: bytes, plays: int) -> bytes:
    """Remove the time of encoding from an animated AVIF, and set how often it is played.

    Made again it would be another file, and everyone could read when that was.

    Args:
        data: the animation as libavif writes it, playing for ever.
        plays: how often it is played, by the durations of the track and of its only segment
            (ISO/IEC 14496-12, section 8.6.6); 0 for ever.

    Returns:
        The animation, of the same size.

    Raises:
        ValueError: it is not as libavif writes it.
    """
    settled = bytearray(data)
    segment = 0
    for name, start in reversed(list(_boxes(data, 0, len(data)))):  # `elst` before `tkhd`
        box = memoryview(settled)[start:]
        if name == b"elst":
            segment = int.from_bytes(box[_SEGMENT])
        elif name in _TIMED:
            if box[0] != 1:
                raise ValueError(f"an encoder wrote {name.decode()} of version {box[0]}")
            box[_TIMES] = bytes(16)
        if plays and name in _DURATIONS:
            at = _DURATIONS[name]
            box[at : at + 8] = (segment * plays).to_bytes(8)
    return bytes(settled)


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int]]:
    """Yield the name of each box, and where its content begins (section 4.2)."""
    while start < end:
        size, name = int.from_bytes(data[start : start + 4]), data[start + 4 : start + 8]
        yield name, start + 8
        if name in _PARENTS:
            yield from _boxes(data, start + 8, start + size)
        start += size or end
