"""Copying everything to another remote with `publish --all`."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pelican_imagehost.images.image import digest_of
from pelican_imagehost.storage.book import Arrival
from pelican_imagehost.storage.manifest import Manifest
from pelican_imagehost.storage.records import Records
from tests.publish.test_author import git
from tests.seaweed import relay
from tests.test_plugin import key_of, post

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Site
    from tests.seaweed import Place, Seaweed

pytestmark = pytest.mark.usefixtures("identity")
NAMES = ("one", "two", "three")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git("init", "--quiet", "--bare", tmp_path / "images.git", folder=tmp_path)
    return tmp_path / "images.git"


@pytest.fixture
def blog(site: Site, repository: Path) -> Site:
    """A site whose images are published to git; one is retracted, one was used only earlier."""
    for number, name in enumerate(NAMES):
        site.picture(f"content/{name}.png", text_seed=number + 1)
        post(site, f"{name}.md", f"![a]({name}.png)")
    site.configure(IMAGEHOST_URL="http://127.0.0.1:9", IMAGEHOST_REMOTE=str(repository))
    for command in (("init",), ("publish", "--no-confirm"), ("retract", "content/one.png")):
        completed = site.cli(*command)
        assert completed.returncode == 0, completed.stderr
    for name in ("one", "two"):
        (site.root / f"content/{name}.md").unlink()
    return site


def keys_of(site: Site) -> dict[str, str]:
    return {name: key_of(site.root / f"content/{name}.png") for name in NAMES}


def everything(site: Site) -> set[str]:
    keys = keys_of(site)
    return {keys["two"], keys["three"], f"retracted/{digest_of(keys['one'])}"}


def copy(site: Site, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    completed = site.cli("publish", "--all", *arguments)
    assert completed.returncode == 0, completed.stderr.decode()
    return completed


def test_all_is_copied_from_git_to_a_bucket(blog: Site, bucket: Place) -> None:
    names, two = everything(blog), keys_of(blog)["two"]
    data = (blog.root / "images" / two).read_bytes()
    (blog.root / "images" / two).unlink()  # git has it still
    (blog.root / "content/two.png").unlink()
    dry = copy(blog, bucket.remote, "--dry-run")
    assert dry.stdout.count(b"http://127.0.0.1:9/") == 2
    assert bucket.names() == set()
    done = copy(blog, bucket.remote)
    assert b"publishing 2 images" in done.stderr
    assert bucket.names() == names
    assert bucket.objects.get(two) == data
    assert b"no new images" in copy(blog, bucket.remote).stderr


def test_all_is_copied_from_bucket_to_bucket_and_to_git(
    blog: Site, bucket: Place, tmp_path: Path
) -> None:
    copy(blog, bucket.remote)
    blog.configure(IMAGEHOST_REMOTE=bucket.remote)
    (blog.root / "images" / keys_of(blog)["two"]).unlink()
    git("init", "--quiet", "--bare", tmp_path / "new.git", folder=tmp_path)
    subprocess.run(["rm", "-rf", blog.root / "images/.git"], check=True)
    other = bucket.beside("other")
    copy(blog, other.remote)
    assert other.names() == everything(blog)
    blog.configure(IMAGEHOST_REMOTE=str(tmp_path / "new.git"))
    assert blog.cli("init").returncode == 0
    blog.configure(IMAGEHOST_REMOTE=other.remote)
    copy(blog, str(tmp_path / "new.git"))
    listed = git("ls-tree", "-r", "--name-only", "main", folder=tmp_path / "new.git")
    assert set(listed.split()) == everything(blog)


def test_uploads_stay_uploads(blog: Site, bucket: Place) -> None:
    two = keys_of(blog)["two"]
    listed = Manifest.load(blog.settings().manifest).images["content/two.png"]
    records = Records(blog.settings().records)
    records.add([Arrival(listed, "two.png", "phone")])
    records.close()
    copy(blog, bucket.remote)
    assert bucket.names() == everything(blog) | {f"uploads/{digest_of(two)}"}


def test_an_interrupted_copy_continues(blog: Site, seaweed: Seaweed, bucket: Place) -> None:
    for number in range(100):
        data = b"%d" % number
        digest = hashlib.sha256(data).hexdigest()
        blog.write(f"images/{digest[:2]}/{digest}.png", data)
    processes: list[subprocess.Popen[bytes]] = []

    def answer(number: int) -> int | None:
        if number == 70:
            os.kill(processes[0].pid, signal.SIGKILL)
        return None

    with relay(seaweed, answer) as server:
        remote = bucket.remote_at(server.endpoint)
        command = [sys.executable, "-m", "pelican_imagehost", "publish", "--all", remote]
        processes.append(subprocess.Popen(command, cwd=blog.root, stderr=subprocess.PIPE))
        processes[0].communicate()
    assert processes[0].returncode == -signal.SIGKILL
    before = bucket.names()
    assert 40 < len(before) < 103
    done = copy(blog, bucket.remote)
    assert len(done.stdout.splitlines()) == 103 - len(before)
    assert len(bucket.names()) == 103
