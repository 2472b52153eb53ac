"""Pushes to site.git: what is built, refused, shown, and taken back."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from pelican_imagehost.cli.host import host as command
from pelican_imagehost.host.releases import named_keys
from tests.host.hostkit import (
    EMPTY,
    Author,
    Host,
    author,
    clean_environment,
    host,
    key_of,
    pictures,
    run,
    tombstone,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.conftest import Site
    from tests.host.hostkit import Content, Push

__all__ = ["author", "host"]

PREFIX = "http://127.0.0.1:8000/images/"
IMAGE = b"an image"
IMAGE_KEY = key_of(IMAGE)


@pytest.fixture
def output(tmp_path: Path, host: Host) -> Author:
    """Somebody who pushes ready-made output."""
    return Author(tmp_path / "output-author", host.layout.site)


class Blog:
    """A site in a git repository, whose images are pushed by an author of their own."""

    def __init__(self, site: Site, host: Host, author: Author) -> None:
        self.site, self.host, self.author = site, host, author
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "A")
        self.git("config", "user.email", "a@example.com")
        site.write(".gitignore", "output/\nimages/\ncache/\n__pycache__/\n")
        site.configure(PLUGINS=["pelican_imagehost"], THEME="simple", CACHE_PATH="cache")
        site.publishconf(SITEURL="http://127.0.0.1:8000", IMAGEHOST_URL="https://other.example")
        site.picture("content/cat.png")
        self.post("first", "![a cat](cat.png)")

    def git(self, *arguments: str | Path) -> str:
        return run("git", "-C", self.site.root, *arguments)

    def post(self, name: str, text: str) -> None:
        self.site.write(f"content/{name}.md", f"Title: {name}\nDate: 2026-01-01\n\n{text}\n")

    def commit(self) -> str:
        """Build, which writes the manifest, and commit everything."""
        self.site.build()
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "x")
        return self.git("rev-parse", "HEAD").strip()

    def push_images(self) -> None:
        files = [path for path in (self.site.root / "images").glob("??/*") if path.is_file()]
        contents: dict[str, Content] = {
            f"{path.parent.name}/{path.name}": path.read_bytes() for path in files
        }
        new = {key: data for key, data in contents.items() if key not in self.host.served()}
        tip = [self.host.branch()] if self.host.branch() else []
        if tip:
            self.author.git("fetch", "-q", str(self.host.layout.images), "main")
        push = self.author.push(self.author.commit(new, *tip))
        assert push.code == 0, push.output

    def push(self) -> Push:
        pusher = Author.__new__(Author)
        pusher.folder, pusher.remote = self.site.root, self.host.layout.site
        return pusher.push("HEAD")


@pytest.fixture
def blog(site: Site, host: Host, author: Author) -> Blog:
    return Blog(site, host, author)


def listing(host: Host) -> list[str]:
    return sorted(name.name for name in host.layout.releases.iterdir() if name.name[0] != ".")


def test_pushed_source_is_built_and_shown(blog: Blog, host: Host) -> None:
    commit = blog.commit()
    refused = blog.push()
    assert refused.code != 0
    assert refused.said[-1].startswith("imagehost: refused: first.html uses " + PREFIX)
    assert refused.said[-1].endswith("run pelican-imagehost publish, then push again")
    assert (listing(host), host.branch("site.git"), host.leftovers()) == ([], "", [])
    assert not host.layout.current.is_symlink()

    blog.push_images()
    push = blog.push()
    assert push.code == 0, push.output
    assert push.said[-2:] == [
        "imagehost: images in use: 1, all served",
        f"imagehost: readers now see {commit[:12]}",
    ]
    assert any("Done: Processed 1 article" in line for line in push.said)
    assert all(
        line.startswith("remote: imagehost: ")
        for line in push.output.splitlines()
        if line.startswith("remote:")
    )
    page = (host.layout.current / "first.html").read_text()
    addresses = re.findall(f'src="{PREFIX}([^"]+)"', page)
    assert len(addresses) == 1
    assert addresses[0] in host.served()
    assert (listing(host), host.leftovers()) == ([commit], [])
    for path in host.layout.current.resolve().rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644)

    shown = os.readlink(host.layout.current)
    blog.post("second", "![gone](gone.png)")
    blog.site.build()
    blog.git("add", "-A")
    blog.git("commit", "-q", "-m", "x")
    refused = blog.push()
    assert refused.code != 0
    assert any("gone.png" in line for line in refused.said)
    assert refused.said[-1] == (
        "imagehost: refused: the site cannot be built, see above; fix it, commit, and push again"
    )
    assert os.readlink(host.layout.current) == shown
    assert (listing(host), host.branch("site.git"), host.leftovers()) == ([commit], commit, [])


def test_document_that_pelican_leaves_out_refuses_the_push(blog: Blog, host: Host) -> None:
    blog.site.write("content/broken.md", "Title: Broken\nDate: no day at all\n\nText\n")
    blog.commit()
    blog.push_images()
    push = blog.push()
    assert push.code != 0
    assert any("broken.md" in line for line in push.said)
    assert "imagehost: Pelican reported errors: 1" in push.said
    assert (listing(host), host.leftovers()) == ([], [])


def test_hostile_manifest_is_one_line_for_each_bad_line(blog: Blog, host: Host) -> None:
    """Whoever reviews a contribution reads these lines; nothing else comes of them."""
    blog.commit()
    manifest = blog.site.root / "imagehost.jsonl"
    good = json.loads(manifest.read_text())
    bad = [{"size": 10**400}, {"path": "\ud800.png"}, {"path": "a\0.png"}, {"type": "\x1b[2J"},
           {"path": ["\x1b]0;x\x07"]}, {"width": True}]  # fmt: skip
    outside = {"path": "../../../../../../../../etc/passwd"}
    lines = [json.dumps(good | change) for change in ({}, outside, *bad)]
    manifest.write_text("\n".join([*lines, "\x1b[2J", "[" * 100_000]))
    blog.git("add", "-A")
    blog.git("commit", "-q", "-m", "x")
    blog.push_images()
    push = blog.push()
    assert push.code != 0
    numbers = [re.search(r" imagehost\.jsonl:(\d+): ", line) for line in push.said]
    assert [int(one[1]) for one in numbers if one] == [*range(3, 11)]
    assert all(line.isprintable() and len(line) < 1100 for line in push.said)
    manifest.write_text("\n".join(lines[:2]))
    blog.git("commit", "-q", "-a", "-m", "x")
    push = blog.push()
    assert push.code == 0, push.output
    shown = {file.read_bytes() for file in host.layout.current.rglob("*") if file.is_file()}
    assert Path("/etc/passwd").read_bytes() not in shown


def move_to_submodule(blog: Blog, folder: str, away: Path) -> None:
    """Move the files of a folder into a repository of their own, and add that as a submodule."""
    (blog.site.root / folder).rename(away)
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    run("git", "init", "-q", away)
    run("git", "-C", away, "add", "--all")
    run("git", "-C", away, *identity, "commit", "-q", "-m", "x")
    blog.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", away, folder)


@pytest.mark.parametrize("folder", ["content", "content/pages"])
def test_documents_in_a_submodule_refuse_the_push(
    blog: Blog, host: Host, tmp_path: Path, folder: str
) -> None:
    blog.site.write("content/pages/about.md", "Title: About\n\nText\n")
    move_to_submodule(blog, folder, tmp_path / "texts")
    blog.commit()
    blog.push_images()
    push = blog.push()
    assert push.code != 0
    assert any(
        f"imagehost: {folder} is a submodule; its files are not" in line for line in push.said
    )
    assert any(f"ERROR: {folder} is in a submodule" in line for line in push.said)
    assert (listing(host), host.leftovers()) == ([], [])


def test_images_in_a_submodule_need_only_the_manifest(
    blog: Blog, host: Host, tmp_path: Path
) -> None:
    blog.site.picture("content/pictures/dog.png", colour="blue")
    blog.post("dog", "![a dog](pictures/dog.png)")
    move_to_submodule(blog, "content/pictures", tmp_path / "pictures")
    blog.commit()
    blog.push_images()
    push = blog.push()
    assert push.code == 0, push.output
    assert any("content/pictures is a submodule" in line for line in push.said)
    assert "imagehost: images in use: 2, all served" in push.said
    assert PREFIX in (host.layout.current / "dog.html").read_text()


def test_a_commit_that_cannot_be_unpacked_is_one_line(
    blog: Blog, host: Host, small_disk: Path
) -> None:
    blog.site.write("content/large.bin", os.urandom(100_000))
    blog.commit()
    host.config("imagehost.releases", small_disk, "site.git")
    push = blog.push()
    assert push.code != 0
    assert push.said[-1] == (
        "imagehost: refused: the pushed commit cannot be unpacked on the host; see above"
    )


def test_build_knows_nothing_of_the_quarantine(blog: Blog, host: Host) -> None:
    with (blog.site.root / "pelicanconf.py").open("a") as file:
        file.write(
            "import os\nSITENAME = ' '.join(n for n in os.environ if n[:4] == 'GIT_') or 'none'\n"
        )
    blog.commit()
    blog.push_images()
    assert blog.push().code == 0
    assert ">none<" in (host.layout.current / "index.html").read_text()


def test_killed_build_leaves_the_old_release(blog: Blog, host: Host) -> None:
    blog.commit()
    blog.push_images()
    assert blog.push().code == 0
    shown = os.readlink(host.layout.current)
    blog.post("second", "text")
    commit = blog.commit()
    pusher = Author.__new__(Author)
    pusher.folder, pusher.remote = blog.site.root, host.layout.site
    started = pusher.start_push("HEAD")
    deadline = time.monotonic() + 60
    while not (host.layout.releases / ".building").exists():
        assert time.monotonic() < deadline
        time.sleep(0.005)
    kill_hooks(host)
    assert started.wait().code != 0
    assert os.readlink(host.layout.current) == shown
    assert blog.push().code == 0
    assert (host.branch("site.git"), host.leftovers()) == (commit, [])
    assert (host.layout.current / "second.html").exists()


def kill_hooks(host: Host) -> None:
    for entry in os.listdir("/proc"):
        try:
            here = os.readlink(f"/proc/{entry}/cwd") == str(host.layout.site)
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                hook = b"pre-receive" in file.read()
        except OSError:
            continue
        if entry.isdigit() and here and hook:
            os.kill(int(entry), signal.SIGKILL)


def page(*keys: str) -> bytes:
    return "".join(f'<img src="{PREFIX}{key}">' for key in keys).encode()


def publish(author: Author, *keys_of: bytes) -> str:
    commit = author.commit({key_of(data): data for data in keys_of})
    assert author.push(commit).code == 0
    return commit


def test_output_that_is_ready_made(host: Host, author: Author, output: Author) -> None:
    publish(author, IMAGE)
    commit = output.commit({"index.html": page(IMAGE_KEY), "theme/a.css": b"p {}"})
    push = output.push(commit)
    assert push.code == 0, push.output
    assert (host.layout.current / "index.html").read_bytes() == page(IMAGE_KEY)
    assert (host.layout.current / "theme/a.css").read_bytes() == b"p {}"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"readme.txt": b"x"}, "the push has neither publishconf.py nor index.html"),
        ({"index.html": page(IMAGE_KEY)}, f"index.html uses {PREFIX}{IMAGE_KEY}; not served"),
        ({"index.html": b"x", "f/a.xml": page(IMAGE_KEY)}, "f/a.xml uses"),
        ({"index.html": b"x", "a.css": f"url(/images/{IMAGE_KEY})".encode()}, "a.css uses"),
        ({"index.html": b"x", "a.json": page(IMAGE_KEY).replace(b"/", b"\\/")}, "a.json uses"),
        ({"index.html": page(*pictures(9))}, "and 6 more; not served yet"),
        ({"index.html": b"x", "a": ("120000", b"/etc/passwd")}, "a is a symbolic link"),
        ({"index.html": b"x", "a.html": ("120000", b"/dev/zero")}, "a.html is a symbolic link"),
    ],
)
def test_output_that_is_refused(
    host: Host, output: Author, files: Mapping[str, Content], expected: str
) -> None:
    push = output.push(output.commit(files))
    assert push.code != 0
    assert expected in push.said[-1]
    assert push.said[-1].startswith("imagehost: refused: ")
    assert (listing(host), host.branch("site.git"), host.leftovers()) == ([], "", [])


def test_other_branches_are_refused(host: Host, output: Author) -> None:
    push = output.push(output.commit({"index.html": b"x"}), "refs/heads/draft")
    assert push.code != 0
    assert "only main can be pushed, not refs/heads/draft" in push.said[0]
    assert listing(host) == []


def test_addresses_are_found(tmp_path: Path) -> None:
    keys = list(pictures(8))
    text = (
        f'<a href="{PREFIX}{keys[0]}"> //127.0.0.1:8000/images/{keys[1]} url(/images/{keys[2]})'
        f' srcset="images/{keys[3]} 1x, ../images/{keys[4]} 2x" https:\\/\\/127.0.0.1'
        f" https://other.example/images/{keys[5]} /other/images/{keys[6]} {keys[7]}"
    )
    (tmp_path / "a.html").write_text(text)
    (tmp_path / "b.txt").write_text(f"{PREFIX}{keys[7]}")
    assert set(named_keys(tmp_path, PREFIX)) == set(keys[:5])
    assert set(named_keys(tmp_path)) == set(keys)
    assert set(named_keys(tmp_path, "http://img.example/")) == set()


def test_five_releases_and_the_way_back(host: Host, output: Author) -> None:
    commits: list[str] = []
    for number in range(7):
        commits.append(output.commit({"index.html": b"%d" % number}, *commits[-1:]))
        assert output.push(commits[-1]).code == 0
    assert set(listing(host)) == set(commits[2:])
    index = host.layout.current / "index.html"

    def rollback(*release: str) -> str:
        result = CliRunner().invoke(command, ["rollback", str(host.layout.root), *release])
        assert result.exit_code == (0 if "error" not in result.stderr else 1)
        return result.stderr

    assert f"readers now see {commits[5][:12]}" in rollback()
    assert index.read_bytes() == b"5"
    rollback()
    assert index.read_bytes() == b"4"
    rollback(commits[2][:8])
    assert index.read_bytes() == b"2"
    assert "there is no older release" in rollback()
    assert "no release starts with ffff; releases: " in rollback("ffff")
    commits.append(output.commit({"index.html": b"7"}, commits[-1]))
    assert output.push(commits[-1]).code == 0
    assert index.read_bytes() == b"7"
    assert set(listing(host)) == set(commits[3:])


def test_republish_heals_the_served_tree(host: Host, author: Author) -> None:
    files = pictures(9)
    tip = author.commit({**files, IMAGE_KEY: IMAGE})
    assert author.push(tip).code == 0
    gone = author.commit({IMAGE_KEY: None, tombstone(IMAGE_KEY): EMPTY}, tip)
    assert author.push(gone).code == 0
    first, second, *_ = files
    served = host.layout.served
    (served / first).unlink()
    (served / second).chmod(0o644)
    (served / second).write_bytes(b"?" * (served / second).stat().st_size)
    (served / IMAGE_KEY).parent.mkdir(exist_ok=True)
    (served / IMAGE_KEY).write_bytes(IMAGE)
    result = CliRunner().invoke(command, ["republish", str(host.layout.root)])
    assert result.stderr == ("pelican-imagehost: 2 images restored, 1 retracted image removed\n"), (
        result.output
    )
    assert host.served() == set(files) == host.tree() - {tombstone(IMAGE_KEY)}


def test_maintain_clears_what_killed_pushes_leave(host: Host, author: Author) -> None:
    tip = publish(author, IMAGE)
    for number in range(3):
        tip = author.commit(pictures(2, start=10 * number), tip)
        assert author.push(tip).code == 0
    old = host.layout.images / "objects/tmp_objdir-incoming-old"
    young = host.layout.images / "objects/tmp_objdir-incoming-young"
    for folder in (old, young):
        (folder / "pack").mkdir(parents=True)
    os.utime(old, (0, 0))
    (host.layout.www / ".incoming/1-2").mkdir()
    result = CliRunner().invoke(command, ["maintain", str(host.layout.root)])
    assert result.exit_code == 0, result.output
    assert "repacked images.git; removed 1 leftover" in result.stderr
    assert (old.exists(), young.exists()) == (False, True)
    assert not (host.layout.www / ".incoming/1-2").exists()
    assert len(list((host.layout.images / "objects/pack").glob("*.pack"))) == 1
    run("git", "-C", host.layout.images, "fsck", "--strict")


def gc(host: Host, *options: str, answer: str = "") -> tuple[int, str]:
    result = CliRunner().invoke(command, ["gc", str(host.layout.root), *options], input=answer)
    return result.exit_code, result.output


def age_images(host: Host, days: float) -> None:
    then = time.time() - days * 24 * 3600
    for path in host.layout.served.glob("??/*"):
        os.utime(path, (then, then))


def test_gc_takes_what_nothing_names(host: Host, author: Author, output: Author) -> None:
    files = pictures(6)
    released, replaced, unnamed, young, listed, unserved = files
    assert author.push(author.commit(files)).code == 0
    code, said = gc(host, "--yes")
    assert (code, "no site was pushed to site.git yet" in said) == (1, True)
    lines = f'{{"sha256": "{listed[3:67]}"}}\n'.encode()
    first = output.commit({"index.html": page(replaced), "imagehost.jsonl": lines})
    assert output.push(first).code == 0
    second = output.commit({"index.html": page(released)}, first)
    assert output.push(second).code == 0
    age_images(host, 31)
    os.utime(host.layout.served / young)
    (host.layout.served / unserved).unlink()

    code, said = gc(host, answer="n\n")
    assert code == 1
    assert [line.split()[0] for line in said.splitlines()[:2]] == sorted([unnamed, unserved])
    assert host.tree() == set(files)
    code, said = gc(host, "--yes")
    assert (code, "removed 2 images" in said) == (0, True), said
    kept = {released, replaced, young, listed}
    assert host.tree() == host.served() == kept
    assert gc(host, "--yes")[0] == 0

    # An author goes on from there, and may bring one back.
    author.git("fetch", "-q", str(host.layout.images), "main")
    again = author.commit({unnamed: files[unnamed]}, "FETCH_HEAD")
    assert author.push(again).code == 0
    assert host.served() == kept | {unnamed}


def test_gc_forgets_after_the_grace_period(host: Host, author: Author, output: Author) -> None:
    assert author.push(author.commit({IMAGE_KEY: IMAGE})).code == 0
    tip = output.commit({"index.html": page(IMAGE_KEY)})
    assert output.push(tip).code == 0
    for number in range(6):
        tip = output.commit({"index.html": b"%d" % number}, tip)
        assert output.push(tip).code == 0
    age_images(host, 31)
    assert "0 unused images" in gc(host, "--yes")[1]  # named until a moment ago
    log = host.layout.site / "logs/refs/heads/main"
    then = str(int(time.time()) - 31 * 24 * 3600)
    log.write_text(re.sub(r"> [0-9]+ ", f"> {then} ", log.read_text()))
    assert "removed 1 image," in gc(host, "--yes")[1]
    assert host.served() == set()


def test_site_that_is_not_set_up(host: Host, output: Author) -> None:
    subprocess.run(
        ["git", "-C", host.layout.site, "config", "--unset", "imagehost.python"],
        check=True,
        env=clean_environment(),
    )
    push = output.push(output.commit({"index.html": b"x"}))
    assert push.code != 0
    assert len(push.said) == 1
    assert push.said[0].startswith("imagehost: refused: imagehost.python is not set on the host")
