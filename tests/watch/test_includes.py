"""A change of an included file refreshes the documents that include it, and only the right ones."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.watch.watchkit import Desk, prepare, write_post

if TYPE_CHECKING:
    from tests.conftest import Site

READERS = str(Path(__file__).parent)


class Kind(NamedTuple):
    """A way to include a file: the suffixes of documents and parts, and how they are written."""

    suffix: str
    part: str
    include: str  # of a file beside the document, as in content/
    head: str = "Title\n\n"

    def write(self, site: Site, name: str, included: str) -> Path:
        text = self.head + "Before.\n\n" + self.include.format(included) + "\n"
        return site.write(f"content/{name}{self.suffix}", text)


RST = "Title\n=====\n\n:date: 2001-01-01\n:category: included\n\n"
KINDS = {
    "asciidoc": Kind(".adoc", ".adoc", "include::{}[]"),
    "org": Kind(".org", ".org", '#+INCLUDE: "{}"'),
    "myst": Kind(".myst", ".myst", "```{{include}} {}\n```"),
    "jinja": Kind(".tpl", ".tpl", '{{% include "{}" %}}'),
    "rst": Kind(".rst", ".rst", ".. include:: {}", RST),
    "raw": Kind(".rst", ".html", ".. raw:: html\n   :file: {}", RST),
    "csv": Kind(".rst", ".csv", ".. csv-table:: A table\n   :file: {}", RST),
}
NESTING = sorted(KINDS.keys() - {"raw", "csv"})


def use(site: Site, **settings: object) -> None:
    prepare(site, posts=3)
    site.configure(
        PLUGIN_PATHS=[READERS],
        PLUGINS=["readers", "pelican_imagehost"],
        ARTICLE_EXCLUDES=["parts"],
        SLUGIFY_SOURCE="basename",
        **settings,
    )


def pages_with(site: Site, text: str) -> set[str]:
    files = (site.root / "output").glob("*.html")
    return {file.stem for file in files if text in file.read_text("utf-8")} - {"index", "archives"}


def change(site: Site, desk: Desk, part: Path, text: str, *documents: str) -> None:
    """Change an included file; its documents are refreshed at once, and as a clean build would."""
    desk.drafts.clear()
    part.write_text(text, "utf-8")
    desk.wait(lambda: bool(desk.drafts), "pages at once")
    assert pages_with(site, text.strip()) >= set(documents)
    assert {Path(path).stem for path in desk.drafts[0]} == set(documents)
    desk.check()


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_an_included_file_refreshes_its_documents(site: Site, kind: Kind) -> None:
    use(site)
    part = site.write(f"content/parts/part{kind.part}", "First words\n")
    kind.write(site, "one", f"parts/part{kind.part}")
    kind.write(site, "two", f"parts/part{kind.part}")
    with Desk(site) as desk:
        assert pages_with(site, "First words") >= {"one", "two"}
        change(site, desk, part, "Second words\n", "one", "two")
        kind.write(site, "three", f"parts/part{kind.part}")
        desk.check()
        change(site, desk, part, "Third words\n", "one", "three", "two")


@pytest.mark.parametrize("kind", [KINDS[name] for name in NESTING], ids=NESTING)
def test_includes_of_includes_and_of_files_outside_the_content(site: Site, kind: Kind) -> None:
    # pelican-jinja2content takes names relative to its folders, the others to the file.
    is_jinja = kind is KINDS["jinja"]
    use(site, JINJA2CONTENT_TEMPLATES=["../shared"])
    inner = site.write(f"deep/er/inner{kind.part}", "First words\n")
    name = os.path.relpath(inner, site.root / "shared")
    if is_jinja:
        inner = inner.rename(site.root / f"inner{kind.part}")
        (site.root / "shared/sub").mkdir(parents=True)
        inner = inner.rename(site.root / f"shared/sub/inner{kind.part}")
        name = f"sub/inner{kind.part}"
    site.write(f"shared/outer{kind.part}", kind.include.format(name) + "\n")
    kind.write(site, "one", f"outer{kind.part}" if is_jinja else f"../shared/outer{kind.part}")
    with Desk(site) as desk:
        assert pages_with(site, "First words") == {"one"}
        change(site, desk, inner, "Second words\n", "one")
        outer = site.root / f"shared/outer{kind.part}"
        change(site, desk, outer, "Third words\n", "one")
        outer.write_text(kind.include.format(name) + "\n", "utf-8")
        desk.check()
        inner.write_text("Fourth words\n", "utf-8")
        desk.check()
        assert pages_with(site, "Fourth words") == {"one"}


@pytest.mark.parametrize("kind", [KINDS[name] for name in NESTING], ids=NESTING)
def test_a_document_that_others_include_refreshes_them(site: Site, kind: Kind) -> None:
    use(site)
    text = kind.head + "First words\n"
    part = site.write(f"content/part{kind.suffix}", text)
    if kind is KINDS["rst"]:
        kind = kind._replace(include=".. include:: {}\n   :start-line: 6")
    kind.write(site, "one", f"part{kind.suffix}")
    with Desk(site) as desk:
        assert pages_with(site, "First words") == {"one", "part"}
        desk.settle()
        desk.drafts.clear()
        part.write_text(text.replace("First", "Second"), "utf-8")
        desk.wait(lambda: bool(desk.drafts), "pages at once")
        assert pages_with(site, "Second words") == {"one", "part"}
        desk.check()


def test_an_included_file_that_is_missing_refreshes_when_it_is_there(site: Site) -> None:
    use(site)
    kind = KINDS["rst"]
    (site.root / "shared").mkdir()
    kind.write(site, "one", "../shared/late.rst")
    with Desk(site) as desk:
        desk.settle()
        site.write("shared/late.rst", "First words\n")
        desk.wait(lambda: pages_with(site, "First words") == {"one"}, "included words")
        desk.check()
        (site.root / "shared/late.rst").unlink()
        desk.wait(lambda: pages_with(site, "First words") == set(), "end of the words")
        desk.check()


def test_included_files_are_followed_from_the_moment_a_document_names_them(site: Site) -> None:
    use(site)
    part = site.write("shared/part.adoc", "First words\n")
    with Desk(site) as desk:
        kind = KINDS["asciidoc"]
        kind.write(site, "one", "../shared/part.adoc")
        desk.check()
        change(site, desk, part, "Second words\n", "one")
        site.write("content/one.adoc", "Title\n\nNothing.\n")
        desk.check()
        desk.drafts.clear()
        part.write_text("Third words\n", "utf-8")
        desk.check()
        assert "one.html" not in str(desk.drafts)


def test_a_snippet_that_an_extension_of_markdown_reads_refreshes_its_documents(
    site: Site,
) -> None:
    prepare(site, posts=2)
    part = site.write("snippets/part.txt", "First words\n")
    site.write(
        "snippets.py",
        "import os, re\n"
        "from markdown import Extension\n"
        "from markdown.preprocessors import Preprocessor\n\n"
        "class Reader(Preprocessor):\n"
        "    def run(self, lines):\n"
        "        for line in lines:\n"
        "            if line.startswith('<<'):\n"
        f"                with open({str(site.root / 'snippets')!r} + '/' + line[2:]) as file:\n"
        "                    yield from file.read().splitlines()\n"
        "            else:\n"
        "                yield line\n\n"
        "class Snippets(Extension):\n"
        "    def extendMarkdown(self, md):\n"
        "        reader = Reader(md)\n"
        "        reader.run = lambda lines, run=reader.run: list(run(lines))\n"
        "        md.preprocessors.register(reader, 'snippets', 30)\n\n"
        "def makeExtension(**options):\n"
        "    return Snippets(**options)\n",
    )
    site.configure(MARKDOWN={"extensions": ["snippets"]})
    write_post(site, "post-1", "<<part.txt", Category="notes")
    with Desk(site) as desk:
        assert pages_with(site, "First words") >= {"post-1"}
        change(site, desk, part, "Second words\n", "post-1")


def test_documents_whose_files_are_unchanged_are_not_read_again(site: Site) -> None:
    use(site)
    site.write("content/parts/part.adoc", "First words\n")
    KINDS["asciidoc"].write(site, "one", "parts/part.adoc")
    marks = site.root / "marks"
    marks.mkdir()
    site.write(
        "plugins/counting.py",
        "import readers, uuid, pathlib\n\n"
        "def register():\n"
        "    expand = readers.AsciiDoc.expand\n"
        "    def count(self, path):\n"
        f"        (pathlib.Path({str(marks)!r}) / uuid.uuid4().hex).mkdir()\n"
        "        return expand(self, path)\n"
        "    readers.AsciiDoc.expand = count\n",
    )
    plugins = ["readers", "counting", "pelican_imagehost"]
    site.configure(PLUGIN_PATHS=[READERS, "plugins"], PLUGINS=plugins)
    with Desk(site) as desk:
        for number in range(40):  # files that are seconds old may change without a trace
            count = len(list(marks.iterdir()))
            desk.builds.clear()
            write_post(site, "post-1", f"Words {number}.", Category="notes")
            desk.wait(lambda: bool(desk.builds), "whole build")
            if count == len(list(marks.iterdir())):
                break
            time.sleep(0.1)
        else:
            pytest.fail("each build has read the document again")
        desk.check()
