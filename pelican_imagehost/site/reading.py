"""Read the documents of a site, with Pelican only those for which it is needed."""

from __future__ import annotations

import os
from functools import cache, partial
from typing import TYPE_CHECKING

from pelican_imagehost.report import Document
from pelican_imagehost.site.prose import MARKDOWN_SUFFIXES, Prose, is_plain_site

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator
    from pathlib import Path

    from pelican_imagehost.site.settings_file import SettingsFile
    from pelican_imagehost.site.site import Site

__all__ = ["read_documents"]

_SUFFIXES = (*MARKDOWN_SUFFIXES, ".rst", ".html", ".htm")  # of Pelican's own readers


def read_documents(
    site: SettingsFile, open_site: Callable[[], Site], listed: Container[str]
) -> list[Document]:
    """Read the articles and pages of a site.

    Args:
        site: its settings.
        open_site: opens the site with Pelican.
        listed: the paths in the manifest.

    Returns:
        The documents; those that Pelican has not read have their images as fields.
    """
    settings, open_site = site.settings, cache(open_site)
    if not is_plain_site(site.pelican, settings):
        return open_site().documents()[0]
    prose, documents, others = Prose(site.pelican, settings, listed), [], set()
    for name in _sources(settings.content):
        source = os.path.join(settings.content, name)
        images = None if _is_special(name) else _read(source, prose, name)
        if images is None:
            others.add(name)
        elif images:
            documents.append(Document(source, partial(_page, open_site, name), (), tuple(images)))
    return documents + (open_site().documents(others)[0] if others else [])


def _sources(content: Path) -> Iterator[str]:
    """Yield the files that Pelican may read as documents, relative to its PATH."""
    for folder, _, names in os.walk(content, followlinks=True):
        for name in names:
            if os.path.splitext(name)[1] in _SUFFIXES:
                yield os.path.relpath(os.path.join(folder, name), content)


def _is_special(name: str) -> bool:
    """Return whether a file is of another type, or hidden: versions of Pelican differ there."""
    return not name.endswith(MARKDOWN_SUFFIXES) or name.startswith(".") or "/." in name


def _read(source: str, prose: Prose, name: str) -> list[str] | None:
    """Return the images of a document; None if Pelican must read it."""
    try:
        with open(source, "rb") as file:
            return prose.images(file.read(), name)
    except OSError:
        return None  # Pelican reports it


def _page(open_site: Callable[[], Site], name: str) -> str:
    """Return the folder of a document's page, which only Pelican knows."""
    documents = open_site().documents({name})[0]
    return documents[0].page() if documents else ""
