"""The preview in a real browser."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from pelican_imagehost.watch.preview import Preview
from tests.watch.watchkit import TIMEOUT, Desk, prepare, write_post

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, FloatRect, Locator

    from pelican_imagehost.watch.messages import Problems
    from tests.conftest import Site

LONG = "\n\n".join(f"Paragraph {number}." for number in range(200))
LOADED = "() => [...document.images].every((one) => one.complete && one.naturalWidth)"


class Stage(Desk):
    """A session that sends its news to a preview."""

    def __init__(self, site: Site) -> None:
        self.preview = Preview(0)
        self.preview.root = str(site.root / "output")
        self.preview.start()
        super().__init__(site)

    def __exit__(self, *arguments: object) -> None:
        self.preview.close()
        super().__exit__(*arguments)

    def changed(self, paths: tuple[str, ...], seconds: float, *, whole: bool) -> None:
        self.preview.changed(paths)
        super().changed(paths, seconds, whole=whole)

    def problems(self, problems: Problems) -> None:
        self.preview.wrong(problems)
        super().problems(problems)


@pytest.fixture
def stage(site: Site) -> Iterator[Stage]:
    prepare(site)
    write_post(site, "post-1", "![p](picture-1.png)\n\n<input id=name>\n\n" + LONG)
    with Stage(site) as staged:
        staged.settle()
        yield staged


def test_a_picture_changes_and_all_else_stays(browser: Browser, stage: Stage) -> None:
    page = browser.new_page()
    page.goto(f"{stage.preview.address}post-1.html")
    page.wait_for_function(LOADED)
    before = page.locator("img").get_attribute("src")
    page.fill("#name", "half written")
    page.evaluate("() => { window.mark = 1; scrollTo(0, 1500); }")
    stage.site.picture("content/picture-1.png", text_seed=500, colour="blue", size=(40, 30))
    page.wait_for_function(
        "(old) => document.querySelector('img').src.indexOf(old) < 0", arg=before
    )
    page.wait_for_function(LOADED)
    assert page.evaluate("() => [window.mark, scrollY]") == [1, 1500]
    assert page.input_value("#name") == "half written"
    page.close()


def test_the_banner_comes_and_goes(browser: Browser, stage: Stage) -> None:
    page = browser.new_page()
    page.goto(f"{stage.preview.address}post-1.html")
    write_post(stage.site, "post-1", "![p](late.png)")
    banner = page.locator("pelican-imagehost-problems [role=alert]")
    banner.wait_for()
    assert "content/post-1.md:4: late.png" in banner.inner_text()
    page.reload()
    banner.wait_for()
    stage.site.picture("content/late.png", text_seed=77)
    banner.wait_for(state="detached")
    page.wait_for_function(LOADED)
    page.close()


def box_of(banner: Locator) -> FloatRect | None:
    """Return the box of the banner; wait while a build has it drawn again."""
    deadline = time.monotonic() + TIMEOUT
    while (box := banner.bounding_box()) is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return box


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 720), (320, 480)], ids=["wide", "narrow"])
def test_the_banner_covers_a_quarter_at_most_and_folds_away(
    browser: Browser, stage: Stage, tmp_path: Path, size: tuple[int, int], scheme: str
) -> None:
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    page.goto(f"{stage.preview.address}post-1.html")
    lost = "\n\n".join(f"![p](lost-{number}.png)" for number in range(12))
    write_post(stage.site, "post-2", lost)
    write_post(stage.site, "post-1", "![p](late.png)\n\n" + LONG)
    banner = page.locator("pelican-imagehost-problems section")
    banner.get_by_text("1 problem on this page").wait_for()
    summary = banner.get_by_text("12 problems on other pages")
    summary.wait_for()
    assert "late.png" in banner.inner_text()
    assert "lost-3.png" not in banner.inner_text()
    summary.press("Enter")
    banner.get_by_text("lost-3.png").wait_for()
    box = box_of(banner)
    assert box is not None
    assert box["height"] <= height / 4 + 1
    assert box["width"] <= width
    page.screenshot(path=tmp_path / "open.png")
    banner.get_by_role("button", name="Hide").press("Enter")
    banner.get_by_role("button", name="Show 13 problems").wait_for()
    box = box_of(banner)
    assert box is not None
    assert box["height"] <= 40
    page.reload()
    banner.get_by_role("button", name="Show 13 problems").wait_for()
    page.screenshot(path=tmp_path / "folded.png")
    context.close()


def test_a_background_tab_catches_up_when_it_is_shown(browser: Browser, stage: Stage) -> None:
    page = browser.new_page()
    page.goto(f"{stage.preview.address}post-1.html")
    # Headless Chromium shows every tab, so hiding one must be simulated.
    page.evaluate(
        "() => { window.seen = 'hidden'; Object.defineProperty(document, 'visibilityState',"
        " { get: () => window.seen }); document.dispatchEvent(new Event('visibilitychange')); }"
    )
    write_post(stage.site, "post-1", "Written behind.")
    stage.settle()
    assert "Written behind." not in page.inner_text("body")
    page.evaluate(
        "() => { window.seen = 'visible'; document.dispatchEvent(new Event('visibilitychange')); }"
    )
    page.get_by_text("Written behind.").wait_for()
    page.close()


def test_a_stylesheet_changes_without_a_reload(browser: Browser, stage: Stage) -> None:
    base = stage.site.root / "theme/templates/base.html"
    link = '<link rel="stylesheet" href="{{ SITEURL }}/theme/style.css"></head>'
    base.write_text(base.read_text("utf-8").replace("</head>", link), "utf-8")
    stage.settle()
    page = browser.new_page()
    page.goto(f"{stage.preview.address}post-1.html")
    page.evaluate("() => { window.mark = 1; }")
    stage.site.write("theme/static/style.css", "body { color: rgb(0, 0, 255) }\n")
    page.wait_for_function("() => getComputedStyle(document.body).color === 'rgb(0, 0, 255)'")
    assert page.evaluate("() => window.mark") == 1
    page.close()
