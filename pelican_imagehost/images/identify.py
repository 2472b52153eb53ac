"""From bytes to an Image: digest, type, pixels, and the limits; nothing is decoded."""

from __future__ import annotations

import hashlib
import io
import mmap
import os
import struct
from typing import TYPE_CHECKING, BinaryIO

import filetype
import imagesize

from pelican_imagehost.errors import CorruptImage, ImageTooLarge, UnsupportedImage
from pelican_imagehost.images import avif, svg
from pelican_imagehost.images.image import Image

if TYPE_CHECKING:
    from pelican_imagehost.images.image import Limits

__all__ = ["check_size", "identify"]

_LFS = b"version https://git-lfs.github.com/spec/"
_MAX_SIDE = 2**31 - 1  # the PNG specification's limit (section 5.1), the widest of all types
_TYPES = {"apng": "png"}
_SAMPLE = 65_536  # bytes that tell the type
_TEXT_SAMPLE = 512


def identify(content: bytes | BinaryIO, limits: Limits) -> Image:
    """Say what an image is, from its bytes alone.

    Args:
        content: the whole content of a file, or the open file itself, which is not read
            into memory but for an SVG.
        limits: what is allowed.

    Returns:
        The image.

    Raises:
        CorruptImage: empty, an LFS pointer, or cut off within its header.
        UnsupportedImage: no image, of a type that is not allowed, or an SVG that is unsafe.
        ImageTooLarge: too many bytes or pixels.
    """
    if isinstance(content, bytes):
        check_size(len(content), limits)
        return _identify(content, io.BytesIO(content), limits)
    check_size(os.fstat(content.fileno()).st_size, limits)
    with mmap.mmap(content.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _identify(data, content, limits)


def check_size(size: int, limits: Limits) -> None:
    """Refuse a file by its length, before it is read.

    Raises:
        CorruptImage: it is empty.
        ImageTooLarge: it has more bytes than allowed.
    """
    if size == 0:
        raise CorruptImage("is an empty file")
    if size > limits.max_bytes:
        raise ImageTooLarge(f"has {size:,} bytes; IMAGEHOST_MAX_BYTES allows {limits.max_bytes:,}")


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
    if data[4:12] == b"ftypavis":  # an image sequence, which `filetype` does not know
        return "avif"
    if data.startswith(_LFS):
        raise CorruptImage("is a Git LFS pointer, not the image; run `git lfs pull`")
    if svg.looks_like_svg(data):
        return "svg"
    raise UnsupportedImage(_describe(data))


def _describe(data: bytes) -> str:
    """Tell what a file that is no image seems to be, and the likely mistake."""
    sample = data[:_TEXT_SAMPLE]
    if b"<html" in sample.lower() or b"<!doctype html" in sample.lower():
        return "is an HTML page, not an image; a download may have saved an error page"
    if b"\0" in sample:
        return "is no image of a known type, whatever its name says"
    try:
        sample.decode()
    except UnicodeDecodeError as error:
        if error.start < len(sample) - 4:  # not merely a character cut by the sample's end
            return "is no image of a known type, whatever its name says"
    return "is a text file, not an image, whatever its name says"


def _article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeio' else 'a'} {kind.upper()}"


def _measure(data: bytes | mmap.mmap, file: BinaryIO, kind: str) -> tuple[int, int]:
    try:
        if kind == "avif":
            width, height = avif.measure(data)
        elif kind == "gif":  # imagesize takes the sides for signed numbers
            width, height = struct.unpack("<HH", data[6:10])
        else:
            width, height = imagesize.get(file)
    except (ValueError, struct.error, IndexError, OverflowError):
        width = height = -1
    if not (0 < width <= _MAX_SIDE and 0 < height <= _MAX_SIDE):
        raise CorruptImage(
            f"begins like {_article(kind)} image but its header is cut off or damaged"
        )
    return width, height


def _check_pixels(width: int, height: int, limits: Limits) -> None:
    if width * height > limits.max_pixels:
        raise ImageTooLarge(
            f"has {width:,} × {height:,} pixels; "
            f"IMAGEHOST_MAX_PIXELS allows {limits.max_pixels:,} in all"
        )
