"""The messages of a build: many problems with one cause, and sites of several languages."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pelican_imagehost.storage.index import Index
from tests.site.cases_plugins import SUBSITES
from tests.test_plugin import messages, post

if TYPE_CHECKING:
    from tests.conftest import Site


def post_many(site: Site) -> None:
    site.picture("content/cat.jpg")
    for n in range(9):
        post(site, f"{n}.md", f"![a](cat.jpg) ![a](/old/{n}/a.jpg)\n\n![b](/old/{n}/b.jpg)")


@pytest.mark.parametrize("strict", [False, True])
def test_a_missing_folder_is_one_line_of_the_log(site: Site, *, strict: bool) -> None:
    post_many(site)
    site.configure(IMAGEHOST_STRICT=strict)
    completed = site.build(check=False)
    said = messages(completed)
    assert completed.returncode == int(strict)
    assert said.count("18 problems below old/: no such file") == 1
    assert said.count("/old/") == 3
    assert "1 image hosted, 1 new, 18 problems; pelican --verbose shows each." in said
    with closing(Index(site.settings().index, read_only=True)) as index:
        assert len(index.problems()) == 18


def test_verbose_shows_each(site: Site) -> None:
    post_many(site)
    said = messages(site.build("--verbose"))
    assert all(f"content/{n}.md:6: /old/{n}/b.jpg: no such file" in said for n in range(9))
    assert "1 image hosted, 1 new, 18 problems." in said


@pytest.mark.parametrize("strict", [False, True])
def test_sites_of_other_languages_do_not_repeat_a_problem(site: Site, *, strict: bool) -> None:
    site.write("plugins/subsites.py", SUBSITES)
    site.configure(PLUGIN_PATHS=["plugins"], PLUGINS=["subsites", "pelican_imagehost"])
    site.configure(DEFAULT_LANG="en", IMAGEHOST_STRICT=strict)
    for lang in ("en", "fr"):
        post(site, f"a-{lang}.md", f"![a](gone-{lang}.jpg)", Slug="a", Lang=lang)
    completed = site.build(check=False)
    said = messages(completed)
    assert completed.returncode == int(strict)
    assert said.count("0 images hosted") == 2
    for lang in ("en", "fr"):
        assert said.count(f"content/a-{lang}.md:6: gone-{lang}.jpg: no such file") == 1
    assert said.count("2 problems") == 1
    assert (site.root / "output/fr").exists()
