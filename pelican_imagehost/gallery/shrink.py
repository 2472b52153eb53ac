"""Decode and shrink images, in a process of its own with limits on time and memory.

It is run as a script that knows no secret. Each line of its input is a JSON list: the image,
its type, and the file to write. Each line of its output is 1, or 0 for failures.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from contextlib import suppress
from pathlib import Path

from pelican_imagehost.errors import ImageHostError
from pelican_imagehost.images.variants.picture import decode_in_one_thread, open_picture

__all__ = ["main"]

_SIDE = 480  # pixels; twice the size in the gallery, for high-resolution screens
_MOST_PIXELS = 30_000_000  # decoded at once: 120 MB of memory
_POLITE = 10  # steps of `nice`: the service itself goes first


def main() -> None:
    """Shrink images until the input ends.

    The arguments are the seconds of CPU for each, and the bytes of address space for all.
    """
    seconds, memory = map(int, sys.argv[1:])
    _limit(resource.RLIMIT_AS, memory)
    _limit(resource.RLIMIT_CORE, 0)
    os.nice(_POLITE)
    decode_in_one_thread()  # each thread reserves address space
    for line in sys.stdin:
        # Exceeding it ends this process; the limit applies to the sum over all images.
        _limit(resource.RLIMIT_CPU, int(time.process_time()) + seconds)
        original, kind, small = json.loads(line)
        print(int(_make(Path(original), kind, Path(small))), flush=True)  # noqa: T201  the answer


def _limit(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    soft = value if hard == resource.RLIM_INFINITY else min(value, hard)
    with suppress(ValueError, OSError):  # some systems lack some limits
        resource.setrlimit(kind, (soft, hard))


def _make(original: Path, kind: str, small: Path) -> bool:
    """Make a thumbnail; return False if the disk is full, or on a bad image."""
    with suppress(OSError, ImageHostError):
        _save(_shrink(original.read_bytes(), kind), small)
        return True
    return False


def _shrink(data: bytes, kind: str) -> bytes:
    with open_picture(data, kind, most=_MOST_PIXELS) as source:
        source.reduce(_SIDE)
        picture = source.decode(faithful=False)
        assert picture is not None  # noqa: S101  no colours are refused
        longest = max(_SIDE, *picture.size)
        width, height = (max(1, round(side * _SIDE / longest)) for side in picture.size)
        return picture.resize((width, height)).encode("webp")


def _save(data: bytes, small: Path) -> None:
    small.parent.mkdir(parents=True, exist_ok=True)
    temporary = small.with_suffix(f".{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        temporary.replace(small)
    finally:
        temporary.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
