"""The site's images, each once, with all that is known of it: what `list` and the gallery show."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.images.image import Image
from pelican_imagehost.storage.index import Index
from pelican_imagehost.storage.manifest import Manifest
from pelican_imagehost.storage.records import Records

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pelican_imagehost.settings import Settings
    from pelican_imagehost.storage.index import ProblemRow
    from pelican_imagehost.storage.records import Record

__all__ = ["Deletion", "Facts", "ListedImage", "list_images", "users_by_key"]


class Facts(NamedTuple):
    """What is known of a site's images, each from its own place.

    Attributes:
        paths: the manifest: path → image.
        records: the uploads.
        uses: document → the manifest paths that it names, as the last build saw.
        mentions: file → the keys that its text mentions.
        problems: what went wrong in the last build.
    """

    paths: Mapping[str, Image]
    records: Iterable[Record]
    uses: Mapping[str, Iterable[str]]
    mentions: Mapping[str, Iterable[str]]
    problems: list[ProblemRow]

    @classmethod
    def read(
        cls, settings: Settings, mentions: Mapping[str, Iterable[str]], *, read_only: bool = True
    ) -> Facts:
        """Read what is known.

        Args:
            settings: the site's.
            mentions: see `Mentions.find`.
            read_only: write nothing at all; a build that runs just now may then be missed.

        Raises:
            ImageHostError: the manifest or the records cannot be read.
        """
        paths = Manifest.load(settings.manifest).images
        with closing(Records(settings.records, read_only=True)) as opened:
            records = opened.all()
        with closing(Index(settings.index, read_only=read_only)) as index:
            return cls(paths, records, index.uses(), mentions, index.problems())


class Deletion(NamedTuple):
    """What became of an image that was to be deleted.

    Attributes:
        sha256: its digest.
        name: its name for a reader.
        deleted: whether it is gone.
        message: what was done, or why nothing was.
    """

    sha256: str
    name: str
    deleted: bool
    message: str


class ListedImage(NamedTuple):
    """One image, however many files hold it and however often it was uploaded.

    Attributes:
        sha256: as in `Image`, and so are the next four.
        type: its type.
        size: bytes.
        width: pixels.
        height: pixels.
        url: its address.
        paths: the manifest's names for it, in order.
        documents: what uses it, in order.
        name: the file's name when it was uploaded, else that of its first path.
        created: when it came, in seconds since 1970, UTC; None where nothing tells.
        updated: when it was last uploaded, likewise; None where it never was.
        token: the name of the token that it was first uploaded with; None likewise, and ""
            where a repair found its file.
        times: how often it was uploaded.
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

    @property
    def image(self) -> Image:
        """What it is."""
        return Image(*self[:5])

    @property
    def saved(self) -> int:
        """Bytes that it would take again under each other name and with each other upload."""
        return self.size * max(0, len(self.paths) + self.times - 1)


def list_images(settings: Settings, facts: Facts) -> list[ListedImage]:
    """Bring together what is known of each image.

    Args:
        settings: the site's.
        facts: what is known.

    Returns:
        The images: those of the manifest by their first paths, then those only uploaded.
    """
    paths: dict[Image, list[str]] = {}
    for path, image in sorted(facts.paths.items()):
        paths.setdefault(image, []).append(path)
    known = {image.sha256: image for image in paths}
    records = {known.get(one.image.sha256, one.image): one for one in facts.records}
    documents = users_by_key(facts)
    store = os.path.join(settings.store, "")
    return [
        ListedImage(
            *image,
            settings.address_prefix + image.key,
            names,
            sorted(documents.get(image.key, ())),
            *_history(image, names, records.get(image), store),
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
    for document, keys in facts.mentions.items():
        for key in keys:
            found.setdefault(key, set()).add(document)
    return found


def _history(
    image: Image, paths: list[str], record: Record | None, store: str
) -> tuple[str, int | None, int | None, str | None, int]:
    """Tell name, created, updated, token and times."""
    name = os.path.basename(paths[0]) if paths else image.key[3:]
    if record is None:
        return name, _time_of(store + image.key), None, None, 0
    times = record.times if record.token else 0  # what a repair found, nobody uploaded
    return record.name or name, record.created, record.updated, record.token, times


def _time_of(path: str) -> int | None:
    try:
        return int(os.stat(path).st_mtime)
    except OSError:
        return None  # a clone without the bytes
