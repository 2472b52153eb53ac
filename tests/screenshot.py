"""Update docs/gallery.png: `python -m tests.screenshot`. Needs chromium, as the tests do."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from io import BytesIO
from pathlib import Path

import PIL.Image
from playwright.sync_api import Page, sync_playwright

from tests.conftest import Site
from tests.serve.serverkit import TOKEN, Server

ROOT = Path(__file__).parent.parent
PICTURE = ROOT / "docs/gallery.png"
SAMPLE = ROOT / "sample_site"
COLOURS = 256  # the picture is for a README
TYPO = "\n![The start](regata.jpg)\n"


def main() -> None:
    """Build the sample site, upload to its service, and take a picture of the gallery."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "site")
        ignored = shutil.ignore_patterns("images.git", "output", "cache", "*.jsonl", "*.sqlite3*")
        shutil.copytree(SAMPLE, root, ignore=ignored)
        shutil.rmtree(root / "images", ignore_errors=True)
        site = object.__new__(Site)  # an existing site
        site.root = root
        site.configure(IMAGEHOST_URL="https://img.example.com")
        with (root / "content/harbour/regatta.md").open("a") as file:
            file.write(TYPO)
        subprocess.run([sys.executable, "-m", "pelican", "-q"], cwd=root, check=True)
        server = Server(site)
        try:
            upload(server)
            PICTURE.parent.mkdir(exist_ok=True)
            PICTURE.write_bytes(photograph(server))
        finally:
            server.kill()
    print(f"{PICTURE}: {PICTURE.stat().st_size:,} bytes")  # noqa: T201  what it is for


def upload(server: Server) -> None:
    """Upload a picture of the site again, and an unused one."""
    time.sleep(1.1)  # sorted by time, in whole seconds
    ferry = SAMPLE / "content/images/ferry.jpg"
    server.upload(ferry.read_bytes(), "IMG_0412.jpg")
    with PIL.Image.open(SAMPLE / "content/harbour/wake.jpg") as wake:
        half = BytesIO()
        wake.resize((wake.width // 2, wake.height // 2)).save(half, "JPEG")
    server.upload(half.getvalue(), "wake, from the upper deck.jpg")


def photograph(server: Server) -> bytes:
    """Log in and take the picture."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 1010})
        page.goto(f"{server.url}/login")
        page.get_by_label("Access token").fill(TOKEN)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(f"{server.url}/", wait_until="networkidle")
        data = shot(page)
        browser.close()
    return data


def shot(page: Page) -> bytes:
    """Save the picture with few colours."""
    with PIL.Image.open(BytesIO(page.screenshot())) as picture:
        small = BytesIO()
        picture.convert("RGB").quantize(COLOURS).save(small, "PNG", optimize=True)
    return small.getvalue()


if __name__ == "__main__":
    main()
