"""Reading an image file once, whole, and knowing which state of it was read."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from pelican_imagehost.errors import UnreadableImage
from pelican_imagehost.images.identify import check_size

if TYPE_CHECKING:
    from pelican_imagehost.images.image import Limits

__all__ = ["read_image"]

_TRIES = 3
_AT_ONCE = getattr(os, "O_NONBLOCK", 0)  # a pipe must not let its opener wait for a writer


def read_image(file: str, limits: Limits) -> tuple[bytes, os.stat_result]:
    """Read a file of which no other process changed a byte meanwhile.

    Args:
        file: its path.
        limits: of which the number of bytes counts here.

    Returns:
        The bytes, and what fstat(2) said both before and after they were read.

    Raises:
        UnreadableImage: no permission, a failing disk, a file that never rests, or no file
            but a pipe or a device.
        CorruptImage: it is empty.
        ImageTooLarge: it has more bytes than allowed; it is not read then.
    """
    for _ in range(_TRIES):
        try:
            data, before, after = _read(file, limits)
        except OSError as error:
            raise UnreadableImage(f"cannot be read: {error.strerror}") from error
        if len(data) == before.st_size and _state(before) == _state(after):
            return data, after
    raise UnreadableImage("changed each time it was read; is a program still writing it?")


def _read(file: str, limits: Limits) -> tuple[bytes, os.stat_result, os.stat_result]:
    with open(file, "rb", buffering=0, opener=_open) as raw:
        before = os.fstat(raw.fileno())
        if not stat.S_ISREG(before.st_mode):
            raise UnreadableImage("is no regular file")
        check_size(before.st_size, limits)
        data = raw.readall()
        return data, before, os.fstat(raw.fileno())


def _open(file: str, flags: int) -> int:
    return os.open(file, flags | _AT_ONCE)


def _state(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns
