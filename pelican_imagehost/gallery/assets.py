"""The style sheet, script and icon of the gallery, at addresses that depend on their content."""

from __future__ import annotations

import functools
import hashlib
import importlib.resources
from typing import Final, NamedTuple

__all__ = ["Asset", "find_asset", "load_assets"]

_TYPES: Final = {
    "gallery.css": "text/css; charset=utf-8",
    "gallery.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_DIGITS: Final = 12  # of SHA-256, enough to tell versions apart


class Asset(NamedTuple):
    """A static file of the gallery.

    Attributes:
        path: its address below `assets/`: `0123456789ab/gallery.css`.
        type: its media type.
        data: its bytes.
    """

    path: str
    type: str
    data: bytes


@functools.cache
def load_assets() -> dict[str, Asset]:
    """Read all assets.

    Returns:
        Name → asset.
    """
    folder = importlib.resources.files(__package__) / "static"
    return {name: _load(name, (folder / name).read_bytes()) for name in _TYPES}


def find_asset(path: str) -> Asset | None:
    """Return the asset at an address, or None; old versions are not found."""
    asset = load_assets().get(path.rpartition("/")[2])
    return asset if asset is not None and asset.path == path else None


def _load(name: str, data: bytes) -> Asset:
    digest = hashlib.sha256(data).hexdigest()[:_DIGITS]
    return Asset(f"{digest}/{name}", _TYPES[name], data)
