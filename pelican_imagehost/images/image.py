"""Image: what an image is, and nothing of how that is found out."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["MEDIA_TYPES", "Image", "readable_size"]

MEDIA_TYPES = {
    "avif": "image/avif",
    "gif": "image/gif",
    "jpg": "image/jpeg",
    "png": "image/png",
    "svg": "image/svg+xml",
    "webp": "image/webp",
}


class Image(NamedTuple):
    """What an image is.

    Attributes:
        sha256: 64 hexadecimal digits, lower case.
        type: `avif`, `gif`, `jpg`, `png`, `svg` or `webp`, by the content.
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
        """The image's path in the store and in its address: `ab/ab12….jpg`."""
        return f"{self.sha256[:2]}/{self.sha256}.{self.type}"


def readable_size(size: int) -> str:
    """Write a number of bytes for people, in decimal units: `1.2 MB`."""
    amount = float(size)
    for unit in ("bytes", "kB", "MB"):
        if amount < 1000:  # noqa: PLR2004  decimal units
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"
