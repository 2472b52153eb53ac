"""What a browser would request of a style sheet, compared with another tokenizer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import tinycss2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pelican_imagehost.images.css import find_requests, find_urls

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TAKERS = {"url", "src", "image", "image-set", "-webkit-image-set"}
SUBSTITUTES = {"var", "env", "attr", "inherit"}
PARTS = ["url(", "u\\72 l(", "URL(", "xurl(", "#url(", "1url(", ")", "'", '"', "\\", "a", "\n", " "]
PARTS += ["/*", "*/", "(", "[", "}", ";", "image-set(", "src(", "type(", "var(", "--f(", "<!--"]
PARTS += [
    "-->",
    "-",
    "@import",
    "@\\69mport",
    "@imports",
    "@namespace",
    "@",
    "#",
    "\\\n",
    "é",
    "1e2",
]


def requests(css: str) -> list[str]:
    return [found.text for found in find_requests(css)]


def _oracle(
    nodes: Sequence[tinycss2.ast.Node], within: str = "", *, taken: bool = False
) -> Iterator[str]:
    """List the same by the tree that tinycss2 makes."""
    nodes = [node for node in nodes if node.type not in {"whitespace", "comment"}]
    for place, node in enumerate(nodes):
        rule = "" if taken else _rule_before(nodes[:place])
        if node.type in {"string", "url"}:
            is_taken = node.type == "url" or (taken and within != "type")
            if rule == "import" or (rule != "namespace" and is_taken):
                yield node.value
        elif node.type == "function":
            name = node.lower_name
            if taken and (name in SUBSTITUTES or name.startswith("--")):
                yield f"{name}()"
            if rule != "namespace" or name not in TAKERS:
                yield from _oracle(node.arguments, name, taken=taken or name in TAKERS)
        elif node.type.endswith(" block"):
            yield from _oracle(node.content, taken=taken)


def _rule_before(nodes: Sequence[tinycss2.ast.Node]) -> str:
    """Return the at-rule whose address comes next, if that is so."""
    names = [n.lower_value if n.type == "at-keyword" else n.type for n in nodes[-2:]]
    if names[-1:] in (["import"], ["namespace"]):
        return str(names[-1])
    return "namespace" if names == ["namespace", "ident"] else ""


def _judge(css: str) -> None:
    expected = _oracle(tinycss2.parse_component_value_list(css))
    assert [*filter(_counts, requests(css))] == [*filter(_counts, expected)], css


def _counts(text: str) -> bool:
    """Return whether both must agree: tinycss2 takes `url(\\` before a line end for a URL."""
    return text != "" and not text.endswith("\\")


@given(st.lists(st.sampled_from(PARTS), max_size=30).map("".join))
@settings(max_examples=300)
def test_another_tokenizer_finds_the_same(css: str) -> None:
    _judge(css)


@pytest.mark.full
@pytest.mark.timeout(3600)
@given(st.lists(st.sampled_from(PARTS), max_size=30).map("".join))
@settings(max_examples=100_000, suppress_health_check=list(HealthCheck))
def test_another_tokenizer_finds_the_same_in_a_great_many(css: str) -> None:
    _judge(css)


@pytest.mark.parametrize(
    ("css", "expected"),
    [
        ("a{b:url(x)}", ["x"]),
        ("a{b:ur\\6c\r\n(x)}", ["x"]),
        ("@import/**/ 'x' layer('y');", ["x"]),
        ("@import url('x') supports(a:url(y));", ["x", "y"]),
        ("@namespace a/**/ url(x); b{c:url(y)}", ["y"]),
        ("@namespace url(x) url(y);", ["y"]),
        ("@namespace a b url(x);", ["x"]),
        ("@namespace; a{b:url(x)}", ["x"]),
        ("image-set('x' type('y') 1x, var(--z) 2x)", ["x", "var()"]),
        ("image-set((('x')))", ["x"]),
        ("var(--a) attr(b)", []),
        ("<!--url(x)-->url(y)", ["x", "y"]),
        ("'\nurl(x)", ["x"]),
        ("#\\\nurl(x)", ["x"]),
        ("@\\\nurl(x)", ["x"]),
        ("\\\nurl(x)", ["x"]),
        ("#@@ / <! \x00 \x7f url(x)", ["x"]),
        ('"url(x)" /* url(y) */ a.url (z)', []),
    ],
)
def test_a_request_is_found(css: str, expected: list[str]) -> None:
    assert requests(css) == expected


@pytest.mark.parametrize(
    ("css", "expected"),
    [
        ('src: url("a.svg#a") format("svg"), url(b.woff) format("woff")', []),
        ("src: url( a.svg#a )\n/* old */ FORMAT('svg')", []),
        ("src: url(a.svg#a)", ["a.svg#a"]),
        ("background: url(a.svg#a), url('b.png') no-repeat", ["a.svg#a", "b.png"]),
        ('image-set(url("a.avif") type("image/avif"), "b.png" 2x)', ["a.avif", "b.png"]),
    ],
)
def test_a_font_is_not_an_image(css: str, expected: list[str]) -> None:
    assert [url for url, _, _ in find_urls(css)] == expected
