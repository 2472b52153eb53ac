from __future__ import annotations

import hashlib
import threading
import time
from itertools import chain
from typing import TYPE_CHECKING

import PIL.Image
import pytest

from pelican_imagehost.errors import CorruptImage, MissingBytes, MissingEncoder
from pelican_imagehost.images.image import IMAGE_TYPES, Image
from pelican_imagehost.images.variants import batch, picture
from pelican_imagehost.images.variants.batch import Done, Job, estimate, make_all
from pelican_imagehost.images.variants.make import make
from tests.images.variants.pictures import SIZE, SOME, encode, photo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def job(data: bytes, read: Callable[[], bytes] | None = None) -> Job:
    digest = hashlib.sha256(data).hexdigest()
    return Job(Image(digest, "jpg", len(data), *SIZE), read or (lambda: data), SOME)


def photos(number: int) -> list[bytes]:
    return [encode(photo(seed=seed), "jpg") for seed in range(number)]


def ignore(_size: int) -> None:
    pass


def run(jobs: list[Job], workers: int = 2) -> dict[str, Done]:
    return {
        done.image.sha256: done for done in chain.from_iterable(make_all(jobs, workers, ignore))
    }


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_any_number_of_threads_makes_the_same(workers: int) -> None:
    jobs = [job(data) for data in photos(5)]
    found = run(jobs, workers)
    assert len(found) == 5
    for one in jobs:
        expected = make(one.read(), "jpg", SOME)
        assert found[one.image.sha256] == Done(one.image, expected, None)
        assert len(expected) == 3


def test_a_file_that_cannot_be_decoded_is_an_error_for_it_alone() -> None:
    good, bad, lost = photos(3)
    bad = bad[: len(bad) // 2]

    def read() -> bytes:
        raise MissingBytes("is missing")

    found = run([job(bad), job(lost, read), job(good)])
    assert isinstance(found[job(bad).image.sha256].error, CorruptImage)
    assert isinstance(found[job(lost).image.sha256].error, MissingBytes)
    assert found[job(good).image.sha256].error is None
    assert [len(done.made) for done in found.values()].count(0) == 2


def test_a_missing_encoder_ends_everything_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert picture.can_encode("avif")
    monkeypatch.delitem(PIL.Image.SAVE, "AVIF")
    with pytest.raises(MissingEncoder):
        run([job(data) for data in photos(3)])


def test_a_mistake_of_ours_is_no_error_of_a_file() -> None:
    def read() -> bytes:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run([job(photos(1)[0], read)])


def test_results_come_in_batches_and_no_job_is_taken_early(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batch, "_BATCH", 4)
    taken = 0

    def jobs() -> Iterator[Job]:
        nonlocal taken
        for _ in range(30):
            taken += 1
            yield job(b"small")

    batches = make_all(jobs(), 2, ignore)
    assert taken == 0
    assert len(next(batches)) == 4
    assert 4 <= taken <= 4 + 2 + 2 * 2
    assert [len(one) for one in batches] == [4, 4, 4, 4, 4, 4, 2]
    assert taken == 30


def test_progress_is_in_bytes() -> None:
    sizes: list[int] = []
    jobs = [job(bytes(size)) for size in (10, 200, 3000)]
    assert sum(map(len, make_all(jobs, 1, sizes.append))) == 3
    assert sorted(sizes) == [10, 200, 3000]


def threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name.startswith("variants")]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_interruption_stops_the_threads(error: type[BaseException]) -> None:
    read: list[bytes] = []

    def read_one() -> bytes:
        read.append(b"small")
        return b"small"

    def jobs() -> Iterator[Job]:
        for _ in range(1000):
            yield job(b"small", read_one)

    def advance(_size: int) -> None:
        if len(read) > 5:
            raise error

    with pytest.raises(error):
        list(make_all(jobs(), 2, advance))
    assert threads() == []
    assert len(read) < 20


def test_an_interruption_loses_nothing_that_is_done() -> None:
    done: list[int] = []

    def advance(size: int) -> None:
        if len(done) == 7:
            raise KeyboardInterrupt
        done.append(size)

    batches = make_all((job(bytes(n + 1)) for n in range(100)), 2, advance)
    assert [one.image.size for one in next(batches)] == done
    assert len(done) == 7
    with pytest.raises(KeyboardInterrupt):
        next(batches)
    assert threads() == []


def test_results_that_nobody_wants_are_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "_BATCH", 1)
    batches = make_all((job(b"small") for _ in range(1000)), 2, ignore)
    next(batches)
    batches.close()
    assert threads() == []


def test_no_more_memory_is_held_than_there_is() -> None:
    memory = batch._Memory(60)  # noqa: SLF001  what no picture of a test is large enough for
    lock, held, most = threading.Lock(), 0, 0

    def work(pixels: int) -> None:
        nonlocal held, most
        with memory.hold(pixels):
            with lock:
                held += pixels
                most = max(most, held)
            time.sleep(0.01)
            with lock:
                held -= pixels

    workers = [threading.Thread(target=work, args=(10 * (n % 5 + 1),)) for n in range(20)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert 30 < most <= 60
    with memory.hold(1000):  # one that is larger than all has it to itself
        pass
    with memory.hold(60):
        pass


def test_the_memory_of_a_failure_is_free_again() -> None:
    memory = batch._Memory(60)  # noqa: SLF001  as above
    for _ in range(3):
        with pytest.raises(ValueError, match="broken"), memory.hold(50):
            raise ValueError("broken")


def test_photos_take_about_a_third_of_a_second() -> None:
    photo_12, photo_24, drawing, small = (
        Image("", kind, size, width, height)
        for kind, size, width, height in (
            ("jpg", 4_000_000, 4000, 3000),
            ("jpg", 8_000_000, 6000, 4000),
            ("svg", 40_000, 1, 1),
            ("jpg", 29_000, 4000, 3000),
        )
    )
    assert 0.2 < estimate([photo_12]) < estimate([photo_24]) < 0.4
    assert estimate([photo_12] * 100) == pytest.approx(100 * estimate([photo_12]))
    assert estimate([drawing, small]) == 0
    for kind in IMAGE_TYPES:
        assert estimate([photo_12._replace(type=kind)]) >= 0
