"""The gallery in a real browser, on a real service."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import pty
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from pelican_imagehost.serve.access import Access
from tests.serve.serverkit import TOKEN, Server, server, upload_site
from tests.test_plugin import HOST, key_of, post

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, FilePayload, Page

    from tests.conftest import PictureMaker, Require, Site

__all__ = ["server", "upload_site"]

FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser | None]:
    chromium = shutil.which("chromium")
    if not (chromium and importlib.util.find_spec("playwright")):
        yield None
        return
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  perhaps not here

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser | None, server: Server, require: Require) -> Iterator[Page]:
    """A page that is logged in; its console must stay free of errors and policy violations."""
    require(browser, "chromium and playwright are not installed")
    assert browser is not None
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server.url)
    opened = context.new_page()
    opened.set_default_timeout(20_000)
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    log_in(opened, server)
    opened.wait_for_url(f"{server.url}/", wait_until="load")
    yield opened
    context.close()
    assert [text for text in wrong if "status of 4" not in text] == []


def log_in(page: Page, server: Server, token: str = TOKEN) -> None:
    page.goto(f"{server.url}/login")
    page.get_by_label("Access token").fill(token)
    page.get_by_role("button", name="Log in").click()


def fill_in(site: Site) -> dict[str, Path]:
    """Give the site two documents and four pictures, one of them unused; build it."""
    names = {"cat.jpg": "red", "harbour.png": "blue", "old.png": "green", "same.jpg": "red"}
    files = {n: site.picture(f"content/{n}", colour=c, size=(400, 300)) for n, c in names.items()}
    post(site, "a.md", "![a](cat.jpg) ![s](same.jpg)\n\n![g](gone.png)")
    post(site, "b.md", "![b](harbour.png) ![o](old.png)")
    site.build()
    post(site, "b.md", "![b](harbour.png)")
    site.build()
    return files


def cards(page: Page) -> list[str]:
    return page.locator(".card h3").all_inner_texts()


def paste_or_drop(page: Page, kind: str, files: dict[str, bytes]) -> None:
    """Dispatch events in the page, as a mouse or keyboard would cause them."""
    contents = [[name, base64.b64encode(data).decode()] for name, data in files.items()]
    page.evaluate(
        """([kind, contents]) => {
            const data = new DataTransfer();
            for (const [name, text] of contents) {
                const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
                data.items.add(new File([bytes], name, { type: "image/png" }));
            }
            const options = { bubbles: true, cancelable: true };
            const event = kind === "paste"
                ? new ClipboardEvent("paste", { ...options, clipboardData: data })
                : new DragEvent(kind, { ...options, dataTransfer: data });
            document.body.dispatchEvent(event);
        }""",
        [kind, contents],
    )


def test_a_page_asks_for_a_token_and_lets_no_wrong_one_in(page: Page, server: Server) -> None:
    page.get_by_role("button", name="Log out").click()
    page.get_by_label("Access token").wait_for()
    page.goto(server.url)
    assert page.url == f"{server.url}/login"
    log_in(page, server, "wrong-" + TOKEN)
    page.get_by_role("alert").wait_for()
    assert "unknown token" in page.get_by_role("alert").inner_text()
    log_in(page, server)
    page.get_by_text("No images yet.").wait_for()
    cookie = page.context.cookies()[0]
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")


def test_a_ticket_lets_in_for_a_while_and_a_wrong_one_does_not(server: Server) -> None:
    access = Access({"environment": TOKEN})
    over = access._seal("ticket", "environment", -1)  # noqa: SLF001  ten minutes are long to wait
    session = access.open_session("environment")
    invalid = f"9999999999.{'0' * 32}.{'0' * 64}"
    for wrong in (over, session, invalid, "", ".", "..", "猫"):
        answer = server.request("GET", f"/login?{urlencode({'ticket': wrong})}")
        assert (answer.status, answer.headers["Set-Cookie"]) == (401, None)
        assert b"This link has expired" in answer.body
    address = f"/login?ticket={access.open_ticket()}"
    assert server.request("HEAD", address).headers["Set-Cookie"] is None  # a preview of the link
    answer = server.request("GET", address)
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    assert server.request("GET", "/", Cookie=cookie).status == 200
    assert server.request("GET", address).status == 401


def test_a_ticket_is_shown_on_a_terminal_alone(server: Server) -> None:
    assert "ticket" not in server.stop()  # it is in a file
    terminal, other = pty.openpty()
    command = [sys.executable, "-m", "pelican_imagehost", "serve", "--port", "0"]
    process = subprocess.Popen(
        command,
        cwd=server.site.root,
        env={**os.environ, "IMAGEHOST_TOKEN": TOKEN},
        stderr=other,
    )
    os.close(other)
    said = ""
    while (match := re.search(r"(/login\?ticket=\S+)\s", said)) is None:
        said += os.read(terminal, 1000).decode()
    process.kill()
    process.wait()
    os.close(terminal)
    ticket = match[1].partition("=")[2]
    assert Access({"environment": TOKEN}).redeem(ticket) == "environment"


def test_what_there_is_is_shown_and_found(page: Page, server: Server) -> None:
    files = fill_in(server.site)
    page.reload()
    assert sorted(cards(page)) == ["cat.jpg", "harbour.png", "old.png"]
    assert page.locator(".problems h2").inner_text() == "1 problem in the last build"
    problem = page.locator(".problems li").inner_text()
    assert "content/a.md:6" in problem
    assert "gone.png" in problem
    cat = page.locator(".card", has_text="cat.jpg")
    assert "400 × 300" in cat.inner_text()
    assert "content/a.md" in cat.inner_text()
    assert "content/same.jpg" in cat.inner_text()
    for image in page.locator(".print img").all():
        image.scroll_into_view_if_needed()
        page.wait_for_timeout(100)
        assert image.evaluate("(one) => one.complete && one.naturalWidth > 0")
        assert image.get_attribute("loading") == "lazy"
    page.get_by_label("Search").fill("A.MD")
    page.keyboard.press("Enter")
    page.get_by_text("1 image found").wait_for()
    assert cards(page) == ["cat.jpg"]
    page.get_by_role("link", name="Show all").click()
    page.get_by_label("Type").select_option("png")
    page.get_by_label("Order").select_option("name")
    page.get_by_role("button", name="Search", exact=True).click()
    page.get_by_text("2 images found").wait_for()
    assert cards(page) == ["harbour.png", "old.png"]
    page.get_by_role("link", name="Unused 1").click()
    page.get_by_text("1 image found").wait_for()
    assert cards(page) == ["old.png"]
    page.goto(f"{server.url}/?until=2000-01-01")
    page.get_by_text("No images match.").wait_for()
    assert files["old.png"].exists()


def test_it_finds_without_a_script(browser: Browser, page: Page, server: Server) -> None:
    fill_in(server.site)
    context = browser.new_context(java_script_enabled=False)
    plain = context.new_page()
    log_in(plain, server)
    plain.get_by_label("Search").fill("old")
    plain.get_by_role("button", name="Search", exact=True).click()
    plain.get_by_text("1 image found").wait_for()
    assert cards(plain) == ["old.png"]
    assert not plain.get_by_role("button", name="Markdown").is_visible()
    plain.get_by_label("Select old.png").check()
    plain.get_by_role("button", name="Delete…").click()
    assert "1 image deleted" in plain.get_by_role("heading").inner_text()
    plain.get_by_role("link", name="Back to the images").click()
    assert sorted(cards(plain)) == ["cat.jpg", "harbour.png"]
    context.close()
    assert page.url.startswith(server.url)


NAMES = ["五月的猫 🐈.png", "<img src=x onerror=alert(1)>.png", 'it\'s "a" [b]_c*(d).png']


def test_dropped_files_arrive_and_any_name_is_only_text(
    page: Page, picture: PictureMaker, tmp_path: Path
) -> None:
    files = {n: picture(tmp_path / f"{i}.png", seed=i + 1) for i, n in enumerate(NAMES)}
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    paste_or_drop(page, "dragover", {"a.png": b""})
    page.get_by_text("Drop to upload").wait_for()
    paste_or_drop(page, "drop", {name: file.read_bytes() for name, file in files.items()})
    page.locator("#uploads .done").nth(2).wait_for()
    page.locator(".card").nth(2).wait_for()
    assert not page.get_by_text("Drop to upload").is_visible()
    assert sorted(cards(page)) == sorted(NAMES)
    for kind, part in (("Markdown", "!["), ("HTML", "<img "), ("URL", "https://")):
        name = NAMES[2]
        card = page.locator(".card", has=page.get_by_role("heading", name=name, exact=True))
        card.get_by_role("button", name=kind).click()
        page.get_by_text(f"{kind} of {name} copied").wait_for()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied.startswith(part)
        assert f"{HOST}/{key_of(files[name])}" in copied
        if kind == "Markdown":
            assert copied.startswith(r"""![it's "a" \[b\]\_c\*(d)](""")
    assert page.locator(".card img[src=x]").count() == 0
    assert dialogs == []


def test_progress_errors_and_the_rest_go_on(
    page: Page, picture: PictureMaker, tmp_path: Path
) -> None:
    good = picture(tmp_path / "good.png").read_bytes()
    wide = page.context.new_cdp_session(page)
    wide.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 2_000_000},
    )
    slow = good + bytes(6_000_000)
    chosen = [("slow.png", slow), ("note.png", b"hello"), ("huge.png", bytes(10_485_761)),
              ("good.png", good)]  # fmt: skip
    payloads: list[FilePayload] = [
        {"name": name, "mimeType": "image/png", "buffer": data} for name, data in chosen
    ]
    page.set_input_files("#files", payloads)
    rows = {name: page.locator("#uploads li", has_text=name) for name, _ in chosen}
    seen = set()
    while not (state := rows["slow.png"].locator(".state").inner_text()).startswith("stor"):
        seen.add(state)
        page.wait_for_timeout(50)
    assert len({text for text in seen if text.endswith("%")}) > 3, seen
    rows["good.png"].get_by_text("stored").wait_for()
    assert "is a text file" in rows["note.png"].inner_text()
    assert "is 10.5 MB; the limit is 10.5 MB" in rows["huge.png"].inner_text()
    rows["slow.png"].get_by_role("button", name="Copy Markdown").click()
    page.get_by_text("Markdown of slow.png copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()").startswith("![slow](https://")
    page.locator(".card").nth(1).wait_for()
    assert sorted(cards(page)) == ["good.png", "slow.png"]


def test_a_pasted_screenshot_gets_a_name_of_its_own(
    page: Page, picture: PictureMaker, tmp_path: Path
) -> None:
    paste_or_drop(page, "paste", {"image.png": picture(tmp_path / "a.png").read_bytes()})
    page.locator("#uploads .done").wait_for()
    page.locator(".card").wait_for()
    assert re.fullmatch(r"pasted \d{4}-\d\d-\d\d \d\d\.\d\d\.\d\d\.png", cards(page)[0])


def test_deleting_asks_first_and_keeps_what_came_into_use(
    page: Page, server: Server, picture: PictureMaker, tmp_path: Path
) -> None:
    files = [picture(tmp_path / f"{name}.png", seed=n) for n, name in enumerate("abc", 1)]
    for file in files:
        assert server.upload(file.read_bytes(), file.name).status == 200
    page.reload()
    page.get_by_label("Select a.png").check()
    page.get_by_role("button", name="Select all on this page").click()
    page.get_by_label("Select c.png").uncheck()
    page.get_by_role("button", name="Delete…").click()
    dialog = page.get_by_role("dialog", name="Delete 2 images?")
    assert sorted(dialog.locator("strong").all_inner_texts()) == ["a.png", "b.png"]
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert len(cards(page)) == 3
    page.keyboard.press("Enter")  # the focus returns to the button that opened it
    post(server.site, "a.md", f"![b]({HOST}/{key_of(files[1])})")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("dialog", name="1 image deleted, 1 kept").wait_for()
    assert "is used in content/a.md" in page.locator("#victims .failed").inner_text()
    page.get_by_role("button", name="Close").click()
    assert sorted(cards(page)) == ["b.png", "c.png"]
    store = server.site.root / "images"
    assert [(store / key_of(file)).exists() for file in files] == [False, True, True]
    page.reload()
    assert "content/a.md" in page.locator(".card", has_text="b.png").inner_text()


def test_the_keyboard_alone_will_do(
    page: Page, server: Server, picture: PictureMaker, tmp_path: Path
) -> None:
    server.upload(picture(tmp_path / "a.png").read_bytes(), "a.png")
    page.reload()
    walk = []
    for _ in range(25):
        page.keyboard.press("Tab")
        focus = page.evaluate(
            """() => {
                const one = document.activeElement;
                const style = getComputedStyle(one);
                const box = one.getBoundingClientRect();
                const label = one.getAttribute("aria-label") || one.labels?.[0]?.textContent
                    || one.textContent;
                return [one === document.body, label.trim().split(/\\s+/).join(" "),
                    style.outlineStyle !== "none" && box.width > 0];
            }"""
        )
        if focus[0]:
            break
        assert focus[2], f"{focus[1]}: the focus does not show"
        walk.append(focus[1])
    order = ["Skip to the images", "Images img.example.com", "Upload…", "Log out", "Search", "Type",
             "Order", "Search", "All 1", "Unused 1", "Duplicates 0", "Open a.png", "Select a.png",
             "Markdown", "HTML", "URL"]  # fmt: skip
    shown = iter(walk)
    assert all(name in shown for name in order), walk
    page.reload()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "results"


@pytest.mark.parametrize("width", [320, 360, 768])
def test_a_narrow_screen_never_scrolls_sideways(
    page: Page, server: Server, picture: PictureMaker, tmp_path: Path, width: int
) -> None:
    fill_in(server.site)
    long = "a-name-without-any-place-to-break-" * 4 + ".png"
    server.upload(picture(tmp_path / "a.png", size=(900, 20)).read_bytes(), long)
    page.set_viewport_size({"width": width, "height": 740})
    page.reload()
    page.get_by_label(f"Select {long}").check()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("button", name="Delete…").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def cookie_of(server: Server) -> str:
    body = urlencode({"token": TOKEN}).encode()
    answer = server.request("POST", "/login", body, Content_Type=FORM)
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    return str(answer.headers["Set-Cookie"]).partition(";")[0]


def test_pages_run_nothing_that_is_not_theirs(server: Server) -> None:
    cookie = cookie_of(server)
    answer = server.request("GET", "/", Cookie=cookie)
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith(f"default-src 'none'; img-src 'self' {HOST}; style-src 'self'; ")
    assert "unsafe" not in policy
    assert answer.headers["Cache-Control"] == "no-store"
    page = answer.body.decode()
    assert " style=" not in page
    assert " on" not in re.sub(r">[^<]*<", "><", page).replace(" one", "")
    for path in re.findall(r'(?:href|src)="(/assets/[^"]+)"', page):
        asset = server.request("GET", path)
        assert asset.status == 200
        assert "immutable" in asset.headers["Cache-Control"]
    assert server.request("GET", "/assets/000000000000/gallery.js").status == 404
    assert server.request("GET", "/").headers["Location"] == "/login"


def test_nobody_deletes_without_a_session_or_from_another_site(server: Server) -> None:
    cookie = cookie_of(server)
    body = json.dumps({"sha256": ["a" * 64]}).encode()
    kind = {"Content_Type": "application/json"}
    assert server.request("POST", "/delete", body, **kind).status == 401
    foreign = {**kind, "Cookie": cookie, "Origin": "https://evil.example.com"}
    assert server.request("POST", "/delete", body, **foreign).status == 403
    assert server.request("POST", "/logout", b"", Origin="https://evil.example.com").status == 403
    login = {"Content_Type": FORM, "Origin": "https://evil.example.com"}
    assert server.request("POST", "/login", b"token=" + TOKEN.encode(), **login).status == 403
    own = {**kind, "Cookie": cookie, "Origin": server.url}
    answer = server.request("POST", "/delete", body, **own)
    assert answer.json["deletions"][0]["message"] == "no such image"


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"sha256": "a"}', b'{"sha256": []}', b'{"sha256": ["--help"]}',
     b'{"sha256": [1]}', b"[" * 20_000, b'{"sha256": ["' + b"a" * 100_000],
)  # fmt: skip
def test_nonsense_is_refused(server: Server, body: bytes) -> None:
    headers = {"Cookie": cookie_of(server), "Content_Type": "application/json"}
    answer = server.request("POST", "/delete", body, **headers)
    assert 400 <= answer.status < 500
    assert answer.json["error"]["message"]


def test_guessing_at_the_login_is_slowed_down(server: Server) -> None:
    answers = [
        server.request("POST", "/login", b"token=wrong", Content_Type=FORM) for _ in range(25)
    ]
    assert answers[0].status == 401
    assert answers[-1].status == 429
    assert "too many wrong tokens" in answers[-1].body.decode()


def test_small_pictures_are_for_those_who_logged_in(
    server: Server, picture: PictureMaker, tmp_path: Path
) -> None:
    file = picture(tmp_path / "a.png")
    server.upload(file.read_bytes(), "a.png")
    path = f"/thumbnails/{key_of(file)}"
    assert server.request("GET", path).status == 401
    answer = server.request("GET", path, Cookie=cookie_of(server))
    assert (answer.status, answer.body) == (200, file.read_bytes())
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    missing = server.request("GET", f"/thumbnails/aa/{'a' * 64}.png", Cookie=cookie_of(server))
    assert missing.status == 404
