"""Decode and shrink images, in a process of its own with limits on time and memory.

Only this module decodes images. It is run as a script that imports nothing of this package,
so that it starts quickly and knows no secret. Each line of its input is a JSON list: the
image, its type, and the file to write. Each line of its output is 1, or 0 for failures.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageOps

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

__all__ = ["main"]

_FORMATS = {"avif": "AVIF", "jpg": "JPEG", "png": "PNG", "webp": "WEBP"}
_SIDE = 480  # pixels; twice the size in the gallery, for high-resolution screens
_MOST_PIXELS = 30_000_000  # decoded at once: 120 MB of memory
_MEMORY = 1024**3  # bytes of address space
_QUALITY = 75
_POLITE = 10  # steps of `nice`: the service itself goes first


def main() -> None:
    """Shrink images until the input ends; the first argument is the seconds of CPU for each."""
    seconds = int(sys.argv[1])
    _limit(resource.RLIMIT_AS, _MEMORY)
    _limit(resource.RLIMIT_CORE, 0)
    os.nice(_POLITE)
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # we have our own limit
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
    # Broken files make decoders fail in many ways.
    failures = (OSError, ValueError, SyntaxError, EOFError, MemoryError)
    with suppress(*failures, Image.DecompressionBombError):
        if kind == "avif":
            _use_one_thread()
        with Image.open(original, formats=[_FORMATS[kind]]) as picture:
            # Decode a JPEG at a fraction of its size; has no effect on other types.
            picture.draft("RGB", (_SIDE, _SIDE))
            if picture.width * picture.height <= _MOST_PIXELS:
                _save(_shrink(picture), small)
                return True
    return False


def _use_one_thread() -> None:
    """Decode AVIF in one thread: each thread reserves address space, which is limited."""
    from PIL import AvifImagePlugin  # noqa: PLC0415  only if needed

    AvifImagePlugin.DEFAULT_MAX_THREADS = 1


def _shrink(picture: Picture) -> Picture:
    upright = ImageOps.exif_transpose(picture)
    upright.thumbnail((_SIDE, _SIDE))
    return upright if upright.mode in {"RGB", "RGBA"} else upright.convert("RGBA")


def _save(picture: Picture, small: Path) -> None:
    small.parent.mkdir(parents=True, exist_ok=True)
    temporary = small.with_suffix(f".{os.getpid()}.tmp")
    try:
        picture.save(temporary, "WEBP", quality=_QUALITY)
        temporary.replace(small)
    finally:
        temporary.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
