from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelican_imagehost.errors import ManifestConflict, ManifestError
from pelican_imagehost.images.image import Image
from pelican_imagehost.storage.manifest import Manifest

if TYPE_CHECKING:
    from pathlib import Path


def describe(name: str) -> Image:
    return Image(hashlib.sha256(name.encode()).hexdigest(), "jpg", 100, 40, 30)


def line(path: str, name: str, **extras: object) -> str:
    names = ("sha256", "type", "size", "width", "height")
    record = {"path": path, **dict(zip(names, describe(name), strict=False)), **extras}
    return json.dumps(record, ensure_ascii=False) + "\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "imagehost.jsonl"


def write(file: Path, *lines: str) -> Manifest:
    file.write_bytes("".join(lines).encode(errors="surrogateescape"))
    return Manifest.load(file)


def read(file: Path) -> str:
    return file.read_bytes().decode()


CAT = line("cat.jpg", "cat")
DOG = line("dog.jpg", "dog")
SOURCE = hashlib.sha256(b"as the camera wrote it").hexdigest()


def test_a_manifest_that_is_not_there_is_empty_and_is_made_by_an_update(file: Path) -> None:
    manifest = Manifest.load(file)
    assert not manifest.images
    assert "cat.jpg" not in manifest
    assert not manifest.update({})
    assert not file.exists()
    assert manifest.update({"cat.jpg": describe("cat")})
    assert read(file) == CAT


def test_a_line_is_what_it_is_documented_to_be(file: Path) -> None:
    Manifest.load(file).update({"cat.jpg": describe("cat")})
    digest = describe("cat").sha256
    assert read(file) == (
        f'{{"path": "cat.jpg", "sha256": "{digest}", "type": "jpg", '
        '"size": 100, "width": 40, "height": 30}\n'
    )


def test_lines_are_sorted_by_path(file: Path) -> None:
    Manifest.load(file).update({"b.jpg": describe("b"), "ä.jpg": describe("ä")})
    Manifest.load(file).update({"a.jpg": describe("a"), "B.jpg": describe("B")})
    assert [json.loads(text)["path"] for text in read(file).splitlines()] == [
        "B.jpg",
        "a.jpg",
        "b.jpg",
        "ä.jpg",
    ]


images = st.builds(
    Image,
    st.binary(min_size=32, max_size=32).map(bytes.hex),
    st.sampled_from(["avif", "gif", "jpg", "png", "svg", "webp"]),
    *[st.integers(1, 2**53 - 1)] * 3,
    st.just("") | st.binary(min_size=32, max_size=32).map(bytes.hex),
    st.just(""),
)
# Any name of a file: bytes but NUL, which need not be UTF-8.
images = images.map(lambda one: one._replace(source=one.source.replace(one.sha256, "")))
paths = st.binary(min_size=1, max_size=20).map(lambda name: os.fsdecode(name.replace(b"\0", b"0")))
paths |= st.sampled_from(["猫.jpg", 'a"b\\c.jpg', "a\nb", "\u2028"])


@given(known=st.dictionaries(paths, images, max_size=8))
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, known: dict[str, Image]
) -> None:
    file = tmp_path_factory.mktemp("manifest") / "imagehost.jsonl"
    Manifest.load(file).update(known)
    manifest = Manifest.load(file)
    assert manifest.images == known
    assert not manifest.errors
    assert all(path in manifest for path in known)
    assert not manifest.update(known)


def test_a_name_that_is_not_utf_8_survives_in_a_file_that_is(file: Path) -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    Manifest.load(file).update({name: describe("cat")})
    assert json.loads(read(file))["path"] == name
    assert Manifest.load(file).images == {name: describe("cat")}
    assert write(file, CAT.replace("cat.jpg", name)).images == {name: describe("cat")}


def test_nothing_new_writes_nothing(file: Path) -> None:
    manifest = write(file, DOG, CAT)  # unsorted lines alone are no reason to write
    before = file.stat()
    assert not manifest.update({"cat.jpg": describe("cat")})
    assert not manifest.update({}, drop=["bird.jpg"])
    assert file.stat() == before
    assert read(file) == DOG + CAT


def test_another_image_at_a_path_replaces_its_line(file: Path) -> None:
    write(file, CAT, DOG).update({"cat.jpg": describe("kitten")})
    assert read(file) == line("cat.jpg", "kitten") + DOG


def test_a_dropped_path_loses_its_line(file: Path) -> None:
    assert write(file, CAT, DOG).update({}, drop=["cat.jpg"])
    assert read(file) == DOG


def test_unknown_keys_are_kept_after_the_known(file: Path) -> None:
    kept = line("cat.jpg", "cat", alt="Eine Katze", format=1, smaller=[{"width": 20}])
    write(file, kept).update({"dog.jpg": describe("dog")})
    assert read(file) == kept + DOG


def test_keys_in_another_order_are_read(file: Path) -> None:
    record = json.loads(CAT)
    manifest = write(file, json.dumps(dict(sorted(record.items(), reverse=True))))
    assert manifest.images == {"cat.jpg": describe("cat")}


def test_equal_lines_are_joined(file: Path) -> None:
    manifest = write(file, CAT, DOG, CAT)
    assert manifest.images.keys() == {"cat.jpg", "dog.jpg"}
    assert not manifest.conflicts
    manifest.update({"bird.jpg": describe("bird")})
    assert read(file) == line("bird.jpg", "bird") + CAT + DOG


def test_equal_lines_with_other_unknown_keys_keep_them_all(file: Path) -> None:
    write(file, line("cat.jpg", "cat", a=1), line("cat.jpg", "cat", b=2)).update(
        {"dog.jpg": describe("dog")}
    )
    assert json.loads(read(file).splitlines()[0]).items() >= {"a": 1, "b": 2}.items()


def test_two_images_at_one_path_are_a_conflict_that_names_both_lines(file: Path) -> None:
    manifest = write(file, CAT, DOG, line("cat.jpg", "kitten"))
    assert manifest.images == {"dog.jpg": describe("dog")}
    assert "cat.jpg" in manifest
    error = manifest.conflicts["cat.jpg"]
    assert isinstance(error, ManifestConflict)
    assert "imagehost.jsonl lists two images for cat.jpg" in str(error)
    assert re.findall(r"\b\d+\b", str(error)) == ["1", "3"]


def test_a_conflict_is_kept_until_it_is_settled(file: Path) -> None:
    lines = CAT + line("cat.jpg", "kitten", alt="x") + line("cat.jpg", "cat")
    manifest = write(file, lines)
    manifest.update({"dog.jpg": describe("dog")})
    assert read(file) == lines + DOG
    assert describe("kitten").sha256 in manifest.unsettled_text()
    assert describe("cat").sha256 in manifest.unsettled_text()


@pytest.mark.parametrize("name", ["cat", "kitten", "tiger"])
def test_an_update_settles_a_conflict(file: Path, name: str) -> None:
    manifest = write(file, CAT, line("cat.jpg", "kitten"), DOG)
    assert manifest.update({"cat.jpg": describe(name)})
    assert read(file) == line("cat.jpg", name) + DOG
    assert not manifest.conflicts
    assert manifest.unsettled_text() == ""


def test_a_settled_conflict_keeps_the_unknown_keys_of_the_line_that_was_right(file: Path) -> None:
    manifest = write(file, line("cat.jpg", "cat", alt="A cat"), line("cat.jpg", "kitten"))
    manifest.update({"cat.jpg": describe("cat")})
    assert read(file) == line("cat.jpg", "cat", alt="A cat")


BROKEN = {
    "cut off": (CAT[:40], "is not a JSON object"),
    "a merge marker": ("<<<<<<< HEAD", "is not a JSON object.*unresolved merge"),
    "a merge's end": (">>>>>>> theirs", "is not a JSON object.*unresolved merge"),
    "a list": ("[1, 2]", "is not a JSON object with the fields path"),
    "a number": ("7", "is not a JSON object with the fields path"),
    "null": ("null", "is not a JSON object with the fields path"),
    "two records": (CAT[:-1] + "," + DOG[:-1], "is not a JSON object"),
    "no path": (CAT[:-1].replace('"path"', '"name"'), "has no field 'path'"),
    "no height": (CAT[:-1].replace('"height"', '"tallness"'), "has no field 'height'"),
    "an empty path": (CAT[:-1].replace("cat.jpg", ""), "has an invalid path: ''"),
    "a number for a path": (CAT[:-1].replace('"cat.jpg"', "7"), "has an invalid path: 7"),
    "a list for a path": (CAT[:-1].replace('"cat.jpg"', "[]"), "has an invalid path"),
    "a NUL in a path": (
        CAT[:-1].replace("cat", r"cat\u0000"),
        r"an invalid path: 'cat\\x00\.jpg'; cor",
    ),
    "half a character": (
        CAT[:-1].replace("cat", r"c\ud800"),
        r"an invalid path: 'c\\ud800\.jpg'; corr",
    ),
    "half a character after others": (CAT[:-1].replace("cat", r"猫\udfff"), "an invalid path"),
    "a terminal's escapes in a path": (
        CAT[:-1].replace('"cat.jpg"', r'["\u001b[2J\u202e\r\n"]'),
        r"has an invalid path: \['\\x1b\[2J\\u202e\\r\\n'\]; correct or delete this line",
    ),
    "a digest with escapes": (
        CAT[:-1].replace(describe("cat").sha256, r"\u001b[2J" * 50),
        r"has an invalid sha256 or type: '(\\x1b|\.\.\.|[^\x1b])+', 'jpg'; correct",
    ),
    "a list of a digest": (
        CAT[:-1].replace('"jpg"', '["jpg"]'),
        r"sha256 or type: '.+', \['jpg'\]",
    ),
    "a short digest": (
        CAT[:-1].replace(describe("cat").sha256, "abc"),
        "has an invalid sha256 or type: 'abc'",
    ),
    "a number for a digest": (
        CAT[:-1].replace(f'"{describe("cat").sha256}"', "5"),
        "has an invalid sha256 or type: 5",
    ),
    "an unknown type": (CAT[:-1].replace('"jpg"', '"exe"'), "sha256 or type.*'exe'"),
    "a path for a type": (CAT[:-1].replace('"jpg"', '"../x"'), "invalid sha256 or type"),
    "a negative size": (
        CAT[:-1].replace("100", "-1"),
        "has a size that is not a whole number above 0: -1",
    ),
    "a size that no file has": (
        CAT[:-1].replace("100", "1" + "0" * 400),
        r"has a size that is too large: 10+\.\.\.0+; correct or delete this line",
    ),
    "a size that no machine reads": (
        CAT[:-1].replace("100", "1" + "0" * 10_000),
        "is not a JSON object \\(a number has too many digits\\)",
    ),
    "a size just too large": (CAT[:-1].replace("100", str(2**53)), "too large: 9007199254740992"),
    "an endless size": (CAT[:-1].replace("100", "1e999"), "has a size that is not .*: inf"),
    "no number at all": (CAT[:-1].replace("100", "NaN"), "has a size that is not .*: nan"),
    "a text for a width": (
        CAT[:-1].replace("40", '"40"'),
        "has a width that is not a whole number above 0",
    ),
    "true for a height": (
        CAT[:-1].replace("30}", "true}"),
        "has a height that is not a whole number",
    ),
    "a fraction": (CAT[:-1].replace("30}", "30.0}"), "has a height that is not a whole number"),
    "a newer format": (
        CAT[:-1].replace("30}", '30, "format": 2}'),
        "has format 2, from a newer version; upgrade pelican-imagehost",
    ),
    "a newer format of another shape": ('{"format": "b", "images": []}', "has format 'b'"),
    "bytes that are not text": (os.fsdecode(b"\xff\xfe{}"), "is not a JSON object"),
    "too many brackets": ("[" * 100_000, "is not a JSON object"),
    "too many brackets in a line": (
        CAT[:-2] + ', "alt": ' + "[" * 900 + "]" * 900 + "}",
        "has more than 200 brackets; remove unknown fields",
    ),
    "a format of many brackets": (
        '{"format": ' + "[" * 900 + "]" * 900 + "}",
        r"has format \[+\.\.\.\]+, from a newer version",
    ),
    "a format with escapes": (
        r'{"format": "\u001b]0;x\u0007"}',
        r"has format '\\x1b\]0;x\\x07', from a newer version",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_line_is_kept_as_it_is_and_reported_with_its_number(file: Path, name: str) -> None:
    broken, message = BROKEN[name]
    manifest = write(file, DOG, broken + "\n", CAT)
    assert manifest.images == {"cat.jpg": describe("cat"), "dog.jpg": describe("dog")}
    [(number, error)] = manifest.errors
    assert number == 2
    assert isinstance(error, ManifestError)
    assert re.search(message, str(error))
    assert str(error).isprintable()
    assert len(str(error)) < 300
    assert manifest.unsettled_text() == broken
    manifest.update({"bird.jpg": describe("bird")})
    kept = (line("bird.jpg", "bird") + CAT + DOG + broken + "\n").encode(errors="surrogateescape")
    assert file.read_bytes() == kept
    assert not manifest.update({"bird.jpg": describe("bird")})


def test_a_line_broken_in_two_and_two_joined_in_one_do_not_make_up_for_each_other(
    file: Path,
) -> None:
    cut = CAT.index('"size"') - 2
    manifest = write(file, CAT[:cut] + "\n" + CAT[cut + 2 :], f"{DOG[:-1]},{DOG}")
    assert [number for number, _ in manifest.errors] == [1, 2, 3]


def test_a_line_cut_within_an_unknown_field_is_not_made_up_for_by_one_with_three(
    file: Path,
) -> None:
    start = CAT[:-2] + ', "alt": [{}\n'
    manifest = write(file, start, "{}]}\n", f"{DOG[:-1]}, 5, {DOG[:-1]}\n", "5\n")
    assert [number for number, _ in manifest.errors] == [1, 2, 3, 4]
    assert not manifest.images
    assert start[:-1] in manifest.unsettled_text()


def test_a_merge_that_was_not_resolved_keeps_both_sides(file: Path) -> None:
    manifest = write(
        file,
        "<<<<<<< HEAD\n",
        CAT,
        "=======\n",
        line("cat.jpg", "kitten"),
        ">>>>>>> theirs\n",
        DOG,
    )
    assert [number for number, _ in manifest.errors] == [1, 3, 5]
    assert manifest.conflicts.keys() == {"cat.jpg"}
    assert manifest.images == {"dog.jpg": describe("dog")}


def test_windows_line_ends_and_byte_order_marks_are_read(file: Path) -> None:
    text = "".join(f"\ufeff{one}" for one in (CAT, DOG, "\n")).replace("\n", "\r\n")
    manifest = write(file, text)  # two files, joined
    assert manifest.images.keys() == {"cat.jpg", "dog.jpg"}
    assert not manifest.errors
    manifest.update({"bird.jpg": describe("bird")})
    assert read(file) == line("bird.jpg", "bird") + CAT + DOG


def test_a_last_line_without_an_end_and_blank_lines_are_read(file: Path) -> None:
    manifest = write(file, "\n  \n", CAT, "\t\n", DOG[:-1])
    assert manifest.images.keys() == {"cat.jpg", "dog.jpg"}
    assert not manifest.errors
    manifest.update({"bird.jpg": describe("bird")})
    assert read(file) == line("bird.jpg", "bird") + CAT + DOG


def test_what_another_process_wrote_since_is_kept(file: Path) -> None:
    mine, theirs = Manifest.load(file), Manifest.load(file)
    theirs.update({"dog.jpg": describe("dog")})
    mine.update({"cat.jpg": describe("cat")})
    assert read(file) == CAT + DOG
    assert mine.images.keys() == {"cat.jpg", "dog.jpg"}


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"cannot be read: Is a directory"):
        Manifest.load(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ManifestError, match=r"cannot be read: Not a directory"):
        Manifest.load(tmp_path / "file" / "imagehost.jsonl")


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["a pipe", "a device"])
def test_what_is_not_a_file_is_not_read(file: Path, kind: str) -> None:
    if kind == "a pipe":
        os.mkfifo(file)
    else:
        file.symlink_to("/dev/zero")
    with pytest.raises(ManifestError, match=r"imagehost\.jsonl .* is not a regular file"):
        Manifest.load(file)


def test_a_full_disk_leaves_the_old_manifest(small_disk: Path) -> None:
    manifest = write(small_disk / "imagehost.jsonl", CAT)
    with pytest.raises(OSError, match="No space left"):
        manifest.update({f"{number}.jpg": describe("dog") for number in range(1000)})
    assert read(manifest.file) == CAT
    assert os.listdir(small_disk) == ["imagehost.jsonl"]


WRITER = """
import sys
from pathlib import Path
from pelican_imagehost.images.image import Image
from pelican_imagehost.storage.manifest import Manifest
from pelican_imagehost.storage.store import Store
root, me = Path(sys.argv[1]), sys.argv[2]
manifest, store = Manifest.load(root / "imagehost.jsonl"), Store(root / "images")
for number in range(20):
    with store.locked():
        manifest.update({f"{me}-{number}.jpg": Image("0" * 64, "jpg", 1, 1, 1)})
"""


def test_updates_of_many_processes_under_the_lock_lose_nothing(file: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(file.parent), str(me)])
        for me in range(4)
    ]
    assert [writer.wait() for writer in writers] == [0] * 4
    names = {f"{me}-{number}.jpg" for me in range(4) for number in range(20)}
    assert Manifest.load(file).images.keys() == names
    assert {entry.name for entry in file.parent.iterdir()} == {"images", "imagehost.jsonl"}


def test_ten_thousand_lines_are_read_and_written(file: Path) -> None:
    known = {f"content/post-{number:05}/cat.jpg": describe(str(number)) for number in range(10_000)}
    Manifest.load(file).update(known)
    manifest = Manifest.load(file)
    assert manifest.images == known
    assert manifest.update({"content/post-05000/cat.jpg": describe("new")})
    lines = read(file).splitlines()
    assert len(lines) == 10_000
    assert json.loads(lines[5000])["sha256"] == describe("new").sha256


def test_a_line_has_the_digest_of_the_file_where_another_is_published(file: Path) -> None:
    image = describe("cat")._replace(source=SOURCE)
    text = line("cat.jpg", "cat", source=SOURCE)
    manifest = write(file, text)
    assert manifest.images == {"cat.jpg": image}
    assert not manifest.update({"cat.jpg": image})
    assert manifest.update({"猫.jpg": image})
    assert read(file) == text + line("猫.jpg", "cat", source=SOURCE)
    assert manifest.update({"cat.jpg": describe("cat")}, drop=["猫.jpg"])
    assert read(file) == CAT


def test_two_files_of_one_image_are_no_conflict(file: Path) -> None:
    lines = [line("cat.jpg", "cat", source=digest * 64) for digest in "ab"]
    for order in (lines, lines[::-1], [CAT, *lines]):
        manifest = write(file, *order)
        assert manifest.images == {"cat.jpg": describe("cat")._replace(source="b" * 64)}
        assert not manifest.conflicts
    manifest = write(file, lines[0], line("cat.jpg", "dog", source="a" * 64))
    assert list(manifest.conflicts) == ["cat.jpg"]


@pytest.mark.parametrize("source", ["ab", "A" * 64, 5, None, ["a"] * 64])
def test_a_source_that_is_not_a_digest_is_an_error(file: Path, source: object) -> None:
    manifest = write(file, line("cat.jpg", "cat", source=source), DOG)
    assert [(number, "invalid source" in str(error)) for number, error in manifest.errors] == [
        (1, True)
    ]
    assert list(manifest.images) == ["dog.jpg"]


SMALL = Image(hashlib.sha256(b"small").hexdigest(), "avif", 9, 20, 15)
MADE = describe("cat").with_variants([SMALL, SMALL._replace(width=10, height=8)], "1 avif 20 10")


def test_a_line_has_the_variants_of_an_image(file: Path) -> None:
    assert MADE.variants == [SMALL, SMALL._replace(width=10, height=8)]
    assert MADE.recipe == "1 avif 20 10"
    assert MADE.all == [MADE, *MADE.variants]
    Manifest.load(file).update({"cat.jpg": MADE, "猫.jpg": MADE._replace(source=SOURCE)})
    record = json.loads(read(file).splitlines()[0])
    assert record["variants"][0] == [20, 15, SMALL.sha256, "avif", 9]
    manifest = Manifest.load(file)
    assert manifest.images == {"cat.jpg": MADE, "猫.jpg": MADE._replace(source=SOURCE)}
    assert manifest.text() == read(file)


def test_who_does_not_know_the_variants_does_not_remove_them(file: Path) -> None:
    Manifest.load(file).update({"cat.jpg": MADE})
    before = read(file)
    assert not Manifest.load(file).update({"cat.jpg": describe("cat")})
    assert Manifest.load(file).update({"cat.jpg": describe("cat")._replace(source=SOURCE)})
    assert Manifest.load(file).images["cat.jpg"].forms == MADE.forms
    assert Manifest.load(file).update({"cat.jpg": describe("dog")})
    assert read(file) == line("cat.jpg", "dog")
    assert before != read(file)


def test_an_image_without_variants_worth_making_says_so(file: Path) -> None:
    image = describe("cat").with_variants([], "1 avif 20 10")
    Manifest.load(file).update({"cat.jpg": image})
    (found,) = Manifest.load(file).images.values()
    assert (found.variants, found.recipe) == ([], "1 avif 20 10")


def test_other_variants_of_another_author_are_no_conflict(file: Path) -> None:
    other = describe("cat").with_variants([SMALL], "1 avif 20")
    texts = []
    for image in (MADE, other):
        file.unlink(missing_ok=True)
        Manifest.load(file).update({"cat.jpg": image})
        texts.append(read(file))
    for order in (texts, texts[::-1], [CAT, *texts]):
        manifest = write(file, *order)
        assert manifest.images == {"cat.jpg": other}
        assert not manifest.conflicts


@pytest.mark.parametrize(
    "variants",
    [
        5,
        [5],
        [[1, 2, "ab", "avif", 3]],
        [[1, 2, SMALL.sha256, "exe", 3]],
        [[0, 2, SMALL.sha256, "avif", 3]],
        [[1, 2, SMALL.sha256, "avif"]],
        [[1.5, 2, SMALL.sha256, "avif", 3]],
        {"a": 1},
    ],
)
def test_variants_that_are_none_are_an_error(file: Path, variants: object) -> None:
    manifest = write(file, line("cat.jpg", "cat", variants=variants, recipe="1"), DOG)
    assert ["invalid variants" in str(error) for _, error in manifest.errors] == [True]
    assert list(manifest.images) == ["dog.jpg"]


def test_a_recipe_without_variants_is_kept(file: Path) -> None:
    text = line("cat.jpg", "cat", recipe="soup")
    manifest = write(file, text)
    assert manifest.update({"dog.jpg": describe("dog")})
    assert read(file) == text + DOG
