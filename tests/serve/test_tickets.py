"""Tickets, and the sessions that they open: what other users of the machine may learn."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pelican_imagehost.serve.access import Access
from tests.serve.abuse import GIF, check_refused, serve
from tests.serve.serverkit import TOKEN, Server, server, upload_site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Require, Site
    from tests.serve.serverkit import Answer

__all__ = ["server", "upload_site"]  # fixtures


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two workers, each of which must know all that the other has seen."""
    yield from serve(tmp_path_factory.mktemp("workers") / "site", "--workers", "2")


def ticket() -> str:
    return Access({"environment": TOKEN}).open_ticket()


def cookie_of(answer: Answer) -> str:
    return str(answer.headers["Set-Cookie"]).partition(";")[0]


def visit(server: Server) -> str:
    """Return the cookie of a session that a ticket opened."""
    return cookie_of(server.request("GET", f"/login?ticket={ticket()}"))


def log_in(server: Server) -> str:
    return cookie_of(server.request("POST", "/login", f"token={TOKEN}".encode()))


def test_a_ticket_works_once_however_many_ask_at_once(workers: Server) -> None:
    address = f"/login?ticket={ticket()}"
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: workers.request("GET", address), range(40)))
    assert sorted(answer.status for answer in answers) == [303] + [401] * 39


def test_logging_out_ends_the_session_at_every_worker(workers: Server) -> None:
    for cookie in (log_in(workers), visit(workers)):
        other = log_in(workers)
        assert workers.request("GET", "/", Cookie=cookie).status == 200
        assert workers.request("POST", "/logout", b"", Cookie=cookie).status == 303
        for _ in range(20):  # each by a connection of its own
            assert workers.request("GET", "/", Cookie=cookie).status == 303
            answer = workers.post("/upload/image", [("img", "a.gif", GIF)], None, Cookie=cookie)
            check_refused(answer, 401, "no_token")
        assert workers.request("GET", "/", Cookie=other).status == 200


def test_a_session_that_was_ended_stays_so_after_a_restart(server: Server) -> None:
    cookie = log_in(server)
    server.request("POST", "/logout", b"", Cookie=cookie)
    server.stop()
    server.start()
    assert server.request("GET", "/", Cookie=cookie).headers["Location"] == "/login"


def test_wrong_tokens_are_counted_by_all_workers_together(workers: Server) -> None:
    answers = [workers.post("/upload/image", [], f"guess-{number}") for number in range(60)]
    assert [answer.status for answer in answers] == [401] * 20 + [429] * 40


def test_a_session_by_ticket_does_everything_except_learn_the_token(workers: Server) -> None:
    cookie = visit(workers)
    answer = workers.request("GET", "/pelican-imagehost.sxcu", Cookie=cookie)
    assert "log in with the token" in check_refused(answer, 403, "by_ticket")
    for path in ("/", "/pelican-imagehost.sxcu", "/assets/gallery.js"):
        answer = workers.request("GET", path, Cookie=cookie)
        assert TOKEN.encode() not in answer.body + str(answer.headers).encode()
    parts = [("img", "a.gif", GIF)]
    assert workers.post("/upload/image", [*parts], None, Cookie=cookie).status == 200
    answer = workers.request("GET", "/pelican-imagehost.sxcu", Cookie=log_in(workers))
    assert answer.json["Headers"]["Authorization"] == f"Bearer {TOKEN}"


def test_a_damaged_ledger_is_reported_in_one_line(upload_site: Site) -> None:
    file = upload_site.write("cache/imagehost-access.sqlite3", b"not a database" * 100)
    done = upload_site.cli("serve", "--port", "0")
    said = done.stderr.decode().splitlines()
    assert (done.returncode, len(said)) == (1, 1), said
    assert str(file) in said[0]


class Opened:
    """The service, and the file that `--open` gave to a browser."""

    def __init__(self, server: Server, arguments: str) -> None:
        self.server = server
        self.arguments = arguments
        self.file = Path(arguments.removeprefix("file://"))

    @property
    def path(self) -> str:
        """Return the path and the query that the file leads to."""
        found = re.search(r'url=http://127\.0\.0\.1:[0-9]+(/[^"]+)"', self.file.read_text("utf-8"))
        assert found
        return unescape(found[1])


@pytest.fixture
def opened(upload_site: Site, tmp_path: Path) -> Iterator[Opened]:
    seen = tmp_path / "seen"
    program = tmp_path / "browser"
    program.write_text(f'#!/bin/sh\nprintf %s "$*" >"{seen}.tmp"\nmv "{seen}.tmp" "{seen}"\n')
    program.chmod(0o700)
    (tmp_path / "temporary").mkdir()
    environment = {"BROWSER": str(program), "TMPDIR": str(tmp_path / "temporary")}
    server = Server(upload_site, "--open", **environment)
    while not seen.exists():
        assert server.process.poll() is None
        time.sleep(0.01)
    yield Opened(server, seen.read_text("utf-8"))
    if server.process.poll() is None:
        server.kill()


def test_the_browser_gets_a_private_file_and_no_ticket_in_its_arguments(opened: Opened) -> None:
    assert "ticket" not in opened.arguments
    assert "127.0.0.1" not in opened.arguments
    assert opened.file.stat().st_mode & 0o777 == 0o600
    answer = opened.server.request("GET", opened.path)
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    assert opened.server.request("GET", opened.path).status == 401
    opened.server.stop()
    assert not opened.file.exists()


def test_the_file_leads_chromium_into_the_gallery(
    opened: Opened, tmp_path: Path, require: Require
) -> None:
    chromium = shutil.which("chromium")
    require(chromium, "there is no chromium")
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile"]
    done = subprocess.run(
        [str(chromium), *options, "--virtual-time-budget=20000", "--dump-dom", opened.arguments],
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert "No images yet." in done.stdout, done.stdout + done.stderr
