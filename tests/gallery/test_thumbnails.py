from __future__ import annotations

import hashlib
import random
from io import BytesIO
from typing import TYPE_CHECKING

import PIL.Image
import pytest

from pelican_imagehost.gallery.thumbnails import Thumbnails
from pelican_imagehost.storage.store import Store

if TYPE_CHECKING:
    from pathlib import Path

ORIENTATION = 0x0112  # EXIF


class Gallery:
    def __init__(self, folder: Path) -> None:
        self.store = Store(folder / "images")
        self.folder = folder / "cache/thumbnails"
        self.thumbnails = Thumbnails(self.store, self.folder)

    def put(self, data: bytes, kind: str) -> str:
        digest = hashlib.sha256(data).hexdigest()
        key = f"{digest[:2]}/{digest}.{kind}"
        file = self.store.path(key)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        return key


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return Gallery(tmp_path)


def noise(width: int, height: int, kind: str, mode: str = "RGB", **options: object) -> bytes:
    """Make a picture that does not compress."""
    bands = len(PIL.Image.new(mode, (1, 1)).getbands())
    pixels = random.Random(width).randbytes(width * height * bands)  # noqa: S311  only noise
    buffer = BytesIO()
    PIL.Image.frombytes(mode, (width, height), pixels).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("kind", "suffix", "mode"),
    [
        ("JPEG", "jpg", "RGB"),
        ("JPEG", "jpg", "CMYK"),
        ("PNG", "png", "RGBA"),
        ("PNG", "png", "L"),
        ("WEBP", "webp", "RGB"),
        ("AVIF", "avif", "RGB"),
    ],
)
def test_a_large_picture_gets_a_small_one(
    gallery: Gallery, kind: str, suffix: str, mode: str
) -> None:
    key = gallery.put(noise(1200, 800, kind, mode), suffix)
    small = gallery.thumbnails.find(key)
    assert small.is_relative_to(gallery.folder)
    with PIL.Image.open(small) as picture:
        assert (picture.format, picture.size) == ("WEBP", (480, 320))
    made = small.stat().st_mtime_ns
    assert gallery.thumbnails.find(key) == small
    assert small.stat().st_mtime_ns == made
    assert [file.name for file in small.parent.iterdir()] == [small.name]


def test_it_stands_as_the_picture_does(gallery: Gallery) -> None:
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = 6
    key = gallery.put(noise(1200, 800, "JPEG", exif=exif), "jpg")
    with PIL.Image.open(gallery.thumbnails.find(key)) as picture:
        assert picture.size == (320, 480)


def test_a_small_file_is_shown_itself(gallery: Gallery) -> None:
    key = gallery.put(noise(40, 30, "PNG"), "png")
    assert gallery.thumbnails.find(key) == gallery.store.path(key)


@pytest.mark.parametrize(
    "data",
    [
        noise(300, 300, "PNG")[:60_000],
        noise(600, 600, "JPEG")[:60_000],
        b"\x89PNG\r\n\x1a\n" + bytes(60_000),
    ],
    ids=["half a PNG", "half a JPEG", "none"],
)
def test_what_cannot_be_decoded_is_shown_itself(gallery: Gallery, data: bytes) -> None:
    kind = "png" if data[1:4] == b"PNG" else "jpg"
    key = gallery.put(data, kind)
    for _ in range(2):
        assert gallery.thumbnails.find(key) == gallery.store.path(key)
    assert not any(gallery.folder.rglob("*.*"))


def test_a_bomb_is_not_decoded(gallery: Gallery) -> None:
    buffer = BytesIO()
    PIL.Image.new("1", (12_000, 12_000)).save(buffer, "PNG", compress_level=0)
    key = gallery.put(buffer.getvalue(), "png")
    assert gallery.thumbnails.find(key) == gallery.store.path(key)


def test_where_nothing_can_be_written_the_image_itself_is_shown(
    gallery: Gallery, read_only_folder: Path
) -> None:
    thumbnails = Thumbnails(gallery.store, read_only_folder)
    key = gallery.put(noise(600, 600, "PNG"), "png")
    assert thumbnails.find(key) == gallery.store.path(key)
