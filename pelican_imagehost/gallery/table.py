"""The listed images in an SQL table, in memory, which queries read.

Whatever changes in the sources, only the images that it concerns are listed again. The SQL is
such as other databases know too. Names are bytes: not every name of a file is text, and bytes
in UTF-8 sort as the texts do.
"""

from __future__ import annotations

from datetime import date
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pelican_imagehost.gallery.listing import list_images, time_of
from pelican_imagehost.gallery.query import day_of
from pelican_imagehost.gallery.sources import NOTHING
from pelican_imagehost.images.image import digest_of
from pelican_imagehost.storage.sqlite import Schema, connect_in_memory, writing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pelican_imagehost.gallery.listing import ListedImage
    from pelican_imagehost.gallery.query import Query
    from pelican_imagehost.gallery.sources import Facts
    from pelican_imagehost.settings import Settings

__all__ = ["NO_IMAGES", "Table", "Totals"]

_IMAGES = """
CREATE TABLE images (
    sha256 TEXT NOT NULL,
    number INTEGER NOT NULL,
    type TEXT NOT NULL,
    size INTEGER NOT NULL,
    unused INTEGER NOT NULL,
    duplicate INTEGER NOT NULL,
    created INTEGER NOT NULL,
    day TEXT NOT NULL,
    path BLOB NOT NULL,
    name BLOB NOT NULL,
    texts BLOB NOT NULL,
    PRIMARY KEY (sha256, number)
)
"""
_WORDS = "CREATE TABLE words (word BLOB NOT NULL)"
_NEWEST = "CREATE INDEX newest ON images (created DESC, name, sha256, path, number)"
_SCHEMA = Schema(1, (_IMAGES, _WORDS, _NEWEST), "OFF")
_INSERT = "INSERT INTO images VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_IN_FOLDER = "SELECT sha256 FROM images WHERE sha256 BETWEEN ?1 AND ?1 || 'g'"
_MATCHES = """
FROM images
WHERE :type IN ('', type) AND unused >= :unused AND duplicate >= :duplicates
    AND day BETWEEN :since AND :until
    AND NOT EXISTS (SELECT 1 FROM words WHERE instr(texts, word) = 0)
"""
_BY_PATH: Final = "path, created, sha256, number"
_ORDERS: Final = {
    "newest": "created DESC, name, sha256, path, number",
    "largest": f"size DESC, {_BY_PATH}",
    "name": f"name, sha256, {_BY_PATH}",
    "path": _BY_PATH,
}
_NO_PATH: Final = b"\xff"  # after every path, as it is never in UTF-8


class Totals(NamedTuple):
    """Totals over images.

    Attributes:
        images: the number of images.
        size: their bytes.
        saved: bytes saved by storing once.
        unused: the number of unused images.
        duplicates: the number of images added more than once.
        variants: the number of their variants.
        variants_size: the bytes of these.
    """

    images: int
    size: int
    saved: int
    unused: int
    duplicates: int
    variants: int
    variants_size: int

    @classmethod
    def of(cls, image: ListedImage) -> Totals:
        """Return those of one image."""
        sizes = [one.size for one in image.variants]
        saved = image.saved
        return cls(1, image.size, saved, not image.documents, saved > 0, len(sizes), sum(sizes))


NO_IMAGES: Final = Totals(0, 0, 0, 0, 0, 0, 0)


class Table:
    """The images of a site, for one thread at a time.

    Args:
        settings: the settings of the site.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._facts = NOTHING
        self._connection = connect_in_memory(_SCHEMA, any_thread=True)
        self._images: dict[str, list[ListedImage]] = {}  # by digest
        self._variants: dict[str, list[str]] = {}  # digest → the names of their files
        self._totals: dict[str, Totals] = {}  # by type

    def update(self, facts: Facts) -> None:
        """List the images again that a change of the facts concerns."""
        changed = _changed(self._facts, facts)
        changed |= self._with_variants(_changed_keys(self._facts, facts))
        changed |= self._with_other_times({*_differing(self._facts.folders, facts.folders)})
        if changed:
            self._replace(changed, facts.of(changed))
        self._facts = facts

    def count(self, query: Query) -> int:
        """Count the images that match a query."""
        return int(self._select("SELECT count(*)", query)[0][0])

    def find(self, query: Query, limit: int, offset: int = 0) -> list[ListedImage]:
        """Return the images that match a query, in its order."""
        order = f"ORDER BY {_ORDERS[query.sort]} LIMIT {limit} OFFSET {offset}"
        rows = self._select("SELECT sha256, number", query, order)
        return [self._images[sha256][number] for sha256, number in rows]

    def totals(self) -> dict[str, Totals]:
        """Return the totals of each type, in order."""
        return {kind: totals for kind, totals in sorted(self._totals.items()) if totals.images}

    def _select(self, what: str, query: Query, order: str = "") -> list[tuple[Any, ...]]:
        with writing(self._connection) as connection:
            connection.execute("DELETE FROM words")
            words = [(_encode(word),) for word in query.text.casefold().split()]
            connection.executemany("INSERT INTO words VALUES (?)", words)
            return connection.execute(what + _MATCHES + order, _values(query)).fetchall()

    def _replace(self, digests: set[str], facts: Facts) -> None:
        for digest in digests:
            for image in self._images.pop(digest, ()):
                self._count(image, -1)
            self._variants.pop(digest, None)
        for line in facts.paths.values():
            if line.forms:
                self._variants.setdefault(line.sha256, []).extend(line.variant_names)
        rows = []
        for image in list_images(self._settings, facts):
            same = self._images.setdefault(image.sha256, [])
            rows.append(_row(image, len(same)))
            same.append(image)
            self._count(image, 1)
        with writing(self._connection) as connection:
            old = [(digest,) for digest in digests]
            connection.executemany("DELETE FROM images WHERE sha256 = ?", old)
            connection.executemany(_INSERT, rows)

    def _count(self, image: ListedImage, times: int) -> None:
        before = self._totals.get(image.type, NO_IMAGES)
        numbers = zip(before, Totals.of(image), strict=True)
        self._totals[image.type] = Totals(*(old + times * one for old, one in numbers))

    def _with_other_times(self, folders: set[str]) -> set[str]:
        """Return the digests of images in folders whose files have other times than listed."""
        return {
            digest
            for folder in folders
            for (digest,) in self._connection.execute(_IN_FOLDER, (folder,))
            for one in self._images[digest]
            if one.token is None and one.created != time_of(self._settings, one.image)
        }

    def _with_variants(self, keys: set[str]) -> set[str]:
        """Return the digests that keys have, and those of images with such variants."""
        names = {key[3:] for key in keys}
        owners = (one for one, own in self._variants.items() if not names.isdisjoint(own))
        return {digest_of(key) for key in keys} | (set(owners) if names else set())


def _values(query: Query) -> Mapping[str, object]:
    return {
        "type": query.type,
        "unused": query.unused,
        "duplicates": query.duplicates,
        "since": (query.since or date.min).isoformat(),
        "until": (query.until or date.max).isoformat(),
    }


def _row(image: ListedImage, number: int) -> tuple[object, ...]:
    day = date.min if image.created is None else day_of(image.created)
    texts = (image.name, image.sha256, *image.paths, *image.documents)
    return (
        image.sha256,
        number,
        image.type,
        image.size,
        not image.documents,
        image.saved > 0,
        image.created or 0,
        day.isoformat(),
        _encode(image.paths[0]) if image.paths else _NO_PATH,
        _encode(image.name.casefold()),
        _encode("\n".join(texts).casefold()),
    )


def _encode(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _changed(before: Facts, now: Facts) -> set[str]:
    """Return the digests of images that may be listed otherwise than before."""
    found = set()
    for path in _differing(before.paths, now.paths):
        found |= {facts.paths[path].sha256 for facts in (before, now) if path in facts.paths}
    found.update(_differing(before.records, now.records))
    for document in _differing(before.uses, now.uses):
        paths = {*before.uses.get(document, ())} ^ {*now.uses.get(document, ())}
        found |= {now.paths[path].sha256 for path in paths if path in now.paths}
    return found


def _changed_keys(before: Facts, now: Facts) -> set[str]:
    """Return the keys that stand in other files than before."""
    files = _differing(before.mentions, now.mentions)
    return set().union(
        *({*before.mentions.get(file, ())} ^ {*now.mentions.get(file, ())} for file in files)
    )


def _differing(before: Mapping[str, object], now: Mapping[str, object]) -> Iterator[str]:
    """Yield the keys whose values differ, or that only one has; None is as no value."""
    if before == now:
        return iter(())
    other = (key for key, value in now.items() if before.get(key) is not value)
    new = (key for key in other if before.get(key) != now[key])
    return chain(new, before.keys() - now.keys())
