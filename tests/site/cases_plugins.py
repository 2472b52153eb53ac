"""Sites with plugins that name images where no scan of sources looks, or make them late."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.site.casekit import Case, Table, post, theme

if TYPE_CHECKING:
    from tests.conftest import Site

__all__ = ["CASES"]

case = CASES = Table("plugin")

# As pelican-data-files does: every file of a folder becomes a variable of the templates.
DATA = """
import json, pathlib
from pelican import signals

def load(generator):
    for file in pathlib.Path(generator.settings["PATH"], "data").glob("*.json"):
        generator.context["DATA_" + file.stem.upper()] = json.loads(file.read_text())

def register():
    signals.generator_init.connect(load)
"""
# As pelican-yaml-metadata does: metadata with lists and dictionaries.
READER = """
import json
from pelican import signals
from pelican.readers import MarkdownReader

class Reader(MarkdownReader):
    file_extensions = ["jmd"]

    def read(self, source_path):
        with open(source_path, encoding="utf-8") as file:
            head, _, body = file.read().partition("\\n\\n")
        self._source_path = source_path
        self._md = __import__("markdown").Markdown(**self.settings["MARKDOWN"])
        fields = json.loads(head)
        metadata = {k: self.process_metadata(k, v) if isinstance(v, str) else v
                    for k, v in fields.items()}
        return self._md.convert(body), metadata

def register():
    signals.readers_init.connect(lambda readers: readers.reader_classes.update(jmd=Reader),
                                 weak=False)
"""
# Renders the text of each category, as a documents folder of descriptions.
CATEGORIES = """
import pathlib
import markdown
from pelican import signals

def describe(generator):
    for category, articles in generator.categories:
        file = pathlib.Path(generator.settings["PATH"], "about", category.slug + ".txt")
        category.description = markdown.markdown(file.read_text())

def register():
    signals.article_generator_finalized.connect(describe)
"""
# What i18n_subsites does to a generator: translations leave its lists, and a site of their
# own is built within the build; they still stand in feeds.
SUBSITES = """
import copy, os
from pelican import Pelican, signals
from pelican.settings import configure_settings

main = None

def begin(pelican):
    global main
    main = main or pelican

def filter_translations(generator):
    lang = generator.settings["DEFAULT_LANG"]
    for name in ("translations", "drafts_translations"):
        listed = getattr(generator, name)
        listed[:] = [content for content in listed if content.lang == lang]
    generator.articles[:] = [a for a in generator.articles if a.lang == lang]

def end(pelican):
    if pelican is not main:
        return
    settings = copy.copy(main.settings)
    settings.update(
        DEFAULT_LANG="fr",
        SITEURL=main.settings["SITEURL"] + "/fr",
        OUTPUT_PATH=os.path.join(main.settings["OUTPUT_PATH"], "fr"),
        CACHE_PATH=os.path.join(main.settings["CACHE_PATH"], "fr"),
        STATIC_PATHS=[],
        THEME_STATIC_PATHS=[],
        DELETE_OUTPUT_DIRECTORY=False,
    )
    pelican.__class__(configure_settings(settings)).run()

def register():
    signals.initialized.connect(begin)
    signals.article_generator_finalized.connect(filter_translations)
    signals.finalized.connect(end)
"""
# Writes one picture at a signal, as thumbnailers and galleries do.
LATE = """
import os
from pelican import signals

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="4" height="3"/>'

def write(output, name):
    path = os.path.join(output, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(SVG)

def at_end(pelican):
    write(pelican.output_path, "thumbs/end.svg")

def at_page(path, context):
    write(context["OUTPUT_PATH"], "thumbs/page.svg")

def at_generators(generators):
    write(generators[0].output_path, "thumbs/generators.svg")

def register():
    signals.finalized.connect(at_end)
    signals.content_written.connect(at_page)
    signals.all_generators_finalized.connect(at_generators)
"""
# Adds markup to documents when ours has looked at them.
ADDS = """
from pelican import signals

LOGO = '<p><img src="/images/logo.png" alt="logo"></p>'

def add(generator, content):
    content._content += LOGO

def register():
    signals.article_generator_write_article.connect(add)
"""
# Changes written pages, as minifiers and seo plugins do.
EDITS = """
import pathlib
from pelican import signals

def edit(path, context):
    page = pathlib.Path(path)
    if page.suffix == ".html":
        site = context["localsiteurl"]
        tag = f'<meta property="og:image" content="{site}/images/logo.png"></head>'
        page.write_text(page.read_text("utf-8").replace("</head>", tag), "utf-8")

def register():
    signals.content_written.connect(edit)
"""
# Recompresses the pictures of the output in their place, as optimisers do.
OPTIMISES = """
import pathlib
from pelican import signals

def optimise(pelican):
    for file in pathlib.Path(pelican.output_path).rglob("*.jpg"):
        with file.open("r+b") as picture:
            picture.seek(0, 2)
            picture.write(b"optimised")

def register():
    signals.finalized.connect(optimise)
"""
# Writes data about the site at its end, as search plugins do.
INDEXES = """
import json, os
from pelican import signals

def index(pelican):
    path = os.path.join(pelican.output_path, "search.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump([{"image": "/images/cat.jpg", "icon": "images/logo.png"}], file)

def register():
    signals.finalized.connect(index)
"""


def _plugin(site: Site, name: str, text: str) -> None:
    site.write(f"plugins/{name}.py", text)


def _two_pictures(site: Site) -> None:
    site.picture("content/images/cat.jpg")
    site.picture("content/images/logo.png", text_seed=2)


@case
def avatars_in_a_data_file(site: Site) -> Case:
    _plugin(site, "data", DATA)
    site.picture("content/images/ann.png")
    site.picture("content/images/bob.png", text_seed=2)
    people = [{"avatar": "/images/ann.png"}, {"avatar": "images/bob.png"}]
    site.write("content/data/people.json", json.dumps(people))
    theme(
        site,
        '<img src="{{ SITEURL }}{{ DATA_PEOPLE[0].avatar }}">'
        '<img src="{{ SITEURL }}/{{ DATA_PEOPLE[1].avatar }}">',
    )
    post(site, "a.md", "![a](/images/ann.png) ![b](/images/bob.png)")
    return Case(plugins=("data",))


NESTED = {
    "title": "a",
    "date": "2024-01-01",
    "gallery": ["images/a.jpg", "/images/b.jpg"],
    "hero": {"image": "images/c.jpg", "alt": "A sea", "sizes": {"small": "images/d.jpg"}},
    "shots": [{"src": "images/e.jpg"}],
}


def _nested(site: Site, body: str, **settings: object) -> Case:
    _plugin(site, "reader", READER)
    for seed, name in enumerate("abcde", 1):
        site.picture(f"content/images/{name}.jpg", text_seed=seed)
    theme(
        site,
        '<img src="/{{ article.gallery[0] }}"><img src="{{ SITEURL }}/{{ article.gallery[0] }}">'
        '<img src="{{ SITEURL }}{{ article.gallery[1] }}"><img src="/{{ article.hero.image }}">'
        '<img src="{{ SITEURL }}/{{ article.hero.sizes.small }}">'
        '<img src="{{ SITEURL }}/{{ article.shots[0].src }}">',
    )
    site.write("content/a.jmd", json.dumps(NESTED) + "\n\n" + body)
    site.configure(**settings)
    return Case(plugins=("reader",))


@case
def nested_metadata(site: Site) -> Case:
    return _nested(site, "Words.")


@case
def nested_metadata_of_named_pictures(site: Site) -> Case:
    return _nested(site, "".join(f"![x](/images/{name}.jpg)" for name in "abcde"))


@case
def nested_metadata_by_dotted_names(site: Site) -> Case:
    fields = ["hero.image", "hero.sizes.small", "gallery.*", "shots.*.src"]
    return _nested(site, "Words.", IMAGEHOST_METADATA_FIELDS=fields)


@case
def nested_metadata_in_fields_of_ours(site: Site) -> Case:
    return _nested(site, "Words.", IMAGEHOST_METADATA_FIELDS=["gallery", "hero", "shots"])


@case
def the_text_of_a_category(site: Site) -> Case:
    _plugin(site, "categories", CATEGORIES)
    _two_pictures(site)
    site.write("content/about/notes.txt", "![a](/images/cat.jpg)")
    theme(site, "{{ article.category.description }}")
    post(site, "a.md", "![a](/images/cat.jpg)", Category="notes")
    return Case(plugins=("categories",))


@case
def sites_of_other_languages(site: Site) -> Case:
    _plugin(site, "subsites", SUBSITES)
    _two_pictures(site)
    theme(site, '<img src="{{ SITEURL }}/{{ article.cover }}">')
    for lang in ("en", "fr"):
        body = "![a]({static}/images/cat.jpg) ![b](/images/logo.png)"
        post(site, f"a-{lang}.md", body, Slug="a", Lang=lang, Cover="images/cat.jpg")
    site.configure(
        DEFAULT_LANG="en",
        FEED_ALL_ATOM="feeds/all.atom.xml",
        TRANSLATION_FEED_ATOM="feeds/all-{lang}.atom.xml",
    )
    modes = ("top", "domain", "folder", "relative", "host", "dropped", "dropped-host")
    return Case(plugins=("subsites",), modes=modes)


LATE_LINKS = "".join(f"![x](/thumbs/{name}.svg)" for name in ("end", "page", "generators"))


@case
def pictures_made_late(site: Site) -> Case:
    """No false alarm, whichever plugin is loaded first."""
    _plugin(site, "late", LATE)
    post(site, "a.md", f"{LATE_LINKS} <div data-bg='/thumbs/end.svg'>a</div>")
    return Case(plugins=("late",), modes=tuple(m for m in Case().modes if m != "folder"))


@case
def pictures_made_late_by_a_plugin_after_ours(site: Site) -> Case:
    _plugin(site, "late", LATE)
    theme(site, '<img src="{{ SITEURL }}/thumbs/end.svg">')
    post(site, "a.md", LATE_LINKS)
    return Case(after=("late",), modes=tuple(m for m in Case().modes if m != "folder"))


@case
def pictures_made_late_named_in_metadata(site: Site) -> Case:
    _plugin(site, "late", LATE)
    theme(site, '<img src="{{ SITEURL }}/{{ article.image }}">')
    post(site, "a.md", Image="thumbs/end.svg")
    return Case(plugins=("late",))


@case
def pictures_made_late_in_a_strict_build(site: Site) -> Case:
    _plugin(site, "late", LATE)
    post(site, "a.md", LATE_LINKS)
    site.configure(IMAGEHOST_STRICT=True)
    return Case(plugins=("late",), modes=tuple(m for m in Case().modes if m != "folder"))


@case
def markup_added_when_pages_are_written(site: Site) -> Case:
    _plugin(site, "adds", ADDS)
    _two_pictures(site)
    post(site, "a.md", "![a](/images/logo.png)")
    return Case(plugins=("adds",))


@case
def markup_added_to_written_pages(site: Site) -> Case:
    _plugin(site, "edits", EDITS)
    _two_pictures(site)
    post(site, "a.md", "![a](/images/logo.png)")
    return Case(plugins=("edits",))


@case
def markup_added_to_written_pages_after_ours(site: Site) -> Case:
    _plugin(site, "edits", EDITS)
    _two_pictures(site)
    post(site, "a.md", "![a](/images/logo.png)")
    return Case(after=("edits",))


@case
def pictures_changed_in_the_output(site: Site) -> Case:
    """The store keeps its bytes, also where the output shares them."""
    _plugin(site, "optimises", OPTIMISES)
    _two_pictures(site)
    theme(site, '<img src="/images/cat.jpg">')
    post(site, "a.md", "![a](/images/cat.jpg)")
    return Case(plugins=("optimises",), modes=("top", "relative", "dropped"))


@case
def data_written_at_the_end(site: Site) -> Case:
    _plugin(site, "indexes", INDEXES)
    _two_pictures(site)
    post(site, "a.md", "![a](/images/cat.jpg) ![b](/images/logo.png)")
    return Case(plugins=("indexes",), modes=tuple(m for m in Case().modes if m != "folder"))


@case
def data_written_at_the_end_after_ours(site: Site) -> Case:
    _plugin(site, "indexes", INDEXES)
    _two_pictures(site)
    post(site, "a.md", "![a](/images/cat.jpg) ![b](/images/logo.png)")
    return Case(after=("indexes",), modes=tuple(m for m in Case().modes if m != "folder"))
