"""The images of a document that have no alternative text.

An empty `alt` marks an image as decoration (HTML, section 4.8.4.4). It is a decision only if
the author wrote it: readers also add one to `![](cat.jpg)` and to `image::` without `:alt:`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pelican_imagehost.documents.origin import find_origin
from pelican_imagehost.documents.tags import find_tags, value_of
from pelican_imagehost.errors import ImageHostError
from pelican_imagehost.report import Document, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pelican_imagehost.documents.tags import Tag

__all__ = ["find_lacking"]

_ALT = re.compile(r"""(?:^|[\s"'{:])alt\s*[=:\s]""", re.IGNORECASE | re.MULTILINE)
# An image as Markdown and reStructuredText have it without a text, and its options.
_MARKDOWN = r"!\[\s*\]\(\s*<?%s[^)\n]*\)(?P<more>\{[^}\n]*)?"
_RST = r"::[ \t]+%s[ \t]*$(?P<more>(?:\n[ \t]+:.*)*)"
_SYNTAXES = dict.fromkeys((".md", ".markdown", ".mkd", ".mdown"), _MARKDOWN) | {".rst": _RST}
_INSTEAD = frozenset({"aria-hidden", "aria-label", "aria-labelledby"})
_OF_DECORATION = frozenset({"none", "presentation"})


def find_lacking(document: Document, relative: Callable[[str], str]) -> list[Problem]:
    """Find the images without alternative text, in the HTML of a document.

    Args:
        document: the document as its reader gave it.
        relative: returns the name of a file in messages.

    Returns:
        A problem for each, in the order of the document.
    """
    images = (image for text in document.html for image in _images(text))
    error = ImageHostError("no alternative text")
    return [
        Problem(relative(document.source), line, url, error)
        for url, alt in dict.fromkeys(images)
        for line in _lines(document.source, url, alt)
    ]


def _images(html: str) -> Iterator[tuple[str, str | None]]:
    """Yield the URL and the `alt` of each image; None if it has none."""
    for tag in find_tags(html):
        is_image = tag.name == "img" or _value(html, tag, "type").lower() == "image"
        is_decoration = _value(html, tag, "role") in _OF_DECORATION
        if is_image and not is_decoration and not _INSTEAD & tag.attributes.keys():
            srcset = _value(html, tag, "srcset").split()
            urls = (_value(html, tag, "data-src"), _value(html, tag, "src"), *srcset)
            url = next(filter(None, urls), "")
            short = url.partition(",")[0] if url.startswith("data:") else url
            yield short, _value(html, tag, "alt") if "alt" in tag.attributes else None


def _value(html: str, tag: Tag, name: str) -> str:
    return value_of(html, tag, name).strip()


def _lines(source: str, url: str, alt: str | None) -> list[int | None]:
    """Return the lines of an image; empty if it does not lack a text."""
    syntax = _SYNTAXES.get(os.path.splitext(source)[1].lower())
    if (alt and alt != url) or (alt == "" and syntax is None):
        return []
    origin = find_origin(source, url)
    if origin is None or origin.file or alt:
        return [None if origin is None else origin.line]
    text = Path(source).read_text("utf-8", errors="replace")
    written = re.escape(origin.written)
    found = list(re.finditer(rf"<img\b(?P<more>[^<>]*{written}[^<>]*)", text))
    if alt == "" and syntax:
        found += re.finditer(syntax % written, text, re.MULTILINE)
    lacking = [one for one in found if not _ALT.search(one["more"] or "")]
    if found and not lacking:
        return []
    return [text.count("\n", 0, one.start()) + 1 for one in lacking] or [origin.line]
