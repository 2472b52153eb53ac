"""Rules for the layout, the length of functions and the wording, checked in the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(__file__).parent.parent / "pelican_imagehost"
ROOMS = sorted({file.parent.relative_to(PACKAGE).as_posix() for file in PACKAGE.rglob("*.py")})
MOST_MODULES = 9
MOST_LINES = 60
# A docstring that begins with one of these describes; it should instruct: "Return the …".
NOT_VERBS = frozenset(
    ["A", "All", "An", "Any", "As", "At", "Both", "By", "Each", "Every", "For", "From", "How", "If",
     "In", "Is", "It", "Its", "None", "Not", "Nothing", "Number", "On", "One", "Only", "Some",
     "That", "The", "These", "This", "Those", "True", "What", "When", "Where", "Whether", "Which",
     "Who", "Why", "With"]
)  # fmt: skip
STILTED = re.compile(
    r"(?<!there )\b(?:is|are) no (?!longer|more)\w+|\b(?:anew|lately|likewise|meanwhile|whoever)\b",
    re.IGNORECASE,
)


def modules(room: str) -> list[Path]:
    """List the modules in the folder of a room; `.` is the top level."""
    return sorted((PACKAGE / room).glob("*.py"))


def nodes(room: str) -> Iterator[tuple[str, ast.AST]]:
    """Yield each node of a room, with its place for messages."""
    for module in modules(room):
        for node in ast.walk(ast.parse(module.read_text("utf-8"))):
            yield f"{module.relative_to(PACKAGE)}:{getattr(node, 'lineno', 0)}", node


def functions(room: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Yield each function and method of a room, with its place."""
    for place, node in nodes(room):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{place} {node.name}", node


def is_imperative(docstring: str) -> bool:
    """Return whether a docstring may begin with a verb, and not with one of `NOT_VERBS`."""
    first = re.match(r"\w*", docstring)
    assert first
    word = first[0]
    return word[:1].isupper() and word not in NOT_VERBS and not docstring.startswith(f"{word}'s")


def test_the_top_level_can_be_seen_at_a_glance() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= MOST_MODULES


@pytest.mark.parametrize("room", ROOMS)
def test_no_function_is_long(room: str) -> None:
    lengths = {place: (node.end_lineno or 0) - node.lineno + 1 for place, node in functions(room)}
    assert lengths
    assert {place: length for place, length in lengths.items() if length > MOST_LINES} == {}


@pytest.mark.parametrize("room", ROOMS)
def test_docstrings_of_public_functions_begin_with_a_verb(room: str) -> None:
    docstrings = {
        place: docstring
        for place, node in functions(room)
        if (docstring := ast.get_docstring(node)) and not node.name.startswith("_")
    }
    assert [f"{at}: {text}" for at, text in docstrings.items() if not is_imperative(text)] == []


@pytest.mark.parametrize("room", ROOMS)
def test_no_text_is_stilted(room: str) -> None:
    texts = {
        place: node.value
        for place, node in nodes(room)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert {at: found[0] for at, text in texts.items() if (found := STILTED.search(text))} == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("is no image", True),
        ("where is no image", True),
        ("There are no\n", False),
        ("there is no host", False),
        ("made anew", True),
        ("Meanwhile it", True),
        ("is no longer valid", False),
        ("has no effect", False),
    ],
)
def test_the_check_of_words_finds_them(text: str, expected: bool) -> None:  # noqa: FBT001
    assert (STILTED.search(text) is not None) is expected


@pytest.mark.parametrize(
    ("docstring", "expected"),
    [
        ("Return the path.", True),
        ("The path.", False),
        ("Pelican's settings.", False),
        ("where it is", False),
        ("`x`: y", False),
    ],
)
def test_the_check_of_docstrings_finds_them(docstring: str, expected: bool) -> None:  # noqa: FBT001
    assert is_imperative(docstring) is expected
