"""The facts about an image, and its name in the store; `identify` finds them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "IMAGE_SUFFIXES",
    "IMAGE_TYPES",
    "KEY",
    "MAX_BYTES",
    "MEDIA_TYPES",
    "POLICY",
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
# The Content-Security-Policy of an image: an SVG opened by itself runs and loads nothing.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; sandbox"
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


_VARIANT = re.compile(r'\[(\d+), (\d+), "([0-9a-f]{64})", "(\w+)", (\d+)\]')
_VARIANT_NAME = re.compile(r'"([0-9a-f]{64})", "(\w+)"')
_RECIPE = re.compile(r'"recipe": "([^"]*)"')


class Image(NamedTuple):
    """The facts about an image.

    Attributes:
        sha256: 64 hexadecimal digits, lower case.
        type: `avif`, `gif`, `jpg`, `png`, `svg` or `webp`, from the content.
        size: bytes.
        width: pixels, as shown (EXIF orientation applied).
        height: pixels, as shown.
        source: the SHA-256 of the author's file, if that is not what is published; else "".
        forms: its variants and the recipe for them, as in a line of the manifest, which may
            have very many; "" if nobody has looked for any.
    """

    sha256: str
    type: str
    size: int
    width: int
    height: int
    source: str = ""
    forms: str = ""

    @property
    def original(self) -> str:
        """Return the SHA-256 of the author's file."""
        return self.source or self.sha256

    @property
    def recipe(self) -> str:
        """Return how the variants were made; "" if nobody has looked for any."""
        match = _RECIPE.search(self.forms)
        return match[1] if match else ""

    @property
    def variants(self) -> list[Image]:
        """Return smaller forms of the image, for browsers to choose from."""
        return [
            Image(sha256, kind, int(size), int(width), int(height))
            for width, height, sha256, kind, size in _VARIANT.findall(self.forms)
        ]

    @property
    def variant_names(self) -> list[str]:
        """Return the names of the files of its variants; takes a third of the time."""
        return [f"{sha256}.{kind}" for sha256, kind in _VARIANT_NAME.findall(self.forms)]

    @property
    def all(self) -> list[Image]:
        """Return the image and its variants: everything that has to be online for it."""
        return [self, *self.variants] if self.forms else [self]

    def with_variants(self, variants: Iterable[Image], recipe: str) -> Image:
        """Return the image with other variants.

        Args:
            variants: images of the same picture.
            recipe: how they were made; letters, digits, dots, spaces and hyphens.
        """
        listed = ", ".join(
            f'[{one.width}, {one.height}, "{one.sha256}", "{one.type}", {one.size}]'
            for one in variants
        )
        return self._replace(forms=f'"variants": [{listed}], "recipe": "{recipe}"')

    @property
    def name(self) -> str:
        """Return the name of its file: `ab12….jpg`."""
        return f"{self.sha256}.{self.type}"

    @property
    def key(self) -> str:
        """Return the path of the image in the store and in its address: `ab/ab12….jpg`."""
        return f"{self.sha256[:2]}/{self.sha256}.{self.type}"


def digest_of(key: str) -> str:
    """Return the SHA-256 in a key, as 64 hexadecimal digits."""
    return key[_DIGEST]
