"""Edits of all kinds: the page is updated at once, and the site as by a clean build."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.host.hostkit import key_of
from tests.watch.watchkit import Desk, clean_build, prepare, tree, write_post

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Site


def body(site: Site) -> None:
    write_post(site, "post-1", "Other words, ![p](picture-1.png)", Tags="tag-1", Category="notes")


def summary(site: Site) -> None:
    write_post(site, "post-1", Summary="In short ![p](picture-2.png)", Category="notes")


def title(site: Site) -> None:
    write_post(site, "post-1", Title="Another title", Category="notes")


def slug(site: Site) -> None:
    write_post(site, "post-1", Slug="elsewhere", Category="notes")


def tags(site: Site) -> None:
    write_post(site, "post-1", Tags="tag-2, new-tag", Category="notes")


def category(site: Site) -> None:
    write_post(site, "post-1", Category="essays")


def date(site: Site) -> None:
    write_post(site, "post-1", Date="1999-01-01", Category="notes")


def draft(site: Site) -> None:
    write_post(site, "post-1", Status="draft", Category="notes")


def hidden(site: Site) -> None:
    write_post(site, "post-1", Status="hidden", Category="notes")


def published(site: Site) -> None:
    write_post(site, "post-1", Category="notes")


def translation(site: Site) -> None:
    write_post(site, "post-1-fr", "En français.", Lang="fr", Slug="post-1", Category="notes")


def new_post(site: Site) -> None:
    site.picture("content/deep/er/new.png", text_seed=50)
    write_post(site, "deep/er/post-77", "![n](new.png)")


def deleted_post(site: Site) -> None:
    (site.root / "content/post-1.md").unlink()


def renamed_post(site: Site) -> None:
    (site.root / "content/post-2.md").rename(site.root / "content/Zweiter Beitrag.md")


def page(site: Site) -> None:
    site.write("content/pages/about.md", "Title: About us\n\nAnother page.\n")


def new_page(site: Site) -> None:
    site.write("content/pages/contact.rst", "Contact\n=======\n\nWrite to me.\n")


def deleted_page(site: Site) -> None:
    (site.root / "content/pages/contact.rst").unlink()


def static_file(site: Site) -> None:
    site.write("content/extra/deep/new.txt", "new")


def static_file_gone(site: Site) -> None:
    shutil.rmtree(site.root / "content/extra/deep")


def image_over_itself(site: Site) -> None:
    site.picture("content/picture-1.png", text_seed=60)


def image_renamed(site: Site) -> None:
    (site.root / "content/picture-1.png").rename(site.root / "content/photo.png")
    write_post(site, "post-1", "![p](photo.png)", Category="notes")


def image_gone(site: Site) -> None:
    (site.root / "content/picture-3.png").unlink()  # still in the manifest


def template(site: Site) -> None:
    file = site.root / "theme/templates/base.html"
    file.write_text(file.read_text("utf-8").replace("<body>", "<body class=new>"), "utf-8")


def template_of_one_post(site: Site) -> None:
    site.write("theme/templates/wide.html", "<b>{{ article.title }}</b>{{ article.content }}")
    write_post(site, "post-1", Template="wide", Category="notes")


def style(site: Site) -> None:
    site.write("theme/static/style.css", "body { color: blue }\n")


def settings(site: Site) -> None:
    site.configure(SITENAME="Renamed", ARTICLE_SAVE_AS="posts/{slug}.html")


EDITS = [body, summary, title, slug, tags, category, date, draft, hidden, published, translation,
         new_post, deleted_post, renamed_post, page, new_page, deleted_page, static_file,
         static_file_gone, image_over_itself, image_renamed, image_gone, template,
         template_of_one_post, style, settings]  # fmt: skip


@pytest.mark.parametrize("relative_urls", [False, True])
def test_after_each_edit_the_output_is_a_clean_builds(site: Site, *, relative_urls: bool) -> None:
    prepare(site, RELATIVE_URLS=relative_urls)
    with Desk(site) as desk:
        for edit in (slug, image_over_itself, settings) if relative_urls else EDITS:
            edit(site)
            desk.check()


@pytest.mark.parametrize("edit", [body, template, image_over_itself], ids=lambda e: e.__name__)
def test_without_fork_it_is_the_same(site: Site, edit: Callable[[Site], None]) -> None:
    prepare(site)
    with Desk(site, fork=False) as desk:
        edit(site)
        desk.check()


def test_without_events_it_is_the_same(site: Site) -> None:
    prepare(site)
    with Desk(site, poll=True) as desk:
        for edit in (body, deleted_post):
            edit(site)
            desk.check()


def test_the_changed_page_is_written_before_the_rest(site: Site) -> None:
    prepare(site)
    with Desk(site) as desk:
        body(site)
        desk.wait(lambda: bool(desk.drafts), "page")
        assert [os.path.basename(path) for path in desk.drafts[0]] == ["post-1.html"]
        assert "Other words" in site.output("post-1.html")


SLOW = """
import pathlib, time
from pelican import signals

def wait(*_):
    while pathlib.Path(__file__).with_name("slow").exists():
        time.sleep(0.01)

def register():
    signals.article_generator_finalized.connect(wait)
"""


def test_a_new_page_is_written_again_and_again_before_the_rest(site: Site) -> None:
    prepare(site)
    site.write("plugins/slow.py", SLOW)
    site.configure(PLUGIN_PATHS=["plugins"], PLUGINS=["slow", "pelican_imagehost"])
    with Desk(site) as desk:
        desk.settle()
        slow = site.write("plugins/slow", "")  # no build ends from now on
        for number in range(3):
            site.picture(f"content/new-{number}.png", text_seed=60 + number)
            write_post(site, "post-77", f"Words {number} ![n](new-{number}.png)")
            page = site.root / "output/post-77.html"
            said = f"Words {number} "
            desk.wait(lambda: page.exists() and said in page.read_text(), f"page {number}")  # noqa: B023  called here
        assert not desk.builds
        slow.unlink()
        desk.check()


def test_a_changed_image_changes_the_page_that_shows_it(site: Site) -> None:
    prepare(site)
    with Desk(site) as desk:
        before = site.output("post-1.html")
        image_over_itself(site)
        desk.wait(lambda: bool(desk.drafts), "page")
        names = {os.path.basename(path) for path in desk.drafts[0]}
        assert "post-1.html" in names
        assert site.output("post-1.html") != before


def test_images_of_saves_that_no_build_saw_leave_no_copies(site: Site) -> None:
    prepare(site, posts=60)  # longer than until the next save
    with Desk(site) as desk:
        for seed in range(100, 108):
            data = site.picture("content/picture-1.png", text_seed=seed).read_bytes()
            copy = site.root / "output/images" / key_of(data)
            desk.wait(copy.exists, "copy of the image")
        desk.check()


def test_unchanged_files_are_left_alone(site: Site) -> None:
    prepare(site)
    with Desk(site) as desk:
        desk.settle()
        files = [path for path in (site.root / "output").rglob("*") if path.is_file()]
        before = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}
        body(site)
        desk.settle()
        after = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}
        changed = {path.name for path in files if before[path] != after[path]}
        assert changed == {"post-1.html", "index.html", "feed.xml", "beat.txt",
                           "notes.html", "tag-1.html"}  # fmt: skip


def test_a_missing_image_is_a_problem_until_it_is_there(site: Site) -> None:
    prepare(site)
    with Desk(site) as desk:
        write_post(site, "post-1", "![p](late.png)", Category="notes")
        desk.wait(lambda: "late.png" in str(desk.wrong), "problem")
        assert desk.wrong[0].startswith("content/post-1.md:5: late.png: ")
        site.picture("content/late.png", text_seed=9)
        desk.wait(lambda: not desk.wrong, "end of the problem")
        desk.check()


def test_a_line_of_the_manifest_that_came_or_went_is_followed(site: Site) -> None:
    prepare(site)
    manifest = site.root / "imagehost.jsonl"
    with Desk(site) as desk:
        (site.root / "content/picture-3.png").unlink()
        desk.check()  # the manifest is used
        whole = manifest.read_bytes()
        lines = whole.splitlines(keepends=True)
        manifest.write_bytes(b"".join(line for line in lines if b"picture-3" not in line))
        desk.wait(lambda: "picture-3.png: no such file" in str(desk.wrong), "problem")
        manifest.write_bytes(whole)
        desk.wait(lambda: not desk.wrong, "end of the problem")
        desk.check()


def test_what_a_build_writes_to_the_manifest_leads_to_no_other(site: Site) -> None:
    prepare(site)
    site.picture("content/named-later.png", text_seed=90)
    with Desk(site) as desk:
        desk.settle()
        before = desk.drafting._generation  # noqa: SLF001  how many builds were asked for
        write_post(site, "post-1", "![n](named-later.png)", Category="notes")
        desk.wait(lambda: bool(desk.builds), "whole build")
        assert "content/named-later.png" in {line["path"] for line in site.manifest()}
        desk.beat()
        assert desk.drafting._generation == before + 2  # noqa: SLF001


def test_a_link_in_a_circle_beside_the_pictures_does_no_harm(site: Site) -> None:
    prepare(site)
    (site.root / "content/pictures/deep").mkdir(parents=True)
    (site.root / "content/pictures/deep/round").symlink_to("..")
    with Desk(site) as desk:
        site.picture("content/pictures/new.png", text_seed=91)
        write_post(site, "post-1", "![n](pictures/new.png)", Category="notes")
        desk.check()


def test_a_link_to_all_documents_is_a_problem_until_it_is_gone(site: Site) -> None:
    # Pelican finds each document forty times, and reports an error.
    prepare(site, posts=2)
    with Desk(site) as desk:
        link = site.root / "content/loop"
        link.symlink_to("..")
        desk.wait(lambda: bool(desk.wrong), "problem")
        link.unlink()
        desk.wait(lambda: not desk.wrong, "end of the problem")
        desk.check()


def test_a_broken_template_is_a_problem_until_it_is_mended(site: Site) -> None:
    prepare(site)
    with Desk(site) as desk:
        good = (site.root / "theme/templates/article.html").read_text("utf-8")
        site.write("theme/templates/article.html", "{% block content %}\n{{ article.title ")
        desk.wait(lambda: "article.html:2" in str(desk.wrong), "problem")
        assert str(site.root) not in desk.drafting._roots.recursive  # noqa: SLF001  settings are well
        site.write("theme/templates/article.html", good)
        desk.wait(lambda: not desk.wrong, "end of the problem")
        desk.check()


def test_broken_settings_are_a_problem_until_they_are_mended(site: Site) -> None:
    prepare(site)
    with Desk(site) as desk:
        good = (site.root / "pelicanconf.py").read_text("utf-8")
        site.write("pelicanconf.py", good + "IMAGEHOST_STOR = 1\n")
        desk.wait(lambda: "IMAGEHOST_STOR" in str(desk.wrong), "problem")
        site.write("pelicanconf.py", good)
        desk.wait(lambda: not desk.wrong, "end of the problem")
        desk.check()


def test_what_is_broken_stays_said_while_a_document_is_saved(site: Site) -> None:
    prepare(site)
    good = (site.root / "pelicanconf.py").read_text("utf-8")
    with Desk(site) as desk:
        for name, broken in (
            ("pelicanconf.py", "PATH = '\n"),
            ("theme/templates/index.html", "{%"),
        ):
            before = (site.root / name).read_text("utf-8")
            site.write(name, broken)
            desk.wait(lambda: bool(desk.wrong), "problem")
            desk.all_wrong.clear()
            desk.drafts.clear()
            title(site)
            desk.wait(lambda: bool(desk.drafts) and len(desk.all_wrong) > 1, "next build")
            assert all(desk.all_wrong)
            site.write(name, before)
            desk.wait(lambda: not desk.wrong, "end of the problem")
        assert (site.root / "pelicanconf.py").read_text("utf-8") == good
        desk.check()


def test_settings_may_be_mended_by_what_they_name(site: Site) -> None:
    prepare(site)
    theme, content = site.root / "theme", site.root / "content"
    theme.rename(site.root / "theme-away")
    with Desk(site) as desk:
        assert "theme" in str(desk.wrong)
        (site.root / "theme-away").rename(theme)
        desk.wait(lambda: not desk.wrong, "end of the problem")
        desk.check()
        site.configure(PATH="texts/mine")
        desk.wait(lambda: bool(desk.wrong), "problem")
        shutil.copytree(content, site.root / "texts/mine")
        desk.wait(lambda: not desk.wrong, "end of the problem")


def test_a_plugin_that_cannot_be_loaded_is_a_problem(site: Site) -> None:
    prepare(site)
    with Desk(site) as desk:
        assert desk.said == []
        site.configure(PLUGINS=["nonsense"])
        desk.wait(lambda: "nonsense" in str(desk.wrong), "problem")
        desk.settle()
        assert "nonsense" in str(desk.wrong)
        assert "imagehost is not in PLUGINS; image links are unchanged" in desk.said
        site.configure(PLUGINS=["pelican_imagehost"])
        desk.wait(lambda: not desk.wrong, "end of the problem")
        desk.check()


def test_warnings_of_pelican_are_reported(site: Site) -> None:
    prepare(site)
    with Desk(site) as desk:
        write_post(site, "post-1", "[x]({filename}nowhere.md)", Category="notes")
        desk.settle()
        assert any("nowhere.md" in note for note in desk.said)


def test_a_site_that_cannot_be_built_at_first_can_be_mended(site: Site) -> None:
    prepare(site)
    good = (site.root / "theme/templates/article.html").read_text("utf-8")
    site.write("theme/templates/article.html", "{% nonsense %}")
    with Desk(site) as desk:
        assert "article.html:1" in str(desk.wrong)
        site.write("theme/templates/article.html", good)
        desk.wait(lambda: not desk.wrong, "end of the problem")
        desk.check()


def test_a_builder_that_is_killed_is_replaced(site: Site) -> None:
    prepare(site)
    with Desk(site) as desk:
        for process in desk.drafting.processes.numbers():
            os.kill(process, 9)
        body(site)
        desk.check()


SUMMARISER = """
from pelican import signals

def mark(generators):
    for article in generators[0].articles:
        article.featured = f"<b>{article.title}</b>"
        article._summary = article.metadata["summary"] = "About " + article.title

def stamp(path, context):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(text + "<!-- seen -->")

def register():
    signals.all_generators_finalized.connect(mark)
    signals.content_written.connect(stamp)
"""


def test_plugins_that_change_documents_and_pages_keep_working(site: Site) -> None:
    prepare(site)
    site.write("plugins/summariser.py", SUMMARISER)
    site.configure(PLUGIN_PATHS=["plugins"], PLUGINS=["summariser", "pelican_imagehost"])
    index = site.root / "theme/templates/article.html"
    index.write_text(index.read_text("utf-8") + "{{ article.featured }}", "utf-8")
    with Desk(site) as desk:
        for edit in (body, title, template):
            edit(site)
            desk.check()
        assert site.output("post-2.html").count("seen") == 1
        site.write("plugins/summariser.py", SUMMARISER.replace("About", "On"))
        desk.check()


LISTER = """
from pelican import signals

names, count = set(), 0

class Lister:
    def __init__(self):
        self.paths = []

    def add(self, path, context):
        self.paths.append(path)

    def write(self, pelican):
        global count
        with open(pelican.output_path + "/pages.txt", "w") as file:
            file.write(f"{len(self.paths)} {len(names)} {count}")
        self.paths, count = [], 0
        names.clear()

def note(content):
    global count
    count += 1
    names.add(getattr(content, "title", ""))

lister = Lister()

def register():
    signals.content_object_init.connect(note)
    signals.content_written.connect(lister.add)
    signals.finalized.connect(lister.write)
"""


def test_plugins_that_list_what_a_build_writes_keep_working(site: Site) -> None:
    prepare(site)
    site.write("plugins/lister.py", LISTER)
    site.configure(PLUGIN_PATHS=["plugins"], PLUGINS=["lister", "pelican_imagehost"])
    template = site.root / "theme/templates/index.html"
    good = template.read_text("utf-8")
    template.write_text("{{ nonsense.of.mine }}", "utf-8")
    with Desk(site) as desk:
        assert "index.html" in str(desk.wrong)
        template.write_text(good, "utf-8")
        desk.wait(lambda: not desk.wrong, "end of the problem")
        desk.check()
        body(site)
        desk.check()
        write_post(site, "post-2", "![n](missing.png)")  # updated again with each later change
        desk.check()


def test_the_output_directory_is_emptied_once_where_settings_say_so(site: Site) -> None:
    prepare(site, DELETE_OUTPUT_DIRECTORY=True)
    site.write("output/stale.html", "x")
    with Desk(site) as desk:
        assert not (site.root / "output/stale.html").exists()
        body(site)
        desk.check()


def test_files_of_others_in_the_output_are_left_alone(site: Site) -> None:
    prepare(site)
    site.write("output/CNAME", "example.com")
    with Desk(site) as desk:
        slug(site)
        desk.settle()
    drafted = tree(site.root / "output")
    assert drafted.pop("CNAME") == b"example.com"
    assert drafted == clean_build(site)
    shutil.rmtree(site.root / "output")
