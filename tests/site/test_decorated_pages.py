"""Pages that real Pelican writes get the sizes of their pictures; nothing else does."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import PIL.Image
import pytest

from tests.comparison import undecorate
from tests.site.casekit import post, theme
from tests.test_plugin import key_of
from tests.watch.watchkit import tree

if TYPE_CHECKING:
    from tests.conftest import Site

HOST = "https://img.example.com"
BLOG = "https://blog.example.com"
ORIENTATION = 0x0112  # EXIF
FIRST = 'width="40" height="30" data-imagehost="40x30" fetchpriority="high" decoding="async"'
NEXT = 'width="40" height="30" data-imagehost="40x30" loading="lazy" decoding="async"'
UNQUOTE = """
import re
from pelican import signals

def minify(path, context):
    with open(path) as file:
        text = file.read()
    with open(path, "w") as file:
        file.write(re.sub(r'="([^" >]+)"', r"=\\1", text).replace("\\n", ""))

def register():
    signals.content_written.connect(minify)
"""


@pytest.fixture
def blog(site: Site) -> Site:
    site.picture("content/cat.png")
    site.picture("content/dog.png", colour="blue")
    theme(site, index="<p>", head="<link rel='stylesheet' href='/a.css'>")
    site.write("theme/static/.keep", "")
    site.configure(
        THEME="theme",
        DIRECT_TEMPLATES=["index"],
        PLUGINS=["pelican_imagehost"],
        **{f"{name}_SAVE_AS": "" for name in ("AUTHOR", "CATEGORY", "TAG")},
    )
    return site


def tags(blog: Site, page: str) -> list[str]:
    """Return the images of a page up to their addresses."""
    return re.findall(r"<img (.*?) ?(?:alt|src)=", blog.output(page))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"SITEURL": BLOG},
        {"SITEURL": BLOG, "RELATIVE_URLS": True},
        {"RELATIVE_URLS": True},
        {"SITEURL": BLOG, "IMAGEHOST_URL": HOST},
        {"SITEURL": BLOG, "IMAGEHOST_URL": f"{HOST}/pictures", "RELATIVE_URLS": True},
    ],
    ids=["top", "domain", "relative-domain", "relative", "host", "host-relative"],
)
@pytest.mark.parametrize("save_as", ["{slug}.html", "deep/{slug}.htm"])
def test_a_page_is_decorated(blog: Site, settings: dict[str, object], save_as: str) -> None:
    blog.configure(ARTICLE_SAVE_AS=save_as, ARTICLE_URL=save_as, **settings)
    post(blog, "a.md", "![a](cat.png)\n\n![b](dog.png)")
    blog.build()
    page = save_as.replace("{slug}", "a")
    assert tags(blog, page) == [FIRST, NEXT]
    assert blog.output(page).index("<meta charset") < blog.output(page).index("<style>")
    assert blog.output(page).index("<style>") < blog.output(page).index("<link")


def test_a_list_of_articles_has_one_first_picture(blog: Site) -> None:
    for name in "abc":
        post(blog, f"{name}.md", "![a](cat.png)")
    blog.build()
    assert tags(blog, "index.html") == [FIRST, NEXT, NEXT]


def test_a_picture_that_a_theme_writes_is_decorated(blog: Site) -> None:
    theme(blog, "<img src='{{ SITEURL }}/{{ article.cover }}'>")
    post(blog, "a.md", "![a](cat.png)", Cover="dog.png")
    blog.build()
    assert tags(blog, "a.html") == [FIRST, NEXT.replace('"', "'")]


def test_the_size_is_that_of_the_picture_as_shown(blog: Site) -> None:
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = 6
    PIL.Image.new("RGB", (80, 20)).save(blog.root / "content/turned.jpg", exif=exif)
    post(blog, "a.md", "![a](turned.jpg)")
    blog.build()
    assert 'width="20" height="80"' in blog.output("a.html")


def test_a_drawing_has_no_numbers(blog: Site) -> None:
    blog.picture("content/plan.svg", size=(400, 300))
    post(blog, "a.md", "![a](plan.svg)\n\n![b](plan.svg)")
    blog.build()
    assert tags(blog, "a.html") == ['fetchpriority="high" decoding="async"', 'decoding="async"']
    assert "<style>" not in blog.output("a.html")


def test_a_class_leaves_out_a_picture(blog: Site) -> None:
    blog.configure(MARKDOWN={"extension_configs": {"attr_list": {}}, "output_format": "html5"})
    post(blog, "a.md", "![a](cat.png){: .imagehost-plain }\n\n![b](dog.png){: width=20 }")
    blog.build()
    html = blog.output("a.html")
    assert f'<img alt="a" class="imagehost-plain" src="/images/{key_of_cat(blog)}">' in html
    assert 'height="15" data-imagehost="40x30-w"' in html


def key_of_cat(blog: Site) -> str:
    return key_of(blog.root / "content/cat.png")


def test_only_pages_change(blog: Site) -> None:
    blog.configure(SITEURL=BLOG, FEED_ALL_ATOM="feed.xml", FEED_ALL_RSS="rss.xml")
    blog.configure(TEMPLATE_PAGES={"data.json": "data.json"}, RSS_FEED_SUMMARY_ONLY=False)
    blog.write("content/data.json", "{{ articles[0].content|tojson }}<img src='{{ x }}'>")
    post(blog, "a.md", "![a](cat.png)\n\n![b](dog.png)")
    blog.build()
    exported = blog.cli("export", "content/a.md").stdout
    decorated = tree(blog.root / "output")
    blog.configure(IMAGEHOST_DECORATE=False)
    blog.build()
    plain = tree(blog.root / "output")
    changed = {name for name, data in plain.items() if data != decorated.pop(name)}
    assert changed == {"a.html", "index.html"}
    assert not decorated
    assert blog.cli("export", "content/a.md").stdout == exported
    for page in changed:
        assert plain[page].decode() == blog.output(page) == undecorate(blog.output(page))
    assert b"data-imagehost" not in b"".join(plain.values())


def test_a_repeated_build_and_one_without_images_write_the_same(blog: Site) -> None:
    blog.configure(SITEURL=BLOG, IMAGEHOST_URL=HOST, STATIC_PATHS=[])
    post(blog, "a.md", "![a](cat.png)\n\n![b](dog.png)")
    blog.build()
    first = tree(blog.root / "output")
    blog.build()
    assert tree(blog.root / "output") == first
    for name in ("images", "cache", "content/cat.png", "content/dog.png"):
        path = blog.root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(blog.root / "output")
    blog.build()
    assert tree(blog.root / "output") == first


def test_a_plugin_that_makes_pages_smaller_loses_nothing(blog: Site) -> None:
    blog.write("plugins/late.py", UNQUOTE)
    blog.configure(PLUGIN_PATHS=["plugins"], PLUGINS=["late", "pelican_imagehost"])
    post(blog, "a.md", "![a](cat.png)\n\n![b](dog.png)")
    blog.build()
    assert tags(blog, "a.html") == [FIRST.replace('"', ""), NEXT.replace('"', "")]
    assert blog.output("a.html").count("<style>") == 1
