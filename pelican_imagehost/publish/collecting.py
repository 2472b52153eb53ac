"""Deleting old images from a bucket, and the other side of it: authors who send them just then.

No lock is taken. A gc lists images, and deletes those that are old by the time they were last
written. An author may find such an image in between, and rely on it. So an author sends an old
image again, and a gc puts up a sign before it lists: an author who sees the sign after sending
waits for its end, and looks again. An image that was sent before the gc listed is young there.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from typing import TYPE_CHECKING

from pelican_imagehost.images.image import KEY, digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pelican_imagehost.publish.objects import Object, Objects
    from pelican_imagehost.report import Say

__all__ = ["UPLOADS", "Collector", "images"]

UPLOADS, _SIGNS = "uploads", "collecting"
# A gc deletes for so many seconds, then lists the bucket again. A sign that is much older, also
# by a clock that S3 still accepts (15 minutes), belongs to a gc that was killed.
_SWEEP = 60.0
DEAD = 20 * 60.0
_PAUSE = 0.5
_AT_ONCE = 1000  # keys in one request (S3, DeleteObjects)


def images(objects: Objects) -> Iterator[Object]:
    """Yield the images of a bucket, without its marks."""
    return (one for one in objects.list() if KEY.fullmatch(one.name))


class Collector:
    """Deletes old images of a bucket.

    Args:
        objects: its objects.
        grace: how long an image is young, in seconds.
    """

    def __init__(self, objects: Objects, grace: float) -> None:
        self._objects, self._grace = objects, grace

    def unneeded(self, is_needed: Callable[[str], bool]) -> dict[str, int]:
        """Return the images that may be deleted, with their sizes; uploads are needed."""
        uploads = {one.name.rpartition("/")[2] for one in self._objects.list(UPLOADS)}
        return {
            one.name: one.size
            for one in images(self._objects)
            if self._is_old(one, time.time())
            and digest_of(one.name) not in uploads
            and not is_needed(one.name)
        }

    def remove(self, keys: Iterable[str]) -> None:
        """Delete images, but not those that were sent again."""
        rest = set(keys)
        while rest:
            with self._sign() as now:
                deadline = time.monotonic() + _SWEEP
                rest &= {one.name for one in images(self._objects) if self._is_old(one, now)}
                while rest and time.monotonic() < deadline:
                    part = sorted(rest)[:_AT_ONCE]
                    self._objects.delete(part)
                    rest.difference_update(part)

    @contextlib.contextmanager
    def _sign(self) -> Iterator[float]:
        """Put up a sign; yield the time by the clock of the service."""
        name = f"{_SIGNS}/{secrets.token_hex(8)}"
        self._objects.mark(name)
        try:
            sign = self._objects.head(name)
            yield sign.modified if sign else 0.0
        finally:
            self._objects.delete([name])

    def outlast(self, say: Say) -> None:
        """Wait until every gc has ended that may have listed images before this call."""
        waits = False
        while any(time.time() - one.modified < DEAD for one in self._objects.list(_SIGNS)):
            if not waits:
                say(
                    f"a gc is at work in {self._objects.bucket}; waiting for its end, which takes "
                    f"{DEAD / 60:.0f} minutes if it was killed"
                )
            waits = True
            time.sleep(_PAUSE)

    def _is_old(self, one: Object, now: float) -> bool:
        return one.modified < now - self._grace
