"""Small pictures of stored images, so that a page of many is quick on a phone.

The only place that decodes, and only for the owner's gallery: never on the way in. Without
Pillow, or for what it cannot read, the gallery shows the image itself.
"""

from __future__ import annotations

import os
import threading
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image as Picture

    from pelican_imagehost.storage.store import Store

__all__ = ["Thumbnails"]

_SIDE = 480  # pixels; twice what the gallery shows, for screens that are fine
_SMALL = 50_000  # bytes that are shown as they are
_TYPES = frozenset(["avif", "jpg", "png", "webp"])  # the others move, or scale by themselves
_MOST_PIXELS = 30_000_000  # decoded at once: 120 MB of memory
_QUALITY = 75


class Thumbnails:
    """Makes small pictures when they are asked for, and keeps them.

    Args:
        store: of the images.
        folder: where small pictures are kept; they may be deleted at any time.
    """

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder
        self._lock = threading.Lock()  # one at a time, so that memory has a bound
        self._hopeless: set[str] = set()

    def find(self, key: str) -> Path:
        """Find the file to show for an image, and make it if need be.

        Args:
            key: of an image that the store has.

        Returns:
            A small WebP, or the image itself.
        """
        original = self._store.path(key)
        name, _, kind = key.rpartition(".")
        small = self._folder / f"{name}.webp"
        if small.exists():
            return small
        if kind not in _TYPES or key in self._hopeless or original.stat().st_size < _SMALL:
            return original
        with self._lock:
            if small.exists() or self._make(original, small):
                return small
            self._hopeless.add(key)
        return original

    def _make(self, original: Path, small: Path) -> bool:
        """Make a small picture; False where there is no Pillow, no room, or nothing to decode."""
        try:
            import PIL.Image  # noqa: PLC0415  an extra
        except ImportError:
            return False
        # Decoders fail in as many ways as files are broken.
        failures = (OSError, ValueError, SyntaxError, EOFError, PIL.Image.DecompressionBombError)
        with suppress(*failures), warnings.catch_warnings():
            warnings.simplefilter("ignore", PIL.Image.DecompressionBombWarning)  # our limit counts
            with PIL.Image.open(original) as picture:
                # A JPEG is decoded at a fraction of its size; this does nothing to others.
                picture.draft("RGB", (_SIDE, _SIDE))
                if picture.width * picture.height <= _MOST_PIXELS:
                    _save(_shrink(picture), small)
                    return True
        return False


def _shrink(picture: Picture) -> Picture:
    from PIL import ImageOps  # noqa: PLC0415  an extra

    upright = ImageOps.exif_transpose(picture)
    upright.thumbnail((_SIDE, _SIDE))
    return upright if upright.mode in {"RGB", "RGBA"} else upright.convert("RGBA")


def _save(picture: Picture, small: Path) -> None:
    small.parent.mkdir(parents=True, exist_ok=True)
    temporary = small.with_suffix(f".{os.getpid()}.tmp")
    try:
        picture.save(temporary, "WEBP", quality=_QUALITY)
        temporary.replace(small)
    finally:
        temporary.unlink(missing_ok=True)
