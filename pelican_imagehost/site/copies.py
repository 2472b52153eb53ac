"""Copies of static images in the output: without metadata, and made once.

An original may lie at its old address for a theme, a plugin or an old link, whether a
document names it or not; none of them shall show where it was taken (issue 13).
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pelican_imagehost.errors import CorruptImage, ImageHostError, StoreError, UnreadableImage
from pelican_imagehost.images.image import IMAGE_TYPES, Limits
from pelican_imagehost.report import Problem
from pelican_imagehost.storage.durable import clone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pelican_imagehost.documents.location import Location
    from pelican_imagehost.images.image import Image
    from pelican_imagehost.settings import Settings
    from pelican_imagehost.storage.store import Store

__all__ = ["Copies"]

_INCOMING = ".imagehost-incoming"
_ANY = Limits(sys.maxsize, sys.maxsize, frozenset(IMAGE_TYPES))
_MARKS = (b"Exif\0\0", b"http://ns.adobe.com/xap", b"<x:xmpmeta", b"eXIf", b"EXIF")


class Copies:
    """Puts static images in place.

    Args:
        settings: the settings of the site.
        store: has the bytes of hosted ones.
        only_cleaned: whether the others are left to Pelican, because it links to them, or
            because its copies are tracked.
        expect: called with each file before it is written.

    Attributes:
        problems: the images that could not be put in place.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        *,
        only_cleaned: bool,
        expect: Callable[[Iterable[str]], None],
    ) -> None:
        self.problems: list[Problem] = []
        self._settings = settings
        self._store = store
        self._only_cleaned = only_cleaned
        self._expect = expect
        self._incoming = settings.output / _INCOMING

    def put(self, source: str, target: str, hosted: tuple[Location, Image] | None) -> bool:
        """Put the published bytes of an original in place, if they are not there.

        Args:
            source: the original.
            target: the copy.
            hosted: where it is and what is published of it, if it is hosted.

        Returns:
            Whether nothing is left to do; if not, the original may be copied as it is.
        """
        if hosted is not None and self._store.has(hosted[1]):
            return self._put_stored(*hosted, target)
        if "all" in self._settings.keep_metadata:
            return False
        try:
            return self._put_clean(source, target)
        except (OSError, ImageHostError) as error:
            self._note(source, error)
            return True

    def close(self) -> None:
        """Remove the folder of unfinished files, also what a killed build left in it."""
        if self._incoming.is_dir():
            shutil.rmtree(self._incoming, ignore_errors=True)

    def _put_stored(self, location: Location, image: Image, target: str) -> bool:
        status = location.status
        if status is None or (self._only_cleaned and not image.source):
            return False
        if not image.source and status.st_size != image.size:
            return False
        is_sure = not image.source or status.st_size != image.size
        if is_sure and _is_same(target, image.size, status):
            self._expect([target])
            return True
        try:
            self._copy(self._store.path(image.key), target, status)
        except OSError as error:
            if image.source:
                self._note(location.file, error)
            return bool(image.source)  # if not, Pelican reports the reason, or copies after all
        return True

    def _put_clean(self, source: str, target: str) -> bool:
        status = os.stat(source)
        if _is_same(target, None, status) and not os.path.samefile(source, target):
            self._expect([target])
            return True
        data = self._cleaned(source)
        if data is None and self._only_cleaned:
            return False
        if data is None:
            self._copy(Path(source), target, status)
            return True
        self._incoming.mkdir(parents=True, exist_ok=True)
        cleaned = self._incoming / os.path.basename(target)
        try:
            cleaned.write_bytes(data)
            self._copy(cleaned, target, status)
        finally:
            cleaned.unlink(missing_ok=True)
        return True

    def _cleaned(self, source: str) -> bytes | None:
        """Return an image without its metadata; None if it is to be copied as it is."""
        # Imported here, because a build without new images does not need them.
        from pelican_imagehost.images.identify import read  # noqa: PLC0415
        from pelican_imagehost.images.prepare import prepare  # noqa: PLC0415

        try:
            found = read(source, _ANY, walks=False)
            data, image = prepare(found.data, found.image, self._settings.keep_metadata)
        except UnreadableImage:
            return None  # Pelican gives the reason
        except ImageHostError as error:
            if isinstance(error, CorruptImage) and _may_tell(source):
                raise
            return None
        return data if image.source else None

    def _copy(self, source: Path, target: str, status: os.stat_result) -> None:
        self._expect([target])
        self._incoming.mkdir(parents=True, exist_ok=True)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        clone(source, Path(target), folder=self._incoming)
        os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))

    def _note(self, source: str, error: Exception) -> None:
        if isinstance(error, OSError):
            error = StoreError(f"cannot be copied to the output: {error.strerror or error}")
        else:
            error = CorruptImage(f"{error}; it may hold private data, so it is not copied")
        self.problems.append(Problem("", None, self._settings.relative(source), error))


def _may_tell(source: str) -> bool:
    """Return whether there are signs of metadata in a file."""
    with open(source, "rb") as file:
        data = file.read()
    return any(mark in data for mark in _MARKS)


def _is_same(target: str, size: int | None, status: os.stat_result) -> bool:
    """Return whether a copy was made by us: it has the time of its original, to the nanosecond."""
    try:
        there = os.lstat(target)
    except OSError:
        return False
    return there.st_mtime_ns == status.st_mtime_ns and size in (None, there.st_size)
