"""Collect garbage: images, lines and records that nothing needs any more."""

from __future__ import annotations

import re
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.hosting import ImageHost
from pelican_imagehost.images.image import digest_of
from pelican_imagehost.report import silent
from pelican_imagehost.storage.manifest import Manifest
from pelican_imagehost.storage.records import Records
from pelican_imagehost.storage.store import Store
from pelican_imagehost.upkeep.keepers import Keepers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pelican_imagehost.images.image import Image
    from pelican_imagehost.report import Progress
    from pelican_imagehost.settings import Settings
    from pelican_imagehost.site.site import Site
    from pelican_imagehost.storage.catalogue import Catalogue
    from pelican_imagehost.storage.records import Record

__all__ = ["Garbage", "Plan", "carry_out", "collect", "plan"]


class Garbage(NamedTuple):
    """What is to be deleted, or was.

    Attributes:
        lines: manifest path → image.
        files: key → bytes; 0 where the store has no such file.
        records: digest → record, for uploads that are deleted with their files.
    """

    lines: dict[str, Image]
    files: dict[str, int]
    records: dict[str, Record]

    def __bool__(self) -> bool:
        """Tell whether there is any."""
        return any(self)


class Plan(NamedTuple):
    """What `gc` would delete.

    Attributes:
        garbage: what nothing needs.
        uses_before: document → manifest paths, as the index had them.
        waiting: how many files only the grace period keeps.
    """

    garbage: Garbage
    uses_before: Mapping[str, set[str]]
    waiting: int


def plan(site: Site, *, grace_days: int, progress: Progress = silent) -> Plan:
    """Find what nothing of a site needs; nothing is written.

    Args:
        site: the site.
        grace_days: keep images the committed manifest listed within this many days.
        progress: shows how far reading has come.

    Raises:
        ImageHostError: the site cannot be read.
    """
    keepers = Keepers.read(site, grace_days, progress)
    paths, records = keepers.facts.paths, keepers.facts.records
    lines = {path: paths[path] for path in sorted(keepers.unused_lines())}
    listed = {image.key for path, image in paths.items() if path not in lines}
    uploaded = {record.image.sha256 for record in records if record.token}
    store = Store(site.settings.store)
    rest = [key for key in store.keys() if key not in listed and digest_of(key) not in uploaded]  # noqa: SIM118  a method: the store is not a dict
    files = {key: store.path(key).stat().st_size for key in rest if not keepers.reason(key)}
    waiting = sum(keepers.is_waiting(key) for key in rest)
    digests = {digest_of(key) for key in files}
    gone = {record.image.sha256: record for record in records if record.image.sha256 in digests}
    return Plan(Garbage(lines, files, gone), keepers.uses_before, waiting)


def carry_out(settings: Settings, chosen: Plan) -> Garbage:
    """Delete what a plan lists, except what came into use since.

    Returns:
        What was deleted.

    Raises:
        ImageHostError: the store or the records cannot be written.
    """
    return collect(settings, chosen.garbage, chosen.uses_before)


def collect(
    settings: Settings,
    garbage: Garbage,
    uses_before: Mapping[str, set[str]] | None,
    *,
    before: Callable[[list[str]], None] = lambda _keys: None,
) -> Garbage:
    """Delete lines, records and files in one step that no build and no upload can cross.

    Args:
        settings: the site's.
        garbage: what to delete.
        uses_before: document → manifest paths, as the index had them when it was found;
            what a build or an upload names since is kept. None: delete all of it.
        before: called with the keys just before their files are deleted.

    Returns:
        What was deleted.

    Raises:
        ImageHostError: the store or the records cannot be written, or `before` raised it.
    """
    has_records = settings.records.exists()  # a service may have begun since
    with (
        ImageHost(settings) as image_host,
        closing(Records(settings.records, read_only=not has_records)) as records,
        image_host.catalogue.store.locked(),
    ):
        catalogue = image_host.catalogue
        if uses_before is not None:
            garbage = _still_unused(catalogue, garbage, uses_before, records.all())
        before(list(garbage.files))
        catalogue.manifest.update({}, drop=garbage.lines)  # a line goes before its file
        if has_records:
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
    """Leave out what a build named or an upload brought since garbage was found."""
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
    kept = {image.sha256 for path, image in manifest.images.items() if path not in lines}
    kept |= set(re.findall(r"[0-9a-f]{64}", manifest.unsettled_text()))
    kept |= _uploaded_since(garbage, records)
    files = {key: size for key, size in garbage.files.items() if digest_of(key) not in kept}
    stay = kept | {digest_of(key) for key in garbage.files.keys() - files.keys()}
    return Garbage(lines, files, {d: one for d, one in garbage.records.items() if d not in stay})


def _uploaded_since(garbage: Garbage, records: Iterable[Record]) -> set[str]:
    """Return the digests of uploads that garbage does not hold in their present state."""
    known = {digest: record.times for digest, record in garbage.records.items()}
    return {
        record.image.sha256
        for record in records
        if record.token and record.times != known.get(record.image.sha256)
    }
