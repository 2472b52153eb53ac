"""Open files that may be anything: a pipe or a device would block, or never end."""

from __future__ import annotations

import errno
import io
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["open_regular"]

_BUFFER = 64 * 1024  # bytes; with 8, reading the lines of a manifest takes twice as long
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)  # opening a pipe must not wait for a writer


def open_regular(path: str | Path) -> io.BufferedReader:
    """Open a regular file for reading.

    Raises:
        OSError: it cannot be opened, or is something else.
    """
    file: io.BufferedReader = io.BufferedReader(io.FileIO(path, opener=_open), _BUFFER)
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    return file


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | _NONBLOCK)
