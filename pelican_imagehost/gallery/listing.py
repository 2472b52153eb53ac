"""The images of the site, each once, with files, uses and uploads, for `list` and the gallery."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple

from pelican_imagehost.documents.sources import offered
from pelican_imagehost.images.image import Image

if TYPE_CHECKING:
    from pelican_imagehost.gallery.sources import Facts
    from pelican_imagehost.settings import Settings
    from pelican_imagehost.storage.book import Record

__all__ = [
    "Deletion",
    "ListedImage",
    "Variant",
    "list_images",
    "mentions_by_key",
    "time_of",
    "users_by_key",
]


_LATEST: Final = 250_000_000_000  # seconds since 1970; no date is after the year 9999


class Deletion(NamedTuple):
    """The outcome of the deletion of an image.

    Attributes:
        sha256: its digest.
        name: its name in messages.
        deleted: whether it was deleted.
        message: the outcome, or the reason why it was kept.
    """

    sha256: str
    name: str
    deleted: bool
    message: str


class Variant(NamedTuple):
    """A smaller form of an image.

    Attributes:
        width: pixels.
        height: pixels.
        type: its type.
        size: bytes.
        url: its address.
    """

    width: int
    height: int
    type: str
    size: int
    url: str


class ListedImage(NamedTuple):
    """An image, with all its files and uploads.

    Attributes:
        sha256: as in `Image`, like the next four.
        type: its type.
        size: bytes.
        width: pixels.
        height: pixels.
        url: its address.
        paths: its paths in the manifest, in order.
        documents: the files that use it, in order.
        name: the name of the file when it was uploaded, else of its first path.
        created: the time when it was added, in seconds since 1970, UTC; None if unknown.
        updated: the time of the last upload, in the same unit; None if never uploaded.
        token: the name of the token of the first upload; None if never uploaded, and "" if
            a repair found the file.
        times: the number of uploads.
        variants: its variants, from the narrowest.
        loads: the fewest and the most bytes that a reader's browser loads to show it: of the
            variants that it chooses from, or of the image if there are none.
    """

    sha256: str
    type: str
    size: int
    width: int
    height: int
    url: str
    paths: list[str]
    documents: list[str]
    name: str
    created: int | None
    updated: int | None
    token: str | None
    times: int
    variants: list[Variant]
    loads: tuple[int, int]

    @property
    def image(self) -> Image:
        """Return its digest, type and size."""
        return Image(*self[:5])

    @property
    def saved(self) -> int:
        """Return the bytes saved by storing once what was added more than once."""
        return self.size * max(0, len(self.paths) + self.times - 1)

    def facts(self) -> dict[str, object]:
        """Return everything by its name, for JSON."""
        return {**self._asdict(), "variants": [one._asdict() for one in self.variants]}


def list_images(settings: Settings, facts: Facts) -> list[ListedImage]:
    """List each image once.

    No image depends on lines or records of other digests.

    Args:
        settings: the settings of the site.
        facts: the sources.

    Returns:
        The images of the manifest by their first paths, then those only uploaded.
    """
    paths: dict[Image, list[str]] = {}
    lines = sorted(facts.paths.items())
    for path, image in lines:  # of two files that differ in metadata, one
        paths.setdefault(Image(*image[:5]), []).append(path)
    known = {image.sha256: image for image in paths}
    records = {known.get(digest, one.image): one for digest, one in facts.records.items()}
    whole = {image.sha256: image for _, image in lines}
    documents = users_by_key(facts)
    return [
        ListedImage(
            *image[:5],
            settings.address_prefix + image.key,
            names,
            sorted(documents.get(image.key, ())),
            *_history(settings, image, names, records.get(image)),
            *_varied(whole.get(image.sha256, image), settings),
        )
        for image, names in (paths | {image: paths.get(image, []) for image in records}).items()
    ]


def users_by_key(facts: Facts) -> dict[str, set[str]]:
    """Return the documents and files that use each image, by its key."""
    found: dict[str, set[str]] = {}
    for document, used in facts.uses.items():
        for path in used:
            if path in facts.paths:
                found.setdefault(facts.paths[path].key, set()).add(document)
    for key, files in mentions_by_key(facts).items():
        found.setdefault(key, set()).update(files)
    return found


def mentions_by_key(facts: Facts) -> dict[str, set[str]]:
    """Return the files whose texts name each image, by its key; a variant means its image too."""
    found: dict[str, set[str]] = {}
    for file, keys in facts.mentions.items():
        for key in keys:
            found.setdefault(key, set()).add(file)
    named = {key[3:]: files for key, files in found.items()}
    for image in facts.paths.values() if named else ():
        for name in image.variant_names:
            if name in named:
                found[image.key] = found.get(image.key, set()) | named[name]
    return found


def _history(
    settings: Settings, image: Image, paths: list[str], record: Record | None
) -> tuple[str, int | None, int | None, str | None, int]:
    """Return name, created, updated, token and times."""
    name = os.path.basename(paths[0]) if paths else image.key[3:]
    if record is None:
        return name, time_of(settings, image), None, None, 0
    times = record.times if record.token else 0  # found by a repair, not uploaded
    return record.name or name, record.created, record.updated, record.token, times


def _varied(image: Image, settings: Settings) -> tuple[list[Variant], tuple[int, int]]:
    """Return variants and loads."""
    if not image.forms:
        return [], (image.size, image.size)
    prefix = settings.address_prefix
    chosen = next(iter(offered(image, settings.formats, settings.widths).values()), [image])
    return [
        Variant(one.width, one.height, one.type, one.size, prefix + one.key)
        for one in sorted(image.variants, key=lambda one: (one.width, one.type))
    ], (min(one.size for one in chosen), max(one.size for one in chosen))


def time_of(settings: Settings, image: Image) -> int | None:
    """Return the time of a stored file; None if it is not here, as in a clone, or not sensible."""
    try:
        seconds = int(os.stat(f"{settings.store}/{image.key}").st_mtime)
    except OSError:
        return None
    return seconds if 0 <= seconds < _LATEST else None
