"""The HTML of the pages; tests/serve/test_gallery.py tests them in a browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from pelican_imagehost.gallery.assets import find_asset, load_assets
from pelican_imagehost.gallery.listing import Deletion
from pelican_imagehost.gallery.page import (
    Front,
    headers,
    render_deleted,
    render_gallery,
    render_login,
)
from pelican_imagehost.gallery.query import Query
from pelican_imagehost.gallery.view import PAGE_SIZE, Gallery
from pelican_imagehost.images.image import Image
from pelican_imagehost.storage.book import Arrival
from tests.gallery.test_view import record
from tests.test_plugin import HOST, post

if TYPE_CHECKING:
    from tests.conftest import Site

EVIL = "\"'><script>alert(1)</script>&amp;.png"


def render(site: Site, front: Front = Front(), **query: str) -> str:  # noqa: B008  a constant
    settings = site.settings()
    return render_gallery(Gallery(settings).view(Query.parse(query)), settings, front)


def test_names_are_text_wherever_they_stand(site: Site) -> None:
    record(site, Arrival(Image("a" * 64, "png", 5, 1, 1), EVIL, "phone"))
    post(site, "a.md", f"![x]({EVIL})\n\n![x](<gone.png?<script>>)")
    site.build()
    pages = [
        render(site, text=EVIL),
        render(site),
        render_login(Front(), EVIL),
        render_deleted([Deletion("a" * 64, EVIL, deleted=True, message=EVIL)], Front()),
    ]
    for page in pages:
        assert "<script>" not in page
        assert "alert(1)" in page
    assert pages[1].count("<script") == 1  # of the page


def test_a_page_that_cannot_write_offers_nothing_of_that_kind(site: Site) -> None:
    record(site, Arrival(Image("a" * 64, "png", 5, 1, 1), "a.png", "phone"))
    page = render(site, Front("/.imagehost/", "/.imagehost/images", writable=False))
    assert "<dialog" not in page
    assert "checkbox" not in page
    assert "logout" not in page
    assert 'method="post"' not in page
    assert set(re.findall(r'(?:src|href|action)="(/[^"]*)"', page)) >= {"/.imagehost/images"}
    assert all(
        address.startswith("/.imagehost/")
        for address in re.findall(r'(?:src|href|action)="(/[^"]*)"', page)
    )


def test_bytes_that_are_elsewhere_are_shown_from_there(site: Site) -> None:
    image = Image("a" * 64, "png", 5, 1, 1)
    record(site, Arrival(image, "a.png", "phone"))
    assert "not stored here" in render(site)
    site.configure(IMAGEHOST_URL=HOST)
    assert f'src="{HOST}/{image.key}"' in render(site)
    assert f"img-src 'self' {HOST};" in headers(site.settings())["Content-Security-Policy"]
    stored = site.root / "images" / image.key
    stored.parent.mkdir(parents=True)
    stored.write_bytes(b"12345")
    assert f'src="/thumbnails/{image.key}"' in render(site)


def test_pages_lead_to_each_other_and_keep_the_question(site: Site) -> None:
    images = [Image(f"{number:064x}", "png", number + 1, 1, 1) for number in range(PAGE_SIZE * 9)]
    record(site, *(Arrival(image, "a b&c.png", "phone") for image in images))
    page = render(site, text="b&c", page="5")
    assert page.count('class="card"') == PAGE_SIZE
    offered = re.findall(r'aria-label="Page (\d)"', page)
    assert offered == ["1", "3", "4", "5", "6", "7", "9"]
    assert 'rel="prev" href="/?text=b%26c&amp;page=4"' in page
    assert 'rel="next" href="/?text=b%26c&amp;page=6"' in page
    assert '<a href="/?text=b%26c&amp;page=5" aria-label="Page 5" aria-current="page">' in page


def test_assets_are_found_by_their_content_alone() -> None:
    for asset in load_assets().values():
        assert find_asset(asset.path) == asset
    for path in ("", "gallery.js", "000000000000/gallery.js", "../page.py", "x/../gallery.js"):
        assert find_asset(path) is None


def luminance(colour: str) -> float:
    """Return the relative luminance (WCAG 2.2)."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_what_is_behind_them(scheme: str) -> None:
    css = load_assets()["gallery.css"].data.decode()
    found = re.findall(r":root \{(.*?)\}", css, re.DOTALL)[["light", "dark"].index(scheme)]
    colour = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", found))
    texts = [(text, ground) for text in ("ink", "quiet", "accent", "good", "bad", "warn")
             for ground in ("wall", "card")]  # fmt: skip
    texts += [("on-accent", "accent"), ("on-bad", "bad"), ("warn", "warn-soft"), ("wall", "ink"),
              ("ink", "soft"), ("accent", "soft"), ("quiet", "mat")]  # fmt: skip
    for text, ground in texts:
        assert contrast(colour[text], colour[ground]) >= 4.5, (text, ground)
    for ground in ("wall", "card"):
        assert contrast(colour["edge"], colour[ground]) >= 3, ground
