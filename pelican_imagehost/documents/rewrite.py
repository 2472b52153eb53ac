"""The rewriting of one document: its references are found, resolved and replaced."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from pelican_imagehost.documents.location import Location
from pelican_imagehost.documents.resolve import Place, Resolver
from pelican_imagehost.documents.wanted import has_image_suffix
from pelican_imagehost.documents.wikilinks import target_of
from pelican_imagehost.errors import ImageHostError
from pelican_imagehost.report import Document, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pelican_imagehost.documents.references import Reference

__all__ = ["Rewrite"]


class Rewrite:
    """A document, its references, and the document with other addresses.

    Args:
        document: the document as its author wrote it.
    """

    def __init__(self, document: Document) -> None:
        self.document = document
        self._place = Place(os.path.dirname(document.source), document.page)
        self._references = [_find_references(text) for text in document.html]
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
                return target_of(url)
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

    def problems(
        self, errors: Mapping[str, ImageHostError], relative: Callable[[str], str]
    ) -> list[Problem]:
        """List the problems with the references of this document, each once.

        Args:
            errors: manifest path → the reason why that image could not be hosted.
            relative: returns the name of a file in messages.
        """
        found = ((url, self._error(url, errors)) for url in self._found)
        return [self._problem(url, error, relative) for url, error in found if error is not None]

    def _error(self, url: str, errors: Mapping[str, ImageHostError]) -> ImageHostError | None:
        found = self._found[url]
        return errors.get(found.path) if isinstance(found, Location) else found

    def _problem(self, url: str, error: ImageHostError, relative: Callable[[str], str]) -> Problem:
        from pelican_imagehost.documents.origin import find_origin  # noqa: PLC0415  seldom needed

        source = self.document.source
        origin = find_origin(source, url)
        if origin is None:
            return Problem(relative(source), None, url, error)
        hints = []
        if source.endswith(".rst") and _is_spaced(origin.written, url):
            escaped = re.sub(r"(?<!\\)[ \t]+", r"\\ ", origin.written)
            hints.append(f"reStructuredText removes spaces: write {escaped}")
        if origin.file:
            hints.append(f"included from {relative(origin.file)}:{origin.file_line}")
        if hints:
            error = type(error)("; ".join([str(error), *hints]))
        return Problem(relative(source), origin.line, url, error)

    @staticmethod
    def _replace(
        text: str, references: list[Reference], address: Callable[[str], str | None]
    ) -> str:
        new = {reference: address(reference.url) for reference in references}
        replacements = {reference: url for reference, url in new.items() if url is not None}
        if not replacements:
            return text
        from pelican_imagehost.documents.references import replace_references  # noqa: PLC0415

        return replace_references(text, replacements)


def _find_references(html: str) -> list[Reference]:
    # Imported here, because documents that Pelican has not read have no HTML.
    from pelican_imagehost.documents.references import find_references  # noqa: PLC0415

    return find_references(html)


def _is_spaced(written: str, url: str) -> bool:
    return re.search(r"\s", re.sub(r"\\.", "", written)) is not None and " " not in url
