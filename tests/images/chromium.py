"""What Chromium shows of image files: one start and one page for all of them."""

from __future__ import annotations

import base64
import importlib.util
import shutil
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.conftest import Require

_SHOW = """async (files) => {
    const shown = [];
    for (const file of files) {
        const bytes = Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0));
        const image = new Image();
        const loaded = new Promise((done) => {
            image.onload = () => done(true);
            image.onerror = () => done(false);
        });
        image.src = URL.createObjectURL(new Blob([bytes]));
        if (!await loaded) {
            shown.push([0, 0, ""]);
            continue;
        }
        const [width, height] = [image.naturalWidth, image.naturalHeight];
        let hash = 2166136261;
        if (width * height < 1e6) {
            const canvas = Object.assign(document.createElement("canvas"), { width, height });
            const context = canvas.getContext("2d");
            context.drawImage(image, 0, 0);
            for (const value of context.getImageData(0, 0, width, height).data)
                hash = Math.imul(hash ^ value, 16777619);
        }
        shown.push([width, height, String(hash)]);
        URL.revokeObjectURL(image.src);
    }
    return shown;
}"""


class Shown(NamedTuple):
    """What the browser shows of a file; no width if nothing.

    Attributes:
        width: `naturalWidth`.
        height: `naturalHeight`.
        pixels: a digest of the first frame's pixels.
    """

    width: int
    height: int
    pixels: str


def show(files: Sequence[bytes], require: Require) -> list[Shown]:
    """Load each file in Chromium."""
    chromium = shutil.which("chromium")
    require(importlib.util.find_spec("playwright"), "playwright is not installed")
    require(chromium, "chromium is not installed")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  perhaps not here

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        shown = page.evaluate(_SHOW, [base64.b64encode(file).decode() for file in files])
        browser.close()
    return [Shown(*one) for one in shown]
