"""Images without alternative text, and where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pelican_imagehost.documents.alternatives import find_lacking
from pelican_imagehost.report import Document

if TYPE_CHECKING:
    from pathlib import Path


def lacking(folder: Path, name: str, source: str, html: str) -> list[str]:
    file = folder / name
    file.write_text(source, "utf-8")
    document = Document(str(file), str, (html,), ())
    return [str(problem) for problem in find_lacking(document, lambda _: name)]


@pytest.mark.parametrize(
    "html",
    [
        '<img src="a.jpg" alt="A cat">',
        '<img src="a.jpg" alt="">',
        "<img src=a.jpg alt>",
        '<img src="a.jpg" role="presentation">',
        '<img src="a.jpg" aria-hidden="true">',
        '<img src="a.jpg" aria-label="A cat">',
        '<!-- <img src="a.jpg"> -->',
        '<a href="a.jpg">a</a><input type="text" value="a.jpg">',
    ],
)
def test_an_image_may_do_without(tmp_path: Path, html: str) -> None:
    assert lacking(tmp_path, "a.html", html, html) == []


@pytest.mark.parametrize(
    "html",
    [
        '<img src="a.jpg">',
        "<IMG SRC='a.jpg' width=3>",
        '<img alt="a.jpg" src="a.jpg">',
        '<img srcset="a.jpg 2x">',
        '<img src="data:image/gif;base64,R0" data-src="a.jpg">',
        '<input type="image" src="a.jpg">',
        '<picture><source srcset="b.webp"><img src="a.jpg"></picture>',
    ],
)
def test_an_image_lacks_a_text(tmp_path: Path, html: str) -> None:
    assert lacking(tmp_path, "a.html", f"\n{html}", html) == [
        "a.html:2: a.jpg: no alternative text"
    ]


def test_each_tag_has_its_line(tmp_path: Path) -> None:
    html = '<img src="a.jpg" alt="x">\n<img src="a.jpg">\n<p>\n<img\nsrc="a.jpg">'
    assert lacking(tmp_path, "a.html", html, html) == [
        "a.html:2: a.jpg: no alternative text",
        "a.html:4: a.jpg: no alternative text",
    ]


def test_other_sites_and_data_count_too(tmp_path: Path) -> None:
    html = f'<img src="https://example.com/a.jpg">\n<img src="data:image/gif;base64,{"R" * 999}">'
    assert lacking(tmp_path, "a.html", html, html) == [
        "a.html:1: https://example.com/a.jpg: no alternative text",
        "a.html:2: data:image/gif;base64: no alternative text",
    ]


EMPTY = '<img alt="" src="a.jpg">'


@pytest.mark.parametrize(
    "source",
    [
        "![](a.jpg)",
        "![ ](a.jpg 'x')",
        "![](<a.jpg>)",
        "![](a.jpg){: .wide }",
        "![][cat]\n\n[cat]: a.jpg",
        "![[a.jpg]]",
    ],
)
def test_markdown_without_words_lacks_a_text(tmp_path: Path, source: str) -> None:
    (line,) = lacking(tmp_path, "a.md", f"\n{source}\n", EMPTY)
    assert line.endswith(": a.jpg: no alternative text")


@pytest.mark.parametrize(
    "source", [EMPTY, '<img\n  src="a.jpg"\n  alt="">', '![](a.jpg){: alt="" }']
)
def test_markdown_may_mark_decoration_by_hand(tmp_path: Path, source: str) -> None:
    assert lacking(tmp_path, "a.md", source, EMPTY) == []


def test_markdown_has_a_line_for_each_image(tmp_path: Path) -> None:
    source = "![](a.jpg)\n![A cat](a.jpg)\n\n![](a.jpg)\n"
    html = f'{EMPTY}<img alt="A cat" src="a.jpg">{EMPTY}'
    assert lacking(tmp_path, "a.md", source, html) == [
        "a.md:1: a.jpg: no alternative text",
        "a.md:4: a.jpg: no alternative text",
    ]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        (".. image:: a.jpg", True),
        (".. image:: a.jpg\n   :width: 3\n\n   :alt: x", True),
        (".. |cat| image:: a.jpg", True),
        (".. figure:: a.jpg\n\n   A cat", True),
        (".. image:: a.jpg\n   :width: 3\n   :alt:", False),
        (f".. raw:: html\n\n   {EMPTY}", False),
    ],
)
def test_restructuredtext_lacks_an_option(tmp_path: Path, source: str, *, found: bool) -> None:
    expected = ["a.rst:2: a.jpg: no alternative text"] if found else []
    assert lacking(tmp_path, "a.rst", f"\n{source}\n", EMPTY) == expected
