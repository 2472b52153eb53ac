"""Sites whose documents name images in each way that people write."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tests.site.casekit import Case, Table, post, theme

if TYPE_CHECKING:
    from tests.conftest import Site

__all__ = ["CASES"]

case = CASES = Table("document")
WAYS = {  # name → raw HTML; FILE is the name of the image
    "object": '<object data="FILE" type="image/svg+xml"></object>',
    "embed": '<embed src="FILE">',
    "iframe": '<iframe src="FILE"></iframe>',
    "data-src": '<img data-src="FILE" alt="a">',
    "data-srcset": '<img data-srcset="FILE 1x, FILE 2x" alt="a">',
    "data-original": '<img data-original="FILE" alt="a">',
    "data-bg": '<div data-bg="FILE"></div>',
    "area": '<map><area href="FILE" alt="a"></map>',
    "background": '<table background="FILE"><tr><td>a</td></tr></table>',
    "style": '<div style="background-image:url(FILE)">a</div>',
    "quoted style": "<div style=\"background: red url('FILE') no-repeat\">a</div>",
    "double-quoted style": "<div style='background: url(\"FILE\")'>a</div>",
    "escaped style": '<div style="background: url(&quot;FILE&quot;)">a</div>',
    "style element": "<style>.a { background: url(FILE) }</style>",
    "quoted style element": "<style>.a { background: url(\"FILE\"), url('FILE') }</style>",
    "noscript": '<noscript><img src="FILE" alt="a"></noscript>',
    "lazy image": '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=" data-src="FILE" alt="a">',
    "poster": '<video poster="FILE"></video>',
    "input": '<input type="image" src="FILE" alt="a">',
    "svg": '<svg><image href="FILE"/></svg>',
    "svg, xlink": '<svg><image xlink:href="FILE"/></svg>',
    "amp": '<amp-img src="FILE"></amp-img>',
    "link": '<a href="FILE">a</a>',
    "several": '<object data="FILE"><img src="FILE" alt="a"></object><iframe src="FILE"></iframe>',
}
FORMS = {
    "beside": ("content/trip/plan.svg", "plan.svg"),
    "in STATIC_PATHS": ("content/images/plan.svg", "/images/plan.svg"),
    "static": ("content/trip/plan.svg", "{static}plan.svg"),
    "from the top": ("content/trip/plan.svg", "/trip/plan.svg"),
    "with a fragment": ("content/images/plan.svg", "/images/plan.svg#part"),
}


def _way(site: Site, html: str) -> Case:
    for seed, (file, _) in enumerate(FORMS.values(), 1):
        site.picture(file, text_seed=seed)
    body = "".join(f"<p></p>\n\n{html.replace('FILE', url)}\n\n" for _, url in FORMS.values())
    post(site, "trip/a.md", body, Slug="a")
    site.configure(FEED_ALL_ATOM="feeds/all.atom.xml")
    return Case(everything=html != WAYS["amp"])  # of which the plugin only reports the missing


CASES |= {f"document: {name}": partial(_way, html=html) for name, html in WAYS.items()}


def _rest(site: Site, folder: str, body: str) -> None:
    head = f"{folder}\n{'#' * 20}\n\n:date: 2024-01-01\n:slug: {folder}\n\n"
    site.write(f"content/{folder}/{folder}.rst", head + body)


@case
def rest_svg_in_two_folders(site: Site) -> Case:
    for seed, folder in enumerate(("one", "two"), 1):
        site.picture(f"content/{folder}/plan.svg", text_seed=seed)
        _rest(site, folder, ".. image:: plan.svg\n   :alt: a\n\n.. figure:: plan.svg\n\n   Words\n")
    leads = {f"{folder}.html": f"content/{folder}/plan.svg" for folder in ("one", "two")}
    return Case(leads=leads, everything=True)


@case
def rest_svg_with_static(site: Site) -> Case:
    for seed, folder in enumerate(("one", "two"), 1):
        site.picture(f"content/{folder}/plan.svg", text_seed=seed)
        _rest(
            site, folder, ".. image:: {static}plan.svg\n   :alt: a\n   :target: {static}plan.svg\n"
        )
    leads = {f"{folder}.html": f"content/{folder}/plan.svg" for folder in ("one", "two")}
    return Case(leads=leads)


@case
def two_folders_with_the_same_name(site: Site) -> Case:
    for seed, folder in enumerate(("one", "two"), 1):
        site.picture(f"content/{folder}/cat.jpg", text_seed=seed)
        body = "![a](cat.jpg)\n\n<div style='background:url(cat.jpg)' data-bg='cat.jpg'>b</div>"
        post(site, f"{folder}/{folder}.md", body)
    leads = {f"{folder}.html": f"content/{folder}/cat.jpg" for folder in ("one", "two")}
    return Case(leads=leads, everything=True)


@case
def obsidian_embeds(site: Site) -> Case:
    site.picture("content/trip/cat.jpg")
    body = "![[cat.jpg]]\n\n![[cat.jpg|300]]\n\n![[cat.jpg|300x200]]\n\n![[cat.jpg|A cat]]"
    post(site, "trip/a.md", body)
    return Case(leads={"a.html": "content/trip/cat.jpg"})


@case
def obsidian_embeds_from_elsewhere(site: Site) -> Case:
    """Obsidian finds an attachment by its name, wherever it lies."""
    site.picture("content/images/my cat.jpg")
    post(site, "trip/a.md", "![[my cat.jpg]] ![[images/my cat.jpg]]")
    return Case(leads={"a.html": "content/images/my cat.jpg"})


@case
def obsidian_embeds_in_code(site: Site) -> Case:
    site.picture("content/cat.jpg")
    post(site, "a.md", "`![[gone.jpg]]`\n\n    ![[gone.jpg]]\n\n![a](cat.jpg)")
    return Case(leads={"a.html": "content/cat.jpg"}, silent=("gone.jpg",))


@case
def nested_pages(site: Site) -> Case:
    site.picture("content/trip/cat.jpg")
    site.picture("content/images/dog.png", text_seed=2)
    body = "![a]({attach}cat.jpg) ![b](/images/dog.png) <div data-bg='/images/dog.png'></div>"
    post(site, "trip/a.md", body, Slug="a")
    post(site, "pages/about.md", "![b](/images/dog.png) ![c]({static}/images/dog.png)")
    site.configure(
        ARTICLE_SAVE_AS="{date:%Y}/{slug}/index.html",
        ARTICLE_URL="{date:%Y}/{slug}/",
        PAGE_SAVE_AS="p/{slug}/index.html",
    )
    return Case(everything=True)


@case
def documents_of_every_status(site: Site) -> Case:
    site.picture("content/images/cat.jpg")
    for status in ("published", "draft", "hidden"):
        for lang in ("en", "fr"):
            fields = {"Status": status, "Lang": lang, "Slug": status, "Category": "notes"}
            body = "![a](/images/cat.jpg) <object data='/images/cat.jpg'></object>"
            post(site, f"{status}-{lang}.md", body, **fields)
            post(site, f"pages/{status}-{lang}.md", body, **fields)
    return Case(everything=True)


NAMES = ("UPPER.JPG", "two words.jpg", "猫.jpg", "a & b.jpg", "100%25.jpg", "it's.jpg", "a,b.jpg")


@case
def names_of_every_kind(site: Site) -> Case:
    for seed, name in enumerate(NAMES, 1):
        site.picture(f"content/images/{name}", kind="jpg", text_seed=seed)
    urls = [name.replace("%", "%25").replace(" ", "%20").replace("'", "%27") for name in NAMES]
    body = "".join(f"![a](/images/{url}) [b](/images/{url}?v=1#top)\n\n" for url in urls)
    texts = [url.replace("&", "&amp;") for url in urls]
    body += "".join(f"<img data-src='/images/{url}' alt='a'>\n\n" for url in texts)
    body += "".join(f"<p style='background:url(/images/{url})'>a</p>\n\n" for url in texts)
    post(site, "a.md", body)
    theme(site, "".join(f'<img src="{{{{ SITEURL }}}}/images/{url}">' for url in texts))
    return Case(everything=True, modes=tuple(m for m in Case().modes if m != "folder"))


@case
def pictures_in_a_summary(site: Site) -> Case:
    site.picture("content/images/cat.jpg")
    site.picture("content/trip/dog.png", text_seed=2)
    body = "Words.\n\n![a](/images/cat.jpg)"
    post(site, "trip/a.md", body, Summary="![a](/images/cat.jpg) ![b](dog.png)")
    site.configure(FEED_ALL_RSS="rss.xml", FEED_ALL_ATOM="feeds/atom.xml")
    return Case(everything=True)


@case
def code_that_shows_names(site: Site) -> Case:
    site.picture("content/images/cat.jpg")
    sample = '<img src="gone.png"> <p style="background:url(gone.png)"> /images/gone.png'
    fence = f"```\n{sample}\n```\n\n<!-- {sample} -->\n\n<textarea>{sample}</textarea>"
    post(site, "a.md", f"![a](/images/cat.jpg)\n\n`{sample}`\n\n    {sample}\n\n{fence}")
    return Case(modes=("top", "host", "dropped"))


@case
def pages_that_look_like_pictures(site: Site) -> Case:
    """A page of the wiki of example.org about a file; an address with a name in its query."""
    site.picture("content/images/cat.jpg")
    links = "[a](https://wiki.example.org/File:gone.png) [b](https://example.org/?u=/x/gone.png)"
    post(site, "a.md", f"{links} ![c](/images/cat.jpg) [d](mailto:a@example.org?body=gone.png)")
    return Case(silent=("gone.png",))


@case
def embedded_data(site: Site) -> Case:
    data = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E#a.svg"
    post(site, "a.md", f'<p style="background:url(&quot;{data}&quot;)">a</p><img src="{data}">')
    return Case(modes=("top", "host", "dropped"))


@case
def html_documents(site: Site) -> Case:
    site.picture("content/images/cat.jpg")
    site.picture("content/trip/dog.png", text_seed=2)
    site.write(
        "content/trip/a.html",
        "<html><head><title>a</title><meta name='date' content='2024-01-01'>"
        "<meta name='cover' content='images/cat.jpg'></head><body background='/images/cat.jpg'>"
        "<div style='background:url(dog.png)'><object data='dog.png'></object></div></body></html>",
    )
    theme(site, '<img src="{{ SITEURL }}/{{ article.cover }}">')
    return Case(everything=True)
