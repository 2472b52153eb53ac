"""The references to images in a written file: a page, a feed, a style sheet or data.

Unlike a document, a page also has a head, and a feed holds its pages escaped.
"""

from __future__ import annotations

import html
import json
import os
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Final

from pelican_imagehost.documents.references import find_references, has_image_suffix

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
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_CSS_URL = re.compile(r"""url\(\s*(?:"([^"]*)"|'([^']*)'|([^"'()\s]*))\s*\)""", re.IGNORECASE)
_JSON_ESCAPE = re.compile(r"\\(?:(/)|u([0-9a-fA-F]{4}))")
_SCRIPT_OF_DATA = "application/ld+json"


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
    if kind == "css":
        urls = _in_css(text)
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


def _in_css(text: str) -> Iterator[str]:
    for found in _CSS_URL.finditer(_COMMENT.sub("", text)):
        yield (found[1] or found[2] or found[3] or "").strip()


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
    head = _Head()
    head.feed(text)
    head.close()
    yield from head.urls
    for data in head.data:
        yield from filter(_is_complete, _in_json(data))


class _Head(HTMLParser):
    """Collects what documents do not have: icons, pictures for previews, and data."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []
        self.data: list[str] = []
        self._is_data = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in reversed(attrs)}
        label = " ".join(values.get(name, "") for name in ("property", "name", "itemprop"))
        if tag == "link":
            self.urls.append(values.get("href", "").strip())
        elif tag == "meta" and re.search("image|thumbnail", label, re.IGNORECASE):
            self.urls.append(values.get("content", "").strip())
        elif tag == "script":
            self._is_data = values.get("type", "").strip().lower() == _SCRIPT_OF_DATA

    def handle_data(self, data: str) -> None:
        if self._is_data:
            self.data.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._is_data = self._is_data and tag != "script"
