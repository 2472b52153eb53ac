"""Build a site of many photos from nothing, at once and with interruptions.

    python -m tests.benchmarks.bench_first_build [--photos 1000] [--interruptions 10] [--of FOLDER]

Photos are like a camera's, of those in a folder or of nothing. Prints time, CPU, memory at its
peak and the size of the store, relative to the same build without variants; then what the
interruptions (Ctrl-C) cost, and whether a line of the manifest lacks its bytes after each.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import PIL.Image

from pelican_imagehost.storage.manifest import Manifest
from tests.benchmarks.sites import camera_photo, configure

if TYPE_CHECKING:
    from collections.abc import Iterator

_BASES = 24  # pictures that are really different
_TABLE = b"\xff\xdb"  # a quantization table of a JPEG (ITU-T T.81, B.2.4.1)


class _Run(NamedTuple):
    wall: float
    cpu: float
    memory: int  # bytes at the peak


def main() -> None:
    """Measure and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=1000)
    parser.add_argument("--interruptions", type=int, default=10)
    parser.add_argument("--of", type=Path, help="a folder of photographs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        # In a process of its own: the memory of this one would count as that of those it starts.
        maker = multiprocessing.get_context("spawn").Process(
            target=_make_site, args=(root, options.photos, options.of)
        )
        maker.start()
        maker.join()
        size = sum(file.stat().st_size for file in root.glob("content/*/*.jpg"))
        print(f"{options.photos} photos, {size / 1e6:,.0f} MB")
        plain = _build(root, "plain.py")
        _print("without variants", plain, root)
        _wipe(root)
        whole = _build(root, "on.py")
        _print("with variants", whole, root)
        _wipe(root)
        _interrupt(root, whole, options.interruptions)


def _make_site(root: Path, photos: int, source: Path | None) -> None:
    """Write posts of ten photos each."""
    files = sorted(source.iterdir())[:_BASES] if source else []
    bases = [camera_photo(PIL.Image.open(file)) for file in files] or list(_soft_photos())
    for number in range(photos):
        folder = root / f"content/{number // 10:04}"
        folder.mkdir(parents=True, exist_ok=True)
        data = _varied(bases[number % len(bases)], number // len(bases))
        (folder / f"{number}.jpg").write_bytes(data)
    for folder in sorted((root / "content").iterdir()):
        names = "\n\n".join(f"![A photo]({file.name})" for file in sorted(folder.iterdir()))
        head = f"Title: Post {folder.name}\nDate: 2024-05-06\n\n"
        (folder / f"post-{folder.name}.md").write_text(head + names)
    configure(root, "on", plugins=["pelican_imagehost"], layout="beside")
    more = "IMAGEHOST_FORMATS = []\n"
    configure(root, "plain", plugins=["pelican_imagehost"], layout="beside", more=more)


def _soft_photos() -> Iterator[bytes]:
    for number in range(_BASES):
        corner = (-2 + number / 20, -1.2, 0.6, 1.2)
        yield camera_photo(PIL.Image.effect_mandelbrot((2016, 1512), corner, 90))


def _varied(photo: bytes, number: int) -> bytes:
    """Return the photo with finest details that are a little stronger: other pixels."""
    end = photo.index(_TABLE) + 5 + 64
    return photo[: end - 1] + bytes([photo[end - 1] + number]) + photo[end:]


def _command(file: str) -> list[str]:
    return [sys.executable, "-m", "pelican", "content", "-q", "-s", file]


def _build(root: Path, file: str) -> _Run:
    start = time.perf_counter()
    process = subprocess.Popen(_command(file), cwd=root)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"the build with {file} failed")
    wall = time.perf_counter() - start
    return _Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def _interrupt(root: Path, whole: _Run, times: int) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    lost = 0
    for _ in range(times):
        process = subprocess.Popen(
            _command("on.py"), cwd=root, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        time.sleep(whole.wall / times)
        process.send_signal(signal.SIGINT)
        process.wait()
        lost += _lines_without_bytes(root)
    _build(root, "on.py")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    lost += _lines_without_bytes(root)
    print(
        f"with {times} interruptions: {cpu / whole.cpu:.2f} of the CPU; "
        f"{lost} lines without their bytes"
    )


def _lines_without_bytes(root: Path) -> int:
    """Count the lines with an image or a variant that is not in the store, or damaged."""
    found: dict[str, bool] = {}
    lost = 0
    for image in Manifest.load(root / "imagehost.jsonl").images.values():
        for one in image.all:
            file = root / "images" / one.key
            if one.key not in found:
                is_there = file.is_file()
                digest = hashlib.sha256(file.read_bytes()).hexdigest() if is_there else ""
                found[one.key] = digest == one.sha256
        lost += not all(found[one.key] for one in image.all)
    return lost


def _print(name: str, run: _Run, root: Path) -> None:
    stored = sum(file.stat().st_size for file in (root / "images").glob("??/*"))
    print(
        f"{name}: {run.wall:.0f} s, {run.cpu:.0f} s CPU, {run.memory / 1e6:.0f} MB of memory, "
        f"store {stored / 1e6:,.0f} MB"
    )


def _wipe(root: Path) -> None:
    for file in root.glob("imagehost*"):
        file.unlink()
    for folder in (
        "images",
        *(one.name for one in root.glob("output-*")),
        *(one.name for one in root.glob("cache-*")),
    ):
        shutil.rmtree(root / folder, ignore_errors=True)


if __name__ == "__main__":
    main()
