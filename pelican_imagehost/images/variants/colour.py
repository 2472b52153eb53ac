"""Colours: what an image says about them, and pictures in 8 bits with those colours."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import TYPE_CHECKING

from PIL import ImageCms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL.Image import Image as Picture

__all__ = ["are_known", "is_deep", "normalize", "space_of"]

_SPACES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}
_HEADER = 128  # bytes of a profile
_GREY = frozenset(["1", "L", "LA"])
_OPAQUE = (255, 255)
# Code points of ITU-T H.273, sections 8.1 and 8.2: sRGB's, BT.709's, which screens show as sRGB,
# and unspecified.
_PRIMARIES = frozenset([1, 2])
_TRANSFERS = frozenset([1, 2, 6, 13])
# A PNG's units are 1/100,000.
_SRGB_GAMMA = 45_455
_SRGB_POINTS = (31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000)
_SRGB_CHRM = struct.pack(">8L", *_SRGB_POINTS)
_CLOSE = 1_000


def normalize(picture: Picture, *, faithful: bool) -> Picture | None:
    """Convert a picture to 8-bit RGB, RGBA or grey, in the colours of its profile or of sRGB.

    Args:
        picture: the picture, decoded.
        faithful: whether nearly right colours are not good enough.

    Returns:
        The picture, with its profile if that is for RGB, and no other metadata; None if its
        colours cannot be kept.
    """
    profile: bytes = picture.info.get("icc_profile") or b""
    space = space_of(profile)
    if faithful and is_deep(picture) and "transparency" in picture.info:  # the mark of one grey
        return None
    colours, alpha = _split(picture)
    if space != "RGB":
        colours = _to_srgb(colours, profile) if space == colours.mode else colours
        profile = b""
    if faithful and colours.mode == "CMYK":
        return None
    if colours.mode == "CMYK" or alpha or (colours.mode == "L" and profile):
        colours = colours.convert("RGB")
    if alpha:
        colours.putalpha(alpha)
    colours.info = {"icc_profile": profile} if profile else {}
    return colours


def is_deep(picture: Picture) -> bool:
    """Return whether a picture is grey with more than 8 bits, which Pillow would clip."""
    return picture.mode.startswith("I")


def _split(picture: Picture) -> tuple[Picture, Picture | None]:
    """Return the colours, in `L`, `RGB` or `CMYK`, and the alpha channel unless it is opaque."""
    if is_deep(picture):
        return picture.point(lambda value: value * (1 / 256)).convert("L"), None
    mode = "CMYK" if picture.mode == "CMYK" else "L" if picture.mode in _GREY else "RGB"
    alpha = None
    if picture.has_transparency_data:
        picture = picture.convert("LA" if mode == "L" else "RGBA")
        alpha = picture.getchannel("A")
    colours = picture if picture.mode == mode else picture.convert(mode)
    return colours, alpha if alpha and alpha.getextrema() != _OPAQUE else None


def _to_srgb(picture: Picture, profile: bytes) -> Picture:
    """Convert a grey or CMYK picture through its profile, if that works; grey stays grey."""
    target = ImageCms.createProfile("sRGB")
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC  # as browsers: the black of ink is a dark grey
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        converted = ImageCms.profileToProfile(picture, source, target, intent, "RGB")
    except ImageCms.PyCMSError:
        return picture
    assert converted is not None  # noqa: S101  not in place
    return converted.convert("L") if picture.mode == "L" else converted


def space_of(profile: bytes) -> str:
    """Read the colour space of a profile (ICC.1:2022, section 7.2).

    Args:
        profile: the profile.

    Returns:
        `RGB`, `L` or `CMYK`, as Pillow calls them; "" for another, and for anything but a profile.
    """
    if len(profile) < _HEADER or profile[36:40] != b"acsp":
        return ""
    return _SPACES.get(profile[16:20], "")


def are_known(data: bytes, image_type: str) -> bool:
    """Return whether a profile, or sRGB without one, says all about the colours of an image.

    Args:
        data: the whole file.
        image_type: its type.
    """
    if image_type == "png":
        return _are_known_png(data)
    return image_type != "avif" or _are_known_avif(data)


def _are_known_avif(data: bytes) -> bool:
    """Judge the `nclx` colours, which a profile overrides (ISO/IEC 14496-12, section 12.1.5)."""
    at = data.find(b"colrnclx")
    if at < 0 or b"colrprof" in data or b"colrrICC" in data:
        return True
    primaries, transfer = struct.unpack_from(">HH", data.ljust(at + 12, b"\0"), at + 8)
    return primaries in _PRIMARIES and transfer in _TRANSFERS


def _are_known_png(data: bytes) -> bool:
    """Judge the chunks about colour; the first present decides (PNG, third edition, section 4.3).

    Pillow knows `iCCP` alone.
    """
    chunks = dict(_chunks(data))
    if b"cICP" in chunks:
        primaries, transfer = chunks[b"cICP"].ljust(2, b"\0")[:2]
        return b"iCCP" not in chunks and primaries in _PRIMARIES and transfer in _TRANSFERS
    if b"iCCP" in chunks or b"sRGB" in chunks or b"gAMA" not in chunks:
        return True
    gamma = int.from_bytes(chunks[b"gAMA"][:4])
    points = struct.unpack(">8L", chunks.get(b"cHRM", _SRGB_CHRM)[:32].ljust(32, b"\0"))
    pairs = zip((gamma, *points), (_SRGB_GAMMA, *_SRGB_POINTS), strict=True)
    return all(abs(value - srgb) <= _CLOSE for value, srgb in pairs)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the name and content of each chunk before the pixels (PNG, section 5.3)."""
    position = len(b"\x89PNG\r\n\x1a\n")
    name = b""
    while name != b"IDAT" and position < len(data):
        size, name = (
            int.from_bytes(data[position : position + 4]),
            data[position + 4 : position + 8],
        )
        yield name, data[position + 8 : position + 8 + size]
        position += 12 + size
