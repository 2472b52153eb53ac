"""Documents that are read without Pelican have the same images as with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from tests.conftest import Site

HEADER = "Title: A\nDate: 2026-01-01\n"
IMAGE = "![a](new.png)"


class Case(NamedTuple):
    """A document; whether its images are found without Pelican, and the settings."""

    text: str
    lean: bool
    name: str = "a.md"
    settings: str = ""


CASES = {
    "plain": Case(f"{HEADER}\nWords, and {IMAGE}.\n\n- {IMAGE}\n> ![b](more/b.png)\n", lean=True),
    "all fields": Case(
        "Title: Ä *b*\nDate: 2026-02-28 23:59\nModified: 2026-03-01\nCategory: c d\nTags: e, f\n"
        f"Author: G\nSlug: h-1\nLang: fr\nStatus: draft\nSummary: i\n\n{IMAGE}\n",
        lean=True,
    ),
    "no image": Case("no header, `code` and <b>HTML</b>", lean=False),
    "no image, no HTML": Case("no header and `code`", lean=True),
    "listed, and code": Case(f"{HEADER}\n`code`, ![a](old.png)\n", lean=True),
    "listed, skipped": Case(f"{HEADER}Status: skip\n\n![a](old.png)\n", lean=False),
    "code": Case(f"{HEADER}\n`{IMAGE}`\n", lean=False),
    "fence": Case(f"{HEADER}\n~~~\n{IMAGE}\n~~~\n", lean=False),
    "block": Case(f"{HEADER}\nx\n\n    {IMAGE}\n", lean=False),
    "tab": Case(f"{HEADER}\nx\n\n\t{IMAGE}\n", lean=False),
    "escape": Case(f"{HEADER}\n\\{IMAGE}\n", lean=False),
    "definition": Case(f"{HEADER}\n[x]: {IMAGE}\n", lean=False),
    "abbreviation": Case(f"{HEADER}\n*[x]: {IMAGE}\n", lean=False),
    "attributes": Case(f"{HEADER}\n{IMAGE}{{: src=x }}\n", lean=False),
    "two paragraphs": Case(f"{HEADER}\n![a\n\nb](new.png)\n", lean=False),
    "comment": Case(f"{HEADER}\n<!-- {IMAGE} -->\n", lean=False),
    "no title": Case(f"Date: 2026-01-01\n\n{IMAGE}\n", lean=False),
    "no date": Case(f"Title: A\n\n{IMAGE}\n", lean=False),
    "no such day": Case(f"Title: A\nDate: 2026-02-30\n\n{IMAGE}\n", lean=False),
    "no such hour": Case(f"Title: A\nDate: 2026-01-01 24:00\n\n{IMAGE}\n", lean=False),
    "twice": Case(f"{HEADER}Date: x\n\n{IMAGE}\n", lean=False),
    "skipped": Case(f"{HEADER}Status: skip\n\n{IMAGE}\n", lean=False),
    "no such status": Case(f"{HEADER}Status: secret\n\n{IMAGE}\n", lean=False),
    "elsewhere": Case(f"{HEADER}Save_as: ../../a.html\n\n{IMAGE}\n", lean=False),
    "cover": Case(f"{HEADER}Cover: new.png\n\nx\n", lean=False),
    "image as title": Case(f"Title: {IMAGE}\nDate: 2026-01-01\n\nx\n", lean=False),
    "image in summary": Case(f"{HEADER}Summary: {IMAGE}\n\nx\n", lean=False),
    "another type": Case(f"{HEADER}\n![a](new.bmp)\n", lean=False),
    "no header": Case(f"{IMAGE}\n", lean=False),
    "YAML": Case(f"---\ntitle: A\ndate: 2026-01-01\n---\n\n{IMAGE}\n", lean=False),
    "other encoding": Case(f"{HEADER}\n\udce4 {IMAGE}\n", lean=False),
    "page": Case("Title: A\n\n![a](b.png)\n", lean=True, name="pages/a.md"),
    "own fields": Case(f"{HEADER}Series: x\nTemplate: y\nTranslation: z\n\n{IMAGE}\n", lean=True),
    "time zone": Case(f"{HEADER}Timezone: none\n\n{IMAGE}\n", lean=False),
    "hidden": Case(f"{HEADER}\n{IMAGE}\n", lean=False, name=".a.md"),
    "in a hidden folder": Case(f"{HEADER}\n![a](b.png)\n", lean=False, name=".b/a.md"),
    "other suffix": Case(f"{HEADER}\n{IMAGE}\n", lean=True, name="a.MD"),  # not a document
    "reStructuredText": Case(":date: 2026-01-01\n\nA\n#\n\n.. image:: new.png\n", False, "a.rst"),
    "HTML": Case("<html><head><title>A</title></head><img src=new.png></html>", False, "a.html"),
    "above": Case(f"{HEADER}\n![a](../new.png)\n", lean=False, name="more/a.md"),
    "beside the page": Case(f"{HEADER}\n![a](images/static.png)\n", False, "more/a.md"),
    "chosen": Case(f"{HEADER}\n![a](b.png)\n", False, "more/a.md", "ARTICLE_PATHS = ['blog']"),
    "left out": Case(f"{HEADER}\n![a](b.png)\n", False, "more/a.md", "ARTICLE_EXCLUDES = ['more']"),
    "ignored": Case(f"{HEADER}\n{IMAGE}\n", False, "a.md", "IGNORE_FILES = ['a*']"),
    "by default": Case(
        f"{HEADER}\n{IMAGE}\n", False, "a.md", "DEFAULT_METADATA = {'status': 'skip'}"
    ),
    "by name": Case(
        f"{HEADER}\n![a](b.png)\n", False, "more/skip.md",
        "FILENAME_METADATA = '(?P<status>[a-z]+)'",
    ),
    "cover by default": Case(
        f"{HEADER}\nx\n", False, "a.md", "DEFAULT_METADATA = {'cover': 'new.png'}"
    ),
    "cover by path": Case(
        f"{HEADER}\nx\n", False, "a.md", "EXTRA_PATH_METADATA = {'a.md': {'cover': 'new.png'}}"
    ),
    "static path": Case(
        f"{HEADER}\n{IMAGE}\n", True, "a.md", "EXTRA_PATH_METADATA = {'old.png': {'path': 'x.png'}}"
    ),
    "listener": Case(
        f"{HEADER}\n<b>x</b>\n", False, "a.md",
        "from pelican import signals\n"
        "def change(item): item._content += '<img alt=\"\" src=\"new.png\">'\n"
        "signals.content_object_init.connect(change)",
    ),
    "extension": Case(f"{HEADER}\n{IMAGE}\n", False, "a.md", "MARKDOWN = {'extensions': []}"),
}  # fmt: skip


# Both ways in one process of its own: plugins and listeners stay connected to Pelican's signals.
READ = """
import json, logging, sys
from pathlib import Path
from pelican_imagehost.hosting import ImageHost
from pelican_imagehost.site.reading import read_documents
from pelican_imagehost.site.settings_file import read_settings

opened = []

def open_site():
    logging.disable()
    from pelican_imagehost.site.site import Site
    opened.append(Site(file))
    return opened[-1]

def images(documents):
    with ImageHost(site.settings, dry_run=True) as image_host:
        report = image_host.host(documents)
    return [sorted(report.images), sorted(map(str, report.problems))]

file = Path("pelicanconf.py")
site = read_settings(file)
documents = read_documents(site, open_site, set(sys.argv[1:]))
whole = [document.source for document in documents if document.html]
lean, times = images(documents), len(opened)
print(json.dumps([times, lean, images(open_site().documents()[0]), len(documents), whole]))
"""


def read(site: Site) -> tuple[int, object, object, int, list[str]]:
    """Read a site in both ways.

    Returns:
        How often Pelican was needed, the images and problems without it and with it, the number
        of documents, and the sources of those with HTML.
    """
    command = [sys.executable, "-c", READ, "content/old.png"]
    done = subprocess.run(command, cwd=site.root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    times, lean, whole, count, sources = json.loads(done.stdout)
    return times, lean, whole, count, sources


@pytest.mark.parametrize("name", CASES)
def test_without_pelican_the_images_are_the_same(site: Site, name: str) -> None:
    case = CASES[name]
    for picture in ("old", "new", "images/static", "more/b", "pages/b", ".b/b"):
        site.picture(f"content/{picture}.png", text_seed=len(picture))
    site.write("content/old.md", f"{HEADER}Slug: old\n\n![a](old.png)\n")
    site.write(f"content/{case.name}", case.text.encode(errors="surrogateescape"))
    with (site.root / "pelicanconf.py").open("a") as file:
        file.write(f"{case.settings}\n")
    times, lean, whole, _, _ = read(site)
    assert lean == whole
    assert times == (0 if case.lean else 1)


def test_only_the_documents_that_need_it_are_read_by_pelican(site: Site) -> None:
    for number in range(5):
        site.picture(f"content/{number}.png", text_seed=number)
        site.write(f"content/{number}.md", f"{HEADER}Slug: {number}\n\n![a]({number}.png)\n")
    site.write("content/html.md", f"{HEADER}\n<p><img alt='' src='0.png'></p>\n")
    _, lean, whole, count, sources = read(site)
    assert lean == whole
    assert (count, [os.path.basename(source) for source in sources]) == (6, ["html.md"])
