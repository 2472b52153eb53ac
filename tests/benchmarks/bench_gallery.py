"""Measure the CPU time of a page of the gallery, and of the first one after a change.

    python tests/benchmarks/bench_gallery.py [--images 10000] [--rounds 5]

Prints how much memory the first page takes, and milliseconds of CPU, medians, of making the page
and its HTML: for a site of uploads, one
in ten named by a document, recorded in a file and, if PostgreSQL is installed, in a database,
whose own time is not counted; and for a site of local images with six variants each, ten to a
document.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[2]))

from pelican.settings import read_settings

from pelican_imagehost.gallery.page import Front, render_gallery
from pelican_imagehost.gallery.query import Query
from pelican_imagehost.gallery.view import Gallery
from pelican_imagehost.images.image import Image
from pelican_imagehost.settings import Settings
from pelican_imagehost.storage.book import Arrival, open_records
from pelican_imagehost.storage.index import Index
from pelican_imagehost.storage.manifest import Manifest
from tests.benchmarks.sites import configure
from tests.postgres import Postgres, find_programs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_A_DOCUMENT = 10  # images
_WIDTHS = (480, 960, 1440)
_BUILT = 10  # images that a build changes
_PAUSE = 2.1  # seconds between changes; folders that have just changed are looked at again


def main() -> None:
    """Measure and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with ExitStack() as stack:
        databases: list[str | None] = [None]
        programs = find_programs()
        if programs:
            postgres = Postgres(programs)
            stack.callback(postgres.close)
            postgres.start()
            databases.append(postgres.make_database())
        for database in databases:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            _measure(_Uploads(folder, options.images, database), options.rounds)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        _measure(_Local(folder, options.images), options.rounds)


class _Site:
    """A site, its documents and its images."""

    changes: dict[str, Callable[[int], None]]

    def __init__(self, root: Path, images: int, database: str | None = None) -> None:
        (root / "content").mkdir()
        configure(root, "pelicanconf", plugins=[], layout="beside")
        pelican = read_settings(str(root / "pelicanconf.py"))
        self.settings = Settings.from_pelican(pelican, root=root)._replace(database=database)
        self.images = [_image(f"first {number}") for number in range(images)]

    def upload(self, number: int) -> None:
        """Upload an image."""
        self._record([_image(f"upload {number}")])

    def _record(self, images: Iterable[Image]) -> None:
        with closing(open_records(self.settings)) as records:
            records.add(Arrival(image, f"IMG {image.sha256[:4]}.jpg", "phone") for image in images)
        self._store(images)

    def _store(self, images: Iterable[Image]) -> None:
        for image in images:
            file = self.settings.store / image.key
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()

    def _write(self, number: int, text: str) -> None:
        (self.settings.root / f"content/{number}.md").write_text(f"{text}\n\n" + "word " * 500)


class _Uploads(_Site):
    def __init__(self, root: Path, images: int, database: str | None) -> None:
        super().__init__(root, images, database)
        self._record(self.images)
        for number in range(images // _A_DOCUMENT):
            self._write(number, f"![](https://img.example.com/{self.images[number].key})")
        self.changes = {"one upload": self.upload, "a saved document": self.save,
                        "one deletion": self.delete}  # fmt: skip

    def save(self, number: int) -> None:
        """Use another image in a document."""
        self._write(number, f"![](https://img.example.com/{self.images[-number].key})")

    def delete(self, number: int) -> None:
        """Delete an image."""
        image = self.images[-1 - number]
        with closing(open_records(self.settings)) as records:
            records.remove([image.sha256])
        (self.settings.store / image.key).unlink()


class _Local(_Site):
    def __init__(self, root: Path, images: int) -> None:
        super().__init__(root, images)
        self.paths = [f"content/{number // 100}/{number}.jpg" for number in range(images)]
        self.uses = {f"content/{number}.md": set(self.paths[number::images // _A_DOCUMENT])
                     for number in range(images // _A_DOCUMENT)}  # fmt: skip
        for number in range(images // _A_DOCUMENT):
            self._write(number, "![](0.jpg)")
        for path in self.paths:
            (root / path).parent.mkdir(exist_ok=True)
            (root / path).touch()
        self._list({path: _varied(image) for path, image in
                    zip(self.paths, self.images, strict=True)})  # fmt: skip
        self.changes = {"one upload": self.upload, "a build": self.build,
                        "one deletion": self.delete}  # fmt: skip

    def build(self, number: int) -> None:
        """Change ten images, and use one less."""
        first = _BUILT * number
        self._list({path: _varied(_image(f"{path} {number}")) for path in
                    self.paths[first : first + _BUILT]})  # fmt: skip
        self.uses[f"content/{number}.md"].pop()
        with closing(Index(self.settings.index)) as index:
            index.record_uses(self.uses)

    def delete(self, number: int) -> None:
        """Delete an image."""
        manifest = Manifest.load(self.settings.manifest)
        path = self.paths[-1 - number]
        (self.settings.store / manifest.images[path].key).unlink()
        manifest.update({}, drop=[path])

    def _list(self, images: dict[str, Image]) -> None:
        self._store(images.values())
        Manifest.load(self.settings.manifest).update(images)
        with closing(Index(self.settings.index)) as index:
            index.record_uses(self.uses)


def _image(text: str) -> Image:
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Image(digest, "jpg", int(digest[:5], 16) + 1, 4000, 3000)


def _varied(image: Image) -> Image:
    variants = [
        _image(f"{image.sha256} {width} {kind}")._replace(type=kind, width=width)
        for kind in ("avif", "webp")
        for width in _WIDTHS
    ]
    return image.with_variants(variants, "1")


def _measure(site: _Site, rounds: int) -> None:
    time.sleep(_PAUSE)
    before = _memory()
    gallery = Gallery(site.settings)
    found = {"first": [_page(gallery)]}
    memory = _memory() - before
    for number in range(rounds):
        for name, change in site.changes.items():
            time.sleep(_PAUSE)
            change(number)
            found.setdefault(f"after {name}", []).append(_page(gallery))
        found.setdefault("without a change", []).append(_page(gallery))
        found.setdefault("a search", []).append(_page(gallery, Query(text="ab 1", sort="name")))
    where = ", in a database" if site.settings.database else ""
    kind = type(site).__name__.strip("_").lower()
    print(f"{len(site.images):,} {kind}{where}: {memory:.0f} MB; ms of CPU:")
    for name, costs in found.items():
        print(f"  {name:24} {statistics.median(costs) * 1000:6.0f}")


def _page(gallery: Gallery, query: Query = Query()) -> float:  # noqa: B008  a constant
    start = time.process_time()
    render_gallery(gallery.view(query), gallery.settings, Front())
    return time.process_time() - start


def _memory() -> float:
    """Return the memory of this process, in MB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1000


if __name__ == "__main__":
    main()
