"""The files that a document includes, in the syntaxes that readers of Pelican understand."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Included", "find_included"]

# Markdown-Include, Snippets, Jinja, reStructuredText, AsciiDoc, Org and MyST.
_INCLUDE = re.compile(
    r"""\{!\s*(?P<markdown>[^!\n]+?)\s*!
    | --8<--\s+["'](?P<snippet>[^"'\n]+)["']
    | \{%[-+]?\s*(?:include|import|from|extends)\s+["'](?P<jinja>[^"'\n]+)["']
    | ^[ \t]*\.\.[ ](?:literal)?include::[ \t]+(?P<rest>\S.*?)[ \t]*$
    | ^[ \t]*:file:[ \t]+(?P<option>\S.*?)[ \t]*$
    | ^include::(?:\{[\w-]+\}/)*(?P<asciidoc>[^\[\n]+)\[
    | ^[ \t]*\#\+(?:include|setupfile):[ \t]+(?:"(?P<quoted>[^"\n]+?)(?:::[^"\n]*)?"|(?P<org>\S+))
    | ^[ \t]*(?:`{3,}|:{3,}|~{3,})\{(?:literal)?include\}[ \t]+(?P<myst>\S.*?)[ \t]*$""",
    re.MULTILINE | re.IGNORECASE | re.VERBOSE,
)
_HINT = re.compile(r"include|\{[!%]|--8<--|:file:|#\+setup", re.IGNORECASE)  # much faster
_MOST = 100  # files; a chain may be a circle


class Included(NamedTuple):
    """A file that a document includes, directly or not.

    Attributes:
        line: the line of the document, from 1.
        path: the absolute file; where it should be, if it does not exist.
        text: its text; None if it cannot be read.
    """

    line: int
    path: str
    text: str | None


def find_included(source: str, text: str, folders: Iterable[str] = ()) -> Iterator[Included]:
    """Find the files that a document includes.

    Args:
        source: the absolute file of the document.
        text: its text.
        folders: where the reader looks, besides the folder of each file and those above the
            document: the content and the site, and each base in use is one of them.

    Yields:
        Each file once. Readers differ in where they look first, so every file that may be meant.
    """
    waiting = _names(text)
    known = {source}
    bases = list(dict.fromkeys([*map(str, Path(source).parents), *folders]))
    while waiting and len(known) < _MOST:
        line, name = waiting.pop(0)
        for path in _find(name, bases):
            if path not in known:
                known.add(path)
                included = _read(path)
                yield Included(line, path, included)
                bases = list(dict.fromkeys([*bases, os.path.dirname(path)]))
                waiting += [(line, more) for _, more in _names(included or "")]


def _names(text: str) -> list[tuple[int, str]]:
    """List the names of included files, with their lines."""
    if not _HINT.search(text):
        return []
    found = _INCLUDE.finditer(text)
    return [(text.count("\n", 0, m.start()) + 1, m[m.lastgroup or 0]) for m in found]


def _find(name: str, folders: list[str]) -> list[str]:
    paths = [os.path.normpath(os.path.join(folder, name)) for folder in folders]
    return [path for path in dict.fromkeys(paths) if os.path.isfile(path)] or paths[:1]


def _read(file: str) -> str | None:
    if not os.path.isfile(file):  # a pipe or a device would never end
        return None
    try:
        return Path(file).read_text("utf-8", errors="replace")
    except OSError:
        return None
