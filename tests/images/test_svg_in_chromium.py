"""Chromium shows what is accepted, at the size that is recorded; alone it is quiet."""

from __future__ import annotations

import importlib.util
import random
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple

import pytest

from pelican_imagehost.errors import ImageHostError
from pelican_imagehost.images.svg import inspect
from tests.host.test_nginx import POLICY
from tests.images.svg_exports import HONEST
from tests.images.svgs import HARMLESS, HOSTILE, HOSTILE_PROLOGS, INVISIBLE, SIZES, wrap

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from playwright.sync_api import Page

    from tests.conftest import Require

ACCEPTED = {
    **{name: export.data for name, export in HONEST.items()},
    **{attributes: wrap("", attributes=attributes) for attributes in SIZES},
    **{name: wrap(part) for name, part in HARMLESS.items()},
}
REFUSED = {
    **{name: wrap(part) for name, part in HOSTILE.items()},
    **{name: wrap("", prolog=prolog) for name, prolog in HOSTILE_PROLOGS.items()},
}
# Refused, and quiet in the Chromium of today: it does not know it, it leads elsewhere than to
# this server, it is not used, or more than a click is needed.
QUIET = frozenset(
    """a handler of the future, a script in capitals, an event handler in capitals,
    an SVG Tiny handler, a source function, an image function, a text as an image,
    a document used from data, a neighbouring image, an external use, an image of no scheme,
    an external gradient, two addresses, an imported sheet as data, an address set by animation,
    an address animated, an HTML image set after data, a script link in MathML,
    a script link of no element, a script link of an area, a script link among values,
    a script link by another prefix, an SVG data link, an HTML frame, an HTML object, an HTML embed,
    an HTML form, an HTML button, an HTML base, an XSLT style sheet, an external entity,
    an external public entity, a parameter entity, billions of laughs,
    an XHTML document type""".replace("\n    ", " ").split(", ")
)
SCRAPS = [b"<", b">", b"</", b"/>", b'"', b"&", b"&amp;", b"]]>", b"<![CDATA[", b"<!--", b"-->"]
SCRAPS += [b"\xff\xfe", b"\0", b"\xe9", b"\xc2\xa0", b"xmlns", b"url(", b"1e999", b":", b"-", b"."]
SCRAPS += [b"%", b"e", b"0", b"9", b" ", b"em", b" x:y='1'", b" xmlns:q='u'", b"&nbsp;", b"<?a?>"]
SCRAPS += [b"<!DOCTYPE svg>", b"none", b";", b"'", b"\r\n"]
NATURAL_SIZES = """async (names) => {
    const sizes = {};
    for (const [name, address] of Object.entries(names)) {
        const image = new Image();
        image.src = address;
        await image.decode().catch(() => {});
        sizes[name] = [image.naturalWidth, image.naturalHeight];
    }
    return sizes;
}"""


FOLLOW_LINKS = """() => {
    for (const frame of document.querySelectorAll("iframe"))
        for (const link of frame.contentDocument?.querySelectorAll("a, area, button, mi") ?? [])
            link.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true }));
}"""


class Stage(NamedTuple):
    """A server that records what is requested of it, and a page of a browser."""

    address: str
    files: dict[str, bytes]
    requests: list[str]
    page: Page

    def put(self, files: Mapping[str, bytes], policy: str = "") -> dict[str, str]:
        """Serve files, each with its own BASE; return their addresses by name."""
        places = {name: f"/{'policy' if policy else 'plain'}/{n}" for n, name in enumerate(files)}
        for name, place in places.items():
            base = f"{self.address}{place}-fetched"
            script = f"fetch(`{base}/ran`)".encode()
            data = files[name].replace(b"ran()", script).replace(b"BASE", base.encode())
            self.files[f"{place}.svg"] = data
        self.requests.clear()
        return {name: f"{self.address}{place}.svg" for name, place in places.items()}

    def open_all(
        self, addresses: Mapping[str, str], expected: AbstractSet[str] = frozenset()
    ) -> set[str]:
        """Open files in frames, follow links, and return the names of those that request anything.

        It waits for those that are expected to, and half a second.
        """
        frames = "".join(f'<iframe src="{address}"></iframe>' for address in addresses.values())
        self.files["/frames"] = frames.encode()
        self.page.goto(f"{self.address}/frames")
        self.page.evaluate(FOLLOW_LINKS)
        places = {name: address[len(self.address) : -4] for name, address in addresses.items()}
        for wait in [500, *[100] * 100]:
            self.page.wait_for_timeout(wait)
            asked = {path.partition("-fetched")[0] for path in self.requests if "-fetched" in path}
            acting = {name for name, place in places.items() if place in asked}
            if acting >= expected:
                break
        return acting


@pytest.fixture(scope="module")
def loaded() -> Iterator[Stage | None]:
    chromium = shutil.which("chromium")
    if not (chromium and importlib.util.find_spec("playwright")):
        yield None
        return
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  perhaps not here

    files: dict[str, bytes] = {"/": b"<!doctype html><title>images</title>"}
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.path)
            found = files.get(self.path)
            self.send_response(200 if found is not None else 404)
            kind = "image/svg+xml" if self.path.endswith(".svg") else "text/html"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(found or b"")))
            if self.path.startswith("/policy"):
                self.send_header("Content-Security-Policy", POLICY)
            self.end_headers()
            self.wfile.write(found or b"")

        do_POST = do_GET  # noqa: N815  http.server's name

        def log_message(self, *arguments: object) -> None:
            """Keep the output of the tests clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server, sync_playwright() as playwright:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        address = f"http://127.0.0.1:{server.server_port}"
        yield Stage(address, files, requests, browser.new_page())
        browser.close()
        server.shutdown()


@pytest.fixture
def stage(loaded: Stage | None, require: Require) -> Stage:
    require(loaded, "chromium and playwright are not installed")
    assert loaded is not None
    return loaded


def measure_all(stage: Stage, files: Mapping[str, bytes]) -> dict[str, tuple[int, int]]:
    stage.page.goto(f"{stage.address}/")
    sizes = stage.page.evaluate(NATURAL_SIZES, stage.put(files))
    return {name: (size[0], size[1]) for name, size in sizes.items()}


def test_what_is_accepted_is_shown_at_the_size_that_is_recorded(stage: Stage) -> None:
    shown = measure_all(stage, ACCEPTED)
    ours = {name: inspect(data) for name, data in ACCEPTED.items()}
    assert {name: (shown[name], ours[name]) for name in ours if shown[name] != ours[name]} == {}
    assert not [path for path in stage.requests if "-fetched" in path]


def test_what_is_not_shown_is_refused(stage: Stage) -> None:
    shown = measure_all(stage, {name: data for name, (data, _) in INVISIBLE.items()})
    assert {name: size for name, size in shown.items() if 0 not in size} == {}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("rounds", [2, pytest.param(500, marks=pytest.mark.full)])
def test_a_damaged_file_is_shown_at_the_size_that_is_recorded(stage: Stage, rounds: int) -> None:
    source = random.Random(rounds)  # noqa: S311  the same files every time
    seeds = [*ACCEPTED.values(), *(data for data, _ in INVISIBLE.values())]
    for _ in range(rounds):
        files = {str(number): damage(source, source.choice(seeds)) for number in range(200)}
        accepted = {name: size for name, data in files.items() if (size := accept(data))}
        shown = measure_all(stage, {name: files[name] for name in accepted})
        # What is thinner than half a pixel is recorded as one.
        assert {
            name: tuple(size or 1 for size in sizes) for name, sizes in shown.items()
        } == accepted


def damage(source: random.Random, data: bytes) -> bytes:
    damaged = bytearray(data)
    for _ in range(source.randrange(1, 4)):
        start = source.randrange(min(len(damaged), source.choice([300, 9999])))
        damaged[start : start + source.choice([0, 0, 1, 2, 5])] = source.choice(SCRAPS)
    return bytes(damaged)


def accept(data: bytes) -> tuple[int, int] | None:
    try:
        return inspect(data)
    except ImageHostError:
        return None


def test_what_is_accepted_is_quiet_when_it_is_opened_alone(stage: Stage) -> None:
    said: list[str] = []
    browser = stage.page.context.browser
    assert browser
    page = browser.new_page()
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("pageerror", lambda error: said.append(str(error)))
    addresses = stage.put({name: ACCEPTED[name] for name in [*HONEST, *HARMLESS]})
    for address in addresses.values():
        page.goto(address)
        page.wait_for_timeout(30)
    page.close()
    opened = {address.removeprefix(stage.address) for address in addresses.values()}
    assert {path for path in stage.requests if path != "/favicon.ico"} == opened
    assert said == []


def test_what_is_refused_acts_when_it_is_opened_alone(stage: Stage) -> None:
    acting = stage.open_all(stage.put(REFUSED), REFUSED.keys() - QUIET)
    assert REFUSED.keys() - QUIET - acting == set()


def test_nothing_acts_under_the_policy_of_the_host(stage: Stage) -> None:
    assert stage.open_all(stage.put(REFUSED, POLICY)) == set()
