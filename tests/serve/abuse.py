"""Shared parts of the tests of abuse: a service, and checks of its files."""

from __future__ import annotations

import json
import random
from io import BytesIO
from typing import TYPE_CHECKING

import PIL.Image
import pytest

from pelican_imagehost.storage.records import Records
from tests.conftest import Site
from tests.serve.serverkit import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.serve.serverkit import Answer

GIF = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;"
URL = "https://img.example.com"


def picture(number: int, size: int = 1) -> bytes:
    """Return another image for each number, of about so many bytes, with nothing to clean."""
    buffer = BytesIO()
    pixels = random.Random(number).randbytes(100 * (size // 100 + 1))  # noqa: S311  a test
    PIL.Image.frombytes("L", (100, len(pixels) // 100), pixels).save(buffer, "PNG")
    return buffer.getvalue()


def serve(root: Path, *options: str, **settings: object) -> Iterator[Server]:
    """Yield a service on a separate site."""
    root.mkdir()
    site = Site(root)
    site.configure(IMAGEHOST_URL=URL, **settings)
    server = Server(site, *options)
    yield server
    server.kill()


def kept(server: Server) -> tuple[set[str], set[str]]:
    """Return the files of the store, also incomplete ones, and the digests in the records."""
    store = server.site.root / "images"
    files = {str(file.relative_to(store)) for file in store.rglob("*") if file.is_file()}
    records = Records(server.site.root / "imagehost-uploads.sqlite3", read_only=True)
    digests = {record.image.sha256 for record in records.all()}
    records.close()
    return files - {".gitignore", ".lock"}, digests


def check_refused(answer: Answer, status: int, code: str) -> str:
    """Check the JSON of a refusal; return its message."""
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/json")
    assert "Access-Control-Allow-Origin" not in answer.headers
    error = json.loads(answer.body)["error"]
    assert (error["code"], bool(error["message"])) == (code, True), error
    return str(error["message"])


def check_unharmed(server: Server, before: tuple[set[str], set[str]]) -> None:
    """Check that nothing was written, and that the service still accepts a valid upload."""
    assert kept(server) == before
    answer = server.upload(GIF, "good.gif")
    assert (answer.status, answer.json["url"].startswith(URL)) == (200, True)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from serve(tmp_path_factory.mktemp("abuse") / "site")


@pytest.fixture
def unharmed(server: Server) -> Iterator[Server]:
    """Provide the service; a test must not change its files, and it must still accept uploads."""
    server.upload(GIF, "good.gif")
    before = kept(server)
    yield server
    check_unharmed(server, before)
