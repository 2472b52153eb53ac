"""Which original files Pelican need not copy, because only documents named them.

A hosted image of STATIC_PATHS is not needed at its old place, unless something that
this package does not rewrite names it there: the theme, a style sheet, a script, a
static page, a setting. A mention of the file's name anywhere there keeps it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from pelican_imagehost.documents.wanted import IMAGE_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["mentioned_names", "name_of", "setting_strings", "site_texts"]

_NAMES = "|".join(suffix[1:] for suffix in IMAGE_SUFFIXES)
_SUFFIX = re.compile(rf"\.(?:{_NAMES})(?![a-z0-9])", re.IGNORECASE)
_NAME_END = re.compile(r"[^\s\"'()<>/\\=,;&{}|:]*\Z")
_TEXTS = frozenset([".html", ".htm", ".xml", ".css", ".js", ".mjs", ".json", ".txt", ".svg", ".md"])
_LONGEST_NAME = 260
_LARGEST_TEXT = 2_000_000


def mentioned_names(text: str) -> Iterator[str]:
    """Yield the name of each image file that a text seems to mention, folded by `name_of`."""
    for match in _SUFFIX.finditer(text):
        before = text[max(0, match.start() - _LONGEST_NAME) : match.start()]
        yield name_of((_NAME_END.search(before) or [""])[0] + match[0])


def name_of(path: str) -> str:
    """Fold a file's name to what a mention of it surely shows: its last unbroken part."""
    name = unquote(path.rpartition("/")[2])
    return (_NAME_END.search(name) or [name])[0].casefold()


def site_texts(pelican: Mapping[str, Any], static_files: Iterable[str]) -> Iterator[str]:
    """Yield every text, documents apart, that could name a file of the output.

    Args:
        pelican: Pelican's settings.
        static_files: the absolute paths that Pelican copies.
    """
    yield from setting_strings(pelican)
    folders = [Path(pelican["THEME"]), *map(Path, pelican["THEME_TEMPLATES_OVERRIDES"])]
    files = [file for folder in folders for file in folder.rglob("*")]
    files += [Path(pelican["PATH"], source) for source in pelican["TEMPLATE_PAGES"]]
    for file in (*files, *map(Path, static_files)):
        is_text = file.suffix.lower() in _TEXTS and file.is_file()
        if is_text and file.stat().st_size <= _LARGEST_TEXT:
            yield file.read_text("utf-8", errors="replace")


def setting_strings(pelican: Mapping[str, Any]) -> Iterator[str]:
    """Yield every string in Pelican's settings."""
    return _strings({key: value for key, value in pelican.items() if key.isupper()})


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.items():
            yield from _strings(item)
    elif isinstance(value, list | tuple | set):
        for item in value:
            yield from _strings(item)
