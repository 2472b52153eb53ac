"""Sites whose themes make addresses of images out of what documents say."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tests.site.casekit import ALL_MODES, Case, Table, post, theme

if TYPE_CHECKING:
    from tests.conftest import Site

__all__ = ["CASES"]

# Each way to put an address, ADDRESS, into a page.
MARKUP = {
    "head": '<meta property="og:image" content="ADDRESS"><meta name="twitter:image" '
    'content="ADDRESS"><link rel="image_src" href="ADDRESS"><link rel="preload" as="image" '
    'href="ADDRESS" imagesrcset="ADDRESS 1x"><style>.c { background: url("ADDRESS") }</style>'
    '<script type="application/ld+json">{"image": ["ADDRESS"], "logo": {"url": "ADDRESS"}}'
    "</script>",
    "body": '<img src="ADDRESS"><img srcset="ADDRESS 1x, ADDRESS 2x">'
    '<p style="background-image: url(ADDRESS)"></p>'
    "<p style=\"background-image: url('ADDRESS')\"></p><p style='background: url(\"ADDRESS\")'></p>"
    '<video poster="ADDRESS"></video><img data-src="ADDRESS"><div data-bg="ADDRESS"></div>'
    '<noscript><img src="ADDRESS"></noscript><a href="ADDRESS">whole</a>'
    '<picture><source srcset="ADDRESS"></picture><amp-img src="ADDRESS"></amp-img>'
    '<object data="ADDRESS"></object><svg><image xlink:href="ADDRESS"/></svg>'
    '<div data-show=\'{"src": "ADDRESS"}\'></div><img src="ADDRESS?w=100"><img src=ADDRESS>',
}
# name → (field and its value, how the theme makes an address of it)
ADDRESSES = {
    "site, cover": ("cover: images/cat.jpg", "{{ SITEURL }}/{{ article.cover }}"),
    "site, rooted cover": ("cover: /images/cat.jpg", "{{ SITEURL }}{{ article.cover }}"),
    "site, images, image": ("image: cat.jpg", "{{ SITEURL }}/images/{{ article.image }}"),
    "images, image": ("image: cat.jpg", "/images/{{ article.image }}"),
    "top, cover": ("cover: images/cat.jpg", "/{{ article.cover }}"),
    "site, folder of the image": (
        "image: trip/cat.jpg",
        "{{ SITEURL }}/images/{{ article.image }}",
    ),
    "site, metadata": ("cover: images/cat.jpg", "{{ SITEURL }}/{{ article.metadata.cover }}"),
    "site, a field of the site's own": ("hero: images/cat.jpg", "{{ SITEURL }}/{{ article.hero }}"),
    "a field of the site's own": ("hero: images/cat.jpg", "/{{ article.hero }}"),
    "with a dot": ("cover: ./images/cat.jpg", "{{ SITEURL }}/{{ article.cover }}"),
    "with a query": ("cover: images/cat.jpg?v=2", "{{ SITEURL }}/{{ article.cover }}"),
    "unless it is an address": (
        "cover: images/cat.jpg",
        "{% if not article.cover.startswith('http') %}{{ SITEURL }}/{% endif %}{{ article.cover }}",
    ),
    "unless it has a slash": (
        "cover: /images/cat.jpg",
        "{% if not article.cover.startswith('/') %}/images/{% endif %}{{ article.cover }}",
    ),
    "joined": ("cover: images/cat.jpg", "{{ [SITEURL, article.cover]|join('/') }}"),
    "escaped": ("cover: images/a & b.jpg", "{{ SITEURL }}/{{ article.cover|e }}"),
    "two words": ("cover: images/two%20words.jpg", "{{ SITEURL }}/{{ article.cover }}"),
    "Chinese": ("cover: images/猫.jpg", "{{ SITEURL }}/{{ article.cover }}"),
    "upper case": ("cover: images/CAT.JPG", "{{ SITEURL }}/{{ article.cover }}"),
    "by slug": ("slug: about-cats", "/images/banners/{{ article.slug }}.jpg"),
    "by slug, of the site": (
        "slug: about-cats",
        "{{ SITEURL }}/images/banners/{{ article.slug }}.jpg",
    ),
    "by author": ("author: Ann Other", "/images/{{ article.author.slug }}.png"),
    "by category": ("category: notes", "{{ SITEURL }}/images/{{ article.category }}.png"),
    "by tag": ("tags: cats", "/images/{{ article.tags[0] }}.png"),
    "literal": ("slug: a", "{{ SITEURL }}/images/cat.jpg"),
    "literal, from the top": ("slug: a", "/images/cat.jpg"),
    "of the theme": ("slug: a", "{{ SITEURL }}/theme/img/logo.png"),
    "of the theme, by name": ("image: logo.png", "{{ SITEURL }}/theme/img/{{ article.image }}"),
    "outside": ("image: https://cdn.example.org/a.png", "{{ article.image }}"),
}
PICTURES = ("cat.jpg", "trip/cat.jpg", "a & b.jpg", "two words.jpg", "猫.jpg", "CAT.JPG",
            "banners/about-cats.jpg", "ann-other.png", "notes.png", "cats.png")  # fmt: skip


def _pictures(site: Site) -> None:
    """Put every picture into the site, so that no address leads somewhere by chance."""
    for seed, name in enumerate(PICTURES, 1):
        site.picture(f"content/images/{name}", kind=name[-3:].lower(), text_seed=seed)
    site.picture("theme/static/img/logo.png", colour="blue")


def _address(site: Site, field: str, address: str) -> Case:
    """Use an address in each way; the document's text names the pictures as well."""
    _pictures(site)
    texts = {place: text.replace("ADDRESS", address) for place, text in MARKUP.items()}
    theme(site, texts["body"], head=texts["head"], index=texts["body"])
    site.configure(FEED_ALL_ATOM="feeds/all.atom.xml", FEED_ALL_RSS="feeds/all.rss.xml")
    words = "".join(f"![x](</images/{name}>) " for name in PICTURES)
    name, _, value = field.partition(": ")
    post(site, "a.md", words, **{name: value})
    return Case()


case = CASES = Table("theme")
CASES |= {
    f"theme: {name}": partial(_address, field=field, address=address)
    for name, (field, address) in ADDRESSES.items()
}

COVER = '<img src="{{ SITEURL }}/{{ article.cover }}">'


@case
def pages_of_every_status(site: Site) -> Case:
    site.picture("content/images/cat.jpg")
    page = '<img src="{{ SITEURL }}/{{ page.cover }}">'
    theme(site, COVER, page=page, index=COVER)
    for status in ("published", "draft", "hidden"):
        for lang in ("en", "fr"):
            fields = {"Cover": "images/cat.jpg", "Status": status, "Lang": lang, "Category": "a"}
            post(site, f"{status}-{lang}.md", Slug=status, **fields)
            post(site, f"pages/p-{status}-{lang}.md", Slug=f"p-{status}", **fields)
    return Case(everything=True)


@case
def pagination(site: Site) -> Case:
    theme(site, COVER, index=COVER)
    for number in range(3):
        site.picture(f"content/images/{number}.jpg", text_seed=number + 1)
        post(site, f"post-{number}.md", Cover=f"images/{number}.jpg")
    site.configure(DEFAULT_PAGINATION=1)
    return Case()


@case
def pages_in_folders(site: Site) -> Case:
    site.picture("content/images/cat.jpg")
    theme(site, f'{COVER}<img src="/images/cat.jpg">', page='<img src="/{{ page.cover }}">')
    post(site, "deep/a.md", Cover="images/cat.jpg")
    post(site, "pages/deep/about.md", Cover="images/cat.jpg")
    site.configure(
        ARTICLE_SAVE_AS="{date:%Y}/{slug}/index.html",
        ARTICLE_URL="{date:%Y}/{slug}/",
        PAGE_SAVE_AS="p/q/{slug}/index.html",
        PAGE_URL="p/q/{slug}/",
    )
    return Case()


@case
def category_tag_and_author_pages(site: Site) -> Case:
    site.picture("content/images/cat.jpg")
    site.picture("content/images/notes.png", text_seed=2)
    theme(site)
    body = f"{{% for article in articles_page.object_list %}}{COVER}{{% endfor %}}"
    for name in ("category", "tag", "author"):
        extra = f'<img src="{{{{ SITEURL }}}}/images/{{{{ {name} }}}}.png">'
        site.write(f"theme/templates/{name}.html", body + extra)
    post(site, "a.md", Cover="images/cat.jpg", Category="notes", Tags="notes", Author="notes")
    site.configure(
        CATEGORY_SAVE_AS="category/{slug}.html",
        TAG_SAVE_AS="tag/{slug}.html",
        AUTHOR_SAVE_AS="author/{slug}.html",
    )
    return Case()


@case
def feeds_of_the_theme(site: Site) -> Case:
    """Podcasts and AMP need more than Pelican's feeds, so themes write their own."""
    site.picture("content/images/cat.jpg")
    theme(site)
    site.write(
        "theme/templates/podcast.xml",
        '<rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/"><channel>'
        "<image><url>{{ SITEURL }}/images/cat.jpg</url></image>{% for article in articles %}<item>"
        '<enclosure url="{{ SITEURL }}/{{ article.cover }}" type="image/jpeg" length="1"/>'
        '<media:content url="{{ SITEURL }}/images/{{ article.image }}"/>'
        "<description>{{ article.content|e }}</description></item>{% endfor %}</channel></rss>",
    )
    site.write(
        "theme/templates/images.xml",
        '<urlset xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">'
        "{% for article in articles %}<image:image><image:loc>{{ SITEURL }}/{{ article.cover }}"
        "</image:loc></image:image>{% endfor %}</urlset>",
    )
    post(site, "a.md", "![a](/images/cat.jpg)", Cover="images/cat.jpg", Image="cat.jpg")
    site.configure(
        DIRECT_TEMPLATES=["index", "podcast", "images"],
        PODCAST_SAVE_AS="feeds/podcast.xml",
        IMAGES_SAVE_AS="images.xml",
        TEMPLATE_EXTENSIONS=[".html", ".xml"],
    )
    return Case()


@case
def data_of_the_theme(site: Site) -> Case:
    """A search index and a manifest made by templates."""
    site.picture("content/images/cat.jpg")
    theme(site)
    site.write(
        "theme/templates/search.json",
        '[{% for article in articles %}{"title": {{ article.title|tojson }}, "image": '
        '"{{ SITEURL }}/{{ article.cover }}", "text": {{ article.content|string|tojson }}}'
        "{% endfor %}]",
    )
    post(site, "a.md", "![a](/images/cat.jpg)", Cover="images/cat.jpg")
    site.configure(
        DIRECT_TEMPLATES=["index", "search"],
        SEARCH_SAVE_AS="data/search.json",
        TEMPLATE_EXTENSIONS=[".html", ".json"],
    )
    return Case()


@case
def files_of_the_theme_name_originals(site: Site) -> Case:
    """A style, a script, a manifest and other data of the theme."""
    for seed, name in enumerate(("a", "b", "c", "d", "e"), 1):
        site.picture(f"content/images/{name}.png", text_seed=seed)
    theme(site, head='<link rel="icon" href="/images/e.png">')
    site.write("theme/static/css/main.css", "body { background: url(../../images/a.png) }")
    site.write("theme/static/main.js", 'show("/images/b.png")')
    site.write("theme/static/site.webmanifest", '{"icons": [{"src": "/images/c.png"}]}')
    site.write("theme/static/data.json", '{"pictures": ["images/d.png"]}')
    post(site, "a.md", "".join(f"![x](/images/{name}.png)" for name in "abcde"))
    return Case()


@case
def static_files_name_originals(site: Site) -> Case:
    for seed, name in enumerate(("a", "b", "c", "d"), 1):
        site.picture(f"content/images/{name}.png", text_seed=seed)
    site.write("content/extra/main.css", "body { background: image-set('../images/a.png' 1x) }")
    site.write("content/extra/data.json", '{"pictures": ["/images/b.png"]}')
    site.write("content/extra/old.html", "<img src=../images/c.png>")
    site.write("content/extra/feed.xml", '<rss><enclosure url="/images/d.png"/></rss>')
    post(site, "a.md", "".join(f"![x](/images/{name}.png)" for name in "abcd"))
    site.configure(STATIC_PATHS=["images", "extra"], READERS={"html": None})
    return Case()


@case
def a_picture_that_is_missing_in_the_theme(site: Site) -> Case:
    theme(site, '<img src="{{ SITEURL }}/images/gone.png">')
    post(site, "a.md")
    return Case(says=("a.html", "gone.png"))


@case
def a_picture_that_is_missing_by_slug(site: Site) -> Case:
    site.picture("content/images/banners/has-one.jpg")
    theme(site, '<img src="/images/banners/{{ article.slug }}.jpg">')
    post(site, "has-one.md")
    post(site, "has-none.md")
    modes = tuple(mode for mode in ALL_MODES if mode != "folder")  # it is not the site's there
    return Case(modes=modes, says=("has-none.jpg",), silent=("has-one.jpg: no",))


@case
def the_page_has_a_base(site: Site) -> Case:
    site.picture("content/images/cat.jpg")
    theme(site, '<img src="images/{{ article.image }}">', head='<base href="{{ SITEURL }}/">')
    post(site, "deep/a.md", Image="cat.jpg")
    site.configure(ARTICLE_SAVE_AS="deep/{slug}.html", ARTICLE_URL="deep/{slug}.html")
    return Case()


@case
def template_pages(site: Site) -> Case:
    site.picture("content/images/cat.jpg")
    site.write("content/about.html", '<img src="{{ SITEURL }}/images/cat.jpg">{{ SITENAME }}')
    post(site, "a.md", "![a](/images/cat.jpg)")
    site.configure(TEMPLATE_PAGES={"about.html": "about/index.html"}, READERS={"html": None})
    return Case()


@case
def the_logo_of_a_setting(site: Site) -> Case:
    site.picture("content/images/logo.png")
    theme(site, '<img src="{{ SITEURL }}/{{ SITELOGO }}"><img src="{{ SITEURL }}{{ AVATAR }}">')
    post(site, "a.md", "![a](/images/logo.png)")
    site.configure(SITELOGO="images/logo.png", AVATAR="/images/logo.png")
    return Case()


@case
def a_picture_derived_from_a_name(site: Site) -> Case:
    """The theme makes the thumbnail's name out of the cover's."""
    site.picture("content/images/cat.jpg")
    site.picture("content/images/thumbs/cat.jpg", text_seed=2)
    address = "{{ SITEURL }}/{{ article.cover|replace('images/', 'images/thumbs/') }}"
    theme(site, f'<img src="{address}">')
    post(site, "a.md", Cover="images/cat.jpg")
    # Where a host serves the images, their addresses do not contain the folder.
    return Case(modes=tuple(mode for mode in ALL_MODES if "host" not in mode))


@case
def a_cover_without_its_suffix(site: Site) -> Case:
    site.picture("content/images/cat.jpg")
    site.picture("content/images/cat-small.jpg", text_seed=2)
    theme(site, '<img src="/{{ article.hero }}.jpg"><img src="/{{ article.hero }}-small.jpg">')
    post(site, "a.md", hero="images/cat")
    return Case()
