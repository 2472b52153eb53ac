"""Collecting garbage: what the store, the manifest and the records hold and nothing names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.images.image import KEY, digest_of
from pelican_imagehost.site.mentions import mentioned_names, name_of
from pelican_imagehost.storage.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pelican_imagehost.images.image import Image
    from pelican_imagehost.storage.catalogue import Catalogue
    from pelican_imagehost.storage.records import Record, Records
    from pelican_imagehost.storage.store import Store

__all__ = ["Garbage", "collect", "find_garbage"]


class Garbage(NamedTuple):
    """What nothing names, or somebody chose to delete.

    Attributes:
        lines: manifest path → image, for lines that no document needs.
        files: key → bytes, for files that no remaining line names.
        records: digest → record, for uploads that go with their files.
    """

    lines: dict[str, Image]
    files: dict[str, int]
    records: dict[str, Record]


def find_garbage(  # noqa: PLR0913  each keeps something
    catalogue: Catalogue,
    used: Iterable[str],
    *,
    texts: Iterable[str],
    unread: Iterable[str],
    recent: set[str],
    records: Iterable[Record] = (),
) -> Garbage:
    """Find manifest lines and files that nothing names.

    Args:
        catalogue: the site's.
        used: manifest paths that documents name.
        texts: the sources of all documents; an address in one keeps its image.
        unread: sources that Pelican made no document of (broken, or told to skip): what
            they name is not known, so any mention of a file's name keeps it.
        recent: digests that the published site named not long ago.
        records: the uploads; each keeps its image, unless a repair found it and nobody sent it.
    """
    named_keys = {match[0] for text in texts for match in KEY.finditer(text)}
    names = {name for text in unread for name in mentioned_names(text)}
    used = set(used)
    lines = {
        path: image
        for path, image in sorted(catalogue.manifest.images.items())
        if path not in used and image.key not in named_keys and name_of(path) not in names
    }
    known = {record.image.sha256: record for record in records}
    kept = recent | {digest for digest, record in known.items() if record.token}
    files = _unnamed(catalogue.store, catalogue.manifest, lines, named_keys)
    files = {key: size for key, size in files.items() if digest_of(key) not in kept}
    gone = {digest_of(key) for key in files}
    return Garbage(lines, files, {digest: known[digest] for digest in gone & known.keys()})


def _unnamed(
    store: Store, manifest: Manifest, lines: dict[str, Image], named_keys: set[str]
) -> dict[str, int]:
    """Find files that no line but those of `lines` names; a line that cannot be read counts."""
    kept = {image.sha256 for path, image in manifest.images.items() if path not in lines}
    kept |= set(re.findall(r"[0-9a-f]{64}", manifest.unsettled_text()))
    return {
        key: store.path(key).stat().st_size
        for key in store.keys()  # noqa: SIM118  a method, and the store is no dict
        if key not in named_keys and digest_of(key) not in kept
    }


def collect(
    catalogue: Catalogue,
    garbage: Garbage,
    uses_before: dict[str, set[str]],
    records: Records | None = None,
    *,
    before: Callable[[list[str]], None] = lambda _: None,
) -> Garbage:
    """Remove garbage, except what a build or an upload came to name since it was found.

    Args:
        catalogue: the site's.
        garbage: what `find_garbage` found.
        uses_before: document → manifest paths, as the index had them when it was found.
        records: the uploads, where there are any.
        before: called with the keys of the files just before they go.

    Returns:
        What was removed.

    Raises:
        ImageHostError: the store or the records cannot be written, or `before` raised it.
    """
    store = catalogue.store
    with store.locked():
        manifest = Manifest.load(catalogue.manifest.file)
        since = {
            path
            for document, paths in catalogue.index.uses().items()
            for path in paths - uses_before.get(document, set())
        }
        lines = {
            path: image
            for path, image in garbage.lines.items()
            if path not in since and manifest.images.get(path) == image
        }
        arrived = _arrived_since(garbage, records)
        unnamed = _unnamed(store, manifest, lines, set())
        files = {
            key: size
            for key, size in garbage.files.items()
            if key in unnamed and digest_of(key) not in arrived
        }
        stay = arrived | {digest_of(key) for key in garbage.files.keys() - files.keys()}
        forgotten = {d: record for d, record in garbage.records.items() if d not in stay}
        before(list(files))
        catalogue.manifest.update({}, drop=lines)  # a line goes before its file
        if records is not None:
            records.remove(forgotten)
        for key in files:
            store.remove(key)
    return Garbage(lines, files, forgotten)


def _arrived_since(garbage: Garbage, records: Records | None) -> set[str]:
    """The digests of uploads that came since garbage was found, of its or of no record before."""
    if records is None:
        return set()
    known = {digest: record.times for digest, record in garbage.records.items()}
    return {
        record.image.sha256
        for record in records.all()
        if record.token and record.times != known.get(record.image.sha256)
    }
