"""Write files atomically and durably: after a crash or on a full disk none is incomplete."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Sequence
    from pathlib import Path

__all__ = [
    "clone",
    "hide_from_git",
    "replace_file",
    "sync_directories",
    "sync_directory",
    "sync_files",
]

_FEW = 2  # up to this number, fsync for each file is not slower than syncfs
_FICLONE = 0x40049409  # linux/fs.h: share the blocks of another file, copy on write


def replace_file(path: Path, data: bytes) -> None:
    """Write a file atomically, and make it durable.

    Only one process may write it at a time: the temporary file always has the same name, so
    that the file of a killed process is overwritten next time.

    Args:
        path: the file, in an existing folder; replaced if it exists.
        data: its content.

    Raises:
        OSError: the file cannot be written; the old file is unchanged.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def hide_from_git(folder: Path, ours: re.Pattern[str]) -> None:
    """Let git ignore a folder that only this package writes, as pytest does with its cache.

    Args:
        folder: the folder; one with a `.gitignore` or any other file stays as it is.
        ours: matches the names of files that this package writes.
    """
    file = folder / ".gitignore"
    with contextlib.suppress(OSError):  # a read-only folder needs nothing
        if not file.exists() and all(map(ours.fullmatch, os.listdir(folder))):
            file.write_text("*\n", "ascii")


def sync_files(paths: Iterable[str | Path]) -> None:
    """Make the content of files on one file system durable.

    Raises:
        OSError: the files cannot be written to the disk.
    """
    paths = list(paths)
    if len(paths) > _FEW and _sync_file_system(paths[0]):
        return
    for path in paths:
        _fsync(path, os.O_RDONLY)


def sync_directory(path: str | Path) -> None:
    """Make the names in a folder durable, such as after a rename; not needed on Windows."""
    if sys.platform != "win32":  # which journals names, and cannot open folders
        _fsync(path, os.O_RDONLY | os.O_DIRECTORY)


def sync_directories(paths: Sequence[str | Path]) -> None:
    """Make the names in folders of one file system durable.

    Raises:
        OSError: the folders cannot be written to the disk.
    """
    if len(paths) > _FEW and _sync_file_system(paths[0]):
        return
    for path in paths:
        sync_directory(path)


def clone(source: Path, target: Path, *, folder: Path | None = None) -> None:
    """Copy a file atomically, with shared blocks if the file system supports them.

    Never with a hard link: a tool that optimises images in the output would then also
    change the store.

    Args:
        source: the file.
        target: the copy; replaced if it exists.
        folder: the folder for the temporary file, on the same file system; the folder of
            the target if None.

    Raises:
        OSError: the file cannot be copied; no temporary file remains.
    """
    import shutil  # noqa: PLC0415  it takes a while, and a host's hooks copy no files

    temporary = (folder or target.parent) / f".{target.name}.{os.getpid()}.tmp"
    try:
        with source.open("rb") as reader, temporary.open("wb") as writer:
            if not _share_blocks(reader, writer):
                shutil.copyfileobj(reader, writer, 1024**2)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _share_blocks(reader: BinaryIO, writer: BinaryIO) -> bool:
    if sys.platform != "linux":
        return False
    import fcntl  # noqa: PLC0415  not on every system

    with contextlib.suppress(OSError):  # most file systems cannot; the copy follows
        fcntl.ioctl(writer.fileno(), _FICLONE, reader.fileno())
        return True
    return False


def _fsync(path: str | Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_file_system(path: str | Path) -> bool:
    """Flush the whole file system of a file with syncfs(2); return False if not supported."""
    if sys.platform != "linux":
        return False
    import ctypes  # noqa: PLC0415  it takes a while, and few files need it

    descriptor = os.open(path, os.O_RDONLY)
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if not hasattr(library, "syncfs"):
            return False
        if library.syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))
        return True
    finally:
        os.close(descriptor)
