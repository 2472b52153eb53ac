"""What one page of the gallery shows, read from where the site's facts lie."""

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

_HEAD: Final = 48  # bytes, before their copy
PAGE_SIZE: Final = 48  # images; full rows of two, three, four, six and eight


class Totals(NamedTuple):
    """Numbers over all images.

    Attributes:
        images: how many.
        size: their bytes.
        saved: bytes saved by storing once.
        unused: how many nothing uses.
        duplicates: how many came more than once.
    """

    images: int
    size: int
    saved: int
    unused: int
    duplicates: int


class View(NamedTuple):
    """One page.

    Attributes:
        query: what was asked; its page is one that there is.
        images: those of the page, in order.
        stored: the keys of those whose bytes are here.
        found: how many images the query finds.
        pages: how many pages they fill; 1 at least.
        totals: numbers over all images.
        types: the types that there are.
        problems: what went wrong in the last build.
        built: whether it is known which documents use the manifest's images.
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
    """The images of a site, for many pages and many threads; nothing is written.

    Args:
        settings: the site's.

    Attributes:
        settings: the site's.
        store: likewise.
        thumbnails: small pictures of what the store has.
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
        """All images, as they are now.

        Raises:
            ImageHostError: the manifest or the records cannot be read.
        """
        return self._read().images

    def view(self, query: Query) -> View:
        """Choose what a page shows.

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
        """Read again what has changed since the last time; of a large site that takes longest."""
        with self._lock:
            mentions = self._mentions.find()
            files = (self.settings.manifest, self.settings.index, self.settings.records)
            stamp = ([_stamp(file) for file in files], mentions)
            if stamp != self._stamp:
                self._state = _load(self.settings, mentions)
                self._stamp = stamp
            return self._state


def _load(settings: Settings, mentions: dict[str, frozenset[str]]) -> _State:
    # Only who may write takes part in the write-ahead log, and sees what a build just wrote.
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
    )


def _stamp(file: Path) -> tuple[object, ...]:
    """Tell the state of a file; of a database with a write-ahead log, the last commit's.

    The log itself grows before its commit can be seen, so it tells too early. What SQLite's
    readers go by is the head of the log's index (sqlite.org/walformat.html, section 2.1).
    """
    head, status = b"", None
    with suppress(OSError), open(f"{file}-shm", "rb") as log_index:
        head = log_index.read(_HEAD)
    with suppress(OSError):
        found = os.stat(file)
        status = found.st_mtime_ns, found.st_size, found.st_ino
    return head, status
