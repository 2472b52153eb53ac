"""Compare drafting with `pelican-imagehost watch` and with `pelican -r`, on the same site.

    python -m tests.benchmarks.bench_watch [--posts 1000] [--saves 40] [--rebuilds 100] [--photos 5]

Seconds from a save to the page on the disk, and to the page painted in headless
Chromium, with a whole build running behind; the same for a save that names a new photo of 24
megapixels, whose variants are being made while the next is saved; then memory and idle CPU of the
builder.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING

import PIL.Image

from tests.benchmarks.sites import camera_photo, configure, make_photo, make_site
from tests.benchmarks.timing import cpu_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

_WATCH = "from pelican_imagehost.cli.watch import watch; watch()"
_PATIENCE = 600.0  # seconds for one save to show


def main() -> None:
    """Measure and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=1000)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--saves", type=int, default=40)
    parser.add_argument("--photos", type=int, default=5, help="saves, each with a new photo")
    parser.add_argument("--pelican-saves", type=int, default=5)
    parser.add_argument("--rebuilds", type=int, default=100)
    parser.add_argument("--idle", type=float, default=30.0, help="seconds")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_site(root, posts=options.posts, images=options.images, size=10_000)
        print(f"{options.posts} posts, {options.images} images:", flush=True)
        watched = _measure_watch(root, options)
        plain = _measure_pelican(root, options.pelican_saves)
        print(f"  pelican -r is {plain / watched:.0f} times slower from save to disk")


def _measure_watch(root: Path, options: argparse.Namespace) -> float:
    name = configure(root, "watched", plugins=["pelican_imagehost"], layout="beside")
    command = [sys.executable, "-c", _WATCH, "-s", name, "--port", "0"]
    with _running(command, root) as (process, stderr):
        address = _await(stderr, r"preview at (http://[^;\s]+);")
        _await(stderr, "(site built)")
        saves = [_save(root, "output-watched", number) for number in range(options.saves)]
        _await(stderr, "(site built)")
        _print("watch: save to disk", saves)
        _measure_paint(root, address, options.saves, options.photos)
        _measure_memory(root, process.pid, stderr, options.rebuilds)
        _await(stderr, None)
        before = cpu_of(*_family(process.pid))
        time.sleep(options.idle)
        idle = (cpu_of(*_family(process.pid)) - before) / options.idle
        print(f"  {'watch: idle':28} {idle:.2%} of a CPU", flush=True)
    return statistics.median(saves)


def _measure_pelican(root: Path, saves: int) -> float:
    name = configure(root, "plain", plugins=[], layout="beside")
    command = [sys.executable, "-m", "pelican", "-r", "-s", name]
    with _running(command, root):
        output = root / "output-plain/post-0.html"
        deadline = time.monotonic() + _PATIENCE
        while not output.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        times = []
        for number in range(saves):
            _rest(output)
            times.append(_save(root, "output-plain", 10**6 + number))
    _print("pelican -r: save to disk", times)
    return statistics.median(times)


def _rest(output: Path) -> None:
    """Wait until a build has ended; `pelican -r` would lose a save during it."""
    folder = output.parent
    quiet = time.monotonic()
    before = None
    while time.monotonic() - quiet < 3.0:
        now = max(entry.stat().st_mtime_ns for entry in os.scandir(folder))
        if now != before:
            before, quiet = now, time.monotonic()
        time.sleep(0.2)


def _save(root: Path, output: str, number: int) -> float:
    """Save a post, and wait until its page shows the change."""
    mark = f"saved-{number}-"
    page = root / output / "post-0.html"
    post = root / "content/000/post-0.md"
    text = re.sub(r"saved-\d+-\n", "", post.read_text("utf-8")) + f"{mark}\n"
    start = time.perf_counter()
    post.write_text(text, "utf-8")
    while time.perf_counter() - start < _PATIENCE:
        with contextlib.suppress(OSError):
            if mark in page.read_text("utf-8"):
                return time.perf_counter() - start
        time.sleep(0.001)
    sys.exit(f"the save {number} was lost")


def _measure_paint(root: Path, address: str, saves: int, photos: int) -> None:
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415  perhaps not here
    except ImportError:
        print("  painting is not measured: playwright is not installed")
        return
    chromium = shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"{address}post-0.html")
        times = []
        for number in range(5000, 5000 + saves):
            # Painted: two frames after the text is there.
            page.evaluate(
                "(mark) => { window.painted = new Promise((done) => { const look = () =>"
                " document.body.innerText.includes(mark)"
                " ? requestAnimationFrame(() => requestAnimationFrame(() => done(Date.now())))"
                " : requestAnimationFrame(look); look(); }); }",
                f"saved-{number}-",
            )
            start = time.time()
            _save(root, "output-watched", number)
            times.append(page.evaluate("() => window.painted") / 1000 - start)
        _print("watch: save to painted", times)
        if photos:
            times = [_save_photo(root, page, number) for number in range(photos)]
            _print("watch: new photo to painted", times)
        browser.close()


def _save_photo(root: Path, page: Page, number: int) -> float:
    """Save a photo, and a post that shows it; wait until Chromium has painted it."""
    name = f"new-{number}.jpg"
    data = camera_photo(PIL.Image.open(BytesIO(make_photo(number))), 24_000_000)
    (root / f"content/000/{name}").write_bytes(data)
    post = root / "content/000/post-0.md"
    text = post.read_text("utf-8") + f"\n![The photo {number}]({name})\n"
    start = time.time()
    post.write_text(text, "utf-8")
    # Until the page is loaded anew, if it is.
    page.wait_for_function(
        "(alt) => { const found = document.querySelector(`img[alt='${alt}']`);"
        " if (found) found.scrollIntoView();"
        " return found && found.complete && found.naturalWidth; }",
        arg=f"The photo {number}",
    )
    return time.time() - start


def _measure_memory(root: Path, process: int, stderr: IO[str], rebuilds: int) -> None:
    sizes = {}
    _await(stderr, None)
    for number in range(1, rebuilds + 1):
        _save(root, "output-watched", 9000 + number)
        _await(stderr, "(site built)")
        if number in {1, 10, rebuilds}:
            _await(stderr, None)
            sizes[number] = _memory(process)
    text = ", ".join(f"{size:.0f} MiB after {number}" for number, size in sizes.items())
    print(f"  {'watch: memory of all':28} {text} rebuilds", flush=True)


@contextlib.contextmanager
def _running(command: list[str], root: Path) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    with (root / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=root, stdout=subprocess.DEVNULL, stderr=log, text=True
        )
        try:
            with (root / "log").open() as stderr:
                yield process, stderr
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def _await(stderr: IO[str], pattern: str | None) -> str:
    """Read until a line matches; without a pattern, until there is no more output."""
    quiet = start = time.monotonic()
    while time.monotonic() - start < _PATIENCE:
        line = stderr.readline()
        if line:
            quiet = time.monotonic()
            match = re.search(pattern, line) if pattern else None
            if match:
                return match[1]
        elif pattern is None and time.monotonic() - quiet > 5.0:
            return ""
        else:
            time.sleep(0.005)
    sys.exit(f"{pattern} was not said")


def _family(process: int) -> list[int]:
    """List a process and its descendants; `children` in /proc omits adopted processes."""
    parents = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{entry}/stat").read_text()
            parents[int(entry)] = int(text.rpartition(")")[2].split()[1])
    family = [process]
    for one in family:  # which grows
        family += [child for child, parent in parents.items() if parent == one]
    return family


def _memory(process: int) -> float:
    """Return the MiB of a process and its descendants; shared memory is counted once."""
    total = 0
    for one in _family(process):
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{one}/smaps_rollup").read_text()
            total += int(re.findall(r"^Pss:\s+(\d+)", text, re.MULTILINE)[0])
    return total / 1024


def _print(what: str, times: list[float]) -> None:
    ordered = sorted(times)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]
    print(
        f"  {what:28} median {statistics.median(times) * 1000:7.0f} ms, p95 {p95 * 1000:7.0f} ms,"
        f" max {ordered[-1] * 1000:7.0f} ms ({len(times)} saves)",
        flush=True,
    )


if __name__ == "__main__":
    main()
