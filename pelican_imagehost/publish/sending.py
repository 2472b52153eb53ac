"""Read what is to be sent: the bytes of an image, checked against its name."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pelican_imagehost.errors import PublishError
from pelican_imagehost.images.image import digest_of

if TYPE_CHECKING:
    from pelican_imagehost.publish.target import Fetch
    from pelican_imagehost.storage.store import Store

__all__ = ["read_image"]


def read_image(store: Store, key: str, fetch: Fetch | None) -> bytes:
    """Return the bytes of an image.

    Args:
        store: where they are read.
        key: the image.
        fetch: returns the bytes of images that are not in the store.

    Raises:
        PublishError: they are missing or corrupt.
    """
    try:
        data: bytes | None = store.path(key).read_bytes()
    except OSError:
        data = fetch(key) if fetch else None
    if data is None:
        raise PublishError(
            f"{key} is neither in the store nor on the host; where the original file is, run: "
            "pelican-imagehost verify --repair"
        )
    if hashlib.sha256(data).hexdigest() != digest_of(key):
        raise PublishError(f"{key} is corrupt; run: pelican-imagehost verify --repair")
    return data
