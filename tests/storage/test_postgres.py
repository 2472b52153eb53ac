"""The record of uploads in a real PostgreSQL database."""

from __future__ import annotations

import multiprocessing
import random
import threading
import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import psycopg
import pytest

from pelican_imagehost.errors import ForbiddenUploads, RecordsError
from pelican_imagehost.images.image import Image
from pelican_imagehost.storage.book import Arrival, Followed, Record
from pelican_imagehost.storage.postgres import PostgresRecords

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.postgres import Postgres


def image(number: int) -> Image:
    return Image(f"{number:064x}", "png", 1000 + number, 40, 30)


def arrival(number: int, name: str = "a.png", owner: str = "phone") -> Arrival:
    return Arrival(image(number), name, owner)


@pytest.fixture
def records(database: str) -> Iterator[PostgresRecords]:
    with closing(PostgresRecords(database)) as opened:
        yield opened


def test_an_upload_is_one_row_however_often_it_comes(records: PostgresRecords) -> None:
    records.add([arrival(1, "猫 1.png", "phone")])
    records.add([arrival(2, "b.png", "laptop"), arrival(1, "other.png"), arrival(1)])
    first, second = sorted(records.all())
    assert (first.image, first.name, first.token, first.times) == (image(1), "猫 1.png", "phone", 3)
    assert first.updated >= first.created > 1_700_000_000
    assert (second.name, second.times, second.pushed) == ("b.png", 1, True)
    assert records.known([image(1).sha256, "0" * 64]) == {image(1).sha256}


def test_all_of_an_upload_is_refused_if_one_was_retracted_and_nothing_recorded(
    records: PostgresRecords, database: str
) -> None:
    with closing(PostgresRecords(database)) as other:
        other.note_retraction([image(2).sha256], retracted=True)
        other.note_retraction([image(2).sha256], retracted=True)
    with pytest.raises(ForbiddenUploads) as refused:
        records.add([arrival(1), arrival(2), arrival(3)])
    assert refused.value.digests == {image(2).sha256}
    assert records.all() == []
    with closing(PostgresRecords(database)) as other:
        other.note_retraction([image(2).sha256], retracted=False)
    records.add([arrival(2)])
    assert [one.image for one in records.all()] == [image(2)]


def test_within_a_block_of_adding_a_refusal_leaves_the_rest_to_be_tried_again(
    records: PostgresRecords, database: str
) -> None:
    records.note_retraction([image(2).sha256], retracted=True)
    with records.adding():
        with pytest.raises(ForbiddenUploads):
            records.add([arrival(1), arrival(2)])
        records.add([arrival(1)])
        with closing(PostgresRecords(database)) as other:
            assert other.all() == []  # until the block has ended
    assert [one.image for one in records.all()] == [image(1)]


def test_who_removes_waits_for_all_who_add_and_they_wait_for_it(
    records: PostgresRecords, database: str
) -> None:
    steps = []

    def remove() -> None:
        with closing(PostgresRecords(database)) as other, other.removing():
            steps.append("removes")

    def add() -> None:
        with closing(PostgresRecords(database)) as other:
            other.add([arrival(3)])  # shares the lock with the first, if nobody waits
        steps.append("added")

    with records.adding():
        sharing = threading.Thread(target=add)
        sharing.start()
        sharing.join()
        removing = threading.Thread(target=remove)
        removing.start()
        removing.join(0.3)
        steps.append("records")
        records.add([arrival(1)])
    removing.join()
    assert steps == ["added", "records", "removes"]


def _write(address: str, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  no secret
    with closing(PostgresRecords(address)) as records:
        for _ in range(30):
            records.add([arrival(chance.randrange(100)) for _ in range(20)])


def test_many_writers_of_the_same_digests_neither_deadlock_nor_lose_an_upload(
    database: str,
) -> None:
    fork = multiprocessing.get_context("spawn")
    writers = [fork.Process(target=_write, args=(database, seed)) for seed in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    with closing(PostgresRecords(database)) as records:
        assert sum(one.times for one in records.all()) == 4 * 30 * 20


def test_changes_are_found_whoever_made_them_and_in_whatever_order_they_end(
    records: PostgresRecords, database: str
) -> None:
    followed = records.follow(Followed())

    def follow() -> Mapping[str, Record]:
        nonlocal followed
        followed = records.follow(followed)
        return followed.records

    with closing(PostgresRecords(database)) as slow, closing(PostgresRecords(database)) as fast:
        with slow.adding():
            slow.add([arrival(1)])
            fast.add([arrival(2), arrival(3)])
            assert follow().keys() == {image(2).sha256, image(3).sha256}
        assert image(1).sha256 in follow()
        fast.remove([image(2).sha256])
        slow.add([arrival(3)])
        assert follow().keys() == {image(1).sha256, image(3).sha256}
        fast.add([arrival(2)])
        fast.remove([image(1).sha256])
        follow()
    assert followed.records == {one.image.sha256: one for one in records.all()}
    assert followed.records.keys() == {image(2).sha256, image(3).sha256}


def test_a_connection_that_was_lost_is_made_again_but_not_within_a_block(
    records: PostgresRecords, postgres: Postgres, database: str
) -> None:
    def cut() -> None:
        name = database.rpartition("/")[2]
        postgres.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "  # noqa: S608  our own name
            f"WHERE datname = '{name}' AND pid <> pg_backend_pid()",
            "postgres",
        )

    def add_in_a_block() -> None:
        with records.adding():
            cut()
            records.add([arrival(1)])

    def add_and_cut() -> None:
        with records.adding():
            records.add([arrival(1)])
            cut()

    cut()
    with pytest.raises(RecordsError, match="cannot be used"):
        records.add([arrival(1)])
    records.add([arrival(2)])
    with pytest.raises(RecordsError, match="cannot be used"):
        add_in_a_block()
    with pytest.raises(RecordsError, match="cannot be used"):
        add_and_cut()
    assert [one.image for one in records.all()] == [image(2)]


def test_a_killed_database_keeps_what_was_recorded(
    records: PostgresRecords, postgres: Postgres
) -> None:
    records.add([arrival(1)])
    postgres.kill()
    with pytest.raises(RecordsError):
        records.add([arrival(2)])
    postgres.restart()
    records.add([arrival(3)])
    assert {one.image for one in records.all()} == {image(1), image(3)}


def test_a_database_that_hangs_is_given_up_and_asked_again(
    postgres: Postgres, database: str
) -> None:
    with closing(PostgresRecords(database, patience=5)) as records:
        records.add([arrival(1)])
        with postgres.stopped(), pytest.raises(RecordsError, match="cannot be used"):
            records.add([arrival(2)])
        records.add([arrival(3)])
        assert {image(1), image(3)} <= {one.image for one in records.all()}


def test_a_database_that_hangs_while_it_commits_is_given_up(
    postgres: Postgres, database: str
) -> None:
    def add_and_stop() -> None:
        with stopping, records.adding():
            records.add([arrival(1)])
            stopping.enter_context(postgres.stopped())

    stopping = ExitStack()
    with closing(PostgresRecords(database, patience=5)) as records:
        with pytest.raises(RecordsError, match="cannot be used"):
            add_and_stop()
        records.add([arrival(1)])
        assert [one.image for one in records.all()] == [image(1)]


def test_the_time_in_which_images_are_stored_is_not_counted(
    records: PostgresRecords, database: str
) -> None:
    with closing(PostgresRecords(database, patience=3)) as quick:
        with quick.adding():
            time.sleep(4)
            quick.add([arrival(1)])
        assert [one.image for one in records.all()] == [image(1)]


def test_who_holds_the_lock_for_long_is_named(records: PostgresRecords, database: str) -> None:
    with closing(PostgresRecords(database, patience=5)) as other, records.removing():
        with pytest.raises(RecordsError, match="gc or a deletion is at work; try again"):
            other.add([arrival(1)])
        assert other.all() == []


def test_tables_are_made_once_by_many_who_start_at_once(database: str) -> None:
    errors: list[RecordsError] = []

    def start() -> None:
        try:
            PostgresRecords(database).close()
        except RecordsError as error:
            errors.append(error)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_tables_of_another_version_are_left_alone(records: PostgresRecords, database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE imagehost_version SET version = 99")
    records.close()
    with pytest.raises(RecordsError, match="another pelican-imagehost"):
        PostgresRecords(database)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("postgresql://127.0.0.1:1/none", r"the database none at 127\.0\.0\.1 cannot be used: "),
        ("postgresql://me:se%zzcret@127.0.0.1/none", "is not the address of a database"),
        ("postgresql://me@127.0.0.1/none?sslmod=require", "is not the address of a database"),
    ],
)
def test_an_address_that_leads_nowhere_is_one_line_without_its_password(
    address: str, said: str
) -> None:
    with pytest.raises(RecordsError, match=said) as refused:
        PostgresRecords(address)
    assert "cret" not in str(refused.value)
    assert "\n" not in str(refused.value)
