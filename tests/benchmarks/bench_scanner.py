"""Measure the scanner of references: `python tests/benchmarks/bench_scanner.py`."""

from __future__ import annotations

import random
import time
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from markdown import Markdown

from pelican_imagehost.documents.references import find_references

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WORDS = [
    "the",
    "of",
    "a",
    "build",
    "image",
    "server",
    "static",
    "page",
    "content",
    "reader",
    "theme",
]
HOSTILE = {
    "comments": "<!--",
    "links": "<a ",
    "images": "<img ",
    "scripts": "<script><!--",
    "titles": "<title></titl ",
    "less-than": "<",
    "ampersands": "&",
    "slashes": "<img////",
}


class Images(HTMLParser):
    """Finds the sources of images with the standard library, as most plugins would."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.found += [value for name, value in attrs if name == "src"]


def post(source: random.Random) -> str:
    """Render a post of some 5 KB with two or three images, links, lists and code."""

    def text(count: int) -> str:
        return " ".join(source.choices(WORDS, k=count))

    blocks = [
        f"{text(30)} [{text(3)}](https://www.example.com/{text(1)}.html) **{text(1)}**"
        f" `{text(1)} < x` *{text(1)}* {text(30)}"
        for _ in range(7)
    ]
    blocks += [f"## {text(4)}\n\n* {text(8)}\n* {text(8)}\n* {text(8)}" for _ in range(2)]
    blocks.append("    :::python\n" + "    def f(x): return x + 1  # why\n" * 4)
    for number in range(source.choice([2, 3])):
        blocks.insert(source.randrange(len(blocks)), f"![{text(3)}](cat-{number}.png)")
    return Markdown(extensions=["extra", "codehilite", "meta"]).convert("\n\n".join(blocks))


def with_html_parser(html: str) -> list[str | None]:
    """Find sources with the standard library."""
    parser = Images()
    parser.feed(html)
    return parser.found


def best(find: Callable[[str], object], texts: Sequence[str]) -> float:
    """Return the shortest of five times, in milliseconds."""
    times = []
    for _ in range(5):
        begin = time.perf_counter()
        for text in texts:
            find(text)
        times.append(time.perf_counter() - begin)
    return 1000 * min(times)


def main() -> None:
    """Print posts per second, then how the time grows with the length of hostile text."""
    source = random.Random(1)  # noqa: S311  the same posts every time
    posts = [post(source) for _ in range(1000)]
    images = sum(len(find_references(html)) for html in posts)
    print(f"{len(posts)} posts, {sum(map(len, posts)) / 1e6:.1f} MB, {images} references")
    for name, find in {"references": find_references, "html.parser": with_html_parser}.items():
        took = best(find, posts)
        print(f"{name:12} {took:7.1f} ms per 1000 posts, {1e6 / took:9,.0f} posts/s")
    print("\nhostile text: ms for 100, 200, 400, 800 thousand characters")
    for name, piece in HOSTILE.items():
        sizes = [100_000, 200_000, 400_000, 800_000]
        took_each = [best(find_references, [piece * (size // len(piece))]) for size in sizes]
        print(f"{name:12}", *(f"{took:8.2f}" for took in took_each))


if __name__ == "__main__":
    main()
