from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from pelican_imagehost.storage.durable import clone, replace_file, sync_directory, sync_files

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_made_and_replaced_whole(tmp_path: Path) -> None:
    file = tmp_path / "facts"
    replace_file(file, b"one")
    replace_file(file, b"two, longer")
    replace_file(file, b"3")
    assert file.read_bytes() == b"3"
    assert os.listdir(tmp_path) == ["facts"]


def test_who_reads_a_file_that_is_replaced_keeps_the_old_one_whole(tmp_path: Path) -> None:
    file = tmp_path / "facts"
    replace_file(file, b"one")
    with file.open("rb") as reader:
        replace_file(file, b"two")
        assert reader.read() == b"one"


def test_a_full_disk_leaves_the_old_file_and_no_other(small_disk: Path) -> None:
    file = small_disk / "facts"
    replace_file(file, b"old")
    with pytest.raises(OSError, match="No space left"):
        replace_file(file, bytes(100_000))
    assert file.read_bytes() == b"old"
    assert os.listdir(small_disk) == ["facts"]


def test_a_read_only_folder_leaves_the_old_file(read_only_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "writable" / "facts").write_bytes(b"old")
    with pytest.raises(OSError, match="Read-only file system"):
        replace_file(read_only_folder / "facts", b"new")
    assert (read_only_folder / "facts").read_bytes() == b"old"


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "absent" / "facts", b"new")


@pytest.mark.parametrize("number", [0, 1, 2, 3, 40])
def test_few_and_many_files_can_be_made_durable(tmp_path: Path, number: int) -> None:
    files = [tmp_path / str(index) for index in range(number)]
    for file in files:
        file.write_bytes(b"x")
    sync_files(iter(files))
    sync_directory(tmp_path)


@pytest.mark.parametrize("number", [1, 9])
def test_a_file_that_is_not_there_cannot_be_made_durable(tmp_path: Path, number: int) -> None:
    with pytest.raises(FileNotFoundError):
        sync_files([tmp_path / str(index) for index in range(number)])


def test_a_clone_has_the_bytes_and_is_no_hard_link(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"x" * 3_000_000)
    source.chmod(0o444)
    clone(source, target)
    assert target.read_bytes() == source.read_bytes()
    with target.open("r+b") as optimiser:
        optimiser.write(b"y")
    assert source.read_bytes()[:1] == b"x"
    assert target.stat().st_mode & stat.S_IWUSR


def test_a_clone_replaces_what_was_there(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"new")
    target.write_bytes(b"old and longer")
    clone(source, target)
    assert target.read_bytes() == b"new"


def test_a_clone_onto_a_full_disk_leaves_nothing(tmp_path: Path, small_disk: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(100_000))
    with pytest.raises(OSError, match="No space left"):
        clone(source, small_disk / "target")
    assert os.listdir(small_disk) == []


def test_a_clone_of_what_is_not_there_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        clone(tmp_path / "absent", tmp_path / "target")
    assert os.listdir(tmp_path) == []
