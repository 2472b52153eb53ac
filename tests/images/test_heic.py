"""HEIC photos are published as JPEG: upright, in their colours, without their metadata."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from io import BytesIO
from typing import TYPE_CHECKING

import PIL.Image
import pytest

from pelican_imagehost.errors import CorruptImage, ImageTooLarge, UnsupportedImage
from pelican_imagehost.images import heic
from pelican_imagehost.images.clean import clean
from pelican_imagehost.images.identify import identify, read
from pelican_imagehost.images.image import IMAGE_TYPES, Limits
from tests.images.parts import SIZE, encode, with_alpha
from tests.images.private import COLOURS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Require, Site

LIMITS = Limits(10 * 1024**2, 10**8, frozenset(IMAGE_TYPES))
BRANDS = (b"heic", b"heix", b"mif1")
HEIC = "is a HEIC photo"


def make(folder: Path, source: bytes, suffix: str) -> bytes:
    picture, photo = folder / f"photo.{suffix}", folder / "photo.heic"
    picture.write_bytes(source)
    subprocess.run(["heif-enc", "-q", "95", "-o", photo, picture], check=True, capture_output=True)
    return photo.read_bytes()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, require: Require) -> Path:
    require(shutil.which("heif-enc"), "heif-enc is not installed")
    require(importlib.util.find_spec("pi_heif"), "pi-heif is not installed")
    return tmp_path_factory.mktemp("heic")


@pytest.fixture(scope="module")
def photo(folder: Path) -> bytes:
    exif = PIL.Image.Exif()
    exif[0x10F] = "Camera Maker"
    return make(folder, encode("JPEG", quality=100, exif=exif, icc_profile=COLOURS), "jpg")


def open_jpeg(data: bytes) -> PIL.Image.Image:
    return PIL.Image.open(BytesIO(data), formats=["JPEG"])


@pytest.mark.parametrize("brand", BRANDS)
def test_a_photo_of_any_brand_becomes_a_jpeg_without_metadata(photo: bytes, brand: bytes) -> None:
    assert b"Camera Maker" in photo
    data = heic.convert(photo[:8] + brand + photo[12:], LIMITS.max_pixels)
    assert identify(data, LIMITS)[1:5] == ("jpg", len(data), *SIZE)
    assert clean(data, "jpg") is None
    assert b"Exif" not in data


def test_colours_and_quality_are_those_of_the_photo_and_92(photo: bytes) -> None:
    converted = open_jpeg(heic.convert(photo, LIMITS.max_pixels))
    assert converted.info["icc_profile"] == COLOURS
    usual = open_jpeg(encode("JPEG", quality=92))
    assert converted.quantization == usual.quantization  # type: ignore[attr-defined]
    pairs = zip(converted.tobytes(), usual.tobytes(), strict=True)
    assert sum(abs(a - b) for a, b in pairs) / len(usual.tobytes()) < 12


def test_a_photo_is_turned_upright(photo: bytes) -> None:
    name = photo.index(b"pixi")
    # In the place of a property that is as long, a turn by 270 degrees.
    turned = photo[:name] + b"irot\3" + bytes(7) + photo[name + 12 :]
    converted = open_jpeg(heic.convert(turned, LIMITS.max_pixels))
    assert converted.size == SIZE[::-1]
    assert converted.getexif() == {}
    straight = open_jpeg(heic.convert(photo, LIMITS.max_pixels))
    corner = straight.getpixel((0, SIZE[1] - 1))
    shown = converted.getpixel((0, 0))
    assert isinstance(corner, tuple)
    assert isinstance(shown, tuple)
    assert max(abs(a - b) for a, b in zip(corner, shown, strict=True)) < 40


def test_what_is_transparent_becomes_white(folder: Path) -> None:
    data = make(folder, encode("PNG", with_alpha()), "png")
    converted = open_jpeg(heic.convert(data, LIMITS.max_pixels))
    pixel = converted.getpixel((5, 0))
    assert isinstance(pixel, tuple)
    assert min(pixel) > 240


@pytest.mark.parametrize("percent", [2, 50, 90])
def test_a_cut_off_photo_is_refused(photo: bytes, percent: int) -> None:
    with pytest.raises(CorruptImage, match="like a HEIC image but its end is missing"):
        heic.convert(photo[: len(photo) * percent // 100], LIMITS.max_pixels)


def test_a_photo_that_cannot_be_decoded_is_refused(photo: bytes) -> None:
    start = photo.index(b"hvcC") + 4
    damaged = photo[:start] + bytes(100) + photo[start + 100 :]
    with pytest.raises(CorruptImage, match=f"{HEIC} that cannot be decoded; export it as JPEG"):
        heic.convert(damaged, LIMITS.max_pixels)


def test_a_photo_of_too_many_pixels_is_not_decoded(photo: bytes) -> None:
    with pytest.raises(
        ImageTooLarge, match="has 40 × 30 pixels; IMAGEHOST_MAX_PIXELS allows 1,199"
    ):
        heic.convert(photo, 1199)


def test_without_the_extra_the_message_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "photo.heic"
    file.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40))
    monkeypatch.setattr(heic, "_NEEDED", ("a_module_that_nobody_has",))
    with pytest.raises(
        UnsupportedImage, match=rf"{HEIC}; .* pip install 'pelican-imagehost\[heic\]'"
    ):
        read(str(file), LIMITS)


def test_a_build_publishes_a_photo_as_a_jpeg(site: Site, photo: bytes) -> None:
    site.write("content/photo.heic", photo)
    site.write("content/a.md", "Title: A\nDate: 2024-01-01\n\n![a](photo.heic)\n")
    site.configure(PLUGINS=["pelican_imagehost"])
    site.build()
    (line,) = site.manifest()
    assert (line["path"], line["type"]) == ("content/photo.heic", "jpg")
    address = f"images/{line['sha256'][:2]}/{line['sha256']}.jpg"
    assert f'src="/{address}"' in site.output("a.html")
    assert b"Camera Maker" not in (site.root / "output" / address).read_bytes()
    site.build()
    assert site.manifest() == [line]
