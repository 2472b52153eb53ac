"""Verify the store: re-hash every image, compare with the manifest and the records, repair."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.errors import ImageHostError
from pelican_imagehost.hosting import ImageHost
from pelican_imagehost.images.identify import read
from pelican_imagehost.images.image import digest_of
from pelican_imagehost.publish.repository import StoreRepository
from pelican_imagehost.report import silent
from pelican_imagehost.storage.records import Records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pelican_imagehost.images.image import Image
    from pelican_imagehost.report import Progress
    from pelican_imagehost.settings import Settings
    from pelican_imagehost.storage.catalogue import Catalogue
    from pelican_imagehost.storage.records import Record

__all__ = ["Verdict", "verify"]

_WORKERS = 2  # hashing is bound by the disk before it is bound by processors


class Verdict(NamedTuple):
    """What was found.

    Attributes:
        lines: a line for each file that is, or was, not as it should be.
        summary: the closing line.
        is_well: whether nothing is wrong any more.
    """

    lines: list[str]
    summary: str
    is_well: bool


def verify(settings: Settings, *, repair: bool, progress: Progress = silent) -> Verdict:
    """Hash the store again, and hold it against the manifest and the records.

    Args:
        settings: the site's.
        repair: heal what can be healed; write nothing else.
        progress: shows how far it has come.

    Raises:
        ImageHostError: the store or the records cannot be read, or written.
    """
    has_records = settings.records.exists()
    healed: set[str] = set()
    with (
        ImageHost(settings, dry_run=not repair) as image_host,
        closing(Records(settings.records, read_only=not (repair and has_records))) as opened,
    ):
        catalogue, records = image_host.catalogue, opened if has_records else None
        found = _examine(catalogue, progress, records.all() if records else None)
        if repair:
            fetch = StoreRepository(catalogue.store).read
            healed = _repair(catalogue, found, records, fetch)
        lines = [
            f"{settings.relative(catalogue.store.path(key))}: {what}"
            f"{f', {done}' if key in healed else ''}"
            for key, (what, done) in _describe(found).items()
        ]
    left = _describe(found).keys() - healed
    return Verdict(lines, _summarise(found, len(healed), repair, has_records), not left)


def _describe(found: _Condition) -> dict[str, tuple[str, str]]:
    """Say what is wrong with each key, and how that is said when it is healed."""
    bad = dict.fromkeys(found.corrupt, ("corrupt", "stored again"))
    bad |= {i.key: (f"missing ({path})", "stored again") for path, i in found.missing.items()}
    bad |= {r.image.key: (f"missing (upload {r.name})", "stored again") for r in found.lost}
    return bad | dict.fromkeys(found.unrecorded, ("unrecorded", "recorded"))


def _summarise(found: _Condition, healed: int, repair: bool, has_records: bool) -> str:  # noqa: FBT001
    missing = len(found.missing) + len(found.lost)
    parts = [f"{found.intact:,} intact", f"{len(found.corrupt):,} corrupt", f"{missing:,} missing"]
    parts += [f"{len(found.unrecorded):,} unrecorded"] if has_records else []
    return ", ".join(parts) + (f"; {healed:,} repaired" if repair else "")


class _Condition(NamedTuple):
    """What `_examine` found.

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


def _examine(
    catalogue: Catalogue, progress: Progress, records: Iterable[Record] | None = None
) -> _Condition:
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
    return _Condition(len(keys) - len(corrupt), corrupt, missing, lost, unrecorded)


def _repair(
    catalogue: Catalogue,
    condition: _Condition,
    records: Records | None = None,
    fetch: Callable[[str], bytes | None] = lambda _: None,
) -> set[str]:
    """Set corrupt files aside, store again what can be, and record what nothing knows.

    Args:
        catalogue: the site's.
        condition: what `_examine` found.
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
