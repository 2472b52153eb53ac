"""The index: what each file was when last read, who uses which image, and what went wrong.

SQLite, local and disposable: deleting it costs time and nothing else. A file whose
length, times and inode are as they were is not read again (git's rule, and its care
for files that changed within the clock's grain: racy-git, git's technical notes).
"""

from __future__ import annotations

import logging
import os
import sqlite3
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from pelican_imagehost.storage.sqlite import (
    Schema,
    connect,
    connect_in_memory,
    read_version,
    writing,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["Index", "ProblemRow", "Stamp"]

logger = logging.getLogger(__name__)

_SETTLED_NS = 2_000_000_000  # the coarsest clock of a file system in use (FAT's)
_FILES = """
CREATE TABLE files (
    path TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    ctime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    type TEXT NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL
) STRICT, WITHOUT ROWID
"""
_USES = """
CREATE TABLE uses (
    document TEXT NOT NULL,
    path TEXT NOT NULL,
    PRIMARY KEY (document, path)
) STRICT, WITHOUT ROWID
"""
_PROBLEMS = """
CREATE TABLE problems (
    document TEXT NOT NULL,
    line INTEGER,
    url TEXT NOT NULL,
    message TEXT NOT NULL
) STRICT
"""
_SCHEMA = Schema(2, (_FILES, _USES, _PROBLEMS), "NORMAL")

ProblemRow = tuple[str, int | None, str, str]  # the fields of `report.Problem`, as texts


class Stamp(NamedTuple):
    """What stat(2) says of a file; equal stamps mean unchanged bytes. Times in nanoseconds."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        """Take the stamp from a stat result."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)

    @classmethod
    def at(cls, path: str) -> Stamp | None:
        """Take the stamp of a file; None if it does not exist."""
        try:
            return cls.of(os.stat(path))
        except (OSError, ValueError):  # a NUL in its name
            return None

    def is_settled(self, now_ns: int) -> bool:
        """Tell whether a later change would surely show in the stamp."""
        return max(self.mtime_ns, self.ctime_ns) + _SETTLED_NS < now_ns


class Index:
    """A connection to the index file.

    Args:
        file: where it lies; made anew when absent, corrupt, or of another version.
        read_only: nothing is written, not even the file.
    """

    def __init__(self, file: Path, *, read_only: bool = False) -> None:
        self._file = file
        self._read_only = read_only
        self._connection = _open_immutable(file) if read_only else _open(file)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def files(self) -> dict[str, tuple[tuple[int, ...], tuple[Any, ...]]]:
        """Load all that is known: absolute path → (stamp, image).

        Both are plain tuples with the fields of `Stamp` and `Image`: there may be very
        many, few are looked at, and the collector does not visit plain tuples of text.
        """
        rows = self._read(
            "SELECT path, size, mtime_ns, ctime_ns, inode, sha256, type, width, height FROM files"
        )
        return {
            path: ((size, mtime, ctime, inode), (sha256, kind, size, width, height))
            for path, size, mtime, ctime, inode, sha256, kind, width, height in rows
        }

    def uses(self) -> dict[str, set[str]]:
        """Load which manifest paths each document named when it was last built."""
        found: dict[str, set[str]] = {}
        for document, path in self._read("SELECT document, path FROM uses"):
            found.setdefault(document, set()).add(path)
        return found

    def record_files(self, files: Mapping[str, tuple[tuple[int, ...], tuple[Any, ...]]]) -> None:
        """Remember files: absolute path → (stamp, image)."""
        if not files:
            return
        rows = [
            (path, *stamp, sha256, kind, width, height)
            for path, (stamp, (sha256, kind, _, width, height)) in files.items()
        ]
        with self._recording() as connection:
            connection.executemany("INSERT OR REPLACE INTO files VALUES (?,?,?,?,?,?,?,?,?)", rows)

    def would_change(self, uses: Mapping[str, set[str]]) -> bool:
        """Tell whether `record_uses` would have anything to write."""
        return self.uses() != {name: paths for name, paths in uses.items() if paths}

    def record_uses(self, uses: Mapping[str, set[str]]) -> None:
        """Remember what each document of the site names, in place of all that was known."""
        known = self.uses()
        changed = [name for name, paths in uses.items() if known.get(name, set()) != paths]
        outdated = [(name,) for name in (*changed, *(known.keys() - uses.keys()))]
        rows = [(name, path) for name in changed for path in uses[name]]
        if not outdated:
            return
        with self._recording() as connection:
            connection.executemany("DELETE FROM uses WHERE document = ?", outdated)
            connection.executemany("INSERT INTO uses VALUES (?, ?)", rows)

    def problems(self) -> list[ProblemRow]:
        """Load what went wrong in the last build, in its order."""
        return self._read("SELECT document, line, url, message FROM problems ORDER BY rowid")

    def record_problems(self, problems: list[ProblemRow]) -> None:
        """Remember what went wrong, in place of all that was known."""
        if problems == self.problems():
            return
        with self._recording() as connection:
            connection.execute("DELETE FROM problems")
            connection.executemany("INSERT INTO problems VALUES (?, ?, ?, ?)", problems)

    def _read(self, query: str) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(query).fetchall()
        except sqlite3.DatabaseError as error:  # damage that opening the file did not show
            self._connection.close()
            self._connection = (
                connect_in_memory(_SCHEMA) if self._read_only else _open_anew(self._file, error)
            )
            return []

    @contextmanager
    def _recording(self) -> Iterator[sqlite3.Connection]:
        """Write in one transaction; what cannot be written is not remembered, no more."""
        try:
            with writing(self._connection):
                yield self._connection
        except sqlite3.DatabaseError as error:
            logger.warning("%s cannot be written, so images are read again: %s", self._file, error)


def _open(file: Path) -> sqlite3.Connection:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return connect(file, _SCHEMA)
    except (sqlite3.OperationalError, OSError) as error:  # no permission, no space, locked
        return _open_in_memory(file, error)
    except sqlite3.DatabaseError as error:
        return _open_anew(file, error)


def _open_anew(file: Path, error: Exception) -> sqlite3.Connection:
    logger.info("%s is made anew: %s", file, error)
    try:
        for suffix in ("", "-wal", "-shm"):
            file.with_name(file.name + suffix).unlink(missing_ok=True)
        return connect(file, _SCHEMA)
    except (sqlite3.DatabaseError, OSError) as second:
        return _open_in_memory(file, second)


def _open_in_memory(file: Path, error: Exception) -> sqlite3.Connection:
    logger.warning("%s cannot be used, so every image is read again: %s", file, error)
    return connect_in_memory(_SCHEMA)


def _open_immutable(file: Path) -> sqlite3.Connection:
    with suppress(sqlite3.DatabaseError):
        uri = f"{file.absolute().as_uri()}?immutable=1"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None)
        if read_version(connection) == _SCHEMA.version:
            return connection
        connection.close()
    return connect_in_memory(_SCHEMA)
