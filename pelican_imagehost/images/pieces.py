"""The published file as pieces of the original, so that large files are copied by ranges."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterable, Iterator

__all__ = ["Piece", "Pieces", "cut", "join"]

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


def cut(
    data: bytes | memoryview | mmap.mmap, pieces: Iterable[Piece]
) -> Iterator[bytes | memoryview]:
    """Yield the parts of the published file, in order.

    Args:
        data: the whole original file; of a `memoryview`, parts are not copied.
        pieces: what `clean` returned.
    """
    for piece in pieces:
        yield piece if isinstance(piece, bytes) else data[piece[0] : piece[1]]


def join(data: bytes | mmap.mmap, pieces: Iterable[Piece]) -> bytes:
    """Return the bytes of the published file.

    Args:
        data: the whole original file.
        pieces: what `clean` returned.
    """
    with memoryview(data) as view:
        return b"".join(cut(view, pieces))
