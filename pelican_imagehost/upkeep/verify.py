"""Looking after the store: finding what is corrupt or missing, and healing it."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.errors import ImageHostError
from pelican_imagehost.images.identify import read
from pelican_imagehost.images.image import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pelican_imagehost.images.image import Image
    from pelican_imagehost.storage.catalogue import Catalogue, Progress
    from pelican_imagehost.storage.records import Record, Records

__all__ = ["Condition", "examine", "repair"]

_WORKERS = 2  # hashing is bound by the disk before it is bound by processors


class Condition(NamedTuple):
    """What `examine` found.

    Attributes:
        intact: number of files whose bytes have the digest of their name.
        corrupt: keys whose bytes have not.
        missing: manifest path → image, for images that the store does not hold.
        lost: the records of other images that it does not hold.
        unrecorded: keys that nothing knows, where uploads are recorded.
    """

    intact: int
    corrupt: list[str]
    missing: dict[str, Image]
    lost: list[Record]
    unrecorded: list[str]


def examine(
    catalogue: Catalogue, progress: Progress, records: Iterable[Record] | None = None
) -> Condition:
    """Hash every file of the store again and compare the store with what should be in it.

    Args:
        catalogue: the site's.
        progress: shows how far it has come.
        records: the uploads; None where uploads are not recorded.
    """
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
    listed = {image.key for image in catalogue.manifest.images.values()}
    records = list(records) if records is not None else None
    recorded = {record.image.key: record for record in records or ()}
    lost = [one for key, one in recorded.items() if key not in present and key not in listed]
    unsettled = catalogue.manifest.unsettled_text()
    unknown = present - listed - recorded.keys() - set(corrupt) if records is not None else set()
    unrecorded = sorted(key for key in unknown if digest_of(key) not in unsettled)
    return Condition(len(keys) - len(corrupt), corrupt, missing, lost, unrecorded)


def repair(
    catalogue: Catalogue,
    condition: Condition,
    records: Records | None = None,
    fetch: Callable[[str], bytes | None] = lambda _: None,
) -> set[str]:
    """Set corrupt files aside, store again what can be, and record what nothing knows.

    Args:
        catalogue: the site's.
        condition: what `examine` found.
        records: the uploads, where there are any.
        fetch: gives the bytes of a key from elsewhere, if it can; looked at last.

    Returns:
        The keys that are well again.

    Raises:
        ImageHostError: the store or the records cannot be written.
    """
    wanted = {image.key: image for image in condition.missing.values()}
    wanted |= {record.image.key: record.image for record in condition.lost}
    with catalogue.store.locked():
        for key in condition.corrupt:
            catalogue.store.set_aside(key)
        known = {image.key: image for image in catalogue.manifest.images.values()}
        known |= {record.image.key: record.image for record in (records.all() if records else ())}
        wanted |= {key: known[key] for key in condition.corrupt if key in known}
        healed = _heal(catalogue, wanted, fetch)
        found = [_identify(catalogue, key) for key in condition.unrecorded]
        if records is not None:
            records.add_found(image for image in found if image is not None)
            healed |= {image.key for image in found if image is not None}
    return healed


def _heal(
    catalogue: Catalogue, wanted: dict[str, Image], fetch: Callable[[str], bytes | None]
) -> set[str]:
    """Store images again: from the site's own files, else from elsewhere; hold the lock."""
    healed = set()
    with catalogue.store.batch() as batch:
        for path, image in catalogue.manifest.images.items():
            data = _source(catalogue, path, image) if image.key in wanted else None
            if data is not None and batch.add(image, data):
                healed.add(image.key)
        for key in wanted.keys() - healed:
            data = fetch(key)
            good = data is not None and hashlib.sha256(data).hexdigest() == wanted[key].sha256
            if data is not None and good and batch.add(wanted[key], data):
                healed.add(key)
    return healed


def _identify(catalogue: Catalogue, key: str) -> Image | None:
    """Tell what a file of the store is; None where it is nothing that may be there."""
    try:
        image = read(str(catalogue.store.path(key)), catalogue.settings.limits).image
    except ImageHostError:
        return None
    return image if image.key == key else None


def _source(catalogue: Catalogue, path: str, image: Image) -> bytes | None:
    try:
        found = read(str(catalogue.settings.root / path), catalogue.settings.limits)
    except ImageHostError:
        return None  # the caller reports what could not be healed
    return found.data if found.image == image else None
