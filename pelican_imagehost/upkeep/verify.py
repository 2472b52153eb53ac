"""Verify and repair the store: re-hash images, compare them with the manifest and the records."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.errors import ImageHostError
from pelican_imagehost.hosting import ImageHost
from pelican_imagehost.images.identify import read
from pelican_imagehost.images.image import digest_of
from pelican_imagehost.images.prepare import prepare
from pelican_imagehost.publish.repository import StoreRepository
from pelican_imagehost.report import silent
from pelican_imagehost.storage.records import Records
from pelican_imagehost.upkeep.clean import is_dirty

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from collections.abc import Set as AbstractSet

    from pelican_imagehost.images.image import Image
    from pelican_imagehost.report import Progress
    from pelican_imagehost.settings import Settings
    from pelican_imagehost.storage.catalogue import Catalogue
    from pelican_imagehost.storage.records import Record

__all__ = ["Verdict", "verify"]

_WORKERS = 2  # more would not help, because the disk limits hashing


class Verdict(NamedTuple):
    """The result of `verify`.

    Attributes:
        lines: a line for each bad or unrecorded file, repaired or not.
        summary: the closing line.
        is_well: whether no corrupt or missing files remain.
    """

    lines: list[str]
    summary: str
    is_well: bool


def verify(settings: Settings, *, repair: bool, progress: Progress = silent) -> Verdict:
    """Hash the store again, and compare it with the manifest and the records.

    Args:
        settings: the settings of the site.
        repair: repair files; if False, nothing is written.
        progress: shows the progress of hashing.

    Raises:
        ImageHostError: the store or the records cannot be read or written.
    """
    has_records = settings.records.exists()
    healed: set[str] = set()
    with (
        ImageHost(settings, dry_run=not repair) as image_host,
        closing(Records(settings.records, read_only=not (repair and has_records))) as opened,
    ):
        catalogue, records = image_host.catalogue, opened if has_records else None
        repository = StoreRepository.of(settings)
        elsewhere = repository.names() if repository.is_partial else set()
        found = _examine(catalogue, progress, records.all() if records else None, elsewhere)
        if repair:
            healed = _repair(catalogue, found, records, repository.read)
        lines = [
            f"{settings.relative(catalogue.store.path(key))}: {what}"
            f"{f', {done}' if key in healed else ''}"
            for key, (what, done) in _describe(found).items()
        ]
    # An unrecorded file is whole: an edit of the site leaves one behind, until gc deletes it.
    left = _describe(found).keys() - healed - set(found.unrecorded)
    return Verdict(lines, _summarise(found, len(healed), repair, has_records), not left)


def _describe(found: _Condition) -> dict[str, tuple[str, str]]:
    """Return a description of each bad key, and of its repair."""
    bad = dict.fromkeys(found.corrupt, ("corrupt", "restored"))
    bad |= {i.key: (f"missing ({path})", "restored") for path, i in found.missing.items()}
    bad |= {r.image.key: (f"missing (upload {r.name})", "restored") for r in found.lost}
    return bad | dict.fromkeys(found.unrecorded, ("unrecorded", "recorded"))


def _summarise(found: _Condition, healed: int, repair: bool, has_records: bool) -> str:  # noqa: FBT001
    missing = len(found.missing) + len(found.lost)
    parts = [f"{found.intact:,} intact", f"{len(found.corrupt):,} corrupt", f"{missing:,} missing"]
    parts += [f"{len(found.unrecorded):,} unrecorded"] if has_records else []
    parts += [f"{found.unfetched:,} not fetched"] if found.unfetched else []
    if found.dirty:
        parts.append(f"{found.dirty:,} with metadata that would be removed today: run clean")
    return ", ".join(parts) + (f"; {healed:,} repaired" if repair else "")


class _Condition(NamedTuple):
    """The condition of a store.

    Attributes:
        intact: the number of files whose bytes have the digest in their name.
        corrupt: the keys of the other files.
        missing: manifest path → image, for images that are not in the store.
        lost: the records of uploads that are not in the store or the manifest.
        unrecorded: keys without a line or a record, if the site has records.
        unfetched: the number of images that only the repository of a partial clone has.
        dirty: the number of images with metadata that today's rules remove.
    """

    intact: int
    corrupt: list[str]
    missing: dict[str, Image]
    lost: list[Record]
    unrecorded: list[str]
    unfetched: int
    dirty: int


def _examine(
    catalogue: Catalogue,
    progress: Progress,
    records: Iterable[Record] | None = None,
    elsewhere: AbstractSet[str] = frozenset(),
) -> _Condition:
    """Hash every file of the store again, and compare it with the manifest and the records.

    Args:
        catalogue: the catalogue of the site.
        progress: shows the progress of hashing.
        records: the records of uploads; None if the site has none.
        elsewhere: the keys that need not be in the store.
    """
    store = catalogue.store
    keys = list(store.keys())
    sizes = [store.path(key).stat().st_size for key in keys]
    corrupt = []
    dirty = 0

    def inspect(key: str) -> tuple[bool, bool]:
        is_intact = store.is_intact(key)
        return is_intact, is_intact and is_dirty(catalogue.settings, store, key)

    with progress("Verifying", sum(sizes)) as advance, ThreadPoolExecutor(_WORKERS) as pool:
        found = pool.map(inspect, keys)
        for key, size, (good, has_metadata) in zip(keys, sizes, found, strict=True):
            advance(size)
            dirty += has_metadata
            if not good:
                corrupt.append(key)
    present = set(keys)
    here = present | elsewhere
    images = catalogue.manifest.images
    missing = {
        path if one is image else f"{path}, {one.width} pixels wide, as {one.type}": one
        for path, image in sorted(images.items())
        for one in image.all
        if one.key not in here
    }
    listed = {one.key for image in images.values() for one in image.all}
    records = list(records) if records is not None else None
    recorded = {record.image.key: record for record in records or ()}
    lost = [one for key, one in recorded.items() if key not in here and key not in listed]
    unsettled = catalogue.manifest.unsettled_text()
    unknown = present - listed - recorded.keys() - set(corrupt) if records is not None else set()
    unrecorded = sorted(key for key in unknown if digest_of(key) not in unsettled)
    unfetched = len((listed | recorded.keys()) & elsewhere - present)
    return _Condition(
        len(keys) - len(corrupt), corrupt, missing, lost, unrecorded, unfetched, dirty
    )


def _repair(
    catalogue: Catalogue,
    condition: _Condition,
    records: Records | None = None,
    fetch: Callable[[str], bytes | None] = lambda _: None,
) -> set[str]:
    """Set corrupt files aside, restore images, and record unrecorded files.

    Args:
        catalogue: the catalogue of the site.
        condition: the result of `_examine`.
        records: the records of uploads; None if the site has none.
        fetch: returns the bytes of a key from git, or None; called if the site has no file.

    Returns:
        The repaired keys.

    Raises:
        ImageHostError: the store or the records cannot be written.
    """
    wanted = {image.key: image for image in condition.missing.values()}
    wanted |= {record.image.key: record.image for record in condition.lost}
    with catalogue.store.locked():
        for key in condition.corrupt:
            catalogue.store.set_aside(key)
        images = catalogue.manifest.images.values()
        known = {one.key: one for image in images for one in image.all}
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
    """Restore images from the files of the site or with `fetch`; the caller holds the lock."""
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
    """Identify a file of the store; return None if it is not the image of its key."""
    try:
        image = read(str(catalogue.store.path(key)), catalogue.settings.limits).image
    except ImageHostError:
        return None
    return image if image.key == key else None


def _source(catalogue: Catalogue, path: str, image: Image) -> bytes | None:
    try:
        found = read(str(catalogue.settings.root / path), catalogue.settings.limits)
        if found.image.sha256 == image.sha256:
            return found.data
        data, cleaned = prepare(found.data, found.image, catalogue.settings.keep_metadata)
    except ImageHostError:
        return None  # the image is reported as missing
    return data if cleaned.sha256 == image.sha256 else None
