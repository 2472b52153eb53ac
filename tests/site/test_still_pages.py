"""Pages in a real browser: no picture moves the words around it, and each has its own box.

The pictures come from a server that holds them back, so words are painted first. The same site
is built without the plugin, to compare every box with.
"""

from __future__ import annotations

import mimetypes
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple

import PIL.Image
import pytest

from tests.conftest import Site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

WIDE, NARROW = (1280, 720), (360, 640)
ORIENTATION = 0x0112  # EXIF
WORDS = "The ferry does not wait for anyone who still looks for the right words. " * 4
BODY = """
{words}

![wide](images/wide.png)

{words}

![small](images/small.png) beside it {words}

![turned](images/turned.jpg)

{words}

<figure><img src="images/wide.png" alt="a"><figcaption>Words about it</figcaption></figure>

<div class="row"><img src="images/tall.png" alt="a"><img src="images/small.png" alt="b"></div>

{words}

<img alt="lone width" src="images/wide.png" width="200"> {words}

<img alt="lone height" src="images/wide.png" height="90"> {words}

<img alt="both" src="images/small.png" width="120" height="40"> {words}

<img alt="a share" src="images/wide.png" width="50%"> {words}

<img alt="a style" src="images/tall.png" style="width: 30%"> {words}

<img alt="a height" src="images/wide.png" style="height: 5em"> {words}

<img alt="no number" src="images/wide.png" width="150" height="auto"> {words}

{words}
"""
# The rules for pictures of popular themes, and others that bare numbers would break.
THEMES = {
    "max-width alone": "img { max-width: 100% }",
    "max-width and height": "img { max-width: 100%; height: auto; display: block; margin: 0 auto }",
    "flex": (
        "img { max-width: 100% } figure, article { display: flex; flex-direction: column }"
        ".row { display: flex; gap: 10px } .row img { flex: 1; min-width: 0; object-fit: cover }"
    ),
    "grid": (
        "img { max-width: 100% } .row { display: grid; grid-template-columns: 1fr 1fr; gap: 1em }"
        ".row img { width: 100% } figure { display: grid; place-items: center }"
    ),
    "figure": (
        "figure { display: table; border: 1px solid; padding: 4px } figcaption { font-size: 80% }"
        "figure img { display: block } img { max-width: 100%; padding: 3px; border: 1px solid }"
    ),
    "float": "img { max-width: 45%; float: left; margin: 0 1em 1em 0 } p, .row { clear: both }",
    "max-height": "img { max-width: 100%; max-height: 60vh }",
    "height": "img { height: 120px } figure img { height: 10em; width: 100% }",
    "width auto": "img { width: auto; height: auto; max-width: 100% }",
    "border box": "* { box-sizing: border-box } img { max-width: 100%; padding: 8px }",
}
PAGE = (
    "<!doctype html><html><head><title>{{ SITENAME }}</title><meta charset='utf-8'>"
    "<link rel='stylesheet' href='/style.css'></head><body><article>"
    "{{ article.content }}</article></body></html>"
)
STYLE = "body { width: min(760px, 94vw); margin: 0 auto; font: 16px/1.4 monospace }\n"


class Measured(NamedTuple):
    """What a browser saw: how far things moved, and the box of each picture."""

    shift: float
    boxes: list[list[float]]
    sizes: list[list[str | None]]  # the attributes


class Outputs(NamedTuple):
    """The outputs of builds without the plugin and with it, of one theme."""

    plain: Path
    hosted: Path


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outputs]:
    """Build the site with a theme of its own, and with both that come with Pelican."""
    root = tmp_path_factory.mktemp("still")
    site = Site(root)
    for name, size in {"wide": (2000, 1500), "tall": (900, 1600), "small": (150, 210)}.items():
        site.picture(f"content/images/{name}.png", size=size)
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = 6
    PIL.Image.new("RGB", (1200, 800), "blue").save(root / "content/images/turned.jpg", exif=exif)
    site.write(
        "content/a.md", f"Title: a\nDate: 2024-05-06\nCategory: b\n\n{BODY.format(words=WORDS)}"
    )
    site.write("theme/templates/article.html", PAGE)
    site.write("theme/templates/index.html", "")
    site.write("theme/static/.keep", "")
    site.configure(DIRECT_TEMPLATES=["index"], AUTHOR_SAVE_AS="", CATEGORY_SAVE_AS="")
    built = {}
    for theme in ("theme", "notmyidea", "simple"):
        folders = Outputs(root / f"plain-{theme}", root / f"hosted-{theme}")
        for folder, plugins in zip(folders, ("[]", '["pelican_imagehost"]'), strict=True):
            site.build("-o", str(folder), "-t", theme, "-e", f"PLUGINS={plugins}")
        built[theme] = folders
    return built


@contextmanager
def served(folder: Path, style: str) -> Iterator[str]:
    """Serve an output on this machine, its pictures when the words are painted."""
    painted = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind = mimetypes.guess_type(self.path)[0] or "application/octet-stream"
            file = folder / self.path.lstrip("/")
            data = style.encode() if self.path == "/style.css" else b""
            if file.is_file():
                data = file.read_bytes()
            if self.path == "/painted":
                painted.set()
            if file.suffix in {".png", ".jpg"}:
                painted.wait(60)
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Keep silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


OBSERVE = """
window.moved = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.moved += entry.value;
}).observe({ type: 'layout-shift', buffered: true });
"""
READ = """async () => {
  for (let frames = 0; frames < 3; frames++) await new Promise(requestAnimationFrame);
  await fetch('/painted');
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  for (let y = 0; y < document.body.scrollHeight; y += innerHeight) {
    scrollTo(0, y);
    await wait(80);
  }
  const images = [...document.querySelectorAll('img')];
  while (!images.every((one) => one.complete && one.naturalWidth)) await wait(20);
  await wait(100);
  scrollTo(0, 0);
  const box = (one) => {
    const {x, y, width, height} = one.getBoundingClientRect();
    return [x, y, width, height];
  };
  return {
    shift: window.moved,
    boxes: images.map(box),
    sizes: images.map((one) => [one.getAttribute('width'), one.getAttribute('height')]),
  };
}"""


def measure(browser: Browser, folder: Path, style: str, window: tuple[int, int]) -> Measured:
    """Read a page to its end."""
    width, height = window
    with served(folder, style) as address:
        page = browser.new_page(viewport={"width": width, "height": height})
        page.add_init_script(OBSERVE)
        page.goto(f"{address}/a.html", wait_until="domcontentloaded")
        measured = Measured(**page.evaluate(READ))
        page.close()
    return measured


def check(browser: Browser, outputs: Outputs, style: str, window: tuple[int, int]) -> None:
    """Compare a page without the plugin and with it."""
    plain = measure(browser, outputs.plain, style, window)
    hosted = measure(browser, outputs.hosted, style, window)
    assert plain.shift > 0.001  # so a shift would have been seen
    assert round(hosted.shift, 3) == 0
    for number, (before, after) in enumerate(zip(plain.boxes, hosted.boxes, strict=True)):
        assert after == pytest.approx(before, abs=1), number
    for written, found in zip(plain.sizes, hosted.sizes, strict=True):
        assert all(value in {None, found[side]} for side, value in enumerate(written))


@pytest.mark.parametrize("theme", THEMES)
def test_a_theme_of_this_manner(browser: Browser, outputs: dict[str, Outputs], theme: str) -> None:
    check(browser, outputs["theme"], STYLE + THEMES[theme], WIDE)


@pytest.mark.parametrize("window", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("theme", ["notmyidea", "simple"])
def test_a_theme_that_comes_with_pelican(
    browser: Browser, outputs: dict[str, Outputs], theme: str, window: tuple[int, int]
) -> None:
    check(browser, outputs[theme], "", window)
