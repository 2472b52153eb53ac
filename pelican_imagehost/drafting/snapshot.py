"""What files there are and what state each is in: the truth behind file events."""

from __future__ import annotations

import hashlib
import os
import re
import time
from fnmatch import fnmatch
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.storage.index import Stamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pelican_imagehost.drafting.messages import Roots

__all__ = ["Snapshot", "is_any_networked", "is_settings"]

# What editors put beside a file for a moment, or as long as it is open.
_TRANSIENT = re.compile(
    r".*(?:~|\.sw[a-px]|\.swpx|___jb_(?:tmp|old)___|\.tmp|\.part|\.crdownload)|\.#.*|#.*#|4913"
    r"|\.~lock\..*|~\$.*|\.goutputstream-.*|sed[A-Za-z0-9]{6}|\.nfs[0-9a-f]+"
)
_FOLDERS = frozenset({".git", ".hg", ".svn", "__pycache__", "node_modules"})


class _State(NamedTuple):
    """A file's stamp; and a digest, as long as a change might not show in the stamp."""

    stamp: Stamp
    digest: bytes | None


class Snapshot:
    """The files below some roots, as they were when each was last looked at; at first, none.

    Args:
        roots: where to look.
    """

    def __init__(self, roots: Roots) -> None:
        self._roots = roots
        self._states: dict[str, _State] = {}

    def look(self, path: str) -> bool | None:
        """Look at one file again.

        Returns:
            Whether it changed; None where it is gone and was known, which may be an
            editor's way to replace it.
        """
        before = self._states.get(path)
        after = _state(path, before)
        if after is None:
            return None if before is not None else False
        self._states[path] = after
        return before is None or _differs(before, after)

    def drop(self, path: str) -> bool:
        """Take a file for gone, if it is; tells whether it was known and is."""
        return not os.path.isfile(path) and self._states.pop(path, None) is not None

    def compare(self) -> set[str]:
        """Look at everything again.

        Returns:
            The paths that are new, changed or gone.
        """
        found = set()
        changed = set()
        for path in self._files():
            found.add(path)
            if self.look(path):
                changed.add(path)
        gone = self._states.keys() - found
        for path in gone:
            del self._states[path]
        return changed | gone

    def concerns(self, path: str) -> bool:
        """Tell whether a path is one to look at."""
        folder, name = os.path.split(path)
        if self._is_ignored(name) or not _FOLDERS.isdisjoint(folder.split(os.sep)):
            return False
        if any(_is_below(path, excluded) for excluded in self._roots.excluded):
            return False
        if folder in self._roots.flat and is_settings(name):
            return True
        return any(_is_below(path, root) for root in self._roots.recursive)

    def _is_ignored(self, name: str) -> bool:
        return bool(_TRANSIENT.fullmatch(name)) or any(
            fnmatch(name, pattern) for pattern in self._roots.ignored
        )

    def _files(self) -> Iterator[str]:
        for root in self._roots.flat:
            files = self._files_in(root, deeper=False, seen=set())
            yield from (path for path in files if is_settings(path))
        seen: set[tuple[int, int]] = set()
        for root in self._roots.recursive:
            yield from self._files_in(root, deeper=True, seen=seen)

    def _files_in(self, folder: str, *, deeper: bool, seen: set[tuple[int, int]]) -> Iterator[str]:
        """Walk as Pelican does, along links to folders too, but no folder twice."""
        try:
            with os.scandir(folder) as entries:
                listed = list(entries)
        except OSError:
            return
        for entry in listed:
            if self._is_ignored(entry.name):
                continue
            if not entry.is_dir():
                if entry.path not in self._roots.excluded:
                    yield entry.path
            elif deeper and self._is_open(entry):
                identity = _identity(entry.path)
                if identity is not None and identity not in seen:
                    seen.add(identity)
                    yield from self._files_in(entry.path, deeper=True, seen=seen)

    def _is_open(self, folder: os.DirEntry[str]) -> bool:
        return folder.name not in _FOLDERS and folder.path not in self._roots.excluded


def is_settings(name: str) -> bool:
    """Tell whether a file, in the folder of the settings, may be a part of them."""
    return name.endswith((".py", ".toml", ".json", ".yaml", ".yml", ".ini", ".cfg"))


def _state(path: str, before: _State | None) -> _State | None:
    try:
        status = os.stat(path)
        stamp = Stamp.of(status)
        if before is not None and before.stamp == stamp and before.digest is None:
            return before
        if stamp.is_settled(time.time_ns()) and (before is None or before.stamp != stamp):
            return _State(stamp, None)
        with open(path, "rb") as file:
            after = _State(stamp, hashlib.file_digest(file, "blake2b").digest())
    except OSError:
        return None
    if before == after and stamp.is_settled(time.time_ns()):
        return _State(stamp, None)  # from here on the stamp tells
    return after


def _differs(before: _State, after: _State) -> bool:
    if before.stamp != after.stamp:
        return True
    return None not in (before.digest, after.digest) and before.digest != after.digest


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + os.sep)


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def is_any_networked(paths: Iterable[str]) -> bool:
    """Tell whether any folder lies where changes by others give no events (Linux)."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            mounts = dict(_mount(line) for line in file)
    except OSError:
        return False
    return any(_kind(os.path.realpath(path), mounts) for path in paths)


_NETWORKED = re.compile(
    r"nfs\d?|cifs|smb\d?|smbfs|9p|afs|ceph|glusterfs|lustre|vboxsf|vmhgfs|prl_fs|drvfs|virtiofs"
    r"|fuse\.(?:sshfs|vmhgfs-fuse|gvfsd-fuse|rclone|s3fs|osxfs|grpcfuse)|fakeowner"
)


def _mount(line: str) -> tuple[str, str]:
    """Read a mount's folder and file system (proc_pid_mountinfo(5)); spaces stand as octal."""
    fields, _, rest = line.partition(" - ")
    folder = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), fields.split()[4])
    return folder, rest.split()[0]


def _kind(path: str, mounts: dict[str, str]) -> bool:
    while path not in mounts and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return _NETWORKED.fullmatch(mounts.get(path, "")) is not None
