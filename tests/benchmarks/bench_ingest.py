"""Compare the first ingest of many images with hashing and copying the same files.

    python tests/benchmarks/bench_ingest.py [--images 2000] [--size 300000] [--rounds 7]
    python tests/benchmarks/bench_ingest.py --photos 8 [--rounds 7]

The baseline is `openssl dgst -sha256` and `cp`, which do not identify or sync anything;
the ingest is durable when it ends, so the baseline is shown with a `sync` as well. The
page cache is warm for all. CPU time includes the copying by the kernel.

With `--photos`, only cleaning is measured: a photograph with a location is read, hashed,
cleaned and hashed again, relative to reading and hashing it once.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[2]))

from pelican_imagehost.images.clean import clean
from tests.benchmarks.sites import configure, make_photo, make_picture
from tests.benchmarks.timing import Cost, compare, median, ratio, run

if TYPE_CHECKING:
    from collections.abc import Callable

_A_DOCUMENT = 100  # images


def main() -> None:
    """Measure and print the results, or run as the measured process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--size", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--photos", type=int, help="measure only how these are cleaned")
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder else")
    parser.add_argument("--ingest", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ingest:
        _ingest(options.ingest)
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        if options.photos:
            _measure_cleaning(Path(folder), options)
        else:
            _measure(Path(folder), options)


def _measure(root: Path, options: argparse.Namespace) -> None:
    files = []
    for number in range(options.images):
        file = root / f"content/{number // _A_DOCUMENT:03}/picture-{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(make_picture(number, options.size))
        files.append(str(file))
    configure(root, "pelicanconf", plugins=[], layout="beside")
    time.sleep(2.1)  # younger files are not recorded in the index
    commands: dict[str, Callable[[], Cost]] = {
        "openssl + cp": partial(_copy, files, root, sync=False),
        "the same + sync": partial(_copy, files, root, sync=True),
        "ingest": partial(_ingest_apart, root, inside=True),
        "its process": partial(_ingest_apart, root, inside=False),
    }
    costs = compare(commands, rounds=options.rounds)
    print(f"{options.images:,} images of {options.size:,} bytes, {options.rounds} rounds:")
    for name, values in costs.items():
        line = f"  {name:16} {median(values):6.2f} s CPU, {median(values, 'wall'):6.2f} s;"
        for base in ("openssl + cp", "the same + sync"):
            cpu, wall = ratio(costs, name, base), ratio(costs, name, base, "wall")
            line += f"  {cpu:.2f} CPU, {wall:.2f} wall of {base};"
        print(line.rstrip(";"))


def _measure_cleaning(root: Path, options: argparse.Namespace) -> None:
    files = [root / f"photo-{number}.jpg" for number in range(options.photos)]
    for number, file in enumerate(files):
        file.write_bytes(make_photo(number))
    commands: dict[str, Callable[[], Cost]] = {
        "hash": partial(_timed, files, lambda data: hashlib.sha256(data).digest()),
        "hash, clean, hash": partial(_timed, files, _hash_and_clean),
    }
    costs = compare(commands, rounds=options.rounds)
    total = sum(file.stat().st_size for file in files)
    print(f"{len(files)} photographs of {total:,} bytes in all, {options.rounds} rounds:")
    for name, values in costs.items():
        milliseconds = median(values) * 1000
        print(f"  {name:18} {milliseconds:6.0f} ms CPU;  {ratio(costs, name, 'hash'):.2f} of hash")


def _timed(files: list[Path], act: Callable[[bytes], object]) -> Cost:
    wall, cpu = time.perf_counter(), time.process_time()
    for file in files:
        act(file.read_bytes())
    return Cost(time.perf_counter() - wall, time.process_time() - cpu)


def _hash_and_clean(data: bytes) -> None:
    hashlib.sha256(data).digest()
    pieces = clean(data, "jpg")
    if pieces is None:
        sys.exit("a photograph has nothing to clean")
    published, view = hashlib.sha256(), memoryview(data)
    for piece in pieces:
        published.update(piece if isinstance(piece, bytes) else view[piece[0] : piece[1]])


def _copy(files: list[str], root: Path, *, sync: bool) -> Cost:
    target = root / "target"
    _clear(root)
    target.mkdir()
    cost = run(["openssl", "dgst", "-sha256", "-out", "/dev/null", *files], root)
    parts = [cost, run(["cp", *files, str(target)], root)]
    if sync:
        parts.append(run(["sync", "--file-system", str(target)], root))
    return Cost(sum(part.wall for part in parts), sum(part.cpu for part in parts))


def _ingest_apart(root: Path, *, inside: bool) -> Cost:
    """Ingest in a separate process; return the time of ImageHost, or of the whole process."""
    _clear(root)
    whole = run([sys.executable, __file__, "--ingest", str(root)], root)
    return Cost(**json.loads((root / "cost.json").read_text())) if inside else whole


def _clear(root: Path) -> None:
    for folder in ("target", "images", "cache-pelicanconf"):
        shutil.rmtree(root / folder, ignore_errors=True)
    (root / "imagehost.jsonl").unlink(missing_ok=True)
    subprocess.run(["sync", "--file-system", root], check=True)  # not in the next round


def _ingest(root: Path) -> None:
    from pelican.settings import read_settings  # noqa: PLC0415  for the process measured alone

    from pelican_imagehost.hosting import ImageHost  # noqa: PLC0415
    from pelican_imagehost.report import Document  # noqa: PLC0415
    from pelican_imagehost.settings import Settings  # noqa: PLC0415

    settings = Settings.from_pelican(read_settings(str(root / "pelicanconf.py")), root=root)
    documents = []
    for folder in sorted((root / "content").iterdir()):
        html = "".join(f'<p><img src="{file.name}"></p>\n' for file in sorted(folder.iterdir()))
        documents.append(Document(str(folder / "post.md"), lambda: "", (html,), ()))
    wall, cpu = time.perf_counter(), time.process_time()
    with ImageHost(settings) as image_host:
        report = image_host.host(documents)
    cost = Cost(time.perf_counter() - wall, time.process_time() - cpu)
    if report.problems or len(report.new) != sum(text.html[0].count("<img") for text in documents):
        sys.exit(f"not all is hosted: {report}")
    (root / "cost.json").write_text(json.dumps(cost._asdict()))


if __name__ == "__main__":
    main()
