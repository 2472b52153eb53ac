"""`verify` in a site whose manifest a stranger wrote, and whose disk changes bytes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pelican_imagehost.images.identify import identify
from pelican_imagehost.storage.index import Index, Stamp
from tests.publish.test_author import Host, blog, commit, host, push, serving
from tests.serve.serverkit import Server, server, upload_site
from tests.storage.test_store import damage
from tests.test_plugin import HOST, key_of, post

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Site

__all__ = ["blog", "host", "server", "upload_site"]


def line(site: Site, path: str, file: Path, **changes: object) -> str:
    """Return the line of an image at a path of the manifest, with some facts changed."""
    image = identify(file.read_bytes(), site.settings().limits)
    facts = dict(zip(("sha256", "type", "size", "width", "height"), image, strict=False))
    return json.dumps({"path": path, **facts, **changes}) + "\n"


def verify(site: Site, *options: str, code: int) -> tuple[list[str], str]:
    done = site.cli("verify", *options)
    assert done.returncode == code, done.stderr.decode()
    assert b"Traceback" not in done.stderr
    return done.stdout.decode().splitlines(), done.stderr.decode().strip()


def lines_of(site: Site) -> dict[str, dict[str, object]]:
    return {record["path"]: record for record in site.manifest()}


OUTSIDE = ["../secret.png", "content/../../secret.png", "{outside}/secret.png", "content/link.png",
           "content/folder/secret.png", "{outside}/../secret.png/../secret.png"]  # fmt: skip


@pytest.mark.parametrize("path", OUTSIDE)
def test_a_line_that_leads_out_of_the_site_is_not_followed(site: Site, path: str) -> None:
    secret = site.picture("../secret.png")
    (site.root / "content/link.png").symlink_to(secret)
    (site.root / "content/folder").symlink_to(site.root.parent)
    path = path.format(outside=site.root.parent)
    manifest = site.write("imagehost.jsonl", line(site, path, secret))
    expected = (
        f"imagehost.jsonl:1: {path} is outside the folders of the site and is not read; delete "
        "this line, or add the folder to IMAGEHOST_SEARCH_PATHS"
    )
    for options in ([], ["--repair"]):
        said, summary = verify(site, *options, code=1)
        assert said == [f"images/{key_of(secret)}: missing ({path})", expected]
        assert "1 bad line" in summary
    assert not (site.root / "images" / key_of(secret)).exists()
    assert manifest.read_text() == line(site, path, secret)


def test_a_line_of_a_search_path_is_followed(site: Site) -> None:
    shared = site.picture("../shared/cat.png")
    site.write("imagehost.jsonl", line(site, "../shared/cat.png", shared))
    site.configure(IMAGEHOST_SEARCH_PATHS=["../shared"])
    assert verify(site, "--repair", code=0)[0] == [
        f"images/{key_of(shared)}: missing (../shared/cat.png), restored"
    ]


@pytest.mark.timeout(60)
def test_a_line_of_a_pipe_or_a_device_is_not_opened(site: Site) -> None:
    cat = site.picture("cat.png")
    os.mkfifo(site.root / "content/pipe.png")
    (site.root / "content/zero.png").symlink_to("/dev/zero")
    site.write("imagehost.jsonl", "".join(
        line(site, f"content/{name}.png", cat) for name in ("pipe", "zero")
    ))  # fmt: skip
    os.mkfifo(site.root / "content/notes.txt")
    (site.root / "content/log.txt").symlink_to("/dev/zero")
    said, _ = verify(site, "--repair", code=1)
    assert said[0].startswith(f"images/{key_of(cat)}: missing (content/")
    assert site.cli("list").returncode == 0
    assert site.cli("gc", "--yes").returncode == 0


def test_bad_lines_are_named_and_the_others_work(site: Site) -> None:
    cat = site.picture("content/cat.png")
    good, broken = line(site, "content/cat.png", cat), "\x1b[2J<<<<<<< HEAD"
    bad = [
        line(site, "content/a.png", cat, size=10**400),
        line(site, "content/a\ud800.png", cat),
        line(site, "content/a\0.png", cat),
        line(site, "content/a.png", cat, width=True),
        line(site, "content/a.png", cat, height=3.0),
        '{"path": ' + "[" * 100_000 + "\n",
    ]
    post(site, "a.md", "![a](cat.png)")
    site.write("imagehost.jsonl", "".join([broken, "\n", *bad, good]))
    said, _ = verify(site, code=1)
    assert [text.partition(" ")[0] for text in said] == [
        f"images/{key_of(cat)}:",
        *(f"imagehost.jsonl:{number}:" for number in range(1, 8)),
    ]
    assert all(text.isprintable() for text in said)
    cat.unlink()
    site.configure(IMAGEHOST_URL=HOST)
    done = site.build()
    assert "Traceback" not in done.stdout + done.stderr
    assert f"{HOST}/{key_of_line(good)}" in site.output("a.html")
    kept = (site.root / "imagehost.jsonl").read_bytes()
    for command in ("list", "check", "gc"):
        assert b"Traceback" not in site.cli(command, *["--yes"][: command == "gc"]).stderr
    site.picture("content/dog.png", colour="blue")
    post(site, "b.md", "![b](dog.png)")
    site.build()
    written = (site.root / "imagehost.jsonl").read_bytes()
    assert all(one.strip().encode() in written for one in (broken, *bad)), kept


def key_of_line(text: str) -> str:
    record = json.loads(text)
    return f"{record['sha256'][:2]}/{record['sha256']}.{record['type']}"


WRONG = {"size": 5, "width": 7, "height": 2**40, "type": "gif"}


@pytest.mark.parametrize("fact", WRONG)
def test_a_wrong_fact_in_a_line_is_named_and_corrected(site: Site, fact: str) -> None:
    cat = site.picture("content/cat.png")
    post(site, "a.md", "![a](cat.png)")
    site.build()
    right = lines_of(site)["content/cat.png"]
    good = (site.root / "imagehost.jsonl").read_text()
    wrong = line(site, "content/cat.png", cat, alt="A cat", **{fact: WRONG[fact]})
    site.write("imagehost.jsonl", wrong)
    expected = (
        f"imagehost.jsonl:1: content/cat.png has the {fact} {WRONG[fact]}, but it is {right[fact]}"
    )
    said, summary = verify(site, code=1)
    assert said == [expected]
    assert "1 bad line" in summary
    said, summary = verify(site, "--repair", code=0)
    assert said == [f"{expected}, corrected"]
    assert summary.endswith("1 repaired")
    assert lines_of(site)["content/cat.png"] == {**right, "alt": "A cat"}
    assert verify(site, code=0)[0] == []
    site.write("imagehost.jsonl", wrong)
    site.build()  # the file answers before its line
    assert lines_of(site)["content/cat.png"] == {**right, "alt": "A cat"}
    site.write("imagehost.jsonl", line(site, "content/cat.png", cat, **{fact: WRONG[fact]}))
    assert site.cli("add", "content/cat.png").returncode == 0
    assert (site.root / "imagehost.jsonl").read_text() == good


def test_a_wrong_size_of_a_missing_image_is_corrected_with_its_file(site: Site) -> None:
    cat = site.picture("content/cat.png")
    site.write("imagehost.jsonl", line(site, "content/cat.png", cat, size=5))
    said, _ = verify(site, "--repair", code=0)
    assert said == [f"images/{key_of(cat)}: missing (content/cat.png), restored"]
    assert lines_of(site)["content/cat.png"]["size"] == cat.stat().st_size


def test_a_frozen_manifest_is_not_corrected(site: Site) -> None:
    cat = site.picture("content/cat.png")
    post(site, "a.md", "![a](cat.png)")
    site.build()
    text = line(site, "content/cat.png", cat, size=5)
    site.write("imagehost.jsonl", text)
    site.configure(IMAGEHOST_FROZEN=True)
    said, _ = verify(site, "--repair", code=1)
    assert len(said) == 1
    assert not said[0].endswith("corrected")
    assert (site.root / "imagehost.jsonl").read_text() == text


def remember(site: Site, file: Path) -> None:
    """Let the index know a file, as a build some seconds later would."""
    image = identify(file.read_bytes(), site.settings().limits)
    with closing(Index(site.settings().index)) as index:
        index.record_files({str(file): (Stamp.of(file.stat()), image)})


def test_a_damaged_file_is_replaced_by_a_build_and_by_add(site: Site) -> None:
    cat = site.picture("content/cat.png")
    post(site, "a.md", "![a](cat.png)")
    site.build()
    stored, copy = (site.root / folder / key_of(cat) for folder in ("images", "output/images"))
    bad = cat.read_bytes()[:-1] + b"\0"
    for file in (stored, copy):
        damage(file, bad)
    (site.root / "cache/imagehost.sqlite3").unlink()
    site.build()
    assert stored.read_bytes() == copy.read_bytes() == cat.read_bytes()
    remember(site, cat)
    damage(stored, bad)
    site.build()
    assert stored.read_bytes() == bad  # a build does not read what it knows; verify finds it
    assert site.cli("add", "content/cat.png").returncode == 0
    assert stored.read_bytes() == cat.read_bytes()
    damage(stored, bad)
    outside = shutil.copy(cat, site.root.parent / "cat.png")
    assert site.cli("add", outside).returncode == 0
    assert stored.read_bytes() == cat.read_bytes()
    assert verify(site, code=0)[0] == []


def test_a_damaged_file_is_replaced_by_an_upload(upload_site: Site, server: Server) -> None:
    data = upload_site.picture("cat.png").read_bytes()
    stored = upload_site.root / "images" / key_of(upload_site.root / "cat.png")
    for _ in range(2):
        assert server.upload(data).status == 200
        assert server.upload(data).status == 200
        assert stored.read_bytes() == data
        damage(stored, data[:-1] + b"\0")
    assert server.upload(data).status == 200
    assert stored.read_bytes() == data


@pytest.mark.usefixtures("identity")
def test_damage_reaches_neither_the_repository_nor_the_host(blog: Site, host: Host) -> None:
    one = blog.root / "content/one.png"
    stored = blog.root / "images" / key_of(one)
    good, bad = one.read_bytes(), one.read_bytes()[:-1] + b"\0"
    blog.build(settings="publishconf.py")
    remember(blog, one)
    damage(stored, bad)
    refused = blog.cli("publish", "-s", "publishconf.py", "--no-confirm")
    assert refused.returncode == 1
    assert f"{key_of(one)} is corrupt; run: pelican-imagehost verify --repair" in (
        refused.stderr.decode()
    )
    assert blog.cli("add", "-s", "publishconf.py", str(one)).returncode == 0
    commit(blog)
    with serving(host, after=0):
        assert push(blog).returncode == 0
    damage(stored, bad)  # after it was committed
    remember(blog, one)
    done = blog.cli("publish", "-s", "publishconf.py", "--no-confirm")
    assert "no new images" in done.stderr.decode()
    assert (host.served / key_of(one)).read_bytes() == good
    one.unlink()
    said, _ = verify(blog, "-s", "publishconf.py", "--repair", code=0)
    assert said == [f"images/{key_of_bytes(good)}: corrupt, restored"]
    assert stored.read_bytes() == good


def key_of_bytes(data: bytes) -> str:
    digest = hashlib.sha256(data).hexdigest()
    return f"{digest[:2]}/{digest}.png"
