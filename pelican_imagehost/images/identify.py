"""Files and bytes to images: digest, type, size in pixels, limits; nothing is decoded."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.errors import (
    CorruptImage,
    ImageTooLarge,
    UnreadableImage,
    UnsupportedImage,
)
from pelican_imagehost.images import avif, gif, heic, jpeg, kinds, png, svg, webp
from pelican_imagehost.images.image import Image

if TYPE_CHECKING:
    import mmap

    from pelican_imagehost.images.image import Limits

__all__ = ["ImageFile", "check_size", "identify", "read"]

_WALKERS = {"avif": avif, "gif": gif, "jpg": jpeg, "png": png, "webp": webp}
_TRIES = 3
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)  # opening a pipe must not wait for a writer


class ImageFile(NamedTuple):
    """An image file as it was read.

    Attributes:
        data: the bytes; those of the JPEG that is published if the file is a HEIC photo.
        image: the image in them.
        status: fstat(2) of the file, the same before and after it was read.
    """

    data: bytes
    image: Image
    status: os.stat_result


def read(file: str, limits: Limits, *, walks: bool = True) -> ImageFile:
    """Read a file in one consistent state, and identify the image in it.

    Args:
        file: its path.
        limits: the largest size and the types allowed.
        walks: whether to walk it to its end; `images.clean` does so, too.

    Returns:
        The bytes, the image, and the state of the file.

    Raises:
        UnreadableImage: no permission, a failing disk, a file that keeps changing, or not a
            regular file but a pipe, a device or a folder.
        CorruptImage, UnsupportedImage, ImageTooLarge: as `identify`; a file with too many
            bytes is not read.
    """
    for _ in range(_TRIES):
        try:
            data, before, after = _read(file, limits)
        except OSError as error:
            raise UnreadableImage(f"cannot be read: {error.strerror}") from error
        if len(data) == before.st_size and _state(before) == _state(after):
            if kinds.is_heic(data[: kinds.SAMPLE]):
                source = hashlib.sha256(data).hexdigest()
                data = heic.convert(data, limits.max_pixels)
                return ImageFile(data, identify(data, limits)._replace(source=source), after)
            return ImageFile(data, identify(data, limits, walks=walks), after)
    raise UnreadableImage("changed each time it was read; is a program still writing it?")


def identify(data: bytes | mmap.mmap, limits: Limits, *, walks: bool = True) -> Image:
    """Identify an image from its bytes alone.

    Args:
        data: the whole content of a file; only an SVG is copied into memory.
        limits: the largest size and the types allowed.
        walks: as for `read`.

    Returns:
        The image.

    Raises:
        CorruptImage: the file is empty, a Git LFS pointer, cut off or damaged.
        UnsupportedImage: not an image, a type that is not allowed, or an unsafe SVG.
        ImageTooLarge: too many bytes or pixels.
    """
    check_size(len(data), limits)
    kind = kinds.sniff(data[: kinds.SAMPLE])
    if kind not in limits.types:
        allowed = ", ".join(sorted(limits.types))
        raise UnsupportedImage(f"is {kinds.NAMES[kind]} image; IMAGEHOST_TYPES allows {allowed}")
    if kind == "svg":
        width, height = svg.inspect(data[:])
    else:
        width, height = _WALKERS[kind].measure(data)
        _check_pixels(width, height, limits)
        if walks:
            _WALKERS[kind].check(data)
    return Image(hashlib.sha256(data).hexdigest(), kind, len(data), width, height)


def check_size(size: int, limits: Limits) -> None:
    """Check the size of a file before it is read.

    Args:
        size: bytes.
        limits: the largest size allowed.

    Raises:
        CorruptImage: the file is empty.
        ImageTooLarge: the file has more bytes than allowed.
    """
    if size == 0:
        raise CorruptImage("is an empty file")
    if size > limits.max_bytes:
        raise ImageTooLarge(f"has {size:,} bytes; IMAGEHOST_MAX_BYTES allows {limits.max_bytes:,}")


def _read(file: str, limits: Limits) -> tuple[bytes, os.stat_result, os.stat_result]:
    with open(file, "rb", buffering=0, opener=_open) as raw:
        before = os.fstat(raw.fileno())
        if not stat.S_ISREG(before.st_mode):
            raise UnreadableImage("is not a regular file")
        check_size(before.st_size, limits)
        data = raw.readall()
        return data, before, os.fstat(raw.fileno())


def _open(file: str, flags: int) -> int:
    return os.open(file, flags | _NONBLOCK)


def _state(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _check_pixels(width: int, height: int, limits: Limits) -> None:
    if width * height > limits.max_pixels:
        raise ImageTooLarge(
            f"has {width:,} × {height:,} pixels; "
            f"IMAGEHOST_MAX_PIXELS allows {limits.max_pixels:,} in all"
        )
