from __future__ import annotations

import shutil
import struct
from io import BytesIO
from typing import TYPE_CHECKING, Any

import PIL.Image
import pytest
from PIL import ImageChops, ImageSequence

from pelican_imagehost.errors import CorruptImage, ImageTooLarge
from pelican_imagehost.images.variants import animation
from pelican_imagehost.images.variants import make as make_module
from pelican_imagehost.images.variants.make import Wanted, make
from tests.images.variants.pictures import (
    FORMATS,
    cmyk_profile,
    decode,
    difference,
    encode,
    metadata,
    padded,
    photo,
)

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image as Picture

    from tests.conftest import Require

SIZE = (160, 120)
TIMES = [40, 250, 90, 1000]


def frames(number: int = len(TIMES)) -> list[Picture]:
    """Make pictures that move sideways."""
    return [ImageChops.offset(photo(SIZE), 30 * step, 0) for step in range(number)]


def moving(
    kind: str,
    pictures: list[Picture] | None = None,
    *,
    least: int = 200_000,
    **options: Any,  # noqa: ANN401  Pillow's options
) -> bytes:
    """Make an animation of at least a number of bytes."""
    first, *others = pictures or frames()
    buffer = BytesIO()
    options = {"duration": TIMES, "loop": 0, "save_all": True, **options}
    if options["loop"] is None:
        del options["loop"]
    first.save(buffer, FORMATS[kind], append_images=others, **options)
    return padded(buffer.getvalue(), least)


def durations(data: bytes) -> list[int]:
    found = []
    with PIL.Image.open(BytesIO(data)) as picture:
        for frame in ImageSequence.Iterator(picture):
            frame.load()
            found.append(frame.info["duration"])
    return found


def boxes(data: bytes) -> dict[bytes, bytes]:
    """Return the boxes about time; each stands once in an AVIF without transparency."""
    found = {}
    for name in (b"mvhd", b"tkhd", b"mdhd", b"elst"):
        assert data.count(name) == 1
        at = data.index(name) + 4
        found[name] = data[at : at + int.from_bytes(data[at - 8 : at - 4])]
    return found


@pytest.mark.parametrize("kind", ["gif", "png", "webp"])
@pytest.mark.parametrize("wanted", ["avif", "webp"])
def test_an_animation_gets_one_of_its_size(kind: str, wanted: str) -> None:
    (made,) = make(moving(kind), kind, Wanted((wanted,), (40, 80)))
    assert (made.type, made.width, made.height) == (wanted, *SIZE)
    assert durations(made.data) == TIMES
    with PIL.Image.open(BytesIO(made.data)) as picture:
        for number, expected in enumerate(frames()):
            picture.seek(number)
            assert difference(expected, picture) < 16


def test_both_formats_can_be_wanted() -> None:
    made = make(moving("gif"), "gif", Wanted(("avif", "webp")))
    assert [one.type for one in made] == ["avif", "webp"]


def test_an_animation_that_gets_no_smaller_gets_none() -> None:
    pictures = [photo((480, 360), seed) for seed in range(4)]
    data = moving("webp", pictures, least=0, quality=30)
    assert len(data) > 30_000
    assert make(data, "webp") == []
    assert make(padded(data, 10 * len(data)), "webp")


def test_an_animated_avif_gets_none() -> None:
    buffer = BytesIO()
    first, *others = frames()
    first.save(buffer, "AVIF", save_all=True, append_images=others, duration=TIMES, quality=99)
    assert make(padded(buffer.getvalue()), "avif") == []


@pytest.mark.parametrize(
    ("kind", "loop", "plays"),
    [
        ("gif", 0, 0),
        ("gif", None, 1),
        ("gif", 3, 4),  # a GIF says how often it is repeated, the others how often it is played
        ("webp", 0, 0),
        ("webp", 3, 3),
        ("png", 0, 0),
        ("png", 3, 3),
    ],
)
def test_an_animation_is_played_as_often(kind: str, loop: int | None, plays: int) -> None:
    data = moving(kind, loop=loop)
    avif, webp = make(data, kind, Wanted(("avif", "webp")))
    assert decode(webp.data).info["loop"] == plays
    found = boxes(avif.data)
    (segment,) = struct.unpack_from(">Q", found[b"elst"], 8)
    assert segment == sum(TIMES)
    expected = segment * plays or 2**64 - 1
    assert struct.unpack_from(">Q", found[b"mvhd"], 24) == (expected,)
    assert struct.unpack_from(">Q", found[b"tkhd"], 28) == (expected,)
    assert struct.unpack_from(">Q", found[b"mdhd"], 24) == (segment,)
    assert found[b"elst"][3] == 1  # it repeats


def test_the_time_of_encoding_is_removed(tmp_path: Path, require: Require) -> None:
    (made,) = make(moving("gif", comment=b"secret"), "gif")
    for name in (b"mvhd", b"tkhd", b"mdhd"):
        assert boxes(made.data)[name][4:20] == bytes(16)
    require(shutil.which("exiftool"), "exiftool")
    assert metadata(made.data, "avif", tmp_path) == set()
    assert b"secret" not in made.data


def test_boxes_of_another_version_are_an_error() -> None:
    box = struct.pack(">L", 116) + b"mvhd" + bytes(108)
    with pytest.raises(ValueError, match="mvhd of version 0"):
        animation.settle(struct.pack(">L", 8 + len(box)) + b"moov" + box, 1)


def test_short_times_are_those_that_browsers_show() -> None:
    (made,) = make(moving("gif", duration=[0, 10, 20, 500]), "gif")
    assert durations(made.data) == [100, 100, 20, 500]


def test_equal_frames_are_kept() -> None:
    same = frames(2)
    pictures = [same[0], same[0], same[1], same[1]]
    (made,) = make(moving("png", pictures), "png")
    assert sum(durations(made.data)) == sum(TIMES)


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<L", len(content)) + content + bytes(len(content) % 2)


def transparent_webp(pictures: list[Picture]) -> bytes:
    """Make an animated WebP with transparency, which Pillow 13 cannot (RFC 9649, section 2.7)."""
    width, height = (side - 1 for side in SIZE)
    size = width.to_bytes(3, "little") + height.to_bytes(3, "little")
    body = chunk(b"VP8X", bytes([0x12, 0, 0, 0]) + size) + chunk(b"ANIM", bytes(6))
    for picture, time in zip(pictures, TIMES, strict=True):
        still = encode(picture, "webp", lossless=True)
        head = bytes(6) + size + time.to_bytes(3, "little") + b"\2"  # not blended
        body += chunk(b"ANMF", head + still[still.index(b"VP8L") :])
    return padded(chunk(b"RIFF", b"WEBP" + body), 200_000)


@pytest.mark.parametrize("kind", ["gif", "png", "webp"])
@pytest.mark.parametrize("wanted", ["avif", "webp"])
def test_transparency_is_kept_in_all_frames_though_only_one_has_it(kind: str, wanted: str) -> None:
    pictures = [picture.convert("RGBA") for picture in frames()]
    pictures[0].paste((0, 0, 0, 0), (0, 0, 80, 120))
    if kind == "webp":
        data = transparent_webp(pictures)
    else:
        data = moving(kind, pictures, disposal=2 if kind == "gif" else 0)
    made = make(data, kind, Wanted((wanted,)))
    if wanted == "webp" and not made:
        return  # this Pillow would have lost it
    with PIL.Image.open(BytesIO(made[0].data)) as picture:
        for number, expected in ((0, 0), (1, 255)):
            picture.seek(number)
            left, right = (picture.convert("RGBA").getpixel((x, 60)) for x in (30, 130))
            assert isinstance(left, tuple)
            assert isinstance(right, tuple)
            assert (left[3], right[3]) == (expected, 255)


def test_the_still_that_others_see_instead_of_an_animated_png_is_left_out() -> None:
    still = PIL.Image.new("RGB", SIZE, "red")
    (made,) = make(moving("png", [still, *frames()], default_image=True), "png")
    assert durations(made.data) == TIMES
    assert difference(frames()[0], decode(made.data)) < 16


def test_a_large_animation_gets_no_still_as_fallback() -> None:
    made = make(padded(moving("gif"), 2_000_000), "gif")
    assert [one.type for one in made] == ["avif"]


@pytest.mark.parametrize("kind", ["gif", "png", "webp"])
def test_half_an_animation_is_an_error(kind: str) -> None:
    data = moving(kind, least=0, quality=99)
    assert len(data) > 45_000
    with pytest.raises(CorruptImage):
        make(data[: len(data) * 2 // 3], kind, Wanted())


def test_too_many_frames_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_module, "_MOST_FRAME_PIXELS", 4 * 160 * 120)
    assert make(moving("gif"), "gif")
    with pytest.raises(ImageTooLarge, match="has 5 frames of 160 × 120 pixels"):
        make(moving("gif", frames(5), duration=100), "gif")


def test_an_animation_whose_colours_would_change_gets_none() -> None:
    deep = []
    for picture in frames():
        values = b"".join(bytes([value, 0]) for value in picture.convert("L").tobytes())
        deep.append(PIL.Image.frombytes("I;16", SIZE, values))
    data = moving("png", deep)
    assert durations(data) == TIMES
    assert make(data, "png") == []
    profile = cmyk_profile()
    assert make(moving("png", icc_profile=profile), "png") == []
