"""The rewriting of one document: its references are found, resolved and replaced."""

from __future__ import annotations

import html
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from pelican_imagehost.documents.references import (
    Reference,
    find_references,
    replace_references,
)
from pelican_imagehost.documents.resolve import Location, Place, Resolver
from pelican_imagehost.documents.wanted import has_image_suffix
from pelican_imagehost.errors import ImageHostError
from pelican_imagehost.report import Document, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["Rewrite", "find_line"]

_AFTER = r"(?![\w.%-])"
_BEFORE = r"""(?:\]\(\s*<?|\]:\s*<?|=\s*["']?|::\s*|^\w+:\s*|,\s*)"""


class Rewrite:
    """A document, its references, and the document with other addresses.

    Args:
        document: the document as its author wrote it.
    """

    def __init__(self, document: Document) -> None:
        self.document = document
        self._place = Place(os.path.dirname(document.source), document.page)
        self._references = [find_references(text) for text in document.html]
        self._fields = [value if has_image_suffix(value) else "" for value in document.fields]
        urls = [reference.url for references in self._references for reference in references]
        self._found: dict[str, Location | ImageHostError | None] = dict.fromkeys(
            (*urls, *filter(None, self._fields))
        )

    def resolve(self, resolver: Resolver) -> Iterator[Location]:
        """Resolve the references.

        Yields:
            The locations of those that are local.
        """
        for url in self._found:
            try:
                found = resolver.resolve(url, self._place)
            except ImageHostError as error:
                self._found[url] = error
                continue
            self._found[url] = found
            if found is not None:
                yield found

    def apply(self, addresses: Mapping[str, str]) -> Document:
        """Replace each reference to an image that has an address.

        Args:
            addresses: manifest path → address.

        Returns:
            The document; everything else in it is unchanged, byte for byte.
        """
        if not self._found:
            return self.document

        def address(url: str) -> str | None:
            location = self._found[url]
            if not isinstance(location, Location) or location.path not in addresses:
                return None
            return addresses[location.path] + location.suffix

        texts = tuple(
            self._replace(text, references, address)
            for text, references in zip(self.document.html, self._references, strict=True)
        )
        fields = tuple(
            (url and address(url)) or value
            for value, url in zip(self.document.fields, self._fields, strict=True)
        )
        return self.document._replace(html=texts, fields=fields)

    def uses(self) -> set[str]:
        """Return the manifest paths of the images that this document uses."""
        return {found.path for found in self._found.values() if isinstance(found, Location)}

    def problems(self, errors: Mapping[str, ImageHostError], name: str) -> list[Problem]:
        """List the problems with the references of this document, each once.

        Args:
            errors: manifest path → the reason why that image could not be hosted.
            name: the name of the document in messages.
        """
        problems = []
        for url, found in self._found.items():
            error = errors.get(found.path) if isinstance(found, Location) else found
            if error is not None:
                line = find_line(self.document.source, url)
                problems.append(Problem(name, line, url, error))
        return problems

    @staticmethod
    def _replace(
        text: str, references: list[Reference], address: Callable[[str], str | None]
    ) -> str:
        new = {reference: address(reference.url) for reference in references}
        replacements = {reference: url for reference, url in new.items() if url is not None}
        return replace_references(text, replacements) if replacements else text


def find_line(source: str, url: str) -> int | None:
    """Find the line of a document that contains a URL.

    The reference was found in the rendered HTML, so its spelling in the source may differ:
    escaped, percent-encoded, or not. Markdown, HTML, reST and metadata references are
    searched first, because a text may also just mention a file.

    Args:
        source: the file of the document.
        url: the reference.

    Returns:
        The number of the line, from 1; None if the source does not contain the URL or
        cannot be read.
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
