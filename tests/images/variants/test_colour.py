from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any

import PIL.Image
import pytest
from PIL import ImageCms

from pelican_imagehost.images.variants.make import Wanted, make
from pelican_imagehost.images.variants.picture import open_picture
from tests.images.variants.pictures import (
    SIZE,
    cmyk_profile,
    decode,
    difference,
    encode,
    grey_profile,
    padded,
    photo,
    screenshot,
)

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

ONE = Wanted(widths=(200,), fallback=False)
SMALL = (200, 150)


def rgb_profile() -> bytes:
    """Make a profile for RGB; which one does not matter where it is only passed on."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def shrink(picture: Picture) -> Picture:
    return picture.resize(SMALL, PIL.Image.Resampling.LANCZOS)


def to_light(grey: Picture) -> Picture:
    """Convert values that are the light itself to sRGB (IEC 61966-2-1)."""
    table = [v / 255 for v in range(256)]
    curve = [12.92 * v if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055 for v in table]
    return grey.point([round(255 * v) for v in curve])


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "avif"])
@pytest.mark.parametrize("wanted", ["avif", "webp"])
def test_a_profile_is_kept_byte_by_byte(kind: str, wanted: str) -> None:
    profile = rgb_profile()
    data = padded(encode(photo(), kind, icc_profile=profile))
    fallback, made = make(data, kind, Wanted((wanted,), (200,)))
    assert (fallback.type, made.type) == ("jpg", wanted)
    for one in (fallback, made):
        assert decode(one.data).info["icc_profile"] == profile


def test_a_profile_is_kept_in_a_lossless_variant_and_in_a_png() -> None:
    profile = rgb_profile()
    data = padded(encode(screenshot(), "png", icc_profile=profile), 3_000_000)
    lossless, fallback = make(data, "png")
    assert (lossless.type, fallback.type) == ("webp", "png")
    for one in (lossless, fallback):
        assert decode(one.data).info["icc_profile"] == profile


@pytest.mark.parametrize("wanted", ["avif", "webp"])
def test_a_grey_picture_is_converted_through_its_profile(wanted: str) -> None:
    grey = photo().convert("L")
    data = encode(grey, "jpg", icc_profile=grey_profile())
    (made,) = make(data, "jpg", ONE._replace(formats=(wanted,)))
    found = decode(made.data)
    assert "icc_profile" not in found.info
    assert (
        difference(shrink(to_light(grey)), found.convert("L"))
        < 6
        < difference(grey, to_light(grey))
    )


def test_grey_with_transparency_is_converted_through_its_profile() -> None:
    grey = photo().convert("L")
    picture = grey.copy()
    picture.putalpha(100)
    (made,) = make(encode(picture, "png", icc_profile=grey_profile()), "png", ONE)
    found = decode(made.data)
    assert found.getchannel("A").getextrema() == (100, 100)
    assert difference(shrink(to_light(grey)), found.convert("RGB").convert("L")) < 6


def test_a_grey_picture_with_a_profile_for_rgb_becomes_rgb() -> None:
    profile = rgb_profile()
    (made,) = make(encode(photo().convert("L"), "jpg", icc_profile=profile), "jpg", ONE)
    found = decode(made.data)
    assert (found.mode, found.info["icc_profile"]) == ("RGB", profile)


def cmyk() -> tuple[Picture, Picture]:
    """Return a picture in which only black tells anything, and its grey."""
    black = photo().convert("L")
    cyan, magenta, yellow = photo(seed=2).split()
    return PIL.Image.merge("CMYK", (cyan, magenta, yellow, black)), black


def test_cmyk_is_converted_through_its_profile() -> None:
    picture, black = cmyk()
    data = encode(picture, "jpg", icc_profile=cmyk_profile())
    (made,) = make(data, "jpg", ONE)
    found = decode(made.data)
    assert (found.mode, "icc_profile" in found.info) == ("RGB", False)
    # L* falls with black in a straight line (CIE 15).
    lightness = [100 * (1 - value / 255) for value in range(256)]
    light = [((v + 16) / 116) ** 3 if v > 8 else v / 903.3 for v in lightness]
    grey = to_light(black.point([round(255 * v) for v in light]))
    assert difference(shrink(grey), found.convert("L")) < 12 < difference(black, grey)


@pytest.mark.parametrize(
    "profile", [None, b"broken", cmyk_profile()[:200], rgb_profile(), grey_profile()]
)
def test_cmyk_without_a_profile_for_it_gets_no_variants(profile: bytes | None) -> None:
    data = padded(encode(cmyk()[0], "jpg", icc_profile=profile))
    assert make(data, "jpg") == []
    with open_picture(data, "jpg") as source:
        nearly = source.decode(faithful=False)  # for a thumbnail
        assert nearly
        assert decode(nearly.encode("webp")).size == SIZE


@pytest.mark.parametrize("profile", [b"broken", cmyk_profile(), grey_profile(), bytes(200)])
def test_a_profile_that_browsers_ignore_is_left_out(profile: bytes) -> None:
    (made,) = make(encode(photo(), "jpg", icc_profile=profile), "jpg", ONE)
    found = decode(made.data)
    assert "icc_profile" not in found.info
    assert difference(shrink(photo()), found) < 8


def with_chunks(**chunks: bytes) -> bytes:
    """Make a PNG with chunks in front of its pixels."""
    data = encode(photo(), "png")
    extra = b"".join(
        struct.pack(">L", len(content))
        + name.encode()
        + content
        + struct.pack(">L", zlib.crc32(name.encode() + content))
        for name, content in chunks.items()
    )
    return data[:33] + extra + data[33:]


SRGB_POINTS = struct.pack(">8L", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
P3_POINTS = struct.pack(">8L", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
ICCP = b"name\0\0" + zlib.compress(rgb_profile())
SRGB_GAMMA, LINEAR = struct.pack(">L", 45455), struct.pack(">L", 100_000)


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ({}, True),
        ({"sRGB": b"\0"}, True),
        ({"gAMA": SRGB_GAMMA}, True),
        ({"gAMA": SRGB_GAMMA, "cHRM": SRGB_POINTS}, True),
        ({"cHRM": P3_POINTS}, True),  # says nothing alone
        ({"gAMA": LINEAR}, False),
        ({"gAMA": SRGB_GAMMA, "cHRM": P3_POINTS}, False),
        ({"gAMA": LINEAR, "sRGB": b"\0"}, True),
        ({"gAMA": LINEAR, "iCCP": ICCP}, True),
        ({"cICP": bytes([1, 13, 0, 1])}, True),
        ({"cICP": bytes([12, 13, 0, 1])}, False),  # Display P3
        ({"cICP": bytes([9, 16, 0, 1])}, False),  # HDR
        ({"cICP": bytes([1, 13, 0, 1]), "iCCP": ICCP}, False),  # Pillow would take the profile
        ({"cICP": b""}, False),
    ],
)
def test_a_png_whose_colours_would_change_gets_no_variants(
    chunks: dict[str, bytes],
    expected: bool,  # noqa: FBT001
) -> None:
    made = make(with_chunks(**chunks), "png", ONE)
    assert bool(made) is expected


@pytest.mark.parametrize(
    ("primaries", "transfer", "profile", "expected"),
    [
        (1, 13, False, True),
        (2, 2, False, True),
        (12, 13, False, False),
        (9, 16, False, False),
        (12, 13, True, True),
    ],
)
def test_an_avif_whose_colours_would_change_gets_no_variants(
    primaries: int,
    transfer: int,
    profile: bool,  # noqa: FBT001
    expected: bool,  # noqa: FBT001
) -> None:
    options: dict[str, Any] = {"icc_profile": rgb_profile()} if profile else {}
    data = bytearray(encode(photo(), "avif", quality=95, **options))
    at = data.index(b"colrnclx") + 8
    data[at : at + 4] = struct.pack(">HH", primaries, transfer)
    assert bool(make(bytes(data), "avif", ONE)) is expected


def test_deep_grey_with_a_transparent_grey_gets_no_variants() -> None:
    picture = PIL.Image.frombytes("I;16", SIZE, photo().convert("LA").tobytes())
    data = encode(picture, "png")
    assert make(data, "png", ONE)
    assert make(encode(picture, "png", transparency=500), "png", ONE) == []
