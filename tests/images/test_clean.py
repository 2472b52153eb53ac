"""What is published of an image: pixels, colours and timing as they were, and nothing private."""

from __future__ import annotations

import json
import mmap
import shutil
import subprocess
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

import PIL.Image
import PIL.ImageOps
import pytest

from pelican_imagehost.errors import CorruptImage, ImageHostError
from pelican_imagehost.images import exif
from pelican_imagehost.images.clean import clean, has_location
from pelican_imagehost.images.identify import identify
from pelican_imagehost.images.image import IMAGE_TYPES, Limits
from pelican_imagehost.images.pieces import join
from tests.images import parts
from tests.images.private import COLOURS, PLACE, PRIVATE, SECRET
from tests.images.table import TABLE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Require

LIMITS = Limits(10 * 1024**2, 10**8, frozenset(IMAGE_TYPES))
# The groups and tags of exiftool that describe how a picture is stored, coloured and timed.
STRUCTURE = {
    "File": "BitsPerSample ColorComponents EncodingProcess ExifByteOrder FileType "
    "FileTypeExtension ImageHeight ImageWidth MIMEType YCbCrSubSampling",
    "IFD0": "Orientation ResolutionUnit XResolution YResolution",
    "ExifIFD": "ExifImageHeight ExifImageWidth",
    "JFIF": "JFIFVersion ResolutionUnit XResolution YResolution",
    "Adobe": "APP14Flags0 APP14Flags1 ColorTransform DCTEncodeVersion",
    "PNG": "AnimationFrames AnimationPlays BitDepth ColorType Compression Filter Gamma "
    "ImageHeight ImageWidth Interlace Palette ProfileName Transparency",
    "PNG-cICP": "ColorPrimaries MatrixCoefficients TransferCharacteristics VideoFullRangeFlag",
    "PNG-pHYs": "PixelUnits PixelsPerUnitX PixelsPerUnitY",
    "RIFF": "AlphaCompression AlphaFiltering AlphaPreprocessing AnimationLoopCount "
    "BackgroundColor Duration HorizontalScale ImageHeight ImageWidth VP8Version VerticalScale "
    "WebP_Flags",
    "GIF": "AnimationIterations BackgroundColor BitsPerPixel ColorResolutionDepth Duration "
    "FrameCount GIFVersion HasColorMap ImageHeight ImageWidth TransparentColor",
    "Meta": "PrimaryItemReference",
    "QuickTime": "AV1ConfigurationVersion AuxiliaryImageType ChromaFormat ChromaSamplePosition "
    "ColorPrimaries ColorProfiles CompatibleBrands CurrentTime Duration HandlerType "
    "ImagePixelDepth ImageSpatialExtent MajorBrand MatrixCoefficients MatrixStructure "
    "MediaDataOffset MediaDataSize MinorVersion MovieHeaderVersion NextTrackID PosterTime "
    "PreferredRate PreferredVolume PreviewDuration PreviewTime Rotation SelectionDuration "
    "SelectionTime TimeScale TransferCharacteristics",
    "Track1": "GraphicsMode HandlerType ImageHeight ImageWidth MatrixStructure MediaDuration "
    "MediaHeaderVersion MediaLanguageCode MediaTimeScale OpColor OtherFormat TrackDuration "
    "TrackHeaderVersion TrackID TrackLayer TrackVolume",
}
ALLOWED = {f"{group}:{name}" for group, names in STRUCTURE.items() for name in names.split()}
NOT_OF_THE_FILE = ("SourceFile", "ExifTool:", "System:", "Composite:", "ICC")
# By exiftool; their texts are found in the bytes.
OVERLOOKED = {
    "jpg: EXIF in the middle",
    "jpg: FlashPix",
    "jpg: film behind a clean picture",
    "png: a second PNG behind",
}
NEVER = "0000:00:00 00:00:00"
ORIENTATION = 0x112


class Picture(NamedTuple):
    """What Pillow decodes of a file."""

    frames: list[tuple[bytes, Any]]
    facts: dict[str, Any]


def decode(data: bytes, *, only_first: bool = False) -> Picture:
    """Decode all frames, upright, each with its time."""
    with PIL.Image.open(BytesIO(data)) as picture:
        facts = {name: picture.info.get(name) for name in ("icc_profile", "loop", "dpi", "gamma")}
        facts |= {"size": picture.size, "mode": picture.mode}
        facts["orientation"] = picture.getexif().get(ORIENTATION, 1)
        frames = []
        for number in range(1 if only_first else getattr(picture, "n_frames", 1)):
            picture.seek(number)
            frames.append((picture.convert("RGBA").tobytes(), picture.info.get("duration")))
        return Picture(frames, facts)


def published(data: bytes, kind: str, keep: frozenset[str] = frozenset()) -> bytes:
    pieces = clean(data, kind, keep)
    return data if pieces is None else join(data, pieces)


@pytest.fixture(scope="module")
def tags(
    tmp_path_factory: pytest.TempPathFactory, require: Require
) -> dict[str, list[dict[str, str]]]:
    """Read the tags of every file, as it was and as it is published."""
    require(shutil.which("exiftool"), "exiftool is not installed")
    folder = tmp_path_factory.mktemp("published")
    for number, (kind, data) in enumerate(PRIVATE.values()):
        (folder / f"{number}-0.{kind}").write_bytes(data)
        (folder / f"{number}-1.{kind}").write_bytes(published(data, kind))
    command = ["exiftool", "-j", "-a", "-G1", "-s", str(folder)]
    done = subprocess.run(command, capture_output=True, check=False)
    found = {one["SourceFile"].rpartition("/")[2]: one for one in json.loads(done.stdout)}
    return {
        name: [found[f"{number}-{version}.{kind}"] for version in (0, 1)]
        for number, (name, (kind, _)) in enumerate(PRIVATE.items())
    }


def private_tags(found: dict[str, str]) -> set[str]:
    return {
        tag
        for tag, value in found.items()
        if not tag.startswith(NOT_OF_THE_FILE) and tag not in ALLOWED and value != NEVER
    }


def test_there_are_files_enough() -> None:
    assert len(PRIVATE) >= 70


@pytest.mark.parametrize("name", PRIVATE)
def test_exiftool_finds_nothing_private(name: str, tags: dict[str, list[dict[str, str]]]) -> None:
    assert private_tags(tags[name][1]) == set()


def test_exiftool_finds_what_was_private(tags: dict[str, list[dict[str, str]]]) -> None:
    silent = {name for name, (before, _) in tags.items() if not private_tags(before)}
    assert silent == OVERLOOKED


@pytest.mark.parametrize("name", PRIVATE)
def test_no_private_text_is_left_in_the_bytes(name: str) -> None:
    kind, data = PRIVATE[name]
    new = published(data, kind)
    texts = (SECRET, b"GPS", b"An Author", b"Camera", b"+52.5", b"Berlin", b"Comment")
    assert [text for text in texts if text in new] == []


@pytest.mark.parametrize("name", PRIVATE)
def test_pixels_colours_timing_and_orientation_stay(name: str) -> None:
    kind, data = PRIVATE[name]
    new = published(data, kind)
    assert new != data
    only_first = name == "jpg: several pictures"  # the others are dropped
    before, after = decode(data, only_first=only_first), decode(new)
    assert after.frames == before.frames
    if name == "png: EXIF as ImageMagick writes it":  # by which browsers turn nothing
        before.facts["orientation"] = 1
    dpi = before.facts["dpi"] if before.facts["dpi"] != (72, 72) else after.facts["dpi"]
    assert after.facts == {**before.facts, "dpi": dpi}  # 72 stands for unknown


@pytest.mark.parametrize("name", PRIVATE)
def test_cleaning_twice_is_cleaning_once(name: str) -> None:
    kind, data = PRIVATE[name]
    for keep in (frozenset[str](), frozenset(["copyright"])):
        assert clean(published(data, kind, keep), kind, keep) is None


@pytest.mark.parametrize("name", PRIVATE)
def test_what_is_published_is_an_image_of_the_same_size(name: str) -> None:
    kind, data = PRIVATE[name]
    new = identify(published(data, kind), LIMITS)
    assert (new.type, *new[3:]) == (kind, *identify(data, LIMITS)[3:])


@pytest.mark.parametrize("name", [name for name, (_, size) in TABLE.items() if type(size) is tuple])
def test_every_accepted_file_can_be_cleaned_and_keeps_its_size(name: str) -> None:
    data, size = TABLE[name]
    kind = identify(data, LIMITS).type
    new = published(data, kind)
    assert identify(new, LIMITS)[3:] == size
    assert clean(new, kind) is None


@pytest.mark.parametrize("name", [name for name, (_, e) in TABLE.items() if type(e) is str])
def test_what_is_refused_is_not_cleaned_either(name: str) -> None:
    data, _ = TABLE[name]
    kind = {"JPEG": "jpg", "PNG": "png", "GIF": "gif", "WebP": "webp", "AVIF": "avif"}.get(
        name.partition(":")[0], ""
    )
    try:
        identify(data, LIMITS)
    except CorruptImage:
        with pytest.raises(ImageHostError):
            clean(data, kind)
    except ImageHostError:
        pass  # told by its first bytes


def test_a_file_with_nothing_to_clean_stays_as_it_is() -> None:
    files = {"jpg": parts.JPEG, "png": parts.PNG, "gif": parts.GIF, "webp": parts.LOSSY}
    assert {kind: clean(data, kind) for kind, data in files.items()} == dict.fromkeys(files)
    assert clean(parts.avif(), "avif") is None
    assert clean(b"<svg/>", "svg") is None


def test_a_mapped_file_is_cleaned_by_ranges(tmp_path: Path) -> None:
    for number, (kind, data) in enumerate(PRIVATE.values()):
        file = tmp_path / str(number)
        file.write_bytes(data)
        with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as m:
            pieces = clean(m, kind)
            assert pieces == clean(data, kind)
            assert pieces is not None
            assert join(m, pieces) == published(data, kind)
    kept = clean(PRIVATE["jpg: motion photo"][1], "jpg")
    assert kept is not None
    assert sum(isinstance(piece, bytes) for piece in kept) == 1  # the orientation


def test_the_orientation_alone_takes_36_bytes() -> None:
    new = published(PRIVATE["jpg: EXIF"][1], "jpg")
    assert new[:2] + new[38:] == parts.JPEG
    assert exif.read(new[12:38]) == exif.Exif(orientation=6, unit=0)


def test_the_colours_of_an_image_stay() -> None:
    for name in ("png: colours", "webp: colours", "avif: colours", "jpg: CMYK"):
        kind, data = PRIVATE[name]
        assert decode(published(data, kind)).facts["icc_profile"] == COLOURS, name
    assert COLOURS[:200] in published(PRIVATE["gif: colours"][1], "gif")


@pytest.mark.parametrize("name", PRIVATE)
def test_all_is_kept_if_asked_for(name: str) -> None:
    kind, data = PRIVATE[name]
    assert clean(data, kind, frozenset(["all"])) is None


def test_a_cut_off_file_is_refused_even_if_all_is_kept() -> None:
    with pytest.raises(CorruptImage, match="its end is missing"):
        clean(parts.JPEG[:-9], "jpg", frozenset(["all"]))


CREDITED = [
    "jpg: EXIF",
    "jpg: IPTC",
    "jpg: everything",
    "png: EXIF",
    "png: EXIF as ImageMagick writes it",
    "webp: lossy",
    "avif: both, by Pillow",
]


@pytest.mark.parametrize("name", CREDITED)
def test_author_and_copyright_are_kept_if_asked_for(name: str) -> None:
    kind, data = PRIVATE[name]
    new = published(data, kind, frozenset(["copyright"]))
    with PIL.Image.open(BytesIO(new)) as picture:
        kept = dict(picture.getexif())
    assert {kept.pop(0x13B), kept.pop(0x8298)} == {"An Author", "(c) An Author"}
    assert kept.keys() <= {ORIENTATION}
    assert not has_location(new, kind)
    assert b"Berlin" not in new


def test_credits_in_xmp_are_kept_as_exif() -> None:
    xmp = (
        b"<dc:creator><rdf:Seq><rdf:li>Zo\xc3\xab &amp; Co</rdf:li></rdf:Seq></dc:creator>"
        b"<dc:rights><rdf:Alt><rdf:li xml:lang='x-default'>Mine</rdf:li></rdf:Alt></dc:rights>"
    )
    data = parts.in_png(parts.chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp))
    new = published(data, "png", frozenset(["copyright"]))
    block = new[new.index(b"eXIf") + 4 :]
    assert exif.read_credits(block) == ("Zoë & Co".encode(), b"Mine")


def test_texts_of_a_png_that_credit_are_kept_if_asked_for() -> None:
    texts = [parts.chunk(b"tEXt", b"%s\0x" % word) for word in (b"Author", b"Copyright", b"Title")]
    data = parts.in_png(*texts)
    new = published(data, "png", frozenset(["copyright"]))
    assert new == parts.in_png(*texts[:2])
    assert published(data, "png") == parts.PNG


LOCATED = {
    "jpg": {"EXIF", "EXIF, little-endian", "EXIF behind JFIF", "two EXIF", "EXIF in the middle",
            "EXIF without orientation", "EXIF with a resolution", "XMP", "extended XMP",
            "several pictures", "a picture behind", "motion photo", "film behind a clean picture",
            "CMYK", "restart markers", "progressive", "everything"},
    "png": {"XMP", "EXIF", "EXIF as ImageMagick writes it", "moving", "palette"},
    "webp": {"lossy", "lossless", "EXIF as in a JPEG", "metadata first", "transparent", "moving",
             "unknown within a frame", "unannounced", "simple", "colours", "something behind"},
    "gif": {"XMP"},
    "avif": {"EXIF", "XMP", "both", "EXIF as in a JPEG", "both, by Pillow",
             "transparent, by Pillow", "turned", "moving", "description",
             "XMP in a box of its own", "something behind", "colours"},
}  # fmt: skip


@pytest.mark.parametrize("name", PRIVATE)
def test_a_location_is_found_before_and_not_after(name: str) -> None:
    kind, data = PRIVATE[name]
    assert has_location(data, kind) is (name.partition(": ")[2] in LOCATED[kind])
    assert not has_location(published(data, kind), kind)


def test_an_svg_has_no_location() -> None:
    assert not has_location(b"<svg/>", "svg")
    assert exif.has_location(PLACE)


def test_metadata_within_a_picture_is_refused() -> None:
    data = bytearray(parts.avif(items=((b"Exif", bytes(4) + PLACE),)))
    iloc = data.index(b"iloc")
    # The second item, the EXIF, is said to be where the first, the picture, is.
    data[iloc + 12 + 14 + 6 : iloc + 12 + 14 + 10] = data[iloc + 12 + 6 : iloc + 12 + 10]
    with pytest.raises(CorruptImage, match="metadata shares bytes with other data"):
        clean(bytes(data), "avif")
