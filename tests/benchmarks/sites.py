"""Create sites of a given size, the same for every benchmark."""

from __future__ import annotations

import random
import struct
import zlib
from io import BytesIO
from typing import TYPE_CHECKING

import PIL.Image
from PIL import ImageChops

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["camera_photo", "make_photo", "make_picture", "make_site"]

# fmt: off
_WORDS = [
    "pelican", "harbour", "morning", "light", "water", "wing", "slow", "bright", "salt", "wind",
    "over", "under", "between", "letter", "paper", "stone", "bread", "quiet", "window", "table",
]
# fmt: on

_SETTINGS = """
SITENAME = "Benchmark"
SITEURL = "https://blog.example.com"
PATH = "content"
TIMEZONE = "UTC"
CACHE_PATH = "cache"
OUTPUT_PATH = "output"
DEFAULT_PAGINATION = 10
STATIC_PATHS = {static}
PLUGINS = {plugins}
"""


def make_picture(number: int, size: int) -> bytes:
    """Make a PNG of exactly `size` bytes (at least 100), different for each number."""
    noise = random.Random(number).randbytes(size)  # noqa: S311  only to be unlike
    width = size - 80
    while len(data := _grey(noise[:width])) != size:
        width += size - len(data)
    return data


def _grey(pixels: bytes) -> bytes:
    """Make a PNG of one row of grey pixels, not compressed."""
    header = struct.pack(">IIBBBBB", len(pixels), 1, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" + pixels, level=0)
    chunks = (_chunk(b"IHDR", header), _chunk(b"IDAT", rows), _chunk(b"IEND", b""))
    return b"".join((b"\x89PNG\r\n\x1a\n", *chunks))


def make_photo(number: int) -> bytes:
    """Make a JPEG of 12 megapixels with the noise of a camera and a location, as phones do."""
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    exif[0x8825] = {1: "N", 2: (52.0, 31.0, float(number)), 3: "E", 4: (13.0, 24.0, 17.0)}
    noise = PIL.Image.effect_noise((4032, 3024), 24)
    colours = PIL.Image.linear_gradient("L").resize(noise.size)
    picture = PIL.Image.merge("RGB", (noise, colours, noise.rotate(180)))
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=92, exif=exif)
    return buffer.getvalue()


def camera_photo(picture: PIL.Image.Image, pixels: int = 12_000_000) -> bytes:
    """Make a photograph as from a camera: 12 megapixels, the noise of a sensor, quality 92.

    Args:
        picture: any photograph, such as those of Debian's lomiri-wallpapers-16.04 and -20.04.
        pixels: how many it gets.
    """
    scale = (pixels / (picture.width * picture.height)) ** 0.5
    size = (round(picture.width * scale), round(picture.height * scale))
    whole = picture.convert("RGB").resize(size, PIL.Image.Resampling.LANCZOS)
    noise = PIL.Image.effect_noise(size, 4)
    buffer = BytesIO()
    noisy = ImageChops.add(whole, PIL.Image.merge("RGB", (noise,) * 3), 1, -128)
    noisy.save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def make_site(
    root: Path, *, posts: int, images: int, layout: str = "beside", size: int = 30_000
) -> None:
    """Write a blog.

    Args:
        root: an empty folder.
        posts: number of posts, each about 5 KB of Markdown.
        images: number of images, each used by one post.
        layout: `beside` the posts, or `static`, below `content/images` (a STATIC_PATHS).
        size: bytes of each image.
    """
    chooser = random.Random(1)  # noqa: S311  the same site every time
    names: list[list[str]] = [[] for _ in range(posts)]
    for number in range(images):
        post = number % posts
        folder = f"content/{post // 50:03}" if layout == "beside" else "content/images"
        file = root / folder / f"picture-{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(make_picture(number, size))
        names[post].append(file.name if layout == "beside" else f"/images/{file.name}")
    for post in range(posts):
        file = root / f"content/{post // 50:03}/post-{post}.md"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_post(post, names[post], chooser))


def configure(root: Path, name: str, *, plugins: list[str], layout: str, more: str = "") -> str:
    """Write a settings file; return its name."""
    static = ["images"] if layout == "static" else []
    text = _SETTINGS.format(static=static, plugins=plugins).replace('"output"', f'"output-{name}"')
    text = text.replace('"cache"', f'"cache-{name}"')
    (root / f"{name}.py").write_text(text + more)
    return f"{name}.py"


def _post(number: int, images: list[str], chooser: random.Random) -> str:
    paragraphs = [" ".join(chooser.choices(_WORDS, k=90)) for _ in range(8)]
    for position, name in enumerate(images):
        paragraphs.insert(2 * position + 1, f"![A picture {position}]({name})")
    date = f"20{10 + number % 15:02}-{1 + number % 12:02}-{1 + number % 28:02}"
    head = (
        f"Title: Post {number}\nDate: {date}\nTags: group-{number % 20}-x, kind-{number % 7}-x\n\n"
    )
    return head + "\n\n".join(paragraphs) + "\n"


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)
