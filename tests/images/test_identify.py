from __future__ import annotations

import hashlib
import os
import struct
import sys
import zlib
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any

import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelican_imagehost.errors import (
    CorruptImage,
    ImageHostError,
    ImageTooLarge,
    UnreadableImage,
    UnsupportedImage,
)
from pelican_imagehost.images.identify import ImageFile, check_size, identify, read
from pelican_imagehost.images.image import IMAGE_TYPES, Image, Limits
from pelican_imagehost.report import readable_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import PictureMaker

LIMITS = Limits(10 * 1024**2, 100_000_000, frozenset(IMAGE_TYPES))
SIZE = (40, 30)
ORIENTATION = 0x0112
LFS_POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
)


def encode(kind: str, **options: Any) -> bytes:  # noqa: ANN401  Pillow's options
    buffer = BytesIO()
    PIL.Image.new("RGB", SIZE, "red").save(buffer, kind, **options)
    return buffer.getvalue()


def animate(kind: str) -> bytes:
    frames = [PIL.Image.new("RGB", SIZE, colour) for colour in ("red", "green", "blue")]
    buffer = BytesIO()
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def encode_oriented(kind: str, orientation: int) -> bytes:
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = orientation
    return encode(kind, exif=exif)


def make_blank_png(width: int, height: int) -> bytes:
    """Make a one-bit PNG of zeros, row by row, so that even a bomb costs no memory here."""
    compressor = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    pixels = b"".join(compressor.compress(row) for _ in range(height)) + compressor.flush()
    header = struct.pack(">LLBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">L", len(data)) + name + data + struct.pack(">L", zlib.crc32(name + data))
        for name, data in chunks
    )


PICTURES = {
    "png": ("png", encode("PNG")),
    "animated png": ("png", animate("PNG")),
    "progressive jpg": ("jpg", encode("JPEG", progressive=True)),
    "jpg": ("jpg", encode("JPEG")),
    "jpg with EXIF": ("jpg", encode_oriented("JPEG", 6)),
    "gif": ("gif", encode("GIF")),
    "animated gif": ("gif", animate("GIF")),
    "lossy webp": ("webp", encode("WEBP", quality=50)),
    "lossless webp": ("webp", encode("WEBP", lossless=True)),
    "animated webp": ("webp", animate("WEBP")),
    "avif": ("avif", encode("AVIF")),
}


@pytest.mark.parametrize("name", sorted(PICTURES.keys() - {"jpg with EXIF"}))
def test_each_type_is_known_by_its_content_and_measured(name: str) -> None:
    kind, data = PICTURES[name]
    digest = hashlib.sha256(data).hexdigest()
    assert identify(data, LIMITS) == Image(digest, kind, len(data), *SIZE)


def test_an_svg_is_an_image_too() -> None:
    data = b'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"/>'
    digest = hashlib.sha256(data).hexdigest()
    assert identify(data, LIMITS) == Image(digest, "svg", len(data), 40, 30)


def test_an_animated_avif_is_an_avif() -> None:
    data = animate("AVIF")
    assert data[4:12] == b"ftypavis"
    assert identify(data, LIMITS)[1:5] == ("avif", len(data), 40, 30)


def test_a_gif_may_be_wider_than_32767_pixels() -> None:
    buffer = BytesIO()
    PIL.Image.new("1", (40_000, 3)).save(buffer, "GIF")
    assert identify(buffer.getvalue(), LIMITS)[3:5] == (40_000, 3)


def test_the_key_is_the_digest_below_its_first_two_digits_with_the_type() -> None:
    image = identify(PICTURES["jpg"][1], LIMITS)
    assert image.key == f"{image.sha256[:2]}/{image.sha256}.jpg"


@pytest.mark.parametrize("kind", ["JPEG", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_measured_as_it_is_shown(kind: str, orientation: int) -> None:
    data = encode_oriented(kind, orientation)
    assert identify(data, LIMITS)[3:5] == (SIZE if orientation < 5 else SIZE[::-1])


def test_the_name_of_a_file_does_not_count(tmp_path: Path, picture: PictureMaker) -> None:
    lie = picture(tmp_path / "photo.jpg", kind="png")
    assert identify(lie.read_bytes(), LIMITS).type == "png"


@pytest.mark.parametrize("name", PICTURES)
def test_as_many_bytes_as_allowed_are_taken_and_one_more_refused(name: str) -> None:
    _, data = PICTURES[name]
    identify(data, LIMITS._replace(max_bytes=len(data)))
    with pytest.raises(ImageTooLarge, match=rf"has {len(data):,} bytes; IMAGEHOST_MAX_BYTES"):
        identify(data, LIMITS._replace(max_bytes=len(data) - 1))


@pytest.mark.parametrize("name", PICTURES)
def test_as_many_pixels_as_allowed_are_taken_and_one_more_refused(name: str) -> None:
    _, data = PICTURES[name]
    identify(data, LIMITS._replace(max_pixels=1200))
    with pytest.raises(ImageTooLarge, match=r"pixels; IMAGEHOST_MAX_PIXELS allows 1,199 in all"):
        identify(data, LIMITS._replace(max_pixels=1199))


def test_an_svg_has_no_pixels_to_limit() -> None:
    data = b'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"/>'
    assert identify(data, LIMITS._replace(max_pixels=1)).width == 40


def test_a_bomb_of_60000_by_60000_pixels_is_refused_by_its_header() -> None:
    bomb = make_blank_png(60_000, 60_000)
    assert len(bomb) < 1_000_000
    with pytest.raises(ImageTooLarge, match=r"has 60,000 × 60,000 pixels"):
        identify(bomb, LIMITS)
    # The header alone gives the same answer: what follows it was not looked at.
    with pytest.raises(ImageTooLarge, match=r"has 60,000 × 60,000 pixels"):
        identify(bomb[:40], LIMITS)


def test_a_small_blank_png_is_accepted() -> None:
    assert identify(make_blank_png(50, 7), LIMITS)[3:5] == (50, 7)


@pytest.mark.parametrize("side", [0, 2**31, 2**32 - 1])
def test_a_png_with_an_impossible_side_is_corrupt(side: int) -> None:
    data = bytearray(PICTURES["png"][1])
    data[16:20] = struct.pack(">L", side)
    data[29:33] = struct.pack(">L", zlib.crc32(data[12:29]))
    with pytest.raises(CorruptImage, match=r"begins like a PNG image but is damaged \(.* pixels\)"):
        identify(bytes(data), LIMITS)


def test_empty_bytes_are_reported_as_an_empty_file() -> None:
    with pytest.raises(CorruptImage, match="is an empty file"):
        identify(b"", LIMITS)


def test_a_git_lfs_pointer_is_reported_with_the_remedy() -> None:
    with pytest.raises(CorruptImage, match=r"Git LFS pointer.*`git lfs pull`"):
        identify(LFS_POINTER, LIMITS)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"just some words\n", "is a text file, not an image, despite its name$"),
        ("Wörter und ein Bild 🐈".encode(), "is a text file, not an image, despite its name$"),
        (
            b"a" * 511 + "é".encode() * 2,
            "is a text file, not an image, despite its name$",
        ),  # a character cut by the sample's end
        (b"<!DOCTYPE html>\n<title>404</title>", "is an HTML page.*error page"),
        (b"\n<HTML><body>svg</body>", "is an HTML page"),
        (b"\0\1\2\3 no picture", "is not an image of a known type, despite its name$"),
        (
            b"\xff\xfa\xfb" + b"latin-1 or worse" * 9,
            "is not an image of a known type, despite its name$",
        ),
    ],
)
def test_a_file_that_is_not_an_image_is_described(data: bytes, message: str) -> None:
    with pytest.raises(UnsupportedImage, match=message):
        identify(data, LIMITS)


@pytest.mark.parametrize("name", ["gif", "avif", "jpg", "lossy webp"])
def test_a_type_that_the_site_does_not_allow_is_refused(name: str) -> None:
    kind, data = PICTURES[name]
    with pytest.raises(UnsupportedImage, match=r"IMAGEHOST_TYPES allows png$"):
        identify(data, LIMITS._replace(types=frozenset(["png"])))
    assert identify(data, LIMITS._replace(types=frozenset([kind]))).type == kind


@pytest.mark.parametrize("name", PICTURES)
def test_a_header_cut_anywhere_gives_no_wrong_size(name: str) -> None:
    kind, data = PICTURES[name]
    whole = identify(data, LIMITS)
    outcomes = set()
    for end in range(min(len(data), 200)):
        try:
            image = identify(data[:end], LIMITS)
        except ImageHostError:
            outcomes.add("refused")
        else:
            outcomes.add("measured")
            assert (image.type, image.width, image.height) == (kind, whole.width, whole.height)
    assert "refused" in outcomes


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "AVIF"])
@pytest.mark.parametrize("percent", [2, 50, 90, 99])
@pytest.mark.parametrize("moving", [False, True], ids=["still", "moving"])
def test_a_cut_off_picture_is_corrupt(kind: str, percent: int, *, moving: bool) -> None:
    frames = [PIL.Image.effect_noise((200, 150), sigma) for sigma in (40, 50, 60)]
    buffer = BytesIO()
    options: dict[str, Any] = {"save_all": True, "append_images": frames[1:]} if moving else {}
    frames[0].save(buffer, kind, **({"progressive": moving} if kind == "JPEG" else options))
    data = buffer.getvalue()
    assert identify(data, LIMITS)[3:5] == (200, 150)
    with pytest.raises(CorruptImage, match="its end is missing; copy or download it again"):
        identify(data[: len(data) * percent // 100], LIMITS)


def identify_or_refuse(data: bytes) -> None:
    try:
        image = identify(data, LIMITS)
    except ImageHostError:
        return
    assert image.sha256 == hashlib.sha256(data).hexdigest()
    assert image.size == len(data)
    assert image.type in IMAGE_TYPES
    assert 0 < image.width < 2**31
    assert 0 < image.height < 2**31


SIGNATURES = [data[:12] for _, data in PICTURES.values()]
SIGNATURES += [b"<svg ", b'<?xml version="1.0"?><svg ', b"\xff\xfe<\0s\0v\0g\0", LFS_POINTER[:40]]


@given(start=st.sampled_from([b"", *SIGNATURES]), rest=st.binary(max_size=300))
def test_arbitrary_bytes_are_identified_or_refused(start: bytes, rest: bytes) -> None:
    identify_or_refuse(start + rest)


@given(
    picture=st.sampled_from(sorted(PICTURES)),
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=8),
    end=st.integers(1, 2000),
)
def test_damaged_pictures_are_identified_or_refused(
    picture: str, changes: list[tuple[int, int]], end: int
) -> None:
    data = bytearray(PICTURES[picture][1])
    for position, value in changes:
        data[position % len(data)] = value
    identify_or_refuse(bytes(data[:end]))


@pytest.mark.parametrize("size", [1, LIMITS.max_bytes])
def test_check_size_lets_the_bounds_themselves_pass(size: int) -> None:
    check_size(size, LIMITS)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (1_200_000, "1.2 MB"),
        (999_000_000, "999.0 MB"),
        (2_500_000_000_000, "2500.0 GB"),
    ],
)
def test_sizes_are_written_in_decimal_units(size: int, text: str) -> None:
    assert readable_size(size) == text


BEFORE, AFTER = make_blank_png(3, 3), make_blank_png(5, 5)
assert len(BEFORE) == len(AFTER)


@contextmanager
def before_each_read(act: Callable[[], object]) -> Iterator[None]:
    """Act on the real file between the first fstat and the reading of its bytes."""

    def trace(_frame: object, event: str, function: Any) -> None:  # noqa: ANN401  any callable
        if event == "c_call" and function.__name__ == "readall":
            act()

    previous = sys.getprofile()
    sys.setprofile(trace)
    try:
        yield
    finally:
        sys.setprofile(previous)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "cat.png"
    path.write_bytes(BEFORE)
    return path


def test_a_file_is_read_with_its_image_and_its_state(file: Path) -> None:
    assert read(str(file), LIMITS) == ImageFile(BEFORE, identify(BEFORE, LIMITS), os.stat(file))


def test_a_file_that_grows_while_it_is_read_is_read_again(file: Path) -> None:
    reads: list[int] = []

    def grow() -> None:
        reads.append(1)
        if len(reads) == 1:
            file.write_bytes(AFTER + b"more")

    with before_each_read(grow):
        data, image, status = read(str(file), LIMITS)
    assert (data, status.st_size, len(reads)) == (AFTER + b"more", len(AFTER) + 4, 2)
    assert image == identify(data, LIMITS)


def test_bytes_of_the_same_length_with_another_time_are_read_again(file: Path) -> None:
    reads: list[int] = []

    def overwrite() -> None:
        reads.append(1)
        if len(reads) == 1:
            file.write_bytes(AFTER)
            os.utime(file, ns=(1, 1))

    with before_each_read(overwrite):
        data, image, status = read(str(file), LIMITS)
    assert (data, image.width, status.st_mtime_ns, len(reads)) == (AFTER, 5, 1, 2)


def test_a_file_replaced_while_it_is_read_gives_one_of_its_states(file: Path) -> None:
    new = file.with_name("new.png")
    replaced = AFTER + b"more"

    def replace() -> None:
        if file.read_bytes() != replaced:
            new.write_bytes(replaced)
            new.replace(file)

    with before_each_read(replace):
        data, image, status = read(str(file), LIMITS)
    assert len(data) == status.st_size
    assert data in {BEFORE, replaced}
    assert image == identify(data, LIMITS)


def test_a_file_that_keeps_changing_is_reported(file: Path) -> None:
    def grow() -> None:
        with file.open("ab") as stream:
            stream.write(b"x")

    with (
        before_each_read(grow),
        pytest.raises(UnreadableImage, match="changed each time it was read"),
    ):
        read(str(file), LIMITS)


def test_a_file_that_grows_beyond_the_limit_is_refused(file: Path) -> None:
    with (
        before_each_read(lambda: file.write_bytes(bytes(1001))),
        pytest.raises(ImageTooLarge, match="has 1,001 bytes"),
    ):
        read(str(file), LIMITS._replace(max_bytes=1000))


def test_an_empty_file_is_corrupt(file: Path) -> None:
    file.write_bytes(b"")
    with pytest.raises(CorruptImage, match="is an empty file"):
        read(str(file), LIMITS)


def test_a_file_that_is_not_an_image_is_refused(file: Path) -> None:
    file.write_bytes(b"words")
    with pytest.raises(UnsupportedImage, match="is a text file, not an image"):
        read(str(file), LIMITS)


def test_a_file_that_is_too_large_is_not_read(file: Path) -> None:
    with file.open("wb") as stream:
        stream.truncate(10**12)  # more than there is memory
    with pytest.raises(ImageTooLarge, match="IMAGEHOST_MAX_BYTES allows 10,485,760"):
        read(str(file), LIMITS)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("absent.png", "No such file"), (".", "Is a directory"), ("cat.png/x", "Not a directory")],
)
def test_a_file_that_cannot_be_opened_gives_the_reason(file: Path, name: str, reason: str) -> None:
    with pytest.raises(UnreadableImage, match=f"cannot be read: {reason}"):
        read(f"{file.parent}/{name}", LIMITS)


@pytest.mark.parametrize("kind", ["pipe", "device", "link to a pipe"])
def test_a_file_that_is_not_regular_is_refused_without_waiting(tmp_path: Path, kind: str) -> None:
    path, pipe = "/dev/zero", tmp_path / "pipe.png"
    os.mkfifo(pipe)
    if kind == "pipe":
        path = str(pipe)
    elif kind == "link to a pipe":
        (tmp_path / "link.png").symlink_to(pipe)
        path = str(tmp_path / "link.png")
    with pytest.raises(UnreadableImage, match="is not a regular file"):
        read(path, LIMITS)
