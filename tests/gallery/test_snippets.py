from __future__ import annotations

from html.parser import HTMLParser

import commonmark
import markdown
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelican_imagehost.gallery.listing import ListedImage
from pelican_imagehost.gallery.snippets import describe, to_html, to_markdown

URL = "https://img.example.com/ab/ab12.jpg"


class Reader(HTMLParser):
    """Collects the elements of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def read(html: str) -> list[tuple[str, dict[str, str | None]]]:
    reader = Reader()
    reader.feed(html)
    return [found for found in reader.found if found[0] != "p"]


def image(name: str, url: str = URL) -> ListedImage:
    return ListedImage("a" * 64, "jpg", 1, 40, 30, url, [], [], name, 0, 0, "", 1, [], (1, 1))


NAMES = [
    "cat.jpg",
    "a photo [1](2).png",
    "五月的猫.webp",
    "🦩 flamingo.png",
    'it\'s "quoted".jpg',
    "<script>alert(1)</script>.png",
    "a&amp;b & c.png",
    "back\\slash\\.png",
    "*bold* _it_ `code`.png",
    "](https://evil.example.com).png",
    ".jpg",
    "![x](y).svg",
    "two\nlines\tand  more.png",
    "{static}.png",
    "http://example.com/a.png",
]


@pytest.mark.parametrize("url", [URL, "https://img.example.com/a(b/ab12.jpg"])
@pytest.mark.parametrize("name", NAMES)
def test_markdown_shows_one_image_with_its_name(name: str, url: str) -> None:
    text = to_markdown(image(name, url))
    assert "\n" not in text
    for html in (markdown.markdown(text), commonmark.commonmark(text)):
        ((tag, attributes),) = read(html)
        assert tag == "img", html
        assert attributes["src"] == url
        assert attributes["alt"] == describe(name), html


@given(st.text())
def test_html_shows_one_image_with_its_name(name: str) -> None:
    ((tag, attributes),) = read(to_html(image(name)))
    assert (tag, attributes["src"], attributes["alt"]) == ("img", URL, describe(name))
    assert (attributes["width"], attributes["height"]) == ("40", "30")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("cat.jpg", "cat"), ("v1.2 final.png", "v1.2 final"), ("no suffix", "no suffix"),
     (".jpg", ".jpg"), ("", ""), ("Dr. Who", "Dr. Who"), ("a\r\nb.png", "a b")],
)  # fmt: skip
def test_a_name_describes(name: str, expected: str) -> None:
    assert describe(name) == expected
