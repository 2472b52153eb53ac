"""Identify files and store new images: in the store, the manifest and the index, in that order.

Bytes are durable before the manifest lists them, and the index only contains images that
are in both. After a crash between two steps, the next run just repeats some work.
"""

from __future__ import annotations

import gc
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.errors import ImageHostError, ManifestError, StoreError
from pelican_imagehost.report import Problem, Progress, silent
from pelican_imagehost.storage.index import Index, Stamp
from pelican_imagehost.storage.manifest import Manifest
from pelican_imagehost.storage.recall import Known, Recall, Recalled, standing_as
from pelican_imagehost.storage.store import Batch, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pelican_imagehost.documents.location import Location
    from pelican_imagehost.images.identify import ImageFile
    from pelican_imagehost.images.image import Image
    from pelican_imagehost.settings import Settings

__all__ = ["Catalogue", "Entries"]

_WORKERS = min(4, os.cpu_count() or 1)
_WORTH_A_BAR = 100_000_000  # bytes, which take about a second to read


class Entries(NamedTuple):
    """The outcome for some locations, by manifest path.

    Attributes:
        images: the images; in a dry run they may not be stored yet.
        errors: the reason for each path without an image; a path in both is listed in the
            manifest, but its file is missing.
        new: keys of images that were added to the store.
        problems: problems that are not about a single file.
    """

    images: dict[str, Image]
    errors: dict[str, ImageHostError]
    new: set[str]
    problems: list[Problem]


class _Result(NamedTuple):
    """The result of reading one file; `stamp` is None if the file may still be changing."""

    image: Image
    stamp: Stamp | None
    is_new: bool  # whether the image was not in the store


class _Read(NamedTuple):
    """The results of reading files, by path; `failure`: why the store could not be written."""

    results: dict[str, _Result]
    errors: dict[str, ImageHostError]
    failure: StoreError | None = None

    @property
    def images(self) -> dict[str, Image]:
        return {path: result.image for path, result in self.results.items()}


@contextmanager
def _without_collector() -> Iterator[None]:
    """Disable the garbage collector of Python, while thousands of objects are created.

    They contain no cycles, but the collector would visit them again and again, which takes
    two thirds of the time to load the index.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _load(settings: Settings) -> Manifest:
    if not settings.frozen:
        return Manifest.load(settings.manifest)
    from pelican_imagehost.storage.committed import load_committed  # noqa: PLC0415  slow

    return load_committed(settings.manifest)


@contextmanager
def _workers(tasks: int) -> Iterator[Callable[..., Iterable[_Result | ImageHostError]]]:
    """Yield a `map` that uses a few threads, because hashing and file access release the GIL."""
    if tasks == 1:
        yield map
        return
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  slow

    with ThreadPoolExecutor(_WORKERS) as pool:
        yield pool.map


class Catalogue:
    """The store, the manifest and the index of one site, updated together.

    Args:
        settings: the settings of the site.
        dry_run: read everything, but write nothing.
        progress: shows the progress of reading many bytes.

    Raises:
        ManifestError: the manifest cannot be read.
    """

    def __init__(
        self, settings: Settings, *, dry_run: bool = False, progress: Progress = silent
    ) -> None:
        self.settings = settings
        self.store = Store(settings.store)
        self.index = Index(settings.index, read_only=dry_run)
        with _without_collector():
            self.manifest = _load(settings)
            self._files = self.index.files()
        self.dry_run = dry_run
        self.progress = progress
        self._retracted: frozenset[str] = frozenset()

    def enter(self, locations: dict[str, Location], *, afresh: bool = False) -> Entries:
        """Identify files, and store new images.

        Args:
            locations: manifest path → the location; without a file, the manifest is used.
            afresh: read also the files that the index knows, and compare the stored bytes.

        Returns:
            The outcome; files that cannot be hosted are in its `errors`.
        """
        self._retracted = self.store.retracted()
        with _without_collector():
            recalled = self._recall({} if afresh else self._files).all(locations)
        read, problems = _Read({}, {}), list[Problem]()
        if self.dry_run or not self.settings.stores:
            read = self._read_all(recalled.unread, None)
        elif recalled.unread or self._changed(recalled.images):
            read, problems = self._write(recalled)
        self._remember(locations, read)
        new = {result.image.key for result in read.results.values() if result.is_new}
        return Entries(recalled.images | read.images, recalled.errors | read.errors, new, problems)

    def read(self, file: str, recall: Recall | None = None) -> ImageFile:
        """Read a file, and prepare what is published of it.

        What the manifest lists for its bytes stands, even if they would be cleaned otherwise
        today: an address moves only on request.

        Args:
            file: the path of an image file.
            recall: the images of the site, if the caller has it.

        Returns:
            The image to publish with its bytes, which are empty if the store or the host has
            them, and the state of the file.

        Raises:
            ImageHostError: as `images.identify.read` and `images.prepare.prepare`.
        """
        # Imported here, because a build without new images does not need them.
        from pelican_imagehost.images.identify import read  # noqa: PLC0415
        from pelican_imagehost.images.prepare import prepare  # noqa: PLC0415

        found = read(file, self.settings.limits, walks=False)
        standing = (recall or self._recall({})).standing(found.image.original)
        if standing is not None and standing.sha256 == found.image.sha256:
            return found._replace(image=standing_as(standing, found.image))
        data, image = prepare(found.data, found.image, self.settings.keep_metadata)
        if standing is not None and standing.sha256 == image.sha256:
            return found._replace(data=data, image=standing_as(standing, image))
        if standing is not None and (self.settings.url or self.store.has(standing)):
            return found._replace(data=b"", image=standing)
        return found._replace(data=data, image=image)

    def _recall(self, files: Known) -> Recall:
        return Recall(self.settings, self.store, self.manifest, files, self._retracted)

    def _write(self, recalled: Recalled) -> tuple[_Read, list[Problem]]:
        try:
            with self.store.locked():
                read = self._store(recalled.unread)
                problems = self._write_lines(recalled.images | read.images)
            if read.failure is not None:  # report a full disk once, not for each reference
                problems.insert(0, Problem("", None, "", read.failure))
        except StoreError as error:  # stored images still have their addresses
            everything = self._read_all(recalled.unread, None)
            read = self._without_lost(everything)
            is_lacking = len(read.results) < len(everything.results)
            is_lacking = is_lacking or bool(self._changed(recalled.images | read.images))
            problems = [Problem("", None, "", error)] if is_lacking else []
        return read, problems

    def _store(self, unread: list[Location]) -> _Read:
        """Read files into the store; the caller holds its lock."""
        read = _Read({}, {})
        if not unread:
            return read
        try:
            with self.store.batch() as batch:
                read = self._read_all(unread, batch)
        except StoreError as error:
            read = read._replace(failure=error)
        return read if read.failure is None else self._without_lost(read)

    def _without_lost(self, read: _Read) -> _Read:
        """Leave out images that are not in the store."""
        held = {path: one for path, one in read.results.items() if self.store.has(one.image)}
        return read._replace(results=held)

    def _changed(self, images: dict[str, Image]) -> bool:
        known = self.manifest.images
        return any(known.get(path) != image for path, image in images.items())

    def list_images(self, images: Mapping[str, Image], *, drop: Iterable[str] = ()) -> None:
        """Write lines of the manifest; the caller holds the lock of the store.

        Args:
            images: path → image.
            drop: paths whose lines are removed.

        Raises:
            ManifestError: the file cannot be written; it is unchanged.
        """
        error = self._update(images, drop)
        if error is not None:
            raise ManifestError(f"{self.settings.manifest.name} {error}")

    def _write_lines(self, images: dict[str, Image]) -> list[Problem]:
        if self.settings.frozen:  # all are listed
            return []
        error = self._update(images)
        return [Problem(self.settings.manifest.name, None, "", error)] if error else []

    def _update(
        self, images: Mapping[str, Image], drop: Iterable[str] = ()
    ) -> ManifestError | None:
        """Write lines; return why they cannot be written. Reads first what gc may have changed."""
        try:
            self.manifest.update(images, drop=drop)
        except OSError as error:
            return ManifestError(f"cannot be written: {error.strerror}; check its permissions")
        return None

    def _read_all(self, unread: list[Location], batch: Batch | None) -> _Read:
        def read(location: Location) -> _Result | ImageHostError:
            try:
                return self._read_one(location, recall, batch)
            except ImageHostError as error:
                return error

        found, recall = _Read({}, {}), self._recall({})
        sizes = [location.status.st_size for location in unread if location.status]
        bar = self.progress if sum(sizes) > _WORTH_A_BAR else silent
        with bar("Hosting images", sum(sizes)) as advance, _workers(len(unread)) as apply:
            for location, size, result in zip(unread, sizes, apply(read, unread), strict=True):
                if isinstance(result, _Result):
                    found.results[location.path] = result
                elif not isinstance(result, StoreError):
                    found.errors[location.path] = result
                elif found.failure is None:
                    found = found._replace(failure=result)
                advance(size)
        return found

    def _read_one(self, location: Location, recall: Recall, batch: Batch | None) -> _Result:
        data, image, status = self.read(location.file, recall)
        error = recall.refusal(location.path, image)
        if error is not None:
            raise error
        if not data:  # the store or the host has it
            is_new = False
        elif batch is None:
            is_new = self.settings.stores and not self.store.has(image)
        else:
            is_new = batch.add(image, data)
        stamp = Stamp.of(status)
        return _Result(image, stamp if stamp.is_settled(time.time_ns()) else None, is_new)

    def _remember(self, locations: dict[str, Location], read: _Read) -> None:
        """Record files in the index, so that they are not read again."""
        fresh = {
            locations[path].file: (result.stamp, result.image)
            for path, result in read.results.items()
            if result.stamp is not None
        }
        self._files |= fresh
        if not self.dry_run:
            self.index.record_files(fresh)
