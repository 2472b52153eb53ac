"""The facts about an image, and its name in the store; `identify` finds them."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = [
    "IMAGE_SUFFIXES",
    "IMAGE_TYPES",
    "KEY",
    "MAX_BYTES",
    "MEDIA_TYPES",
    "Image",
    "Limits",
    "digest_of",
]

IMAGE_TYPES = ("avif", "gif", "jpg", "png", "svg", "webp")
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".webp", ".avif", ".svg")
MAX_BYTES = 10 * 1024**2  # of an image, where nothing else is set
_SUBTYPES = {"jpg": "jpeg", "svg": "svg+xml"}
_DIGEST = slice(3, 67)
MEDIA_TYPES = {kind: f"image/{_SUBTYPES.get(kind, kind)}" for kind in IMAGE_TYPES}
KEY = re.compile(rf"([0-9a-f]{{2}})/(\1[0-9a-f]{{62}})\.({'|'.join(IMAGE_TYPES)})")


class Limits(NamedTuple):
    """The limits on an image: bytes, pixels (width × height) and types."""

    max_bytes: int
    max_pixels: int
    types: frozenset[str]

    def allow(self, image: Image) -> bool:
        """Return whether an image is within the limits; an SVG has no pixels."""
        pixels = 0 if image.type == "svg" else image.width * image.height
        return (
            image.type in self.types and image.size <= self.max_bytes and pixels <= self.max_pixels
        )


class Image(NamedTuple):
    """The facts about an image.

    Attributes:
        sha256: 64 hexadecimal digits, lower case.
        type: `avif`, `gif`, `jpg`, `png`, `svg` or `webp`, from the content.
        size: bytes.
        width: pixels, as shown (EXIF orientation applied).
        height: pixels, as shown.
        source: the SHA-256 of the author's file, if that is not what is published; else "".
    """

    sha256: str
    type: str
    size: int
    width: int
    height: int
    source: str = ""

    @property
    def original(self) -> str:
        """Return the SHA-256 of the author's file."""
        return self.source or self.sha256

    @property
    def key(self) -> str:
        """Return the path of the image in the store and in its address: `ab/ab12….jpg`."""
        return f"{self.sha256[:2]}/{self.sha256}.{self.type}"


def digest_of(key: str) -> str:
    """Return the SHA-256 in a key, as 64 hexadecimal digits."""
    return key[_DIGEST]
