"""Sites that use plugins from PyPI are no worse with ours, whichever is loaded first.

The plugins have an environment of their own, where they are required; see .ci/run.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from tests.site.casekit import Case, Table, build_modes, faults, post, theme

if TYPE_CHECKING:
    from tests.conftest import Require, Site

pytestmark = [pytest.mark.other_plugins, pytest.mark.timeout(600)]
MODES = ("top", "domain", "relative", "host", "dropped", "dropped-host")
case = CASES = Table("other")
COVER = '<img src="{{ SITEURL }}/{{ article.cover }}">'


def pictures(site: Site, *names: str) -> None:
    for seed, name in enumerate(names, 1):
        site.picture(f"content/images/{name}.jpg", size=(300, 200), text_seed=seed)


@case
def photos(site: Site) -> Case:
    for seed, name in enumerate(("bag/camera", "bag/flash", "best/one"), 1):
        site.picture(f"photos/{name}.jpg", size=(300, 200), text_seed=seed)
    theme(
        site,
        "{% for title, photos in article.photo_gallery %}{% for photo in photos %}"
        '<a href="{{ SITEURL }}/{{ photo[1] }}"><img src="{{ SITEURL }}/{{ photo[2] }}"></a>'
        "{% endfor %}{% endfor %}{% if article.photo_image %}"
        '<img src="{{ SITEURL }}/{{ article.photo_image[1] }}">{% endif %}',
    )
    body = "![a]({photo}bag/camera.jpg) ![b]({lightbox}bag/flash.jpg) ![c](/images/cat.jpg)"
    pictures(site, "cat")
    post(site, "a.md", body, Gallery="{photo}best", Image="{photo}best/one.jpg")
    library = str(site.root / "photos")
    site.configure(PHOTO_LIBRARY=library, PHOTO_RESIZE_JOBS=-1, PHOTO_WATERMARK=False, AUTHOR="Ann")
    return Case(plugins=("photos",))


@case
def thumbnailer(site: Site) -> Case:
    pictures(site, "cat", "trip/dog")
    theme(site, '<img src="{{ SITEURL }}/thumbnails/cat_thumbnail_tall.jpg">'
                "{{ article.gallery_content }}")  # fmt: skip
    body = (
        "![a](/thumbnails/cat_thumbnail_square.jpg) ![b](/thumbnails/trip/dog_thumbnail_wide.jpg)"
    )
    post(site, "a.md", f"{body} ![c](/images/cat.jpg)", Gallery="trip")
    template = '<img src="{thumbnail}" alt="{filename}">'
    site.configure(IMAGE_PATH="images", GALLERY_TEMPLATE=template, THUMBNAIL_KEEP_NAME=False)
    return Case(plugins=("thumbnailer",), says=("dog_thumbnail_square.jpg",))


@case
def i18n_subsites(site: Site) -> Case:
    pictures(site, "cat", "dog")
    theme(site, COVER)
    for lang in ("en", "fr", "de"):
        body = "![a]({static}/images/cat.jpg) ![b](/images/dog.jpg)"
        post(site, f"a-{lang}.md", body, Slug="a", Lang=lang, Cover="images/cat.jpg")
        post(site, f"pages/p-{lang}.md", body, Slug="p", Lang=lang)
    site.configure(
        DEFAULT_LANG="en",
        I18N_SUBSITES={"fr": {}, "de": {"STATIC_PATHS": ["images"]}},
        FEED_ALL_ATOM="feeds/all.atom.xml",
        TRANSLATION_FEED_ATOM="feeds/all-{lang}.atom.xml",
    )
    return Case(plugins=("i18n_subsites",))


@case
def data_files(site: Site) -> Case:
    pictures(site, "ann", "bob")
    people = [{"avatar": "/images/ann.jpg"}, {"avatar": "images/bob.jpg"}]
    site.write("content/data/people.json", json.dumps(people))
    site.write("content/data/team.yaml", "lead:\n  avatar: images/ann.jpg\n")
    theme(
        site,
        '<img src="{{ SITEURL }}{{ DATA_PEOPLE[0].avatar }}">'
        '<img src="{{ SITEURL }}/{{ DATA_PEOPLE[1].avatar }}">'
        '<img src="/{{ DATA_TEAM.lead.avatar }}">',
    )
    post(site, "a.md", "![a](/images/ann.jpg) ![b](/images/bob.jpg)")
    return Case(plugins=("data_files",))


@case
def yaml_metadata(site: Site) -> Case:
    pictures(site, *"abcde")
    theme(
        site,
        '<img src="/{{ article.gallery[0] }}"><img src="{{ SITEURL }}{{ article.gallery[1] }}">'
        '<img src="/{{ article.hero.image }}"><img src="{{ SITEURL }}/{{ article.shots[0].src }}">'
        + COVER,
    )
    head = (
        "title: a\ndate: 2024-01-01\ncover: images/e.jpg\ngallery: [images/a.jpg, /images/b.jpg]\n"
        "hero: {image: images/c.jpg}\nshots:\n  - src: images/d.jpg\n"
    )
    body = "".join(f"![x](/images/{name}.jpg)" for name in "abcde")
    site.write("content/a.md", f"---\n{head}---\n\n{body}\n")
    return Case(plugins=("yaml_metadata",))


@case
def featured_image(site: Site) -> Case:
    pictures(site, "cat", "dog")
    theme(site, '<img src="{{ article.featured_image }}"><meta content="{{ SITEURL }}'
                '{{ article.featured_image }}">')  # fmt: skip
    post(site, "a.md", "Words. ![a](/images/cat.jpg)")
    post(site, "b.md", "Words.", Summary="Short ![a](/images/dog.jpg)")
    return Case(plugins=("featured_image",))


@case
def figures(site: Site) -> Case:
    pictures(site, "cat", "dog")
    site.picture("content/beside.png")
    post(site, "a.md", "![A cat](/images/cat.jpg)\n\n![](images/dog.jpg)\n\n![b](beside.png)")
    return Case(plugins=("figures",))


@case
def seo(site: Site) -> Case:
    pictures(site, "cat", "dog")
    body = "# Words\n\n![a](/images/cat.jpg) [b]({static}/images/dog.jpg)"
    fields = {"Category": "notes", "Author": "Ann", "Image": "images/cat.jpg"}
    post(site, "a.md", body, og_image="/images/dog.jpg", tw_image="/images/dog.jpg", **fields)
    site.configure(
        SEO_REPORT=True,
        SEO_ENHANCER=True,
        SEO_ENHANCER_OPEN_GRAPH=True,
        SEO_ENHANCER_TWITTER_CARDS=True,
        LOGO="/images/cat.jpg",
    )
    return Case(plugins=("seo",), modes=("domain", "host", "dropped"))  # it insists on SITEURL


@case
def sitemap(site: Site) -> Case:
    pictures(site, "cat")
    theme(site, COVER)
    post(site, "a.md", "![a](/images/cat.jpg)", Cover="images/cat.jpg")
    site.configure(SITEMAP={"format": "xml"})
    return Case(plugins=("sitemap",))


@case
def minify(site: Site) -> Case:
    pictures(site, "cat", "dog", "my cat")
    style = "<style>.a { background: url('/images/dog.jpg') }</style>"
    theme(site, f"{COVER}<p style=\"background: url('/images/dog.jpg')\"></p>", head=style)
    site.write("theme/static/main.css", "body { background: url( '../images/dog.jpg' ) }")
    body = "![a](/images/cat.jpg) ![b](</images/my cat.jpg>)\n\n![c](/images/dog.jpg)"
    post(site, "a.md", body, Cover="images/cat.jpg")
    return Case(plugins=("minify",))


@case
def image_process(site: Site) -> Case:
    pictures(site, "cat", "dog")
    theme(site, COVER)
    processed = '<img class="image-process-thumb" alt="a" src="/images/cat.jpg">'
    post(site, "a.md", f"{processed} ![b](/images/dog.jpg)", Cover="images/dog.jpg")
    site.configure(IMAGE_PROCESS={"thumb": ["scale_in 20 20 True"]})
    return Case(plugins=("image_process",))


@case
def several(site: Site) -> Case:
    pictures(site, "cat", "dog")
    theme(site, f'{COVER}<img src="/thumbnails/cat_thumbnail_tall.jpg">')
    body = "![A cat](/images/cat.jpg)\n\n![b](/thumbnails/dog_thumbnail_square.jpg)"
    post(site, "a.md", body, Cover="images/cat.jpg", Description="Words")
    site.configure(IMAGE_PATH="images", SITEMAP={"format": "xml"})
    return Case(plugins=("figures", "thumbnailer", "sitemap", "minify"))


@pytest.mark.parametrize("last", [True, False], ids=["ours last", "ours first"])
@pytest.mark.parametrize("name", CASES)
def test_no_plugin_makes_ours_worse(site: Site, require: Require, name: str, *, last: bool) -> None:
    case = CASES[name](site)
    case = case._replace(modes=tuple(mode for mode in MODES if mode in case.modes))
    for plugin in case.plugins:
        require(find_spec(f"pelican.plugins.{plugin}"), f"{plugin} is not installed")
    if not last:
        case = case._replace(plugins=(), after=case.plugins)
    messages = build_modes(site, case)
    found = [f"{m}: {line}" for m in case.modes for line in faults(site, case, m, messages[m])]
    assert not found, "\n".join(found)
