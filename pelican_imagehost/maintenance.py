"""Looking after the store: finding what is corrupt, missing, or named by nothing."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.errors import ImageHostError
from pelican_imagehost.images.identify import identify
from pelican_imagehost.images.read import read_image
from pelican_imagehost.mentions import mentioned_names, name_of
from pelican_imagehost.storage.manifest import Manifest
from pelican_imagehost.storage.store import KEY

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pelican_imagehost.catalogue import Catalogue, Progress
    from pelican_imagehost.images.image import Image
    from pelican_imagehost.storage.store import Store

__all__ = ["Condition", "Garbage", "collect", "examine", "find_garbage", "repair"]

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


class Garbage(NamedTuple):
    """What nothing names.

    Attributes:
        lines: manifest path → image, for lines that no document needs.
        files: key → bytes, for files that no remaining line names.
    """

    lines: dict[str, Image]
    files: dict[str, int]


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


def find_garbage(
    catalogue: Catalogue,
    used: Iterable[str],
    *,
    texts: Iterable[str],
    unread: Iterable[str],
    recent: set[str],
) -> Garbage:
    """Find manifest lines and files that nothing names.

    Args:
        catalogue: the site's.
        used: manifest paths that documents name.
        texts: the sources of all documents; an address in one keeps its image.
        unread: sources that Pelican made no document of (broken, or told to skip): what
            they name is not known, so any mention of a file's name keeps it.
        recent: digests that the published site named not long ago.
    """
    named_keys = {match[0] for text in texts for match in KEY.finditer(text)}
    names = {name for text in unread for name in mentioned_names(text)}
    used = set(used)
    lines = {
        path: image
        for path, image in sorted(catalogue.manifest.images.items())
        if path not in used and image.key not in named_keys and name_of(path) not in names
    }
    files = _unnamed(catalogue.store, catalogue.manifest, lines, named_keys)
    return Garbage(lines, {key: size for key, size in files.items() if key[3:67] not in recent})


def _unnamed(
    store: Store, manifest: Manifest, lines: dict[str, Image], named_keys: set[str]
) -> dict[str, int]:
    """Find files that no line but those of `lines` names; a line that cannot be read counts."""
    kept = {image.sha256 for path, image in manifest.images.items() if path not in lines}
    kept |= set(re.findall(r"[0-9a-f]{64}", manifest.unsettled_text()))
    return {
        key: store.path(key).stat().st_size
        for key in store.keys()  # noqa: SIM118  a method, and the store is no dict
        if key not in named_keys and key[3:67] not in kept
    }


def collect(
    catalogue: Catalogue, garbage: Garbage, uses_before: dict[str, set[str]]
) -> tuple[int, int]:
    """Remove garbage, except what a build came to name since it was found.

    Args:
        catalogue: the site's.
        garbage: what `find_garbage` found.
        uses_before: document → manifest paths, as the index had them when it was found.

    Returns:
        Numbers of files and bytes removed.

    Raises:
        StoreError: the store cannot be written.
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
        unnamed = _unnamed(store, manifest, lines, set())
        files = {key: size for key, size in garbage.files.items() if key in unnamed}
        catalogue.manifest.update({}, drop=lines)  # a line goes before its file
        for key in files:
            store.remove(key)
    return len(files), sum(files.values())
