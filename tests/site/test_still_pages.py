"""Pages in a real browser: no picture moves the words around it, and each has its own box.

The pictures come from a server that holds them back, so words are painted first. The same site
is built without the plugin, to compare every box with, and with variants of several formats.
"""

from __future__ import annotations

import mimetypes
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import PIL.Image
import pytest

from tests.conftest import Site
from tests.images.variants.pictures import encode, photo, screenshot
from tests.images.variants.test_animation import moving

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from playwright.sync_api import Browser

WIDE, NARROW = (1280, 720), (360, 640)
ORIENTATION = 0x0112  # EXIF
WORDS = "The ferry does not wait for anyone who still looks for the right words. " * 4
BODY = """
{words}

![wide](images/wide.jpg)

{words}

![small](images/small.png) beside it {words}

![narrow](images/narrow.jpg)

![moving](images/moving.gif) beside it {words}

![screenshot](images/screenshot.png) {words}

![turned](images/turned.jpg)

{words}

<figure><img src="images/wide.jpg" alt="a"><figcaption>Words about it</figcaption></figure>

<div class="row"><img src="images/tall.jpg" alt="a"><img src="images/small.png" alt="b"></div>

{words}

<img alt="lone width" src="images/wide.jpg" width="200"> {words}

<img alt="lone height" src="images/wide.jpg" height="90"> {words}

<img alt="both" src="images/small.png" width="120" height="40"> {words}

<img alt="a share" src="images/wide.jpg" width="50%"> {words}

<img alt="a style" src="images/tall.jpg" style="width: 30%"> {words}

<img alt="a height" src="images/wide.jpg" style="height: 5em"> {words}

<img alt="no number" src="images/wide.jpg" width="150" height="auto"> {words}

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


# Which variants pages offer: by `picture`, by `srcset`, or none.
FORMATS = {"avif": ["avif"], "webp": ["webp"], "none": []}
# The themes that are tried with each kind, in the ordinary run; with `avif` all are.
SOME = frozenset({"flex", "figure", "width auto"})


class Measured(NamedTuple):
    """What a browser saw: how far things moved, and the box of each picture."""

    shift: float
    boxes: list[list[float]]
    sizes: list[list[str | None]]  # the attributes
    shown: list[str]  # the types of the files


Outputs = dict[str, Path]  # "plain", without the plugin, or a key of FORMATS → the output


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outputs]:
    """Build the site with a theme of its own, and with both that come with Pelican."""
    root = tmp_path_factory.mktemp("still")
    site = Site(root)
    site.picture("content/images/small.png", size=(150, 210))
    for name, size in {"wide": (2000, 1500), "tall": (900, 1600), "narrow": (600, 450)}.items():
        site.write(f"content/images/{name}.jpg", encode(photo(size), "jpg"))
    frames = [photo((480, 320), seed) for seed in range(3)]
    site.write("content/images/moving.gif", moving("gif", frames, least=0, duration=100))
    site.write("content/images/screenshot.png", encode(screenshot((1000, 700)), "png"))
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = 6
    turned = encode(photo((1200, 800)), "jpg", exif=exif)
    site.write("content/images/turned.jpg", turned)
    site.write(
        "content/a.md", f"Title: a\nDate: 2024-05-06\nCategory: b\n\n{BODY.format(words=WORDS)}"
    )
    site.write("theme/templates/article.html", PAGE)
    site.write("theme/templates/index.html", "")
    site.write("theme/static/.keep", "")
    site.configure(DIRECT_TEMPLATES=["index"], AUTHOR_SAVE_AS="", CATEGORY_SAVE_AS="")
    built: dict[str, Outputs] = {theme: {} for theme in ("theme", "notmyidea", "simple")}
    for kind, formats in {"plain": [], **FORMATS}.items():
        plugins = [] if kind == "plain" else ["pelican_imagehost"]
        site.configure(PLUGINS=plugins, IMAGEHOST_FORMATS=formats)
        for theme, folders in built.items():
            folders[kind] = root / f"{kind}-{theme}"
            site.build("-o", str(folders[kind]), "-t", theme)
    return built


PICTURES = frozenset({".avif", ".gif", ".jpg", ".png", ".webp"})


@contextmanager
def served(folder: Path, style: str, painted: threading.Event) -> Iterator[str]:
    """Serve an output on this machine, its pictures when the words are painted.

    Pictures come from a port of their own, because a browser opens six connections to each: style
    sheets must not wait for pictures.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind = mimetypes.guess_type(self.path)[0] or "application/octet-stream"
            file = folder / self.path.lstrip("/")
            is_picture = file.suffix in PICTURES
            if is_picture and self.server is page_server:
                self.send_response(302)
                self.send_header("Location", f"{picture_server}{self.path}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            data = style.encode() if self.path == "/style.css" else b""
            if file.is_file():
                data = file.read_bytes()
            if is_picture:
                painted.wait(60)
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Keep silent."""

    page_server, other = (ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in range(2))
    picture_server = f"http://127.0.0.1:{other.server_port}"
    threads = [threading.Thread(target=one.serve_forever) for one in (page_server, other)]
    for thread in threads:
        thread.start()
    try:
        yield f"http://127.0.0.1:{page_server.server_port}"
    finally:
        for one, thread in zip((page_server, other), threads, strict=True):
            one.shutdown()
            thread.join()
            one.server_close()


OBSERVE = """
window.moved = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.moved += entry.value;
}).observe({ type: 'layout-shift', buffered: true });
"""
# Things move only if they were painted before, and if no one scrolls at that moment.
FRAMES = """
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const frames = async () => {
  for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
};
"""
PAINT = f"""async () => {{ {FRAMES}
  while (!performance.getEntriesByName('first-contentful-paint').length) await wait(10);
  await frames();
}}"""
READ = (
    f"async () => {{ {FRAMES}"
    """
  const all = (images) => images.every((one) => one.complete && one.naturalWidth);
  const images = [...document.querySelectorAll('img')];
  while (!all(images.filter((one) => one.loading !== 'lazy'))) await wait(20);
  await frames();
  for (let y = 0; y < document.body.scrollHeight; y += innerHeight) {
    scrollTo(0, y);
    await wait(80);
  }
  while (!all(images)) await wait(20);
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
    shown: images.map((one) => one.currentSrc.split('.').pop()),
  };
}"""
)


def measure(browser: Browser, folder: Path, style: str, window: tuple[int, int]) -> Measured:
    """Read a page to its end."""
    width, height = window
    painted = threading.Event()  # not by a request: all connections wait for pictures
    with served(folder, style, painted) as address:
        page = browser.new_page(viewport={"width": width, "height": height})
        page.add_init_script(OBSERVE)
        page.goto(f"{address}/a.html", wait_until="domcontentloaded")
        page.evaluate(PAINT)
        painted.set()
        measured = Measured(**page.evaluate(READ))
        page.close()
    return measured


def check(
    browser: Browser, outputs: Outputs, kind: str, style: str, window: tuple[int, int]
) -> None:
    """Compare a page without the plugin and with it."""
    plain = measure(browser, outputs["plain"], style, window)
    hosted = measure(browser, outputs[kind], style, window)
    assert plain.shift > 0.001  # so a shift would have been seen
    assert round(hosted.shift, 3) == 0
    for number, (before, after) in enumerate(zip(plain.boxes, hosted.boxes, strict=True)):
        assert after == pytest.approx(before, abs=1), number
    for written, found in zip(plain.sizes, hosted.sizes, strict=True):
        assert all(value in {None, found[side]} for side, value in enumerate(written))
    shown = {
        "avif": {"avif", "webp", "png"},
        "webp": {"webp", "png"},
        "none": {"jpg", "gif", "png"},
    }
    assert set(hosted.shown) == shown[kind]
    assert hosted.shown.count("png") == (plain.shown.count("png") - (kind != "none"))


def trials(themes: Iterable[str]) -> list[Any]:
    """Return each theme with each kind of variants; most of them are for full runs."""
    return [
        pytest.param(theme, kind, marks=[] if kind == "avif" or theme in SOME else pytest.mark.full)
        for kind in FORMATS
        for theme in themes
    ]


@pytest.mark.parametrize(("theme", "kind"), trials(THEMES))
def test_a_theme_of_this_manner(
    browser: Browser, outputs: dict[str, Outputs], theme: str, kind: str
) -> None:
    check(browser, outputs["theme"], kind, STYLE + THEMES[theme], WIDE)


@pytest.mark.parametrize("window", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize(("theme", "kind"), trials(["notmyidea", "simple"]))
def test_a_theme_that_comes_with_pelican(
    browser: Browser, outputs: dict[str, Outputs], theme: str, kind: str, window: tuple[int, int]
) -> None:
    check(browser, outputs[theme], kind, "", window)
