"""How wide pictures are is measured in the preview, and a setting suggested for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pelican_imagehost.watch.widths import Widths, suggest
from tests.site.test_variants import WIDTHS, photo
from tests.watch.test_browser import Stage
from tests.watch.watchkit import prepare, write_post

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.conftest import Site

COLUMN = {400: 380, 800: 720, 1280: 720, 1920: 720, 2560: 720}


@pytest.mark.parametrize(
    ("widths", "sizes"),
    [
        (COLUMN, "min(720px, 100vw)"),
        ({400: 400, 800: 400, 1280: 640, 1920: 960, 2560: 1280}, "(max-width: 1280px) 100vw, 50vw"),
        ({400: 400, 800: 800, 1280: 1280, 1920: 1920, 2560: 2560}, ""),
        ({400: 0, 800: 0, 1280: 0, 1920: 0, 2560: 0}, ""),
        ({400: 380}, ""),
        ({}, ""),
    ],
)
def test_a_setting_is_suggested_for_what_was_measured(widths: dict[int, int], sizes: str) -> None:
    assert suggest(widths) == sizes


def test_the_widest_picture_of_all_pages_counts(site: Site) -> None:
    said: list[str] = []
    widths = Widths(site.settings(), said.append)
    for most in (600, 720, 300):
        widths.take({str(window): [str(min(most, window))] for window in COLUMN})
    assert ["600 px" in said[0], *("720 px" in line for line in said[1:])] == [True] * 3


def test_a_setting_of_the_author_stays(site: Site) -> None:
    site.configure(IMAGEHOST_SIZES="50vw")
    said: list[str] = []
    Widths(site.settings(), said.append).take({str(w): [str(p)] for w, p in COLUMN.items()})
    assert not said


def test_what_strangers_send_is_ignored(site: Site) -> None:
    said: list[str] = []
    widths = Widths(site.settings(), said.append)
    widths.take({"x": ["1"], "1280": ["-1"], "1920": ["9" * 9], "²": ["٣"], "2560": [""]})
    widths.take({str(number): ["1"] for number in range(99)})
    assert not said


@pytest.mark.parametrize(
    ("style", "sizes"),
    [
        ("main{max-width:720px;margin:auto} img{max-width:100%}", ["min(720px, 100vw)"]),
        ("main{width:50%} img{width:100%}", ["(max-width: 1280px) 100vw, 50vw"]),
        ("body{margin:0} img{width:100%}", []),
    ],
    ids=["column", "share", "all"],
)
def test_a_browser_measures_the_theme(
    browser: Browser, site: Site, style: str, sizes: list[str]
) -> None:
    prepare(site, IMAGEHOST_WIDTHS=WIDTHS)
    site.write(
        "theme/templates/article.html",
        f"<html><head><style>{style}</style></head>"
        "<body><main>{{ article.content }}</main></body></html>",
    )
    site.write("content/cat.jpg", photo(width=3000))
    write_post(site, "post-1", "![A cat](cat.jpg)\n\n" * 3)
    site.build()
    said: list[str] = []
    with Stage(site) as stage:
        stage.preview.takers = {"widths": Widths(site.settings(), said.append).take}
        page = browser.new_page()
        with page.expect_response("**/widths?*") as answer:
            page.goto(f"{stage.preview.address}post-1.html")
        assert answer.value.ok
        assert page.locator("iframe").count() == 0
        page.close()
    assert len(said) == len(sizes)
    assert all(f'"{one}"' in line for one, line in zip(sizes, said, strict=True))


def test_a_picture_that_its_own_pixels_limit_says_nothing(browser: Browser, site: Site) -> None:
    prepare(site, IMAGEHOST_WIDTHS=WIDTHS)
    site.write("content/cat.jpg", photo())
    write_post(site, "post-1", "![A cat](cat.jpg)")
    site.build()
    with Stage(site) as stage:
        asked: list[str] = []
        stage.preview.takers = {"widths": Widths(site.settings(), asked.append).take}
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        with page.expect_event("framedetached"):  # it was measured
            page.goto(f"{stage.preview.address}post-1.html")
        page.close()
    assert not [url for url in asked if "widths?" in url]
