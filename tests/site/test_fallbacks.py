"""Large originals: named by a smaller picture where a browser cannot choose, and only there."""

from __future__ import annotations

import random
import re
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING

import PIL.Image
import pytest

from tests.site.casekit import theme
from tests.test_plugin import HOST, key_of, messages, post
from tests.watch.watchkit import tree

if TYPE_CHECKING:
    from tests.conftest import Site

BLOG = "https://blog.example.com"
HEAD = """<meta property="og:image" content="{{ article.image }}">
<meta name="twitter:image" content="{{ SITEURL }}/{{ article.image }}">
<link rel="image_src" href="{{ article.image }}">
<script type="application/ld+json">{"image": {{ article.image|tojson }},
"url": "{{ article.image|replace('/', '\\\\/') }}"}</script>
<script>var original = "{{ article.image }}"</script>"""
BODY = """![A cat](cat.jpg)

[full size](cat.jpg)

[![linked](cat.jpg)](cat.jpg)

<img class="imagehost-plain" src="cat.jpg">

<img srcset="cat.jpg 2000w" src="cat.jpg">
"""


@cache
def large_photo(kind: str = "JPEG", size: tuple[int, int] = (1600, 1200)) -> bytes:
    """Return a photograph, in so far as it is noise, of more than a megabyte."""
    colours = PIL.Image.frombytes("RGB", (40, 30), random.Random(1).randbytes(3600))  # noqa: S311  a test
    noise = PIL.Image.effect_noise(size, 60).convert("RGB")
    buffer = BytesIO()
    PIL.Image.blend(colours.resize(size), noise, 0.4).save(buffer, kind, quality=97)
    assert buffer.tell() > 1_000_000
    return buffer.getvalue()


@pytest.fixture
def blog(site: Site) -> Site:
    """A site with a post about a large photograph, and feeds."""
    site.configure(
        IMAGEHOST_FORMATS=["avif"],
        IMAGEHOST_WIDTHS=[200],
        SITEURL=BLOG,
        THEME="theme",
        DIRECT_TEMPLATES=["index"],
        FEED_ALL_ATOM="feeds/all.atom.xml",
        FEED_ALL_RSS="feeds/all.rss.xml",
        RSS_FEED_SUMMARY_ONLY=False,
        **{f"{name}_SAVE_AS": "" for name in ("AUTHOR", "CATEGORY", "TAG")},
    )
    theme(site, head=HEAD)
    site.write("theme/static/.keep", "")
    site.write("content/cat.jpg", large_photo())
    post(site, "a.md", BODY, Image="cat.jpg")
    return site


def original(blog: Site) -> str:
    return key_of(blog.root / "content/cat.jpg")


def fallback(blog: Site) -> str:
    """Return the key of the only fallback in the manifest."""
    (line,) = blog.manifest()
    (one,) = [one for one in line["variants"] if one[3] in {"jpg", "png"}]
    return f"{one[2][:2]}/{one[2]}.{one[3]}"


def test_a_large_original_gets_one(blog: Site) -> None:
    assert "problem" not in messages(blog.build())
    with PIL.Image.open(blog.root / "output/images" / fallback(blog)) as image:
        assert (image.format, image.size) == ("JPEG", (1440, 1080))
    smaller = PIL.Image.open(BytesIO(large_photo())).resize((800, 600))
    smaller.save(blog.root / "content/cat.jpg", quality=90)
    assert (blog.root / "content/cat.jpg").stat().st_size < 1_000_000
    blog.build()
    assert {one[3] for line in blog.manifest() for one in line["variants"]} == {"avif"}


@pytest.mark.parametrize(
    ("settings", "prefix"),
    [
        ({"SITEURL": ""}, "/images/"),
        ({}, f"{BLOG}/images/"),
        ({"RELATIVE_URLS": True}, "../images/"),
        ({"SITEURL": "", "RELATIVE_URLS": True}, "../images/"),
        ({"IMAGEHOST_URL": HOST}, f"{HOST}/"),
        ({"IMAGEHOST_URL": HOST, "RELATIVE_URLS": True}, f"{HOST}/"),
    ],
    ids=["top", "domain", "relative", "relative-top", "host", "host-relative"],
)
def test_a_page_names_it_where_a_browser_cannot_choose(
    blog: Site, settings: dict[str, object], prefix: str
) -> None:
    blog.configure(ARTICLE_SAVE_AS="posts/{slug}.html", ARTICLE_URL="posts/{slug}.html", **settings)
    assert "problem" not in messages(blog.build())
    page = blog.output("posts/a.html")
    large, less = prefix + original(blog), prefix + fallback(blog)
    assert f'<meta property="og:image" content="{less}">' in page
    assert f'<meta name="twitter:image" content="{less}">' in page
    assert f'<link rel="image_src" href="{less}">' in page
    assert f'{{"image": "{less}"' in page
    assert re.search(r'"url": "[^"]*\\/' + fallback(blog).replace("/", r"\\/") + '"', page)
    assert f'var original = "{large}"' in page
    assert f'<a href="{large}">full size</a>' in page
    assert f'<a href="{large}"><picture data-imagehost>' in page
    assert (
        len(re.findall(f'</?picture|<img [^>]*width="1600" [^>]*src="{re.escape(less)}"', page))
        == 6
    )
    assert f'<img class="imagehost-plain" src="{large}">' in page
    assert re.search(f'<img [^>]*srcset="{re.escape(large)} 2000w" src="{re.escape(large)}">', page)


@pytest.mark.parametrize("name", ["feeds/all.atom.xml", "feeds/all.rss.xml"])
@pytest.mark.parametrize("settings", [{}, {"IMAGEHOST_URL": HOST}, {"RELATIVE_URLS": True}])
def test_a_feed_shows_it(blog: Site, name: str, settings: dict[str, object]) -> None:
    blog.configure(**settings)
    blog.build()
    text = blog.output(name)
    prefix = f"{HOST}/" if "IMAGEHOST_URL" in settings else f"{BLOG}/images/"
    large, less = prefix + original(blog), prefix + fallback(blog)
    assert text.count(f'src="{less}"') == 2 * text.count("full size&lt;") > 0
    assert f'&lt;a href="{large}"&gt;full size&lt;/a&gt;' in text
    assert f'&lt;a href="{large}"&gt;&lt;img' in text
    assert f'class="imagehost-plain" src="{large}"' in text
    assert f'srcset="{large} 2000w" src="{large}"' in text
    assert "picture" not in text


def test_builds_are_the_same_again_and_from_a_clone_without_bytes(blog: Site) -> None:
    blog.configure(IMAGEHOST_URL=HOST, STATIC_PATHS=[])
    blog.build()
    first, manifest = tree(blog.root / "output"), blog.manifest()
    assert fallback(blog).encode() in first["a.html"]
    blog.build()
    assert tree(blog.root / "output") == first
    blog.remove_what_is_made()
    (blog.root / "content/cat.jpg").unlink()
    assert "problem" not in messages(blog.build())
    assert tree(blog.root / "output") == first
    assert blog.manifest() == manifest


def test_without_formats_the_original_is_named(blog: Site) -> None:
    blog.build()
    blog.configure(IMAGEHOST_FORMATS=[])
    blog.build()
    pages = b"".join(data for name, data in tree(blog.root / "output").items() if name[-1] == "l")
    assert original(blog).encode() in pages
    assert fallback(blog).encode() not in pages


def test_only_what_the_manifest_has_is_named(blog: Site) -> None:
    blog.configure(IMAGEHOST_MAKE_VARIANTS=False)
    blog.build()
    pages = b"".join(data for name, data in tree(blog.root / "output").items() if name[-1] == "l")
    assert set(re.findall(rb"[0-9a-f]{64}", pages)) == {original(blog)[3:67].encode()}


def test_a_plain_srcset_has_it_too(blog: Site) -> None:
    blog.configure(IMAGEHOST_FORMATS=["webp"])
    blog.build()
    page = blog.output("a.html")
    assert "<picture" not in page
    assert re.search(
        rf'<img [^>]*srcset="[^"]+\.webp [^"]+"[^>]* src="[^"]*{fallback(blog)}"', page
    )


def test_export_keeps_the_original(blog: Site) -> None:
    blog.configure(IMAGEHOST_FORMATS=[])
    blog.build()
    before = blog.cli("export", "content/a.md").stdout
    blog.configure(IMAGEHOST_FORMATS=["avif"])
    blog.build()
    assert blog.cli("export", "content/a.md").stdout == before
    assert original(blog).encode() in before


def test_a_transparent_original_gets_a_png(blog: Site) -> None:
    picture = PIL.Image.open(BytesIO(large_photo())).convert("RGBA").resize((1600, 1200))
    picture.putalpha(PIL.Image.linear_gradient("L").resize((1600, 1200)))
    picture.save(blog.root / "content/cat.png")
    (blog.root / "content/cat.jpg").unlink()
    post(blog, "a.md", "![A cat](cat.png)", Image="cat.png")
    blog.build()
    assert fallback(blog).endswith(".png")
    assert f'src="{BLOG}/images/{fallback(blog)}"' in blog.output("a.html")


def test_its_address_belongs_to_its_image(blog: Site) -> None:
    blog.build()
    key = fallback(blog)
    assert blog.cli("verify").returncode == 0
    assert b"0 unused images" in blog.cli("gc", "--dry-run", "--grace-days", "0").stderr
    stored = {path.name for path in (blog.root / "images").glob("??/*")}
    # Somebody has copied the address from the page into a text, which keeps all of the image.
    theme(blog)
    post(blog, "a.md", "Words.")
    blog.write("notes.txt", f"{BLOG}/images/{key}\n")
    blog.build()
    assert b"0 unused images" in blog.cli("gc", "--yes", "--grace-days", "0").stderr
    assert {path.name for path in (blog.root / "images").glob("??/*")} == stored
    assert b"is used in notes.txt" in blog.cli("gc", original(blog), "--yes").stderr
    # Named by it, the image is deleted as a whole.
    blog.write("notes.txt", "")
    done = blog.cli("gc", f"{BLOG}/images/{key}", "--yes", "--grace-days", "0")
    assert done.returncode == 0, done.stderr
    assert not list((blog.root / "images").glob("??/*"))
    assert not blog.manifest()
