"""One document on its way: its references found, resolved, and rewritten."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pelican_imagehost.documents.lines import find_line
from pelican_imagehost.documents.references import (
    Reference,
    find_references,
    has_image_suffix,
    replace_references,
)
from pelican_imagehost.documents.resolve import Location, Place, Resolver
from pelican_imagehost.errors import ImageHostError
from pelican_imagehost.report import Document, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["Page"]


class Page:
    """A document and the references in it.

    Args:
        document: what the author wrote.
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
        """Find out what the references mean, and yield the locations of those that are local."""
        for url in self._found:
            try:
                found = resolver.resolve(url, self._place)
            except ImageHostError as error:
                self._found[url] = error
                continue
            self._found[url] = found
            if found is not None:
                yield found

    def rewrite(self, addresses: Mapping[str, str]) -> Document:
        """Replace each reference whose image has an address; all else stays byte for byte.

        Args:
            addresses: manifest path → address.
        """
        if not self._found:
            return self.document

        def address(url: str) -> str | None:
            location = self._found[url]
            if not isinstance(location, Location) or location.path not in addresses:
                return None
            return addresses[location.path] + location.suffix

        html = tuple(
            self._replace(text, references, address)
            for text, references in zip(self.document.html, self._references, strict=True)
        )
        fields = tuple(
            (url and address(url)) or value
            for value, url in zip(self.document.fields, self._fields, strict=True)
        )
        return self.document._replace(html=html, fields=fields)

    def uses(self) -> set[str]:
        """The manifest paths that this document names."""
        return {found.path for found in self._found.values() if isinstance(found, Location)}

    def problems(self, errors: Mapping[str, ImageHostError], name: str) -> list[Problem]:
        """What is wrong with this document's references, each once."""
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
