"""Compare making variants of photos with eleventy-img, set to the same widths and formats.

    python -m tests.benchmarks.bench_variants [--photos 24] [--rounds 3] [--quality] [--of FOLDER]

Photos are like a camera's: 12 MP, noise, quality 92; made of those in a folder, or of nothing.
CPU and memory are those of whole processes.
eleventy-img is needed where IMAGEHOST_BENCH_ELEVENTY says that npm has installed it (`npm install
--prefix DIR @11ty/eleventy-img@7`); AVIF is set to the same quality, speed and subsampling there.
With --quality, SSIMULACRA2 is measured too (`pip install --group bench`), which takes long.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import PIL.Image

sys.path.insert(0, str(Path(__file__).parents[2]))

from pelican_imagehost.images.image import Image
from pelican_imagehost.images.variants.batch import Job, make_all
from pelican_imagehost.images.variants.make import Wanted
from tests.benchmarks.sites import camera_photo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SIZE = (4000, 3000)
_WIDTHS = (720, 1080, 1440)
_FORMATS = ("avif", "webp")
_ELEVENTY = """
import Image from "@11ty/eleventy-img";
import { readdirSync } from "node:fs";
const [folder, outputDir, format] = process.argv.slice(2);
const options = {
  widths: [720, 1080, 1440], formats: [format], outputDir, useCache: false,
  sharpAvifOptions: { quality: 63, effort: 0, chromaSubsampling: "4:2:0" },
  sharpWebpOptions: { quality: 80 },
  filenameFormat: (id, src, width, format) => `${src.split("/").pop()}-${width}.${format}`,
};
await Promise.all(readdirSync(folder).map((name) => Image(`${folder}/${name}`, options)));
"""


class Usage(NamedTuple):
    """What a process took: seconds and bytes of memory at its peak."""

    wall: float
    cpu: float
    memory: int


def main() -> None:
    """Measure and print the results, or run as the measured process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quality", action="store_true")
    parser.add_argument("--of", type=Path, help="a folder of photographs")
    parser.add_argument("--make", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:
        _make(*options.make)
        return
    with tempfile.TemporaryDirectory() as folder:
        _measure(Path(folder), options)


def _measure(root: Path, options: argparse.Namespace) -> None:
    photos = root / "photos"
    photos.mkdir()
    files = sorted(options.of.iterdir())[: options.photos] if options.of else []
    options.photos = len(files) or options.photos
    for number in range(options.photos):
        picture = PIL.Image.open(files[number]) if files else _photograph(number)
        (photos / f"{number:03}.jpg").write_bytes(camera_photo(picture))
    commands = {**_ours(root, photos), **_eleventy(root, photos)}
    usages: dict[str, list[Usage]] = {name: [] for name in commands}
    for _ in range(options.rounds):
        for name, command in commands.items():
            shutil.rmtree(root / name, ignore_errors=True)
            (root / name).mkdir()
            usages[name].append(command())
    size = sum(file.stat().st_size for file in photos.iterdir()) / options.photos
    print(f"{options.photos} photos of {size / 1e6:.1f} MB, {options.rounds} rounds, medians:")
    for name, values in usages.items():
        wall, cpu, memory = (statistics.median(figures) for figures in zip(*values, strict=True))
        line = f"{cpu:6.2f} s CPU ({cpu / options.photos:.2f} a photo), {wall:6.2f} s"
        print(f"  {name:22} {line}, {memory / 1e6:5.0f} MB")
    for kind in _FORMATS:
        _compare(usages, kind)
    for name in commands:
        _print_bytes(root / name, name)
    if options.quality:
        _print_quality(root, list(commands), photos)


def _photograph(number: int) -> PIL.Image.Image:
    """Make soft light, and shapes of several sizes."""
    chance = random.Random(number)  # noqa: S311  only a picture
    picture = PIL.Image.new("RGB", _SIZE)
    for columns, share in ((8, 1.0), (80, 0.35), (640, 0.2)):
        small = (columns, columns * 3 // 4)
        layer = PIL.Image.frombytes("RGB", small, chance.randbytes(small[0] * small[1] * 3))
        picture = PIL.Image.blend(picture, layer.resize(_SIZE, PIL.Image.Resampling.BICUBIC), share)
    return picture


def _ours(root: Path, photos: Path) -> dict[str, Callable[[], Usage]]:
    def command(name: str, kind: str, fallback: str) -> Callable[[], Usage]:
        arguments = (str(photos), str(root / name), kind, fallback)
        return partial(_run, [sys.executable, __file__, "--make", *arguments], root)

    commands = {f"ours {kind}": command(f"ours {kind}", kind, "") for kind in _FORMATS}
    return {**commands, "ours avif + fallback": command("ours avif + fallback", "avif", "yes")}


def _eleventy(root: Path, photos: Path) -> dict[str, Callable[[], Usage]]:
    installed = os.environ.get("IMAGEHOST_BENCH_ELEVENTY", "")
    if not (
        shutil.which("node") and (Path(installed) / "node_modules/@11ty/eleventy-img").is_dir()
    ):
        print("eleventy-img is left out: no node, or IMAGEHOST_BENCH_ELEVENTY is not set")
        return {}
    script = Path(installed) / "bench_variants.mjs"
    script.write_text(_ELEVENTY)
    names = {kind: f"eleventy-img {kind}" for kind in _FORMATS}
    return {
        name: partial(_run, ["node", str(script), str(photos), str(root / name), kind], root)
        for kind, name in names.items()
    }


def _run(command: list[str], folder: Path) -> Usage:
    """Run a command, which must succeed, and measure it."""
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            sys.exit(f"{' '.join(command)} failed:\n{output.read()[-2000:].decode()}")
    return Usage(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def _make(photos: str, target: str, kind: str, fallback: str) -> None:
    wanted = Wanted((kind,), _WIDTHS, fallback=bool(fallback))
    names = {}

    def jobs() -> Iterator[Job]:
        for file in sorted(Path(photos).iterdir()):
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            names[digest] = file.name
            image = Image(digest, "jpg", file.stat().st_size, *_SIZE)  # only for estimates
            yield Job(image, file.read_bytes, wanted)

    for batch in make_all(jobs(), os.cpu_count() or 1, lambda _size: None):
        for done in batch:
            for made in done.made:
                name = f"{names[done.image.sha256]}-{made.width}.{made.type}"
                (Path(target) / name).write_bytes(made.data)


def _compare(usages: dict[str, list[Usage]], kind: str) -> None:
    ours, theirs = usages[f"ours {kind}"], usages.get(f"eleventy-img {kind}")
    if theirs:
        pairs = list(zip(ours, theirs, strict=True))
        cpu = statistics.median(one.cpu / other.cpu for one, other in pairs)
        memory = statistics.median(one.memory / other.memory for one, other in pairs)
        print(f"  {kind}, ours to eleventy-img's: {cpu:.2f} of the CPU, {memory:.2f} of the memory")


def _files(folder: Path, width: int) -> dict[str, list[Path]]:
    """Return the files of a width by type."""
    found: dict[str, list[Path]] = {}
    for file in sorted(folder.glob(f"*-{width}.*")):
        found.setdefault(file.suffix[1:], []).append(file)
    return found


def _print_bytes(folder: Path, name: str) -> None:
    parts = []
    for width in _WIDTHS:
        for kind, files in _files(folder, width).items():
            mean = statistics.mean(file.stat().st_size for file in files)
            parts.append(f"{width} {kind} {mean / 1000:.1f}")
    print(f"  {name}: kB a photo: {', '.join(parts)}")


def _print_quality(root: Path, names: list[str], photos: Path) -> None:
    if importlib.util.find_spec("ssimulacra2") is None:
        print("SSIMULACRA2 is left out: it is not installed (pip install --group bench)")
        return
    for name in names:
        parts = []
        for width in _WIDTHS:
            for kind, files in _files(root / name, width).items():
                scores = [_score(photos / file.name.rpartition("-")[0], file) for file in files]
                low = f"{min(scores):.1f}"
                parts.append(f"{width} {kind} {statistics.mean(scores):.1f} (least {low})")
        print(f"  {name}: SSIMULACRA2: {', '.join(parts)}")


def _score(original: Path, variant: Path) -> float:
    """Compare a variant with the original, scaled to its size without loss."""
    from ssimulacra2 import compute_ssimulacra2  # noqa: PLC0415  only where it is installed

    with (
        tempfile.TemporaryDirectory() as folder,
        PIL.Image.open(original) as whole,
        PIL.Image.open(variant) as made,
    ):
        files = (f"{folder}/original.png", f"{folder}/variant.png")
        whole.convert("RGB").resize(made.size, PIL.Image.Resampling.LANCZOS).save(files[0])
        made.save(files[1])
        return float(compute_ssimulacra2(*files))


if __name__ == "__main__":
    main()
