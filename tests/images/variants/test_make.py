from __future__ import annotations

import random
import struct
import subprocess
import sys
import zlib
from io import BytesIO
from typing import TYPE_CHECKING, Any

import PIL.Image
import pytest
from PIL import JpegImagePlugin, PngImagePlugin

from pelican_imagehost.errors import (
    CorruptImage,
    ImageHostError,
    ImageTooLarge,
    MissingEncoder,
)
from pelican_imagehost.images.variants import make as make_module
from pelican_imagehost.images.variants import picture as picture_module
from pelican_imagehost.images.variants.make import Asked, Made, Wanted, make
from tests.gallery.hostile import endless_jpeg
from tests.images.variants.pictures import (
    CORNERS,
    FORMATS,
    SIZE,
    SOME,
    corners,
    decode,
    difference,
    encode,
    find_corner,
    metadata,
    padded,
    photo,
    screenshot,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Require

ORIENTATION = 0x0112  # EXIF
ARTIST = 0x013B
# Where the top left and the top right of the stored pixels are shown (EXIF 2.32, section 4.6.4).
SHOWN = {
    1: ("top left", "top right"),
    2: ("top right", "top left"),
    3: ("bottom right", "bottom left"),
    4: ("bottom left", "bottom right"),
    5: ("top left", "bottom left"),
    6: ("top right", "bottom right"),
    7: ("bottom right", "top right"),
    8: ("bottom left", "top left"),
}
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="6">secret</a></x:xmpmeta>'


def sizes(made: list[Made]) -> list[tuple[str, int, int]]:
    return [(one.type, one.width, one.height) for one in made]


def oriented(orientation: int) -> PIL.Image.Exif:
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


@pytest.mark.parametrize("kind", ["avif", "jpg", "png", "webp"])
def test_a_photo_gets_each_width_that_is_narrower(kind: str) -> None:
    options = {"avif": {"quality": 95}, "webp": {"quality": 95}}.get(kind, {})
    data = encode(photo(), kind, **options)
    made = make(data, kind, Wanted(widths=(100, 449, 200, 200)))
    assert sizes(made) == [("avif", 449, 337), ("avif", 200, 150), ("avif", 100, 75)]
    for one in made:
        assert len(one.data) <= 0.8 * len(data)
        picture = decode(one.data)
        assert (picture.format, picture.mode, picture.size) == (
            "AVIF",
            "RGB",
            (one.width, one.height),
        )
        smaller = photo().resize(picture.size, PIL.Image.Resampling.LANCZOS)
        assert difference(picture, smaller) < 8


def test_the_defaults_are_three_widths_in_avif() -> None:
    made = make(encode(photo((1700, 100)), "jpg"), "jpg")
    assert [one.width for one in made] == [1440, 1080, 720]
    assert {one.type for one in made} == {"avif"}


@pytest.mark.parametrize(
    ("widths", "expected"),
    [((100, 449), [449, 100]), ((100, 450), [500, 100]), ((720, 1080, 1440), [500])],
)
def test_a_photo_that_is_no_wider_gets_its_own_width(
    widths: tuple[int, ...], expected: list[int]
) -> None:
    made = make(encode(photo(), "jpg"), "jpg", Wanted(widths=widths))
    assert [one.width for one in made] == expected


@pytest.mark.parametrize(
    ("formats", "expected"),
    [
        ((), []),
        (("webp",), [("webp", 200, 150), ("webp", 100, 75)]),
        (
            ("avif", "webp"),
            [("avif", 200, 150), ("webp", 200, 150), ("avif", 100, 75), ("webp", 100, 75)],
        ),
    ],
)
def test_formats_can_be_chosen(formats: tuple[str, ...], expected: list[Any]) -> None:
    made = make(encode(photo(), "jpg"), "jpg", Wanted(formats, (100, 200)))
    assert sizes(made) == expected
    assert all(decode(one.data).format == FORMATS[one.type] for one in made)


def test_svgs_and_small_images_get_none() -> None:
    assert make(b"<svg/>" + bytes(100_000), "svg") == []
    small = encode(photo((200, 150)), "jpg", quality=80)
    assert 5_000 < len(small) < 30_000
    assert make(small, "jpg", SOME) == []
    assert make(small + bytes(30_000), "jpg", SOME)  # only the number of bytes was why


def test_a_width_that_saves_too_little_gets_none_and_neither_do_narrower_ones() -> None:
    data = encode(photo((800, 600)), "avif", quality=50)
    assert len(data) > 30_000
    assert sizes(make(data, "avif", Wanted(widths=(100,)))) == [("avif", 100, 75)]
    assert make(data, "avif", Wanted(widths=(100, 719))) == []


@pytest.mark.parametrize("orientation", SHOWN)
def test_variants_stand_as_the_picture_is_shown(orientation: int) -> None:
    data = encode(corners(), "jpg", exif=oriented(orientation))
    made = make(data, "jpg", Wanted(widths=(200, 300)))
    height = 267 if orientation > 4 else 150
    assert (made[-1].width, made[-1].height) == (200, height)
    for one in made:
        picture = decode(one.data)
        assert (find_corner(picture, 0), find_corner(picture, 1)) == SHOWN[orientation]
        assert not picture.getexif()


def test_a_large_turned_photo_is_decoded_with_enough_pixels() -> None:
    data = encode(corners((1200, 900)), "jpg", exif=oriented(6))
    (made,) = make(data, "jpg", Wanted(widths=(440,)))
    assert (made.width, made.height) == (440, 587)
    upright = corners((1200, 900)).transpose(PIL.Image.Transpose.ROTATE_270)
    same = upright.resize((440, 587), PIL.Image.Resampling.LANCZOS)
    assert difference(decode(made.data), same) < 6


def test_an_avif_is_turned_as_its_boxes_say() -> None:
    data = encode(corners(), "avif", exif=oriented(6), quality=95)
    (made,) = make(data, "avif", Wanted(widths=(200,)))
    assert (made.height, find_corner(decode(made.data), 0)) == (267, "top right")


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("webp", {"exif": oriented(6), "quality": 95}),
        ("jpg", {"xmp": XMP}),
        ("webp", {"xmp": XMP, "quality": 95}),
    ],
)
def test_an_orientation_that_browsers_ignore_is_ignored(kind: str, options: dict[str, Any]) -> None:
    (made,) = make(encode(corners(), kind, **options), kind, Wanted(widths=(200,)))
    assert (made.height, find_corner(decode(made.data), 0)) == (150, CORNERS[0])


@pytest.mark.parametrize("kind", ["png", "gif"])
@pytest.mark.parametrize("formats", [("avif",), ("webp",)])
def test_a_screenshot_gets_one_lossless_webp(kind: str, formats: tuple[str, ...]) -> None:
    picture = screenshot().quantize(16) if kind == "gif" else screenshot()
    data = encode(picture, kind, compress_level=1)
    (made,) = make(padded(data, 900_000), kind, Wanted(formats))
    assert sizes([made]) == [("webp", 800, 600)]
    assert decode(made.data).convert("RGB").tobytes() == decode(data).convert("RGB").tobytes()


def test_a_drawing_that_is_compressed_well_gets_none() -> None:
    dots = random.Random(5).randbytes(640 * 480 // 8)  # noqa: S311  only dots
    picture = PIL.Image.frombytes("1", (640, 480), dots)
    data = encode(picture, "png")
    assert 30_000 < len(data) < len(encode(picture.convert("L"), "avif", quality=63))
    assert make(data, "png", SOME) == []
    (made,) = make(padded(data, 100_000), "png", SOME)
    assert sizes([made]) == [("webp", 640, 480)]


@pytest.mark.parametrize("kind", ["png", "gif"])
def test_a_photo_in_a_type_for_screenshots_is_a_photo(kind: str) -> None:
    picture = photo((1000, 750))
    data = encode(picture.quantize(256) if kind == "gif" else picture, kind)
    made = make(data, kind, Wanted(widths=(720,), fallback=False))
    assert sizes(made) == [("avif", 720, 540)]


def test_a_screenshot_longer_than_a_webp_can_be_is_scaled_like_a_photo() -> None:
    data = padded(encode(screenshot((300, 16_400)), "png"), 900_000)
    assert sizes(make(data, "png", Wanted(widths=(100, 200))))[-1:] == [("avif", 100, 5467)]
    assert make(encode(photo((60, 18_000)), "jpg"), "jpg", Wanted(widths=(50,))) != []
    assert make(encode(photo((60, 22_000)), "jpg"), "jpg", Wanted(widths=(50,))) == []


def see_through(kind: str) -> tuple[bytes, str]:
    """Make a photo, transparent on its right side."""
    picture = photo()
    alpha = PIL.Image.new("L", SIZE, 255)
    alpha.paste(0, (SIZE[0] // 2, 0, *SIZE))
    if kind == "palette":
        indexed = picture.quantize(255)
        indexed.putpalette(bytes(indexed.getpalette() or ()).ljust(768, b"\0"))
        indexed.paste(255, (SIZE[0] // 2, 0, *SIZE))
        return encode(indexed, "png", transparency=255), "png"
    if kind == "grey":
        picture = picture.convert("L")
    picture.putalpha(alpha)
    image_type = "webp" if kind == "webp" else "png"
    return padded(encode(picture, image_type), 30_001), image_type


@pytest.mark.parametrize("kind", ["rgb", "grey", "palette", "webp"])
@pytest.mark.parametrize("made_type", ["avif", "webp"])
def test_transparency_is_kept(kind: str, made_type: str) -> None:
    data, image_type = see_through(kind)
    (made,) = make(data, image_type, Wanted((made_type,), (200,), fallback=False))
    picture = decode(made.data)
    assert (made.type, picture.mode, picture.size) == (made_type, "RGBA", (200, 150))
    left, right = (picture.getpixel((x, 75)) for x in (50, 150))
    assert isinstance(left, tuple)
    assert isinstance(right, tuple)
    assert (left[3], right[3]) == (255, 0)


def test_an_alpha_channel_that_hides_nothing_is_left_out() -> None:
    picture = photo()
    picture.putalpha(255)
    (made,) = make(encode(picture, "png"), "png", Wanted(widths=(200,)))
    assert decode(made.data).mode == "RGB"


@pytest.mark.parametrize("mode", ["L", "I;16", "1"])
def test_grey_stays_grey(mode: str) -> None:
    grey = photo().convert("L")
    if mode == "I;16":
        values = b"".join(bytes([0, value]) for value in grey.tobytes())  # little-endian
        picture = PIL.Image.frombytes("I;16", SIZE, values)
    else:
        picture = grey.convert(mode)
    data = encode(picture, "png")
    (made,) = make(data + bytes(30_000), "png", Wanted(widths=(200,), fallback=False))
    same = grey if mode != "1" else picture.convert("L")
    found = decode(made.data)
    if made.type == "avif":
        assert (found.mode, found.size) == ("L", (200, 150))
        assert difference(found, same.resize((200, 150), PIL.Image.Resampling.LANCZOS)) < 8
    else:
        assert (mode, found.convert("1").tobytes()) == ("1", picture.tobytes())


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "avif"])
@pytest.mark.parametrize("wanted", [("avif",), ("webp",)])
def test_nothing_but_pixels_is_in_a_variant(
    kind: str, wanted: tuple[str, ...], tmp_path: Path, require: Require
) -> None:
    exif = PIL.Image.Exif()
    exif[ARTIST] = "secret"
    options: dict[str, Any] = {"exif": exif, "xmp": XMP, "quality": 95}
    if kind == "jpg":
        options["comment"] = b"secret"
    if kind == "png":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_text("Author", "secret")
    picture = photo()
    data = padded(encode(picture, kind, **options))
    assert b"secret" in data
    made = make(data, kind, Wanted(wanted, (100,)))
    assert [one.type for one in made] == ["jpg", *wanted]
    require(subprocess.run(["which", "exiftool"], check=False).returncode == 0, "exiftool")
    for one in made:
        assert metadata(one.data, one.type, tmp_path) == set()
        for word in (b"secret", b"Exif", b"xmp", b"tEXt"):
            assert word not in one.data


def test_a_large_original_gets_a_fallback() -> None:
    data = padded(encode(photo((1600, 900)), "jpg"))
    made = make(data, "jpg", Wanted(widths=(100,)))
    assert sizes(made) == [("jpg", 1440, 810), ("avif", 100, 56)]
    picture = decode(made[0].data)
    assert isinstance(picture, JpegImagePlugin.JpegImageFile)
    assert picture.info["progressive"]
    assert JpegImagePlugin.get_sampling(picture) == 2  # 4:2:0
    same = photo((1600, 900)).resize((1440, 810), PIL.Image.Resampling.LANCZOS)
    assert difference(picture, same) < 8
    assert sizes(make(data, "jpg", Wanted(widths=(100,), fallback=False))) == [("avif", 100, 56)]
    assert make(data, "jpg", Wanted(())) == []


def test_the_fallback_shares_its_width_with_a_variant() -> None:
    made = make(padded(encode(photo((1700, 900)), "jpg")), "jpg", Wanted(widths=(1440,)))
    assert sizes(made) == [("avif", 1440, 762), ("jpg", 1440, 762)]


def test_a_fallback_is_no_wider_than_the_original_and_keeps_transparency() -> None:
    picture = photo((800, 600))
    picture.putalpha(PIL.Image.linear_gradient("L").resize((800, 600)))
    data = padded(encode(picture, "png"), 3_000_000)
    made = make(data, "png", Wanted(widths=(100,)))
    assert sizes(made) == [("png", 800, 600), ("avif", 100, 75)]
    assert decode(made[0].data).mode == "RGBA"


def test_the_fallback_of_a_large_screenshot_is_a_png() -> None:
    data = encode(screenshot((1800, 900)), "png", compress_level=0)
    made = make(data, "png")
    assert sizes(made) == [("webp", 1800, 900), ("png", 1440, 720)]


def test_no_smaller_original_gets_a_fallback() -> None:
    data = encode(photo(), "jpg")
    assert 30_000 < len(data) < 1_000_000
    assert {one.type for one in make(data, "jpg", SOME)} == {"avif"}


def test_without_widths_there_is_only_a_fallback() -> None:
    data = padded(encode(photo(), "jpg"))
    assert sizes(make(data, "jpg", Wanted(widths=()))) == [("jpg", *SIZE)]


def test_the_same_is_made_each_time() -> None:
    data = encode(photo(), "jpg")
    assert make(data, "jpg", SOME) == make(data, "jpg", SOME)


@pytest.mark.parametrize("kind", FORMATS)
def test_half_a_file_is_an_error(kind: str) -> None:
    picture = photo().quantize(200) if kind == "gif" else photo()
    options = {"avif": {"quality": 95}, "webp": {"quality": 95}}.get(kind, {})
    data = encode(picture, kind, **options)
    with pytest.raises(CorruptImage, match=r"^cannot be decoded \(.+\)$"):
        make(data[: len(data) // 2], kind, SOME)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("other", ["TIFF", "BMP", "PPM", "JPEG2000", "PNG", "JPEG", "GIF"])
def test_a_file_is_decoded_as_its_type_alone(kind: str, other: str) -> None:
    if FORMATS[kind] == other:
        return
    buffer = BytesIO()
    photo().save(buffer, other)
    with pytest.raises(CorruptImage):
        make(padded(buffer.getvalue()), kind, SOME)


@pytest.mark.parametrize("kind", FORMATS)
def test_damaged_files_are_errors_or_pictures(kind: str) -> None:
    chance = random.Random(3)  # noqa: S311  only damage
    picture = photo((120, 90))
    data = encode(picture.quantize(99) if kind == "gif" else picture, kind)
    outcomes = set()
    for _ in range(150):
        damaged = bytearray(data)
        for _ in range(chance.randint(1, 6)):
            at = chance.choice([chance.randrange(min(len(data), 400)), chance.randrange(len(data))])
            damaged[at] = chance.randrange(256)
        try:
            make(bytes(damaged) + bytes(30_000), kind, Wanted(widths=(40,)))
        except ImageHostError as error:
            outcomes.add(type(error))
    assert CorruptImage in outcomes


def blank_png(width: int, height: int) -> bytes:
    """Make a one-bit PNG of zeros."""
    header = struct.pack(">LLBBBBB", width, height, 1, 0, 0, 0, 0)
    pixels = zlib.compress(bytes((1 + (width + 7) // 8) * height), 9)
    chunks = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">L", len(data)) + name + data + struct.pack(">L", zlib.crc32(name + data))
        for name, data in chunks
    )


@pytest.mark.parametrize("side", [8_000, 12_000, 40_000])
def test_a_bomb_is_not_decoded(side: int) -> None:
    data = blank_png(side, side) + bytes(30_000)
    with pytest.raises(ImageTooLarge, match=rf"{side:,} × {side:,} pixels; at most 60,000,000"):
        make(data, "png")


def test_a_jpeg_of_endless_scans_is_not_decoded() -> None:
    with pytest.raises(CorruptImage, match="has 5,009 scans"):
        make(endless_jpeg(), "jpg")


def test_a_jpeg_with_several_pictures_is_its_first() -> None:
    buffer = BytesIO()
    others = [photo(seed=2)]
    photo().save(buffer, "MPO", save_all=True, append_images=others, quality=95)
    (made,) = make(buffer.getvalue(), "jpg", Wanted(widths=(200,)))
    same = photo().resize((200, 150), PIL.Image.Resampling.LANCZOS)
    assert difference(decode(made.data), same) < 8


def test_memory_is_held_while_a_picture_is_decoded() -> None:
    held: list[int] = []

    class Held:
        def __init__(self, pixels: int) -> None:
            self.pixels = pixels

        def __enter__(self) -> None:
            held.append(self.pixels)

        def __exit__(self, *_: object) -> None:
            held.append(-self.pixels)

    def weigh(kind: str, **options: object) -> int:
        held.clear()
        make(encode(photo((1600, 1200)), kind, **options), kind, Wanted(widths=(100,)), Held)
        weight, released = held
        assert released == -weight
        return weight

    whole = 1600 * 1200
    make_module_top = make_module.TOP  # the width that decoding must reach
    assert make_module_top < 1600
    assert weigh("jpg") == whole
    assert weigh("jpg", progressive=True) == whole * 1.75
    assert weigh("webp", method=0) == whole
    assert weigh("png") == whole * 6  # lossless encoding is tried


def test_without_pillow_there_is_one_clear_error() -> None:
    code = (
        "import sys; sys.modules['PIL'] = None\n"
        "from pelican_imagehost.images.variants.batch import make_all\n"
        "from pelican_imagehost.images.variants.make import make\n"
        "make(b'', 'jpg'); make(bytes(99999), 'svg')\n"
        "assert 'pelican_imagehost.images.variants.picture' not in sys.modules\n"
        "from pelican_imagehost.errors import MissingEncoder\n"
        "try: make(bytes(99999), 'jpg')\n"
        "except MissingEncoder as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.startswith("Pillow cannot be imported (")
    assert done.stdout.endswith("); run: pip install --upgrade pillow\n")


def test_pillow_itself_prints_nothing_about_a_damaged_file(tmp_path: Path) -> None:
    data = encode(photo(), "jpg", exif=oriented(6))
    at = data.index(b"Exif") + 10  # the offset of the only entry
    (tmp_path / "damaged.jpg").write_bytes(data[:at] + b"\0\0\0\xff" + data[at + 4 :])
    code = (
        "from pathlib import Path\n"
        "from pelican_imagehost.images.variants.make import Wanted, make\n"
        "print(len(make(Path('damaged.jpg').read_bytes(), 'jpg', Wanted(widths=(100,)))))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_without_an_encoder_there_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert picture_module.can_encode("avif")
    monkeypatch.delitem(PIL.Image.SAVE, "AVIF")
    data = encode(photo(), "jpg")
    with pytest.raises(MissingEncoder, match=r"^Pillow cannot write AVIF here; run: pip"):
        make(data, "jpg", SOME)
    assert make(data, "jpg", Wanted(("webp",), (100,)))
    monkeypatch.delitem(PIL.Image.SAVE, "WEBP")
    with pytest.raises(MissingEncoder, match=r"^Pillow cannot write AVIF or WEBP here"):
        make(data, "jpg", SOME)


def test_what_a_theme_asks_for_is_made_whatever_it_saves() -> None:
    data = encode(photo(), "jpg")
    asked = {Asked(100), Asked(200, "avif"), Asked(200), Asked(100, "webp")}
    made = make(padded(data, 30_000), "jpg", Wanted(asked=asked))
    assert [(one.type, one.width) for one in made] == [
        ("jpg", 200),
        ("avif", 200),
        ("jpg", 100),
        ("webp", 100),
    ]
    assert [one.data for one in make(padded(data, 30_000), "jpg", Wanted(asked={Asked(200)}))] == [
        made[0].data  # also alone
    ]
    small = padded(encode(photo((40, 30)), "webp"), 30_000)
    assert sizes(make(small, "webp", Wanted(asked={Asked(39)}))) == [("jpg", 39, 29)]
    assert make(data, "svg", Wanted(asked={Asked(100)})) == []
