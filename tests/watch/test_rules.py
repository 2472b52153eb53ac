"""Rules of a theme that do not work on images within `<picture>` are found in the preview."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from pelican_imagehost.watch.rules import Rules
from tests.site.test_variants import WIDTHS, photo
from tests.watch.test_browser import Stage
from tests.watch.watchkit import prepare, write_post

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.conftest import Site

BODY = """
![A cat](cat.jpg)
*The cat of the house*

<div class="thumb"><img src="cat.jpg" alt="a cat"></div>
"""
RULES = {
    ".thumb > img { border: 1px solid }": [".thumb > img"],
    "@media print { @supports (color: red) { .thumb>img { color: red } } }": [".thumb > img"],
    "img + em {}": ["img + em"],
    "img:first-child { margin: 0 } p img:last-child { margin: 1px }": [
        "img:first-child",
        "p img:last-child",
    ],
    ".thumb > img, .thumb > picture > img { border: 1px solid }": [],
    "img + em, picture + em { font-size: 80% }": [],
    ".thumb img, p img { max-width: 100% } a > img, figure > img { border: 0 }": [],
    ".imgs > b { color: red }": [],
}


def found_in(browser: Browser, site: Site, page: str, *, any_is: bool) -> list[str]:
    """Return the rules that are reported for a page."""
    said: list[str] = []
    with Stage(site) as stage:
        stage.preview.takers = {"rules": Rules(said.append).take}
        tab = browser.new_page()
        asked: list[str] = []
        tab.on("request", lambda request: asked.append(request.url))
        end = tab.expect_response("**/rules?*") if any_is else tab.expect_event("framedetached")
        with end:
            tab.goto(f"{stage.preview.address}{page}")
        tab.evaluate("fetch('/')")  # behind what else is asked for
        assert any("/rules?" in url for url in asked) == any_is
        assert tab.locator("iframe").count() == 0
        tab.close()
    return [re.findall("rule for (.*) works differently", line)[0] for line in said]


@pytest.mark.parametrize(
    ("rules", "kind"),
    [
        *((rules, "style") for rules in RULES),
        (next(iter(RULES)), "link"),
        ("img + em {}", "import"),
    ],
)
def test_a_browser_finds_the_rules(browser: Browser, site: Site, rules: str, kind: str) -> None:
    prepare(site, IMAGEHOST_WIDTHS=WIDTHS)
    site.write("theme/static/own.css", rules)
    css = "/theme/own.css"
    head = {
        "style": f"<style>{rules}</style>",
        "link": f"<link rel=stylesheet href='{css}'>",
        "import": f"<style>@import '{css}';</style>",
    }
    site.write(
        "theme/templates/article.html",
        f"<html><head>{head[kind]}</head><body>{{{{ article.content }}}}</body></html>",
    )
    site.write("content/cat.jpg", photo(width=3000))
    write_post(site, "post-1", BODY)
    site.build()
    expected = RULES[rules]
    assert found_in(browser, site, "post-1.html", any_is=bool(expected)) == expected


@pytest.mark.parametrize("theme", ["notmyidea", "simple"])
def test_the_themes_of_pelican_have_no_such_rule(browser: Browser, site: Site, theme: str) -> None:
    prepare(site, posts=2, IMAGEHOST_WIDTHS=WIDTHS)
    site.configure(THEME=theme)
    site.write("content/cat.jpg", photo(width=3000))
    write_post(site, "post-1", BODY)
    site.build()
    assert found_in(browser, site, "post-1.html", any_is=False) == []


def test_each_rule_is_said_once_and_what_strangers_send_does_no_harm() -> None:
    said: list[str] = []
    rules = Rules(said.append)
    for _ in range(2):
        rules.take({"rule": ["a > img", "\x1b[2J" + "x" * 999], "other": ["b > img"]})
    assert len(said) == 2
    assert "a > img works" in said[0]
    assert "\x1b" not in said[1]
    assert len(said[1]) < 300
    rules.take({"rule": [f"b{number} > img" for number in range(99)]})
    assert len(said) == 5
