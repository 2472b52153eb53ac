"""Where in a document's source a reference stands, for a message to point at."""

from __future__ import annotations

import html
import re
from pathlib import Path
from urllib.parse import quote, unquote

__all__ = ["find_line"]

_AFTER = r"(?![\w.%-])"
_BEFORE = r"""(?:\]\(\s*<?|\]:\s*<?|=\s*["']?|::\s*|^\w+:\s*|,\s*)"""


def find_line(source: str, url: str) -> int | None:
    """Find the line of a document that names a URL.

    The reference was found in the rendered HTML, so its spelling in the source may differ:
    escaped, percent-encoded, or not. Where it stands as Markdown, HTML, reST and metadata
    write references is looked for first, because a text may also merely speak of it.

    Returns:
        The line's number from 1; None where the text does not show it or cannot be read.
    """
    try:
        text = Path(source).read_text("utf-8", errors="replace")
    except OSError:
        return None
    spellings = dict.fromkeys([url, html.escape(url), unquote(url), quote(url, safe="/{}|:?#%")])
    names = "|".join(re.escape(spelling) for spelling in spellings if spelling)
    match = names and (
        re.search(f"{_BEFORE}(?P<name>{names}){_AFTER}", text, re.MULTILINE)
        or re.search(f"{_BEFORE}(?P<name>{names})", text, re.MULTILINE)
        or re.search(f"(?P<name>{names})", text)
    )
    return text.count("\n", 0, match.start("name")) + 1 if match else None
