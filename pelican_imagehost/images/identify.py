"""Files and bytes to images: digest, type, size in pixels, limits; nothing is decoded."""

from __future__ import annotations

import hashlib
import io
import mmap
import os
import stat
import struct
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import filetype
import imagesize

from pelican_imagehost.errors import (
    CorruptImage,
    ImageTooLarge,
    UnreadableImage,
    UnsupportedImage,
)
from pelican_imagehost.images import avif, svg
from pelican_imagehost.images.image import Image

if TYPE_CHECKING:
    from pelican_imagehost.images.image import Limits

__all__ = ["ImageFile", "check_size", "identify", "read"]

_LFS = b"version https://git-lfs.github.com/spec/"
_MAX_SIDE = 2**31 - 1  # the PNG specification's limit (section 5.1), the widest of all types
_TYPES = {"apng": "png"}
_SAMPLE = 65_536  # bytes, enough to tell the type
_TEXT_SAMPLE = 512
_TRIES = 3
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)  # opening a pipe must not wait for a writer


class ImageFile(NamedTuple):
    """An image file as it was read.

    Attributes:
        data: the bytes.
        image: the image in them.
        status: fstat(2) of the file, the same before and after it was read.
    """

    data: bytes
    image: Image
    status: os.stat_result


def read(file: str, limits: Limits) -> ImageFile:
    """Read a file in one consistent state, and identify the image in it.

    Args:
        file: its path.
        limits: the largest size and the types allowed.

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
            return ImageFile(data, identify(data, limits), after)
    raise UnreadableImage("changed each time it was read; is a program still writing it?")


def identify(content: bytes | BinaryIO, limits: Limits) -> Image:
    """Identify an image from its bytes alone.

    Args:
        content: the whole content of a file, or the open file itself; only an SVG is then
            read into memory.
        limits: the largest size and the types allowed.

    Returns:
        The image.

    Raises:
        CorruptImage: the file is empty, a Git LFS pointer, or truncated within its header.
        UnsupportedImage: not an image, a type that is not allowed, or an unsafe SVG.
        ImageTooLarge: too many bytes or pixels.
    """
    if isinstance(content, bytes):
        check_size(len(content), limits)
        return _identify(content, io.BytesIO(content), limits)
    check_size(os.fstat(content.fileno()).st_size, limits)
    with mmap.mmap(content.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _identify(data, content, limits)


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


def _identify(data: bytes | mmap.mmap, file: BinaryIO, limits: Limits) -> Image:
    kind = _sniff(data[:_SAMPLE])
    if kind not in limits.types:
        allowed = ", ".join(sorted(limits.types))
        raise UnsupportedImage(f"is {_article(kind)} image; IMAGEHOST_TYPES allows {allowed}")
    if kind == "svg":
        width, height = svg.inspect(data[:])
    else:
        width, height = _measure(data, file, kind)
        _check_pixels(width, height, limits)
    return Image(hashlib.sha256(data).hexdigest(), kind, len(data), width, height)


def _sniff(data: bytes) -> str:
    match = filetype.image_match(data[:8192])
    if match is not None:
        kind: str = match.extension
        return _TYPES.get(kind, kind)
    if data[4:12] == b"ftypavis":  # an image sequence, unknown to `filetype`
        return "avif"
    if data.startswith(_LFS):
        raise CorruptImage("is a Git LFS pointer, not the image; run `git lfs pull`")
    if svg.looks_like_svg(data):
        return "svg"
    raise UnsupportedImage(_describe(data))


def _describe(data: bytes) -> str:
    """Describe a file that is not an image, and the likely mistake."""
    sample = data[:_TEXT_SAMPLE]
    if b"<html" in sample.lower() or b"<!doctype html" in sample.lower():
        return "is an HTML page, not an image; a download may have saved an error page"
    if b"\0" in sample:
        return "is not an image of a known type, despite its name"
    try:
        sample.decode()
    except UnicodeDecodeError as error:
        if error.start < len(sample) - 4:  # not just a character split by the end of the sample
            return "is not an image of a known type, despite its name"
    return "is a text file, not an image, despite its name"


def _article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeio' else 'a'} {kind.upper()}"


def _measure(data: bytes | mmap.mmap, file: BinaryIO, kind: str) -> tuple[int, int]:
    try:
        if kind == "avif":
            width, height = avif.measure(data)
        elif kind == "gif":  # imagesize reads the sides as signed numbers
            width, height = struct.unpack("<HH", data[6:10])
        else:
            width, height = imagesize.get(file)
    except (ValueError, struct.error, IndexError, OverflowError):
        width = height = -1
    if not (0 < width <= _MAX_SIDE and 0 < height <= _MAX_SIDE):
        raise CorruptImage(
            f"begins like {_article(kind)} image but its header is truncated or damaged"
        )
    return width, height


def _check_pixels(width: int, height: int, limits: Limits) -> None:
    if width * height > limits.max_pixels:
        raise ImageTooLarge(
            f"has {width:,} × {height:,} pixels; "
            f"IMAGEHOST_MAX_PIXELS allows {limits.max_pixels:,} in all"
        )
