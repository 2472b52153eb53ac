"""Publishing to a bucket of an object store; the names of objects are the keys of images.

A key is the digest of its bytes, so a plain PUT is right while others write, and there is no
order of pushes. `retracted/<sha256>` is a tombstone, `uploads/<sha256>` marks an image that no
manifest lists; `collecting` has the rest.
"""

from __future__ import annotations

import contextlib
import time
from functools import cached_property
from typing import TYPE_CHECKING

from pelican_imagehost.errors import PublishError
from pelican_imagehost.images.image import digest_of
from pelican_imagehost.publish.bucket import GRACE, Bucket
from pelican_imagehost.publish.collecting import UPLOADS, Collector, images
from pelican_imagehost.publish.objects import Object, Objects, each
from pelican_imagehost.publish.sending import read_image
from pelican_imagehost.publish.target import NONE, in_groups
from pelican_imagehost.publish.tombstones import Tombstones
from pelican_imagehost.report import print_nothing
from pelican_imagehost.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from collections.abc import Set as AbstractSet

    from pelican_imagehost.publish.target import Fetch, Sending
    from pelican_imagehost.report import Say
    from pelican_imagehost.settings import Settings

__all__ = ["S3Target"]

_FEW = 100  # looked up one by one; for more, the bucket is listed
_TRIES = 8


class S3Target:
    """A bucket; a `Target`.

    Args:
        settings: the settings of the site.
        remote: its address.
        grace: how long no gc deletes an object, in seconds, the same for all who use the bucket;
            `GRACE` if None.
    """

    verb = "Sending"
    limit: int | None = None
    is_ready = True
    is_prompt = False  # a CDN may remember that an image was not there

    def __init__(self, settings: Settings, remote: str, grace: float | None = None) -> None:
        self.store = Store(settings.store)
        self._settings, self._grace = settings, GRACE if grace is None else grace
        self._bucket = Bucket.parse(remote)
        self.name = str(self._bucket)
        self._old: set[str] = set()  # of the images that are due, those that are there

    @cached_property
    def _objects(self) -> Objects:
        return Objects(self._bucket)

    @cached_property
    def _collector(self) -> Collector:
        return Collector(self._objects, self._grace)

    @cached_property
    def _tombstones(self) -> Tombstones:
        return Tombstones(self._objects, self._settings)

    def prepare(self, clone: str | None) -> list[str]:
        """Copy the records of a file to a database; a bucket is made with the service's tools."""
        if clone is not None:
            raise PublishError(
                f"--clone is for git; {self.name} needs no copy here: `verify --repair` fetches "
                "images that are missing"
            )
        from pelican_imagehost.publish.adopting import adopt_records  # noqa: PLC0415  for `init`

        return adopt_records(self._settings, self)

    def rules(self) -> list[str]:
        """Return the rules for the bucket, and for a CDN before it."""
        from pelican_imagehost.publish.bucket_rules import bucket_rules  # noqa: PLC0415  for `init`

        return bucket_rules(self._bucket)

    def connect(self) -> bool:
        """Check that there are obstore and a key; see `Target`."""
        return self._objects is not None

    def refresh(self) -> None:
        """List the tombstones, also in the store, where builds look them up."""
        found = self._tombstones.find()
        if found != self.store.retracted():
            with self.store.locked():
                self.store.note_retracted(found)

    def keys(self) -> set[str]:
        """Return the keys of all images in the bucket."""
        return {one.name for one in images(self._objects)}

    def sizes(self) -> dict[str, int | None]:
        """Return the sizes of all images in the bucket."""
        return {one.name: one.size for one in images(self._objects)}

    def retracted(self) -> AbstractSet[str]:
        """Return the digests with a tombstone, as last listed."""
        return self.store.retracted()

    def missing(self, keys: Collection[str]) -> set[str]:
        """Return which images are not in the bucket."""
        return set(keys) - self._find(keys).keys()

    def due(self, keys: Collection[str]) -> set[str]:
        """Return which images are not in the bucket, or so old that a gc might take them soon."""
        self.refresh()
        there = self._find(keys)
        limit = time.time() - self._grace / 2
        old = {key for key, modified in there.items() if modified < limit}
        self._old = self._unsettled(old) if old else old
        return (set(keys) - there.keys()) | self._old

    def _unsettled(self, keys: set[str]) -> set[str]:
        """Leave out images that no gc takes, because everybody's manifest has long listed them."""
        from pelican_imagehost.publish.history import settled_digests  # noqa: PLC0415  seldom

        settled = settled_digests(self._settings.manifest, self._grace / 2)
        return {key for key in keys if digest_of(key) not in settled}

    def elsewhere(self) -> set[str]:
        """Return nothing: the store of an author has every image of the site."""
        return set()

    def send(
        self,
        choose: Callable[[], list[str]],
        sending: Sending,
        fetch: Fetch | None = None,
        say: Say = print_nothing,
    ) -> list[str]:
        """Put images; see `Target`. Others may do so at the same time."""

        def fetch_old(key: str) -> bytes | None:  # it may be here, and not on this machine
            data = self._objects.get(key) if key in self._old else None
            return fetch(key) if fetch and data is None else data

        def put(key: str) -> int:
            data = read_image(self.store, key, fetch_old)
            self._objects.put_image(key, data)
            return len(data)

        sent: set[str] = set()
        for _ in range(_TRIES):
            new = choose()
            if new:
                with sending(new) as advance:
                    each(put, new, advance)
                self._forget(new)
                sent.update(new)
            if not new or not self._is_undone(new, say):
                return sorted(sent)
        raise PublishError(f"others change {self.name} too often; try again")

    def _is_undone(self, sent: Collection[str], say: Say) -> bool:
        """Return whether others have deleted or retracted images while they were sent."""
        old = self._old.intersection(sent)
        if old:
            self._collector.outlast(say)
        lost = self.missing(old)
        self.refresh()
        retracted = {key for key in sent if digest_of(key) in self.retracted()}
        self._objects.delete(retracted)
        return bool(lost or retracted)

    def note_uploads(self, digests: Iterable[str]) -> None:
        """Mark images that are uploads, so that no gc on another machine deletes them."""
        each(self._objects.mark, [f"{UPLOADS}/{digest}" for digest in digests], lambda _: None)

    def read(self, key: str) -> bytes | None:
        """Return the bytes of an image in the bucket."""
        return self._objects.get(key)

    def withdraw(self, keys: Iterable[str], variants: Mapping[str, str] = NONE) -> None:
        """Put tombstones, then delete the images; see `Target`."""
        groups = in_groups(keys, variants)
        gone = sorted(key for group in groups for key in group)
        self._tombstones.put({digest_of(one[0]): list(map(digest_of, one)) for one in groups})
        self.store.note_retracted(self._tombstones.find())
        self._objects.delete([*gone, *(f"{UPLOADS}/{digest_of(key)}" for key in gone)])
        self._forget(gone)

    def forbid(self, digests: Iterable[str]) -> None:
        """Put tombstones; see `Target`."""
        self._tombstones.put({digest: [digest] for digest in digests})
        self.refresh()

    def restore(self, digests: Iterable[str]) -> None:
        """Delete tombstones; see `Target`."""
        self._tombstones.remove(digests)
        self.refresh()

    def unneeded(self, is_needed: Callable[[str], bool]) -> dict[str, int]:
        """Return old images that are not needed, with their sizes."""
        return self._collector.unneeded(is_needed)

    def remove(self, keys: Iterable[str]) -> None:
        """Delete images that are still old."""
        self._collector.remove(keys)

    def seen(self) -> set[str]:
        """Return the keys that were seen online."""
        from pelican_imagehost.storage.index import Index  # noqa: PLC0415  seldom needed

        with contextlib.closing(Index(self._settings.index)) as index:
            return index.seen(self._settings.address_prefix)

    def record_seen(self, keys: AbstractSet[str]) -> None:
        """Record the keys that were seen online."""
        from pelican_imagehost.storage.index import Index  # noqa: PLC0415  as above

        with contextlib.closing(Index(self._settings.index)) as index:
            index.record_seen(self._settings.address_prefix, keys)

    def _forget(self, keys: Collection[str]) -> None:
        """Forget that images were seen online, because they were not there, or no longer are."""
        from pelican_imagehost.storage.index import Index  # noqa: PLC0415  as above

        with contextlib.closing(Index(self._settings.index)) as index:
            index.forget_seen(keys)

    def remains(self, key: str) -> list[str]:
        """Say where copies may remain, and ask for the address once; see `Target`."""
        from pelican_imagehost.publish.http import Client  # noqa: PLC0415  seldom needed

        address = self._settings.address_prefix + key
        with contextlib.closing(Client()) as client:
            answer = client.check(address, None)
        lines = [
            "copies may remain in caches, with readers and, if the bucket keeps versions, in it"
        ]
        if not answer:
            lines.append(
                f"{address} still answers: a CDN keeps images for a year; remove (purge) that "
                "address there now"
            )
        return lines

    def is_unchanged(self) -> bool:
        """Return whether nobody has retracted or allowed an image since."""
        before = self.retracted()
        self.refresh()
        return before == self.retracted()

    def _find(self, keys: Collection[str]) -> dict[str, float]:
        """Return when images were written, of those that are in the bucket."""
        found: list[Object | None] = []
        if len(keys) > _FEW:
            found += self._objects.list(wanted=frozenset(keys))
        elif keys:
            each(self._objects.head, sorted(keys), found.append)
        return {one.name: one.modified for one in found if one}
