"""The facts about an image, and its name in the store; `identify` finds them."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["IMAGE_TYPES", "KEY", "MAX_BYTES", "MEDIA_TYPES", "Image", "Limits", "digest_of"]

IMAGE_TYPES = ("avif", "gif", "jpg", "png", "svg", "webp")
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


class Image(NamedTuple):
    """The facts about an image.

    Attributes:
        sha256: 64 hexadecimal digits, lower case.
        type: `avif`, `gif`, `jpg`, `png`, `svg` or `webp`, from the content.
        size: bytes.
        width: pixels, as shown (EXIF orientation applied).
        height: pixels, as shown.
    """

    sha256: str
    type: str
    size: int
    width: int
    height: int

    @property
    def key(self) -> str:
        """Return the path of the image in the store and in its address: `ab/ab12….jpg`."""
        return f"{self.sha256[:2]}/{self.sha256}.{self.type}"


def digest_of(key: str) -> str:
    """Return the SHA-256 in a key, as 64 hexadecimal digits."""
    return key[_DIGEST]
