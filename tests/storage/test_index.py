from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from pelican_imagehost.images.image import Image
from pelican_imagehost.storage.index import Index, Stamp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CAT = (Stamp(100, 1, 2, 3), Image("a" * 64, "jpg", 100, 40, 30))
DOG = (Stamp(200, 4, 5, 6), Image("b" * 64, "png", 200, 50, 60))
SECOND = 10**9


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "imagehost.sqlite3"


@contextmanager
def opened(file: Path, *, read_only: bool = False) -> Iterator[Index]:
    with closing(Index(file, read_only=read_only)) as index:
        yield index


def snapshot(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Return the inode, length and time of every file below a folder."""
    return {
        str(path): (path.stat().st_ino, path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
    }


def fill(file: Path, *, files: int = 1) -> None:
    with opened(file) as index:
        index.record_files({f"/cat-{number}.jpg": CAT for number in range(files)})
        index.record_uses({"a.md": {"cat.jpg"}})


def test_what_is_recorded_is_known_again(file: Path) -> None:
    with opened(file) as index:
        assert index.files() == {}
        index.record_files({"/cat.jpg": CAT, "/dog.png": DOG})
    with opened(file) as index:
        assert index.files() == {"/cat.jpg": CAT, "/dog.png": DOG}
        index.record_files({"/cat.jpg": DOG})
        assert index.files() == {"/cat.jpg": DOG, "/dog.png": DOG}


def test_uses_are_those_of_the_last_build(file: Path) -> None:
    with opened(file) as index:
        index.record_uses({"a.md": {"cat.jpg", "dog.png"}, "b.md": {"cat.jpg"}, "c.md": set()})
        assert index.uses() == {"a.md": {"cat.jpg", "dog.png"}, "b.md": {"cat.jpg"}}
        index.record_uses({"a.md": {"bird.gif", "cat.jpg"}, "d.md": {"cat.jpg"}})
        assert index.uses() == {"a.md": {"bird.gif", "cat.jpg"}, "d.md": {"cat.jpg"}}
    with opened(file) as index:
        index.record_uses({"a.md": set(), "d.md": {"cat.jpg"}})
        assert index.uses() == {"d.md": {"cat.jpg"}}
        index.record_uses({})
        assert index.uses() == {}


def test_problems_are_those_of_the_last_build(file: Path) -> None:
    first = [("b.md", 7, "gone.png", "no such file"), ("a.md", None, "", "is \u201codd\u201d")]
    with opened(file) as index:
        index.record_problems(first)
    with opened(file, read_only=True) as index:
        assert index.problems() == first
    with opened(file) as index:
        index.record_problems([])
        assert index.problems() == []


def test_what_did_not_change_writes_nothing(file: Path) -> None:
    with opened(file) as index:
        index.record_problems([("a.md", 1, "gone.png", "no such file")])
        index.record_uses({"a.md": {"cat.jpg"}})
        before = snapshot(file.parent)
        index.record_uses({"a.md": {"cat.jpg"}, "b.md": set()})
        index.record_files({})
        index.record_problems([("a.md", 1, "gone.png", "no such file")])
        assert snapshot(file.parent) == before


def test_a_stamp_shows_each_change(tmp_path: Path) -> None:
    cat = tmp_path / "cat.jpg"
    cat.write_bytes(b"cat")
    before = Stamp.of(cat.stat())
    assert Stamp.of(cat.stat()) == before
    cat.write_bytes(b"cats")
    assert Stamp.of(cat.stat()).size != before.size
    other = tmp_path / "other.jpg"
    other.write_bytes(b"dog")
    os.utime(other, ns=(before.mtime_ns, before.mtime_ns))
    other.replace(cat)
    replaced = Stamp.of(cat.stat())
    assert (replaced.size, replaced.mtime_ns) == (before.size, before.mtime_ns)
    assert replaced != before  # another inode, another ctime


@pytest.mark.parametrize(("mtime", "ctime"), [(10, 5), (5, 10), (10, 10)])
def test_a_stamp_is_settled_when_both_times_are_two_seconds_past(mtime: int, ctime: int) -> None:
    stamp = Stamp(1, mtime * SECOND, ctime * SECOND, 1)
    assert not stamp.is_settled(12 * SECOND)
    assert stamp.is_settled(12 * SECOND + 1)


def test_a_time_in_the_future_is_unsettled() -> None:
    assert not Stamp(1, 99 * SECOND, 1, 1).is_settled(50 * SECOND)


@pytest.mark.parametrize("content", [b"not a database" * 99, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_corrupt_file_is_made_anew(
    file: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    file.parent.mkdir()
    file.write_bytes(content)
    with opened(file) as index:
        assert index.files() == {}
        index.record_files({"/cat.jpg": CAT})
    with opened(file) as index:
        assert index.files() == {"/cat.jpg": CAT}
    assert f"recreating {file}" in caplog.text
    assert caplog.records[0].levelno == logging.INFO  # no warning, because the user need not act


def test_an_empty_file_is_filled(file: Path) -> None:
    file.parent.mkdir()
    file.touch()
    with opened(file) as index:
        index.record_files({"/cat.jpg": CAT})
        assert index.files() == {"/cat.jpg": CAT}


@pytest.mark.parametrize("version", [1, 1000, -1])
def test_a_file_of_another_version_is_made_anew(file: Path, version: int) -> None:
    fill(file)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    with opened(file) as index:
        assert index.files() == {}
        index.record_files({"/dog.png": DOG})
        assert index.files() == {"/dog.png": DOG}


def damage(file: Path) -> None:
    """Damage an index after its first pages, so that opening it succeeds."""
    fill(file, files=2000)
    content = file.read_bytes()
    assert len(content) > 30 * 4096
    file.write_bytes(content[: 3 * 4096] + b"\xff" * (len(content) - 3 * 4096))
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (5,)


def test_damage_that_only_reading_shows_is_made_good(file: Path) -> None:
    damage(file)
    with opened(file) as index:
        assert index.files() == {}
        index.record_files({"/cat.jpg": CAT})
        assert index.files() == {"/cat.jpg": CAT}
    with opened(file) as index:
        assert index.files() == {"/cat.jpg": CAT}


def test_a_file_cut_in_the_middle_is_made_good(file: Path) -> None:
    fill(file, files=2000)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with opened(file) as index:
        index.files()
        index.record_files({"/dog.png": DOG})
        assert index.files()["/dog.png"] == DOG


def test_damage_found_when_only_looking_is_left_as_it_is(file: Path) -> None:
    damage(file)
    before = snapshot(file.parent)
    with opened(file, read_only=True) as index:
        assert index.files() == {}
        assert index.uses() == {}
    assert snapshot(file.parent) == before


def test_damage_that_only_writing_shows_stops_no_build(file: Path) -> None:
    with opened(file) as index:
        index.record_files({"/cat.jpg": CAT})
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("DROP TABLE uses")
            connection.execute("DROP TABLE files")
        index.record_files({"/dog.png": DOG})
        index.record_uses({"a.md": {"dog.png"}})


def test_a_full_disk_stops_no_build(small_disk: Path) -> None:
    with opened(small_disk / "imagehost.sqlite3") as index:
        index.record_files({f"/cat-{number}.jpg": CAT for number in range(2000)})
        index.files()


def test_a_disk_that_is_full_before_means_no_memory_of_files(
    small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(OSError, match="No space left"):
        (small_disk / "ballast").write_bytes(bytes(100_000))
    with opened(small_disk / "cache" / "imagehost.sqlite3") as index:
        index.record_files({"/cat.jpg": CAT})
        assert index.files() == {"/cat.jpg": CAT}
    assert "cannot be used, so every image is read again" in caplog.text


@pytest.mark.parametrize("is_filled", [False, True])
def test_a_read_only_folder_means_memory_and_a_warning(
    read_only_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, *, is_filled: bool
) -> None:
    if is_filled:
        fill(tmp_path / "writable" / "imagehost.sqlite3")
    with opened(read_only_folder / "imagehost.sqlite3") as index:
        index.record_files({"/dog.png": DOG})
        assert index.files()["/dog.png"] == DOG
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "cannot be used, so every image is read again" in record.getMessage()


def test_a_corrupt_file_in_a_read_only_folder_means_memory_too(
    read_only_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "writable" / "imagehost.sqlite3").write_bytes(b"not a database" * 99)
    with opened(read_only_folder / "imagehost.sqlite3") as index:
        index.record_files({"/dog.png": DOG})
        assert index.files() == {"/dog.png": DOG}


@pytest.mark.parametrize("blocker", ["cache", "cache/imagehost.sqlite3"])
def test_what_stands_in_the_way_means_memory(
    tmp_path: Path, file: Path, blocker: str, caplog: pytest.LogCaptureFixture
) -> None:
    if blocker == "cache":
        (tmp_path / blocker).touch()
    else:
        (tmp_path / blocker).mkdir(parents=True)
    with opened(file) as index:
        index.record_files({"/cat.jpg": CAT})
        assert index.files() == {"/cat.jpg": CAT}
    assert "cannot be used" in caplog.text


def test_looking_only_makes_nothing(tmp_path: Path, file: Path) -> None:
    with opened(file, read_only=True) as index:
        assert index.files() == {}
        assert index.uses() == {}
    assert os.listdir(tmp_path) == []


def test_looking_only_sees_what_is_there_and_writes_nothing(file: Path) -> None:
    fill(file)
    before = snapshot(file.parent)
    with opened(file, read_only=True) as index:
        assert index.files() == {"/cat-0.jpg": CAT}
        assert index.uses() == {"a.md": {"cat.jpg"}}
    assert snapshot(file.parent) == before


@pytest.mark.parametrize("content", [b"", b"not a database" * 99, None])
def test_looking_only_leaves_what_it_cannot_use(file: Path, content: bytes | None) -> None:
    fill(file)
    if content is None:
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA user_version = 1")
    else:
        file.write_bytes(content)
    before = snapshot(file.parent)
    with opened(file, read_only=True) as index:
        assert index.files() == {}
    assert snapshot(file.parent) == before


def test_a_name_with_characters_of_urls_can_be_looked_at(tmp_path: Path) -> None:
    file = tmp_path / "50% #1?" / "imagehost.sqlite3"
    fill(file)
    with opened(file, read_only=True) as index:
        assert index.files() == {"/cat-0.jpg": CAT}


WRITER = """
import logging, sys
from pathlib import Path
from pelican_imagehost.images.image import Image
from pelican_imagehost.storage.index import Index, Stamp
logging.basicConfig(level=logging.INFO)
file, me = Path(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
for number in range(40):
    index = Index(file)
    image = Image("a" * 64, "jpg", 1, 1, 1)
    index.record_files({f"/{me}-{number}.jpg": (Stamp(1, 2, 3, 4), image)})
    index.record_uses({f"{number % 3}.md": {"cat.jpg"}})
    index.close()
"""


def test_many_processes_may_make_and_write_it_at_once(file: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(file), str(me)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for me in range(6)
    ]
    for writer in writers:
        assert writer.stdout
        assert writer.stdout.readline() == "ready\n"
    said = [writer.communicate("go\n")[1] for writer in writers]
    assert "".join(said) == ""  # without a warning
    with opened(file) as index:
        assert len(index.files()) == 240
        assert set().union(*index.uses().values()) == {"cat.jpg"}


def test_what_was_seen_online_is_remembered_for_its_address(file: Path) -> None:
    with closing(Index(file)) as index:
        index.record_seen("https://a.example.com/", {"one", "two"})
        index.record_seen("https://a.example.com/", {"two", "three"})
        index.record_seen("https://b.example.com/", {"one"})
        index.forget_seen(["one"])
    with closing(Index(file)) as index:
        assert index.seen("https://a.example.com/") == {"two", "three"}
        assert index.seen("https://b.example.com/") == set()
