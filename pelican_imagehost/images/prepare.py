"""From the author's file to the bytes that are published: the same, without its metadata."""

from __future__ import annotations

import hashlib
import mmap
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from pelican_imagehost.images import heic, kinds
from pelican_imagehost.images.clean import clean
from pelican_imagehost.images.identify import identify
from pelican_imagehost.images.pieces import cut, join

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pelican_imagehost.images.image import Image, Limits

__all__ = ["prepare", "prepare_file", "prepare_upload"]


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


def prepare_upload(data: bytes, limits: Limits, keep: frozenset[str]) -> tuple[bytes, Image]:
    """Identify and clean an image that has arrived; a HEIC photo is converted.

    Args:
        data: the bytes of the file.
        limits: the largest size and the types allowed.
        keep: the metadata to keep, as in IMAGEHOST_KEEP_METADATA.

    Returns:
        The bytes to publish, and the image in them.

    Raises:
        CorruptImage, UnsupportedImage, ImageTooLarge: as `identify` and `prepare`.
    """
    if kinds.is_heic(data[: kinds.SAMPLE]):
        source = hashlib.sha256(data).hexdigest()
        converted = heic.convert(data, limits.max_pixels)
        return prepare(converted, identify(converted, limits)._replace(source=source), keep)
    return prepare(data, identify(data, limits, walks=False), keep)


def prepare_file(file: str, limits: Limits, keep: frozenset[str]) -> Image:
    """Do the same in a file, which is then another, with the same path.

    Args:
        file: the file; nobody else uses it.
        limits: as for `prepare_upload`.
        keep: as for `prepare_upload`.

    Returns:
        The image that the file now holds.

    Raises:
        CorruptImage, UnsupportedImage, ImageTooLarge: as `prepare_upload`.
        OSError: the file cannot be written; it is unchanged.
    """
    with (
        open(file, "rb", buffering=0) as opened,
        mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        if kinds.is_heic(data[: kinds.SAMPLE]):
            published, image = prepare_upload(data[:], limits, keep)
            _replace(file, [published])
            return image
        image = identify(data, limits, walks=False)
        pieces = clean(data, image.type, keep)
        return image if pieces is None else _renamed(image, *_replace(file, cut(data, pieces)))


def _replace(file: str, pieces: Iterable[bytes | memoryview]) -> tuple[str, int]:
    """Replace a file; return the digest and the size of what it now holds."""
    folder, name = os.path.split(file)
    temporary = os.path.join(folder, f"clean-{name}")
    digest, size = hashlib.sha256(), 0
    try:
        with open(temporary, "xb") as writer:
            for piece in pieces:
                digest.update(piece)
                size += writer.write(piece)
        os.replace(temporary, file)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    return digest.hexdigest(), size


def _renamed(image: Image, digest: str, size: int) -> Image:
    return image._replace(sha256=digest, size=size, source=image.original)
