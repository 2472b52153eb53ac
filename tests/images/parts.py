"""The parts that files of images are made of, so that tests can make any, whole or not."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import Any

import PIL.Image

SIZE = (40, 30)


def draw(width: int = SIZE[0], height: int = SIZE[1], seed: int = 0) -> PIL.Image.Image:
    """Draw a picture in which no two rows or columns are the same."""
    picture = PIL.Image.new("RGB", (width, height))
    values = [
        ((x * 7 + seed) % 256, (y * 11) % 256, (x * y + seed) % 256)
        for y in range(height)
        for x in range(width)
    ]
    picture.putdata(values)
    return picture


def encode(kind: str, picture: PIL.Image.Image | None = None, **options: Any) -> bytes:  # noqa: ANN401  Pillow's options
    buffer = BytesIO()
    (picture or draw()).save(buffer, kind, **options)
    return buffer.getvalue()


def animate(kind: str, **options: Any) -> bytes:  # noqa: ANN401  as above
    frames = [draw(seed=seed) for seed in (0, 50, 100)]
    if kind == "GIF":
        frames = [frame.quantize(16) for frame in frames]
    return encode(kind, frames[0], save_all=True, append_images=frames[1:], duration=90, **options)


def with_alpha() -> PIL.Image.Image:
    picture = draw().convert("RGBA")
    picture.putalpha(PIL.Image.linear_gradient("L").resize(SIZE))
    return picture


def tiff(*entries: tuple[int, int, Any], order: str = ">") -> bytes:
    """Make an EXIF block of one directory of shorts (3), longs (4), text (2), rationals (5).

    An entry of type 0 is a directory within it, a tuple of entries.
    """
    header = {">": b"MM\0*", "<": b"II*\0"}[order] + struct.pack(order + "L", 8)
    return header + _directory(entries, 8, order)


def _directory(entries: tuple[tuple[int, int, Any], ...], start: int, order: str) -> bytes:
    rows, extra = b"", b""
    beyond = start + 2 + 12 * len(entries) + 4
    for tag, kind, value in entries:
        where = struct.pack(order + "L", beyond + len(extra))
        count = 1
        if kind == 0:
            kind, field = 4, where  # noqa: PLW2901  a pointer
            extra += _directory(value, beyond + len(extra), order)
        elif kind == 2:
            count, field = len(value), where if len(value) > 4 else value.ljust(4, b"\0")
            extra += value if len(value) > 4 else b""
        elif kind == 5:
            count, field = len(value) // 2, where
            extra += b"".join(struct.pack(order + "L", part) for part in value)
        else:
            field = struct.pack(order + "HHL"[kind - 2], value).ljust(4, b"\0")
        rows += struct.pack(order + "HHL", tag, kind, count) + field
    return struct.pack(order + "H", len(entries)) + rows + bytes(4) + extra


def oriented(orientation: int, order: str = ">") -> bytes:
    return tiff((0x112, 3, orientation), order=order)


def scaled(dpi: int, width: int, height: int, orientation: int = 1, unit: int = 2) -> bytes:
    """Make an EXIF block by which browsers may show another size."""
    return tiff(
        (0x112, 3, orientation),
        (0x11A, 5, (dpi, 1)),
        (0x11B, 5, (dpi, 1)),
        (0x128, 3, unit),
        (0x8769, 0, ((0xA002, 4, width), (0xA003, 4, height))),
    )


LOCATION = (
    (0x112, 3, 6),
    (0x10F, 2, b"Camera Maker\0"),
    (0x13B, 2, b"An Author\0"),
    (0x8298, 2, b"(c) An Author\0"),
    (
        0x8825,
        0,
        (
            (1, 2, b"N\0"),
            (2, 5, (52, 1, 31, 1, 12, 1)),
            (3, 2, b"E\0"),
            (4, 5, (13, 1, 24, 1, 17, 1)),
        ),
    ),
)
XMP = (
    b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>"
    b"<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>"
    b"<rdf:Description xmlns:exif='http://ns.adobe.com/exif/1.0/' "
    b"exif:GPSLatitude='52,31.2N' exif:GPSLongitude='13,24.3E'/></rdf:RDF></x:xmpmeta>"
)


def segment(marker: int, content: bytes) -> bytes:
    """Make a segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def exif_segment(block: bytes) -> bytes:
    return segment(0xE1, b"Exif\0\0" + block)


def in_jpeg(*segments: bytes, data: bytes = b"") -> bytes:
    """Put segments behind the start of a JPEG."""
    data = data or JPEG
    return data[:2] + b"".join(segments) + data[2:]


def chunk(name: bytes, content: bytes) -> bytes:
    """Make a chunk of a PNG."""
    crc = zlib.crc32(name + content)
    return struct.pack(">L", len(content)) + name + content + struct.pack(">L", crc)


def in_png(*chunks: bytes, data: bytes = b"") -> bytes:
    """Put chunks behind the header of a PNG."""
    data = data or PNG
    return data[:33] + b"".join(chunks) + data[33:]


def part(name: bytes, content: bytes) -> bytes:
    """Make a chunk of a WebP."""
    return name + struct.pack("<L", len(content)) + content + b"\0" * (len(content) % 2)


def riff(*parts: bytes) -> bytes:
    return b"RIFF" + struct.pack("<L", 4 + sum(map(len, parts))) + b"WEBP" + b"".join(parts)


def vp8x(flags: int = 0, width: int = SIZE[0], height: int = SIZE[1]) -> bytes:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return part(b"VP8X", bytes([flags, 0, 0, 0]) + sides)


def box(name: bytes, content: bytes) -> bytes:
    """Make a box of an AVIF."""
    return struct.pack(">L", 8 + len(content)) + name + content


def aperture(width: int, height: int, left: tuple[int, int], top: tuple[int, int]) -> bytes:
    """Make a clean aperture; the shifts from the centre are fractions."""
    return box(b"clap", struct.pack(">LLLLlLlL", width, 1, height, 1, *left, *top))


def avif(
    *properties: bytes,
    size: tuple[int, int] = SIZE,
    brands: bytes = b"avif\0\0\0\0avifmif1",
    items: tuple[tuple[bytes, bytes], ...] = (),
    open_end: bool = False,
    data: bytes = b"",
) -> bytes:
    """Make an AVIF of one picture, with these properties and other items."""
    data = data or AV1
    described = [box(b"ispe", struct.pack(">LLL", 0, *size)), *_AV1_PROPERTIES, *properties]
    needed = (b"av1C", b"irot", b"imir", b"clap")
    links = bytes(n + 1 | 0x80 * (p[4:8] in needed) for n, p in enumerate(described))
    association = struct.pack(">LLHB", 0, 1, 1, len(described)) + links
    iprp = box(b"iprp", box(b"ipco", b"".join(described)) + box(b"ipma", association))
    infos = box(b"infe", b"\2\0\0\0\0\1\0\0av01\0") + b"".join(
        box(
            b"infe", b"\2\0\0\0" + struct.pack(">HH", n, 0) + kind + b"\0" + _CONTENT.get(kind, b"")
        )
        for n, (kind, _) in enumerate(items, 2)
    )
    iinf = box(b"iinf", struct.pack(">LH", 0, 1 + len(items)) + infos)
    contents = [data, *(content for _, content in items)]
    handler = box(b"hdlr", bytes(8) + b"pict" + bytes(13))
    ftyp = box(b"ftyp", brands)

    def meta(start: int) -> bytes:
        rows = b""
        for number, content in enumerate(contents, 1):
            rows += struct.pack(">HHHLL", number, 0, 1, start, len(content))
            start += len(content)
        iloc = box(b"iloc", struct.pack(">LHH", 0, 0x4400, len(contents)) + rows)
        primary = box(b"pitm", b"\0\0\0\0\0\1")
        return box(b"meta", bytes(4) + handler + primary + iloc + iinf + iprp)

    mdat = box(b"mdat", b"".join(contents))
    return ftyp + meta(len(ftyp) + len(meta(0)) + 8) + (bytes(4) * open_end or mdat[:4]) + mdat[4:]


_CONTENT = {b"mime": b"application/rdf+xml\0"}
JPEG = encode("JPEG", quality=80)
PNG = encode("PNG")
GIF = encode("GIF", draw().quantize(16))
LOSSY = encode("WEBP", quality=80)
LOSSLESS = encode("WEBP", lossless=True)
_AVIF = encode("AVIF")
AV1 = _AVIF[_AVIF.index(b"mdat") + 4 :]
_AV1_PROPERTIES = tuple(
    _AVIF[_AVIF.index(name) - 4 : _AVIF.index(name) - 4 + size]
    for name, size in ((b"pixi", 16), (b"av1C", 12), (b"colr", 19))
)
