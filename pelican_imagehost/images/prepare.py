"""From the author's file to the bytes that are published: the same, without its metadata."""

from __future__ import annotations

import hashlib
import mmap
import os
from typing import TYPE_CHECKING

from pelican_imagehost.images.clean import clean

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pelican_imagehost.images.image import Image
    from pelican_imagehost.images.pieces import Piece

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
    cleaned = b"".join(_cut(memoryview(data), pieces))
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
                for piece in _cut(data, pieces):
                    digest.update(piece)
                    size += writer.write(piece)
            os.replace(temporary, file)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    return _renamed(image, digest.hexdigest(), size)


def _cut(data: memoryview | mmap.mmap, pieces: Iterable[Piece]) -> Iterable[bytes | memoryview]:
    for piece in pieces:
        yield piece if isinstance(piece, bytes) else data[piece[0] : piece[1]]


def _renamed(image: Image, digest: str, size: int) -> Image:
    return image._replace(sha256=digest, size=size, source=image.original)
