"""Pictures like photos and like screenshots, colour profiles, and a look into what was made."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any

import PIL.Image
from PIL import ImageChops, ImageDraw

from pelican_imagehost.images.variants.make import Wanted

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image as Picture

FORMATS = {"avif": "AVIF", "gif": "GIF", "jpg": "JPEG", "png": "PNG", "webp": "WEBP"}
SIZE = (500, 375)
SOME = Wanted(widths=(100, 200, 300))  # of pictures as small as these
CORNERS = ("top left", "top right", "bottom right", "bottom left")


@cache
def _photo(size: tuple[int, int], seed: int) -> Picture:
    chance = random.Random(seed)  # noqa: S311  only a picture
    light = PIL.Image.frombytes("RGB", (8, 6), chance.randbytes(144))
    grain = PIL.Image.frombytes("RGB", size, chance.randbytes(size[0] * size[1] * 3))
    smooth = light.resize(size, PIL.Image.Resampling.BICUBIC)
    return PIL.Image.blend(smooth, grain, 0.16)


def photo(size: tuple[int, int] = SIZE, seed: int = 1) -> Picture:
    """Make a picture of soft colours with grain."""
    return _photo(size, seed).copy()


def screenshot(size: tuple[int, int] = (800, 600)) -> Picture:
    """Make a picture of letters in a few colours on white; it compresses well without loss."""
    chance = random.Random(7)  # noqa: S311  only a picture
    picture = PIL.Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)
    for y in range(10, size[1] - 10, 14):
        text = "".join(chance.choices("abcdefghij klmnop", k=size[0] // 8))
        draw.text((10, y), text, fill=chance.choice(["black", "navy", "maroon"]))
    return picture


def corners(size: tuple[int, int] = SIZE) -> Picture:
    """Make a photo whose top left is red and whose top right is green."""
    picture = PIL.Image.new("RGB", size, "blue")
    half = (size[0] // 2, size[1] // 2)
    picture.paste("red", (0, 0, *half))
    picture.paste("lime", (half[0], 0, size[0], half[1]))
    return PIL.Image.blend(picture, photo(size), 0.3)


def find_corner(picture: Picture, band: int) -> str:
    """Return the corner where one of the bands red, green and blue is largest beside the others."""
    width, height = picture.size
    points = ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8))
    values = []
    for x, y in points:
        pixel: Any = picture.convert("RGB").getpixel((int(x * width), int(y * height)))
        values.append(2 * pixel[band] - sum(pixel))
    return CORNERS[values.index(max(values))]


def encode(picture: Picture, kind: str, **options: Any) -> bytes:  # noqa: ANN401  Pillow's options
    buffer = BytesIO()
    if kind == "jpg":
        options.setdefault("quality", 95)
    picture.save(buffer, FORMATS[kind], **options)
    return buffer.getvalue()


def padded(data: bytes, size: int = 1_000_001) -> bytes:
    """Make a file larger by what decoders ignore."""
    return data.ljust(size, b"\0")


def decode(data: bytes) -> Picture:
    with PIL.Image.open(BytesIO(data)) as picture:
        picture.load()
        return picture


def difference(one: Picture, other: Picture) -> float:
    """Return the mean difference of two pictures' channels."""
    change = ImageChops.difference(one, other.convert(one.mode))
    pixels = change.tobytes()
    return sum(pixels) / len(pixels)


def metadata(data: bytes, kind: str, folder: Path) -> set[str]:
    """List the groups of metadata that exiftool finds in a file, but those about its format."""
    assert shutil.which("exiftool")
    file = folder / f"made.{kind}"
    file.write_bytes(data)
    command = ["exiftool", "-G0", "-s", "-a", "-u", "-ee", str(file)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    groups = {line[1 : line.index("]")] for line in lines}
    return groups - {"ExifTool", "File", "Composite", "PNG", "RIFF", "QuickTime", "JFIF"}


def grey_profile() -> bytes:
    """Make a profile in which values are the light itself (ICC.1:2022, sections 7 and 10.6)."""
    curve = b"curv" + bytes(4) + struct.pack(">LHH", 1, 0x0100, 0)  # gamma 1
    return _profile(b"GRAY", b"XYZ ", {b"kTRC": curve})


def cmyk_profile(ink: str = "K", darkest: float = 0) -> bytes:
    """Make a profile in which one ink is darkness, and the others do nothing (ICC.1:2022, 10.10).

    Args:
        ink: one of `CMYK`.
        darkest: the lightness of all of this ink, up to 1.
    """
    straight = bytes(range(256))
    place = 3 - "CMYK".index(ink)
    light = (1 - (number >> place & 1) * (1 - darkest) for number in range(16))
    table = b"".join(bytes([round(255 * value), 128, 128]) for value in light)
    matrix = struct.pack(">9l", *(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x10000))
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix + straight * 4 + table + straight * 3
    return _profile(b"CMYK", b"Lab ", {b"A2B0": lut})


def p3_profile() -> bytes:
    """Make the profile Display P3 (ICC.1:2022, sections 9.2, 10.18 and 10.31)."""
    red, green, blue = (
        (0.51512, 0.2412, -0.00105),
        (0.29198, 0.69225, 0.04189),
        (0.1571, 0.06657, 0.78407),
    )
    curve = b"para" + bytes(4) + struct.pack(">HH", 3, 0)
    curve += _fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    points = {b"rXYZ": red, b"gXYZ": green, b"bXYZ": blue}
    tags = {name: b"XYZ " + bytes(4) + _fixed(*point) for name, point in points.items()}
    return _profile(b"RGB ", b"XYZ ", tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve))


def _fixed(*numbers: float) -> bytes:
    return struct.pack(f">{len(numbers)}l", *(round(number * 0x10000) for number in numbers))


def _profile(space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    white = struct.pack(">3l", 0xF6D6, 0x10000, 0xD32D)
    tags = {b"wtpt": b"XYZ " + bytes(4) + white, **tags}
    body, table = b"", struct.pack(">L", len(tags))
    start = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">LL", start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    kind = b"prtr" if space == b"CMYK" else b"mntr"
    head = b"\2\x10\0\0" + kind + space + connection + bytes(12) + b"acsp"
    header = struct.pack(">L", start + len(body)) + b"none" + head + bytes(28) + white
    return header.ljust(128, b"\0") + table + body
