"""Measure what a reader's browser does with pages of four photos, and what decorating costs.

    python -m tests.benchmarks.bench_pages [--rounds 3] [--of FOLDER] [--only CASE]

Headless Chromium reads each page to its end at 9 Mbit/s and 85 ms, with originals as they are,
with their sizes, and with variants: bytes of images before the first scroll and in all, the
largest contentful paint, and how far things move. Photos are like a camera's, of those in a
folder or of nothing. Then the CPU time to decorate 1,000 pages of 10 kB.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import random
import shutil
import statistics
import sys
import tempfile
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import PIL.Image

from pelican_imagehost.documents.decorate import decorate
from pelican_imagehost.documents.tags import find_tags
from tests.benchmarks.sites import camera_photo
from tests.benchmarks.timing import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser

CASES = {
    "originals": ["IMAGEHOST_DECORATE=false", "IMAGEHOST_FORMATS=[]"],
    "decorated": ["IMAGEHOST_FORMATS=[]"],
    "variants": ["IMAGEHOST_DECORATE=true"],
    "with sizes": ['IMAGEHOST_SIZES="min(720px, 100vw)"'],  # as drafting suggests
}
WINDOWS = {"360@2": (360, 640, 2), "1280@1": (1280, 720, 1), "1280@2": (1280, 720, 2)}
_NETWORK = {
    "offline": False,
    "latency": 85,
    "downloadThroughput": 9_000_000 / 8,
    "uploadThroughput": 9_000_000 / 8,
}
_WORDS = "The ferry does not wait for anyone who still looks for the right words. "
_SETTINGS = """
SITENAME = "Benchmark"
PATH = "content"
TIMEZONE = "UTC"
PLUGINS = ["pelican_imagehost"]
THEME = "theme"
DIRECT_TEMPLATES = []
AUTHOR_SAVE_AS = CATEGORY_SAVE_AS = ""
"""
# With its style in it, so that words are painted before any picture has begun to arrive.
_TEMPLATE = """<!doctype html>
<html><head><meta charset="utf-8"><title>{{ article.title }}</title><style>
body { max-width: 720px; margin: 1em auto; padding: 0 1em; font: 18px/1.6 serif }
img { max-width: 100%; height: auto }
</style></head><body>{{ article.content }}</body></html>
"""
_OBSERVE = """
window.seen = {moved: 0, painted: 0};
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.seen.moved += entry.value;
}).observe({type: 'layout-shift', buffered: true});
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.seen.painted = entry.startTime;
}).observe({type: 'largest-contentful-paint', buffered: true});
"""
_BYTES = """() => performance.getEntriesByType('resource')
  .filter((one) => one.initiatorType === 'img')
  .reduce((sum, one) => sum + one.encodedBodySize, 0)"""
_SCROLL = """async () => {
  for (let y = 0; y < document.body.scrollHeight; y += innerHeight / 2) {
    scrollTo(0, y);
    await new Promise((done) => setTimeout(done, 250));
  }
}"""
_COMPLETE = "() => [...document.images].every((one) => one.complete && one.naturalWidth)"
_PREFIX = "https://img.example.com/"


class _Handler(SimpleHTTPRequestHandler):
    """Serves files, which no browser may keep."""

    protocol_version = "HTTP/1.1"

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Keep silent."""


def main() -> None:
    """Measure and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--of", type=Path, help="a folder of photographs, four a page")
    parser.add_argument("--only", choices=CASES, help="of the cases")
    options = parser.parse_args()
    cases = {name: CASES[name] for name in CASES if options.only in (None, name)}
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        pages = _make_site(root, options.of)
        for case, settings in cases.items():
            command = [sys.executable, "-m", "pelican", "content", "-q", "-s", "conf.py"]
            run([*command, "-o", f"output-{case}", "-e", *settings], root)
        _measure_browser(root, list(cases), pages, options.rounds)
    _measure_decorating()


def _make_site(root: Path, source: Path | None) -> int:
    """Write the site; return the number of its pages."""
    folder = root / "content"
    folder.mkdir(parents=True)
    files = sorted(source.iterdir()) if source else []
    words = "\n\n".join([_WORDS * 5] * 7)
    for page in range(len(files) // 4 or 1):
        numbers = range(4 * page, 4 * page + 4)
        for number in numbers:
            picture = PIL.Image.open(files[number]) if files else _photo(number)
            (folder / f"photo-{number}.jpg").write_bytes(camera_photo(picture))
        text = f"\n\n{words}\n\n".join(f"![Photo {one}](photo-{one}.jpg)" for one in numbers)
        head = f"Title: Four photos\nDate: 2024-05-06\nSlug: photos-{page}\nCategory: trips\n\n"
        (folder / f"photos-{page}.md").write_text(f"{head}{_WORDS}\n\n{text}\n\n{words}\n")
    templates = root / "theme/templates"
    templates.mkdir(parents=True)
    (root / "theme/static").mkdir()
    (templates / "article.html").write_text(_TEMPLATE)
    (root / "conf.py").write_text(_SETTINGS)
    return len(files) // 4 or 1


def _photo(number: int) -> PIL.Image.Image:
    """Make a picture with soft and hard edges."""
    size = (2016, 1512)
    soft = PIL.Image.effect_mandelbrot((504, 378), (-2 + number / 9, -1.2, 0.6, 1.2), 90)
    noise = PIL.Image.effect_noise(size, 26)
    grey = PIL.Image.blend(soft.resize(size, PIL.Image.Resampling.BICUBIC), noise, 0.35)
    tint = PIL.Image.new("L", size, 40 * number + 30)
    return PIL.Image.merge("RGB", (grey, PIL.Image.blend(grey, tint, 0.3), tint))


@contextlib.contextmanager
def _served(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _measure_browser(root: Path, cases: list[str], pages: int, rounds: int) -> None:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  the rest runs without it

    chromium = shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for window in WINDOWS:
            for case in cases:
                with _served(root / f"output-{case}") as address:
                    seen = [
                        _read(browser, f"{address}/photos-{page}.html", window)
                        for page in range(pages)
                        for _ in range(rounds)
                    ]
                first, whole, painted, moved = map(statistics.mean, zip(*seen, strict=True))
                print(
                    f"{window:7} {case:10} {first / 1e3:8,.0f} kB before the first scroll, "
                    f"{whole / 1e3:8,.0f} kB in all, LCP {painted / 1e3:5.2f} s, "
                    f"moved {moved:.3f}"
                )
        browser.close()


def _read(browser: Browser, address: str, window: str) -> tuple[float, float, float, float]:
    """Read a page; return bytes until the first scroll, all bytes, LCP in ms, and the shift."""
    width, height, density = WINDOWS[window]
    context = browser.new_context(
        viewport={"width": width, "height": height}, device_scale_factor=density
    )
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", _NETWORK)
    page.add_init_script(_OBSERVE)
    page.set_default_timeout(120_000)
    page.goto(address, wait_until="load")
    page.wait_for_timeout(1000)
    painted = page.evaluate("() => window.seen.painted")
    first = page.evaluate(_BYTES)
    page.evaluate(_SCROLL)
    page.wait_for_function(_COMPLETE)
    page.wait_for_timeout(300)
    result = first, page.evaluate(_BYTES), painted, page.evaluate("() => window.seen.moved")
    context.close()
    return result


def _measure_decorating() -> None:
    pages = [_page(number) for number in range(1000)]
    tasks: dict[str, Callable[[str], object]] = {
        "decorating": lambda page: decorate(page, _PREFIX, lambda _: (4032, 3024)),
        "walking every tag": lambda page: list(find_tags(page)),
    }
    for name, task in tasks.items():
        print(f"{name}: {min(_seconds(task, pages) for _ in range(7)) * 1e3:.0f} ms a 1,000 pages")


def _seconds(task: Callable[[str], object], pages: list[str]) -> float:
    start = time.process_time()
    for page in pages:
        task(page)
    return time.process_time() - start


def _page(number: int) -> str:
    """Make a page of about 10 kB with 120 links and three pictures."""
    chooser = random.Random(number)  # noqa: S311  the same page every time
    parts = []
    for link in range(120):
        words = " ".join(chooser.choices(_WORDS.split(), k=5))
        parts.append(f'<p>{words} <a href="/posts/{link}.html">{words[:9]}</a></p>\n')
        if link % 40 == 20:
            digest = hashlib.sha256(f"{number} {link}".encode()).hexdigest()
            address = f"{_PREFIX}{digest[:2]}/{digest}.jpg"
            parts.append(f'<p><img alt="A picture" src="{address}"></p>\n')
    head = "<title>Words</title><meta charset='utf-8'><link rel='stylesheet' href='/a.css'>"
    body = f"<body>{''.join(parts)}<script src='/a.js'></script></body>"
    return f"<!DOCTYPE html>\n<html lang='en'><head>{head}</head>{body}</html>\n"


if __name__ == "__main__":
    main()
