"""The references to images in a written file: a page, a feed, a style sheet or data.

Unlike a document, a page also has data in scripts, and a feed holds its pages escaped.
"""

from __future__ import annotations

import html
import json
import os
import re
from typing import TYPE_CHECKING, Final

from pelican_imagehost.documents.references import find_references
from pelican_imagehost.documents.wanted import has_image_suffix
from pelican_imagehost.images.css import find_urls

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["KINDS", "references_in", "unescaped"]

KINDS: Final = {
    **dict.fromkeys((".html", ".htm", ".xhtml"), "html"),
    **dict.fromkeys((".xml", ".rss", ".atom"), "xml"),
    ".css": "css",
    **dict.fromkeys((".json", ".webmanifest"), "json"),
    **dict.fromkeys((".js", ".mjs", ".svg", ".txt", ".csv"), "other"),
}
_JSON_ESCAPE = re.compile(r"\\(?:(/)|u([0-9a-fA-F]{4}))")
_DATA_TAG = re.compile(
    r"""<script\s[^<>]{0,500}?\btype\s*=\s*["']?\s*application/(?:ld\+)?json\b[^>]*>""",
    re.IGNORECASE,
)


def references_in(name: str, text: str) -> Iterator[str]:
    """Yield the URL of each reference to an image file in a file of the output.

    Args:
        name: the file; its suffix is its kind.
        text: its text.

    Yields:
        URLs, character references resolved. Those of feeds and data mean a file only with a
        leading slash or the address of the site, because they are shown elsewhere.
    """
    kind = KINDS.get(os.path.splitext(name)[1].lower(), "html")
    urls: Iterator[str]
    if kind == "css":
        urls = (url for url, _, _ in find_urls(text))
    elif kind == "json":
        urls = filter(_is_complete, _in_json(text))
    elif kind == "xml":
        urls = filter(_is_complete, _in_page(html.unescape(text)))
    else:
        urls = _in_page(text) if kind == "html" else iter(())
    return filter(has_image_suffix, urls)


def unescaped(text: str) -> str:
    r"""Resolve the escapes of JSON and JavaScript that may hide a name: `\/` and `\u00e9`."""
    return _JSON_ESCAPE.sub(lambda found: found[1] or chr(int(found[2], 16)), text)


def _is_complete(url: str) -> bool:
    return url.startswith("/") or "://" in url


def _in_json(text: str) -> Iterator[str]:
    try:
        values = [json.loads(text)]
    except (ValueError, RecursionError):
        return
    while values:
        value = values.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict | list):
            values += value.values() if isinstance(value, dict) else value


def _in_page(text: str) -> Iterator[str]:
    for reference in find_references(text):
        yield reference.url
    for data in _data_in(text):
        yield from filter(_is_complete, _in_json(data))


def _data_in(text: str) -> Iterator[str]:
    """Yield the data in scripts of a page."""
    folded, start = text.lower(), 0
    while match := _DATA_TAG.search(text, start):
        start = folded.find("</script", match.end())
        if start < 0:
            return
        yield text[match.end() : start]
