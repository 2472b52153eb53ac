"""Sites within and beside a site, built in its builds as i18n_subsites does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.watch.watchkit import Desk, clean_build, prepare, tree, write_post

if TYPE_CHECKING:
    from tests.conftest import Site

# What i18n_subsites does: a translation leaves the lists of the main site, and a site of its
# own is built within the build of the main one, when that gets its writer.
PLUGIN = """
import os
from pelican import Pelican, signals
from pelican.settings import configure_settings

waiting = []
main = None

def begin(pelican):
    global main
    if main is None:
        main = pelican.settings
        waiting[:] = main["SUBSITES"].items()

def leave_out(generator):
    language = generator.settings["DEFAULT_LANG"]
    for name in ("articles", "translations"):
        listed = getattr(generator, name)
        listed[:] = [content for content in listed if content.lang == language]

def build_next(pelican):
    global main
    if not waiting:
        main = None
        return
    language, output = waiting.pop()
    settings = configure_settings({
        **main,
        "DEFAULT_LANG": language,
        "SITEURL": "/" + language,
        "OUTPUT_PATH": os.path.join(main["OUTPUT_PATH"], output),
        "CACHE_PATH": os.path.join(main["CACHE_PATH"], language),
        "STATIC_PATHS": [],
        "THEME_STATIC_PATHS": [],
    })
    pelican.__class__(settings).run()

def register():
    signals.get_generators.connect(begin)
    signals.article_generator_pretaxonomy.connect(leave_out)
    signals.get_writer.connect(build_next)
"""


def use(site: Site, **subsites: str) -> None:
    prepare(site, posts=3, DEFAULT_LANG="en")
    site.write("plugins/subsites.py", PLUGIN)
    site.configure(
        PLUGIN_PATHS=["plugins"],
        PLUGINS=["subsites", "pelican_imagehost"],
        SUBSITES=subsites,
        ARTICLE_LANG_SAVE_AS="{slug}.html",
    )
    site.picture("content/french.png", text_seed=90)
    for name in ("post-4", "post-5"):
        write_post(site, name, "Mots. ![f](french.png)", Lang="fr", Category="notes")


def outputs(site: Site) -> dict[str, bytes]:
    """Every file of each output."""
    found = tree(site.root / "output")
    beside = site.root / "french"
    return found | {f"../french/{name}": data for name, data in tree(beside).items()}


def check(desk: Desk) -> None:
    """Check that the outputs are those of a clean build, which is made elsewhere."""
    desk.settle()
    drafted = outputs(desk.site)
    beside = desk.site.root.parent / "french"  # relative to the output of the clean build
    if beside.exists():
        for file in [path for path in beside.rglob("*") if path.is_file()]:
            file.unlink()
    clean = clean_build(desk.site)
    if beside.exists():
        clean |= {f"../french/{name}": data for name, data in tree(beside).items()}
    assert drafted.keys() == clean.keys()
    assert {name for name in clean if clean[name] != drafted[name]} == set()


@pytest.mark.parametrize("output", ["fr", "../french"], ids=["below", "beside"])
def test_files_of_subsites_that_no_build_makes_any_more_are_removed(
    site: Site, output: str
) -> None:
    use(site, fr=output)
    with Desk(site) as desk:
        folder = site.root / "output" / output
        assert (folder / "post-4.html").exists()
        check(desk)
        write_post(site, "post-4", "Autres mots.", Lang="fr", Slug="ailleurs", Category="notes")
        check(desk)
        assert not (folder / "post-4.html").exists()
        (site.root / "content/post-5.md").unlink()  # the last that shows the picture
        check(desk)
        write_post(site, "post-4", "Words.", Category="notes")  # in the main site now
        check(desk)
        write_post(site, "post-6", "Mots. ![f](french.png)", Lang="fr", Category="notes")
        site.configure(SUBSITES={})
        check(desk)
        assert not (folder / "post-6.html").exists()


@pytest.mark.parametrize("output", ["fr", "../french"], ids=["below", "beside"])
def test_a_page_of_a_subsite_is_not_written_to_the_main_site(site: Site, output: str) -> None:
    use(site, fr=output)
    with Desk(site) as desk:
        write_post(site, "post-4", "Autres mots.", Lang="fr", Category="notes")
        write_post(site, "post-7", "Encore.", Lang="fr", Category="notes")
        desk.settle()
        assert desk.drafts == [()] * len(desk.drafts)
        desk.drafts.clear()
        write_post(site, "post-1", "Other words.", Category="notes")
        desk.wait(lambda: bool(desk.drafts), "page at once")
        assert [Path(path).name for path in desk.drafts[0]] == ["post-1.html"]
        check(desk)


def test_a_problem_of_a_subsite_is_reported_with_its_page_until_it_is_fixed(site: Site) -> None:
    use(site, fr="fr")
    with Desk(site) as desk:
        write_post(site, "post-4", "![n](nowhere.png)", Lang="fr", Category="notes")
        desk.wait(lambda: "nowhere.png" in str(desk.wrong), "problem")
        desk.settle()
        assert len(desk.wrong) == 1
        pages = desk.pages[desk.wrong[0]]
        assert pages
        assert str(site.root / "output/fr/post-4.html") in pages
        site.picture("content/nowhere.png", text_seed=91)
        desk.wait(lambda: not desk.wrong, "end of the problem")
        check(desk)
