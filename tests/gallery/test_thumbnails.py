from __future__ import annotations

import gc
import hashlib
import os
import random
import resource
import signal
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import PIL.Image
import pytest

from pelican_imagehost.gallery.thumbnails import Thumbnails
from pelican_imagehost.storage.store import Store
from tests.gallery.hostile import endless_jpeg

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

    def make(self, seed: int) -> Path:
        """Return the thumbnail of a new image."""
        return self.thumbnails.find(self.put(noise(500, 500 + seed, "PNG"), "png"))


def children() -> set[int]:
    """List the child processes of this one that make thumbnails."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # processes of other tests come and go
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and b"gallery.shrink" in (folder / "cmdline").read_bytes():
                found.add(int(folder.name))
    return found


def flat(width: int, height: int) -> bytes:
    """Make a large picture in few bytes, but not so few that it is shown itself."""
    buffer = BytesIO()
    PIL.Image.new("RGB", (width, height), "red").save(buffer, "PNG")
    return buffer.getvalue() + bytes(60_000)


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


def test_an_image_that_takes_too_long_is_given_up_and_the_next_one_is_not(tmp_path: Path) -> None:
    gallery = Gallery(tmp_path)
    thumbnails = Thumbnails(gallery.store, gallery.folder, seconds=1)
    good = [gallery.put(noise(600, 400 + n, "PNG"), "png") for n in range(2)]
    endless = gallery.put(endless_jpeg(), "jpg")
    assert thumbnails.find(good[0]).is_relative_to(gallery.folder)
    for _ in range(2):  # the second time, it is not tried
        assert thumbnails.find(endless) == gallery.store.path(endless)
    assert thumbnails.find(good[1]).is_relative_to(gallery.folder)


def test_many_images_share_one_process_and_none_of_them_adds_to_the_next(
    gallery: Gallery,
) -> None:
    thumbnails = Thumbnails(gallery.store, gallery.folder, seconds=1)
    keys = [gallery.put(noise(1500, 1000 + n, "JPEG"), "jpg") for n in range(8)]
    before = children()
    assert all(thumbnails.find(key).is_relative_to(gallery.folder) for key in keys)
    (process,) = children() - before
    thumbnails.find(gallery.put(noise(500, 500, "PNG"), "png"))
    assert children() - before == {process}
    del thumbnails
    gc.collect()
    assert children() == before


def test_a_process_that_was_killed_is_replaced(gallery: Gallery) -> None:
    before = children()
    assert gallery.make(1).is_relative_to(gallery.folder)
    (process,) = children() - before
    os.kill(process, signal.SIGKILL)
    gallery.make(2)  # may notice it
    assert gallery.make(3).is_relative_to(gallery.folder)


def test_memory_is_limited(gallery: Gallery) -> None:
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    key = gallery.put(noise(2000, 2000, "PNG"), "png")
    thumbnails = Thumbnails(gallery.store, gallery.folder, memory=120 * 1024**2)
    big = gallery.put(flat(5400, 5400), "png")
    assert thumbnails.find(big) == gallery.store.path(big)
    assert thumbnails.find(key).is_relative_to(gallery.folder)
    assert gallery.thumbnails.find(big).is_relative_to(gallery.folder)
    assert resource.getrlimit(resource.RLIMIT_AS)[1] == hard


def test_a_file_is_decoded_by_the_decoder_of_its_type_alone(gallery: Gallery) -> None:
    for kind in ("TIFF", "BMP", "PPM", "GIF", "ICO"):
        for suffix in ("png", "jpg", "webp", "avif"):
            key = gallery.put(noise(300, 300, kind) + bytes(60_000), suffix)
            assert gallery.thumbnails.find(key) == gallery.store.path(key)


def test_the_process_knows_no_secret(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEHOST_TOKEN", "secret-secret-secret")
    before = children()
    gallery.make(1)
    (process,) = children() - before
    assert b"secret-secret" not in Path(f"/proc/{process}/environ").read_bytes()
