"""The author's side of publishing: real git, real bare repositories, real HTTP."""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pelican_imagehost.images.image import Image, digest_of
from pelican_imagehost.storage.book import Arrival
from pelican_imagehost.storage.records import Records
from tests.conftest import Site
from tests.site.casekit import theme
from tests.site.test_fallbacks import large_photo
from tests.test_plugin import key_of, post

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.usefixtures("identity")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base's name
        pass


class Host:
    """A plain git host: a bare repository whose checkout is served."""

    def __init__(self, folder: Path) -> None:
        self.repository = folder / "images.git"
        self.served = folder / "served"
        self.served.mkdir(parents=True)
        git("init", "--quiet", "--bare", "--initial-branch=main", self.repository, folder=folder)
        handler = functools.partial(Quiet, directory=str(self.served))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def check_out(self) -> None:
        """Serve what was pushed, as a pages service does some time later."""
        arguments = (f"--git-dir={self.repository}", f"--work-tree={self.served}")
        git(*arguments, "checkout", "--quiet", "--force", "main", folder=self.served)

    def names(self) -> set[str]:
        return set(git("ls-tree", "-r", "--name-only", "main", folder=self.repository).split())


def git(*arguments: str | Path, folder: Path) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    host = Host(tmp_path / "host")
    thread = threading.Thread(target=host.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield host
    host.server.shutdown()
    host.server.server_close()
    thread.join()


@pytest.fixture
def blog(site: Site, host: Host, tmp_path: Path) -> Site:
    """A site ready to publish: two posts, a repository, a remote, and `init` done."""
    make_ready(site, tmp_path, url=host.url, remote=str(host.repository))
    return site


def make_ready(site: Site, folder: Path, *, url: str, remote: str) -> None:
    """Give a site two posts, a repository with a remote in a folder, and run `init`."""
    for name in ("one", "two"):
        site.picture(f"content/{name}.png", text_seed=len(name) + ord(name[0]))
        post(site, f"{name}.md", f"![a]({name}.png)")
    site.publishconf(IMAGEHOST_URL=url, IMAGEHOST_REMOTE=remote)
    git("init", "--quiet", folder=site.root)
    git("init", "--quiet", "--bare", folder / "site.git", folder=folder)
    git("remote", "add", "origin", folder / "site.git", folder=site.root)
    completed = site.cli("init", "-s", "publishconf.py")
    assert completed.returncode == 0, completed.stderr


def commit(site: Site, message: str = "Write") -> None:
    site.build(settings="publishconf.py")
    git("add", "--all", folder=site.root)
    git("commit", "--quiet", "-m", message, folder=site.root)


def push(site: Site, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", "push", "origin", "main", *arguments],
        cwd=site.root,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **env},
    )


@contextlib.contextmanager
def serving(host: Host, *, after: float) -> Iterator[None]:
    """Serve pushed files after some seconds, as a pages service does."""
    done = threading.Event()

    def serve() -> None:
        done.wait(after)
        while not done.wait(0.2):
            if (host.repository / "refs/heads/main").exists():
                host.check_out()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_init_a_second_time_changes_nothing(blog: Site) -> None:
    def state() -> dict[str, tuple[bytes, int]]:
        files = [p for p in blog.root.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
        return {str(p): (p.read_bytes(), p.stat().st_mtime_ns) for p in files}

    before = state()
    completed = blog.cli("init", "-s", "publishconf.py")
    assert "everything is in place" in completed.stderr.decode()
    assert state() == before
    assert (
        blog.root / ".gitignore"
    ).read_text() == "/images\n/cache\n/output\n/imagehost-uploads.sqlite3*\n"
    assert (blog.root / ".gitattributes").read_text() == "/imagehost.jsonl merge=union\n"


def test_init_says_which_settings_are_missing(site: Site) -> None:
    git("init", "--quiet", folder=site.root)
    (site.root / ".gitignore").write_text("output\n*.pyc")
    said = site.cli("init").stdout.decode()
    assert "IMAGEHOST_URL = " in said
    assert "IMAGEHOST_REMOTE = " in said
    assert (site.root / ".gitignore").read_text() == (
        "output\n*.pyc\n/images\n/cache\n/imagehost-uploads.sqlite3*\n"
    )


def test_a_push_of_the_site_publishes_first(blog: Site, host: Host) -> None:
    commit(blog)
    with serving(host, after=1.5):
        completed = push(blog)
    assert completed.returncode == 0, completed.stderr
    assert "publishing 2 images" in completed.stderr
    assert f"2 images online at {host.url}/" in completed.stderr
    assert host.names() == {key_of(blog.root / f"content/{name}.png") for name in ("one", "two")}
    assert push(blog, "--force").returncode == 0


def test_a_push_that_cannot_keep_the_promise_changes_nothing(blog: Site, host: Host) -> None:
    commit(blog)
    shutil.rmtree(host.repository)
    completed = push(blog)
    assert completed.returncode != 0
    assert "there is no repository at that address" in completed.stderr
    assert git("ls-remote", "origin", folder=blog.root) == ""


def test_the_hook_looks_at_the_pushed_commits_and_not_at_the_working_tree(
    blog: Site, host: Host
) -> None:
    commit(blog)
    blog.picture("content/later.png", colour="blue")
    post(blog, "later.md", "![a](later.png) ![b](nothing.png)")
    blog.build()
    with serving(host, after=0.5):
        completed = push(blog)
    assert completed.returncode == 0, completed.stderr
    assert key_of(blog.root / "content/later.png") not in host.names()


@pytest.mark.parametrize("first", [True, False], ids=["first push", "later push"])
def test_a_document_whose_image_the_manifest_lacks_is_refused(
    blog: Site,
    host: Host,
    first: bool,  # noqa: FBT001  a parameter
) -> None:
    if not first:
        commit(blog)
        with serving(host, after=0.5):
            assert push(blog).returncode == 0
    blog.picture("content/three.png", colour="blue")
    post(blog, "three.md", "text\n\n![a](three.png)")
    git("add", "content", "pelicanconf.py", "publishconf.py", folder=blog.root)
    git("commit", "--quiet", "-m", "Forget the manifest", folder=blog.root)
    before = git("ls-remote", "origin", folder=blog.root)
    completed = push(blog)
    assert completed.returncode != 0
    assert "content/three.md: content/three.png: not listed in imagehost.jsonl" in completed.stderr
    assert "build, commit it, push again" in completed.stderr
    assert git("ls-remote", "origin", folder=blog.root) == before


def test_links_and_attributes_of_a_pushed_commit_are_harmless(
    blog: Site, host: Host, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (blog.root / "elsewhere").symlink_to(outside)
    (blog.root / "upwards").symlink_to("../../../../../../tmp")
    (blog.root / "nowhere").symlink_to("/no/such/place")
    blog.write("shared/three.md", "Title: Three\nDate: 2026-01-01\n\n![a](two.png)\n")
    (blog.root / "content/three.md").symlink_to("../shared/three.md")
    blog.write(".gitattributes", "content/bad.md export-ignore\n")
    post(blog, "bad.md", "![a](gone.png)")
    commit(blog)
    completed = push(blog)
    assert completed.returncode != 0
    assert "content/bad.md:4: " in completed.stderr
    assert "Traceback" not in completed.stderr
    (blog.root / "content/bad.md").unlink()
    commit(blog)
    with serving(host, after=0):
        completed = push(blog)
    assert completed.returncode == 0, completed.stderr
    assert list(outside.iterdir()) == []


def test_publish_sends_once_and_says_what(blog: Site, host: Host) -> None:
    dry = blog.cli("publish", "-s", "publishconf.py", "--dry-run")
    assert len(dry.stdout.splitlines()) == 2
    assert not (blog.root / "imagehost.jsonl").exists()
    with serving(host, after=1):
        completed = blog.cli("publish", "-s", "publishconf.py")
    assert completed.returncode == 0, completed.stderr
    assert completed.stdout == dry.stdout
    again = blog.cli("publish", "-s", "publishconf.py")
    assert (again.returncode, again.stdout) == (0, b"")
    assert "no new images" in again.stderr.decode()
    assert len(git("log", "--format=%H", "main", folder=host.repository).split()) == 1


def test_publish_starts_without_what_takes_long(blog: Site, host: Host) -> None:
    with serving(host, after=0):
        loaded = blog.imported("publish", "-s", "publishconf.py")
    assert host.names() == {key_of(file) for file in blog.root.glob("content/*.png")}
    assert {"pelican_imagehost.publish.publisher", "pelican_imagehost.publish.http"} <= loaded
    slow = {"pelican", "git", "rich", "filelock"}
    slow |= {f"pelican_imagehost.cli.{name}" for name in ("host", "serve", "watch")}
    if "imagesize" not in loaded:  # which imports it
        slow.add("urllib.request")
    assert loaded & slow == set()


def test_an_unseen_address_fails_and_the_next_run_asks_again(blog: Site, host: Host) -> None:
    first = blog.cli("publish", "-s", "publishconf.py", "--wait", "0.5")
    assert first.returncode == 1
    assert "2 of 2 images are not online" in first.stderr.decode()
    host.check_out()
    cut = next(host.served.glob("*/*.png"))
    whole = cut.read_bytes()
    cut.write_bytes(whole[:-1])
    second = blog.cli("publish", "-s", "publishconf.py", "--wait", "0")
    assert f"{len(whole) - 1} bytes instead of {len(whole)}" in second.stderr.decode()
    cut.write_bytes(whole)
    third = blog.cli("publish", "-s", "publishconf.py", "--wait", "0")
    assert "2 images online" in third.stderr.decode()


def test_a_problem_publishes_nothing(blog: Site, host: Host) -> None:
    post(blog, "bad.md", "![a](gone.png)")
    completed = blog.cli("publish", "-s", "publishconf.py")
    assert completed.returncode == 1
    assert "content/bad.md:4: gone.png: no such file" in completed.stderr.decode()
    assert not list(host.repository.glob("refs/heads/*"))


def second_author(blog: Site, tmp_path: Path, *, clone: bool = True) -> Site:
    """Clone the site elsewhere, with the store as a partial clone without files."""
    root = tmp_path / "second" / "site"
    root.parent.mkdir()
    shutil.copytree(blog.root, root, ignore=shutil.ignore_patterns("images", "cache", "output"))
    other = Site.__new__(Site)
    other.root = root
    options = ["--clone", f"file://{tmp_path}/host/images.git"] if clone else []
    completed = other.cli("init", "-s", "publishconf.py", *options)
    assert completed.returncode == 0, completed.stderr
    return other


def test_a_second_machine_needs_no_old_bytes(blog: Site, host: Host, tmp_path: Path) -> None:
    git("config", "uploadpack.allowFilter", "true", folder=host.repository)
    assert blog.cli("publish", "-s", "publishconf.py", "--no-confirm").returncode == 0
    commit(blog)
    other = second_author(blog, tmp_path)
    for name in ("one", "two"):
        (other.root / f"content/{name}.png").unlink()
    new = other.picture("content/new.png", colour="green")
    post(other, "new.md", "![a](new.png)")
    completed = other.cli("publish", "-s", "publishconf.py", "--no-confirm")
    assert completed.returncode == 0, completed.stderr
    assert host.names() >= {key_of(new), key_of(blog.root / "content/one.png")}
    missing = git("rev-list", "--objects", "--all", "--missing=print", folder=other.root / "images")
    assert missing.count("?") == 2


def test_two_authors_who_push_at_once_both_arrive(blog: Site, host: Host, tmp_path: Path) -> None:
    commit(blog)
    other = second_author(blog, tmp_path, clone=False)
    rounds = 4
    for number in range(rounds):
        processes = []
        for author, colour in ((blog, "green"), (other, "blue")):
            author.picture(f"content/{colour}-{number}.png", colour=colour, text_seed=number + 1)
            post(author, f"{colour}-{number}.md", f"![a]({colour}-{number}.png)")
            command = [sys.executable, "-m", "pelican_imagehost", "publish", "--no-confirm"]
            processes.append(
                subprocess.Popen(
                    [*command, "-s", "publishconf.py"],
                    cwd=author.root,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                )
            )
        for process in processes:
            _, errors = process.communicate()
            assert process.returncode == 0, errors.decode()
    expected = {
        key_of(file) for author in (blog, other) for file in author.root.glob("content/*.png")
    }
    assert host.names() == expected
    git("fsck", "--strict", folder=host.repository)


def test_a_retracted_image_leaves_and_stays_away_until_it_is_allowed(
    blog: Site, host: Host
) -> None:
    assert blog.cli("publish", "-s", "publishconf.py", "--no-confirm").returncode == 0
    one = blog.root / "content/one.png"
    completed = blog.cli("retract", "-s", "publishconf.py", "content/one.png")
    assert completed.returncode == 0, completed.stderr
    assert (
        "copies may remain in the history of the repository, in caches" in completed.stderr.decode()
    )
    assert key_of(one) not in host.names()
    assert f"retracted/{key_of(one)[3:67]}" in host.names()
    assert not (blog.root / "images" / key_of(one)).exists()
    refused = blog.cli("publish", "-s", "publishconf.py", "--no-confirm")
    assert refused.returncode == 1
    assert "content/one.png was retracted" in refused.stderr.decode()
    undone = blog.cli("retract", "-s", "publishconf.py", "--undo", key_of(one)[3:67])
    assert undone.returncode == 0, undone.stderr
    assert blog.cli("publish", "-s", "publishconf.py", "--no-confirm").returncode == 0
    assert key_of(one) in host.names()


@pytest.mark.parametrize("command", [("retract",), ("gc", "--yes")], ids=lambda one: one[0])
def test_a_refused_retraction_changes_nothing_and_blocks_no_later_push(
    blog: Site, host: Host, command: tuple[str, ...]
) -> None:
    settings = ("-s", "publishconf.py")
    assert blog.cli("publish", *settings, "--no-confirm").returncode == 0
    one = key_of(blog.root / "content/one.png")
    post(blog, "one.md", "nothing")
    before = (git("rev-parse", "main", folder=blog.root / "images"), blog.manifest())
    hook = host.repository / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho not today >&2\nexit 1\n")
    hook.chmod(0o755)
    refused = blog.cli(*command, *settings, digest_of(one))
    assert refused.returncode == 1
    assert "not today" in refused.stderr.decode()
    assert (git("rev-parse", "main", folder=blog.root / "images"), blog.manifest()) == before
    assert (blog.root / "images" / one).exists()
    hook.unlink()
    blog.picture("content/new.png", text_seed=9)
    post(blog, "new.md", "![n](new.png)")
    assert blog.cli("publish", *settings, "--no-confirm").returncode == 0
    assert {one, key_of(blog.root / "content/new.png")} <= host.names()


def test_a_retraction_forgets_the_upload_and_an_image_only_the_host_has(
    blog: Site, host: Host
) -> None:
    settings = ("-s", "publishconf.py")
    assert blog.cli("publish", *settings, "--no-confirm").returncode == 0
    one = key_of(blog.root / "content/one.png")
    with contextlib.closing(Records(blog.settings().records)) as records:
        records.add([Arrival(Image(digest_of(one), "png", 1, 40, 30), "one.png", "phone")])
    (blog.root / "images" / one).unlink()
    assert blog.cli("retract", *settings, digest_of(one)).returncode == 0
    with contextlib.closing(Records(blog.settings().records)) as records:
        assert records.all() == []
    assert one not in host.names()
    two = key_of(blog.root / "content/two.png")
    (blog.root / "imagehost.jsonl").unlink()
    (blog.root / "images" / two).unlink()
    assert blog.cli("retract", *settings, digest_of(two)).returncode == 0
    assert two not in host.names()


def test_a_deleted_image_leaves_the_host_too(blog: Site, host: Host) -> None:
    settings = ("-s", "publishconf.py")
    assert blog.cli("publish", *settings, "--no-confirm").returncode == 0
    one, two = (key_of(blog.root / f"content/{name}.png") for name in ("one", "two"))
    post(blog, "one.md", "nothing")
    completed = blog.cli("gc", *settings, "--yes", one[3:67], two[3:67])
    assert completed.returncode == 1
    assert "two.png: is used in content/two.md" in completed.stderr.decode()
    assert host.names() == {two, f"retracted/{one[3:67]}"}
    assert not (blog.root / "images" / one).exists()
    post(blog, "two.md", "nothing")
    shutil.rmtree(host.repository)
    refused = blog.cli("gc", *settings, "--yes", two[3:67])
    assert refused.returncode == 1
    assert (blog.root / "images" / two).exists()
    assert "content/two.png" in {line["path"] for line in blog.manifest()}
    assert two in git("ls-tree", "-r", "--name-only", "main", folder=blog.root / "images")


def test_an_image_that_was_committed_lately_is_not_deleted(blog: Site) -> None:
    commit(blog)
    key = key_of(blog.root / "content/one.png")
    post(blog, "one.md", "nothing")
    kept = blog.cli("gc", "-s", "publishconf.py", "--yes", key[3:67])
    assert kept.returncode == 1
    assert "one.png: is listed in the committed imagehost.jsonl" in kept.stderr.decode()
    assert (blog.root / "images" / key).exists()


def test_check_published_finds_what_the_host_does_not_serve(blog: Site, host: Host) -> None:
    assert blog.cli("publish", "-s", "publishconf.py", "--no-confirm").returncode == 0
    host.check_out()
    good = blog.cli("check", "-s", "publishconf.py", "--published")
    assert (good.returncode, good.stdout) == (0, b"")
    key = key_of(blog.root / "content/one.png")
    (host.served / key).unlink()
    bad = blog.cli("check", "-s", "publishconf.py", "--published")
    assert bad.returncode == 1
    assert bad.stdout.decode() == f"{host.url}/{key}: not online: 404 File not found\n"


def test_gc_keeps_what_the_site_named_lately(blog: Site) -> None:
    commit(blog)
    one = key_of(blog.root / "content/one.png")
    post(blog, "one.md", "no image any more")
    assert blog.cli("gc", "--yes").returncode == 0
    commit(blog)
    assert b"0 unused images" in blog.cli("gc", "--dry-run").stderr
    assert (blog.root / "images" / one).exists()
    assert blog.cli("gc", "--yes", "--grace-days", "0").returncode == 0
    assert not (blog.root / "images" / one).exists()


def test_an_existing_hook_runs_first_and_may_refuse(blog: Site, host: Host) -> None:
    hook = blog.root / ".git/hooks/pre-push"
    hook.write_text("#!/bin/sh\ncat >seen\nexit 3\n")
    assert "it runs first" in blog.cli("init", "-s", "publishconf.py").stderr.decode()
    commit(blog)
    assert push(blog).returncode != 0
    assert "refs/heads/main" in (blog.root / "seen").read_text()
    assert not list(host.repository.glob("refs/heads/*"))
    hook.with_name("pre-push.before-imagehost").write_text("#!/bin/sh\nexit 0\n")
    with serving(host, after=0.5):
        assert push(blog).returncode == 0
    assert host.names()


@pytest.mark.parametrize("where", ["hooksPath", "worktree", "subfolder"])
def test_the_hook_is_found_wherever_git_looks(
    blog: Site, host: Host, tmp_path: Path, where: str
) -> None:
    folder = blog.root
    if where == "hooksPath":
        git("config", "core.hooksPath", "my-hooks", folder=folder)
        blog.cli("init", "-s", "publishconf.py")
        assert (folder / "my-hooks/pre-push").exists()
    commit(blog)
    if where == "worktree":
        shutil.copytree(folder / "images", tmp_path / "other/images")
        shutil.rmtree(tmp_path / "other/images")
        git("worktree", "add", "--quiet", tmp_path / "other", "-b", "other", folder=folder)
        shutil.copytree(folder / "images", tmp_path / "other/images")
        folder = tmp_path / "other"
    if where == "subfolder":
        shutil.rmtree(folder / ".git")
        folder.rename(folder.with_name("inner"))
        folder.mkdir()
        folder.with_name("inner").rename(folder / "blog")
        git("init", "--quiet", folder=folder)
        git("remote", "add", "origin", tmp_path / "site.git", folder=folder)
        blog.root = folder / "blog"
        assert blog.cli("init", "-s", "publishconf.py").returncode == 0
        commit(blog)
    command = ["git", "push", "origin", "HEAD"]
    with serving(host, after=0.7):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "2 images online" in done.stderr


def test_a_hook_environment_never_reaches_the_stores_repository(blog: Site, host: Host) -> None:
    commit(blog)
    index = blog.root / ".git/index"
    before = index.read_bytes()
    with serving(host, after=0.5):
        assert push(blog, GIT_INDEX_FILE=str(index)).returncode == 0
    assert index.read_bytes() == before
    assert git("status", "--porcelain", folder=blog.root) == ""


def no_identity(_: Site) -> None:
    (Path(os.environ["HOME"]) / ".gitconfig").write_text("[user]\nuseConfigOnly = true\n")


def stale_lock(blog: Site) -> None:
    (blog.root / "images/.git/refs/heads").mkdir(parents=True, exist_ok=True)
    (blog.root / "images/.git/refs/heads/main.lock").write_text("")


def no_store(blog: Site) -> None:
    shutil.rmtree(blog.root / "images")


def unreachable(blog: Site) -> None:
    blog.publishconf(IMAGEHOST_URL="http://a.example.com", IMAGEHOST_REMOTE="http://127.0.0.1:9/x")


def no_remote(blog: Site) -> None:
    blog.publishconf(IMAGEHOST_URL="http://a.example.com")


def corrupt(blog: Site) -> None:
    blog.build()
    stored = next((blog.root / "images").glob("??/*.png"))
    stored.chmod(0o644)
    stored.write_bytes(stored.read_bytes()[:-1] + b"?")
    for file in (blog.root / "content").glob("*.png"):  # which would make it good
        file.unlink()


def refusing(blog: Site) -> None:
    hook = blog.root.parent / "host/images.git/hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho 'imagehost: the quota is used up' >&2\nexit 1\n")
    hook.chmod(0o755)


FAULTS = {
    no_identity: "git does not know who you are",
    stale_lock: "if none is running, remove",
    no_store: "run: pelican-imagehost init",
    unreachable: "the host does not answer",
    no_remote: "IMAGEHOST_REMOTE is not set",
    corrupt: "is corrupt; run: pelican-imagehost verify --repair",
    refusing: "the host says: imagehost: the quota is used up",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_each_fault_is_explained_in_a_sentence(blog: Site, fault: Callable[[Site], None]) -> None:
    fault(blog)
    completed = blog.cli("publish", "-s", "publishconf.py", "--no-confirm")
    said = completed.stderr.decode()
    assert completed.returncode == 1
    assert FAULTS[fault] in said
    assert "Traceback" not in said


def test_a_killed_publish_leaves_nothing_that_the_next_cannot_mend(blog: Site, host: Host) -> None:
    for number in range(40):
        blog.picture(f"content/k{number}.png", text_seed=number + 1, size=(200, 150))
    post(blog, "k.md", " ".join(f"![a](k{number}.png)" for number in range(40)))
    command = [sys.executable, "-m", "pelican_imagehost", "publish", "--no-confirm"]
    for delay in (0.3, 0.45, 0.6, 0.75, 0.9):
        process = subprocess.Popen(
            [*command, "-s", "publishconf.py"],
            cwd=blog.root,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(delay)
        process.kill()
        process.wait()
        git("fsck", "--strict", folder=host.repository)
    assert blog.cli("publish", "-s", "publishconf.py", "--no-confirm").returncode == 0
    assert len(host.names()) == 42


def test_what_is_named_in_place_of_an_image_is_published_checked_and_retracted_with_it(
    blog: Site, host: Host
) -> None:
    blog.configure(IMAGEHOST_FORMATS=["avif"], IMAGEHOST_WIDTHS=[200])
    blog.write("content/large.jpg", large_photo())
    post(blog, "three.md", "![a](large.jpg)", Image="large.jpg")
    theme(blog, "{{ article.image|imagehost(width=100) }}")
    blog.configure(THEME="theme", DIRECT_TEMPLATES=[])
    blog.write("theme/static/.keep", "")
    commit(blog)
    (line,) = [one for one in blog.manifest() if one["path"] == "content/large.jpg"]
    keys = {f"{one[2][:2]}/{one[2]}.{one[3]}" for one in line["variants"]}
    assert [(one[3], one[0]) for one in line["variants"]] == [
        ("jpg", 1440),
        ("avif", 200),
        ("jpg", 100),
    ]
    done = blog.cli("publish", "-s", "publishconf.py", "--no-confirm")
    assert done.returncode == 0, done.stderr
    assert host.names() >= keys
    host.check_out()
    assert push(blog).returncode == 0
    assert blog.cli("check", "-s", "publishconf.py", "--published").returncode == 0
    for key in keys:
        (host.served / key).rename(host.served / "lost")
        lost = blog.cli("check", "-s", "publishconf.py", "--published")
        assert key.encode() in lost.stderr + lost.stdout
        (host.served / "lost").rename(host.served / key)
    # Its author found the address in the page's metadata.
    fallback = next(key for key in keys if key.endswith(".jpg"))
    done = blog.cli("retract", f"{host.url}/{fallback}", "-s", "publishconf.py")
    assert done.returncode == 0, done.stderr
    assert not host.names() & {*keys, key_of(blog.root / "content/large.jpg")}


def test_verify_looks_at_what_was_pushed(blog: Site, host: Host) -> None:
    assert blog.cli("publish", "-s", "publishconf.py", "--no-confirm").returncode == 0
    well = blog.cli("verify", "-s", "publishconf.py", "--published", "--deep")
    assert well.returncode == 0, well.stderr
    assert b"2 images published, 0 missing or damaged" in well.stderr
    new = blog.picture("content/new.png", colour="green")
    post(blog, "new.md", "![a](new.png)")
    blog.build(settings="publishconf.py")
    bad = blog.cli("verify", "-s", "publishconf.py", "--published")
    assert (bad.returncode, bad.stdout) == (1, f"{key_of(new)}: missing\n".encode())
    assert key_of(new) not in host.names()
