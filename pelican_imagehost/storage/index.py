"""The index: a cache of file stamps and images, uses of images, and problems of the last build.

It also remembers which images were seen online, where git does not.

An SQLite database that is local and can be deleted; the next build is then slower. A file
is not read again if its length, times and inode are unchanged. As in git, a file that was
modified too recently for the clock of the file system is not cached (see "racy-git" in the
technical notes of git).
"""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from pelican_imagehost.storage.durable import hide_from_git
from pelican_imagehost.storage.sqlite import (
    Schema,
    connect,
    connect_in_memory,
    read_version,
    writing,
)

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterable, Iterator, Mapping
    from collections.abc import Set as AbstractSet
    from pathlib import Path

__all__ = ["Index", "ProblemRow", "Stamp"]

_SETTLED_NS = 2_000_000_000  # the resolution of times on FAT, the coarsest in use
# Names are bytes: not every name of a file is text.
_FILES = """
CREATE TABLE files (
    path BLOB PRIMARY KEY,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    ctime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    type TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    source TEXT NOT NULL
) STRICT, WITHOUT ROWID
"""
# By document, because a row for each use takes four times as long to read. NUL separates paths.
_USES = """
CREATE TABLE uses (
    document BLOB PRIMARY KEY,
    paths BLOB NOT NULL
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
_SEEN = """
CREATE TABLE seen (
    prefix TEXT NOT NULL,
    key TEXT NOT NULL,
    PRIMARY KEY (prefix, key)
) STRICT, WITHOUT ROWID
"""
_SCHEMA = Schema(5, (_FILES, _USES, _PROBLEMS, _SEEN), "NORMAL")

_CACHED = re.compile(r"imagehost.*|\w+Generator(-Readers)?")  # ours and Pelican's

ProblemRow = tuple[str, int | None, str, str]  # the fields of `report.Problem`, as texts


class Stamp(NamedTuple):
    """The state of a file from stat(2); equal stamps mean unchanged bytes. Times are in ns."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        """Return the stamp of a stat result."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)

    @classmethod
    def at(cls, path: str) -> Stamp | None:
        """Take the stamp of a file; None if it does not exist."""
        try:
            return cls.of(os.stat(path))
        except (OSError, ValueError):  # a NUL in its name
            return None

    def is_settled(self, now_ns: int) -> bool:
        """Return whether every later change will change the stamp."""
        return max(self.mtime_ns, self.ctime_ns) + _SETTLED_NS < now_ns


class Index:
    """A connection to the index file; after `close` it is made again when it is needed.

    Args:
        file: the file; recreated if it is missing, corrupt or from another version.
        read_only: write nothing, and do not create the file.
    """

    def __init__(self, file: Path, *, read_only: bool = False) -> None:
        self._file = file
        self._read_only = read_only
        self._connection: sqlite3.Connection | None = None
        self._connect()

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def files(self) -> dict[str, tuple[tuple[int, ...], tuple[Any, ...]]]:
        """Load all files: absolute path → (stamp, image).

        Both are plain tuples with the fields of `Stamp` and `Image`, because there may be
        very many, and the garbage collector of Python skips plain tuples of atomic values.
        """
        # The last field of an image is "": its variants are in the manifest.
        rows = self._read(
            "SELECT path, size, mtime_ns, ctime_ns, inode, "
            "sha256, type, bytes, width, height, source, '' FROM files"
        )
        return {_decode(row[0]): (row[1:5], row[5:]) for row in rows}

    def uses(self) -> dict[str, set[str]]:
        """Load the manifest paths that each document used in the last build."""
        rows = self._read("SELECT document, paths FROM uses")
        return {_decode(document): set(_decode(paths).split("\0")) for document, paths in rows}

    def record_files(self, files: Mapping[str, tuple[tuple[int, ...], tuple[Any, ...]]]) -> None:
        """Record files: absolute path → (stamp, image)."""
        if not files:
            return
        rows = [(_encode(path), *stamp, *image[:6]) for path, (stamp, image) in files.items()]
        with self._recording() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO files VALUES (?,?,?,?,?,?,?,?,?,?,?)", rows
            )

    def would_change(self, uses: Mapping[str, set[str]]) -> bool:
        """Return whether `record_uses` would change anything."""
        return self.uses() != {name: paths for name, paths in uses.items() if paths}

    def record_uses(self, uses: Mapping[str, set[str]]) -> None:
        """Replace all recorded uses: document → manifest paths, for the whole site."""
        known = self.uses()
        changed = [name for name, paths in uses.items() if known.get(name, set()) != paths]
        outdated = [(_encode(name),) for name in (*changed, *(known.keys() - uses.keys()))]
        rows = [(_encode(name), _encode("\0".join(uses[name]))) for name in changed if uses[name]]
        if not outdated:
            return
        with self._recording() as connection:
            connection.executemany("DELETE FROM uses WHERE document = ?", outdated)
            connection.executemany("INSERT INTO uses VALUES (?, ?)", rows)

    def problems(self) -> list[ProblemRow]:
        """Load the problems of the last build, in order."""
        return self._read("SELECT document, line, url, message FROM problems ORDER BY rowid")

    def record_problems(self, problems: list[ProblemRow]) -> None:
        """Replace all recorded problems."""
        if problems == self.problems():
            return
        with self._recording() as connection:
            connection.execute("DELETE FROM problems")
            connection.executemany("INSERT INTO problems VALUES (?, ?, ?, ?)", problems)

    def seen(self, prefix: str) -> set[str]:
        """Load the keys that were seen online at addresses with a prefix."""
        rows = self._read("SELECT key FROM seen WHERE prefix = ?", prefix)
        return {key for (key,) in rows}

    def record_seen(self, prefix: str, keys: AbstractSet[str]) -> None:
        """Record keys that were seen online at addresses with a prefix."""
        new = keys - self.seen(prefix)
        with self._recording() as connection:
            rows = [(prefix, key) for key in new]
            connection.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?)", rows)

    def forget_seen(self, keys: Iterable[str]) -> None:
        """Forget that keys were seen online."""
        with self._recording() as connection:
            connection.executemany("DELETE FROM seen WHERE key = ?", [(key,) for key in keys])

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            open_file = _open_immutable if self._read_only else _open
            self._connection = open_file(self._file)
        return self._connection

    def _read(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        try:
            return self._connect().execute(query, values).fetchall()
        except sqlite3.DatabaseError as error:  # damage that was not found on opening
            self.close()
            self._connection = (
                connect_in_memory(_SCHEMA) if self._read_only else _open_anew(self._file, error)
            )
            return []

    @contextmanager
    def _recording(self) -> Iterator[sqlite3.Connection]:
        """Write in one transaction; a failure only logs a warning."""
        try:
            connection = self._connect()
            with writing(connection):
                yield connection
        except sqlite3.DatabaseError as error:
            _logger().warning(
                "%s cannot be written, so images are read again: %s", self._file, error
            )


def _encode(name: str) -> bytes:
    return name.encode(errors="surrogatepass")


def _decode(name: bytes) -> str:
    return name.decode(errors="surrogatepass")


def _open(file: Path) -> sqlite3.Connection:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        hide_from_git(file.parent, _CACHED)
        return connect(file, _SCHEMA)
    except (sqlite3.OperationalError, OSError) as error:  # no permission, no space, locked
        return _open_in_memory(file, error)
    except sqlite3.DatabaseError as error:
        return _open_anew(file, error)


def _open_anew(file: Path, error: Exception) -> sqlite3.Connection:
    _logger().info("recreating %s: %s", file, error)
    try:
        for suffix in ("", "-wal", "-shm"):
            file.with_name(file.name + suffix).unlink(missing_ok=True)
        return connect(file, _SCHEMA)
    except (sqlite3.DatabaseError, OSError) as second:
        return _open_in_memory(file, second)


def _open_in_memory(file: Path, error: Exception) -> sqlite3.Connection:
    _logger().warning("%s cannot be used, so every image is read again: %s", file, error)
    return connect_in_memory(_SCHEMA)


def _open_immutable(file: Path) -> sqlite3.Connection:
    with suppress(sqlite3.DatabaseError):
        uri = f"{file.absolute().as_uri()}?immutable=1"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None)
        if read_version(connection) == _SCHEMA.version:
            return connection
        connection.close()
    return connect_in_memory(_SCHEMA)


def _logger() -> logging.Logger:
    import logging  # noqa: PLC0415  slow, and seldom needed

    return logging.getLogger(__name__)
