"""Uploads are published: with real git, the hooks of a real host, and crashes in between."""

from __future__ import annotations

import shutil
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from pelican_imagehost.storage.records import Records
from tests.host.hostkit import Author, Host, host, key_of, tombstone
from tests.serve.serverkit import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import PictureMaker, Site

__all__ = ["host"]  # a fixture


pytestmark = pytest.mark.usefixtures("identity")


@pytest.fixture
def pictures(tmp_path: Path, picture: PictureMaker) -> list[bytes]:
    return [picture(tmp_path / f"{n}.png", seed=n).read_bytes() for n in range(1, 6)]


@pytest.fixture
def server(site: Site, host: Host) -> Iterator[Server]:
    site.configure(
        IMAGEHOST_KEEP_METADATA=["all"],  # bytes behind an image tell files apart
        IMAGEHOST_URL=host.setup.prefix.rstrip("/"),
        IMAGEHOST_REMOTE=str(host.layout.images),
    )
    assert site.cli("init").returncode == 0
    running = Server(site)
    yield running
    if running.process.poll() is None:
        running.kill()


def wait_for(condition: Callable[[], object], server: Server, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, server.log.read_text("utf-8")
        time.sleep(0.02)


def waiting(site: Site) -> int:
    records = Records(site.root / "imagehost-uploads.sqlite3", read_only=True)
    try:
        return len(records.waiting())
    finally:
        records.close()


def subjects(repository: Path) -> list[str]:
    log = subprocess.run(
        ["git", "log", "--format=%s", "main"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    return log.stdout.splitlines()


def test_uploads_are_pushed_together_and_served(
    server: Server, host: Host, pictures: list[bytes]
) -> None:
    *first, last = pictures
    with FileLock(server.site.root / "images/.uploads/outbox.lock"):  # nothing goes out yet
        for data in first:
            assert server.upload(data).status == 200
    assert server.upload(last).status == 200
    wait_for(lambda: not waiting(server.site), server)
    assert host.served() == {key_of(data) for data in pictures}
    assert len(subjects(host.layout.images)) <= 2
    assert "published" in server.stop()


def test_what_an_answer_promised_is_published_after_a_crash(
    server: Server, host: Host, pictures: list[bytes]
) -> None:
    away = host.layout.root / "away.git"
    shutil.move(host.layout.images, away)
    for data in pictures:
        server.upload(data)
    server.kill()
    shutil.move(away, host.layout.images)
    assert waiting(server.site) == len(pictures)
    server.start()
    wait_for(lambda: not waiting(server.site), server)
    assert host.served() == {key_of(data) for data in pictures}


def test_a_host_that_does_not_answer_is_asked_again(
    server: Server, host: Host, pictures: list[bytes]
) -> None:
    away = host.layout.root / "away.git"
    shutil.move(host.layout.images, away)
    assert server.upload(pictures[0]).status == 200
    wait_for(lambda: "cannot publish uploads, will retry" in server.log.read_text("utf-8"), server)
    assert "check IMAGEHOST_REMOTE" in server.log.read_text("utf-8")
    assert server.upload(pictures[1]).status == 200
    shutil.move(away, host.layout.images)
    wait_for(lambda: not waiting(server.site), server)
    assert host.served() == {key_of(pictures[0]), key_of(pictures[1])}


def test_uploads_wait_until_git_knows_who_commits(
    server: Server, host: Host, identity: Path, pictures: list[bytes]
) -> None:
    known = (identity / ".gitconfig").read_text()
    (identity / ".gitconfig").write_text("[user]\nuseConfigOnly = true\n")
    assert server.upload(pictures[0]).status == 200
    wait_for(lambda: "cannot publish uploads" in server.log.read_text("utf-8"), server)
    assert "git does not know who you are" in server.log.read_text("utf-8")
    (identity / ".gitconfig").write_text(known)
    wait_for(lambda: not waiting(server.site), server)
    assert host.served() == {key_of(pictures[0])}
    assert "Traceback" not in server.stop()


def test_another_author_may_have_been_first(
    server: Server, host: Host, tmp_path: Path, pictures: list[bytes]
) -> None:
    other = Author(tmp_path / "other", host.layout.images)
    pushed = other.push(other.commit({key_of(pictures[0]): pictures[0]}))
    assert pushed.code == 0, pushed.output
    server.upload(pictures[1])
    server.upload(pictures[0])
    wait_for(lambda: not waiting(server.site), server)
    assert host.served() == {key_of(pictures[0]), key_of(pictures[1])}


def test_a_retracted_image_does_not_come_back_by_an_upload(
    server: Server, host: Host, pictures: list[bytes]
) -> None:
    server.upload(pictures[0])
    wait_for(lambda: not waiting(server.site), server)
    completed = server.site.cli("retract", key_of(pictures[0]))
    assert completed.returncode == 0, completed.stderr
    server.upload(pictures[1])  # the service finds out with its next batch
    wait_for(lambda: not waiting(server.site), server)
    answer = server.upload(pictures[0])
    assert (answer.status, answer.json["error"]["code"]) == (409, "retracted")
    assert "retract --undo" in answer.json["error"]["message"]
    assert tombstone(key_of(pictures[0])) in host.tree()
    assert server.leftovers() == []


def test_without_a_remote_uploads_are_committed(site: Site, pictures: list[bytes]) -> None:
    site.configure(IMAGEHOST_URL="https://img.example.com")
    assert site.cli("init").returncode == 0
    running = Server(site)
    running.upload(pictures[0])
    wait_for(lambda: not waiting(site), running)
    assert subjects(site.root / "images") == ["Add 1 image"]
    assert "committed 1 image" in running.stop()


def test_uploads_and_publish_get_along(server: Server, host: Host, pictures: list[bytes]) -> None:
    for number, data in enumerate(pictures):
        server.site.write(f"content/{number}.png", data + b"\0" * 8)
        text = f"Title: {number}\nDate: 2024-01-01\n\n![a]({number}.png)\n"
        server.site.write(f"content/{number}.md", text)
        assert server.upload(data).status == 200
        completed = server.site.cli("publish", "--no-confirm")
        assert completed.returncode == 0, completed.stderr
    wait_for(lambda: not waiting(server.site), server)
    drafts = {key_of(data + b"\0" * 8) for data in pictures}
    assert host.served() == drafts | {key_of(data) for data in pictures}


def test_two_workers_publish_once(site: Site, host: Host, pictures: list[bytes]) -> None:
    site.configure(
        IMAGEHOST_URL=host.setup.prefix.rstrip("/"), IMAGEHOST_REMOTE=str(host.layout.images)
    )
    assert site.cli("init").returncode == 0
    running = Server(site, "--workers", "2")
    for data in pictures:
        assert running.upload(data).status == 200
    wait_for(lambda: not waiting(site), running)
    assert host.served() == {key_of(data) for data in pictures}
    running.stop()
