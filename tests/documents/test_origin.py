from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pelican_imagehost.documents.origin import Origin, find_origin

if TYPE_CHECKING:
    from pathlib import Path


def find(folder: Path, text: str, url: str) -> int | None:
    source = folder / "post.md"
    source.write_bytes(text.encode())
    return line_of(source, url)


def line_of(source: Path, url: str) -> int | None:
    origin = find_origin(str(source), url)
    return origin.line if origin else None


@pytest.mark.parametrize(
    "reference",
    [
        "![A cat](cat.jpg)",
        '![A cat]( cat.jpg "title")',
        "![A cat](<cat.jpg>)",
        "[cat]: cat.jpg",
        "[cat]: <cat.jpg>",
        '<img src="cat.jpg">',
        "<img src = 'cat.jpg'>",
        "<img src=cat.jpg>",
        "<img srcset='dog.jpg 1x, cat.jpg 2x'>",
        ".. image:: cat.jpg",
        "image: cat.jpg",
        "og_image:cat.jpg",
    ],
)
def test_a_reference_is_found_where_it_is_written(tmp_path: Path, reference: str) -> None:
    text = f"Title: My cat.jpg\n\nI speak of (cat.jpg)\n{reference}\n\ncat.jpg\n"
    assert find(tmp_path, text, "cat.jpg") == 4


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("my%20cat.jpg", "my cat.jpg"),
        ("my cat.jpg", "my%20cat.jpg"),
        ("%E7%8C%AB.jpg", "猫.jpg"),
        ("猫.jpg", "%E7%8C%AB.jpg"),
        ("a&amp;b.jpg", "a&b.jpg"),
        ("a&b.jpg", "a&b.jpg"),
        ("cat(1).jpg", "cat(1).jpg"),
        ("cat[1]+.jpg", "cat[1]+.jpg"),
        ("{static}/images/my%20cat.jpg", "{static}/images/my cat.jpg"),
        ("|static|/cat.jpg", "|static|/cat.jpg"),
        ("cat.jpg?w=1#x", "cat.jpg?w=1#x"),
        ("100%.jpg", "100%.jpg"),
        ("images\\cat.jpg", "images\\cat.jpg"),
        ("images\\\\cat.jpg", "images\\cat.jpg"),
        ("my\\_cat.jpg", "my_cat.jpg"),
        ("my\\_cat\\(1\\).jpg", "my_cat(1).jpg"),
    ],
)
def test_a_reference_is_found_in_each_spelling(tmp_path: Path, written: str, url: str) -> None:
    assert find(tmp_path, f"Title: A\n\n![x]({written})\n", url) == 3


def test_the_first_of_several_is_found(tmp_path: Path) -> None:
    assert find(tmp_path, "\n![](cat.jpg)\n![](cat.jpg)\n", "cat.jpg") == 2


def test_a_bare_mention_is_better_than_nothing(tmp_path: Path) -> None:
    assert find(tmp_path, "one\ntwo\n.. |x| whatever cat.jpg\n", "cat.jpg") == 3


def test_lines_are_counted_as_editors_count_them(tmp_path: Path) -> None:
    assert find(tmp_path, "one\r\ntwo\u2028two\r\n![](cat.jpg)\r\n", "cat.jpg") == 3


@pytest.mark.parametrize("url", ["dog.jpg", "Cat.jpg", ""])
def test_a_url_that_the_text_does_not_contain_has_no_line(tmp_path: Path, url: str) -> None:
    assert find(tmp_path, "![](cat.jpg)\n", url) is None


def test_a_longer_name_is_not_taken_for_the_shorter(tmp_path: Path) -> None:
    assert find(tmp_path, "![](cat.jpg.png)\n![](cat.jpg)\n", "cat.jpg") == 2


def test_a_source_that_is_not_unicode_is_read_too(tmp_path: Path) -> None:
    source = tmp_path / "post.md"
    source.write_bytes(b"caf\xe9\n![](cat.jpg)\n")
    assert line_of(source, "cat.jpg") == 2


def test_a_source_that_cannot_be_read_has_no_lines(tmp_path: Path) -> None:
    assert line_of(tmp_path / "absent.md", "cat.jpg") is None
    assert line_of(tmp_path, "cat.jpg") is None


@pytest.mark.parametrize(
    "embed", ["![[cat.jpg]]", "![[ cat.jpg|300]]", "![[cat.jpg#right|A cat]]", "text ![[cat.jpg]]"]
)
def test_an_embed_is_found(tmp_path: Path, embed: str) -> None:
    assert find(tmp_path, f"cat.jpg\n{embed}\n", "[[cat.jpg]]") == 2


def test_a_url_in_css_is_found(tmp_path: Path) -> None:
    text = "cat.jpg\n<p style='background: url(cat.jpg)'>\n"
    assert find(tmp_path, text, "cat.jpg") == 2
    assert find(tmp_path, text.replace("(cat.jpg", '("cat.jpg'), "cat.jpg") == 2


@pytest.mark.parametrize("directive", ["image", "figure", "|cat| image"])
def test_what_restructuredtext_removes_is_found(tmp_path: Path, directive: str) -> None:
    source = tmp_path / "post.rst"
    source.write_text(f"Title\n=====\n\n.. {directive}:: my  trip.png\n   :alt: x\n")
    assert find_origin(str(source), "mytrip.png") == Origin(4, "my  trip.png")
    source.write_text(".. image:: my\\ trip.png\n")
    assert find_origin(str(source), "my trip.png") == Origin(1, "my\\ trip.png")
    source.write_text(".. image:: images\\trip.png\n")
    assert find_origin(str(source), "imagestrip.png") == Origin(1, "images\\trip.png")


INCLUDES = {
    "{!parts/foot.md!}": "md",
    "{! parts/foot.md !}": "md",
    "{!parts/foot.md!lines=1}": "md",
    '--8<-- "parts/foot.md"': "md",
    '{% include "parts/foot.md" %}': "md",
    "{%- include 'parts/foot.md' -%}": "md",
    ".. include:: parts/foot.md": "rst",
    "   .. include:: parts/foot.md": "rst",
    "include::parts/foot.md[]": "adoc",
    "include::parts/foot.md[leveloffset=+1]": "adoc",
    '#+INCLUDE: "parts/foot.md" src org': "org",
    "#+include: parts/foot.md": "org",
    "```{include} parts/foot.md\n```": "md",
    ":::{include} parts/foot.md\n:::": "md",
}


@pytest.mark.parametrize("base", ["posts/2020", "posts", "."])
@pytest.mark.parametrize(("include", "suffix"), INCLUDES.items())
def test_an_included_file_is_searched_too(
    tmp_path: Path, include: str, suffix: str, base: str
) -> None:
    source, included = tmp_path / f"posts/2020/post.{suffix}", tmp_path / base / "parts/foot.md"
    source.parent.mkdir(parents=True)
    included.parent.mkdir()
    source.write_text(f"Title: A\n\n{include}\n")
    included.write_text("one\n\n\n![](cat.jpg)\n")
    assert find_origin(str(source), "cat.jpg") == Origin(3, "cat.jpg", str(included), 4)
    assert find_origin(str(source), "dog.jpg") is None
    source.write_text(f"Title: A\n\n{include}\n\n![](cat.jpg)\n")
    assert find_origin(str(source), "cat.jpg") == Origin(source.read_text().count("\n"), "cat.jpg")


def test_includes_may_include_each_other(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("a\n{!b.md!}\n{!missing.md!}\n")
    (tmp_path / "b.md").write_text("b\n{!c.md!}\n{!a.md!}\n")
    (tmp_path / "c.md").write_text("c\n![](cat.jpg)\n{!b.md!}\n")
    found = find_origin(str(tmp_path / "a.md"), "cat.jpg")
    assert found == Origin(2, "cat.jpg", str(tmp_path / "c.md"), 2)
    assert find_origin(str(tmp_path / "a.md"), "dog.jpg") is None


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", ["/dev/zero", "pipe.md", "."])
def test_what_is_not_a_file_is_not_included(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe.md")
    source = tmp_path / "a.md"
    source.write_text(f'{{% include "{name}" %}}\n')
    assert find_origin(str(source), "cat.png") is None
