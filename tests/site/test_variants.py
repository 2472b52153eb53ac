"""Smaller variants: made once, named by pages, kept, published and deleted with their images."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import struct
import zlib
from io import BytesIO
from typing import TYPE_CHECKING

import PIL.Image
import PIL.ImageDraw
import pytest

from pelican_imagehost.gallery.page import Front, render_gallery
from pelican_imagehost.gallery.query import Query
from pelican_imagehost.gallery.view import Gallery
from pelican_imagehost.report import readable_size
from tests.images.variants.pictures import encode, screenshot
from tests.test_plugin import HOST, messages, post

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Site

WIDTHS = [200, 400]


def photo(seed: int = 1, width: int = 800) -> bytes:
    """Return a photograph, in so far as it has noise in it and is large."""
    size = (width, width * 3 // 4)
    small = PIL.Image.frombytes("RGB", (40, 30), random.Random(seed).randbytes(3600))  # noqa: S311  a test
    noise = PIL.Image.effect_noise(size, 40).convert("RGB")
    buffer = BytesIO()
    PIL.Image.blend(small.resize(size), noise, 0.3).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def scrambled() -> bytes:
    """Return a PNG of whole chunks whose pixels cannot be decoded."""
    data = random.Random(1).randbytes(40_000)  # noqa: S311  a test
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", 800, 600, 8, 2, 0, 0, 0)),
        (b"IDAT", data),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


@pytest.fixture
def blog(site: Site) -> Site:
    """A site with a photograph in a post."""
    site.configure(IMAGEHOST_WIDTHS=WIDTHS)
    site.write("content/cat.jpg", photo())
    post(site, "a.md", "![A cat](cat.jpg)")
    return site


def variants(site: Site) -> list[list[object]]:
    (line,) = site.manifest()
    return list(line["variants"])


def named(site: Site) -> set[str]:
    """Return the files of images that the page names."""
    return set(re.findall(r"[0-9a-f]{64}\.[a-z]+", site.output("a.html")))


def stored(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("??/*")}


def test_a_page_offers_the_variants_of_a_photo(blog: Site) -> None:
    text = messages(blog.build())
    assert "problem" not in text
    page = blog.output("a.html")
    assert page.count("<picture data-imagehost><source type=") == 1
    assert [width for width, *_ in variants(blog)] == WIDTHS[::-1]
    for width, _, digest, kind, size in variants(blog):
        name = f"{str(digest)[:2]}/{digest}.{kind}"
        assert f"images/{name} {width}w" in page
        assert (blog.root / "images" / name).stat().st_size == size
        with PIL.Image.open(blog.root / "output/images" / name) as image:
            assert (image.format, image.width) == ("AVIF", width)
    assert named(blog) == stored(blog.root / "output/images") == stored(blog.root / "images")


def test_nothing_is_made_twice(blog: Site) -> None:
    blog.build()
    before = (blog.root / "imagehost.jsonl").read_bytes()
    page = blog.output("a.html")
    kept = {path: path.stat().st_mtime_ns for path in (blog.root / "images").glob("??/*")}
    for lost in ("output", "cache"):
        shutil.rmtree(blog.root / lost, ignore_errors=True)
        blog.build()
        assert (blog.root / "imagehost.jsonl").read_bytes() == before
        assert {path: path.stat().st_mtime_ns for path in kept} == kept
        assert blog.output("a.html") == page
    assert b"0 images to make variants of" in blog.cli("variants", "--dry-run").stderr


def test_a_renamed_folder_makes_nothing_anew(blog: Site) -> None:
    blog.build()
    (line,) = blog.manifest()
    page = blog.output("a.html")
    blog.configure(IMAGEHOST_MAKE_VARIANTS=False)
    os.mkdir(blog.root / "content/trip")
    for name in ("cat.jpg", "a.md"):
        os.rename(blog.root / "content" / name, blog.root / "content/trip" / name)
    blog.build()
    assert blog.manifest()[-1] == {**line, "path": "content/trip/cat.jpg"}
    assert blog.output("a.html") == page.replace("misc", "trip")


def test_the_same_page_comes_from_a_clone_without_any_bytes(blog: Site) -> None:
    blog.configure(IMAGEHOST_URL=HOST)
    blog.build()
    page = blog.output("a.html")
    assert page.count(f"{HOST}/") == 3
    blog.remove_what_is_made()
    (blog.root / "content/cat.jpg").unlink()
    assert "problem" not in messages(blog.build())
    assert blog.output("a.html") == page


def test_lost_variants_are_made_again_where_the_output_needs_them(blog: Site) -> None:
    blog.build()
    for file in (blog.root / "images").glob("??/*.avif"):
        file.unlink()
    blog.configure(IMAGEHOST_MAKE_VARIANTS=False)
    shutil.rmtree(blog.root / "output")
    blog.build()
    assert named(blog) == stored(blog.root / "output/images")  # the photo alone
    assert "<picture" not in blog.output("a.html")
    blog.configure(IMAGEHOST_MAKE_VARIANTS=True)
    blog.build()
    assert named(blog) == stored(blog.root / "output/images")
    assert len(named(blog)) == 3


def test_they_can_be_made_later(blog: Site) -> None:
    blog.configure(IMAGEHOST_MAKE_VARIANTS=False)
    blog.build()
    assert "<picture" not in blog.output("a.html")
    assert "variants" not in blog.manifest()[0]
    done = blog.cli("variants")
    assert done.returncode == 0
    assert b"2 variants of 1 image made" in done.stderr
    blog.build()
    assert "<picture" in blog.output("a.html")


def test_a_screenshot_is_offered_without_loss_whatever_photos_become(blog: Site) -> None:
    blog.write("content/cat.png", encode(screenshot(), "png"))
    post(blog, "a.md", "![A window](cat.png)")
    blog.build()
    ((width, _, digest, kind, _),) = variants(blog)
    assert (width, kind) == (800, "webp")
    source = f'<source type="image/webp" srcset="/images/{str(digest)[:2]}/{digest}.webp"><img'
    assert blog.output("a.html").count(source) == 1


def test_webp_alone_needs_no_wrapper(blog: Site) -> None:
    blog.configure(IMAGEHOST_FORMATS=["webp"])
    blog.build()
    page = blog.output("a.html")
    assert "<picture" not in page
    assert len(re.findall(r'srcset="[^"]+ 200w, [^"]+ 400w" sizes="100vw"', page)) == 1


def test_none_is_made_if_no_format_is_wanted(blog: Site) -> None:
    blog.configure(IMAGEHOST_FORMATS=[])
    blog.build()
    assert "<picture" not in blog.output("a.html")
    assert "variants" not in blog.manifest()[0]


def test_an_authors_own_choices_stay(blog: Site) -> None:
    own = '<picture><source srcset="cat.jpg 800w"><img src="cat.jpg"></picture>'
    post(blog, "a.md", f'{own}\n\n<img src="cat.jpg" srcset="cat.jpg 800w">')
    blog.build()
    assert "<source type=" not in blog.output("a.html")


def test_a_file_that_cannot_be_decoded_is_named_once_and_stays(blog: Site) -> None:
    blog.write("content/cat.png", scrambled())
    post(blog, "a.md", "![A cat](cat.png)")
    blog.configure(IMAGEHOST_STRICT=True)
    text = messages(blog.build())
    assert text.count("content/cat.png: has no smaller variants, because it cannot be decoded") == 1
    assert len(named(blog)) == 1
    assert named(blog) == stored(blog.root / "output/images")
    assert "variants" not in messages(blog.build())  # it is not tried again


def test_a_store_that_cannot_be_written_is_named_and_no_problem(
    blog: Site, read_only_folder: Path, tmp_path: Path
) -> None:
    blog.configure(IMAGEHOST_MAKE_VARIANTS=False, IMAGEHOST_STRICT=True)
    blog.configure(IMAGEHOST_STORE=str(tmp_path / "writable/store"))
    blog.build()
    blog.configure(IMAGEHOST_MAKE_VARIANTS=True, IMAGEHOST_STORE=str(read_only_folder / "store"))
    assert messages(blog.build()).count("no variants were made: the store") == 1
    assert len(named(blog)) == 1


def test_gc_and_verify_know_them(blog: Site) -> None:
    blog.build()
    assert blog.cli("verify").returncode == 0
    blog.write("content/dog.jpg", photo(2))
    post(blog, "b.md", "![A dog](dog.jpg)")
    blog.build()
    assert len(stored(blog.root / "images")) == 6
    assert b"0 unused images" in blog.cli("gc", "--dry-run").stderr
    (blog.root / "content/b.md").unlink()
    blog.build()
    done = blog.cli("gc", "--yes", "--grace-days", "0")
    assert b"3 images" in done.stderr, done.stderr
    assert stored(blog.root / "images") == named(blog)


def test_two_authors_variants_are_joined(blog: Site) -> None:
    blog.build()
    file = blog.root / "imagehost.jsonl"
    line = json.loads(file.read_text("utf-8"))
    other = {**line, "variants": line["variants"][:1]}
    file.write_text(f"{json.dumps(line)}\n{json.dumps(other)}\n", "utf-8")
    assert "problem" not in messages(blog.build())
    assert len(named(blog)) == 2  # the shorter line, wherever it stands
    assert named(blog) <= stored(blog.root / "output/images")


def test_gallery_and_list_say_what_a_reader_loads(blog: Site) -> None:
    small = blog.picture("content/small.png").stat().st_size
    post(blog, "a.md", "![A cat](cat.jpg) ![Small](small.png)")
    blog.build()
    photograph, plain = blog.manifest()
    sizes = sorted(size for *_, size in photograph["variants"])
    listed, other = json.loads(blog.cli("list", "--json").stdout)
    assert [one["width"] for one in listed["variants"]] == WIDTHS
    for one, (width, height, digest, kind, size) in zip(
        listed["variants"], photograph["variants"][::-1], strict=True
    ):
        assert one == {
            "width": width,
            "height": height,
            "type": kind,
            "size": size,
            "url": f"/images/{digest[:2]}/{digest}.{kind}",
        }
    assert listed["loads"] == sizes
    assert (other["variants"], other["loads"]) == ([], [plain["size"]] * 2)
    least, most = (readable_size(size + small) for size in sizes)
    said = blog.cli("list").stdout.decode()
    assert f"2 variants, {readable_size(sum(sizes))}; a reader loads {least} to {most}" in said

    settings = blog.settings()
    gallery = Gallery(settings)
    for front in (Front(), Front("/.imagehost/", "/.imagehost/images", writable=False)):
        page = " ".join(render_gallery(gallery.view(Query()), settings, front).split())
        least, most, whole = map(readable_size, (*sizes, photograph["size"]))
        assert f"A reader loads {least} to {most} instead of {whole}<" in page
        assert f"<li>200 × 150 AVIF, {least}</li>" in page
        assert page.count("A reader loads") == 1  # the other's size says it
        assert f"and 2 variants of {readable_size(sum(sizes))}" in page


def test_what_a_reader_loads_is_what_pages_name(blog: Site) -> None:
    blog.configure(IMAGEHOST_FORMATS=["avif", "webp"])
    blog.build()
    by_kind: dict[str, list[int]] = {}
    for _, _, _, kind, size in blog.manifest()[0]["variants"]:
        by_kind.setdefault(kind, []).append(size)
    blog.configure(IMAGEHOST_MAKE_VARIANTS=False)
    for formats in (["avif", "webp"], ["webp"], []):
        blog.configure(IMAGEHOST_FORMATS=formats)
        (listed,) = json.loads(blog.cli("list", "--json").stdout)
        assert len(listed["variants"]) == 4
        sizes = by_kind[formats[0]] if formats else [listed["size"]]
        assert listed["loads"] == [min(sizes), max(sizes)]


def test_feeds_and_export_stay_plain(blog: Site) -> None:
    blog.configure(FEED_ALL_ATOM="feed.xml", SITEURL="https://blog.example.com")
    blog.build()
    assert "picture" not in blog.output("feed.xml")
    assert b"picture" not in blog.cli("export", "content/a.md").stdout


def test_the_types_that_an_author_may_use_do_not_limit_variants(blog: Site) -> None:
    blog.configure(IMAGEHOST_TYPES=["jpg"])
    assert "problem" not in messages(blog.build())
    assert len(named(blog)) == 3
    assert blog.cli("verify").returncode == 0
    (blog.root / "content/cat.jpg").unlink()
    shutil.rmtree(blog.root / "output")
    assert "problem" not in messages(blog.build())
    assert len(named(blog)) == 3
