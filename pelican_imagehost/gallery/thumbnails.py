"""Thumbnails of stored images, so that a page of many loads quickly on a phone.

Only this module decodes images, and only for the gallery of the owner, never on upload.
Without Pillow, and for images that it cannot read, the gallery shows the image itself.
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

_SIDE = 480  # pixels; twice the size in the gallery, for high-resolution screens
_SMALL = 50_000  # bytes; smaller images are shown directly
_TYPES = frozenset(
    ["avif", "jpg", "png", "webp"]
)  # the others are animated, or scale by themselves
_MOST_PIXELS = 30_000_000  # decoded at once: 120 MB of memory
_QUALITY = 75


class Thumbnails:
    """Makes thumbnails on demand, and caches them.

    Args:
        store: the store of the images.
        folder: the cache; its files may be deleted at any time.
    """

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder
        self._lock = threading.Lock()  # one at a time, to limit memory
        self._failed: set[str] = set()

    def find(self, key: str) -> Path:
        """Return the file to show for an image; make the thumbnail if necessary.

        Args:
            key: the key of a stored image.

        Returns:
            A small WebP, or the image itself.
        """
        original = self._store.path(key)
        name, _, kind = key.rpartition(".")
        small = self._folder / f"{name}.webp"
        if small.exists():
            return small
        if kind not in _TYPES or key in self._failed or original.stat().st_size < _SMALL:
            return original
        with self._lock:
            if small.exists() or self._make(original, small):
                return small
            self._failed.add(key)
        return original

    def _make(self, original: Path, small: Path) -> bool:
        """Make a thumbnail; return False without Pillow, if the disk is full, or on a bad image."""
        try:
            import PIL.Image  # noqa: PLC0415  an extra
        except ImportError:
            return False
        # Broken files make decoders fail in many ways.
        failures = (OSError, ValueError, SyntaxError, EOFError, PIL.Image.DecompressionBombError)
        with suppress(*failures), warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", PIL.Image.DecompressionBombWarning
            )  # we have our own limit
            with PIL.Image.open(original) as picture:
                # Decode a JPEG at a fraction of its size; has no effect on other types.
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
