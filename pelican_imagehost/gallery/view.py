"""The content of a page of the gallery."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from pelican_imagehost.gallery.listing import Facts, ListedImage, list_images
from pelican_imagehost.gallery.query import Query, select, sort
from pelican_imagehost.gallery.thumbnails import Thumbnails
from pelican_imagehost.gallery.uses import Mentions
from pelican_imagehost.storage.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from pelican_imagehost.settings import Settings
    from pelican_imagehost.storage.index import ProblemRow

__all__ = ["PAGE_SIZE", "Gallery", "Totals", "View"]

_HEAD: Final = 48  # bytes, followed by a copy of them
PAGE_SIZE: Final = 48  # images; full rows of two, three, four, six and eight


class Totals(NamedTuple):
    """Totals over all images.

    Attributes:
        images: the number of images.
        size: their bytes.
        saved: bytes saved by storing once.
        unused: the number of unused images.
        duplicates: the number of images added more than once.
        variants: the number of their variants.
        variants_size: the bytes of these.
    """

    images: int
    size: int
    saved: int
    unused: int
    duplicates: int
    variants: int
    variants_size: int


class View(NamedTuple):
    """A page of the gallery.

    Attributes:
        query: the query; its page exists.
        images: the images on the page, in order.
        stored: the keys of those that are in the store.
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


class _State(NamedTuple):
    images: list[ListedImage]
    problems: list[ProblemRow]
    built: bool
    totals: Totals


class Gallery:
    """The images of a site, read-only, for use by many threads.

    Args:
        settings: the settings of the site.

    Attributes:
        settings: the settings of the site.
        store: the store of the site.
        thumbnails: the thumbnails of the stored images.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = Store(settings.store)
        self.thumbnails = Thumbnails(self.store, settings.index.with_name("imagehost-thumbnails"))
        self._mentions = Mentions(settings)
        self._lock = threading.Lock()
        self._stamp: object = None
        self._state = _State([], [], False, _total([]))

    def images(self) -> list[ListedImage]:
        """List all images.

        Raises:
            ImageHostError: the manifest or the records cannot be read.
        """
        return self._read().images

    def view(self, query: Query) -> View:
        """Return the page that a query asks for.

        Raises:
            ImageHostError: as `images`.
        """
        state = self._read()
        found = sort(select(state.images, query), query.sort)
        pages = max(1, -(-len(found) // PAGE_SIZE))
        query = query._replace(page=min(query.page, pages))
        shown = found[(query.page - 1) * PAGE_SIZE : query.page * PAGE_SIZE]
        return View(
            query,
            shown,
            frozenset(one.image.key for one in shown if self.store.has(one.image)),
            len(found),
            pages,
            state.totals,
            sorted({image.type for image in state.images}),
            state.problems,
            state.built,
        )

    def _read(self) -> _State:
        """Reload the images if a file has changed; slow on a large site."""
        with self._lock:
            mentions = self._mentions.find()
            files = (self.settings.manifest, self.settings.index, self.settings.records)
            stamp = ([_stamp(file) for file in files], mentions)
            if stamp != self._stamp:
                self._state = _load(self.settings, mentions)
                self._stamp = stamp
            return self._state


def _load(settings: Settings, mentions: dict[str, frozenset[str]]) -> _State:
    # Without write access SQLite cannot use the write-ahead log, and misses a running build.
    read_only = not os.access(settings.index, os.W_OK)
    facts = Facts.read(settings, mentions, read_only=read_only)
    images = list_images(settings, facts)
    return _State(images, facts.problems, bool(facts.uses) or not facts.paths, _total(images))


def _total(images: list[ListedImage]) -> Totals:
    return Totals(
        len(images),
        sum(image.size for image in images),
        sum(image.saved for image in images),
        sum(not image.documents for image in images),
        sum(image.saved > 0 for image in images),
        sum(len(image.variants) for image in images),
        sum(one.size for image in images for one in image.variants),
    )


def _stamp(file: Path) -> tuple[object, ...]:
    """Return the state of a file; of a database with a write-ahead log, of its last commit.

    The log itself grows before the commit is visible, so its size changes too early. Readers
    use the header of the log index (sqlite.org/walformat.html, section 2.1).
    """
    head, status = b"", None
    with suppress(OSError), open(f"{file}-shm", "rb") as log_index:
        head = log_index.read(_HEAD)
    with suppress(OSError):
        found = os.stat(file)
        status = found.st_mtime_ns, found.st_size, found.st_ino
    return head, status
