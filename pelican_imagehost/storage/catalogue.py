"""What each file is: remembered, or read, stored and written down in that order.

Bytes are durable before the manifest names them, and the index remembers only what
both already hold; a crash between any two steps costs the next run some work, no more.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.errors import ImageHostError, ManifestError, MissingBytes, StoreError
from pelican_imagehost.images.image import Image
from pelican_imagehost.report import Problem
from pelican_imagehost.storage.index import Index, Stamp
from pelican_imagehost.storage.manifest import Manifest
from pelican_imagehost.storage.store import Batch, Store

if TYPE_CHECKING:
    from pelican_imagehost.documents.resolve import Location
    from pelican_imagehost.settings import Settings

__all__ = ["Catalogue", "Entries", "Progress", "silent"]

Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]

_WORKERS = min(4, os.cpu_count() or 1)
_MANY = 1000
_WORTH_A_BAR = 100_000_000  # bytes to read: about a second's work


class Entries(NamedTuple):
    """What was learnt of some locations; keys are manifest paths.

    Attributes:
        images: what is known, hosted or (of a dry run) to be hosted.
        errors: why not; a path in both is known and its bytes are missing.
        new: keys that the store did not have before.
        problems: what concerns no single file.
    """

    images: dict[str, Image]
    errors: dict[str, ImageHostError]
    new: set[str]
    problems: list[Problem]


def silent(_label: str, _total: int) -> AbstractContextManager[Callable[[int], None]]:
    """Show no progress."""
    return nullcontext(lambda _advance: None)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Keep Python from looking for cycles among thousands of new facts, which have none.

    It would look again and again, each time at more of them: two thirds of the index's time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class Catalogue:
    """The store, the manifest and the index of one site, kept in step.

    Args:
        settings: the site's.
        dry_run: look at everything and write nothing.
        progress: called with a label and a number of bytes where there is enough to wait
            for; gives a context whose value is called with each number of bytes done.
    """

    def __init__(
        self, settings: Settings, *, dry_run: bool = False, progress: Progress = silent
    ) -> None:
        self.settings = settings
        self.store = Store(settings.store)
        self.index = Index(settings.index, read_only=dry_run)
        with _without_collector():
            self.manifest = Manifest.load(settings.manifest)
            self._read = self.index.files()
        self.dry_run = dry_run
        self._progress = progress

    def enter(self, locations: dict[str, Location]) -> Entries:
        """Learn what files are, and store what is new.

        Args:
            locations: manifest path → the file, or none where the manifest answers.

        Returns:
            What was learnt; nothing is raised for a file that cannot be hosted.
        """
        entries = Entries({}, {}, set(), [])
        has = self._presence(len(locations))
        with _without_collector():
            unread = [
                location
                for path, location in locations.items()
                if not self._recall(path, location, entries, has)
            ]
        if self.dry_run:
            self._ingest(unread, entries, None)
        elif unread or self._changed(entries):
            self._write(unread, entries)
        return entries

    def _presence(self, images: int) -> Callable[[Image], bool]:
        """Look at each file of the store, or for many at each folder once: five times faster.

        A file is in the store whole or not at all; what damaged it since, `verify` finds.
        """
        if images < _MANY:
            return self.store.has
        names = self.store.names()
        return lambda image: f"{image.sha256}.{image.type}" in names

    def _recall(
        self, path: str, location: Location, entries: Entries, has: Callable[[Image], bool]
    ) -> bool:
        """Answer from the manifest or the index; False where the file must be read."""
        status = location.status
        if status is None:
            self._take_line(path, entries)
            return True
        stamp, fields = self._read.get(location.file, (None, ()))
        # As `Stamp.of`, which costs as much again; there may be a hundred thousand.
        if stamp != (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino):
            return False
        image = Image._make(fields)
        if not self._is_allowed(image):
            return False
        entries.images[path] = image
        return has(image)

    def _take_line(self, path: str, entries: Entries) -> None:
        conflict = self.manifest.conflicts.get(path)
        if conflict is not None:
            entries.errors[path] = conflict
            return
        image = entries.images[path] = self.manifest.images[path]
        if self.settings.embedded is not None and not self.store.has(image):
            entries.errors[path] = MissingBytes(
                f"{path} is in the manifest, but its bytes are neither there nor in the store; "
                "set IMAGEHOST_URL to let the host serve it, or fetch the file"
            )

    def _is_allowed(self, image: Image) -> bool:
        limits = self.settings.limits
        pixels = 0 if image.type == "svg" else image.width * image.height
        return (
            image.type in limits.types
            and image.size <= limits.max_bytes
            and pixels <= limits.max_pixels
        )

    def _write(self, unread: list[Location], entries: Entries) -> None:
        try:
            with self.store.locked():
                self._store(unread, entries)
                self._write_lines(entries)
        except StoreError as error:  # what it holds can be named all the same
            self._ingest(unread, entries, None)
            if self._withdraw(unread, entries) or self._changed(entries):
                entries.problems.append(Problem("", None, "", error))
        fresh = (location.file for location in unread)
        self.index.record_files({file: self._read[file] for file in fresh if file in self._read})

    def _store(self, unread: list[Location], entries: Entries) -> None:
        """Store what can be; a full disk is one problem, not one for each reference."""
        if not unread:
            return
        error: StoreError | None = None
        try:
            with self.store.batch() as batch:
                error = self._ingest(unread, entries, batch)
        except StoreError as failure:
            error = failure
        if error is not None:
            self._withdraw(unread, entries)
            entries.problems.append(Problem("", None, "", error))

    def _withdraw(self, unread: list[Location], entries: Entries) -> int:
        """Take back what the store turned out not to hold, and say how many that are."""
        images = {location.path: entries.images.get(location.path) for location in unread}
        lost = {path for path, image in images.items() if image and not self.store.has(image)}
        for location in unread:
            if location.path in lost:
                entries.new.discard(entries.images.pop(location.path).key)
                self._read.pop(location.file, None)
        return len(lost)

    def _changed(self, entries: Entries) -> dict[str, Image]:
        known = self.manifest.images
        return {path: image for path, image in entries.images.items() if known.get(path) != image}

    def _write_lines(self, entries: Entries) -> None:
        try:
            self.manifest.update(entries.images)  # read again: gc may have dropped a line since
        except OSError as error:
            problem = ManifestError(f"cannot be written: {error.strerror}")
            entries.problems.append(Problem(self.settings.manifest.name, None, "", problem))

    def _ingest(
        self, unread: list[Location], entries: Entries, batch: Batch | None
    ) -> StoreError | None:
        """Read files in a few threads; hashing and file access let each other run.

        Returns:
            Why the store could not take an image, of the first that it could not take.
        """
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  not for a warm build

        failure: StoreError | None = None

        def read(location: Location) -> Image | ImageHostError:
            try:
                return self._read_one(location.file, batch, entries.new)
            except ImageHostError as error:
                return error

        sizes = [location.status.st_size for location in unread if location.status]
        bar = self._progress if sum(sizes) > _WORTH_A_BAR else silent
        with bar("Hosting images", sum(sizes)) as advance, ThreadPoolExecutor(_WORKERS) as pool:
            for location, size, result in zip(unread, sizes, pool.map(read, unread), strict=True):
                entries.images.pop(location.path, None)
                if isinstance(result, StoreError):
                    failure = failure or result
                elif isinstance(result, ImageHostError):
                    entries.errors[location.path] = result
                else:
                    entries.images[location.path] = result
                advance(size)
        return failure

    def _read_one(self, file: str, batch: Batch | None, new: set[str]) -> Image:
        # Imported here: a warm build reads no image.
        from pelican_imagehost.images.identify import read  # noqa: PLC0415

        data, image, status = read(file, self.settings.limits)
        if not self.store.has(image) and (batch is None or batch.add(image, data)):
            new.add(image.key)
        stamp = Stamp.of(status)
        if stamp.is_settled(time.time_ns()):
            self._read[file] = stamp, image
        return image
