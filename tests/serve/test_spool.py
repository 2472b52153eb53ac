"""Files being received: in memory while they are small and there is room, else on the disk."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pelican_imagehost.errors import CorruptImage, ImageTooLarge, UnsupportedImage
from pelican_imagehost.images.image import Limits
from pelican_imagehost.serve.spool import Spool
from tests.benchmarks.sites import make_picture

if TYPE_CHECKING:
    from pelican_imagehost.serve.spool import SpooledFile

ROOM = 50_000  # bytes
LIMITS = Limits(3_000_000, 10_000_000, frozenset({"png"}))


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    made = Spool(tmp_path / "uploads", LIMITS, memory=ROOM)
    made.prepare()
    return made


def receive(spool: Spool, data: bytes) -> SpooledFile:
    """Receive a file in parts."""
    file = spool.open("a.png")
    for start in range(0, len(data), 7000):
        file.write(data[start : start + 7000])
    file.finish()
    return file


def is_written(file: SpooledFile) -> bool:
    return Path(file.path).exists()


def test_what_finds_no_room_in_memory_is_written_and_both_are_the_same_image(spool: Spool) -> None:
    content = make_picture(1, 30_000)
    first, second = receive(spool, content), receive(spool, content)
    assert (is_written(first), is_written(second)) == (False, True)
    for file in (first, second):
        file.inspect()
    assert first.identify() == second.identify()
    assert Path(first.path).read_bytes() == Path(second.path).read_bytes() == content


@pytest.mark.parametrize("ends", ["discard", "inspect"])
def test_room_is_given_back(spool: Spool, ends: str) -> None:
    content = make_picture(1, 30_000)
    for _ in range(5):
        file = receive(spool, content)
        assert not is_written(file)
        getattr(file, ends)()
    assert is_written(file) == (ends == "inspect")
    file.discard()
    assert not is_written(file)
    full = [receive(spool, content[:25_000]) for _ in range(2)]  # nothing was given back twice
    assert not any(map(is_written, full))
    assert is_written(receive(spool, content))


def test_a_large_file_does_not_wait_in_memory(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "uploads", LIMITS)
    spool.prepare()
    content = make_picture(1, 2_000_000)
    file = receive(spool, content)
    assert Path(file.path).read_bytes() == content


def test_a_small_part_of_what_was_received_does_not_keep_all_of_it(spool: Spool) -> None:
    received = bytes(range(250)) * 400
    file = spool.open("a.png")
    users = sys.getrefcount(received)
    file.write(memoryview(received)[10:20])
    assert sys.getrefcount(received) == users
    file.write(memoryview(received)[:60_000])  # no room: all of it is written
    assert Path(file.path).read_bytes() == received[10:20] + received[:60_000]
    file.finish()


def test_what_is_refused_is_not_written(spool: Spool) -> None:
    content = make_picture(1, 30_000)
    for data, error in ((b"no image" * 99, UnsupportedImage), (content[:-40], CorruptImage)):
        file = receive(spool, data)
        file.inspect()
        with pytest.raises(error):
            file.identify()
        assert not is_written(file)
        file.discard()
    file = spool.open("a.png")
    with pytest.raises(ImageTooLarge):
        file.write(bytes(LIMITS.max_bytes + 1))
    assert not is_written(file)
