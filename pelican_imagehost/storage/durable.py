"""Writing so that a reader, a crash or a full disk never meets half a file."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

__all__ = ["clone", "replace_file", "sync_directories", "sync_directory", "sync_files"]

_FEW = 8  # up to here one fsync a file is cheaper than waiting for the whole file system
_FICLONE = 0x40049409  # linux/fs.h: share the blocks of another file, copy on write


def replace_file(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, and make it durable.

    One writer at a time: the temporary file always has the same name, so that what a
    killed writer left is overwritten by the next instead of staying for ever.

    Args:
        path: the file, whose folder is there; replaced where it exists.
        data: its content.

    Raises:
        OSError: it could not be written; the old file is as it was.
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


def sync_files(paths: Iterable[str | Path]) -> None:
    """Make the content of files on one file system durable.

    Raises:
        OSError: the system could not.
    """
    paths = list(paths)
    if len(paths) > _FEW and _sync_file_system(paths[0]):
        return
    for path in paths:
        _fsync(path, os.O_RDONLY)


def sync_directory(path: str | Path) -> None:
    """Make the names in a folder durable (a rename is one), where the system can."""
    if sys.platform != "win32":  # Windows opens no folder, and journals its names
        _fsync(path, os.O_RDONLY | os.O_DIRECTORY)


def sync_directories(paths: Sequence[str | Path]) -> None:
    """Make the names in folders of one file system durable.

    Raises:
        OSError: the system could not.
    """
    if len(paths) > _FEW and _sync_file_system(paths[0]):
        return
    for path in paths:
        sync_directory(path)


def clone(source: Path, target: Path, *, folder: Path | None = None) -> None:
    """Put a copy of a file in place: blocks shared where the file system can, never a hard link.

    A tool that optimises the output in place would write through a hard link into the store.

    Args:
        source: the file.
        target: where the copy goes; replaced where it exists.
        folder: where it is written first, on the same file system; the target's when None.

    Raises:
        OSError: it could not be copied; nothing is left behind.
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
    """Flush the whole file system of a file (Linux, syncfs(2)); False where it cannot be."""
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
