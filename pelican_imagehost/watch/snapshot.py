"""The watched files and the state of each, to check file events."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import time
from collections import deque
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.storage.index import Stamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pelican_imagehost.watch.messages import Roots

__all__ = ["Snapshot", "is_any_networked", "is_settings"]

# Temporary files and lock files of editors.
_TRANSIENT = re.compile(
    r".*(?:~|\.sw[a-px]|\.swpx|___jb_(?:tmp|old)___|\.tmp|\.part|\.crdownload)|\.#.*|#.*#|4913"
    r"|\.~lock\..*|~\$.*|\.goutputstream-.*|sed[A-Za-z0-9]{6}|\.nfs[0-9a-f]+"
)
_Identity = tuple[int, int]  # device and inode
_FOLDERS = frozenset({".git", ".hg", ".svn", "__pycache__", "node_modules"})


class _State(NamedTuple):
    """The stamp of a file, and a digest while a change may not alter the stamp."""

    stamp: Stamp
    digest: bytes | None


class Snapshot:
    """The files below some roots, as last seen; initially empty.

    Args:
        roots: the folders.

    Attributes:
        tops: the folders at the top of each walk: roots, and links to folders elsewhere.
    """

    def __init__(self, roots: Roots) -> None:
        self.tops: list[str] = []
        self._roots = roots
        self._states: dict[str, _State] = {}

    def look(self, path: str) -> bool | None:
        """Check a file.

        Returns:
            Whether it has changed; None if a known file is missing, which may only be an
            editor replacing it.
        """
        before = self._states.get(path)
        after = _state(path, before)
        if after is None:
            return None if before is not None else False
        self._states[path] = after
        return before is None or _differs(before, after)

    def drop(self, path: str) -> bool:
        """Forget a missing file; return whether it is missing and was known."""
        return not os.path.isfile(path) and self._states.pop(path, None) is not None

    def compare(self) -> set[str]:
        """Check all files.

        Returns:
            The paths that were added, changed or removed.
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
        """Return whether a path is watched."""
        folder, name = os.path.split(path)
        if self._is_ignored(name) or not _FOLDERS.isdisjoint(folder.split(os.sep)):
            return False
        if any(_is_below(path, excluded) for excluded in self._roots.excluded):
            return False
        if path in self._roots.files or (folder in self._roots.flat and self._is_one_of_flat(path)):
            return True
        return any(_is_below(path, root) for root in self._roots.recursive)

    def _is_ignored(self, name: str) -> bool:
        return bool(_TRANSIENT.fullmatch(name)) or any(
            fnmatch(name, pattern) for pattern in self._roots.ignored
        )

    def _files(self) -> Iterator[str]:
        """Walk like Pelican, which follows links to folders, but visit each folder once."""
        for root in self._roots.flat:
            yield from (path for path in self._list(root)[0] if self._is_one_of_flat(path))
        yield from filter(os.path.isfile, self._roots.files)
        self.tops = []
        ahead = deque(self._roots.recursive)
        seen = self._out_of_bounds()
        while ahead:  # links come last, so that files in the site keep their own paths
            top = ahead.popleft()
            if _is_new(top, seen):
                self.tops.append(top)
                yield from self._files_in(top, ahead, seen)

    def _files_in(self, folder: str, links: deque[str], seen: set[_Identity]) -> Iterator[str]:
        files, folders = self._list(folder)
        yield from files
        for path in folders:
            if os.path.islink(path):
                links.append(path)
                yield path
            elif _is_new(path, seen):
                yield from self._files_in(path, links, seen)

    def _list(self, folder: str) -> tuple[list[str], list[str]]:
        """List the files and the folders in a folder, links by their targets."""
        files: list[str] = []
        folders: list[str] = []
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if self._is_ignored(entry.name) or entry.path in self._roots.excluded:
                    continue
                # `entry.is_dir` raises for a link to itself.
                if not (os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()):
                    files.append(entry.path)
                elif entry.name not in _FOLDERS:
                    folders.append(entry.path)
        return files, folders

    def _out_of_bounds(self) -> set[_Identity]:
        """Identify folders to which links are not followed: excluded ones and parents of roots.

        A link to a parent is a loop.
        """
        seen: set[_Identity] = set()
        holders = (str(holder) for root in self._roots.recursive for holder in Path(root).parents)
        for path in (*self._roots.excluded, *holders):
            _is_new(path, seen)
        return seen - {_identity(root) for root in self._roots.recursive}

    def _is_one_of_flat(self, path: str) -> bool:
        return is_settings(path) or path == self._roots.manifest


def is_settings(name: str) -> bool:
    """Return whether a file in the folder of the settings may belong to them."""
    return name.endswith((".py", ".toml", ".json", ".yaml", ".yml", ".ini", ".cfg"))


def _state(path: str, before: _State | None) -> _State | None:
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            return _State(Stamp.of(os.lstat(path)), None) if os.path.islink(path) else None
        stamp = Stamp.of(status)
        if before is not None and before.stamp == stamp and before.digest is None:
            return before
        is_pipe = not stat.S_ISREG(status.st_mode)  # or a device; its stamp must do
        if is_pipe or (
            stamp.is_settled(time.time_ns()) and (before is None or before.stamp != stamp)
        ):
            return _State(stamp, None)
        with open(path, "rb") as file:
            after = _State(stamp, hashlib.file_digest(file, "blake2b").digest())
    except OSError:
        return None
    if before == after and stamp.is_settled(time.time_ns()):
        return _State(stamp, None)  # from now on the stamp is enough
    return after


def _differs(before: _State, after: _State) -> bool:
    if before.stamp != after.stamp:
        return True
    return None not in (before.digest, after.digest) and before.digest != after.digest


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + os.sep)


def _is_new(folder: str, seen: set[_Identity]) -> bool:
    """Return whether a folder exists and was not seen before; mark it as seen."""
    identity = _identity(folder)
    if identity is None or identity in seen:
        return False
    seen.add(identity)
    return True


def _identity(path: str) -> _Identity | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def is_any_networked(paths: Iterable[str]) -> bool:
    """Return whether any folder is on a network file system, which lacks events (Linux)."""
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
    """Read the folder and file system of a mount (proc_pid_mountinfo(5)); spaces are octal."""
    fields, _, rest = line.partition(" - ")
    folder = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), fields.split()[4])
    return folder, rest.split()[0]


def _kind(path: str, mounts: dict[str, str]) -> bool:
    while path not in mounts and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return _NETWORKED.fullmatch(mounts.get(path, "")) is not None
