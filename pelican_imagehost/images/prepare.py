"""From the author's file to the bytes that are published: the same, without its metadata."""

from __future__ import annotations

import hashlib
import mmap
import os
from typing import TYPE_CHECKING

from pelican_imagehost.images.clean import clean
from pelican_imagehost.images.pieces import cut, join

if TYPE_CHECKING:
    from pathlib import Path

    from pelican_imagehost.images.image import Image

__all__ = ["prepare", "prepare_file"]


def prepare(data: bytes, image: Image, keep: frozenset[str]) -> tuple[bytes, Image]:
    """Clean an image.

    Args:
        data: the bytes of the author's file.
        image: the image in them.
        keep: the metadata to keep, as in IMAGEHOST_KEEP_METADATA.

    Returns:
        The bytes to publish, and the image in them; the same if there is nothing to clean.

    Raises:
        CorruptImage: the file cannot be followed to its end, so that it may still hold
            anything.
    """
    pieces = clean(data, image.type, keep)
    if pieces is None:
        return data, image
    cleaned = join(data, pieces)
    return cleaned, _renamed(image, hashlib.sha256(cleaned).hexdigest(), len(cleaned))


def prepare_file(file: Path, image: Image, keep: frozenset[str]) -> Image:
    """Clean an image in its file; the file is then another, with the same path.

    Args:
        file: the file; nobody else uses it.
        image: the image in it.
        keep: the metadata to keep, as in IMAGEHOST_KEEP_METADATA.

    Returns:
        The image that the file now holds.

    Raises:
        CorruptImage: as `prepare`.
        OSError: the file cannot be written; it is unchanged.
    """
    with (
        file.open("rb") as opened,
        mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        pieces = clean(data, image.type, keep)
        if pieces is None:
            return image
        temporary = file.with_name(f"clean-{file.name}")
        digest, size = hashlib.sha256(), 0
        try:
            with temporary.open("xb") as writer:
                for piece in cut(data, pieces):
                    digest.update(piece)
                    size += writer.write(piece)
            os.replace(temporary, file)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    return _renamed(image, digest.hexdigest(), size)


def _renamed(image: Image, digest: str, size: int) -> Image:
    return image._replace(sha256=digest, size=size, source=image.original)
