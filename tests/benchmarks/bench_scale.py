"""Measure how long it takes to recognise 1,000, 10,000 and 100,000 unchanged images.

    python tests/benchmarks/bench_scale.py [--images 1000 10000 100000] [--rounds 5]

Prints seconds, medians of fresh processes, with real files and a real store. `look-up` is all
work of the catalogue: manifest, index, a stat of each source, a stat of each stored
file and the comparison; `host` is the whole pipeline over documents of 100 images each.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[2]))

from pelican_imagehost.documents.location import Location
from pelican_imagehost.hosting import ImageHost
from pelican_imagehost.report import Document
from pelican_imagehost.settings import Settings
from pelican_imagehost.storage.catalogue import Catalogue
from pelican_imagehost.storage.index import Index
from pelican_imagehost.storage.manifest import Manifest
from tests.benchmarks.sites import configure, make_picture

if TYPE_CHECKING:
    from collections.abc import Iterator

_A_DOCUMENT = 100  # images
_PARTS = ("manifest", "index", "stat", "compare")


def main() -> None:
    """Measure and print the results, or run as one measured process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder else")
    parser.add_argument("--once", nargs=2, metavar=("WHAT", "ROOT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.once:
        what, root = options.once
        print(json.dumps(_MEASURES[what](Path(root))))
        return
    before: dict[str, float] = {}
    for images in options.images:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            before = _measure(Path(folder), images, before, options.rounds)


def _measure(root: Path, images: int, before: dict[str, float], rounds: int) -> dict[str, float]:
    for number in range(images):
        file = root / f"content/{number // _A_DOCUMENT:04}/picture-{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(make_picture(number, 200))
    configure(root, "pelicanconf", plugins=[], layout="beside")
    time.sleep(2.1)  # younger files are not recorded in the index
    first = _once("host", root)["host"]
    found = [_once("parts", root) | _once("host", root) for _ in range(rounds)]
    medians = {name: statistics.median(part[name] for part in found) for name in found[0]}
    medians["look-up"] = sum(medians[name] for name in _PARTS)
    print(f"{images:,} images (the first ingest took {first:.2f} s):")
    for name, seconds in medians.items():
        growth = f"  × {seconds / before[name]:.1f}" if before else ""
        print(f"  {name:10} {seconds:7.3f} s{growth}")
    return medians


def _once(what: str, root: Path) -> dict[str, float]:
    """Measure in a separate process."""
    command = [sys.executable, __file__, "--once", what, str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    seconds: dict[str, float] = json.loads(done.stdout)
    return seconds


def _parts(root: Path) -> dict[str, float]:
    settings = _settings(root)
    times = [time.perf_counter()]
    manifest = Manifest.load(settings.manifest)
    times.append(time.perf_counter())
    index = Index(settings.index)
    index.files()
    times.append(time.perf_counter())
    index.close()
    del manifest
    catalogue = Catalogue(settings)
    files = list(_files(root))
    times.append(time.perf_counter())
    locations = {
        path: Location(path, file, os.lstat(file), "")
        for path, file in ((path, f"{root}/{path}") for path in files)
    }
    times.append(time.perf_counter())
    entries = catalogue.enter(locations)
    times.append(time.perf_counter())
    catalogue.index.close()
    if entries.new or entries.errors or len(entries.images) != len(files):
        sys.exit("the look-up was not a warm one")
    spent = [after - before for before, after in pairwise(times)]
    return dict(zip(_PARTS, [spent[0], spent[1], spent[3], spent[4]], strict=True))


def _host(root: Path) -> dict[str, float]:
    documents = []
    for folder in sorted((root / "content").iterdir()):
        html = "".join(f'<p><img src="{name}"></p>\n' for name in sorted(os.listdir(folder)))
        documents.append(Document(str(folder / "post.md"), lambda: "", (html,), ()))
    settings = _settings(root)
    start = time.perf_counter()
    with ImageHost(settings) as image_host:
        report = image_host.host(documents)
    spent = time.perf_counter() - start
    if report.problems:
        sys.exit(f"{report}: {report.problems[0]}")
    return {"host": spent}


def _settings(root: Path) -> Settings:
    from pelican.settings import read_settings  # noqa: PLC0415  for the process measured alone

    return Settings.from_pelican(read_settings(str(root / "pelicanconf.py")), root=root)


def _files(root: Path) -> Iterator[str]:
    for folder in sorted(os.listdir(root / "content")):
        for name in sorted(os.listdir(root / "content" / folder)):
            yield f"content/{folder}/{name}"


_MEASURES = {"parts": _parts, "host": _host}

if __name__ == "__main__":
    main()
