from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from pelican_imagehost.errors import CorruptImage, ImageTooLarge, UnreadableImage
from pelican_imagehost.images.image import IMAGE_TYPES, Limits
from pelican_imagehost.images.read import read_image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LIMITS = Limits(1000, 100, frozenset(IMAGE_TYPES))


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
    path = tmp_path / "cat.jpg"
    path.write_bytes(b"before")
    return path


def test_the_bytes_come_with_the_state_they_were_read_in(file: Path) -> None:
    data, status = read_image(str(file), LIMITS)
    assert data == b"before"
    assert status == os.stat(file)


def test_a_file_that_grows_while_it_is_read_is_read_again(file: Path) -> None:
    reads: list[int] = []

    def grow() -> None:
        reads.append(1)
        if len(reads) == 1:
            file.write_bytes(b"after that")

    with before_each_read(grow):
        data, status = read_image(str(file), LIMITS)
    assert (data, status.st_size, len(reads)) == (b"after that", 10, 2)


def test_bytes_of_the_same_length_with_another_time_are_read_again(file: Path) -> None:
    reads: list[int] = []

    def overwrite() -> None:
        reads.append(1)
        if len(reads) == 1:
            file.write_bytes(b"after!")
            os.utime(file, ns=(1, 1))

    with before_each_read(overwrite):
        data, status = read_image(str(file), LIMITS)
    assert (data, status.st_mtime_ns, len(reads)) == (b"after!", 1, 2)


def test_a_file_replaced_while_it_is_read_gives_one_of_its_states(file: Path) -> None:
    new = file.with_name("new.jpg")

    def replace() -> None:
        if file.read_bytes() != b"replaced":
            new.write_bytes(b"replaced")
            new.replace(file)

    with before_each_read(replace):
        data, status = read_image(str(file), LIMITS)
    assert len(data) == status.st_size
    assert data in {b"before", b"replaced"}


def test_a_file_that_never_rests_is_named_as_such(file: Path) -> None:
    def grow() -> None:
        with file.open("ab") as stream:
            stream.write(b"x")

    with (
        before_each_read(grow),
        pytest.raises(UnreadableImage, match="changed each time it was read"),
    ):
        read_image(str(file), LIMITS)


def test_a_file_that_grows_beyond_the_limit_is_refused(file: Path) -> None:
    with (
        before_each_read(lambda: file.write_bytes(bytes(1001))),
        pytest.raises(ImageTooLarge, match="has 1,001 bytes"),
    ):
        read_image(str(file), LIMITS)


def test_an_empty_file_is_corrupt(file: Path) -> None:
    file.write_bytes(b"")
    with pytest.raises(CorruptImage, match="is an empty file"):
        read_image(str(file), LIMITS)


def test_a_file_that_is_too_large_is_not_read(file: Path) -> None:
    with file.open("wb") as stream:
        stream.truncate(10**12)  # more than there is memory
    with pytest.raises(ImageTooLarge, match="IMAGEHOST_MAX_BYTES allows 1,000"):
        read_image(str(file), LIMITS)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("absent.jpg", "No such file"), (".", "Is a directory"), ("cat.jpg/x", "Not a directory")],
)
def test_what_cannot_be_opened_is_named_with_the_reason(file: Path, name: str, reason: str) -> None:
    with pytest.raises(UnreadableImage, match=f"cannot be read: {reason}"):
        read_image(f"{file.parent}/{name}", LIMITS)


@pytest.mark.parametrize("kind", ["pipe", "device", "link to a pipe"])
def test_what_is_no_regular_file_is_refused_and_not_waited_for(tmp_path: Path, kind: str) -> None:
    path, pipe = "/dev/zero", tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    if kind == "pipe":
        path = str(pipe)
    elif kind == "link to a pipe":
        (tmp_path / "link.jpg").symlink_to(pipe)
        path = str(tmp_path / "link.jpg")
    with pytest.raises(UnreadableImage, match="is no regular file"):
        read_image(path, LIMITS)
