"""Other plugins keep working.

They change every site in an environment with them, so they have a separate environment
in .ci/run, where they are required.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from tests.watch.watchkit import Desk, prepare, write_post

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Require, Site

pytestmark = pytest.mark.other_plugins
FEATURED = "<img src='{{ article.featured_image }}'>{{ article.summary }}"


@pytest.fixture(autouse=True)
def others(require: Require) -> None:
    for name in ("image_process", "featured_image", "sitemap"):
        missing = f"pelican-{name.replace('_', '-')} is not installed"
        require(find_spec(f"pelican.plugins.{name}"), missing)


def use(site: Site, *plugins: str, **settings: object) -> None:
    """Prepare a site with plugins in its settings."""
    prepare(site, posts=3)
    site.configure(PLUGINS=[*plugins, "pelican_imagehost"], **settings)


def process_images(site: Site) -> dict[str, object]:
    site.picture("content/images/big.png", text_seed=3)
    return {
        "IMAGE_PROCESS": {"thumb": ["scale_in 20 20 True"]},
        "STATIC_PATHS": ["extra", "images"],
    }


def feature_images(site: Site) -> None:
    article = site.root / "theme/templates/article.html"
    article.write_text(article.read_text("utf-8") + FEATURED, "utf-8")


def write_posts(site: Site, desk: Desk) -> None:
    """Change a post in several ways; each time the site must be as after a clean build."""
    processed = '<img class="image-process-thumb" alt="b" src="/images/big.png">'
    # Always a processed one, because the plugin keeps its results.
    for body in (f"![p](picture-1.png) {processed}", processed, f"![p](none.png) {processed}"):
        desk.drafts.clear()
        write_post(site, "post-1", body, Category="notes")
        desk.wait(lambda: bool(desk.drafts), "page at once")
        desk.check()
    summary = "In short ![p](picture-2.png)"
    write_post(site, "post-1", processed, Summary=summary, Slug="moved", Category="notes")
    desk.check()
    site.picture("content/picture-2.png", text_seed=70)
    desk.check()
    write_post(site, "post-9", "![p](picture-2.png)")
    desk.check()


def test_image_process(site: Site) -> None:
    prepare(site, posts=3)
    use(site, "image_process", **process_images(site))
    with Desk(site) as desk:
        write_posts(site, desk)


def test_featured_image(site: Site) -> None:
    use(site, "featured_image")
    feature_images(site)
    site.picture("content/images/big.png", text_seed=3)
    with Desk(site) as desk:
        write_posts(site, desk)


@pytest.mark.parametrize("fork", [True, False])
def test_sitemap(site: Site, *, fork: bool) -> None:
    # Compared as text, because the XML contains the time at which the plugin was imported.
    use(site, "sitemap", SITEMAP={"format": "txt"})
    with Desk(site, fork=fork) as desk:
        write_posts(site, desk)


def test_sitemap_after_a_build_that_failed(site: Site) -> None:
    use(site, "sitemap", SITEMAP={"format": "txt"})
    template: Path = site.root / "theme/templates/index.html"
    good = template.read_text("utf-8")
    template.write_text("{{ nonsense.of.mine }}", "utf-8")
    with Desk(site) as desk:
        assert "index.html" in str(desk.wrong)
        template.write_text(good, "utf-8")
        desk.wait(lambda: not desk.wrong, "end of the problem")
        desk.check()


def test_all_of_them(site: Site) -> None:
    settings = {**process_images(site), "SITEMAP": {"format": "txt"}}
    use(site, "image_process", "featured_image", "sitemap", **settings)
    feature_images(site)
    with Desk(site) as desk:
        write_posts(site, desk)
