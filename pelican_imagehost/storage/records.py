"""The record of uploads in a file: an SQLite database.

Unlike the index, it must not be deleted: an upload is answered after its record is on the disk
(`synchronous=FULL`).
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

from pelican_imagehost.errors import RecordsError
from pelican_imagehost.storage.book import Followed, to_record
from pelican_imagehost.storage.sqlite import Schema, connect, connect_in_memory, writing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from pelican_imagehost.images.image import Image
    from pelican_imagehost.storage.book import Arrival, Record

__all__ = ["Records"]

_UPLOADS = """
CREATE TABLE IF NOT EXISTS uploads (
    sha256 TEXT PRIMARY KEY,
    type TEXT NOT NULL,
    size INTEGER NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    name TEXT NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    token TEXT NOT NULL,
    times INTEGER NOT NULL,
    pushed INTEGER NOT NULL
) STRICT, WITHOUT ROWID
"""
_WAITING = "CREATE INDEX IF NOT EXISTS waiting ON uploads (sha256) WHERE pushed = 0"
# What has changed but for `pushed`, whoever changed it: the last 10,000 times.
_CHANGES = """
CREATE TABLE IF NOT EXISTS changes (number INTEGER PRIMARY KEY, sha256 TEXT NOT NULL) STRICT
"""
_NOTE = """
CREATE TRIGGER IF NOT EXISTS note_{0} AFTER {0}{1} ON uploads BEGIN
    INSERT INTO changes (sha256) VALUES ({2}.sha256);
    DELETE FROM changes WHERE number <= last_insert_rowid() - 10000;
END
"""
_LOG = (
    _CHANGES,
    _NOTE.format("INSERT", "", "new"),
    _NOTE.format("UPDATE", " OF name, created, updated, token, times", "new"),
    _NOTE.format("DELETE", "", "old"),
)
_SCHEMA = Schema(1, (_UPLOADS, _WAITING, *_LOG), "FULL")
# The first upload of an image that `verify --repair` had recorded sets its name and token.
_ARRIVE = """
INSERT INTO uploads VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?8, ?8, ?7, 1, 0)
ON CONFLICT (sha256) DO UPDATE SET
    updated = ?8,
    times = times + 1,
    name = CASE token WHEN '' THEN ?6 ELSE name END,
    pushed = CASE token WHEN '' THEN 0 ELSE pushed END,
    token = CASE token WHEN '' THEN ?7 ELSE token END
"""
_REPLACE = """
INSERT OR IGNORE INTO uploads
SELECT ?2, ?3, ?4, ?5, ?6, name, created, updated, token, times, 0 FROM uploads WHERE sha256 = ?1
"""
_LAST = "SELECT number, sha256 FROM changes ORDER BY number DESC LIMIT 1"
_SINCE = "SELECT number, sha256 FROM changes WHERE number >= ? ORDER BY number"
_COLUMNS = "sha256, type, size, width, height, name, created, updated, token, times, pushed"


class Records:
    """A connection to the records in a file; a `RecordBook`.

    Args:
        file: the file; created if missing.
        read_only: write nothing; if the file is missing, the records are empty.

    Raises:
        RecordsError: the file cannot be opened, or was written by another version.
    """

    def __init__(self, file: Path, *, read_only: bool = False) -> None:
        self.file = file
        with self._explained():
            self._connection = _open(file, read_only=read_only)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def adding(self) -> AbstractContextManager[None]:
        """Do nothing: the lock of the store guards the file too."""
        return nullcontext()

    removing = adding

    def all(self) -> list[Record]:
        """Return all records, the oldest first."""
        return self._select("ORDER BY created, sha256")

    def follow(self, before: Followed) -> Followed:
        """Return the records as they are now; a mark is the last change: its number and digest."""
        with self._explained():
            if not _has_log(self._connection):
                return Followed(None, {one.image.sha256: one for one in self.all()})
            mark = before.mark
            found = mark and self._connection.execute(_SINCE, mark[:1]).fetchall()
            if found and found[0] == mark:  # else it is too long ago, or of another file
                changed = {digest for _, digest in found[1:]}
                return before.after(found[-1], {digest: self.get(digest) for digest in changed})
            mark = self._connection.execute(_LAST).fetchone()
        return Followed(mark, {one.image.sha256: one for one in self.all()})

    def known(self, digests: Iterable[str]) -> set[str]:
        """Return those of the digests that have a record."""
        return {digest for digest in digests if self.get(digest) is not None}

    def get(self, sha256: str) -> Record | None:
        """Return the record of a digest; None if there is none."""
        return next(iter(self._select("WHERE sha256 = ?", sha256)), None)

    def waiting(self) -> list[Record]:
        """Return the records of images that must still be published."""
        return self._select("WHERE pushed = 0 ORDER BY sha256")

    def add(self, arrivals: Iterable[Arrival]) -> None:
        """Record uploads in one transaction; they are durable when this returns.

        Raises:
            RecordsError: they cannot be written; none is recorded.
        """
        now = int(time.time())
        rows = [(*image[:5], name, token, now) for image, name, token in arrivals]
        with self._writing() as connection:
            connection.executemany(_ARRIVE, rows)

    def add_found(self, images: Iterable[Image]) -> None:
        """Record images that were found in the store without a record, as already published."""
        now = int(time.time())
        rows = [(*image[:5], "", now, now, "", 1, 1) for image in images]
        with self._writing() as connection:
            values = ",".join("?" * 11)
            connection.executemany(f"INSERT OR IGNORE INTO uploads VALUES ({values})", rows)  # noqa: S608  placeholders

    def replace(self, images: Mapping[str, Image]) -> None:
        """Record that other bytes stand for uploads: digest before → image now, to be published.

        Raises:
            RecordsError: they cannot be written; none is replaced.
        """
        rows = [(digest, *image[:5]) for digest, image in images.items()]
        with self._writing() as connection:
            connection.executemany(_REPLACE, rows)
            connection.executemany(
                "DELETE FROM uploads WHERE sha256 = ?", [row[:1] for row in rows]
            )

    def mark_pushed(self, digests: Iterable[str]) -> None:
        """Record that images are published, or need not be."""
        with self._writing() as connection:
            rows = [(digest,) for digest in digests]
            connection.executemany("UPDATE uploads SET pushed = 1 WHERE sha256 = ?", rows)

    def remove(self, digests: Iterable[str]) -> None:
        """Remove the records of images."""
        with self._writing() as connection:
            rows = [(digest,) for digest in digests]
            connection.executemany("DELETE FROM uploads WHERE sha256 = ?", rows)

    def _select(self, condition: str, *values: str) -> list[Record]:
        with self._explained():
            rows = self._connection.execute(
                f"SELECT {_COLUMNS} FROM uploads {condition}",  # noqa: S608  constants of this module
                values,
            ).fetchall()
        return [to_record(row) for row in rows]

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._explained(), writing(self._connection):
            yield self._connection

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise RecordsError(
                f"the record of uploads {self.file} cannot be used: {error}; do not delete "
                "it; check disk space and permissions"
            ) from error


def _open(file: Path, *, read_only: bool) -> sqlite3.Connection:
    if read_only and not (file.exists() and file.stat().st_size):
        return connect_in_memory(_SCHEMA)
    # The caller makes sure that only one thread at a time uses it.
    connection = connect(file, _SCHEMA, read_only=read_only, any_thread=True)
    if not read_only and not _has_log(connection):  # written before there was one
        with writing(connection):
            for statement in _LOG:
                connection.execute(statement)
    return connection


def _has_log(connection: sqlite3.Connection) -> bool:
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'changes'")
    return found.fetchone() is not None
