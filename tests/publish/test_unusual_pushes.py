"""Pushes as git allows them: several refs, odd names, other histories; and pages of all kinds."""

from __future__ import annotations

import gzip
import subprocess
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from pelican_imagehost.publish.git import LeanGit
from pelican_imagehost.publish.pushed import Push, find_addresses, list_files
from tests.publish.test_author import Host, blog, commit, git, host, push, serving
from tests.publish.test_pushes import key, orphan, publish_all, pushed, try_push
from tests.test_plugin import post

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Site

__all__ = ["blog", "host"]

pytestmark = pytest.mark.usefixtures("identity")


def add_page(site: Site, host: Host, name: str, branch: str = "gh-pages") -> None:
    """Commit a built page with an image that no manifest lists to a branch of its own."""
    site.picture(f"content/{name}.png", text_seed=7)
    assert site.cli("add", "-s", "publishconf.py", f"content/{name}.png").returncode == 0
    orphan(site, {"index.html": f"<img src='{host.url}/{key(site, f'{name}.png')}'>"}, branch)


def test_the_site_and_its_pages_at_once(blog: Site, host: Host) -> None:
    commit(blog)
    add_page(blog, host, "page")
    with serving(host, after=0):
        done = try_push(blog, "origin", "main", "gh-pages")
    assert done.returncode == 0, done.stderr
    assert "3 images online" in done.stderr
    assert host.names() == {key(blog, f"{name}.png") for name in ("one", "two", "page")}


def test_a_branch_that_is_removed_with_a_push(blog: Site, host: Host) -> None:
    publish_all(blog, host)
    git("push", "--quiet", "--no-verify", "origin", "main:old", folder=blog.root)
    blog.picture("content/three.png", colour="blue")
    post(blog, "three.md", "![a](three.png)")
    commit(blog)
    with serving(host, after=0):
        done = try_push(blog, "origin", "main", ":old")
    assert done.returncode == 0, done.stderr
    assert key(blog, "three.png") in host.names()
    assert "refs/heads/old" not in pushed(blog)


@pytest.mark.parametrize("knows_remote", [True, False])
def test_history_that_was_rewritten(blog: Site, host: Host, *, knows_remote: bool) -> None:
    publish_all(blog, host)
    blog.picture("content/three.png", colour="blue")
    post(blog, "three.md", "![a](three.png)")
    blog.build(settings="publishconf.py")
    git("add", "--all", folder=blog.root)
    git("commit", "--quiet", "--amend", "-m", "Again", folder=blog.root)
    if not knows_remote:
        git("update-ref", "-d", "refs/remotes/origin/main", folder=blog.root)
        git("reflog", "expire", "--expire=now", "--all", folder=blog.root)
        git("gc", "--quiet", "--prune=now", folder=blog.root)
    with serving(host, after=0):
        done = push(blog, "--force")
    assert done.returncode == 0, done.stderr
    assert key(blog, "three.png") in host.names()


@pytest.mark.parametrize("source", ["HEAD", "HEAD@{1 second ago}", "main^0", "{commit}"])
def test_a_commit_that_is_not_named_by_a_branch(blog: Site, host: Host, source: str) -> None:
    commit(blog)
    git("checkout", "--quiet", "--detach", folder=blog.root)
    name = git("rev-parse", "HEAD", folder=blog.root).strip()
    with serving(host, after=0):
        done = try_push(blog, "origin", f"{source.replace('{commit}', name)}:refs/heads/main")
    assert done.returncode == 0, done.stderr
    assert "2 images online" in done.stderr
    assert name in pushed(blog)


def test_a_shallow_clone(blog: Site, host: Host, tmp_path: Path) -> None:
    publish_all(blog, host)
    post(blog, "one.md", "Other words ![a](one.png)")
    commit(blog)
    with serving(host, after=0):
        assert push(blog).returncode == 0
    clone = type(blog).__new__(type(blog))
    clone.root = tmp_path / "clone"
    url = f"file://{tmp_path}/site.git"
    git("clone", "--quiet", "--depth=1", "--branch=main", url, clone.root, folder=tmp_path)
    options = ("-s", "publishconf.py", "--clone", f"file://{host.repository}")
    assert clone.cli("init", *options).returncode == 0
    clone.picture("content/three.png", colour="blue")
    post(clone, "three.md", "![a](three.png)")
    commit(clone)
    with serving(host, after=0):
        done = push(clone)
    assert done.returncode == 0, done.stderr
    assert key(clone, "three.png") in host.names()


@pytest.mark.parametrize("option", ["--dry-run", "-n"])
def test_a_dry_run_publishes_nothing(blog: Site, host: Host, option: str) -> None:
    commit(blog)
    done = push(blog, option)
    assert done.returncode == 0, done.stderr
    assert "2 images would be published" in done.stderr
    assert not (host.repository / "refs/heads/main").exists()
    post(blog, "one.md", "![a](none.png)")
    git("commit", "--quiet", "--all", "-m", "No build", folder=blog.root)
    assert push(blog, option).returncode != 0


def test_an_address_in_place_of_a_remote(blog: Site, host: Host, tmp_path: Path) -> None:
    commit(blog)
    with serving(host, after=0):
        done = try_push(blog, str(tmp_path / "site.git"), "main")
    assert done.returncode == 0, done.stderr
    assert len(host.names()) == 2


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        ("<<<<<<< HEAD\n", "imagehost.jsonl:1: is not a JSON object"),
        ("\0\udcff\n", "imagehost.jsonl:1: is not a JSON object"),
        (None, "imagehost.jsonl"),
    ],
)
def test_another_branch_with_a_broken_manifest(
    blog: Site, host: Host, manifest: str | None, expected: str
) -> None:
    publish_all(blog, host)
    git("checkout", "--quiet", "-b", "broken", folder=blog.root)
    if manifest is None:
        (blog.root / "imagehost.jsonl").unlink()
        blog.write("imagehost.jsonl/a", "a folder")
    else:
        blog.write("imagehost.jsonl", manifest.encode(errors="surrogateescape"))
    git("add", "--all", folder=blog.root)
    git("commit", "--quiet", "-m", "x", folder=blog.root)
    done = try_push(blog, "origin", "broken")
    assert done.returncode != 0
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert "broken" not in pushed(blog)


def test_many_branches_and_tags_at_once(blog: Site, host: Host) -> None:
    publish_all(blog, host)
    lines = "".join(f"create refs/tags/version-{number} HEAD\n" for number in range(3000))
    command = ["git", "update-ref", "--stdin"]
    subprocess.run(command, cwd=blog.root, input=lines, text=True, check=True)
    done = try_push(blog, "--quiet", "origin", "--tags")
    assert done.returncode == 0, done.stderr


PREFIX = "http://127.0.0.1:8000/images/"
KEY = f"ab/ab{'0' * 62}.png"
ADDRESS = PREFIX + KEY
SPELLINGS: dict[str, str | bytes] = {
    "CRLF": f"<p>\r\n<img\r\nsrc='{ADDRESS}'\r\n>",
    "UTF-16": ADDRESS.encode("utf-16"),
    "UTF-16, other order": f"\ufeff{ADDRESS}".encode("utf-16-be"),
    "UTF-16, cut off": ADDRESS.encode("utf-16") + b"x",
    "in a query": f"?media={ADDRESS.replace(':', '%3A').replace('/', '%2F')}",
    "as references": f"src='{ADDRESS.replace('/', '&#x2F;')}'",
    "as numbers": f"src='{ADDRESS.replace('/', '&#47;').replace(':', '&#58;')}'",
    "in JSON": f'"{ADDRESS}"'.replace("/", "\\/"),
    "in JSON, escaped": f'"{ADDRESS}"'.replace("/", "\\u002F").replace(":", "\\u003a"),
    "in capitals": ADDRESS.upper(),
    "without its scheme": ADDRESS.partition(":")[2],
}
FILES: dict[str, bytes] = {
    "sitemap.xml": ADDRESS.encode(),
    "sitemap.xml.gz": gzip.compress(ADDRESS.encode()),
    "not.gz": ADDRESS.encode(),
    "feed": ADDRESS.encode(),
    "a b/ü\n.html": ADDRESS.encode(),
}


def addresses(folder: Path, files: dict[str, bytes]) -> dict[str, str]:
    """Return the addresses that are found in a commit of some files."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    git("init", "--quiet", folder=folder)
    git("add", "--all", folder=folder)
    git("commit", "--quiet", "-m", "x", folder=folder)
    repository = LeanGit(folder)
    built = repository.commit_of("HEAD")
    pushes = [Push(built, "", "", "", list_files(repository, built))]
    return find_addresses(repository, pushes, PREFIX)


@pytest.mark.parametrize("name", SPELLINGS)
def test_spellings_of_an_address(tmp_path: Path, name: str) -> None:
    text = SPELLINGS[name]
    data = text.encode() if isinstance(text, str) else text
    assert addresses(tmp_path / "built", {"index.html": data}) == {KEY: "index.html"}


@pytest.mark.parametrize("name", FILES)
def test_files_with_an_address(tmp_path: Path, name: str) -> None:
    assert addresses(tmp_path / "built", {name: FILES[name]}) == {KEY: name}


def test_a_compressed_page_beside_the_page_is_not_read(tmp_path: Path) -> None:
    other = gzip.compress(ADDRESS.replace("0", "1").encode())
    files = {"a.html": ADDRESS.encode(), "a.html.gz": other}
    assert addresses(tmp_path / "built", files) == {KEY: "a.html"}


@pytest.mark.parametrize("path", ["/bilder", "/bilder/ä", "/a%20b/~c"])
def test_a_host_below_a_path(blog: Site, host: Host, path: str) -> None:
    host.served = host.served / unquote(path[1:])
    host.served.mkdir(parents=True)
    blog.publishconf(IMAGEHOST_URL=f"{host.url}{path}/", IMAGEHOST_REMOTE=str(host.repository))
    commit(blog)
    with serving(host, after=0):
        done = push(blog, IMAGEHOST_WAIT="5")
    assert done.returncode == 0, done.stderr
    assert "2 images online" in done.stderr
