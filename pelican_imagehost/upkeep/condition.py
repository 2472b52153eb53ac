"""The condition of a store: its bytes, and what the manifest and the records say about them."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.errors import ImageHostError
from pelican_imagehost.images.identify import read
from pelican_imagehost.images.image import Image, digest_of
from pelican_imagehost.upkeep.clean import is_dirty

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

    from pelican_imagehost.documents.bounds import Bounds
    from pelican_imagehost.report import Progress
    from pelican_imagehost.storage.book import Record
    from pelican_imagehost.storage.catalogue import Catalogue
    from pelican_imagehost.storage.manifest import Manifest

__all__ = ["Condition", "describe_variant", "describe_wrong", "examine", "identify_stored"]

_WORKERS = 2  # more would not help, because the disk limits hashing
_FACTS = ("type", "size", "width", "height")


class Condition(NamedTuple):
    """The condition of a store.

    Attributes:
        intact: the number of files whose bytes have the digest in their name.
        corrupt: the keys of the other files.
        missing: manifest path → image, for images that are not in the store.
        lost: the records of uploads that are not in the store or the manifest.
        unrecorded: keys without a line or a record, if the site has records.
        unfetched: the number of images that only the repository of a partial clone has.
        wrong: manifest path → the stored image, where the line says something else about it.
        invalid: messages about lines of the manifest that cannot be read or are not followed.
        dirty: the number of images with metadata that today's rules remove.
    """

    intact: int
    corrupt: list[str]
    missing: dict[str, Image]
    lost: list[Record]
    unrecorded: list[str]
    unfetched: int
    wrong: dict[str, Image]
    invalid: list[str]
    dirty: int


def examine(
    catalogue: Catalogue,
    bounds: Bounds,
    progress: Progress,
    records: Iterable[Record] | None = None,
    elsewhere: AbstractSet[str] = frozenset(),
) -> Condition:
    """Hash every file of the store again, and compare it with the manifest and the records.

    Args:
        catalogue: the catalogue of the site.
        bounds: the folders in which the manifest may name files.
        progress: shows the progress of hashing.
        records: the records of uploads; None if the site has none.
        elsewhere: the keys that need not be in the store.
    """
    manifest = catalogue.manifest
    stored, corrupt, dirty = _read_all(catalogue, progress)
    known = {image.sha256: image for image in stored.values() if image is not None}
    wrong = {
        path: Image(*known[image.sha256][:5], image.source, image.forms)
        for path, image in sorted(manifest.images.items())
        if known.get(image.sha256, image)[:5] != image[:5]
    }
    present = {*stored, *corrupt}
    here = present | elsewhere
    missing = {
        path if one is image else describe_variant(path, one): one
        for path, image in sorted(manifest.images.items())
        for one in image.all
        if one.key not in here and path not in wrong
    }
    listed = {one.key for image in manifest.images.values() for one in image.all}
    listed |= {image.key for image in wrong.values()}
    records = list(records) if records is not None else None
    recorded = {record.image.key: record for record in records or ()}
    lost = [one for key, one in recorded.items() if key not in here and key not in listed]
    unsettled = manifest.unsettled_text()
    unknown = present - listed - recorded.keys() - set(corrupt) if records is not None else set()
    unrecorded = sorted(key for key in unknown if digest_of(key) not in unsettled)
    unfetched = len((listed | recorded.keys()) & elsewhere - present)
    invalid = _invalid(manifest, bounds, catalogue.settings.root, missing)
    return Condition(
        len(stored), corrupt, missing, lost, unrecorded, unfetched, wrong, invalid, dirty
    )


def identify_stored(catalogue: Catalogue, key: str) -> Image | None:
    """Identify a file of the store; return None if it is not the image of its key."""
    try:
        image = read(str(catalogue.store.path(key)), catalogue.settings.limits).image
    except ImageHostError:
        return None
    return image if image.key == key else None


def describe_variant(path: str, variant: Image) -> str:
    """Describe a variant of the image at a path of the manifest."""
    return f"{path}, {variant.width} pixels wide, as {variant.type}"


def describe_wrong(manifest: Manifest, path: str, image: Image) -> str:
    """Describe the line of a path that says something else than the stored image."""
    said = manifest.images[path]
    facts = [(name, getattr(said, name), getattr(image, name)) for name in _FACTS]
    parts = [f"{name} {wrong}, but it is {right}" for name, wrong, right in facts if wrong != right]
    return f"{manifest.place(path)}: {path} has the {', the '.join(parts)}"


def _read_all(
    catalogue: Catalogue, progress: Progress
) -> tuple[dict[str, Image | None], list[str], int]:
    """Read every file of the store.

    Returns:
        Key → image, for intact files; None if it cannot be identified, as when its type is no
        longer allowed. The keys of the other files. The number of images with metadata.
    """
    store = catalogue.store
    keys = list(store.keys())
    sizes = [store.path(key).stat().st_size for key in keys]
    stored: dict[str, Image | None] = {}
    corrupt: list[str] = []
    dirty = 0
    with progress("Verifying", sum(sizes)) as advance, ThreadPoolExecutor(_WORKERS) as pool:
        results = pool.map(partial(_read_one, catalogue), keys)
        for key, size, (image, is_intact, has_more) in zip(keys, sizes, results, strict=True):
            advance(size)
            dirty += has_more
            if is_intact:
                stored[key] = image
            else:
                corrupt.append(key)
    return stored, corrupt, dirty


def _read_one(catalogue: Catalogue, key: str) -> tuple[Image | None, bool, bool]:
    image = identify_stored(catalogue, key)
    is_intact = image is not None or catalogue.store.is_intact(key)
    return image, is_intact, is_intact and is_dirty(catalogue.settings, catalogue.store, key)


def _invalid(
    manifest: Manifest, bounds: Bounds, root: os.PathLike[str], missing: Iterable[str]
) -> list[str]:
    """Describe the lines that cannot be read, and those whose files may not be."""
    lines = [f"{manifest.file.name}:{number}: {error}" for number, error in manifest.errors]
    leading = [one for one in manifest.images if one[0] == "/" or ".." in one.split("/")]
    paths = dict.fromkeys((*leading, *(path for path in missing if path in manifest.images)))
    outside = [path for path in paths if bounds.find(os.path.join(root, path)) is None]
    return lines + [
        f"{manifest.place(path)}: {path} is outside the folders of the site and is not read; "
        "delete this line, or add the folder to IMAGEHOST_SEARCH_PATHS"
        for path in outside
    ]
