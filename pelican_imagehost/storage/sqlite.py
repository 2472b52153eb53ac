"""SQLite's write-ahead log, in which a reader does not wait for a writer."""

from __future__ import annotations

import sqlite3
import time

__all__ = ["PATIENCE", "use_wal"]

PATIENCE = 30  # seconds to wait for another process


def use_wal(connection: sqlite3.Connection) -> None:
    """Change the journal's mode; of two that do it at once, SQLite lets neither wait.

    Raises:
        sqlite3.Error: it cannot be changed.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.005)
        else:
            return
