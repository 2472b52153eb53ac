"""Real clients against the running service."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.serve.serverkit import TOKEN, Server, server, upload_site

if TYPE_CHECKING:
    from tests.conftest import PictureMaker, Require

__all__ = ["server", "upload_site"]  # fixtures

ADDRESS = re.compile(r"https://img\.example\.com/([0-9a-f]{2}/[0-9a-f]{64}\.png)")


@pytest.fixture
def cat(tmp_path: Path, picture: PictureMaker) -> Path:
    return picture(tmp_path / "my cat.png")


def run(*command: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env={**os.environ, **more},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def stored(server: Server, text: str) -> list[bytes]:
    """Return the stored bytes for each address in a text."""
    return [(server.site.root / "images" / key).read_bytes() for key in ADDRESS.findall(text)]


def picgo(folder: Path, server: Server, token: str, *files: Path) -> str:
    """Upload with the web uploader of PicGo; return its output without colours."""
    prefix = Path(os.environ["IMAGEHOST_TEST_PICGO"])
    home = folder / "picgo"
    home.mkdir(exist_ok=True)
    for name in (
        "package.json",
        "node_modules",
    ):  # it loads plugins from the folder of its settings
        if not (home / name).exists():
            (home / name).symlink_to(prefix.absolute() / name)
    uploader = {
        "url": f"{server.url}/upload/image",
        "paramName": "img",
        "jsonPath": "url",
        "customHeader": json.dumps({"Authorization": f"Bearer {token}"}),
    }
    bed = {"uploader": "web-uploader", "current": "web-uploader", "web-uploader": uploader}
    plugins = {"picgo-plugin-web-uploader": True}
    config = home / "config.json"
    config.write_text(json.dumps({"picBed": bed, "picgoPlugins": plugins}))
    command = prefix / "node_modules/.bin/picgo"
    done = run(command, "-c", config, "upload", *files, HOME=str(home))
    return re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)


def test_picgo_uploads_by_its_web_uploader(
    server: Server, cat: Path, tmp_path: Path, picture: PictureMaker, require: Require
) -> None:
    require(os.environ.get("IMAGEHOST_TEST_PICGO"), "IMAGEHOST_TEST_PICGO names no PicGo")
    dog = picture(tmp_path / "狗.png", colour="blue")
    said = picgo(tmp_path, server, TOKEN, cat, dog)
    assert stored(server, said) == [cat.read_bytes(), dog.read_bytes()], said


def test_picgo_prints_no_address_with_a_wrong_token(
    server: Server, cat: Path, tmp_path: Path, require: Require
) -> None:
    require(os.environ.get("IMAGEHOST_TEST_PICGO"), "IMAGEHOST_TEST_PICGO names no PicGo")
    said = picgo(tmp_path, server, "wrong", cat)
    assert "http" not in said.partition("SUCCESS")[2]
    assert not list(server.site.root.glob("images/??/*"))
    assert stored(server, picgo(tmp_path, server, TOKEN, cat)) == [cat.read_bytes()]


def test_a_program_that_speaks_to_picgos_server_moves_a_document_over(
    server: Server, cat: Path, tmp_path: Path, require: Require
) -> None:
    command = Path(sys.executable).with_name("imp")
    require(command.exists(), "there is no image-migrate-picgo")
    document = tmp_path / "post.md"
    document.write_text("# Cats\n\n![A cat](<my cat.png>)\n")
    address = ["--server-url", f"{server.url}/upload", "--server-secret"]
    wrong = run(command, document, *address, "wrong", HOME=str(tmp_path))
    assert (wrong.returncode != 0, "my cat.png" in document.read_text()) == (True, True)
    done = run(command, document, *address, TOKEN, HOME=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert stored(server, document.read_text()) == [cat.read_bytes()]


@pytest.fixture
def curl(require: Require) -> None:
    require(shutil.which("curl"), "there is no curl")


def upload_by_curl(
    server: Server, file: Path, *options: str, token: str = TOKEN
) -> tuple[int, str]:
    """Upload with curl; return the status and the answer."""
    form = ["-H", f"Authorization: Bearer {token}", "-F", f"img=@{file}"]
    shown = ["-sS", "--write-out", "\n%{http_code}"]
    done = run("curl", *shown, *form, *options, f"{server.url}/upload/image")
    assert done.returncode == 0, done.stderr
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


@pytest.mark.parametrize("options", [(), ("-H", "Expect:"), ("-H", "Transfer-Encoding: chunked")])
@pytest.mark.usefixtures("curl")
def test_curl_uploads(server: Server, cat: Path, options: tuple[str, ...]) -> None:
    large = cat.with_name("large.png")  # large enough for curl to wait for "100 Continue"
    large.write_bytes(cat.read_bytes() + bytes(9_000_000))
    for file in (cat, large):
        status, said = upload_by_curl(server, file, *options)
        assert (status, stored(server, said)) == (200, [file.read_bytes()])


@pytest.mark.parametrize("options", [(), ("-H", "Expect:")])
@pytest.mark.parametrize("size", [11_000_000, 40_000_000, 3_000_000_000])
@pytest.mark.usefixtures("curl")
def test_curl_reads_why_a_file_is_too_large(
    server: Server, cat: Path, size: int, options: tuple[str, ...]
) -> None:
    large = cat.with_name("large.png")
    with large.open("wb") as file:
        file.write(cat.read_bytes())
        file.truncate(size)
    status, said = upload_by_curl(server, large, *options)
    assert (status, json.loads(said)["error"]["code"]) == (413, "too_large")
    status, said = upload_by_curl(server, large, *options, token="wrong")  # noqa: S106  as it says
    assert (status, json.loads(said)["error"]["code"]) == (401, "wrong_token")
    assert server.leftovers() == []
