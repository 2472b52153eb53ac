"""Whole builds of real sites by real Pelican."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import unicodedata
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, urlsplit

import pytest

from pelican_imagehost.documents.references import find_references
from pelican_imagehost.storage.index import Index
from tests.comparison import compare_outputs

if TYPE_CHECKING:
    from tests.conftest import Site

HOST = "https://img.example.com"
KEY = r"[0-9a-f]{2}/[0-9a-f]{64}\.\w+"


def post(site: Site, relative: str, body: str, **metadata: str) -> Path:
    """Write a Markdown post."""
    head = {"Title": Path(relative).stem, "Date": "2024-05-06", **metadata}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in head.items()]
    return site.write(f"content/{relative}", "\n".join(lines) + "\n\n" + body + "\n")


def key_of(file: Path, kind: str | None = None) -> str:
    """Return the key for the bytes of a file."""
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return f"{digest[:2]}/{digest}.{kind or file.suffix[1:]}"


def urls(text: str) -> list[str]:
    """Return the addresses of all images in a page, in order."""
    return [reference.url for reference in find_references(text)]


def messages(completed: subprocess.CompletedProcess[str]) -> str:
    """Return the output of Pelican, with wrapped lines joined and margins removed."""
    text = completed.stdout + completed.stderr
    return " ".join(re.sub(r"\s+\w+\.py:\d+\s*$", " ", text, flags=re.MULTILINE).split())


def broken(output: Path, base: str = "") -> list[str]:
    """List the images that a browser could not load, if the output is served at `base`/."""
    missing = []
    for page in output.rglob("*.html"):
        for url in urls(page.read_text("utf-8")):
            path = unquote(urlsplit(url).path)
            if url.startswith("/") or "://" in url:
                target = output / path.removeprefix(base).lstrip("/")
            else:
                target = page.parent / path
            if not target.resolve().is_file():
                missing.append(f"{page.relative_to(output)}: {url}")
    return missing


WAYS = {
    "inline": "![a](cat.jpg)",
    "titled": '![a](cat.jpg "The cat")',
    "in angle brackets": "![a](<cat.jpg>)",
    "reference": "![a][cat]\n\n[cat]: cat.jpg",
    "raw HTML": '<img alt="a" src="cat.jpg">',
    "raw HTML, unquoted": "<img alt=a src=cat.jpg>",
    "picture": '<picture><source srcset="cat.jpg"><img alt="a" src="cat.jpg"></picture>',
    "srcset": '<img alt="a" srcset="cat.jpg 1x, ../b/cat.jpg 2x" src="cat.jpg">',
    "poster": '<video poster="cat.jpg" src="film.mp4"></video>',
    "link": "[the whole picture](cat.jpg)",
    "static": "![a]({static}cat.jpg)",
    "static from the root": "![a]({static}/a/cat.jpg)",
    "attach": "![a]({attach}cat.jpg)",
    "filename": "![a]({filename}cat.jpg)",
    "bars": "![a](|static|cat.jpg)",
    "absolute": "![a](/a/cat.jpg)",
    "of the site": "![a](https://blog.example.com/a/cat.jpg)",
    "dotted": "![a](./cat.jpg)",
    "from another folder": "![a](../a/cat.jpg)",
    "query and fragment": "![a](cat.jpg?w=300#top)",
}


@pytest.mark.parametrize("body", WAYS.values(), ids=WAYS.keys())
def test_every_way_to_name_an_image_is_rewritten(site: Site, body: str) -> None:
    cat = site.picture("content/a/cat.jpg", colour="red")
    other = site.picture("content/b/cat.jpg", colour="blue")
    site.configure(SITEURL="https://blog.example.com", IMAGEHOST_URL=HOST)
    post(site, "a/post.md", body)
    site.build()
    found = urls(site.output("post.html"))
    named = [url for url in found if not url.startswith("https://blog")]
    expected = {f"{HOST}/{key_of(cat)}", f"{HOST}/{key_of(other)}"}
    assert named
    assert {re.sub(r"\?w=300#top$", "", url) for url in named} <= expected
    assert ("?w=300#top" in named[0]) == ("?w=300" in body)
    assert not re.search(r'["= ](?:\.\.?/|/a/|)(?:a/|b/)?cat\.jpg', site.output("post.html"))


NAMES = [
    "two words.jpg",
    "brackets (1).jpg",
    "percent%20sign.jpg",
    "猫.jpg",
    "🐈.jpg",
    unicodedata.normalize("NFC", "chaméléon.jpg"),
    unicodedata.normalize("NFD", "chaméléon.jpg"),
    "ampersand & co.jpg",
    "C# notes.jpg",
    "UPPER.JPG",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_name_is_found_however_it_is_spelt(
    site: Site, name: str, form: Literal["NFC", "NFD"]
) -> None:
    cat = site.picture(f"content/{name}", kind="jpg")
    spelt = unicodedata.normalize(form, name)
    post(site, "post.md", f"![a](<{spelt}>) ![b](<{spelt.replace(' ', '%20')}>)")
    site.build()
    assert urls(site.output("post.html")) == [f"/images/{key_of(cat, 'jpg')}"] * 2


def test_documents_of_every_kind_are_rewritten(site: Site) -> None:
    cat = site.picture("content/cat.jpg")
    site.configure(
        SITEURL="https://blog.example.com",
        FEED_ALL_ATOM="all.atom.xml",
        FEED_ALL_RSS="all.rss.xml",
        RSS_FEED_SUMMARY_ONLY=False,
        SUMMARY_MAX_LENGTH=None,
    )
    post(site, "post.md", "![a](cat.jpg)")
    post(site, "post-fr.md", "![a](cat.jpg)", Slug="post", Lang="fr")
    post(site, "draft.md", "![a](cat.jpg)", Status="draft")
    post(site, "draft-fr.md", "![a](cat.jpg)", Status="draft", Slug="draft", Lang="fr")
    post(site, "hidden.md", "![a](cat.jpg)", Status="hidden")
    post(site, "hidden-fr.md", "![a](cat.jpg)", Status="hidden", Slug="hidden", Lang="fr")
    post(site, "summary.md", "text", Summary="![a](cat.jpg)")
    for name in ("page", "page-fr", "draft-page", "hidden-page"):
        extra = {"Status": name.split("-")[0]} if name[0] in "dh" else {}
        extra |= {"Slug": "page", "Lang": "fr"} if name == "page-fr" else {}
        post(site, f"pages/{name}.md", "![a](../cat.jpg)", **extra)
    site.write(
        "content/rest.rst",
        "rest\n####\n\n:date: 2024-01-01\n:image: cat.jpg\n\n.. image:: cat.jpg\n   :alt: a\n",
    )
    site.write(
        "content/html.html",
        "<html><head><title>html</title><meta name='date' content='2024-01-01'></head>"
        "<body><img alt='a' src='cat.jpg'></body></html>",
    )
    site.build()
    pages = ["post", "post-fr", "hidden", "hidden-fr", "index", "rest", "html"]
    pages += ["drafts/draft", "drafts/draft-fr", "drafts/pages/draft-page"]
    pages += ["pages/page", "pages/page-fr", "pages/hidden-page"]
    address = f"https://blog.example.com/images/{key_of(cat)}"
    for page in pages:
        assert set(urls(site.output(f"{page}.html"))) == {address}, page
    assert address in site.output("index.html").partition("summary.html")[2]
    for feed in ("all.atom.xml", "all.rss.xml"):
        text = site.output(feed)
        assert text.count(address) == (5 if "atom" in feed else 4)
        assert "&quot;cat.jpg" not in text
        assert '"cat.jpg' not in text
    assert not broken(site.root / "output")


def test_metadata_that_names_an_image_gives_the_theme_its_address(site: Site) -> None:
    cat, dog = site.picture("content/cat.jpg"), site.picture("content/dog.png", colour="blue")
    site.write(
        "theme/article.html",
        "[{{ article.image }}] [{{ article.metadata['cover'] }}]{{ article.banner }}|"
        "{{ article.og_image|join(' ') }}|{{ article.thumbnail }}",
    )
    site.configure(THEME_TEMPLATES_OVERRIDES=[str(site.root / "theme")], IMAGEHOST_URL=HOST)
    head = "Title: p\nDate: 2024-01-01\nImage: cat.jpg\nCover: {static}/dog.png\nBanner: Hello\n"
    more = "og_image: cat.jpg\n    dog.png\nThumbnail: http://a/b.png\n"
    site.write("content/p.md", f"{head}{more}\nx")
    site.build()
    first, second = f"{HOST}/{key_of(cat)}", f"{HOST}/{key_of(dog)}"
    assert site.output("p.html") == f"[{first}] [{second}]Hello|{first} {second}|http://a/b.png"


LAYOUTS = ["beside", "absolute", "outside"]


def three_kinds_of_site(site: Site, layout: str) -> None:
    folder = {"beside": "content/{}", "absolute": "content/images/{}", "outside": "pics/{}"}[layout]
    link = {"beside": "{}", "absolute": "/images/{}/{}", "outside": "{}/{}"}[layout]
    for number, group in enumerate(("one", "two", "three")):
        for name in ("cat.jpg", "my dog.png"):
            site.picture(f"{folder.format(group)}/{name}", text_seed=number)
            site.picture(f"{folder.format(group)}/big-{name}", size=(80, 60), text_seed=number)
        name = "{}" if layout == "beside" else group
        cat = link.format("cat.jpg") if layout == "beside" else link.format(name, "cat.jpg")
        dog = cat.replace("cat.jpg", "my dog.png")
        post(
            site,
            f"{group}/{group}.md",
            f"![a]({cat}) and ![b](<{dog}>)\n\n"
            f'<img alt="c" srcset="{cat} 1x, {cat.replace("cat", "big-cat")} 2x">\n\n'
            f"[big]({cat.replace('cat', 'big-cat')}) `![code]({cat})` ![gone](missing.jpg)\n\n"
            f"    ![code]({cat})\n\n&copy; caf\u00e9 &lt;img src='{cat}'&gt; <!-- {cat} -->\n\n"
            "| a | b |\n|---|---|\n| <br/> | x |\n",
            Summary=f"A summary with ![a]({cat})",
        )
    if layout == "outside":
        site.configure(IMAGEHOST_SEARCH_PATHS=["pics"])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("siteurl", ["", "https://blog.example.com/sub"])
def test_nothing_changes_but_references(site: Site, layout: str, siteurl: str) -> None:
    three_kinds_of_site(site, layout)
    site.configure(SITEURL=siteurl, FEED_ALL_ATOM="atom.xml", FEED_ALL_RSS="rss.xml")
    site.build("-e", "PLUGINS=[]")
    (site.root / "output").rename(site.root / "plain")
    site.build()
    replaced, differences = compare_outputs(
        site.root / "plain", site.root / "output", re.escape(f"{siteurl}/images/")
    )
    assert not differences
    digests: dict[str, set[str]] = {}
    for file in site.root.rglob("*.*"):
        if file.is_file():
            digests.setdefault(file.name, set()).add(hashlib.sha256(file.read_bytes()).hexdigest())
    for _, reference, digest in replaced:
        assert digest in digests[unquote(reference).rpartition("/")[2]]
    for group in ("one", "two", "three"):
        assert len({r for r in replaced if r[0] == f"{group}.html"}) >= 3
        left = [url for url in urls(site.output(f"{group}.html")) if "/images/" not in url]
        assert left == ["missing.jpg"]


def test_files_of_one_name_in_different_folders_stay_different_pictures(site: Site) -> None:
    for number in range(20):
        site.picture(f"content/{number}/cat.jpg", text_seed=number + 1)
        post(site, f"{number}/post-{number}.md", "![a]({attach}cat.jpg)")
    site.build("-e", "PLUGINS=[]", check=False)
    plain = list((site.root / "output").rglob("*.jpg"))
    shutil.rmtree(site.root / "output")
    site.build()
    assert len(plain) < 20
    assert len(list((site.root / "output/images").rglob("*.jpg"))) == 20
    for number in range(20):
        expected = key_of(site.root / f"content/{number}/cat.jpg")
        assert urls(site.output(f"post-{number}.html")) == [f"/images/{expected}"]


@pytest.mark.parametrize(
    ("siteurl", "base"), [("", ""), ("https://me.example.com/blog", "/blog")], ids=["plain", "path"]
)
def test_the_output_is_complete_without_a_host(site: Site, siteurl: str, base: str) -> None:
    three_kinds_of_site(site, "beside")
    post(site, "extra.md", "text", Image="one/cat.jpg")
    site.write("theme/page.html", "<img src='{{ page.image }}'>")
    site.configure(SITEURL=siteurl, THEME_TEMPLATES_OVERRIDES=[str(site.root / "theme")])
    site.configure(PAGE_URL="deep/er/{slug}/", PAGE_SAVE_AS="deep/er/{slug}/index.html")
    post(site, "pages/about.md", "text", Image="../one/cat.jpg")
    groups = ("one", "two", "three", "category/one", "category/two", "category/three")
    left = {f"{page}.html: missing.jpg" for page in groups}
    site.build()
    assert set(broken(site.root / "output", base)) == left
    site.build("--relative-urls")
    pages = [p.read_text("utf-8") for p in (site.root / "output").rglob("*.html")]
    found = [url for page in pages for url in urls(page)]
    assert "../../../images/" in site.output("deep/er/about/index.html")
    assert all(url.startswith(".") or url == "missing.jpg" for url in found)
    assert set(broken(site.root / "output")) == left


def test_with_a_host_the_output_holds_no_image_that_it_holds(site: Site) -> None:
    three_kinds_of_site(site, "absolute")
    site.picture("content/images/logo.png", colour="blue")
    site.picture("content/images/attribute.png", colour="green")
    site.picture("content/images/unused.png", colour="white")
    site.picture("content/images/both.png", colour="black")
    site.write("content/extra/page.html", "<img src='/images/both.png'>")
    site.configure(
        STATIC_PATHS=["images", "extra"],
        ARTICLE_EXCLUDES=["extra"],
        IMAGEHOST_URL=HOST,
        SITELOGO="images/logo.png",
        READERS={"html": None},
    )
    post(site, "a.md", "![a](/images/logo.png) ![a](/images/both.png)")
    post(site, "b.md", '![a](/images/attribute.png)\n\n<div data-own="/images/attribute.png">')
    site.build()
    output = site.root / "output"
    assert {path.name for path in output.rglob("images/*.*")} == {
        "logo.png",  # used in a setting
        "attribute.png",  # used in an attribute that is not a reference
        "both.png",  # used in a static page
        "unused.png",  # not used in a document, so not hosted
    }
    shutil.rmtree(site.root / "output")
    site.configure(IMAGEHOST_KEEP_STATIC=True)
    site.build()
    assert (site.root / "output/images/one/cat.jpg").is_file()


def test_a_static_link_that_stays_keeps_its_file(site: Site) -> None:
    site.picture("content/cat.jpg")
    site.configure(IMAGEHOST_URL=HOST)
    post(site, "a.md", "![a]({static}cat.jpg)")
    post(site, "b.md", '<video src="{static}cat.jpg"></video>')
    site.build()
    assert (site.root / "output/cat.jpg").is_file()
    assert 'src="/cat.jpg"' in site.output("b.html")
    assert HOST in site.output("a.html")


def test_with_the_manifest_and_without_the_files_the_html_is_the_same(site: Site) -> None:
    three_kinds_of_site(site, "beside")
    site.configure(IMAGEHOST_URL=HOST, FEED_ALL_ATOM="atom.xml", SITEURL="https://b.example.com")
    site.build()
    lines = (site.root / "imagehost.jsonl").read_bytes()
    output = site.root / "output"
    before = {p.relative_to(output): p.read_bytes() for p in output.rglob("*.html")}
    for folder in ("images", "cache", "output"):
        shutil.rmtree(site.root / folder)
    for file in (site.root / "content").rglob("*.*"):
        if file.suffix in {".jpg", ".png"}:
            file.unlink()
    site.build()
    after = {p.relative_to(output): p.read_bytes() for p in output.rglob("*.html")}
    assert before == after
    assert (site.root / "imagehost.jsonl").read_bytes() == lines


def test_missing_bytes_are_a_problem_only_where_they_must_be_copied(site: Site) -> None:
    site.picture("content/cat.jpg")
    post(site, "a.md", "![a](cat.jpg)")
    site.build()
    shutil.rmtree(site.root / "images")
    (site.root / "content/cat.jpg").unlink()
    said = messages(site.build())
    assert "content/a.md:4: cat.jpg: content/cat.jpg is listed in imagehost.jsonl" in said
    assert "IMAGEHOST_URL" in said
    assert "in the manifest" not in messages(site.build("-e", f'IMAGEHOST_URL="{HOST}"'))


@pytest.mark.parametrize("layer", ["reader", "generator"])
def test_a_changed_image_is_never_served_from_pelicans_cache(site: Site, layer: str) -> None:
    site.configure(CACHE_CONTENT=True, LOAD_CONTENT_CACHE=True, CONTENT_CACHING_LAYER=layer)
    site.picture("content/cat.jpg")
    post(site, "a.md", "![a](cat.jpg)")
    site.build()
    first = urls(site.output("a.html"))
    cat = site.picture("content/cat.jpg", colour="blue")
    site.build()
    assert urls(site.output("a.html")) == [f"/images/{key_of(cat)}"] != first
    assert [line["path"] for line in site.manifest()] == ["content/cat.jpg"]


def test_a_warm_build_reads_no_image(site: Site) -> None:
    cat = site.picture("content/cat.jpg")
    post(site, "a.md", "![a](cat.jpg)")
    old = cat.stat().st_mtime - 100
    subprocess.run(["touch", "-d", f"@{old}", cat], check=True)
    script = (
        "import sys, time; real = time.time_ns; time.time_ns = lambda: real() + 10**10\n"
        "sys.argv = ['pelican', 'content']\n"
        "import pelican; pelican.main(); print('read' if 'filetype' in sys.modules else 'warm')"
    )
    command = [sys.executable, "-c", script]
    runs = [subprocess.run(command, cwd=site.root, capture_output=True, text=True, check=True)
            for _ in range(2)]  # fmt: skip
    assert [run.stdout.split()[-1] for run in runs] == ["read", "warm"]


EARLY = """
from pelican import signals
def look(content):
    content.content
def early(generator):
    for article in generator.articles:
        article.content, article.summary
def register():
    signals.article_generator_pretaxonomy.connect(early)
"""


def test_another_plugin_that_looked_first_gets_no_stale_text_shown(site: Site) -> None:
    cat = site.picture("content/cat.jpg")
    site.write("plugins/early.py", EARLY)
    site.configure(PLUGIN_PATHS=["plugins"], PLUGINS=["early", "imagehost"])
    post(site, "a.md", "![a](cat.jpg)")
    site.build()
    for page in ("a.html", "index.html"):
        assert urls(site.output(page)) == [f"/images/{key_of(cat)}"]


@pytest.mark.parametrize(
    "plugins",
    [None, ["pelican_imagehost"], ["imagehost"], ["pelican.plugins.imagehost"],
     ["pelican_imagehost", "imagehost"]],
)  # fmt: skip
def test_the_plugin_goes_by_each_of_its_names(site: Site, plugins: list[str] | None) -> None:
    site.picture("content/cat.jpg")
    post(site, "a.md", "![a](cat.jpg)")
    site.configure(PLUGINS=plugins)
    completed = site.build()
    assert re.findall("/images/", site.output("a.html"))
    assert messages(completed).count("1 image hosted, 1 new.") == 1


def test_image_process_keeps_what_is_its_own(site: Site) -> None:
    site.picture("content/cat.jpg")
    post(site, "a.md", '<img class="image-process-thumb" alt="a" src="cat.jpg">')
    site.build()
    assert urls(site.output("a.html")) == []
    assert 'src="cat.jpg"' in site.output("a.html")


def test_a_store_inside_path_is_neither_content_nor_copied(site: Site) -> None:
    site.write("post.md", "Title: a\nDate: 2024-01-01\n\n![a](cat.jpg)\n")
    site.picture("cat.jpg")
    site.configure(PATH=".", ARTICLE_PATHS=["."], PAGE_PATHS=[], IMAGEHOST_URL=HOST)
    command = [sys.executable, "-m", "pelican", "-s", "pelicanconf.py"]
    for _ in range(2):
        subprocess.run(command, cwd=site.root, check=True, capture_output=True)
    assert HOST in site.output("a.html")
    assert not (site.root / "output/images").exists()


def test_a_folder_of_the_authors_own_images_is_not_made_the_store(site: Site) -> None:
    site.picture("images/mine.png")
    site.configure(IMAGEHOST_SEARCH_PATHS=["images"])
    post(site, "a.md", "![a](mine.png)")
    site.build()
    assert sorted(p.name for p in (site.root / "images").iterdir()) == ["mine.png"]
    assert list((site.root / "imagehost").rglob("*.png"))


def test_a_setting_that_cannot_be_stops_the_build_with_a_sentence(site: Site) -> None:
    site.configure(IMAGEHOST_ULR=HOST)
    completed = site.build(check=False)
    assert completed.returncode == 1
    assert "IMAGEHOST_ULR is not a setting; did you mean IMAGEHOST_URL?" in messages(completed)
    assert "Traceback" not in completed.stdout + completed.stderr


def test_strict_reports_every_problem_and_then_fails(site: Site) -> None:
    site.picture("content/cat.jpg")
    site.write("content/empty.png", "")
    post(site, "a.md", "![a](Cat.jpg)\n\n![a](empty.png) ![a](cat.jpg)")
    post(site, "b.md", "![a](nothing.png)")
    site.publishconf(IMAGEHOST_STRICT=True, IMAGEHOST_URL=HOST)
    completed = site.build(settings="publishconf.py", check=False)
    said = messages(completed)
    assert completed.returncode == 1
    assert "content/a.md:4: Cat.jpg: no such file" in said
    assert "did you mean cat.jpg?" in said
    assert "content/a.md:6: empty.png: is an empty file" in said
    assert "content/b.md:4: nothing.png: no such file" in said
    assert "Traceback" not in said
    assert not (site.root / "output/a.html").exists()
    assert site.build().returncode == 0
    assert (site.root / "output/a.html").exists()


def test_a_problem_leaves_its_reference_as_written_and_drops_no_article(site: Site) -> None:
    site.picture("content/cat.jpg")
    site.write("content/empty.png", "")
    site.write("content/lfs.png", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    site.write("content/cut.jpg", b"\xff\xd8\xff\xe0")
    site.write("content/text.png", "hello")
    site.write("content/bad.svg", "<svg xmlns='http://www.w3.org/2000/svg'>\n<script/></svg>")
    (site.root / "content/folder.png").mkdir()
    (site.root / "content/away.jpg").symlink_to("/etc/hostname")
    (site.root / "secret.png").write_bytes(b"x")
    expected = {
        "missing.png": "no such file",
        "empty.png": "is an empty file",
        "lfs.png": "git lfs pull",
        "cut.jpg": "its end is missing",
        "text.png": "is a text file",
        "bad.svg": "<script> in line 2",
        "folder.png": "is a folder",
        "away.jpg": "is outside the folders of the site",
        "../secret.png": "is outside the folders of the site",
    }
    body = "\n\n".join(f"![a]({name})" for name in expected)
    post(site, "a.md", f"![a](cat.jpg)\n\n{body}")
    completed = site.build()
    said = messages(completed)
    for line, (name, reason) in enumerate(expected.items()):
        where = rf"content/a\.md:{6 + 2 * line}: {re.escape(name)}: "
        assert re.search(where + rf"[^:]*{reason}", said), name
    assert urls(site.output("a.html"))[1:] == list(expected)
    assert "1 image hosted, 1 new, 9 problems." in said
    with closing(Index(site.settings().index, read_only=True)) as index:
        recorded = index.problems()
    assert {(document, line, url) for document, line, url, _ in recorded} == {
        ("content/a.md", 6 + 2 * line, url) for line, url in enumerate(expected)
    }
    assert ("content/a.md", 8, "empty.png", "is an empty file") in recorded
    post(site, "a.md", "![a](cat.jpg)")
    site.build()
    with closing(Index(site.settings().index, read_only=True)) as index:
        assert index.problems() == []


def test_lines_of_the_manifest_that_cannot_be_read_are_named_and_kept(site: Site) -> None:
    site.picture("content/cat.jpg")
    post(site, "a.md", "![a](cat.jpg)")
    newer = json.dumps({"path": "x", "format": 9})
    site.write("imagehost.jsonl", f"<<<<<<< HEAD\n{newer}\n")
    said = messages(site.build())
    assert "imagehost.jsonl:1: is not a JSON object" in said
    assert "imagehost.jsonl:2: has format 9, from a newer version" in said
    text = (site.root / "imagehost.jsonl").read_text("utf-8")
    assert text.endswith(f"<<<<<<< HEAD\n{newer}\n")
    assert '"content/cat.jpg"' in text


def test_a_path_on_two_lines_is_settled_by_the_file(site: Site) -> None:
    cat = site.picture("content/cat.jpg")
    post(site, "a.md", "![a](cat.jpg)")
    site.build()
    line = site.manifest()[0]
    other = {**line, "sha256": "0" * 64}
    site.write("imagehost.jsonl", json.dumps(other) + "\n" + json.dumps(line) + "\n")
    bytes_of_cat = cat.read_bytes()
    cat.unlink()
    said = messages(site.build())
    assert "imagehost.jsonl lists two images for content/cat.jpg" in said
    assert urls(site.output("a.html")) == ["cat.jpg"]
    assert len(site.manifest()) == 2
    cat.write_bytes(bytes_of_cat)
    site.build()
    assert site.manifest() == [line]


def test_bare_names_are_found_where_a_browser_would_look(site: Site) -> None:
    cat = site.picture("content/media/cat.jpg")
    site.configure(ARTICLE_URL="blog/{slug}/", ARTICLE_SAVE_AS="blog/{slug}/index.html")
    post(site, "deep/er/post.md", "![a](../../media/cat.jpg) ![b](media/cat.jpg)")
    site.build()
    assert urls(site.output("blog/post/index.html")) == [f"/images/{key_of(cat)}"] * 2


def test_what_add_printed_is_found_again(site: Site) -> None:
    picture = site.picture("elsewhere/new.png", colour="blue")
    outside = site.root.parent / "outside.png"
    shutil.copy(picture, outside)
    address = site.cli("add", outside).stdout.decode().strip()
    assert address == f"/images/{key_of(outside)}"
    post(site, "a.md", f"![a]({address})")
    site.build()
    assert urls(site.output("a.html")) == [address]
    assert (site.root / f"output{address}").read_bytes() == outside.read_bytes()
    assert not broken(site.root / "output")
    site.build("-e", f'IMAGEHOST_URL="{HOST}"')
    assert urls(site.output("a.html")) == [f"{HOST}/{key_of(outside)}"]


def test_svg_images_of_restructuredtext_are_hosted_each_beside_its_post(site: Site) -> None:
    text = "{0}\n#\n\n:date: 2024-05-06\n:slug: {0}\n\n.. image:: plan.svg\n"
    for folder, colour in (("a", "red"), ("b", "blue")):
        site.picture(f"content/{folder}/plan.svg", colour=colour)
        site.write(f"content/{folder}/{folder}.rst", text.format(folder))
    site.build()
    for folder in ("a", "b"):
        key = key_of(site.root / f"content/{folder}/plan.svg")
        assert f'<object data="/images/{key}"' in site.output(f"{folder}.html")
    assert broken(site.root / "output") == []


def test_a_space_in_restructuredtext_comes_with_what_to_write(site: Site) -> None:
    site.picture("content/my trip.png")
    text = "a\n#\n\n:date: 2024-05-06\n:slug: a\n\n.. image:: my trip.png\n"
    site.write("content/a.rst", text)
    said = messages(site.build())
    assert "content/a.rst:7: mytrip.png: no such file" in said
    assert r"reStructuredText removes spaces: write my\ trip.png" in said
    site.write("content/a.rst", text.replace("my t", r"my\ t"))
    assert "no such file" not in messages(site.build())
    assert "images/" in site.output("a.html")


def test_a_problem_of_an_included_file_says_where_it_is(site: Site) -> None:
    site.write("content/parts/foot.inc", "One\n\n.. image:: cat.jpg\n")
    text = "a\n#\n\n:date: 2024-05-06\n:slug: a\n\n.. include:: parts/foot.inc\n"
    site.write("content/a.rst", text)
    said = messages(site.build())
    assert "content/a.rst:7: cat.jpg: no such file" in said
    assert "; included from content/parts/foot.inc:3" in said
