"""Where uploads are stored: in the store of this machine or, with shared records, in the bucket."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from pelican_imagehost.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from collections.abc import Set as AbstractSet
    from contextlib import AbstractContextManager
    from pathlib import Path

    from pelican_imagehost.images.image import Image
    from pelican_imagehost.settings import Settings
    from pelican_imagehost.storage.book import RecordBook

__all__ = ["DiskStore", "ImageStore", "open_image_store"]


class ImageStore(Protocol):
    """A place that keeps images for ever.

    Attributes:
        uploads: the folder for incomplete uploads.
    """

    uploads: Path

    def storing(
        self, received: Iterable[tuple[Image, str]]
    ) -> AbstractContextManager[Collection[str]]:
        """Store images durably; nobody removes them until the block has ended.

        The block records them. If it fails, they may stay, as no answer has named them.

        Args:
            received: each image, and the file that has its bytes.

        Returns:
            With the block, the files that it has moved.

        Raises:
            ImageHostError: one cannot be stored; the others may be.
        """

    def retracted(self) -> AbstractSet[str]:
        """Return the digests of images that must not be stored, as last learned."""

    def fetch(self, key: str) -> bool:
        """Make sure that this machine has the file of an image; return whether it exists."""


class DiskStore:
    """The store of this machine; an `ImageStore`.

    Args:
        store: the store.
        retracted: returns the digests of retracted images.
    """

    def __init__(self, store: Store, retracted: Callable[[], AbstractSet[str]]) -> None:
        self._store, self.retracted = store, retracted
        self.uploads = store.uploads

    @contextmanager
    def storing(self, received: Iterable[tuple[Image, str]]) -> Iterator[Collection[str]]:
        """Move files into the store, all with one sync, while it is locked."""
        with self._store.locked():
            with self._store.batch() as batch:
                moved = [file for image, file in received if batch.adopt(image, file)]
            yield moved

    def fetch(self, key: str) -> bool:
        """Return whether the store has an image."""
        return self._store.path(key).is_file()


def open_image_store(
    settings: Settings, records: RecordBook, retracted: Callable[[], AbstractSet[str]]
) -> ImageStore:
    """Open the place for uploads.

    Args:
        settings: the settings of the site.
        records: the record of uploads.
        retracted: returns the digests of the images that its target has retracted.

    Raises:
        PublishError: the bucket lacks something that only a person can add, as a key.
    """
    if settings.database is None:
        return DiskStore(Store(settings.store), retracted)
    from pelican_imagehost.publish.object_store import ObjectStore  # noqa: PLC0415  an extra

    return ObjectStore(settings, records)
