from __future__ import annotations

import os
import shutil
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pelican_imagehost.errors import RecordsError
from pelican_imagehost.gallery.query import Query
from pelican_imagehost.gallery.view import PAGE_SIZE, Gallery
from pelican_imagehost.images.image import Image
from pelican_imagehost.storage.book import Arrival
from pelican_imagehost.storage.records import Records
from tests.test_plugin import HOST, key_of, post

if TYPE_CHECKING:
    from tests.conftest import Site


def record(site: Site, *arrivals: Arrival) -> None:
    with closing(Records(site.settings().records)) as records:
        records.add(arrivals)


def test_an_empty_site_has_an_empty_page(site: Site) -> None:
    view = Gallery(site.settings()).view(Query(page=7))
    assert (view.images, view.found, view.pages, view.query.page) == ([], 0, 1, 1)
    assert view.totals == (0, 0, 0, 0, 0, 0, 0)
    assert view.built
    assert not (site.root / "cache").exists()
    assert not site.settings().records.exists()


def test_a_page_shows_what_is_known_and_follows_changes(site: Site) -> None:
    site.configure(IMAGEHOST_URL=HOST)
    cat = site.picture("content/cat.jpg")
    shutil.copy(cat, site.root / "content/same.jpg")
    post(site, "a.md", "![a](cat.jpg) ![a](same.jpg)\n\n![a](gone.png)")
    gallery = Gallery(site.settings())
    assert gallery.view(Query()).images == []
    site.build()
    view = gallery.view(Query())
    (shown,) = view.images
    assert shown.url == f"{HOST}/{key_of(cat)}"
    assert (shown.paths, shown.documents) == (
        ["content/cat.jpg", "content/same.jpg"],
        ["content/a.md"],
    )
    size = cat.stat().st_size
    assert view.totals == (1, size, size, 0, 1, 0, 0)
    assert view.stored == {key_of(cat)}
    assert view.built
    ((document, line, url, message),) = view.problems
    assert (document, line, url) == ("content/a.md", 6, "gone.png")
    assert message.startswith("no such file")

    other = Image("f" * 64, "png", 1000, 1, 1)
    record(site, Arrival(other, "upload.png", "phone"))
    post(site, "b.md", f"![b](/images/{other.key})")
    names = [(image.name, image.documents) for image in gallery.view(Query()).images]
    assert sorted(names) == [
        ("cat.jpg", ["content/a.md"]),
        ("upload.png", ["content/b.md"]),
    ]
    post(site, "b.md", "nothing")
    record(site, Arrival(other, "again.png", "phone"), Arrival(other, "again.png", "phone"))
    (upload,) = gallery.view(Query(unused=True)).images
    assert (upload.name, upload.times, upload.saved) == ("upload.png", 3, 2000)
    assert gallery.view(Query()).stored == {key_of(cat)}


def test_uploads_of_the_sites_own_bytes_are_one_image(site: Site) -> None:
    cat = site.picture("content/cat.jpg")
    post(site, "a.md", "![a](cat.jpg)")
    site.build()
    image = Image(key_of(cat)[3:67], "jpg", cat.stat().st_size, 40, 30)
    record(site, Arrival(image, "IMG_0001.jpg", "phone"))
    (shown,) = Gallery(site.settings()).view(Query()).images
    assert (shown.name, shown.paths, shown.times) == ("IMG_0001.jpg", ["content/cat.jpg"], 1)
    assert shown.saved == image.size


def test_a_site_that_was_not_built_here_says_so(site: Site) -> None:
    cat = site.picture("content/cat.jpg")
    post(site, "a.md", "![a](cat.jpg)")
    site.build()
    shutil.rmtree(site.root / "cache")
    assert not Gallery(site.settings()).view(Query()).built
    assert cat.exists()


def test_pages_hold_all_images_once(site: Site) -> None:
    images = [Image(f"{number:064x}", "png", number + 1, 1, 1) for number in range(100)]
    record(site, *(Arrival(image, f"{image.size}.png", "phone") for image in images))
    gallery = Gallery(site.settings())
    pages = [gallery.view(Query(page=number, sort="largest")) for number in (1, 2, 3, 4)]
    assert [len(page.images) for page in pages] == [PAGE_SIZE, PAGE_SIZE, 4, 4]
    assert [image.size for page in pages[:3] for image in page.images] == [*range(100, 0, -1)]
    assert pages[3].query.page == 3


def test_records_of_a_newer_version_are_a_sentence(site: Site) -> None:
    record(site)
    site.settings().records.write_bytes(b"not a database" * 99)
    with pytest.raises(RecordsError, match="cannot be used"):
        Gallery(site.settings()).view(Query())


def test_a_commit_shows_even_if_the_log_looks_as_before(site: Site) -> None:
    gallery = Gallery(site.settings())
    with closing(Records(site.settings().records)) as records:
        records.add([Arrival(Image("a" * 64, "png", 1000, 1, 1), "a.png", "phone")])
        records._connection.execute("PRAGMA wal_checkpoint(RESTART)")  # noqa: SLF001  else at 4 MB
        log = site.settings().records.with_name(f"{site.settings().records.name}-wal")
        before = log.stat()
        assert gallery.view(Query()).found == 1
        records.add([Arrival(Image("b" * 64, "png", 1000, 1, 1), "b.png", "phone")])
        os.utime(log, ns=(before.st_atime_ns, before.st_mtime_ns))
        after = log.stat()
        assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
        assert gallery.view(Query()).found == 2
