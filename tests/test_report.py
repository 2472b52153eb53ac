"""Problems as lines: many with one cause are one line."""

from __future__ import annotations

import pytest

from pelican_imagehost.errors import CorruptImage, ImageHostError, MissingImage, OutsideSite
from pelican_imagehost.report import Problem, group

GONE = "no such file (looked in content, content/images)"


def missing(document: str, url: str, line: int | None = 3, text: str = GONE) -> Problem:
    return Problem(document, line, url, MissingImage(text))


def test_a_handful_is_shown_singly() -> None:
    problems = [missing(f"content/{n}.md", f"/old/{n}.png") for n in range(5)]
    assert group(problems) == [str(problem) for problem in problems]
    assert group([]) == []


def test_the_files_of_one_missing_folder_are_one_line() -> None:
    problems = [
        missing(f"content/{n:03}.md", f"/wp-content/uploads/{2000 + n % 20}/{n}.jpg")
        for n in range(974)
    ]
    assert group(problems) == [
        (
            f"974 problems below wp-content/uploads/: {GONE}; for example "
            "content/000.md:3: /wp-content/uploads/2000/0.jpg; "
            "content/001.md:3: /wp-content/uploads/2001/1.jpg; "
            "content/002.md:3: /wp-content/uploads/2002/2.jpg"
        )
    ]


@pytest.mark.parametrize(
    "prefix",
    ["", "/", "./", "../../", "{static}/", "{attach}", "|filename|/", "https://blog.example.com/"],
)
def test_a_folder_is_the_same_however_it_is_written(prefix: str) -> None:
    problems = [missing(f"content/{n}.md", f"img/{n}.png") for n in range(5)]
    (line,) = group([*problems, missing("content/x.md", f"{prefix}img/x.png")])
    assert line.startswith(f"6 problems below img/: {GONE}; for example")


def test_a_name_that_is_missing_in_many_folders_is_one_line() -> None:
    text = "no such file in the output"
    cards = [missing(f"output/{n}/index.html", f"../{n}/card.png", None, text) for n in range(60)]
    other = [missing(f"output/{n}/index.html", f"../1/{n}.png", None, text) for n in range(9)]
    assert group([*cards, *other]) == [
        (
            f"60 problems with card.png: {text}; for example output/0/index.html: ../0/card.png; "
            "output/1/index.html: ../1/card.png; output/2/index.html: ../2/card.png"
        ),
        (
            f"9 problems below 1/: {text}; for example output/0/index.html: ../1/0.png; "
            "output/1/index.html: ../1/1.png; output/2/index.html: ../1/2.png"
        ),
    ]


def test_near_misses_do_not_split_a_folder() -> None:
    texts = (f"{GONE}; did you mean {n}.png?" for n in range(9))
    problems = [missing("content/a.md", f"img/{n}.png", n, text) for n, text in enumerate(texts, 1)]
    (line,) = group(problems)
    assert line.startswith("9 problems below img/: no such file; for example content/a.md:1: img/1")


def test_one_reason_is_one_line_wherever_the_files_are() -> None:
    pointer = "is a Git LFS pointer, not the image; run `git lfs pull`"
    problems = [
        Problem(f"content/{n}.md", n, f"{n}/a.png", CorruptImage(pointer)) for n in range(1, 8)
    ]
    assert group(problems) == [
        (
            f"7 problems: {pointer}; for example content/1.md:1: 1/a.png; content/2.md:2: 2/a.png; "
            "content/3.md:3: 3/a.png"
        )
    ]


def test_a_reason_is_the_same_with_other_paths_and_numbers() -> None:
    texts = [f"content/{n}/x.png is outside the folders of the site; add" for n in range(6)]
    outside = [
        Problem("content/a.md", n, "x.png", OutsideSite(text)) for n, text in enumerate(texts)
    ]
    (line,) = group(outside)
    assert line.startswith("6 problems: … is outside the folders of the site; for example")
    sizes = [f"has {n},000,000 bytes; IMAGEHOST_MAX_BYTES allows 9" for n in range(10, 16)]
    large = [Problem("content/a.md", n, "x.png", ImageHostError(t)) for n, t in enumerate(sizes)]
    assert group(large)[0].startswith("6 problems: has … bytes; for example")


def test_a_document_with_many_missing_files_is_one_line() -> None:
    problems = [missing("content/a.md", f"{n}.png", n) for n in range(1, 41)]
    other = missing("content/b.md", "x.png")
    assert group([*problems, other]) == [
        "40 problems in content/a.md: " + GONE + "; for example content/a.md:1: 1.png; "
        "content/a.md:2: 2.png; content/a.md:3: 3.png",
        str(other),
    ]


def test_missing_files_with_nothing_else_in_common_are_one_line() -> None:
    problems = [missing(f"content/{n}.md", f"{n}.png") for n in range(300)]
    (line,) = group(problems)
    assert line.startswith(f"300 problems: {GONE}; for example content/0.md:3: 0.png;")


def test_groups_stay_in_the_order_of_their_first_problem() -> None:
    single = Problem("content/a.md", 1, "a.png", CorruptImage("is an empty file"))
    many = [missing("content/b.md", f"old/{n}.png") for n in range(6)]
    last = Problem("imagehost.jsonl", 7, "", ImageHostError("is not a JSON object"))
    lines = group([single, *many, last])
    assert [line.partition(" ")[0] for line in lines] == [
        "content/a.md:1:",
        "6",
        "imagehost.jsonl:7:",
    ]


def test_the_noun_can_be_another() -> None:
    (line,) = group([missing("content/a.md", f"old/{n}.png") for n in range(6)], "file")
    assert line.startswith("6 files below old/: no such file")


def test_each_problem_is_in_one_line_only() -> None:
    many = [missing("content/a.md", f"old/{n}.png") for n in range(6)]
    few = [missing("content/a.md", f"new/{n}.png") for n in range(4)]
    assert group(many + few)[1:] == [str(problem) for problem in few]


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (f"content/a.md:12: my cat.jpg: {GONE}", ("content/a.md", 12, "my cat.jpg", GONE)),
        (f"content/a.md: cat.jpg: {GONE}", ("content/a.md", None, "cat.jpg", GONE)),
        ("imagehost is not in PLUGINS", ("", None, "", "imagehost is not in PLUGINS")),
        ("theme/a.html:2: E: x: y", ("theme/a.html", 2, "E", "x: y")),
    ],
)
def test_a_formatted_problem_can_be_read(
    text: str, fields: tuple[str, int | None, str, str]
) -> None:
    problem = Problem.parse(text)
    assert (*problem[:3], str(problem.error)) == fields
    assert str(problem) == text
