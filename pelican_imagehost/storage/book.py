"""The record of uploads: each uploaded image with its name, its times and its token.

There is one record per digest; repeated uploads of the same bytes are counted. It is a file of
the site or, where several services share it, a database: chosen here, by IMAGEHOST_RECORDS, and
nowhere else.
"""

from __future__ import annotations

from contextlib import closing
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from pelican_imagehost.images.image import Image

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet
    from contextlib import AbstractContextManager

    from pelican_imagehost.settings import Settings

__all__ = [
    "Arrival",
    "Followed",
    "Record",
    "RecordBook",
    "has_record_file",
    "has_records",
    "note_retraction",
    "open_records",
    "to_record",
]


class Arrival(NamedTuple):
    """One upload.

    Attributes:
        image: the image.
        name: the name of the uploaded file.
        token: the name of the token of the client.
    """

    image: Image
    name: str
    token: str


class Record(NamedTuple):
    """An uploaded image.

    Attributes:
        image: the image.
        name: the name of the file in the first upload.
        created: the time of the first upload, in seconds since 1970, UTC.
        updated: the time of the last upload, in seconds since 1970, UTC.
        token: the name of the token of the first upload; "" if it was recorded by a repair.
        times: the number of uploads.
        pushed: whether it is published, or need not be.
    """

    image: Image
    name: str
    created: int
    updated: int
    token: str
    times: int
    pushed: bool


class Followed(NamedTuple):
    """All records at one time.

    Attributes:
        mark: by which the book finds what has changed since; None at first.
        records: digest → record. `pushed` may be out of date.
    """

    mark: Any = None
    records: Mapping[str, Record] = MappingProxyType({})

    def after(self, mark: object, changes: Mapping[str, Record | None]) -> Followed:
        """Return the records after changes: digest → record, None if it was removed."""
        if not changes:
            return self._replace(mark=mark)
        changed = {**self.records, **changes}
        return Followed(mark, {digest: one for digest, one in changed.items() if one is not None})


class RecordBook(Protocol):
    """The records, for one thread at a time; every method may raise RecordsError."""

    def close(self) -> None:
        """Close them."""

    def adding(self) -> AbstractContextManager[None]:
        """Let nobody remove images until the block has ended, and `add` has taken effect.

        A file is so guarded by the lock of its store, which the caller holds.
        """

    def removing(self) -> AbstractContextManager[None]:
        """Let nobody add images until the block has ended; otherwise as `adding`."""

    def all(self) -> list[Record]:
        """Return all records, the oldest first."""

    def follow(self, before: Followed) -> Followed:
        """Return the records as they are now, reading only those that have changed."""

    def known(self, digests: Iterable[str]) -> AbstractSet[str]:
        """Return those of the digests that have a record."""

    def add(self, arrivals: Iterable[Arrival]) -> None:
        """Record uploads in one transaction; they are durable when this returns.

        Within `adding`, they are durable when that block has ended.

        Raises:
            ForbiddenUploads: some must not be published; none is recorded.
            RecordsError: they cannot be written; none is recorded.
        """

    def remove(self, digests: Iterable[str]) -> None:
        """Remove the records of images."""


def has_records(settings: Settings) -> bool:
    """Return whether a site has records."""
    return settings.database is not None or has_record_file(settings)


def has_record_file(settings: Settings) -> bool:
    """Return whether the uploads to the store of this machine are recorded in a file.

    The upload service makes it. A database says what is in the bucket instead.
    """
    return settings.database is None and settings.records.exists()


def open_records(settings: Settings, *, read_only: bool = False) -> RecordBook:
    """Open the records of a site.

    Args:
        settings: the settings of the site.
        read_only: do not write a file; if there is none, the records are empty.

    Raises:
        RecordsError: they cannot be opened, or were written by another version.
    """
    if settings.database is not None:
        from pelican_imagehost.storage.postgres import PostgresRecords  # noqa: PLC0415  an extra

        return PostgresRecords(settings.database)
    from pelican_imagehost.storage.records import Records  # noqa: PLC0415  it needs the types above

    return Records(settings.records, read_only=read_only)


def note_retraction(settings: Settings, digests: Iterable[str], *, retracted: bool) -> None:
    """Let every service that shares the records refuse images, or accept them again, at once.

    Without a database, the one service learns that from its target.

    Raises:
        RecordsError: the database cannot be written.
    """
    if settings.database is not None:
        from pelican_imagehost.storage.postgres import PostgresRecords  # noqa: PLC0415  as above

        with closing(PostgresRecords(settings.database)) as records:
            records.note_retraction(digests, retracted=retracted)


def to_record(row: tuple[Any, ...]) -> Record:
    """Convert a row of a table: the fields of an image, then those of its record."""
    sha256, kind, size, width, height, *facts, pushed = row
    return Record._make((Image(sha256, kind, size, width, height), *facts, bool(pushed)))
