"""Builds that are killed, run at the same time, or fill the disk."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from pelican_imagehost.storage.manifest import Manifest
from tests.benchmarks.sites import make_picture

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import PictureMaker, Site

KEY = re.compile(r"([0-9a-f]{2})/(\1[0-9a-f]{62})\.[a-z]+")
_HIDDEN = {".gitignore", ".keep", ".lock", ".incoming"}  # hidden names that are not leftovers
_POSTS = 60
_SIZE = 50_000
FULL = [pytest.mark.full, pytest.mark.timeout(3600)]


class Blog:
    """A site whose posts and images change, with checks that must always hold."""

    def __init__(self, site: Site, seed: int) -> None:
        self.site = site
        self.chooser = random.Random(seed)  # noqa: S311  the same story every time
        self.named: dict[str, list[str]] = {}  # post → the names of its images
        self._started: list[subprocess.Popen[bytes]] = []
        self.numbers = iter(range(10**9))
        site.configure(DIRECT_TEMPLATES=[], THEME="simple", PLUGINS=["pelican_imagehost"])
        site.configure(CACHE_PATH="cache", TAG_SAVE_AS="", CATEGORY_SAVE_AS="", AUTHOR_SAVE_AS="")
        site.configure(IMAGEHOST_FORMATS=[])  # see test_variant_crashes

    def write_image(self, name: str) -> None:
        """Write a new image, or replace one atomically, as editors do."""
        file = self.site.write(f"content/{name}.new", make_picture(next(self.numbers), _SIZE))
        file.replace(self.site.root / "content" / name)

    def write_post(self, post: str, images: list[str]) -> None:
        self.named[post] = images
        text = "".join(f"![a picture]({name})\n\n" for name in images)
        file = self.site.write(f"content/{post}.new", f"Title: {post}\nDate: 2026-01-01\n\n{text}")
        file.replace(self.site.root / "content" / f"{post}.md")

    def add_images(self, count: int) -> list[str]:
        """Write new images, and use each in a new or an existing post."""
        names = [f"picture-{next(self.numbers)}.png" for _ in range(count)]
        for name in names:
            self.write_image(name)
            post = f"post-{self.chooser.randrange(_POSTS)}"
            self.write_post(post, [*self.named.get(post, []), name])
        return names

    def replace_images(self, count: int) -> None:
        images = sorted({name for names in self.named.values() for name in names})
        for name in self.chooser.sample(images, count):
            self.write_image(name)

    def forget_images(self, count: int) -> list[str]:
        """Remove some images from posts; keep the files."""
        forgotten = []
        for post in self.chooser.sample(sorted(self.named), count):
            if self.named[post]:
                *rest, last = self.named[post]
                self.write_post(post, rest)
                forgotten.append(last)
        return forgotten

    def start(self, *, output: str = "output") -> subprocess.Popen[bytes]:
        return self._spawn("pelican", "content", "-s", "pelicanconf.py", "-o", output)

    def start_cli(self, *arguments: str) -> subprocess.Popen[bytes]:
        return self._spawn("pelican_imagehost", *arguments)

    def command(self, module: str, *arguments: str) -> list[str]:
        return [sys.executable, "-m", module, *arguments]

    def _spawn(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            self.command(module, *arguments),
            cwd=self.site.root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._started.append(process)
        return process

    def stop(self) -> None:
        """Kill the processes that a failed test has left running."""
        for process in self._started:
            process.kill()
            process.communicate()

    def key(self, name: str) -> str:
        """Return the address that an image must have, from a separate hash."""
        digest = _digest(self.site.root / "content" / name)
        return f"{digest[:2]}/{digest}.png"

    def check_half_way(self) -> None:
        """Check the rules that hold even after a kill."""
        root = self.site.root
        keys = intact_keys(root / "images")
        manifest = Manifest.load(root / "imagehost.jsonl")
        assert not manifest.errors
        assert not manifest.conflicts
        assert {one.key for image in manifest.images.values() for one in image.all} <= keys
        assert addresses(root / "output") <= keys & intact_keys(root / "output/images")

    def check_whole(self, *, output: str = "output") -> None:
        """Check the rules that hold after a complete build."""
        verified = self.start_cli("verify")
        root = self.site.root
        keys = intact_keys(root / "images")
        images = Manifest.load(root / "imagehost.jsonl").images
        for post, names in self.named.items():
            page = (root / output / f"{post}.html").read_text("utf-8")
            wanted = [self.key(name) for name in names]
            assert [match[0] for match in KEY.finditer(page)] == wanted
            assert keys >= set(wanted)
            assert [images[f"content/{name}"].key for name in names] == wanted
        assert addresses(root / output) <= intact_keys(root / output / "images")
        assert leftovers(root) == []
        check_good(verified)


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def intact_keys(folder: Path) -> set[str]:
    """Return all keys of a tree, after checking each digest."""
    files = [file for file in folder.glob("??/*") if not file.name.startswith(".")]
    for file in files:
        assert _digest(file) == file.stem
    return {f"{file.parent.name}/{file.name}" for file in files}


def addresses(output: Path) -> set[str]:
    texts = (file.read_text("utf-8") for file in output.glob("*.html"))
    return {match[0] for text in texts for match in KEY.finditer(text)}


def leftovers(root: Path) -> list[str]:
    """List the files that only an interrupted run leaves, in `.incoming` or elsewhere."""
    found = []
    for folder, _, names in os.walk(root):
        hidden = [name for name in names if name.startswith(".") or name.endswith(".tmp")]
        found += [os.path.join(folder, name) for name in hidden if name not in _HIDDEN]
    return found + [str(file) for file in (root / "images/.incoming").glob("*")]


def check_good(process: subprocess.Popen[bytes]) -> str:
    said = process.communicate()[0].decode()
    assert process.returncode == 0, said
    assert "Traceback" not in said, said
    assert "problem" not in said, said
    return said


@pytest.fixture
def blog(site: Site) -> Iterator[Blog]:
    blog = Blog(site, seed=7)
    yield blog
    blog.stop()


@pytest.mark.parametrize("rounds", [6, pytest.param(200, marks=FULL)])
def test_killed_build_is_healed_by_next(
    blog: Blog, rounds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    blog.site.write("plugins/dying.py", DYING)
    blog.site.configure(PLUGIN_PATHS=["plugins"], PLUGINS=["pelican_imagehost", "dying"])
    blog.add_images(2 * _POSTS)
    check_good(blog.start())
    for number in range(rounds):
        blog.add_images(12)
        blog.replace_images(8)
        ingest = number % 2 == 0
        steps = _INGEST_STEPS if ingest else int((blog.site.root / "steps").read_text())
        moment = blog.chooser.randint(1, int(0.7 * steps)), blog.chooser.uniform(1e-6, 2e-3)
        monkeypatch.setenv("DIE_AT", json.dumps([".incoming" if ingest else "", *moment]))
        build = blog.start()
        said = build.communicate()[0].decode()
        assert build.returncode == -signal.SIGALRM, said
        monkeypatch.delenv("DIE_AT")
        blog.check_half_way()
        check_good(blog.start())
        blog.check_whole()


_INGEST_STEPS = 40  # twenty images are written and renamed
# Dies shortly after the given step of a build, counted from the first whose path has the word in
# it: not after a time, so that it works on any machine.
DYING = """
import atexit, json, os, pathlib, signal, sys

word, last, seconds = json.loads(os.environ.get("DIE_AT", '["", 0, 0]'))
steps, begun, armed = 0, not word, not last

def look(event, arguments):
    global steps, begun, armed
    if event in ("open", "os.rename", "os.remove", "os.mkdir"):
        begun = begun or word in str(arguments[0])
        steps += begun
        if steps >= last and not armed:
            armed = True
            signal.setitimer(signal.ITIMER_REAL, seconds)

def register():
    sys.addaudithook(look)
    atexit.register(lambda: pathlib.Path("steps").write_text(str(steps)))
"""


@pytest.mark.parametrize("rounds", [4, pytest.param(50, marks=FULL)])
def test_builds_and_gc_at_once_lose_nothing(blog: Blog, rounds: int) -> None:
    blog.add_images(_POSTS)
    check_good(blog.start())
    collected = 0
    for number in range(rounds):
        forgotten = blog.forget_images(8)
        if number % 2:
            check_good(blog.start())  # the index also has no uses of them
        blog.add_images(4)
        processes = [blog.start_cli("gc", "--yes"), blog.start(output="output-first")]
        time.sleep(blog.chooser.uniform(0.2, 1.2))
        blog.add_images(2)
        blog.write_post(f"late-{number}", forgotten[:3])  # used again while gc runs
        check_good(blog.start())
        said, _ = [check_good(process) for process in processes]
        collected += "deleted 0" not in said and "deleted" in said
        _check_named_is_kept(blog)
        blog.check_whole()
    assert collected >= rounds // 2
    print(f"{collected} of {rounds} collections deleted something")  # noqa: T201  with -s


def _check_named_is_kept(blog: Blog) -> None:
    wanted = {blog.key(name) for names in blog.named.values() for name in names}
    assert addresses(blog.site.root / "output") == wanted
    assert intact_keys(blog.site.root / "images") >= wanted


def test_gc_spares_what_a_build_names_while_it_asks(blog: Blog) -> None:
    blog.write_image("a.png")
    blog.write_post("first", ["a.png"])
    check_good(blog.start())
    blog.write_post("first", [])  # not in the index yet
    collection = start_asking(blog)
    blog.write_post("second", ["a.png"])
    check_good(blog.start())
    answer_yes(collection)
    blog.check_whole()
    assert addresses(blog.site.root / "output") == {blog.key("a.png")}


def test_build_stores_again_what_gc_takes_from_under_it(blog: Blog) -> None:
    site = blog.site
    site.write("plugins/pausing.py", PAUSING)
    site.configure(PLUGIN_PATHS=["plugins"], PLUGINS=["pelican_imagehost", "pausing"])
    blog.write_image("a.png")
    blog.write_post("first", ["a.png"])
    site.write("go", "")
    check_good(blog.start())
    (site.root / "go").unlink()
    (site.root / "paused").unlink()
    blog.write_post("first", [])
    collection = start_asking(blog)
    blog.write_post("second", ["a.png"])
    build = blog.start()
    wait_for(site.root / "paused", build)
    answer_yes(collection)
    site.write("go", "")
    check_good(build)
    blog.check_whole()
    assert addresses(site.root / "output") == {blog.key("a.png")}


PAUSING = """
import pathlib, time
from pelican import signals

def pause(generator):
    pathlib.Path("paused").touch()
    while not pathlib.Path("go").exists():
        time.sleep(0.01)

def register():
    signals.static_generator_finalized.connect(pause)
"""


def wait_for(file: Path, process: subprocess.Popen[bytes]) -> None:
    while not file.exists():
        assert process.poll() is None
        time.sleep(0.01)


def start_asking(blog: Blog) -> subprocess.Popen[bytes]:
    """Start `gc`, and wait for its question, when it has found the garbage."""
    collection = blog.start_cli("gc")
    said = b""
    while b"Delete them?" not in said:
        assert collection.stdout is not None
        piece = os.read(collection.stdout.fileno(), 1000)
        assert piece, said
        said += piece
    return collection


def answer_yes(collection: subprocess.Popen[bytes]) -> None:
    said = collection.communicate(b"y\n")[0].decode()
    assert collection.returncode == 0, said


def test_two_processes_add_the_same_files(blog: Blog) -> None:
    names = [f"picture-{number}.png" for number in range(40)]
    for name in names:
        blog.write_image(name)
    halves = names[:30], names[:9:-1]
    processes = [blog.start_cli("add", *(f"content/{name}" for name in half)) for half in halves]
    for process, half in zip(processes, halves, strict=True):
        assert check_good(process).split() == [f"/images/{blog.key(name)}" for name in half]
    assert intact_keys(blog.site.root / "images") == {blog.key(name) for name in names}
    assert [line["path"] for line in blog.site.manifest()] == sorted(f"content/{n}" for n in names)
    assert leftovers(blog.site.root) == []
    check_good(blog.start_cli("verify"))


@pytest.fixture
def disk_blog(blog: Blog, small_disk: Path) -> Blog:
    blog.site.configure(IMAGEHOST_STORE=str(small_disk / "store"))
    return blog


def test_full_disk_is_one_problem_and_heals(disk_blog: Blog, small_disk: Path) -> None:
    site = disk_blog.site
    for number in range(6):
        disk_blog.write_image(f"{number}.png")
    site.write("content/other/copy.png", (site.root / "content/0.png").read_bytes())
    names = [*(f"{number}.png" for number in range(6)), "other/copy.png"]
    disk_blog.write_post("post", names)
    said = site.build()
    assert (said.stdout + said.stderr).count("No space left on device") == 1
    hosted = intact_keys(small_disk / "store")
    lines = {line["path"]: line["sha256"] for line in site.manifest()}
    assert {f"{sha[:2]}/{sha}.png" for sha in lines.values()} <= hosted
    page = site.output("post.html")
    for name in names:
        key = disk_blog.key(name)
        is_hosted = f'src="/images/{key}"' in page
        assert is_hosted == (f'src="{name}"' not in page)
        assert key in hosted or not is_hosted
    subprocess.run(["mount", "-o", "remount,size=8m", small_disk], check=True)
    healed = site.build()
    assert "problem" not in healed.stdout + healed.stderr
    page = site.output("post.html")
    assert [match[0] for match in KEY.finditer(page)] == [disk_blog.key(name) for name in names]
    assert site.cli("verify").returncode == 0
    assert not list((small_disk / "store/.incoming").iterdir())


def test_read_only_store(blog: Blog, read_only_folder: Path, tmp_path: Path) -> None:
    site = blog.site
    blog.add_images(5)
    site.configure(IMAGEHOST_STORE=str(tmp_path / "writable/store"))
    check_good(blog.start())
    before = (site.root / "imagehost.jsonl").read_bytes()
    site.configure(IMAGEHOST_STORE=str(read_only_folder / "store"))
    assert ", 0 new" in check_good(blog.start())
    blog.write_image("new.png")
    blog.write_post("new", ["new.png"])
    said = site.build()
    assert (said.stdout + said.stderr).count("Read-only file system") == 1
    assert 'src="new.png"' in site.output("new.html")
    assert (site.root / "imagehost.jsonl").read_bytes() == before


def test_store_on_another_file_system(site: Site, small_disk: Path, picture: PictureMaker) -> None:
    site.configure(PLUGINS=["pelican_imagehost"], IMAGEHOST_STORE=str(small_disk / "store"))
    files = [picture(site.root / f"content/{n}.png", seed=n + 1) for n in range(5)]
    assert os.stat(site.root).st_dev != os.stat(small_disk).st_dev
    text = "".join(f"![a]({file.name})\n\n" for file in files)
    site.write("content/post.md", f"Title: Post\nDate: 2026-01-01\n\n{text}")
    for _ in range(2):
        said = site.build()
        assert "problem" not in said.stdout + said.stderr
        keys = [f"{_digest(file)[:2]}/{_digest(file)}.png" for file in files]
        assert [match[0] for match in KEY.finditer(site.output("post.html"))] == keys
        assert intact_keys(small_disk / "store") == set(keys)
        assert intact_keys(site.root / "output/images") == set(keys)
    assert json.loads(site.cli("list", "--json").stdout)
    assert site.cli("verify").returncode == 0
