"""The published file as pieces of the original, so that large files are copied by ranges."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import mmap

__all__ = ["Piece", "Pieces", "join"]

Piece = tuple[int, int] | bytes  # a half-open range of the file, or new bytes


class Pieces:
    """Collects pieces in order, and joins ranges that follow each other.

    Args:
        data: the whole file.
    """

    def __init__(self, data: bytes | mmap.mmap) -> None:
        self._data = data
        self._pieces: list[Piece] = []

    def keep(self, start: int, end: int) -> None:
        """Add a range of the file."""
        if start >= end:
            return
        last = self._pieces[-1] if self._pieces else b""
        if isinstance(last, tuple) and last[1] == start:
            self._pieces[-1] = (last[0], end)
        else:
            self._pieces.append((start, end))

    def put(self, new: bytes) -> None:
        """Add bytes, as a range of the file if they stand there."""
        last = self._pieces[-1] if self._pieces else (0, 0)
        if isinstance(last, tuple) and self._data[last[1] : last[1] + len(new)] == new:
            self.keep(last[1], last[1] + len(new))
        elif new:
            self._pieces.append(new)

    def finish(self) -> list[Piece] | None:
        """Return the pieces; None if they are the file as it is."""
        return None if self._pieces == [(0, len(self._data))] else self._pieces


def join(data: bytes | mmap.mmap, pieces: list[Piece]) -> bytes:
    """Return the bytes of the published file.

    Args:
        data: the whole original file.
        pieces: what `clean` returned.
    """
    return b"".join(p if isinstance(p, bytes) else data[p[0] : p[1]] for p in pieces)
