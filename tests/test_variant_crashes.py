"""Builds that are killed or interrupted while they make variants, or run beside others and `gc`."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
from io import BytesIO
from typing import TYPE_CHECKING

import PIL.Image
import pytest

from pelican_imagehost.storage.manifest import Manifest
from tests.test_crash import (
    DYING,
    FULL,
    KEY,
    PAUSING,
    Blog,
    addresses,
    answer_yes,
    check_good,
    intact_keys,
    leftovers,
    start_asking,
    wait_for,
)
from tests.test_plugin import HOST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Site

WIDTHS = (60, 100)
MAKING = "images/variants"  # the folder of the first module that only the making of variants needs


class Album(Blog):
    """A site whose images get variants."""

    def __init__(self, site: Site, seed: int) -> None:
        super().__init__(site, seed)
        site.configure(IMAGEHOST_FORMATS=["avif"], IMAGEHOST_WIDTHS=WIDTHS)

    def write_image(self, name: str) -> None:
        noise = random.Random(next(self.numbers)).randbytes(160 * 120 * 3)  # noqa: S311  as above
        buffer = BytesIO()
        PIL.Image.frombytes("RGB", (160, 120), noise).save(buffer, "PNG", compress_level=0)
        file = self.site.write(f"content/{name}.new", buffer.getvalue())
        file.replace(self.site.root / "content" / name)

    def check_whole(self, *, output: str = "output") -> None:
        """Check the rules that hold after a complete build: each image has its variants."""
        root = self.site.root
        self.check_half_way()
        images = Manifest.load(root / "imagehost.jsonl").images
        for post, names in self.named.items():
            wanted = [images[f"content/{name}"] for name in names]
            assert [image.key for image in wanted] == [self.key(name) for name in names]
            page = (root / output / f"{post}.html").read_text("utf-8")
            for image in wanted:
                assert [one.width for one in image.variants] == [*reversed(WIDTHS)]
            found = [match[0] for match in KEY.finditer(page)]
            assert sorted(found) == sorted(one.key for image in wanted for one in image.all)
        assert addresses(root / output) <= intact_keys(root / output / "images")
        assert leftovers(root) == []


@pytest.fixture
def album(site: Site) -> Iterator[Album]:
    album = Album(site, seed=7)
    yield album
    album.stop()


@pytest.mark.parametrize("rounds", [6, pytest.param(200, marks=FULL)])
def test_a_build_killed_while_it_makes_variants_is_healed_by_the_next(
    album: Album, rounds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    album.site.write("plugins/dying.py", DYING)
    album.site.configure(PLUGIN_PATHS=["plugins"], PLUGINS=["pelican_imagehost", "dying"])
    album.add_images(10)
    monkeypatch.setenv("DIE_AT", json.dumps([MAKING, 0, 0]))
    check_good(album.start())
    lacking = steps = 0
    for number in range(rounds):
        album.add_images(6)
        album.replace_images(2)
        # A build that has nothing left to make takes fewer.
        steps = max(steps, int((album.site.root / "steps").read_text()))
        # Every other time soon, while variants are made, and not yet in the lines of their images.
        most, longest = (12, 0.005) if number % 2 else (int(0.7 * steps), 0.02)
        moment = album.chooser.randint(1, most), album.chooser.uniform(1e-6, longest)
        monkeypatch.setenv("DIE_AT", json.dumps([MAKING, *moment]))
        build = album.start()
        said = build.communicate()[0].decode()
        assert build.returncode == -signal.SIGALRM, said
        monkeypatch.setenv("DIE_AT", json.dumps([MAKING, 0, 0]))
        album.check_half_way()
        images = Manifest.load(album.site.root / "imagehost.jsonl").images.values()
        lacking += any(not image.forms for image in images)
        check_good(album.start())
        album.check_whole()
    check_good(album.start_cli("verify"))
    assert lacking  # so some were killed before their lines, and not all of them
    print(f"{lacking} of {rounds} builds were killed before the lines")  # noqa: T201  with -s


@pytest.mark.parametrize("rounds", [3, pytest.param(50, marks=FULL)])
def test_builds_that_make_variants_and_gc_at_once(album: Album, rounds: int) -> None:
    album.add_images(20)
    check_good(album.start())
    collected = 0
    for number in range(rounds):
        forgotten = album.forget_images(6)
        if number % 2:
            check_good(album.start())  # the index also has no uses of them
        album.add_images(4)
        gc = album.start_cli("gc", "--yes", "--grace-days", "0")
        first = album.start(output="output-first")
        album.add_images(2)
        album.write_post(f"late-{number}", forgotten[:3])  # used again while gc runs
        check_good(album.start())
        said, _ = check_good(gc), check_good(first)
        collected += "deleted 0" not in said and "deleted" in said
        album.check_whole()
        assert addresses(album.site.root / "output-first") <= intact_keys(
            album.site.root / "output-first/images"
        )
        check_good(album.start_cli("verify"))
    assert collected >= rounds // 2
    print(f"{collected} of {rounds} collections deleted something")  # noqa: T201  with -s


@pytest.mark.parametrize("hosted", [False, True])
@pytest.mark.parametrize("makes", [False, True])
def test_a_build_names_no_variants_that_gc_takes_from_under_it(
    album: Album,
    hosted: bool,  # noqa: FBT001
    makes: bool,  # noqa: FBT001
) -> None:
    site = album.site
    site.write("plugins/pausing.py", PAUSING)
    site.configure(PLUGIN_PATHS=["plugins"], PLUGINS=["pelican_imagehost", "pausing"])
    if hosted:
        site.configure(IMAGEHOST_URL=HOST)
    album.write_image("a.png")
    album.write_post("first", ["a.png"])
    site.write("go", "")
    check_good(album.start())
    (site.root / "go").unlink()
    (site.root / "paused").unlink()
    album.write_post("first", [])
    site.configure(IMAGEHOST_MAKE_VARIANTS=makes)
    collection = start_asking(album)
    album.write_post("second", ["a.png"])
    build = album.start()
    wait_for(site.root / "paused", build)
    answer_yes(collection)
    site.write("go", "")
    check_good(build)
    keys = intact_keys(site.root / "images")
    (image,) = Manifest.load(site.root / "imagehost.jsonl").images.values()
    assert len(keys) == (3 if makes else 1)
    assert keys == addresses(site.root / "output") == {one.key for one in image.all}


INTERRUPTING = """
import itertools, os, pathlib, signal, sys

MAKER = "pelican_imagehost.images.variants.batch"
images, numbers = pathlib.Path("images").resolve(), itertools.count(1)  # for several threads

def look(event, arguments):
    name = str(arguments[0]) if event == "open" else ""
    if name.endswith(".png") and MAKER in sys.modules and str(images) in name:
        if next(numbers) == {number}:
            os.kill(os.getpid(), signal.SIGINT)

def register():
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    sys.addaudithook(look)
"""


def test_ctrl_c_keeps_what_is_made_and_the_next_build_goes_on(album: Album) -> None:
    site = album.site
    most_at_work = 2 * ((os.cpu_count() or 1) + 2)
    number = most_at_work + 10
    site.write("plugins/interrupting.py", INTERRUPTING.replace("{number}", str(number)))
    site.configure(PLUGIN_PATHS=["plugins"])
    album.add_images(number + 30)
    plugins = ["pelican_imagehost", "interrupting"]
    done = subprocess.run(
        [
            *album.command("pelican", "content", "-s", "pelicanconf.py"),
            "-e",
            f"PLUGINS={json.dumps(plugins)}",
        ],
        cwd=site.root,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert "Keyboard interrupt received" in said
    assert "Traceback" not in said
    album.check_half_way()
    images = Manifest.load(site.root / "imagehost.jsonl").images.values()
    made = {one.key for image in images for one in image.variants}
    assert 2 * (number - most_at_work) <= len(made) < 2 * len(images)
    before = {key: (site.root / "images" / key).stat().st_mtime_ns for key in made}
    check_good(album.start())
    album.check_whole()
    assert before == {key: (site.root / "images" / key).stat().st_mtime_ns for key in made}
