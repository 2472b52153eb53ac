"""The type of a file by its first bytes; for one that is not hosted, what it is and what to do."""

from __future__ import annotations

import re
import zlib

import filetype

from pelican_imagehost.errors import CorruptImage, UnsupportedImage
from pelican_imagehost.images import boxes, lfs, svg

__all__ = ["HEIC", "NAMES", "SAMPLE", "is_heic", "sniff"]

SAMPLE = 65_536  # bytes, enough to tell the type
NAMES = {
    "avif": "an AVIF",
    "gif": "a GIF",
    "jpg": "a JPEG",
    "png": "a PNG",
    "svg": "an SVG",
    "webp": "a WebP",
}
_GZIP = b"\x1f\x8b"
_KINDS = {"apng": "png"}  # as `filetype` names them → as we do
_SNIFFED = 8192
_TEXT = 512
# `filetype` looks at two to four bytes, with which a text can begin too.
_SIGNATURES = {
    "gif": re.compile(rb"GIF8[79]a"),
    "jpg": re.compile(rb"\xff\xd8\xff"),
    "png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "webp": re.compile(rb"RIFF....WEBPVP8[ LX]", re.DOTALL),
}
_AVIF = frozenset([b"avif", b"avis"])
_EXPORT = "export it as PNG, JPEG or WebP"
_DRAWN = "export it as SVG or PNG"
_VIDEO = "link to it, or export it as animated WebP or AVIF"
_JPEG = "export it as JPEG, or run: pip install 'pelican-imagehost[heic]'"
_HEIC_BRAND = re.compile(rb"he[iv].|mi[fa].|msf1|avc[is]")
HEIC = f"is a HEIC photo; {_JPEG}"
# What else is taken for an image, by its first bytes, and what to do with it.
_OTHERS = [
    (re.compile(start, re.DOTALL), name, advice)
    for start, name, advice in (
        (rb"\xff\x0a|\0\0\0\x0cJXL ", "a JPEG XL image", _EXPORT),
        (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "a JPEG 2000 image", _EXPORT),
        (rb"II\*\0|MM\0\*", "a TIFF image or a camera's raw file", _EXPORT),
        (rb"II\+\0|MM\0\+", "a BigTIFF image", _EXPORT),
        (rb"II\xbc", "a JPEG XR image", _EXPORT),
        (rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", "a BMP image", _EXPORT),
        (rb"\0\0\x01\0[^\0]\0", "a Windows icon (ICO)", "export it as PNG"),
        (rb"\0\0\x02\0[^\0]\0", "a Windows cursor (CUR)", "export it as PNG"),
        (rb"icns\0", "an Apple icon (ICNS)", "export it as PNG"),
        (rb"8BPS\0[\x01\x02]", "a Photoshop document (PSD)", _EXPORT),
        (rb"gimp xcf ", "a GIMP document (XCF)", _EXPORT),
        (
            rb"P[1-6]\s+(?:#[^\n]*\n\s*)*\d+\s+\d+\s|P7\nWIDTH ",
            "a portable bitmap (PPM, PGM, PBM or PAM)",
            "convert it to PNG",
        ),
        (rb"v/1\x01", "an OpenEXR image", _EXPORT),
        (rb"#\?R(?:ADIANCE|GBE)\n", "a Radiance HDR image", _EXPORT),
        (rb"qoif.{8}[\x03\x04][\0\x01]", "a QOI image", "convert it to PNG"),
        (rb"DDS \x7c\0\0\0", "a DDS texture", _EXPORT),
        (rb"\xd7\xcd\xc6\x9a|\x01\0\0\0.{36} EMF", "a Windows metafile", _DRAWN),
        (rb"%PDF-", "a PDF document", "link to it, or export the page as SVG or PNG"),
        (rb"%!PS|\xc5\xd0\xd3\xc6", "a PostScript document (EPS)", _DRAWN),
        (
            rb"\x89PNG",
            "a PNG image damaged in transfer",
            "copy it again, as binary and not as text",
        ),
        (rb"\x1a\x45\xdf\xa3.{0,60}webm", "a WebM video", _VIDEO),
        (rb"\x1a\x45\xdf\xa3", "a Matroska video", _VIDEO),
        (rb"....(?:moov|mdat|wide)", "a QuickTime video (MOV)", _VIDEO),
    )
]
# The same by the brands of ISO base media files; the first that a file has counts.
_BRANDS = (
    (_HEIC_BRAND, "a HEIC photo", _JPEG),
    (re.compile(rb"qt  "), "a QuickTime video (MOV)", _VIDEO),
    (re.compile(rb"crx "), "a camera's raw file (CR3)", _EXPORT),
    (re.compile(rb"M4[AB] "), "an MPEG-4 audio file (M4A)", "link to it"),
    (re.compile(rb""), "an MP4 video", _VIDEO),
)


def sniff(sample: bytes) -> str:
    """Tell the type of a file.

    Args:
        sample: its first bytes, `SAMPLE` of them or all.

    Returns:
        `avif`, `gif`, `jpg`, `png`, `svg` or `webp`.

    Raises:
        CorruptImage: it is a Git LFS pointer.
        UnsupportedImage: it is anything else; the message says what, and what to do.
    """
    match = filetype.image_match(sample[:_SNIFFED])
    extension = match.extension if match else ""
    kind: str = _KINDS.get(extension, extension)
    if kind in _SIGNATURES and _SIGNATURES[kind].match(sample):
        return kind
    if _AVIF.intersection(boxes.brands(sample)):  # more of them than `filetype` knows
        return "avif"
    if sample.startswith(lfs.START):
        raise CorruptImage("is a Git LFS pointer, not the image; run `git lfs pull`")
    if svg.looks_like_svg(sample):
        return "svg"
    raise UnsupportedImage(_describe(sample))


def is_heic(sample: bytes) -> bool:
    """Return whether a file is a HEIC photo, of whatever brand.

    Args:
        sample: its first bytes.
    """
    found = boxes.brands(sample)
    return bool(found) and not _AVIF.intersection(found) and bool(_HEIC_BRAND.match(found[0]))


def _describe(sample: bytes) -> str:
    """Describe a file that is not an image to host, and the likely mistake."""
    for brand in boxes.brands(sample)[:1]:
        return next(f"is {name}; {advice}" for p, name, advice in _BRANDS if p.match(brand))
    for start, name, advice in _OTHERS:
        if start.match(sample):
            return f"is {name}; {advice}"
    if sample.startswith(_GZIP) and svg.looks_like_svg(_unpack(sample)):
        return "is a compressed SVG; unpack it: gunzip < cat.svgz > cat.svg"
    return _describe_text(sample[:_TEXT]) or _describe_binary(sample[:_SNIFFED])


def _describe_text(sample: bytes) -> str:
    """Describe a text; the result is empty if it is not one."""
    if b"<html" in sample.lower() or b"<!doctype html" in sample.lower():
        return "is an HTML page, not an image; a download may have saved an error page"
    return "is a text file, not an image, despite its name" if _is_text(sample) else ""


def _describe_binary(sample: bytes) -> str:
    match = filetype.guess(sample)
    if match is None or match.extension in _SIGNATURES:
        return "is not an image of a known type, despite its name"
    return f"is a file of type {match.extension.upper()} ({match.mime}), not an image to host"


def _is_text(sample: bytes) -> bool:
    try:
        sample.decode()
    except UnicodeDecodeError as error:
        # Perhaps just a character split by the end of the sample.
        return b"\0" not in sample and error.start >= len(sample) - 4
    return b"\0" not in sample


def _unpack(sample: bytes) -> bytes:
    """Return the start of what a gzip file holds."""
    try:
        return zlib.decompressobj(wbits=31).decompress(sample, SAMPLE)
    except zlib.error:
        return b""
