"""Variants are made while drafting, when it is quiet."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from tests.site.test_variants import WIDTHS, photo, scrambled
from tests.watch.watchkit import TIMEOUT, Desk, prepare, write_post

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Site


@pytest.fixture
def blog(site: Site) -> Site:
    prepare(site, IMAGEHOST_WIDTHS=WIDTHS)
    return site


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def offers(site: Site, page: str) -> int:
    """Count the variants that a page names."""
    return site.output(page).count("00w")


@pytest.mark.parametrize("poll", [False, True])
def test_a_new_photo_is_shown_at_once_and_gets_variants_when_it_is_quiet(
    blog: Site,
    poll: bool,  # noqa: FBT001  a parameter
) -> None:
    with Desk(blog, poll=poll) as desk:
        desk.settle()
        desk.drafting.encoder.put_off()
        blog.write("content/cat.jpg", photo())
        write_post(blog, "post-1", "![A cat](cat.jpg)")
        until(lambda: ".jpg" in blog.output("post-1.html"))
        assert offers(blog, "post-1.html") == 0
        until(lambda: offers(blog, "post-1.html") == len(WIDTHS))
        until(lambda: any("smaller variants of 1 image made" in line for line in desk.said))
        desk.check()


def test_nothing_is_made_while_there_are_saves(blog: Site) -> None:
    blog.write("content/cat.jpg", photo())
    write_post(blog, "post-1", "![A cat](cat.jpg)")
    with Desk(blog) as desk:
        for _ in range(8):
            desk.beat()
        assert "variants" not in (blog.root / "imagehost.jsonl").read_text("utf-8")
        desk.check()
        assert offers(blog, "post-1.html") == len(WIDTHS)


def test_a_photo_that_is_saved_again_gets_its_own(blog: Site) -> None:
    data = photo()
    blog.write("content/cat.jpg", data)
    write_post(blog, "post-1", "![A cat](cat.jpg)")
    with Desk(blog) as desk:
        desk.check()
        first = blog.output("post-1.html")
        blog.write("content/cat.jpg", photo(2))
        desk.check()
        assert offers(blog, "post-1.html") == len(WIDTHS)
        assert blog.output("post-1.html") != first
        blog.write("content/cat.jpg", data)
        desk.check()
        assert blog.output("post-1.html") == first


def test_what_the_theme_asks_for_is_made_too(blog: Site) -> None:
    blog.write("content/cat.jpg", photo())
    write_post(blog, "post-1", "Words.", Image="{attach}cat.jpg")
    blog.write(
        "theme/templates/index.html",
        "{% for article in articles if article.image %}"
        '{{ article.image|picture(widths=[100, 300], alt="") }}{% endfor %}',
    )
    with Desk(blog) as desk:
        desk.check()
        assert blog.output("index.html").count(" 300w") == 1
        assert sum("made, and listed" in line for line in desk.said) == 1


def test_a_photo_that_cannot_be_decoded_is_tried_once(blog: Site) -> None:
    blog.write("content/cat.png", scrambled())
    write_post(blog, "post-1", "![A cat](cat.png)")
    with Desk(blog) as desk:
        desk.check()
        desk.check()
        assert sum("cat.png: has no smaller" in line for line in desk.said) == 1


def test_none_is_made_if_a_build_should_make_none(blog: Site) -> None:
    blog.configure(IMAGEHOST_MAKE_VARIANTS=False)
    blog.write("content/cat.jpg", photo())
    write_post(blog, "post-1", "![A cat](cat.jpg)")
    with Desk(blog) as desk:
        desk.check()
    assert "variants" not in (blog.root / "imagehost.jsonl").read_text("utf-8")


def test_the_end_of_a_session_ends_the_process(blog: Site) -> None:
    for number in range(9):
        blog.write(f"content/cat-{number}.jpg", photo(number, 3000))
    write_post(blog, "post-1", "\n".join(f"![A cat](cat-{number}.jpg)" for number in range(9)))
    with Desk(blog) as desk:
        until(lambda: desk.drafting.encoder.process is not None)
        process = desk.drafting.encoder.process
        assert process is not None
        if os.name == "posix":
            assert os.getpriority(os.PRIO_PROCESS, process.pid) >= 0
    assert process.poll() is not None
    stored = set(map(_name, (blog.root / "images").glob("??/*")))
    assert len(stored) >= 9
    assert blog.cli("verify").returncode == 0


def _name(path: Path) -> str:
    return path.name
