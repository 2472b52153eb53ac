"""Open SQLite databases that several processes read and write at once."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Schema", "connect", "connect_in_memory", "read_version", "writing"]

_PATIENCE = 30  # seconds to wait for another process


class Schema(NamedTuple):
    """The tables of a database.

    Attributes:
        version: kept in the file (`user_version`), from 1.
        statements: create everything.
        synchronous: FULL if a commit must be on the disk when it returns, else NORMAL
            (https://sqlite.org/pragma.html#pragma_synchronous).
    """

    version: int
    statements: tuple[str, ...]
    synchronous: str


def connect(
    file: Path, schema: Schema, *, read_only: bool = False, any_thread: bool = False
) -> sqlite3.Connection:
    """Open a database with a write-ahead log, so that readers do not wait for writers.

    Args:
        file: the file; created if missing.
        schema: its tables.
        read_only: reject every change.
        any_thread: let several threads use the connection, one at a time.

    Raises:
        sqlite3.Error: the file cannot be opened, or has another version.
    """
    connection = sqlite3.connect(
        file, timeout=_PATIENCE, isolation_level=None, check_same_thread=not any_thread
    )
    try:
        if read_only:
            connection.execute("PRAGMA query_only = ON")
        else:
            _use_wal(connection)
        _prepare(connection, schema)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def connect_in_memory(schema: Schema, *, any_thread: bool = False) -> sqlite3.Connection:
    """Open an empty database in memory; see `connect`."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=not any_thread)
    _prepare(connection, schema)
    return connection


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Write in one transaction.

    It begins IMMEDIATE, because after a plain BEGIN a second writer fails with "locked"
    instead of waiting.
    """
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        yield connection


def read_version(connection: sqlite3.Connection) -> int:
    """Return the version of the tables of a database; 0 if it is empty."""
    with closing(connection.execute("PRAGMA user_version")) as cursor:
        return int(cursor.fetchone()[0])


def _prepare(connection: sqlite3.Connection, schema: Schema) -> None:
    connection.execute(f"PRAGMA synchronous = {schema.synchronous}")
    if read_version(connection) == schema.version:
        return
    with writing(connection):
        version = read_version(connection)  # another process may have been first
        if version == 0:
            for statement in schema.statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {schema.version}")
        elif version != schema.version:
            writer = "a newer" if version > schema.version else "an older"
            raise sqlite3.DatabaseError(
                f"it was written by {writer} pelican-imagehost (version {version})"
            )


def _use_wal(connection: sqlite3.Connection) -> None:
    """Set the journal mode; retry, because SQLite does not wait if two processes set it."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.005)
        else:
            return
