"""The record of uploads in a PostgreSQL database, which several services share.

It needs PostgreSQL 13 or newer. A database, or a schema of it, belongs to one site. Every time is
that of the database, because the clocks of several machines differ.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pelican_imagehost.errors import ForbiddenUploads, RecordsError
from pelican_imagehost.storage.book import Followed, to_record
from pelican_imagehost.storage.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    import psycopg

    from pelican_imagehost.storage.book import Arrival, Record

__all__ = ["PostgresRecords"]

_VERSION = 1
_LOCK = 0x696D6167  # a number of our own, as locks belong to the whole database
_OPTIONS = {
    "application_name": "pelican-imagehost",
    "connect_timeout": 10,  # seconds
    "tcp_user_timeout": 30_000,  # milliseconds until a connection is given up
}
# A machine that lost its power must not hold a lock for the hours that TCP waits by default.
_SOON_GONE = (
    "SET LOCAL tcp_keepalives_idle = 20; SET LOCAL tcp_keepalives_interval = 5; "
    "SET LOCAL tcp_keepalives_count = 4"
)
_PATIENCE = 90.0  # seconds
_FOR_LOCKS = 2 / 3  # of the patience; the database then says so itself
_AT_ONCE = 1000  # rows
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS imagehost_version (version integer NOT NULL);
INSERT INTO imagehost_version
SELECT {_VERSION} WHERE NOT EXISTS (SELECT FROM imagehost_version);
CREATE TABLE IF NOT EXISTS imagehost_uploads (
    sha256 text PRIMARY KEY,
    type text NOT NULL,
    size bigint NOT NULL,
    width bigint NOT NULL,
    height bigint NOT NULL,
    name text NOT NULL,
    created bigint NOT NULL,
    updated bigint NOT NULL,
    token text NOT NULL,
    times bigint NOT NULL,
    changed xid8 NOT NULL
);
CREATE INDEX IF NOT EXISTS imagehost_changed ON imagehost_uploads (changed);
CREATE TABLE IF NOT EXISTS imagehost_removed (sha256 text PRIMARY KEY, changed xid8 NOT NULL);
CREATE TABLE IF NOT EXISTS imagehost_retracted (sha256 text PRIMARY KEY)
"""  # noqa: S608  constants of this module
# What is recorded is in the bucket, so it is published.
_COLUMNS = "sha256, type, size, width, height, name, created, updated, token, times, true"
_NOW = "extract(epoch FROM now())::bigint"
_CHANGED = "pg_current_xact_id()"
_ARRIVE = f"""
INSERT INTO imagehost_uploads AS old
VALUES (%s, %s, %s, %s, %s, %s, {_NOW}, {_NOW}, %s, 1, {_CHANGED})
ON CONFLICT (sha256) DO UPDATE SET
    updated = excluded.updated,
    times = old.times + 1,
    changed = excluded.changed
"""  # noqa: S608  constants of this module
_ADOPT = f"""
INSERT INTO imagehost_uploads
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, {_CHANGED})
ON CONFLICT (sha256) DO NOTHING
"""  # noqa: S608  constants of this module
_FORBID = "INSERT INTO imagehost_retracted VALUES (%s) ON CONFLICT DO NOTHING"
_ALLOW = "DELETE FROM imagehost_retracted WHERE sha256 = %s"
_REMOVE = f"""
WITH gone AS (DELETE FROM imagehost_uploads WHERE sha256 = ANY(%s) RETURNING sha256)
INSERT INTO imagehost_removed SELECT sha256, {_CHANGED} FROM gone
ON CONFLICT (sha256) DO UPDATE SET changed = excluded.changed
"""  # noqa: S608  constants of this module
# Whatever a later state has and this one has not was changed by a transaction that has not ended
# here, or not begun: by one from xmin on (PostgreSQL, "System Information Functions").
_MARK = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text"


class PostgresRecords:
    """A connection to the records in a database; a `RecordBook`.

    A connection that was lost is made again, but never within a transaction.

    Args:
        address: the address of the database, `postgresql://…`.
        patience: the seconds until a database that does not answer is given up, or a lock that
            another holds.

    Raises:
        RecordsError: the database cannot be reached, or was written by another version.
    """

    def __init__(self, address: str, *, patience: float = _PATIENCE) -> None:
        try:
            import psycopg  # noqa: PLC0415  an extra
            from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415  as above
        except ImportError as error:
            raise RecordsError(
                "IMAGEHOST_RECORDS needs psycopg; run: pip install 'pelican-imagehost[postgres]'"
            ) from error
        self._psycopg = psycopg
        try:
            self._options: dict[str, Any] = {**_OPTIONS, **conninfo_to_dict(address)}
        except psycopg.Error:  # whose text may have the password in it
            raise RecordsError(
                "IMAGEHOST_RECORDS is not the address of a database; in a name and a password, "
                "write special characters as %40"
            ) from None
        host, name = (self._options.get(key) for key in ("host", "dbname"))
        self._name = f"the database {name or '(default)'} at {host or 'this machine'}"
        self._is_busy = False
        self._watchdog = Watchdog(patience)
        self._longest_wait = round(patience * _FOR_LOCKS * 1000)  # milliseconds
        with self._explained():
            self._connection = self._connect()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def adding(self) -> AbstractContextManager[None]:
        """Share a lock with others who add, in one transaction; see `RecordBook`."""
        return self._locked("pg_advisory_xact_lock_shared")

    def removing(self) -> AbstractContextManager[None]:
        """Lock everybody else out, in one transaction; see `RecordBook`."""
        return self._locked("pg_advisory_xact_lock")

    def all(self) -> list[Record]:
        """Return all records, the oldest first."""
        return self._select("ORDER BY created, sha256")

    def follow(self, before: Followed) -> Followed:
        """Return the records as they are now; a mark is the number of a transaction."""
        with self._transaction() as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            ((mark,),) = connection.execute(_MARK)
            if before.mark is None:
                return Followed(mark, {one.image.sha256: one for one in self.all()})
            removed = connection.execute(
                "SELECT sha256 FROM imagehost_removed WHERE changed >= %s::xid8", (before.mark,)
            )
            changed: dict[str, Record | None] = {digest: None for (digest,) in removed}
            rows = self._select("WHERE changed >= %s::xid8", before.mark)
            return before.after(mark, changed | {one.image.sha256: one for one in rows})

    def known(self, digests: Iterable[str]) -> set[str]:
        """Return those of the digests that have a record."""
        return self._among("imagehost_uploads", digests)

    def add(self, arrivals: Iterable[Arrival]) -> None:
        """Record uploads; see `RecordBook`.

        They are sorted, because two transactions that update the same rows in different orders
        wait for each other for ever.
        """
        rows = sorted((*image[:5], name, token) for image, name, token in arrivals)
        with self.adding():
            forbidden = self._among("imagehost_retracted", (row[0] for row in rows))
            if forbidden:
                raise ForbiddenUploads(frozenset(forbidden))
            self._execute_each(_ARRIVE, rows)

    def adopt(self, records: Iterable[Record]) -> None:
        """Record what was recorded elsewhere, with its times; what is known stays as it is."""
        with self.adding():
            self._execute_each(_ADOPT, sorted((*one.image[:5], *one[1:6]) for one in records))

    def remove(self, digests: Iterable[str]) -> None:
        """Remove the records of images."""
        with self._transaction() as connection:
            connection.execute(_REMOVE, (list(digests),))

    def note_retraction(self, digests: Iterable[str], *, retracted: bool) -> None:
        """Refuse images in every service from now on, or accept them again."""
        with self._transaction():
            self._execute_each(
                _FORBID if retracted else _ALLOW, [(one,) for one in sorted(digests)]
            )

    def _among(self, table: str, digests: Iterable[str]) -> set[str]:
        with self._transaction() as connection:
            rows = connection.execute(
                f"SELECT sha256 FROM {table} WHERE sha256 = ANY(%s)",  # noqa: S608  constants of this module
                (list(digests),),
            )
            return {digest for (digest,) in rows}

    def _select(self, condition: str, *values: str) -> list[Record]:
        with self._transaction() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM imagehost_uploads {condition}",  # noqa: S608  constants
                values,
            )
            return [to_record(row) for row in rows]

    def _execute_each(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        for start in range(0, len(rows), _AT_ONCE):
            with self._watched(), self._connection.cursor() as cursor:
                cursor.executemany(statement, rows[start : start + _AT_ONCE])

    @contextmanager
    def _locked(self, function: str) -> Iterator[None]:
        with self._transaction() as connection:
            connection.execute(f"{_SOON_GONE}; SET LOCAL lock_timeout = {self._longest_wait}")
            connection.execute(f"SELECT {function}({_LOCK})")
            with self._watchdog.watching(None):  # images are stored or removed, not records
                yield

    @contextmanager
    def _transaction(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """Open a transaction, or a part of the open one."""
        with self._explained():
            if self._is_busy:
                with self._watched(), self._connection.transaction():
                    yield self._connection
                return
            if self._connection.closed:
                self._connection = self._connect()
            self._is_busy = True
            try:
                with self._watched(), self._connection.transaction():
                    yield self._connection
            finally:
                self._is_busy = False
            if self._connection.closed:  # which the end of a transaction does not tell
                raise self._psycopg.OperationalError("the connection was lost")

    def _watched(self) -> AbstractContextManager[None]:
        return self._watchdog.watching(self._connection)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except self._psycopg.errors.LockNotAvailable as error:
            raise RecordsError(
                f"the record of uploads in {self._name} is locked: uploads are being stored, or a "
                "gc or a deletion is at work; try again when it has ended"
            ) from error
        except self._psycopg.Error as error:
            reason = " ".join(str(error).split())
            raise RecordsError(
                f"the record of uploads in {self._name} cannot be used: {reason}"
            ) from error

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        # A proxy may give each transaction another connection, so nothing is prepared in one.
        connection = self._psycopg.connect(autocommit=True, prepare_threshold=None, **self._options)
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        """Create the tables, if they are missing, and check their version."""
        with self._watchdog.watching(connection), connection.transaction():
            if connection.execute("SELECT to_regclass('imagehost_version')").fetchone() == (None,):
                connection.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
                connection.execute(_SCHEMA)
            rows = connection.execute("SELECT version FROM imagehost_version").fetchall()
        if rows != [(_VERSION,)]:
            raise self._psycopg.DatabaseError("it was written by another pelican-imagehost")
