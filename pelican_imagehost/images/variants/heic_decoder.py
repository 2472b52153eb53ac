"""Decode a HEIC photo from standard input and write it to standard output as a JPEG.

Run as a script in a process of its own, with limits on time and memory; it imports nothing of
this package.
"""

from __future__ import annotations

import resource
import sys
from contextlib import suppress
from io import BytesIO

import pi_heif
from PIL import Image

__all__ = ["main"]

_QUALITY = 92
_SECONDS = 60  # of CPU
_MEMORY = 3 * 1024**3  # bytes of address space


def main() -> None:
    """Convert one photo; fails if it cannot be decoded."""
    _limit(resource.RLIMIT_CPU, _SECONDS)
    _limit(resource.RLIMIT_AS, _MEMORY)
    _limit(resource.RLIMIT_CORE, 0)
    pi_heif.options.DECODE_THREADS = 1
    pi_heif.options.THUMBNAILS = pi_heif.options.DEPTH_IMAGES = False
    photo = pi_heif.open_heif(BytesIO(sys.stdin.buffer.read()))
    picture = photo.to_pillow()  # turned upright, as the container says
    if picture.mode not in {"L", "RGB"}:
        picture = _on_white(picture.convert("RGBA"))
    profile = photo.info.get("icc_profile")
    picture.save(sys.stdout.buffer, "JPEG", quality=_QUALITY, icc_profile=profile)


def _on_white(picture: Image.Image) -> Image.Image:
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture).convert("RGB")


def _limit(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    soft = value if hard == resource.RLIM_INFINITY else min(value, hard)
    with suppress(ValueError, OSError):  # some systems lack some limits
        resource.setrlimit(kind, (soft, hard))


if __name__ == "__main__":
    main()
