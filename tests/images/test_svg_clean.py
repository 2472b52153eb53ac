"""Private data goes out of an SVG, and what is drawn stays the same."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pelican_imagehost.errors import ImageHostError, UnsupportedImage
from pelican_imagehost.images.pieces import join
from pelican_imagehost.images.svg import inspect
from pelican_imagehost.images.svg_clean import clean_svg
from tests.images.private_svgs import CREDIT, PRIVATE, REFUSED, SECRETS, UNTOUCHED
from tests.images.svg_exports import HONEST

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Require

COPYRIGHT = frozenset(["copyright"])


def clean(data: bytes, keep: frozenset[str] = frozenset()) -> bytes:
    pieces = clean_svg(data, keep)
    if pieces is None:
        return data
    cleaned = join(data, pieces)
    assert cleaned != data
    return cleaned


def text_of(data: bytes) -> str:
    return data.decode("utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8")


@pytest.mark.parametrize("keep", [frozenset(), COPYRIGHT], ids=["nothing", "copyright"])
@pytest.mark.parametrize("name", PRIVATE)
def test_private_data_goes_and_the_file_stays_whole(name: str, keep: frozenset[str]) -> None:
    data = PRIVATE[name]
    cleaned = clean(data, keep)
    assert any(secret in text_of(data) for secret in SECRETS)
    assert [secret for secret in SECRETS if secret in text_of(cleaned)] == []
    assert inspect(cleaned) == inspect(data)
    assert clean_svg(cleaned, keep) is None
    assert (CREDIT in text_of(cleaned)) == (CREDIT in text_of(data) and bool(keep))
    declared = re.findall(r"xmlns:(?:sodipodi|inkscape|i)=", text_of(data))
    assert re.findall(r"xmlns:(?:sodipodi|inkscape|i)=", text_of(cleaned)) == declared


def test_a_credit_stays_as_it_is_with_what_names_it() -> None:
    cleaned = clean(PRIVATE["Inkscape"], COPYRIGHT).decode()
    credit = f"<dc:rights><cc:Agent><dc:title>{CREDIT}</dc:title></cc:Agent></dc:rights>"
    assert credit in cleaned
    assert '<cc:license rdf:resource="https://example.com/by/4.0/"/></cc:Work>' in cleaned
    assert "dc:title>Jane" not in cleaned


@pytest.mark.parametrize("name", UNTOUCHED)
def test_a_file_with_nothing_to_clean_stays_as_it_is(name: str) -> None:
    assert clean_svg(UNTOUCHED[name]) is None


@pytest.mark.parametrize("name", PRIVATE)
def test_all_is_kept_on_request(name: str) -> None:
    assert clean_svg(PRIVATE[name], frozenset(["all"])) is None


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_cut_out_is_refused(name: str) -> None:
    assert inspect(REFUSED[name]) == (60, 40)
    with pytest.raises(UnsupportedImage, match=r"metadata in an entity in line \d; "):
        clean_svg(REFUSED[name])


def test_ranges_of_the_file_are_kept_in_order() -> None:
    data = PRIVATE["Inkscape"]
    pieces = clean_svg(data)
    assert pieces is not None
    ranges = [piece for piece in pieces if isinstance(piece, tuple)]
    ends = [0, *(end for piece in ranges for end in piece)]
    assert ends == sorted(ends)
    assert len(ranges) > 5
    assert ends[-1] == len(data)


def test_exiftool_finds_nothing_about_an_author(tmp_path: Path, require: Require) -> None:
    require(shutil.which("exiftool"), "exiftool is not installed")
    for number, data in enumerate(PRIVATE.values()):
        (tmp_path / f"{number}.svg").write_bytes(clean(data))
    said = subprocess.run(
        ["exiftool", "-json", "-G1", "-a", *tmp_path.iterdir()], capture_output=True, check=True
    ).stdout.decode()
    found = json.loads(said)
    assert len(found) == len(PRIVATE)
    tags = {tag for file in found for tag in file}
    assert "SVG:ImageWidth" in tags
    assert [tag for tag in tags if tag.startswith(("XMP", "SVG-sodipodi"))] == []
    assert not re.search("|".join(SECRETS[:4]), said)


def test_the_pixels_are_the_same(tmp_path: Path, require: Require) -> None:
    chromium = shutil.which("chromium")
    require(importlib.util.find_spec("playwright"), "playwright is not installed")
    require(chromium, "chromium is not installed")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  perhaps not here

    files = {**PRIVATE, **{name: export.data for name, export in HONEST.items()}}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 400, "height": 300})
        file = tmp_path / "image.svg"
        shots: dict[str, list[bytes]] = {name: [] for name in files}
        for name, data in files.items():
            for version in (data, clean(data), clean(data, COPYRIGHT)):
                file.write_bytes(version)
                page.goto(file.as_uri())
                shots[name].append(page.screenshot())
        browser.close()
    assert [name for name, three in shots.items() if three != three[:1] * 3] == []
    assert shots["what draws in metadata"] != shots["matplotlib"]


SEEDS = [*PRIVATE.values(), *UNTOUCHED.values(), *(export.data for export in HONEST.values())]
SCRAPS = [b"<metadata>", b"</metadata>", b"<!-- /home/jane -->", b"<rdf:RDF/>", b"/home/jane/"]
SCRAPS += [b"<", b">", b"</g>", b"<g>", b"'", b'"', b" ", b"\n", b"&amp;", b"]]>", b"<![CDATA["]
SCRAPS += [b"<sodipodi:namedview/>", b" sodipodi:docname='a'", b"\xc3\xa9", b"<?a?>", b"<style/>"]


@st.composite
def altered(draw: st.DrawFn) -> bytes:
    data = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 4))):
        places = [match.start() for match in re.finditer(rb"[<>\s]|$", data)]
        place = draw(st.sampled_from(places))
        cut = draw(st.sampled_from([0, 0, 0, 1, 7]))
        data = data[:place] + draw(st.sampled_from(SCRAPS)) + data[place + cut :]
    return data


def judge(data: bytes) -> None:
    """What is accepted is still accepted when it is clean, and then there is nothing to clean."""
    try:
        size = inspect(data)
        once = {keep: clean(data, keep) for keep in (frozenset[str](), COPYRIGHT)}
    except ImageHostError:
        return
    for keep, cleaned in once.items():
        assert inspect(cleaned) == size
        assert clean_svg(cleaned, keep) is None


@given(altered())
def test_any_altered_svg_stays_whole(data: bytes) -> None:
    judge(data)


@pytest.mark.full
@pytest.mark.timeout(3600)
@given(altered())
@settings(max_examples=100_000, suppress_health_check=list(HealthCheck))
def test_a_great_many_altered_svgs_stay_whole(data: bytes) -> None:
    judge(data)
