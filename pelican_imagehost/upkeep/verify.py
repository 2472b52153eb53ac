"""Verify and repair the store: re-hash images, compare them with the manifest and the records."""

from __future__ import annotations

import hashlib
import os
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.documents.bounds import Bounds
from pelican_imagehost.errors import ImageHostError
from pelican_imagehost.hosting import ImageHost
from pelican_imagehost.images.identify import read
from pelican_imagehost.images.image import Image
from pelican_imagehost.images.prepare import prepare
from pelican_imagehost.publish.target import open_target
from pelican_imagehost.report import count, silent
from pelican_imagehost.storage.book import has_record_file
from pelican_imagehost.storage.records import Records
from pelican_imagehost.upkeep.condition import (
    Condition,
    describe_variant,
    describe_wrong,
    examine,
    identify_stored,
)
from pelican_imagehost.upkeep.remake import remake

if TYPE_CHECKING:
    from collections.abc import Callable

    from pelican_imagehost.images.identify import ImageFile
    from pelican_imagehost.report import Progress, Say
    from pelican_imagehost.settings import Settings
    from pelican_imagehost.storage.catalogue import Catalogue
    from pelican_imagehost.storage.manifest import Manifest

__all__ = ["Verdict", "verify"]


class Verdict(NamedTuple):
    """The result of `verify`.

    Attributes:
        lines: a line for each bad or unrecorded file and bad line of the manifest, repaired or not.
        summary: the closing line.
        is_well: whether no corrupt or missing files and no bad lines remain.
    """

    lines: list[str]
    summary: str
    is_well: bool


class _Repaired(NamedTuple):
    """What was repaired, and what was not.

    Attributes:
        files: the key of each repaired file → how.
        lines: manifest path → image, of corrected lines.
        lost: the key of a variant that cannot be made again → why.
    """

    files: dict[str, str]
    lines: dict[str, Image]
    lost: dict[str, str]


def verify(settings: Settings, *, repair: bool, progress: Progress = silent, say: Say) -> Verdict:
    """Hash the store again, and compare it with the manifest and the records.

    Args:
        settings: the settings of the site.
        repair: repair files and lines; if False, nothing is written.
        progress: shows the progress of hashing, and of making variants again.
        say: is called with a line for the user if that takes long, or cannot be done.

    Raises:
        ImageHostError: the store, the manifest or the records cannot be read or written.
    """
    has_records = has_record_file(settings)  # `verify_published` compares a database
    done = _Repaired({}, {}, {})
    bounds = Bounds([settings.root, settings.store, *settings.image_folders])
    with (
        ImageHost(settings, dry_run=not repair, progress=progress) as image_host,
        closing(Records(settings.records, read_only=not (repair and has_records))) as opened,
    ):
        catalogue, records = image_host.catalogue, opened if has_records else None
        target = open_target(settings)
        stored = records.all() if records else None
        found = examine(catalogue, bounds, progress, stored, target.elsewhere())
        wrong = {
            path: describe_wrong(catalogue.manifest, path, i) for path, i in found.wrong.items()
        }
        bad = _describe(found, catalogue.manifest)
        if repair:
            done = _repair(catalogue, found, bounds, records, target.read)
            _remake(catalogue, found, done, say)
    ends = done.files | done.lost
    lines = [
        f"{settings.relative(catalogue.store.path(key))}: {what}"
        f"{f', {ends[key]}' if key in ends else ''}"
        for key, what in bad.items()
    ]
    lines += [
        f"{text}{', corrected' if path in done.lines else ''}" for path, text in wrong.items()
    ]
    # An unrecorded file is whole: an edit of the site leaves one behind, until gc deletes it.
    left = bad.keys() - done.files.keys() - set(found.unrecorded)
    is_well = not (left or found.invalid or wrong.keys() - done.lines.keys())
    summary = _summarise(found, done if repair else None, has_records=has_records)
    return Verdict([*lines, *found.invalid], summary, is_well)


def _describe(found: Condition, manifest: Manifest) -> dict[str, str]:
    """Return a description of each bad key."""
    variants = {
        one.key: f" ({describe_variant(path, one)})"
        for path, image in manifest.images.items()
        for one in image.variants
    }
    bad = {key: f"corrupt{variants.get(key, '')}" for key in found.corrupt}
    bad |= {image.key: f"missing ({name})" for name, image in found.missing.items()}
    bad |= {r.image.key: f"missing (upload {r.name})" for r in found.lost}
    return bad | dict.fromkeys(found.unrecorded, "unrecorded")


def _summarise(found: Condition, done: _Repaired | None, *, has_records: bool) -> str:
    missing, lines = len(found.missing) + len(found.lost), len(found.wrong) + len(found.invalid)
    parts = [f"{found.intact:,} intact", f"{len(found.corrupt):,} corrupt", f"{missing:,} missing"]
    parts += [f"{len(found.unrecorded):,} unrecorded"] if has_records else []
    parts += [f"{found.unfetched:,} not fetched"] if found.unfetched else []
    if found.dirty:
        parts.append(f"{found.dirty:,} with metadata that would be removed today: run clean")
    parts += [count(lines, "bad line")] if lines else []
    repaired = "" if done is None else f"; {len(done.files) + len(done.lines):,} repaired"
    return ", ".join(parts) + repaired


def _repair(
    catalogue: Catalogue,
    condition: Condition,
    bounds: Bounds,
    records: Records | None,
    fetch: Callable[[str], bytes | None],
) -> _Repaired:
    """Set corrupt files aside, restore images, correct lines, and record unrecorded files.

    Args:
        catalogue: the catalogue of the site.
        condition: its condition.
        bounds: the folders that images are restored from.
        records: the records of uploads; None if the site has none.
        fetch: returns the bytes of a key from git, or None; called if the site has no file.

    Raises:
        ImageHostError: the store, the manifest or the records cannot be written.
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
        done = _heal(catalogue, wanted, bounds, fetch)
        done.lines.update(condition.wrong)
        found = [identify_stored(catalogue, key) for key in condition.unrecorded]
        if records is not None:
            records.add_found(image for image in found if image is not None)
            done.files.update((image.key, "recorded") for image in found if image is not None)
        _correct(catalogue, done.lines)
    return done


def _remake(catalogue: Catalogue, found: Condition, done: _Repaired, say: Say) -> None:
    """Make lost variants again; a frozen manifest stays as it is."""
    if not catalogue.settings.frozen:
        bad = {*found.corrupt, *(image.key for image in found.missing.values())}
        files, lost = remake(catalogue, bad - done.files.keys(), say)
        done.files.update(files)
        done.lost.update(lost)


def _correct(catalogue: Catalogue, lines: dict[str, Image]) -> None:
    """Write corrected lines; a frozen manifest stays as it is."""
    if catalogue.settings.frozen:
        lines.clear()
    catalogue.list_images(lines)


def _heal(
    catalogue: Catalogue,
    wanted: dict[str, Image],
    bounds: Bounds,
    fetch: Callable[[str], bytes | None],
) -> _Repaired:
    """Restore images from the files of the site or with `fetch`; the caller holds the lock."""
    done = _Repaired({}, {}, {})
    with catalogue.store.batch() as batch:
        for path, image in catalogue.manifest.images.items():
            found = _source(catalogue, bounds, path, image) if image.key in wanted else None
            if found is not None and batch.add(found.image, found.data):
                done.files[image.key] = "restored"
            if found is not None and found.image[:5] != image[:5]:
                done.lines[path] = Image(*found.image[:5], image.source, image.forms)
        for key in wanted.keys() - done.files.keys():
            data = fetch(key)
            good = data is not None and hashlib.sha256(data).hexdigest() == wanted[key].sha256
            if data is not None and good and batch.add(wanted[key], data):
                done.files[key] = "restored"
    return done


def _source(catalogue: Catalogue, bounds: Bounds, path: str, image: Image) -> ImageFile | None:
    """Read the file of a line, if it has these bytes and is inside the folders of the site."""
    real = bounds.find(os.path.join(catalogue.settings.root, path))
    if real is None:
        return None  # it is reported as outside
    try:
        found = read(real, catalogue.settings.limits)
        if found.image.sha256 != image.sha256:
            keep = catalogue.settings.keep_metadata
            data, cleaned = prepare(found.data, found.image, keep)
            found = found._replace(data=data, image=cleaned)
    except ImageHostError:
        return None  # the image is reported as missing
    return found if found.image.sha256 == image.sha256 else None
