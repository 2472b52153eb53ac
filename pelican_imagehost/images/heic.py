"""HEIC photos, which few browsers show, as JPEG; needs the extra `pelican-imagehost[heic]`."""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import TYPE_CHECKING

from pelican_imagehost.errors import CorruptImage, ImageTooLarge, UnsupportedImage
from pelican_imagehost.images import boxes, broken, heif, kinds

if TYPE_CHECKING:
    import mmap

__all__ = ["convert"]

_NAME = "a HEIC"
_NEEDED = ("pi_heif", "PIL")
_SECONDS = 120  # after which the process is killed, however busy the machine
_SCRIPT = os.path.join(os.path.dirname(__file__), "variants", "heic_decoder.py")


def convert(data: bytes | mmap.mmap, max_pixels: int) -> bytes:
    """Convert a HEIC photo to a JPEG, upright, with its colour profile and no other metadata.

    It is decoded in a process of its own, with limits on time and memory.

    Args:
        data: the whole file.
        max_pixels: the most to decode, width × height.

    Returns:
        The JPEG.

    Raises:
        UnsupportedImage: the extra is not installed.
        ImageTooLarge: the photo has more pixels.
        CorruptImage: it is cut off, or cannot be decoded.
    """
    if not all(map(importlib.util.find_spec, _NEEDED)):
        raise UnsupportedImage(kinds.HEIC)
    import subprocess  # noqa: PLC0415  for these photos alone

    width, height = _measure(data)
    if width * height > max_pixels:
        raise ImageTooLarge(
            f"has {width:,} × {height:,} pixels; IMAGEHOST_MAX_PIXELS allows {max_pixels:,} in all"
        )
    try:
        done = subprocess.run(  # noqa: S603  our own script
            # -P: no module beside the script is imported instead of the library's.
            [sys.executable, "-P", _SCRIPT],
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
            env={k: v for k, v in os.environ.items() if not k.startswith("IMAGEHOST_")},
        )
    except subprocess.TimeoutExpired:
        done = None
    if done is None or done.returncode:
        raise CorruptImage("is a HEIC photo that cannot be decoded; export it as JPEG")
    return done.stdout


def _measure(data: bytes | mmap.mmap) -> tuple[int, int]:
    """Return the size of the photo before it is turned; its bytes must all be there."""
    try:
        meta = boxes.find(data, None, b"meta")
        if meta is None:
            raise broken.cut_off(_NAME)
        items = heif.read_items(data, meta)
        if max((end for _, end in items.pictures()), default=0) > len(data):
            raise broken.cut_off(_NAME)
        for box in items.properties:
            if box.name == b"ispe":
                reader = boxes.Reader(data, box)
                _, *size = (reader.number(4) for _ in range(3))  # version and flags first
                return size[0], size[1]
    except ValueError as error:
        raise broken.damaged(_NAME, str(error)) from error
    raise broken.damaged(_NAME, "no size")
