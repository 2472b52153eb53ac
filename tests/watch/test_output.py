"""Files are written atomically, and never over newer ones."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from pelican_imagehost.watch.builder.output import Output

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def output(tmp_path: Path) -> Output:
    (tmp_path / "output").mkdir()
    return Output(str(tmp_path / "output"), lambda _: None)


def write(output: Output, name: str, text: str) -> str:
    path = f"{output.root}/{name}"
    with output.open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def test_a_page_drafted_during_a_whole_build_is_newer_than_what_that_makes(output: Output) -> None:
    output.begin(whole=True)
    page = f"{output.root}/page.html"
    with open(page, "w", encoding="utf-8") as file:
        file.write("the parent's, of a later save")
    later = time.time_ns() + 10**9  # times of files are coarse
    os.utime(page, ns=(later, later))
    write(output, "page.html", "of the save before")
    assert read(page) == "the parent's, of a later save"
    assert output.finish() == [page]  # it is reported as new, and kept
    assert read(page) == "the parent's, of a later save"
    os.utime(page, ns=(1, 1))
    output.begin(whole=True)
    write(output, "page.html", "what the next build makes of it")
    assert read(page) == "what the next build makes of it"
    assert output.finish() == [page]


def test_a_build_may_write_a_file_twice(output: Output) -> None:
    output.begin(whole=True)
    page = write(output, "page.html", "first")
    later = time.time_ns() + 10**9
    os.utime(page, ns=(later, later))
    write(output, "page.html", "second")
    assert read(page) == "second"


def test_drafting_overwrites_whatever_is_there(output: Output) -> None:
    output.begin(whole=True)
    page = write(output, "page.html", "built")
    later = time.time_ns() + 10**9
    os.utime(page, ns=(later, later))
    output.begin(whole=False)
    write(output, "page.html", "drafted")
    assert read(page) == "drafted"
    assert output.drafted() == [page]


def test_what_is_left_open_or_fails_is_not_written(output: Output) -> None:
    output.begin(whole=True)
    path = f"{output.root}/page.html"
    with pytest.raises(ZeroDivisionError), output.open(path, "w", encoding="utf-8") as file:
        file.write(str(1 // 0))
    unfinished = output.open(path, "w", encoding="utf-8")
    unfinished.write("half")
    del unfinished
    assert os.listdir(output.root) == []


def test_the_files_of_no_later_build_go_and_their_folders(output: Output) -> None:
    os.mkdir(f"{output.root}/old")
    output.begin(whole=True)
    write(output, "old/page.html", "a")
    kept = write(output, "kept.html", "a")
    output.finish()
    output.begin(whole=True)
    write(output, "kept.html", "a")
    assert output.finish() == [f"{output.root}/old/page.html"]
    assert os.listdir(output.root) == [os.path.basename(kept)]
