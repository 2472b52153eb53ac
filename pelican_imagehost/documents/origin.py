"""Where the author wrote a reference: the line, also in a file that the document includes."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote

from pelican_imagehost.documents.includes import find_included
from pelican_imagehost.documents.wikilinks import target_of

__all__ = ["Origin", "find_origin"]

_AFTER = r"(?![\w.%-])"
_BEFORE = r"""(?:!\[\[\s*|\]\(\s*<?|\]:\s*<?|=\s*["']?|::\s*|url\(\s*["']?|^[\w-]+:\s*|,\s*)"""


class Origin(NamedTuple):
    """The place of a reference in a source.

    Attributes:
        line: The line of the document, from 1: of the reference, or of what includes it.
        written: The reference as it is spelled there.
        file: The included file that contains it; "" if the document itself does.
        file_line: The line in that file.
    """

    line: int
    written: str
    file: str = ""
    file_line: int = 0


def find_origin(source: str, url: str) -> Origin | None:
    r"""Find where a document contains a URL.

    The reference was found in the rendered HTML, so its spelling in the source may differ:
    escaped, percent-encoded, or not; reStructuredText removes spaces from it, and Markdown
    backslashes. References are searched first, because a text may also just mention a file;
    then the files that the document includes.

    Args:
        source: the file of the document.
        url: the reference.

    Returns:
        The place; None if neither the source nor a file that it includes contains the URL,
        or the source cannot be read.
    """
    text = _read(source)
    names = _spellings(target_of(url) or url)
    if not names:
        return None
    spaced = _escapable(url, r"[ \t\\]*") if source.endswith(".rst") else ""
    found = _search(text, names, spaced)
    if found is not None:
        return Origin(_line(text, found), found["name"])
    for line, file, included in find_included(source, text):
        found = _search(included or "", names, spaced)
        if found is not None:
            return Origin(line, found["name"], file, _line(included or "", found))
    return None


def _spellings(url: str) -> str:
    spellings = dict.fromkeys([url, html.escape(url), unquote(url), quote(url, safe="/{}|:?#%")])
    return "|".join(_escapable(spelling) for spelling in spellings if spelling)


def _escapable(text: str, between: str = r"\\*") -> str:
    return between.join(re.escape(character) for character in text)


def _search(text: str, names: str, spaced: str) -> re.Match[str] | None:
    name = rf"(?P<name>{names})"
    return (
        re.search(f"{_BEFORE}{name}{_AFTER}", text, re.MULTILINE)
        or re.search(f"{_BEFORE}{name}", text, re.MULTILINE)
        or re.search(name, text)
        or (spaced and re.search(rf"::[ \t]+(?P<name>{spaced})[ \t]*$", text, re.MULTILINE))
        or None
    )


def _line(text: str, found: re.Match[str]) -> int:
    return text.count("\n", 0, found.start("name")) + 1


def _read(file: str) -> str:
    try:
        return Path(file).read_text("utf-8", errors="replace")
    except OSError:
        return ""
