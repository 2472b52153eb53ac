"""Collect garbage: delete unused images, with their manifest lines and records."""

from __future__ import annotations

import re
from contextlib import closing
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.hosting import ImageHost
from pelican_imagehost.images.image import digest_of
from pelican_imagehost.publish.target import open_target
from pelican_imagehost.report import silent
from pelican_imagehost.storage.book import has_records, open_records
from pelican_imagehost.storage.manifest import Manifest
from pelican_imagehost.storage.store import Store
from pelican_imagehost.upkeep.keepers import Keepers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pelican_imagehost.images.image import Image
    from pelican_imagehost.report import Progress
    from pelican_imagehost.settings import Settings
    from pelican_imagehost.site.site import Site
    from pelican_imagehost.storage.book import Record
    from pelican_imagehost.storage.catalogue import Catalogue

__all__ = ["Garbage", "Plan", "carry_out", "collect", "plan"]


class Garbage(NamedTuple):
    """Images to delete, or deleted.

    Attributes:
        lines: manifest path → image.
        files: key → size in bytes; 0 if the file is not in the store.
        records: digest → record, for uploads that are deleted with their files.
        variants: the key of each variant in `files` that is deleted with its image → the key of
            the image; only of chosen images.
    """

    lines: dict[str, Image]
    files: dict[str, int]
    records: dict[str, Record]
    variants: Mapping[str, str] = MappingProxyType({})

    def __bool__(self) -> bool:
        """Return whether there is anything to delete."""
        return any(self)


class Plan(NamedTuple):
    """The images that `gc` would delete.

    Attributes:
        garbage: the unused images.
        uses_before: document → manifest paths, from the index at the time of planning.
        waiting: the number of unused files that committed manifests still keep.
        published: key → size in bytes, of images to delete also from the host.
    """

    garbage: Garbage
    uses_before: Mapping[str, set[str]]
    waiting: int
    published: Mapping[str, int]


def plan(site: Site, *, grace_days: int, progress: Progress = silent) -> Plan:
    """Find unused images; nothing is written.

    Args:
        site: the site.
        grace_days: keep images the committed manifest listed within this many days.
        progress: shows the progress of reading.

    Raises:
        ImageHostError: the site cannot be read.
    """
    keepers = Keepers.read(site, grace_days, progress)
    paths, records = keepers.facts.paths, keepers.facts.records
    lines = {path: paths[path] for path in sorted(keepers.unused_lines())}
    listed = {one.key for path, image in paths.items() if path not in lines for one in image.all}
    uploaded = {digest for digest, record in records.items() if record.token}
    store = Store(site.settings.store)
    rest = [key for key in store.keys() if key not in listed and digest_of(key) not in uploaded]  # noqa: SIM118  a method: the store is not a dict
    files = {key: store.path(key).stat().st_size for key in rest if not keepers.reason(key)}

    def is_needed(key: str) -> bool:
        return key in listed or digest_of(key) in uploaded or bool(keepers.reason(key))

    published = open_target(site.settings).unneeded(is_needed)
    files |= dict.fromkeys(published.keys() - files.keys(), 0)
    waiting = sum(keepers.is_waiting(key) for key in rest)
    digests = {digest_of(key) for key in files}
    gone = {digest: record for digest, record in records.items() if digest in digests}
    return Plan(Garbage(lines, files, gone), keepers.uses_before, waiting, published)


def carry_out(settings: Settings, chosen: Plan) -> Garbage:
    """Delete the images of a plan, here and on the host, unless they were used since.

    Returns:
        The deleted images.

    Raises:
        ImageHostError: the store, the records or the host cannot be written.
    """

    def remove(keys: list[str]) -> None:
        published = chosen.published.keys() & set(keys)
        if published:
            open_target(settings).remove(published)

    return collect(settings, chosen.garbage, chosen.uses_before, before=remove)


def collect(
    settings: Settings,
    garbage: Garbage,
    uses_before: Mapping[str, set[str]] | None,
    *,
    before: Callable[[list[str]], None] = lambda _keys: None,
) -> Garbage:
    """Delete lines, records and files while the store is locked for builds and uploads.

    Args:
        settings: the settings of the site.
        garbage: the images to delete.
        uses_before: document → manifest paths, from the index at the time of planning;
            images that a build used or a client uploaded since are kept. If None, all are
            deleted.
        before: called with the keys just before their files are deleted.

    Returns:
        The deleted images.

    Raises:
        ImageHostError: the store or the records cannot be written, or `before` raised it.
    """
    records_exist = has_records(settings)  # the upload service may have created it since
    with (
        ImageHost(settings) as image_host,
        closing(open_records(settings, read_only=not records_exist)) as records,
        records.removing(),
        image_host.catalogue.store.locked(),
    ):
        catalogue = image_host.catalogue
        if uses_before is not None:
            garbage = _still_unused(catalogue, garbage, uses_before, records.all())
        before(list(garbage.files))
        catalogue.list_images({}, drop=garbage.lines)  # before the files
        if records_exist:
            records.remove(garbage.records)
        for key, size in garbage.files.items():
            if size:
                catalogue.store.remove(key)
    return garbage


def _still_unused(
    catalogue: Catalogue,
    garbage: Garbage,
    uses_before: Mapping[str, set[str]],
    records: Iterable[Record],
) -> Garbage:
    """Leave out images that a build used or a client uploaded since the garbage was found."""
    manifest = Manifest.load(catalogue.manifest.file)
    named = {
        path
        for document, paths in catalogue.index.uses().items()
        for path in paths - uses_before.get(document, set())
    }
    lines = {
        path: image
        for path, image in garbage.lines.items()
        if path not in named and manifest.images.get(path) == image
    }
    stay = [image for path, image in manifest.images.items() if path not in lines]
    kept = {one.sha256 for image in stay for one in image.all}
    kept |= set(re.findall(r"[0-9a-f]{64}", manifest.unsettled_text()))
    kept |= _uploaded_since(garbage, records)
    files = {key: size for key, size in garbage.files.items() if digest_of(key) not in kept}
    kept |= {digest_of(key) for key in garbage.files.keys() - files.keys()}
    return Garbage(lines, files, {d: one for d, one in garbage.records.items() if d not in kept})


def _uploaded_since(garbage: Garbage, records: Iterable[Record]) -> set[str]:
    """Return the digests of uploads that are new or repeated since the garbage was found."""
    known = {digest: record.times for digest, record in garbage.records.items()}
    return {
        record.image.sha256
        for record in records
        if record.token and record.times != known.get(record.image.sha256)
    }
