"""The content of a page of the gallery."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Final, NamedTuple

from pelican_imagehost.gallery.sources import Sources
from pelican_imagehost.gallery.table import NO_IMAGES, Table, Totals
from pelican_imagehost.gallery.thumbnails import Thumbnails
from pelican_imagehost.gallery.uses import Mentions
from pelican_imagehost.storage.store import Store

if TYPE_CHECKING:
    from pelican_imagehost.gallery.listing import ListedImage
    from pelican_imagehost.gallery.query import Query
    from pelican_imagehost.gallery.sources import Facts
    from pelican_imagehost.settings import Settings
    from pelican_imagehost.storage.index import ProblemRow

__all__ = ["PAGE_SIZE", "Gallery", "View"]

PAGE_SIZE: Final = 48  # images; full rows of two, three, four, six and eight


class View(NamedTuple):
    """A page of the gallery.

    Attributes:
        query: the query; its page exists.
        images: the images on the page, in order.
        stored: the keys of those that are in the store, or come there when they are shown.
        found: the number of images that match the query.
        pages: the number of pages, at least 1.
        totals: totals over all images.
        types: the types of all images.
        problems: the problems of the last build.
        built: whether the site has been built, so that the uses of its images are known.
    """

    query: Query
    images: list[ListedImage]
    stored: frozenset[str]
    found: int
    pages: int
    totals: Totals
    types: list[str]
    problems: list[ProblemRow]
    built: bool


class Gallery:
    """The images of a site, read-only, for use by many threads.

    Args:
        settings: the settings of the site.
        fetches: whether an image that the store lacks comes there when it is shown.

    Attributes:
        settings: the settings of the site.
        store: the store of the site.
        thumbnails: the thumbnails of the stored images.
    """

    def __init__(self, settings: Settings, *, fetches: bool = False) -> None:
        self.settings = settings
        self._fetches = fetches
        self.store = Store(settings.store)
        self.thumbnails = Thumbnails(self.store, settings.index.with_name("imagehost-thumbnails"))
        self._mentions = Mentions(settings)
        self._sources = Sources(settings)
        self._table = Table(settings)
        self._lock = threading.Lock()

    def view(self, query: Query) -> View:
        """Return the page that a query asks for.

        Raises:
            ImageHostError: the manifest or the records cannot be read.
        """
        with self._lock:
            facts = self._read()
            table = self._table
            table.update(facts)
            totals = table.totals()
            whole = Totals(*map(sum, zip(NO_IMAGES, *totals.values(), strict=True)))
            found = table.count(query) if query.is_filtered else whole.images
            pages = max(1, -(-found // PAGE_SIZE))
            query = query._replace(page=min(query.page, pages))
            shown = table.find(query, PAGE_SIZE, (query.page - 1) * PAGE_SIZE)
        return View(
            query,
            shown,
            frozenset(one.image.key for one in shown if self._fetches or self.store.has(one.image)),
            found,
            pages,
            whole,
            [*totals],
            facts.problems,
            bool(facts.uses) or not facts.paths,
        )

    def _read(self) -> Facts:
        # Without write access SQLite cannot use the write-ahead log, and misses a running build.
        read_only = not os.access(self.settings.index, os.W_OK)
        return self._sources.read(self._mentions.find(), read_only=read_only)
