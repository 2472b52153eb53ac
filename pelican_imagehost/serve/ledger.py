"""The ledger of access: used tickets, ended sessions and wrong tokens, shared by all workers.

It is kept in Pelican's cache: deleting it only forgets which sessions were ended, and each has
an end of its own. It holds no secrets. With `synchronous=NORMAL`, a commit needs no sync of the
disk, so wrong tokens cost little; a power failure may undo the last second.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pelican_imagehost.errors import StoreError
from pelican_imagehost.serve.refusal import Refusal
from pelican_imagehost.storage.sqlite import Schema, connect, connect_in_memory, writing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Ledger"]

_WRONG = 20  # wrong tokens from one address
_WINDOW = 60  # seconds after which they no longer count
_SPENT = "CREATE TABLE spent (id TEXT PRIMARY KEY, until INTEGER NOT NULL) STRICT, WITHOUT ROWID"
_GUESSES = "CREATE TABLE guesses (address TEXT NOT NULL, time REAL NOT NULL) STRICT"
_BY_ADDRESS = "CREATE INDEX by_address ON guesses (address, time)"
_BY_TIME = "CREATE INDEX by_time ON guesses (time)"
_SCHEMA = Schema(1, (_SPENT, _GUESSES, _BY_ADDRESS, _BY_TIME), "NORMAL")


class Ledger:
    """A connection to the ledger, for one thread at a time.

    Args:
        file: the file; created if missing. Without it, nothing is shared or kept.

    Raises:
        StoreError: the file cannot be opened.
    """

    def __init__(self, file: Path | None = None) -> None:
        if file is None:
            self._connection = connect_in_memory(_SCHEMA)
            return
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._connection = connect(file, _SCHEMA, any_thread=True)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"{file} cannot be used: {error}; check its permissions, or delete it"
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def spend(self, identifier: str, until: int) -> bool:
        """Mark a ticket as used, or a session as ended.

        Args:
            identifier: the identifier of the ticket or session.
            until: its end, in seconds since 1970, UTC; forgotten after that.

        Returns:
            Whether it was unmarked before; True for one of several callers at once.
        """
        with _explained(), writing(self._connection) as connection:
            connection.execute("DELETE FROM spent WHERE until < ?", (int(time.time()),))
            done = connection.execute(
                "INSERT OR IGNORE INTO spent VALUES (?, ?)", (identifier, until)
            )
            return done.rowcount == 1

    def is_spent(self, identifier: str) -> bool:
        """Return whether a ticket is used, or a session ended."""
        with _explained():
            rows = self._connection.execute("SELECT 1 FROM spent WHERE id = ?", (identifier,))
            return rows.fetchone() is not None

    def count_guess(self, address: str) -> int:
        """Count a wrong token.

        Args:
            address: the network address of the client.

        Returns:
            0, or the seconds to wait if the address has sent too many.
        """
        now = time.time()
        with _explained():
            rows = self._connection.execute(
                "SELECT time FROM guesses WHERE address = ? AND time > ? ORDER BY time",
                (address, now - _WINDOW),
            ).fetchall()
            if len(rows) >= _WRONG:  # written no more, so that a flood costs little
                return max(1, int(rows[0][0] + _WINDOW - now) + 1)
            with writing(self._connection) as connection:
                connection.execute("DELETE FROM guesses WHERE time <= ?", (now - _WINDOW,))
                connection.execute("INSERT INTO guesses VALUES (?, ?)", (address, now))
        return 0


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise Refusal(507, "storage", f"the ledger of access cannot be used: {error}") from error
