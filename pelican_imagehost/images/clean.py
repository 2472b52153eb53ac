"""placeholder, replaced by the merge."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import mmap

__all__ = ["Piece", "clean"]

Piece = tuple[int, int] | bytes
_OR = b"\xff\xe1\x00\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"


def clean(
    data: bytes | mmap.mmap, kind: str, keep: frozenset[str] = frozenset()
) -> list[Piece] | None:
    """Return the pieces of the published file; None if there is nothing to clean."""
    if kind != "jpg" or "all" in keep:
        return None
    pieces: list[Piece] = [(0, 2)]
    position = 2
    changed = False
    while data[position + 1] != 0xDA:
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4])
        if data[position + 1] in {0xE1, 0xFE}:
            if data[position:end] != _OR:
                changed = True
                if data[position + 1] == 0xE1:
                    pieces.append(_OR)
            else:
                pieces.append((position, end))
        else:
            pieces.append((position, end))
        position = end
    pieces.append((position, len(data)))
    return pieces if changed else None


def has_location(data: bytes | mmap.mmap, kind: str) -> bool:
    """Return whether a file says where it was taken."""
    return clean(data, kind) is not None
