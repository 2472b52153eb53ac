from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from pelican_imagehost.images.lfs import MAX_SIZE, Pointer, parse_pointer, read_pointer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Require

DIGEST = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"
LINES = ["version https://git-lfs.github.com/spec/v1", f"oid sha256:{DIGEST}", "size 12345"]
TEXT = "\n".join(LINES) + "\n"


@pytest.mark.parametrize("text", [TEXT, TEXT.rstrip("\n"), TEXT.replace("\n", "\r\n")])
def test_a_pointer_has_the_digest_of_the_file(text: str) -> None:
    assert parse_pointer(text.encode()) == Pointer(DIGEST, 12345)


@pytest.mark.parametrize(
    "text",
    [
        "",
        TEXT[:50],
        TEXT.replace("v1", "v2"),
        TEXT.replace("sha256", "sha512"),
        TEXT.replace(DIGEST, DIGEST.upper()),
        TEXT.replace(DIGEST, DIGEST[1:]),
        TEXT.replace("12345", "-1"),
        TEXT.replace("12345", "many"),
        TEXT.replace("oid", f"ext-0-scaled sha256:{DIGEST}\noid"),  # then the oid is another's
        TEXT + "more\n",
        "\n" + TEXT,
        "\n".join(reversed(LINES)),
    ],
)
def test_what_a_pointer_is_not(text: str) -> None:
    assert parse_pointer(text.encode()) is None


def test_what_cannot_be_read_is_not_a_pointer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_text(TEXT + " " * MAX_SIZE)
    for name in ("absent", "", "pipe", "large"):
        assert read_pointer(str(tmp_path / name)) is None


@pytest.mark.parametrize("size", [1, 100_000])
def test_git_lfs_writes_such_pointers(tmp_path: Path, require: Require, size: int) -> None:
    require(shutil.which("git-lfs"), "git-lfs is not installed")
    content = b"x" * size
    command = ["git", "lfs", "clean", "--", "a"]
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    done = subprocess.run(command, input=content, cwd=tmp_path, capture_output=True, check=True)
    (tmp_path / "a").write_bytes(done.stdout)
    assert read_pointer(str(tmp_path / "a")) == Pointer(hashlib.sha256(content).hexdigest(), size)
