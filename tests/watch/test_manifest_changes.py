"""Relevant changes of the manifest are reported."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pelican_imagehost.watch.manifest_changes import Lines

if TYPE_CHECKING:
    from pathlib import Path


def line(path: str, digest: str = "ab") -> str:
    return json.dumps({"path": path, "sha256": digest}) + "\n"


def test_only_a_line_that_answers_for_a_missing_file_is_news(tmp_path: Path) -> None:
    manifest = tmp_path / "imagehost.jsonl"
    (tmp_path / "here.png").write_text("x")
    lines = Lines(str(manifest), str(tmp_path))
    assert not lines.are_news()
    manifest.write_text(line("here.png"))
    assert not lines.are_news()
    manifest.write_text(line("here.png", "cd") + line("away.png"))
    assert lines.are_news()
    assert not lines.are_news()
    manifest.write_text(line("here.png", "cd") + line("away.png", "cd"))
    assert lines.are_news()
    manifest.unlink()
    assert lines.are_news()


def test_new_variants_are_news_even_of_a_file_that_is_here(tmp_path: Path) -> None:
    manifest = tmp_path / "imagehost.jsonl"
    (tmp_path / "here.png").write_text("x")
    varied = json.dumps({"path": "here.png", "sha256": "ab", "variants": []}) + "\n"
    manifest.write_text(line("here.png"))
    lines = Lines(str(manifest), str(tmp_path))
    manifest.write_text(varied)
    assert lines.are_news()
    assert not lines.are_news()
    manifest.write_text(line("here.png", "cd"))  # a build, after the file was saved
    assert not lines.are_news()


def test_an_invalid_line_is_a_change_too(tmp_path: Path) -> None:
    manifest = tmp_path / "imagehost.jsonl"
    lines = Lines(str(manifest), str(tmp_path))
    for text in ("<<<<<<< ours\n", "[]\n", '{"path": 1}\n', "{}\n", "[" * 9999):
        manifest.write_text(text)
        assert lines.are_news()


@pytest.mark.timeout(20)
def test_what_is_not_a_file_has_no_lines(tmp_path: Path) -> None:
    manifest = tmp_path / "imagehost.jsonl"
    lines = Lines(str(manifest), str(tmp_path))
    manifest.symlink_to("/dev/zero")
    assert not lines.are_news()
