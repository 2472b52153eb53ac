from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pelican_imagehost.documents.rewrite import find_line

if TYPE_CHECKING:
    from pathlib import Path


def find(folder: Path, text: str, url: str) -> int | None:
    source = folder / "post.md"
    source.write_bytes(text.encode())
    return find_line(str(source), url)


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
    assert find_line(str(source), "cat.jpg") == 2


def test_a_source_that_cannot_be_read_has_no_lines(tmp_path: Path) -> None:
    assert find_line(str(tmp_path / "absent.md"), "cat.jpg") is None
    assert find_line(str(tmp_path), "cat.jpg") is None
