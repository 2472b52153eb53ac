"""Looking after the store: finding what is corrupt or missing, and healing it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.errors import ImageHostError
from pelican_imagehost.images.identify import identify
from pelican_imagehost.images.read import read_image

if TYPE_CHECKING:
    from pathlib import Path

    from pelican_imagehost.catalogue import Catalogue, Progress
    from pelican_imagehost.images.image import Image

__all__ = ["Condition", "examine", "repair"]

_WORKERS = 2  # hashing is bound by the disk before it is bound by processors


class Condition(NamedTuple):
    """What `examine` found.

    Attributes:
        intact: number of files whose bytes have the digest of their name.
        corrupt: keys whose bytes have not.
        missing: manifest path → image, for images that the store does not hold.
    """

    intact: int
    corrupt: list[str]
    missing: dict[str, Image]


def examine(catalogue: Catalogue, progress: Progress) -> Condition:
    """Hash every file of the store again and compare the store with the manifest."""
    store = catalogue.store
    keys = list(store.keys())
    sizes = [store.path(key).stat().st_size for key in keys]
    corrupt = []
    with progress("Verifying", sum(sizes)) as advance, ThreadPoolExecutor(_WORKERS) as pool:
        for key, size, good in zip(keys, sizes, pool.map(store.is_intact, keys), strict=True):
            advance(size)
            if not good:
                corrupt.append(key)
    present = set(keys)
    missing = {
        path: image
        for path, image in sorted(catalogue.manifest.images.items())
        if image.key not in present
    }
    return Condition(len(keys) - len(corrupt), corrupt, missing)


def repair(catalogue: Catalogue, condition: Condition) -> dict[str, Path | None]:
    """Set corrupt files aside, and store again what the site's own files still hold.

    Returns:
        Key → where the corrupt file lies now, None where the key was missing; of those
        that could be stored again.

    Raises:
        StoreError: the store cannot be written.
    """
    wanted: dict[str, Path | None] = {image.key: None for image in condition.missing.values()}
    with catalogue.store.locked():
        for key in condition.corrupt:
            wanted[key] = catalogue.store.set_aside(key)
        healed = {}
        with catalogue.store.batch() as batch:
            for path, image in catalogue.manifest.images.items():
                data = _source(catalogue, path, image) if image.key in wanted else None
                if data is not None and batch.add(image, data):
                    healed[image.key] = wanted[image.key]
    return healed


def _source(catalogue: Catalogue, path: str, image: Image) -> bytes | None:
    limits = catalogue.settings.limits
    try:
        data, _ = read_image(str(catalogue.settings.root / path), limits)
        return data if identify(data, limits) == image else None
    except ImageHostError:
        return None  # the caller reports what could not be healed
