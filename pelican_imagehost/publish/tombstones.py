"""The marks of retracted images in a bucket, `retracted/<sha256>`, and in a shared record.

Services that share a database look there when they record an upload, so that a retraction holds
in all of them at once. The marks hold for authors, who need not reach the database.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

from pelican_imagehost.errors import ImageHostError, PublishError
from pelican_imagehost.publish.objects import each
from pelican_imagehost.storage.book import note_retraction

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pelican_imagehost.publish.objects import Objects
    from pelican_imagehost.settings import Settings

__all__ = ["Tombstones"]

_FOLDER = "retracted"
_TEXT = {"Content-Type": "text/plain"}
_is_digest = re.compile("[0-9a-f]{64}").fullmatch


class Tombstones:
    """The retracted images of a site.

    Args:
        objects: the objects of its bucket.
        settings: the settings of the site.
    """

    def __init__(self, objects: Objects, settings: Settings) -> None:
        self._objects, self._settings = objects, settings

    def find(self) -> frozenset[str]:
        """Return the digests with a tombstone."""
        return frozenset(one.name.rpartition("/")[2] for one in self._objects.list(_FOLDER))

    def put(self, groups: Mapping[str, list[str]]) -> None:
        """Put tombstones, all or none.

        Args:
            groups: a digest → it and the others that are allowed again with it.

        Raises:
            PublishError: they cannot be put.
            RecordsError: the database cannot be written.
        """
        bodies = {f"{_FOLDER}/{one}": b"" for group in groups.values() for one in group}
        bodies |= {f"{_FOLDER}/{one}": "\n".join(group).encode() for one, group in groups.items()}
        names = list(bodies)
        digests = [name.rpartition("/")[2] for name in names]
        note_retraction(self._settings, digests, retracted=True)
        try:
            each(lambda name: self._objects.put(name, bodies[name], _TEXT), names, lambda _: None)
        except PublishError:
            with contextlib.suppress(ImageHostError):  # the first error is the one to show
                note_retraction(self._settings, digests, retracted=False)
                self._objects.delete(names)
            raise

    def remove(self, digests: Iterable[str]) -> None:
        """Remove tombstones, and those of images that were retracted with these."""
        names = {f"{_FOLDER}/{digest}" for digest in digests}
        for name in sorted(names):
            together = (self._objects.get(name) or b"").decode(errors="replace").split("\n")
            names |= {f"{_FOLDER}/{one}" for one in filter(_is_digest, together)}
        digests = {name.rpartition("/")[2] for name in names}
        note_retraction(self._settings, digests, retracted=False)
        self._objects.delete(sorted(names))
