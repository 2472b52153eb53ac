"""A bucket as the store of uploads, shared by several services.

An object is written before its record, and both before an answer. Nobody removes an image between
the two, because removers wait for the transaction of the record.
"""

from __future__ import annotations

import hashlib
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pelican_imagehost.errors import ForbiddenUploads
from pelican_imagehost.images.image import Image, digest_of
from pelican_imagehost.publish.bucket import Bucket
from pelican_imagehost.publish.collecting import UPLOADS
from pelican_imagehost.publish.objects import Objects, each
from pelican_imagehost.publish.tombstones import Tombstones
from pelican_imagehost.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from pelican_imagehost.settings import Settings
    from pelican_imagehost.storage.book import RecordBook

__all__ = ["ObjectStore"]

_LOOKING = 60.0  # seconds between looks for images that were retracted without the database


class ObjectStore:
    """The bucket of a site; an `ImageStore`.

    Args:
        settings: the settings of the site.
        records: the record of uploads, in a database.

    Attributes:
        uploads: a folder for incomplete uploads, of no use after the process has ended.

    Raises:
        PublishError: obstore is not installed, or there is no key.
    """

    def __init__(self, settings: Settings, records: RecordBook) -> None:
        self._objects = Objects(Bucket.parse(settings.remote or ""), for_client=True)
        self._tombstones = Tombstones(self._objects, settings)
        self._records = records
        self._copies = Store(settings.store)
        self.uploads = settings.index.with_name("imagehost-uploads")
        self._retracted: frozenset[str] = frozenset()
        self._looked = 0.0

    @contextmanager
    def storing(self, received: Iterable[tuple[Image, str]]) -> Iterator[Collection[str]]:
        """Put objects, several at once, each digest once."""
        files = {image.key: (image, file) for image, file in received}
        with self._records.adding():
            known = self._records.known(image.sha256 for image, _ in files.values())

            def put(key: str) -> None:
                image, file = files[key]
                if image.sha256 not in known:
                    self._objects.mark(f"{UPLOADS}/{image.sha256}")
                elif (there := self._objects.head(key)) and there.size == image.size:
                    return
                with open(file, "rb") as opened:
                    self._objects.put_image(key, opened.read())

            each(put, sorted(files), lambda _: None)
            try:
                yield ()
            except ForbiddenUploads as error:
                gone = [key for key, (image, _) in files.items() if image.sha256 in error.digests]
                marks = [f"{UPLOADS}/{digest}" for digest in error.digests]
                self._objects.delete([*gone, *marks])
                raise

    def retracted(self) -> frozenset[str]:
        """Return the digests with a tombstone, as listed in the last minute."""
        now = time.monotonic()
        if not self._looked or now > self._looked + _LOOKING:
            self._retracted, self._looked = self._tombstones.find(), now
        return self._retracted

    def fetch(self, key: str) -> bool:
        """Get a copy of an image into the store of this machine, for its thumbnail."""
        if self._copies.path(key).is_file():
            return True
        data = self._objects.get(key)
        if data is None or hashlib.sha256(data).hexdigest() != digest_of(key):
            return False
        image = Image(digest_of(key), key.rpartition(".")[2], len(data), 0, 0)
        with self._copies.locked(), self._copies.batch() as batch:
            batch.add(image, data)
        return True
