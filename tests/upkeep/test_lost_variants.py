"""Variants that the store has lost: named, made again, and missed where they must be online."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from tests.images.variants.pictures import encode, screenshot
from tests.publish.test_author import Host, blog, commit, host, serving
from tests.site.test_variants import WIDTHS, photo, stored
from tests.storage.test_store import damage
from tests.test_plugin import HOST, post
from tests.upkeep.test_verify import verify

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Site

__all__ = ["blog", "host"]


@pytest.fixture
def album(site: Site) -> Site:
    """A site with a photograph and its two variants."""
    return prepare(site)


def prepare(site: Site) -> Site:
    site.configure(IMAGEHOST_FORMATS=["avif"], IMAGEHOST_WIDTHS=WIDTHS)
    site.write("content/cat.jpg", photo())
    post(site, "a.md", "![A cat](cat.jpg)")
    site.build()
    return site


def files(site: Site) -> list[Path]:
    """Return the files of the variants, from the widest, and that of the photograph."""
    (line,) = [one for one in site.manifest() if one["path"] == "content/cat.jpg"]
    keys = [f"{digest[:2]}/{digest}.{kind}" for _, _, digest, kind, _ in line["variants"]]
    return [
        site.root / "images" / key for key in (*keys, f"{line['sha256'][:2]}/{line['sha256']}.jpg")
    ]


def name(site: Site, file: Path) -> str:
    return str(file.relative_to(site.root))


def test_lost_variants_are_named_and_made_again(album: Site) -> None:
    large, small, _ = files(album)
    before = stored(album.root / "images")
    damage(large, large.read_bytes()[:-1] + b"?")
    small.unlink()
    lines, summary = verify(album, code=1)
    assert lines == [
        f"{name(album, large)}: corrupt (content/cat.jpg, 400 pixels wide, as avif)",
        f"{name(album, small)}: missing (content/cat.jpg, 200 pixels wide, as avif)",
    ]
    assert "1 intact, 1 corrupt, 1 missing" in summary
    manifest = (album.root / "imagehost.jsonl").read_bytes()
    repaired, summary = verify(album, "--repair", code=0)
    assert repaired == [f"{line}, made again" for line in lines]
    assert summary.endswith("2 repaired")
    assert stored(album.root / "images") == before
    assert (album.root / "imagehost.jsonl").read_bytes() == manifest
    verify(album, code=0)


def replace_variant(site: Site, width: int, data: bytes) -> Path:
    """Let another encoder have made a variant."""
    digest = hashlib.sha256(data).hexdigest()
    lines = site.manifest()
    for line in lines:
        for one in line.get("variants", []):
            if one[0] == width:
                one[2], one[4] = digest, len(data)
    site.write("imagehost.jsonl", "".join(f"{json.dumps(line)}\n" for line in lines))
    return site.write(f"images/{digest[:2]}/{digest}.avif", data)


def test_what_another_encoder_made_is_replaced_in_the_line(album: Site) -> None:
    ours, kept, original = files(album)
    theirs = replace_variant(album, 400, encode(screenshot((400, 300)), "avif", quality=90))
    also = replace_variant(album, 200, encode(screenshot((200, 150)), "avif", quality=90))
    verify(album, code=0)
    theirs.unlink()
    ours.unlink()
    lines, _ = verify(album, "--repair", code=0)
    missing = "missing (content/cat.jpg, 400 pixels wide, as avif)"
    assert lines == [f"{name(album, theirs)}: {missing}, its line is renewed"]
    assert files(album) == [ours, also, original]  # what is not lost has its address
    assert ours.exists()
    assert kept.exists()
    verify(album, code=0)
    album.build()
    assert {ours.name, also.name} < set(album.output("a.html").replace("/", " ").split())


def test_without_the_image_no_variant_is_made_again(album: Site) -> None:
    _, small, original = files(album)
    small.unlink()
    original.unlink()
    cat = album.root / "content/cat.jpg"
    data = cat.read_bytes()
    cat.unlink()
    lines, _ = verify(album, "--repair", code=1)
    missing = "missing (content/cat.jpg, 200 pixels wide, as avif)"
    assert lines == [
        f"{name(album, original)}: missing (content/cat.jpg)",
        f"{name(album, small)}: {missing}, its image is missing too",
    ]
    cat.write_bytes(data)
    lines, _ = verify(album, "--repair", code=0)
    assert [line.rpartition(", ")[2] for line in lines] == ["restored", "made again"]


def test_variants_that_nobody_wants_any_more_leave_their_line(album: Site) -> None:
    large, small, original = files(album)
    album.configure(IMAGEHOST_FORMATS=[])
    small.unlink()
    lines, _ = verify(album, "--repair", code=0)
    assert lines[0].endswith("its line is renewed")
    assert files(album) == [large, original]
    album.configure(IMAGEHOST_FORMATS=["avif"])
    album.build()
    assert files(album) == [large, small, original]
    verify(album, code=0)


def test_a_frozen_manifest_stays_as_it_is(album: Site) -> None:
    manifest = (album.root / "imagehost.jsonl").read_bytes()
    files(album)[1].unlink()
    album.configure(IMAGEHOST_URL=HOST, IMAGEHOST_FROZEN=True)
    verify(album, "--repair", code=1)
    assert (album.root / "imagehost.jsonl").read_bytes() == manifest


@pytest.mark.usefixtures("identity")
def test_publish_and_check_miss_lost_variants(blog: Site, host: Host) -> None:
    prepare(blog)
    commit(blog)
    large, small, original = files(blog)
    small.unlink()
    done = blog.cli("publish", "-s", "publishconf.py", "--no-confirm")
    assert done.returncode == 1
    said = done.stderr.decode()
    assert f"{small.name} is neither in the store nor on the host" in said
    assert "run: pelican-imagehost verify --repair" in said
    assert small.name not in " ".join(
        host.names() if (host.repository / "refs/heads/main").exists() else ()
    )
    verify(blog, "-s", "publishconf.py", "--repair", code=0)
    with serving(host, after=0):
        done = blog.cli("publish", "-s", "publishconf.py")
    assert done.returncode == 0, done.stderr
    keys = {f"{file.parent.name}/{file.name}" for file in (large, small, original)}
    assert keys <= host.names()
    assert blog.cli("check", "--published", "-s", "publishconf.py").returncode == 0

    (host.served / small.parent.name / small.name).unlink()
    done = blog.cli("check", "--published", "-s", "publishconf.py")
    assert done.returncode == 1
    assert done.stdout.decode().splitlines() == [
        f"{host.url}/{small.parent.name}/{small.name}: not online: 404 File not found"
    ]
    small.unlink()  # git still has it
    lines, _ = verify(blog, "-s", "publishconf.py", "--repair", code=0)
    assert lines == [
        f"{name(blog, small)}: missing (content/cat.jpg, 200 pixels wide, as avif), restored"
    ]
