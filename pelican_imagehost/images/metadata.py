"""What blocks of metadata say: whom to credit, and whether they have a place.

A block has a kind: `exif`, from its TIFF header; `xmp`, an XML text; `iptc`, Photoshop's resources;
`other`.
"""

from __future__ import annotations

import html
import re
from itertools import islice
from typing import TYPE_CHECKING

from pelican_imagehost.images import exif
from pelican_imagehost.images.exif import Credits

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["find_credits", "find_location"]

_MOST = 32  # blocks
_PLACES = re.compile(rb"GPSL(?:atitude|ongitude)\b|\xa9xyz")
_ITEM = re.compile(rb">([^<]*)</(?:rdf:li|dc:)")
_RECORD = re.compile(rb"\x1c\x02([\x50\x74])([\0-\x7f].)", re.DOTALL)  # by-line, copyright


def find_location(blocks: Iterable[tuple[str, bytes]]) -> bool:
    """Return whether a block has a latitude or longitude.

    Args:
        blocks: the kind and content of each.
    """
    return any(
        exif.has_location(content) if kind == "exif" else bool(_PLACES.search(content))
        for kind, content in islice(blocks, _MOST)
    )


def find_credits(blocks: Iterable[tuple[str, bytes]]) -> Credits:
    """Find whom an image credits: in EXIF, else in IPTC or XMP, whichever comes first.

    Args:
        blocks: the kind and content of each.
    """
    read = {"exif": exif.read_credits, "iptc": _read_iptc, "xmp": _read_xmp}
    found = sorted(islice(blocks, _MOST), key=lambda block: block[0] != "exif")
    people = [read[kind](content) for kind, content in found if kind in read]
    artists = (one.artist for one in people if one.artist)
    notices = (one.copyright for one in people if one.copyright)
    return Credits(next(artists, b""), next(notices, b""))


def _read_iptc(resources: bytes) -> Credits:
    """Read by-line and copyright notice (IPTC-IIM 4, data sets 2:80 and 2:116)."""
    texts: dict[bytes, bytes] = {}
    for record in _RECORD.finditer(resources):
        size = int.from_bytes(record[2])
        texts.setdefault(record[1], resources[record.end() : record.end() + size])
    return Credits(texts.get(b"\x50", b""), texts.get(b"\x74", b""))


def _read_xmp(packet: bytes) -> Credits:
    """Read `dc:creator` and `dc:rights`, each a list."""
    return Credits(_read_list(packet, b"creator"), _read_list(packet, b"rights"))


def _read_list(packet: bytes, name: bytes) -> bytes:
    start = packet.find(b"<dc:" + name)
    end = packet.find(b"</dc:" + name, start)
    item = _ITEM.search(packet, start, end + len(name) + 5) if 0 <= start < end else None
    text = item[1] if item else b""
    return html.unescape(text.decode("utf-8", "replace")).strip().encode()
