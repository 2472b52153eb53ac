"""Pointers of Git LFS, which stand in a clone for files that were not fetched.

The object of a pointer is named by the SHA-256 of the file (Git LFS specification, "The
pointer"), so a pointer to an image has the image's digest. Nothing checks it, so only a site's
own files are read this way, never an upload.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

__all__ = ["MAX_SIZE", "START", "Pointer", "parse_pointer", "read_pointer"]

START = b"version https://git-lfs.github.com/spec/"
MAX_SIZE = 1024  # bytes; git-lfs takes larger files for content
# An extension (a line `ext-0-…`) may change the bytes before they are named, so none matches.
_POINTER = re.compile(
    re.escape(START) + rb"v1\r?\noid sha256:([0-9a-f]{64})\r?\nsize ([0-9]{1,18})(?:\r?\n)?"
)


class Pointer(NamedTuple):
    """A file that was not fetched.

    Attributes:
        sha256: 64 hexadecimal digits, lower case.
        size: bytes.
    """

    sha256: str
    size: int


def parse_pointer(data: bytes) -> Pointer | None:
    """Parse the content of a file; return None if it is not a pointer that names the content."""
    match = _POINTER.fullmatch(data)
    return Pointer(match[1].decode(), int(match[2])) if match else None


def read_pointer(file: str) -> Pointer | None:
    """Read a pointer; return None if the file is something else, or cannot be read."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)  # a pipe must not wait
        with open(descriptor, "rb", buffering=0) as raw:
            return parse_pointer(raw.read(MAX_SIZE + 1) or b"")
    except OSError:
        return None
