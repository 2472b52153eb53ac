from __future__ import annotations

import multiprocessing
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pelican_imagehost.errors import RecordsError
from pelican_imagehost.images.image import Image
from pelican_imagehost.storage.book import Arrival, Followed
from pelican_imagehost.storage.records import Records

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def image(number: int) -> Image:
    return Image(f"{number:064x}", "png", 1000 + number, 40, 30)


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    opened = Records(tmp_path / "uploads.sqlite3")
    yield opened
    opened.close()


def test_an_upload_is_one_row_however_often_it_comes(records: Records) -> None:
    records.add([Arrival(image(1), "猫 1.png", "phone")])
    records.add([Arrival(image(1), "other.png", "laptop"), Arrival(image(2), "b.png", "laptop")])
    first, second = records.all()
    assert (first.image, first.name, first.token, first.times) == (image(1), "猫 1.png", "phone", 2)
    assert first.updated >= first.created > 1_700_000_000
    assert (second.name, second.times, second.pushed) == ("b.png", 1, False)
    assert records.get(image(1).sha256) == first
    assert records.get("0" * 64) is None


def test_the_same_image_twice_in_one_batch_is_one_row(records: Records) -> None:
    records.add([Arrival(image(1), "a.png", "t"), Arrival(image(1), "a.png", "t")])
    assert [record.times for record in records.all()] == [2]


def test_what_was_pushed_waits_no_longer_even_if_it_comes_again(records: Records) -> None:
    records.add([Arrival(image(1), "a.png", "t"), Arrival(image(2), "b.png", "t")])
    records.mark_pushed([image(1).sha256])
    records.add([Arrival(image(1), "a.png", "t")])
    assert [record.image for record in records.waiting()] == [image(2)]


def test_what_a_repair_found_becomes_an_upload_when_it_is_uploaded(records: Records) -> None:
    records.add_found([image(1)])
    found = records.get(image(1).sha256)
    assert found
    assert (found.token, found.name, found.pushed) == ("", "", True)
    records.add([Arrival(image(1), "a.png", "phone")])
    records.add_found([image(1)])
    uploaded = records.get(image(1).sha256)
    assert uploaded
    assert (uploaded.token, uploaded.name, uploaded.pushed) == ("phone", "a.png", False)


def test_every_change_of_a_record_but_pushing_is_followed(records: Records) -> None:
    followed = records.follow(Followed())

    def change(statement: str, *values: str) -> set[str]:
        """Change something; return the digests whose records are other objects than before."""
        nonlocal followed
        before = followed
        records._connection.execute(statement, values)  # noqa: SLF001  a clock and a repair at once
        followed = records.follow(before)
        assert followed.records == {
            one.image.sha256: one._replace(pushed=False) for one in records.all()
        }
        return {
            digest
            for digest in followed.records.keys() | before.records.keys()
            if followed.records.get(digest) is not before.records.get(digest)
        }

    records.add([Arrival(image(1), "1a", "phone"), Arrival(image(2), "b", "phone")])
    one = f"WHERE sha256 = '{image(1).sha256}'"
    assert change("SELECT 1") == {image(1).sha256, image(2).sha256}
    assert change("SELECT 1") == set()
    for values in ("name = 'a'", "created = 0", "updated = 0", "token = 'phon', name = 'ea'",
                   "times = 9"):  # fmt: skip
        assert change(f"UPDATE uploads SET {values} {one}") == {image(1).sha256}, values  # noqa: S608  constants
    records.add([Arrival(image(2), "b", "phone")])
    assert change("SELECT 1") == {image(2).sha256}
    records.replace({image(1).sha256: image(3)})
    assert change("SELECT 1") == {image(1).sha256, image(3).sha256}
    assert change("DELETE FROM uploads WHERE sha256 = ?", image(3).sha256) == {image(3).sha256}
    records.add_found([image(2), image(4)])
    assert change("UPDATE uploads SET pushed = 0") == {image(4).sha256}
    assert change("UPDATE uploads SET pushed = 1") == set()


def test_who_looks_after_very_many_changes_reads_all(records: Records) -> None:
    records.add([Arrival(image(1), "a.png", "t"), Arrival(image(2), "b.png", "t")])
    seen = records.follow(Followed())
    records.remove([image(1).sha256])
    records.add([Arrival(image(2), "b.png", "t")] * 10_100)
    assert records.follow(seen).records == {image(2).sha256: records.get(image(2).sha256)}
    (notes,) = records._connection.execute("SELECT count(*) FROM changes").fetchone()  # noqa: SLF001  it shows nowhere else
    assert notes == 10_000


def test_a_file_that_another_replaced_is_read_again(tmp_path: Path) -> None:
    kept, lost = tmp_path / "kept.sqlite3", tmp_path / "lost.sqlite3"
    for file, numbers in ((kept, (1, 2, 3)), (lost, (1, 4))):
        with closing(Records(file)) as records:
            for number in numbers:
                records.add([Arrival(image(number), "a.png", "t")])
            seen = records.follow(Followed())
    with closing(Records(kept)) as records:  # of the same number of changes and more
        followed = records.follow(seen).records
        assert followed.keys() == {image(number).sha256 for number in (1, 2, 3)}


def test_a_file_from_before_changes_were_noted_is_followed(tmp_path: Path) -> None:
    file = tmp_path / "uploads.sqlite3"
    with closing(Records(file)) as old:
        for kind, name in (("TABLE", "changes"), ("TRIGGER", "note_INSERT"),
                           ("TRIGGER", "note_UPDATE"), ("TRIGGER", "note_DELETE")):  # fmt: skip
            old._connection.execute(f"DROP {kind} {name}")  # noqa: SLF001  as an older version left it
        old.add([Arrival(image(1), "a.png", "t")])
    with closing(Records(file, read_only=True)) as reader:
        seen = reader.follow(Followed())
        assert seen.records.keys() == {image(1).sha256}
        with closing(Records(file)) as writer:
            writer.add([Arrival(image(2), "b.png", "t")])
            seen = reader.follow(seen)
            assert seen.records.keys() == {image(1).sha256, image(2).sha256}
            writer.remove([image(1).sha256])
        assert reader.follow(seen).records.keys() == {image(2).sha256}


def test_records_go_when_told(records: Records) -> None:
    records.add([Arrival(image(n), "a.png", "t") for n in range(3)])
    records.remove([image(0).sha256, image(2).sha256])
    assert [record.image for record in records.all()] == [image(1)]


def test_reading_makes_no_file_and_writes_none(tmp_path: Path) -> None:
    file = tmp_path / "uploads.sqlite3"
    looked = Records(file, read_only=True)
    assert looked.all() == []
    looked.close()
    assert list(tmp_path.iterdir()) == []
    writer = Records(file)
    reader = Records(file, read_only=True)
    writer.add([Arrival(image(1), "a.png", "t")])
    assert len(reader.all()) == 1
    with pytest.raises(RecordsError, match="readonly"):
        reader.add([Arrival(image(2), "b.png", "t")])
    reader.close()
    writer.close()


@pytest.mark.parametrize("read_only", [False, True])
def test_a_damaged_file_is_named_and_kept(tmp_path: Path, *, read_only: bool) -> None:
    file = tmp_path / "uploads.sqlite3"
    file.write_bytes(b"not a database, and longer than a header would be" * 20)
    before = file.read_bytes()
    with pytest.raises(RecordsError, match="do not delete it; check disk space and permissions"):
        Records(file, read_only=read_only)
    assert file.read_bytes() == before


def test_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "uploads.sqlite3")
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(RecordsError, match="newer pelican-imagehost"):
        Records(tmp_path / "uploads.sqlite3")


def _write(file: Path, first: int) -> None:
    records = Records(file)
    for number in range(first, first + 50):
        records.add([Arrival(image(number), "a.png", "t")])
    records.close()


def test_two_processes_write_at_once_and_lose_nothing(tmp_path: Path) -> None:
    file = tmp_path / "uploads.sqlite3"
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_write, args=(file, first)) for first in (0, 25)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    records = Records(file)
    assert sum(record.times for record in records.all()) == 100
    assert len(records.all()) == 75
    records.close()


def test_what_is_added_is_synced_to_the_disk(records: Records) -> None:
    connection = records._connection  # noqa: SLF001  a pragma shows nowhere else
    full = 2
    assert connection.execute("PRAGMA synchronous").fetchone() == (full,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
