"""Variants in a real browser: their colours, how they stand, and how they play."""

from __future__ import annotations

import base64
import struct
import zlib
from io import BytesIO
from typing import TYPE_CHECKING, Any

import PIL.Image
import pytest

from pelican_imagehost.images.image import MEDIA_TYPES
from pelican_imagehost.images.variants.make import Wanted, make
from tests.images.variants.pictures import (
    SIZE,
    cmyk_profile,
    corners,
    encode,
    grey_profile,
    p3_profile,
    padded,
    photo,
    screenshot,
)
from tests.images.variants.test_animation import moving
from tests.images.variants.test_make import SHOWN, oriented, see_through

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from PIL.Image import Image as Picture
    from playwright.sync_api import Browser

WIDTH = 200  # of the variants, and of everything in the window
BLOCK = 10  # pixels; their mean is compared, because scaling and encoding change the grain
NOTICEABLE = 2.3  # CIE76: a difference that people just notice
WHITE = (0.9505, 1.0, 1.089)  # D65
BOTH = ("avif", "webp")

# sRGB to XYZ (IEC 61966-2-1).
MATRIX = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))


def lab(colour: Sequence[int]) -> tuple[float, float, float]:
    """Convert a colour of sRGB to L*a*b* (CIE 15)."""
    linear = [
        v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4
        for v in (c / 255 for c in colour)
    ]
    x, y, z = (
        value ** (1 / 3) if value > 0.008856 else 7.787 * value + 16 / 116
        for value in (
            sum(factor * part for factor, part in zip(row, linear, strict=True)) / white
            for row, white in zip(MATRIX, WHITE, strict=True)
        )
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def colours(picture: Picture) -> list[tuple[float, float, float]]:
    small = picture.convert("RGB").reduce(BLOCK)
    pixels = small.tobytes()
    return [lab(pixels[at : at + 3]) for at in range(0, len(pixels), 3)]


def differences(one: Picture, other: Picture) -> list[float]:
    """Return ΔE*ab between two pictures, for each block of pixels."""
    assert one.size == other.size
    return [
        sum((a - b) ** 2 for a, b in zip(left, right, strict=True)) ** 0.5
        for left, right in zip(colours(one), colours(other), strict=True)
    ]


def show(browser: Browser, files: Sequence[tuple[bytes, str]], width: int = WIDTH) -> list[Picture]:
    """Return what Chromium paints of files, at one width, on a colour that shines through."""
    tags = "".join(
        f'<p><img src="data:{MEDIA_TYPES[kind]};base64,{base64.b64encode(data).decode()}">'
        for data, kind in files
    )
    page = browser.new_page(viewport={"width": 900, "height": 900})
    page.set_content(
        f"<style>body {{ background: teal }} p {{ height: 900px }} img {{ width: {width}px }}"
        f"</style>{tags}"
    )
    page.evaluate("Promise.all([...document.images].map((one) => one.decode()))")
    taken = [one.screenshot() for one in page.locator("img").all()]
    page.close()
    return [PIL.Image.open(BytesIO(data)) for data in taken]


def deep() -> bytes:
    """Make a PNG with 16 bits a channel (PNG, third edition, section 11)."""
    picture = photo()
    wide = bytes(byte for value in picture.tobytes() for byte in (value, 255 - value))
    row = 6 * picture.width
    rows = b"".join(b"\0" + wide[at : at + row] for at in range(0, len(wide), row))
    header = struct.pack(">LLBBBBB", *picture.size, 16, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">L", len(content))
        + name
        + content
        + struct.pack(">L", zlib.crc32(name + content))
        for name, content in chunks
    )


def cmyk() -> Picture:
    """Make a picture without black, which Chromium takes for all the others."""
    cyan, magenta, yellow = photo().split()
    return PIL.Image.merge("CMYK", (cyan, magenta, yellow, PIL.Image.new("L", SIZE)))


PHOTOS: dict[str, Callable[[], tuple[bytes, str]]] = {
    "sRGB": lambda: (encode(photo(), "jpg"), "jpg"),
    "Display P3": lambda: (encode(photo(), "jpg", icc_profile=p3_profile()), "jpg"),
    "Display P3 in a PNG": lambda: (encode(photo(), "png", icc_profile=p3_profile()), "png"),
    "Display P3 in an AVIF": lambda: (
        encode(photo(), "avif", quality=95, icc_profile=p3_profile()), "avif"
    ),
    "CMYK": lambda: (encode(cmyk(), "jpg", icc_profile=cmyk_profile("M")), "jpg"),
    "CMYK whose black is grey": lambda: (
        encode(cmyk(), "jpg", icc_profile=cmyk_profile("C", 0.3)), "jpg"
    ),
    "grey": lambda: (padded(encode(photo().convert("L"), "jpg"), 60_000), "jpg"),
    "grey with a profile": lambda: (
        padded(encode(photo().convert("L"), "jpg", icc_profile=grey_profile()), 60_000),
        "jpg",
    ),
    "16 bits": lambda: (deep(), "png"),
    "palette": lambda: (padded(encode(photo().quantize(200), "png"), 200_000), "png"),
    "still GIF": lambda: (padded(encode(photo().quantize(200), "gif"), 200_000), "gif"),
    "transparent": lambda: see_through("rgb"),
    "transparent grey": lambda: see_through("grey"),
    "transparent palette": lambda: see_through("palette"),
    "transparent WebP": lambda: see_through("webp"),
}  # fmt: skip


@pytest.mark.parametrize("name", PHOTOS)
def test_a_variant_has_the_colours_of_its_original(browser: Browser, name: str) -> None:
    data, kind = PHOTOS[name]()
    made = make(data, kind, Wanted(BOTH, (WIDTH,), fallback=False))
    assert [one.type for one in made] == [*BOTH]
    original, *variants = show(browser, [(data, kind), *((one.data, one.type) for one in made)])
    for shown in variants:
        found = differences(original, shown)
        assert sum(found) / len(found) < NOTICEABLE
        assert max(found) < 2 * NOTICEABLE


def test_a_lost_profile_would_have_been_seen(browser: Browser) -> None:
    data, kind = PHOTOS["Display P3"]()
    original, without = show(browser, [(data, kind), (encode(photo(), "jpg"), "jpg")])
    found = differences(original, without)
    assert sum(found) / len(found) > NOTICEABLE


@pytest.mark.parametrize("orientation", SHOWN)
def test_a_variant_stands_like_its_original(browser: Browser, orientation: int) -> None:
    data = encode(corners(), "jpg", exif=oriented(orientation))
    made = make(data, "jpg", Wanted(BOTH, (WIDTH,), fallback=False))
    original, *variants = show(browser, [(data, "jpg"), *((one.data, one.type) for one in made)])
    assert (original.height > original.width) == (orientation > 4)
    for shown in variants:
        found = differences(original, shown)
        assert sum(found) / len(found) < NOTICEABLE


@pytest.mark.parametrize("profile", [None, p3_profile()], ids=["sRGB", "Display P3"])
def test_a_lossless_variant_is_the_same_pixel_for_pixel(
    browser: Browser, profile: bytes | None
) -> None:
    picture = screenshot()
    data = padded(encode(picture, "png", icc_profile=profile), 200_000)
    (made,) = make(data, "png")
    assert made.type == "webp"
    original, shown = show(browser, [(data, "png"), (made.data, "webp")], picture.width)
    assert original.size == picture.size
    assert original.tobytes() == shown.tobytes()


PLAY = """async ([data, type]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const decoder = new ImageDecoder({ data: bytes, type });
  await decoder.tracks.ready;
  await decoder.completed;
  const { animated, frameCount, repetitionCount } = decoder.tracks.selectedTrack;
  const durations = [];
  for (let frameIndex = 0; frameIndex < frameCount; frameIndex++)
    durations.push((await decoder.decode({ frameIndex })).image.duration);
  return { animated, durations, repetitions: repetitionCount === Infinity ? -1 : repetitionCount };
}"""


def play(browser: Browser, data: bytes, kind: str) -> dict[str, Any]:
    """Return how Chromium plays an animation."""
    page = browser.new_page()
    page.route("**", lambda route: route.fulfill(body="<title>a</title>", content_type="text/html"))
    page.goto("http://localhost/")  # is answered above; a decoder needs a secure context
    played: dict[str, Any] = page.evaluate(
        PLAY, [base64.b64encode(data).decode(), MEDIA_TYPES[kind]]
    )
    page.close()
    return played


@pytest.mark.parametrize(
    ("kind", "loop"),
    [("gif", 0), ("gif", None), ("gif", 3), ("png", 0), ("png", 3), ("webp", 0), ("webp", 3)],
)
def test_an_animation_plays_as_its_original_does(
    browser: Browser, kind: str, loop: int | None
) -> None:
    data = moving(kind, loop=loop)
    expected = play(browser, data, kind)
    assert expected["animated"]
    assert len(expected["durations"]) == 4
    for one in make(data, kind, Wanted(BOTH)):
        assert play(browser, one.data, one.type) == expected
