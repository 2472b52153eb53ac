"""The table that pages and `list` are read from, and that it follows every change."""

from __future__ import annotations

import os
import random
import time
from contextlib import closing
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from pelican_imagehost.gallery.listing import list_images
from pelican_imagehost.gallery.query import SORTS, Query, day_of
from pelican_imagehost.gallery.sources import NOTHING, Facts, Sources
from pelican_imagehost.gallery.table import Table
from pelican_imagehost.gallery.uses import Mentions
from pelican_imagehost.gallery.view import Gallery
from pelican_imagehost.images.image import Image
from pelican_imagehost.storage.book import Arrival, Record
from pelican_imagehost.storage.index import Index
from pelican_imagehost.storage.manifest import Manifest
from pelican_imagehost.storage.records import Records

if TYPE_CHECKING:
    from collections.abc import Callable

    from pelican_imagehost.gallery.listing import ListedImage
    from pelican_imagehost.settings import Settings
    from tests.conftest import Site

NOON = int(datetime(2024, 5, 6, 12).astimezone().timestamp())
CAT = Image("a" * 64, "jpg", 100, 4, 3)
DOG = Image("b" * 64, "png", 300, 4, 3)
FOX = Image("c" * 64, "png", 200, 4, 3)
FACTS = NOTHING._replace(
    paths={"content/cats/Straße.jpg": CAT, "x.png": DOG, "y.png": DOG},
    records={FOX.sha256: Record(FOX, "Fox 狐.png", NOON + 86_400, NOON + 86_400, "phone", 2, True)},
    uses={"content/cat.md": {"content/cats/Straße.jpg"}},
    mentions={"content/fox.md": {FOX.key}},
)
ALL = [CAT, DOG, FOX]


def put(settings: Settings, image: Image, seconds: int) -> None:
    file = settings.store / image.key
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    os.utime(file, (seconds, seconds))


def filled(settings: Settings, facts: Facts) -> Table:
    table = Table(settings)
    table.update(facts)
    return table


def everything(table: Table, query: Query) -> list[ListedImage]:
    found = table.find(query, 10_000)
    assert len(found) == table.count(query)
    return found


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ALL),
        ({"text": "STRASSE"}, [CAT]),
        ({"text": "fox  狐"}, [FOX]),
        ({"text": "cat.md"}, [CAT]),
        ({"text": "bbbb"}, [DOG]),
        ({"text": "cat fox"}, []),
        ({"text": "g " * 5_000}, [CAT, DOG, FOX]),
        ({"text": "%"}, []),
        ({"text": "'"}, []),
        ({"type": "png"}, [DOG, FOX]),
        ({"type": "' OR 1 --"}, []),
        ({"unused": True}, [DOG]),
        ({"duplicates": True}, [DOG, FOX]),
        ({"since": date(2024, 5, 6)}, [CAT, FOX]),
        ({"since": date(2024, 5, 7)}, [FOX]),
        ({"until": date(2024, 5, 6)}, [CAT, DOG]),
        ({"since": date(2024, 5, 6), "until": date(2024, 5, 6)}, [CAT]),
        ({"sort": "newest"}, [FOX, CAT, DOG]),
        ({"sort": "largest"}, [DOG, FOX, CAT]),
        ({"sort": "name"}, [FOX, CAT, DOG]),
    ],
)
def test_a_query_finds(site: Site, fields: dict[str, Any], expected: list[Image]) -> None:
    settings = site.settings()
    put(settings, CAT, NOON)
    query = Query(**{"sort": "path", **fields})
    assert [one.image for one in everything(filled(settings, FACTS), query)] == expected


def test_totals_are_exact_and_never_too_large(site: Site) -> None:
    table = filled(site.settings(), FACTS)
    assert [one.saved for one in everything(table, Query(sort="path"))] == [0, 300, 200]
    assert table.totals() == {"jpg": (1, 100, 0, 0, 0, 0, 0), "png": (2, 500, 500, 1, 2, 0, 0)}
    most = DOG._replace(size=2**53 - 1)
    paths = {f"{number}.png": most for number in range(1_100)}
    paths["x.jpg"] = CAT.with_variants([most] * 1_100, "1")
    found = filled(site.settings(), NOTHING._replace(paths=paths)).totals()
    assert found["png"].saved == pytest.approx(1_099 * 2**53)
    assert found["jpg"].variants_size == pytest.approx(1_100 * 2**53)


def test_names_that_are_not_text_are_found_and_sorted(site: Site) -> None:
    names = ["caf\udce9.jpg", "cafz.jpg", "caf\U0001f600.jpg", "caf\uffff.jpg", "nul\0.jpg"]
    paths = {name: Image(f"{number:064x}", "jpg", 1, 1, 1) for number, name in enumerate(names)}
    table = filled(site.settings(), NOTHING._replace(paths=paths))
    found = everything(table, Query(sort="path"))
    assert [one.paths for one in found] == [[name] for name in sorted(names)]
    (one,) = everything(table, Query(text="CAF\udce9"))
    assert one.name == names[0]


@pytest.mark.parametrize("seconds", [-(2**40), -1, 2**38, 2**40])
def test_a_file_with_an_absurd_time_has_none(site: Site, seconds: int) -> None:
    put(site.settings(), CAT, 0)
    os.utime(site.settings().store / CAT.key, (seconds, seconds))
    (cat, *_) = everything(filled(site.settings(), FACTS), Query(sort="path"))
    assert cat.created is None or cat.created >= 0


def test_a_file_that_comes_or_goes_later_changes_the_date(site: Site) -> None:
    settings = site.settings()
    table = filled(settings, FACTS._replace(folders={"aa": None}))
    assert everything(table, Query(since=date(2024, 5, 6), text="cat")) == []
    put(settings, CAT, NOON)
    table.update(FACTS._replace(folders={"aa": 1}))
    (cat,) = everything(table, Query(since=date(2024, 5, 6), text="cat"))
    assert cat.created == NOON
    (settings.store / CAT.key).unlink()
    table.update(FACTS._replace(folders={"aa": 2}))
    assert everything(table, Query(since=date(2024, 5, 6), text="cat")) == []


def plainly(images: list[ListedImage], query: Query) -> list[ListedImage]:
    """Select and sort as the table should, without SQL."""

    def fits(image: ListedImage) -> bool:
        texts = "\n".join([image.name, image.sha256, *image.paths, *image.documents]).casefold()
        day = date.min if image.created is None else day_of(image.created)
        return (
            query.type in ("", image.type)
            and not (query.unused and image.documents)
            and not (query.duplicates and not image.saved)
            and (query.since or date.min) <= day <= (query.until or date.max)
            and all(word in texts for word in query.text.casefold().split())
        )

    found = [image for image in images if fits(image)]
    orders: dict[str, Callable[[ListedImage], tuple[object, ...]]] = {
        "newest": lambda one: (-(one.created or 0), one.name.casefold(), one.sha256),
        "largest": lambda one: (-one.size,),
        "name": lambda one: (one.name.casefold(), one.sha256),
        "path": lambda _: (),
    }
    return sorted(found, key=orders[query.sort])


QUERIES = [
    *(Query(sort=sort) for sort in (*SORTS, "path")),
    Query(text="b 1", sort="name"),
    Query(text="DOC"),
    Query(type="png", unused=True),
    Query(duplicates=True, sort="largest"),
    Query(since=date(2001, 9, 9), until=date(2001, 9, 9)),
]


class Changes:
    """A site that changes at random."""

    def __init__(self, settings: Settings, seed: int) -> None:
        self.settings = settings
        self.random = random.Random(seed)  # noqa: S311  not for secrets
        # One digest in four has two images that differ in a field: lines of strangers.
        self.images = [
            Image(f"{number % 24:02x}" + "b" * 62, kind, 1 + number % 24, 1, 1)
            for number, kind in enumerate(["jpg"] * 24 + ["png"] * 6)
        ]
        self.paths = [f"content/{name}.jpg" for name in "abcdefghij"]
        self.uses: dict[str, set[str]] = {}

    def image(self) -> Image:
        return self.random.choice(self.images)

    def some(self, paths: list[str]) -> set[str]:
        return set(self.random.sample(paths, self.random.randrange(4)))

    def change(self) -> None:
        common = (self.upload, self.line, self.build, self.mention, self.store)
        rare = (self.remove, self.replace, self.drop, self.by_hand, self.problem)
        changes = common if self.random.random() < 0.8 else rare
        self.random.choice(changes)()

    def upload(self) -> None:
        with closing(Records(self.settings.records)) as records:
            names = self.random.choices(["IMG.jpg", "ß.png"], k=2)
            records.add(Arrival(self.image(), name, "phone") for name in names)

    def remove(self) -> None:
        with closing(Records(self.settings.records)) as records:
            records.remove([self.image().sha256, self.image().sha256])

    def replace(self) -> None:
        with closing(Records(self.settings.records)) as records:
            records.replace({self.image().sha256: self.image()})

    def line(self) -> None:
        image = self.image()
        if self.random.random() < 0.6:
            image = image.with_variants({self.image(), self.image()}, "1")
        Manifest.load(self.settings.manifest).update({self.random.choice(self.paths): image})

    def drop(self) -> None:
        paths = self.some(self.paths)
        Manifest.load(self.settings.manifest).update({}, drop=paths)

    def by_hand(self) -> None:
        """Damage, repeat or shuffle lines, as merges and people do."""
        file = self.settings.manifest
        lines = file.read_text().splitlines() if file.exists() else []
        lines += self.random.sample(lines, min(2, len(lines)))
        lines = [line.replace(*self.random.choice([('"a', '"b'), ("jpg", "png"), ("{", "")]))
                 if self.random.random() < 0.1 else line for line in lines]  # fmt: skip
        self.random.shuffle(lines)
        file.write_text("\n".join(lines))

    def build(self) -> None:
        self.uses[f"content/doc{self.random.randrange(4)}.md"] = self.some(self.paths)
        with closing(Index(self.settings.index)) as index:
            index.record_uses(self.uses)

    def problem(self) -> None:
        with closing(Index(self.settings.index)) as index:
            index.record_problems([("a.md", self.random.randrange(9), "x", "is not there")])

    def mention(self) -> None:
        file = self.settings.root / f"content/doc{self.random.randrange(6)}.md"
        file.unlink(missing_ok=True)
        if self.random.random() < 0.8:
            file.write_text(" ".join(self.image().key for _ in range(self.random.randrange(4))))

    def store(self) -> None:
        image = self.image()
        if (self.settings.store / image.key).exists():
            (self.settings.store / image.key).unlink()
        else:
            put(self.settings, image, 1_000_000_000 + self.random.randrange(200_000))


@pytest.mark.parametrize("seed", range(5))
def test_after_any_change_pages_are_those_of_a_whole_reading(site: Site, seed: int) -> None:
    settings = site.settings()
    changes, gallery, found = Changes(settings, seed), Gallery(settings), 0
    table, sources, mentions = Table(settings), Sources(settings), Mentions(settings)
    for _ in range(40):
        for _ in range(changes.random.choice([1, 1, 1, 4])):
            changes.change()
        table.update(sources.read(mentions.find(), read_only=False))
        images = list_images(settings, Facts.read(settings, Mentions(settings).find()))
        for query in QUERIES:
            assert everything(table, query) == plainly(images, query), query
        query = changes.random.choice([one for one in QUERIES if one.sort != "path"])
        assert gallery.view(query) == Gallery(settings).view(query)
        found += len(images)
    assert found > 200


def test_a_folder_that_changes_no_more_is_not_looked_at_again(site: Site) -> None:
    settings = site.settings()
    put(settings, CAT, NOON)
    sources = Sources(settings)
    first, second = (sources.read({}, read_only=True).folders for _ in range(2))
    assert first["aa"] != second["aa"]  # a name in it may still change unseen
    time.sleep(2.1)
    first, second = (sources.read({}, read_only=True).folders for _ in range(2))
    assert first == second
    put(settings, CAT._replace(type="png"), NOON)
    assert sources.read({}, read_only=True).folders["aa"] != second["aa"]
