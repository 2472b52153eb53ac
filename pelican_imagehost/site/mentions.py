"""Find the original files that Pelican must still copy, because other texts refer to them.

A hosted image of STATIC_PATHS is not needed at its old path, unless a text that this
package does not rewrite refers to it: the theme, a style sheet, a script, a static page or
a setting. Any of these that contains the name of the file keeps it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from pelican_imagehost.images.image import IMAGE_SUFFIXES

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
    """Yield the names of image files that a text may refer to, each folded by `name_of`."""
    for match in _SUFFIX.finditer(text):
        before = text[max(0, match.start() - _LONGEST_NAME) : match.start()]
        yield name_of((_NAME_END.search(before) or [""])[0] + match[0])


def name_of(path: str) -> str:
    """Return the part of a file name that every mention contains, in lower case.

    That is the part after the last space, quote or other character that may end a name.
    """
    name = unquote(path.rpartition("/")[2])
    return (_NAME_END.search(name) or [name])[0].casefold()


def site_texts(pelican: Mapping[str, Any], static_files: Iterable[str]) -> Iterator[str]:
    """Yield every text, except documents, that may refer to a file of the output.

    Args:
        pelican: the settings of Pelican.
        static_files: the absolute paths of the files that Pelican copies.
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
    """Yield every string in the settings of Pelican."""
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
