"""Themes ask for smaller pictures: made once, named from then on, by every clone."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from io import BytesIO
from typing import TYPE_CHECKING

import PIL.Image
import pytest

from pelican_imagehost.images.variants.make import Asked
from pelican_imagehost.storage.catalogue import Catalogue
from pelican_imagehost.storage.making import make_asked
from tests.site.casekit import theme
from tests.site.test_variants import photo
from tests.test_plugin import HOST, key_of, messages, post
from tests.watch.watchkit import Desk, clean_build, prepare, tree

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Site

BLOG = "https://blog.example.com"
CARD = '<p id="card">{{ article.image|imagehost(width=100) }}</p>'
PICTURE = (
    """<div>{{ article.image|picture(widths=[100, 300], sizes="10vw", alt="A \\"cat\\" & more", """
    'class="card", data_x=none) }}</div>'
)
DRAFT = """
from pelican import Pelican
from pelican.settings import read_settings
from pelican_imagehost.site.build import Follower, followers
import os

def finish(build):
    print(sorted((len(digest), sorted(asked)) for digest, asked in build.asked.items()))

followers[os.path.abspath("output")] = Follower(lambda _: None, lambda _: None, finish)
Pelican(read_settings("pelicanconf.py")).run()
"""


@pytest.fixture
def blog(site: Site) -> Site:
    """A site whose theme shows the photograph of a post on a card."""
    site.configure(
        IMAGEHOST_FORMATS=["avif"],
        IMAGEHOST_WIDTHS=[200, 400],
        SITEURL=BLOG,
        THEME="theme",
        DIRECT_TEMPLATES=["index"],
        **{f"{name}_SAVE_AS": "" for name in ("AUTHOR", "CATEGORY", "TAG")},
    )
    theme(site, index=CARD)
    site.write("theme/static/.keep", "")
    site.write("content/cat.jpg", photo())
    post(site, "a.md", "Words.", Image="cat.jpg")
    return site


def card(blog: Site) -> str:
    found = re.search('<p id="card">(.*?)</p>', blog.output("index.html"))
    assert found
    return found[1]


def variants(blog: Site, path: str = "content/cat.jpg") -> list[tuple[str, int]]:
    (line,) = [line for line in blog.manifest() if line["path"] == path]
    return [(one[3], one[0]) for one in line["variants"]]


def file_of(blog: Site, address: str) -> Path:
    match = re.search(r"[0-9a-f]{2}/[0-9a-f]{64}\.\w+$", address)
    assert match
    return blog.root / "output/images" / match[0]


def test_a_card_gets_a_picture_of_its_width(blog: Site) -> None:
    text = messages(blog.build())
    assert "problem" not in text
    assert "warning" not in text.lower()
    assert card(blog).startswith(f"{BLOG}/images/")
    with PIL.Image.open(file_of(blog, card(blog))) as image:
        assert (image.format, image.size) == ("JPEG", (100, 75))
    assert variants(blog) == [("avif", 400), ("avif", 200), ("jpg", 100)]
    recipes = {line["recipe"] for line in blog.manifest()}
    theme(blog)
    blog.write("imagehost.jsonl", "")
    blog.build()
    assert {line["recipe"] for line in blog.manifest()} == recipes


@pytest.mark.parametrize(
    ("settings", "prefix"),
    [
        ({"SITEURL": ""}, "/images/"),
        ({"RELATIVE_URLS": True}, "./images/"),
        ({"IMAGEHOST_URL": HOST}, f"{HOST}/"),
        ({"IMAGEHOST_URL": HOST, "RELATIVE_URLS": True}, f"{HOST}/"),
    ],
    ids=["top", "relative", "host", "host-relative"],
)
@pytest.mark.parametrize("value", ["article.image", "SITEURL ~ '/' ~ article.image"])
def test_an_address_may_be_written_in_any_way(
    blog: Site, settings: dict[str, object], prefix: str, value: str
) -> None:
    blog.configure(**settings)
    theme(blog, index=f'<p id="card">{{{{ ({value})|imagehost(width=100) }}}}</p>')
    assert "problem" not in messages(blog.build())
    assert card(blog).startswith(prefix)
    assert card(blog).endswith(".jpg")
    assert card(blog) != prefix + key_of(blog.root / "content/cat.jpg")


def test_it_is_made_once_and_others_are_added_to_it(blog: Site) -> None:
    blog.build()
    first, manifest = tree(blog.root / "output"), blog.manifest()
    kept = {path: path.stat().st_mtime_ns for path in (blog.root / "images").glob("??/*")}
    shutil.rmtree(blog.root / "output")
    blog.build()
    assert tree(blog.root / "output") == first
    assert blog.manifest() == manifest
    assert {path: path.stat().st_mtime_ns for path in (blog.root / "images").glob("??/*")} == kept
    theme(blog, index=CARD, page=CARD, article="{{ article.image|imagehost(width=50) }}")
    blog.build()
    assert variants(blog) == [("avif", 400), ("avif", 200), ("jpg", 100), ("jpg", 50)]
    assert blog.manifest()[0]["recipe"] == manifest[0]["recipe"]
    assert blog.output("index.html").encode() == first["index.html"]
    # In the other order the line is the same.
    both = blog.manifest()
    blog.remove_what_is_made()
    (blog.root / "imagehost.jsonl").unlink()
    theme(blog, index=CARD.replace("100", "50"), article="{{ article.image|imagehost(width=100) }}")
    blog.build()
    assert blog.manifest() == both


def test_a_clone_without_bytes_names_the_same(blog: Site) -> None:
    blog.configure(IMAGEHOST_URL=HOST, STATIC_PATHS=[])
    theme(blog, index=CARD, article=PICTURE)
    post(blog, "b.md", "![A cat](cat.jpg)", Image="cat.jpg")
    blog.build()
    first, manifest = tree(blog.root / "output"), blog.manifest()
    blog.remove_what_is_made()
    (blog.root / "content/cat.jpg").unlink()
    assert "problem" not in messages(blog.build())
    assert tree(blog.root / "output") == first
    assert blog.manifest() == manifest


def test_pages_do_not_depend_on_what_a_theme_asks_for(blog: Site) -> None:
    post(blog, "a.md", "![A cat](cat.jpg)", Image="cat.jpg")
    theme(blog)
    blog.build()
    before = blog.output("a.html")
    theme(blog, index=CARD + "{{ article.image|picture(widths=[100, 150, 200, 300, 720]) }}")
    blog.build()
    assert len(variants(blog)) > 5
    assert blog.output("a.html") == before


def test_a_picture_offers_its_widths(blog: Site) -> None:
    theme(blog, article=PICTURE)
    assert "problem" not in messages(blog.build())
    found = re.search("<div>(<picture>.*</picture>)</div>", blog.output("a.html"))
    assert found
    source, img = re.findall("<(?:source|img) [^>]*>", found[1])
    assert re.fullmatch(
        rf'<source type="image/avif" srcset="{BLOG}/images/\S+\.avif 100w, '
        rf'{BLOG}/images/\S+\.avif 300w" sizes="10vw">',
        source,
    )
    assert re.search(
        rf'src="{BLOG}/images/\S+\.jpg" sizes="10vw" alt="A &#34;cat&#34; &amp; more" '
        r'width="300" height="225" class="card">$',
        img,
    )
    for address in re.findall(rf"{BLOG}/images/[^\s\"]+", found[1]):
        with PIL.Image.open(file_of(blog, address)) as image:
            assert image.width in {100, 300}
    assert "data-x" not in img


def test_a_picture_of_one_format_is_a_plain_srcset(blog: Site) -> None:
    blog.configure(IMAGEHOST_FORMATS=["webp"])
    theme(blog, article="<div>{{ article.image|picture(widths=[100, 300]) }}</div>")
    blog.build()
    assert "<picture" not in blog.output("a.html")
    assert re.search(
        r'srcset="\S+\.webp 100w, \S+\.webp 300w" sizes="100vw"', blog.output("a.html")
    )


def test_nothing_is_scaled_up(blog: Site) -> None:
    theme(
        blog, index=CARD.replace("100", "5000"), article="{{ article.image|picture([790, 5000]) }}"
    )
    blog.build()
    assert card(blog) == f"{BLOG}/images/{key_of(blog.root / 'content/cat.jpg')}"
    assert sorted(variants(blog)) == [("avif", 200), ("avif", 400), ("avif", 800)]
    assert re.search(r'<source type="image/avif" srcset="\S+\.avif">', blog.output("a.html"))


def test_what_is_transparent_stays_so(blog: Site) -> None:
    picture = PIL.Image.open(BytesIO(photo())).convert("RGBA")
    picture.putalpha(PIL.Image.linear_gradient("L").resize(picture.size))
    picture.save(blog.root / "content/cat.png")
    post(blog, "a.md", "Words.", Image="cat.png")
    blog.build()
    with PIL.Image.open(file_of(blog, card(blog))) as image:
        assert (image.format, image.width, image.mode) == ("WEBP", 100, "RGBA")


def test_an_animation_keeps_moving(blog: Site) -> None:
    frames = [PIL.Image.effect_noise((400, 300), 50 + i) for i in range(3)]
    frames[0].save(blog.root / "content/film.gif", save_all=True, append_images=frames[1:])
    post(blog, "a.md", "Words.", Image="film.gif")
    theme(blog, index=CARD, article="{{ article.image|picture([100]) }}")
    assert "problem" not in messages(blog.build())
    with PIL.Image.open(file_of(blog, card(blog))) as image:
        assert image.n_frames == 3  # type: ignore[attr-defined]
    assert re.search(r'<source type="image/avif" srcset="\S+\.avif">', blog.output("a.html"))


@pytest.mark.parametrize("value", ["none", "''", "article.nothing", "nothing.at.all"])
def test_nothing_stays_nothing(blog: Site, value: str) -> None:
    theme(
        blog,
        index='<p id="card">{{ VALUE|imagehost(width=9) }}{{ VALUE|picture }}</p>'.replace(
            "VALUE", value.replace("nothing.at.all", "(nothing or {}).all")
        ),
    )
    text = messages(blog.build())
    assert "WARNING" not in text
    assert card(blog) == ""


@pytest.mark.parametrize(
    ("value", "warns"),
    [
        ("cat.jpg", True),
        ("/cat.jpg", True),
        ("{static}/cat.jpg", True),
        ("photos/dog.png", True),
        ("dog.png", True),  # beside a document
        ("nowhere.jpg", False),
        ("theme/logo.png", False),
        ("https://other.example.com/cat.jpg", False),
        ("a word", False),
        (f"https://other.example.com/ab/{'ab' * 32}.jpg", False),
    ],
)
def test_what_is_not_hosted_stays_as_it_is(blog: Site, value: str, warns: bool) -> None:  # noqa: FBT001
    blog.picture("content/photos/dog.png")
    post(blog, "photos/b.md", "Words.", Status="hidden")
    theme(blog, index=f'<p id="card">{{{{ "{value}"|imagehost(width=9) }}}}</p>', page="{{ 1 }}")
    post(blog, "c.md", "Words.")
    text = messages(blog.build())
    assert card(blog) == value
    wanted = f"index.html: {value} is not hosted, so it stays as it is; add its metadata field to "
    assert text.count(f"{wanted}IMAGEHOST_METADATA_FIELDS") == warns


@pytest.mark.parametrize("width", ["0", "-1", "1.5", "'400'", "none", "true"])
def test_a_width_that_is_none_is_one_clear_message(blog: Site, width: str) -> None:
    theme(blog, index=CARD.replace("100", width))
    done = blog.build(check=False)
    assert (
        "imagehost: a width is a whole number of pixels above 0; found" in done.stdout + done.stderr
    )


def test_without_formats_nothing_is_made_or_named(blog: Site) -> None:
    blog.build()
    blog.configure(IMAGEHOST_FORMATS=[])
    theme(blog, index=CARD, article="<div>{{ article.image|picture([100], alt='x') }}</div>")
    blog.build()
    original = f"{BLOG}/images/{key_of(blog.root / 'content/cat.jpg')}"
    assert card(blog) == original
    assert re.search(
        rf'<div><img [^>]*src="{original}" alt="x" width="100" height="75"></div>',
        blog.output("a.html"),
    )


def test_what_cannot_be_made_is_replaced_by_the_best_there_is(blog: Site) -> None:
    theme(blog, article="{{ article.image|imagehost(width=300) }}")
    blog.build()
    before = blog.manifest()
    blog.configure(IMAGEHOST_MAKE_VARIANTS=False)
    theme(blog, index=CARD, article="<div>{{ article.image|picture([100]) }}</div>")
    blog.build()
    with PIL.Image.open(file_of(blog, card(blog))) as image:
        assert image.width == 300
    assert re.search(r"<source [^>]*200w, \S+ 400w", blog.output("a.html"))
    assert 'width="100" height="75"' in blog.output("a.html")
    assert blog.manifest() == before


@pytest.mark.usefixtures("identity")
def test_a_frozen_site_makes_none(blog: Site) -> None:
    theme(blog)
    blog.configure(IMAGEHOST_URL=HOST)
    blog.build()
    for command in (["init", "-q"], ["add", "imagehost.jsonl"], ["commit", "-q", "-m", "x"]):
        subprocess.run(["git", *command], cwd=blog.root, check=True)
    before = blog.manifest()
    blog.configure(IMAGEHOST_FROZEN=True)
    theme(blog, index=CARD)
    assert "problem" not in messages(blog.build())
    assert card(blog) == f"{HOST}/{key_of(blog.root / 'content/cat.jpg')}"
    assert blog.manifest() == before


def test_while_drafting_it_is_only_remembered(blog: Site) -> None:
    theme(blog)
    blog.build()
    before = blog.manifest()
    theme(blog, index=CARD, article="{{ article.image|picture([100, 200]) }}")
    done = subprocess.run(
        [sys.executable, "-c", DRAFT], cwd=blog.root, capture_output=True, text=True, check=True
    )
    asked = [Asked(100), Asked(100, "avif"), Asked(200)]
    assert f"[(64, {asked})]" in done.stdout
    assert blog.manifest() == before
    assert card(blog) == f"{BLOG}/images/{key_of(blog.root / 'content/cat.jpg')}"
    catalogue = Catalogue(blog.settings())
    (image,) = catalogue.manifest.images.values()
    made = make_asked(catalogue, [image], {image.sha256: asked}, print)
    assert not make_asked(catalogue, made.values(), {image.sha256: asked}, print)
    catalogue.index.close()
    assert [(one.type, one.width) for one in made[image.sha256].variants] == variants(blog)
    assert variants(blog) == [
        ("avif", 400), ("avif", 200), ("jpg", 200), ("avif", 100), ("jpg", 100)
    ]  # fmt: skip


def test_lost_ones_are_made_again_for_the_output(blog: Site) -> None:
    blog.build()
    first, manifest = tree(blog.root / "output"), blog.manifest()
    for file in (blog.root / "images").glob("??/*"):
        if file.name not in key_of(blog.root / "content/cat.jpg"):
            file.unlink()
    shutil.rmtree(blog.root / "output")
    blog.build()
    assert tree(blog.root / "output") == first
    assert blog.manifest() == manifest


def test_they_are_kept_and_deleted_with_their_image(blog: Site) -> None:
    blog.build()
    assert blog.cli("verify").returncode == 0
    assert b"0 unused images" in blog.cli("gc", "--yes", "--grace-days", "0").stderr
    assert file_of(blog, card(blog)).name in {p.name for p in (blog.root / "images").glob("??/*")}
    theme(blog)
    post(blog, "a.md", "Words.")
    blog.build()
    assert blog.cli("gc", "--yes", "--grace-days", "0").returncode == 0
    assert not list((blog.root / "images").glob("??/*"))


def test_a_theme_works_without_the_plugin(blog: Site) -> None:
    theme(
        blog,
        index="<p id=\"card\">{% if 'imagehost' is filter %}"
        "{{ article.image|imagehost(width=100) }}{% else %}{{ article.image }}{% endif %}</p>",
    )
    blog.configure(PLUGINS=[])
    blog.build()
    assert card(blog) == "cat.jpg"
    blog.configure(PLUGINS=["pelican_imagehost"])
    blog.build()
    assert card(blog).endswith(".jpg")


def test_a_filter_of_the_sites_own_stays(blog: Site) -> None:
    with (blog.root / "pelicanconf.py").open("a") as file:
        file.write("JINJA_FILTERS = {'picture': lambda value: 'own'}\n")
    theme(blog, index='<p id="card">{{ article.image|picture }}</p>')
    blog.build()
    assert card(blog) == "own"


def test_filters_work_in_macros_and_with_escaping(blog: Site) -> None:
    blog.configure(JINJA_ENVIRONMENT={"autoescape": True})
    blog.write(
        "theme/templates/cards.html",
        "{% macro card(article) %}<p id=\"card\">{{ article.image|picture([100], alt='<') }}</p>"
        "{% endmacro %}",
    )
    theme(blog, index="{% from 'cards.html' import card %}{{ card(article) }}")
    blog.build()
    assert card(blog).startswith("<picture><source type=")
    assert 'alt="&lt;"' in card(blog)


def test_drafting_shows_what_a_build_shows(site: Site) -> None:
    prepare(site, IMAGEHOST_FORMATS=["avif"], IMAGEHOST_WIDTHS=[200, 400], THEME="theme")
    site.write("theme/static/.keep", "")
    site.write("content/cat.jpg", photo())
    post(site, "post-1.md", "Words.", Image="cat.jpg")
    theme(site, "{{ article.image|imagehost(width=100) }}{{ article.image|picture([100]) }}")
    site.build()
    with Desk(site) as desk:
        desk.settle()
        post(site, "post-2.md", "![A cat](cat.jpg)", Image="cat.jpg")
        desk.settle()
    pages = {name: data for name, data in tree(site.root / "output").items() if "html" in name}
    assert sum(b".jpg<picture>" in data for data in pages.values()) >= 2
    clean = clean_build(site)
    assert {name: clean[name] for name in pages} == pages
