"""Addresses of large originals in what a page says about itself, and in what a feed shows."""

from __future__ import annotations

from xml.sax.saxutils import escape

import pytest

from pelican_imagehost.documents.fallbacks import name_in_feed, name_in_page
from pelican_imagehost.images.image import Image

HOST = "https://img.example.com/"
LARGE = Image("ab" * 32, "jpg", 3_000_000, 4000, 3000)
SMALLER = Image("cd" * 32, "jpg", 200_000, 1440, 1080)
OTHER = Image("ef" * 32, "jpg", 200_000, 800, 600)
BIG, LESS, ELSE = HOST + LARGE.key, HOST + SMALLER.key, HOST + OTHER.key


def fallback_of(digest: str) -> Image | None:
    return SMALLER if digest == LARGE.sha256 else None


def page(text: str, prefix: str = HOST) -> str:
    return name_in_page(text, prefix, HOST, fallback_of)


def feed(text: str) -> str:
    return name_in_feed(text, HOST, fallback_of)


def slashed(url: str) -> str:
    return url.replace("/", r"\/")


@pytest.mark.parametrize(
    "text",
    [
        '<meta property="og:image" content="BIG">',
        "<META NAME='twitter:image' CONTENT='BIG' />",
        "<meta property=og:image:secure_url content=BIG>",
        '<meta itemprop="image" content=" BIG\n">',
        '<link rel="image_src" href="BIG">',
        '<link href="BIG" rel="x IMAGE_SRC">',
        '<link itemprop="thumbnailUrl" href="BIG">',
        '<script type="application/ld+json">{"image": "BIG", "x": ["BIG"]}</script>',
        "<SCRIPT data-x Type='application/LD+JSON; charset=utf-8'>[\"BIG\"]</SCRIPT>",
        '<script type="application/ld+json">{"image":"SLASHED"}</script>',
        '<script type="application/ld+json">{"a": "<b>", "image":"SLASHED"}</script>',
        '<!-- a comment --><script>1 < 2</script><meta name="og:image" content="BIG">',
    ],
)
def test_what_a_page_says_about_itself_names_the_smaller_picture(text: str) -> None:
    def fill(url: str) -> str:
        return text.replace("BIG", url).replace("SLASHED", slashed(url))

    assert page(fill(BIG)) == fill(LESS)
    assert page(fill(ELSE)) == fill(ELSE)
    around = "<p>{}</p>" + f'<a href="{BIG}"><img src="{BIG}"></a>'
    assert page(around.format(fill(BIG))) == around.format(fill(LESS))


@pytest.mark.parametrize(
    "text",
    [
        '<a href="BIG">full size</a>',
        '<img src="BIG">',
        '<img srcset="BIG 4000w">',
        '<video poster="BIG"></video>',
        '<link rel="preload" as="image" href="BIG">',
        '<meta name="description" content="see BIG">',
        '<meta name="og:image" content="BIG?size=full">',
        '<meta name="og:image" content="https://proxy.example.com/BIG">',
        '<!-- <meta property="og:image" content="BIG"> -->',
        '<script>var image = "BIG", other = "SLASHED"</script>',
        '<script type="application/json">{"image": "BIG"}</script>',
        '<script>\'<meta property="og:image" content="BIG">\'</script>',
        '<textarea><meta property="og:image" content="BIG"></textarea>',
        '<script type="application/ld+json">{"text": "<img src=\\"BIG\\"> and BIG"}</script>',
        '<p data-image="BIG">"BIG"</p>',
        '"BIG"',
    ],
)
def test_everything_else_on_a_page_stays(text: str) -> None:
    text = text.replace("BIG", BIG).replace("SLASHED", slashed(BIG))
    assert page(text) == text


def test_relative_addresses_stay_relative() -> None:
    text = '<meta property="og:image" content="../images/{}">'
    assert page(text.format(LARGE.key), "../images/") == text.format(SMALLER.key)


SHOWN = [
    '<img src="BIG">',
    "<p>Words</p><IMG alt='a &lt; b' class=wide src='BIG' />",
    '<a href="BIG"><img alt="x &amp; y" src="BIG"></a>',
    '<picture></picture><img src="BIG">',
    '<img src="OTHER"><img src=BIG>',
]
STAYS = [
    '<a href="BIG">full</a>',
    '<img src="OTHER"><a href="BIG">full</a>',
    '<img srcset="BIG 4000w" src="BIG">',
    '<picture><source srcset="BIG"><img src="BIG"></picture>',
    '<img class="x imagehost-plain" src="BIG">',
    '<img alt="BIG" src="OTHER">',
    '&lt;img src="BIG"&gt; in a code sample',
    "BIG",
]


def entries(html: str) -> list[str]:
    """Return an entry of a feed in every form."""
    quoted = escape(html, {'"': "&quot;", "'": "&apos;"})
    return [
        f'<feed><content type="html">{escape(html)}</content></feed>',
        f"<rss><description>{quoted}</description></rss>",
        f"<rss><description><![CDATA[{html}]]></description></rss>",
        f'<content type="xhtml"><div>{html}</div></content>',
    ]


@pytest.mark.parametrize("html", SHOWN)
def test_a_feed_shows_the_smaller_picture(html: str) -> None:
    plain = html.replace("OTHER", ELSE)
    link, shown = 'href="BIG"', 'href="LINK"'
    wanted = plain.replace(link, shown).replace("BIG", LESS).replace("LINK", BIG)
    for given, expected in zip(entries(plain.replace("BIG", BIG)), entries(wanted), strict=True):
        assert feed(given) == expected


@pytest.mark.parametrize("html", STAYS)
def test_everything_else_in_a_feed_stays(html: str) -> None:
    for given in entries(html.replace("OTHER", ELSE).replace("BIG", BIG)):
        assert feed(given) == given


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ('<media:content url="BIG" medium="image"/>', True),
        ('<media:content type="image/jpeg" url="BIG"/>', True),
        ('<media:thumbnail url="BIG"/>', True),
        ('<itunes:image href="BIG"/>', True),
        ('<webfeeds:cover image="BIG"/>', True),
        ('<media:content url="BIG" fileSize="3000000"/>', False),
        ('<media:content url="BIG" type="image/png"/>', False),
        ('<media:thumbnail url="BIG" width="4000" height="3000"/>', False),
        ('<enclosure url="BIG" length="3000000" type="image/jpeg"/>', False),
        ('<link rel="enclosure" href="BIG" length="3000000"/>', False),
        ('<link href="BIG"/>', False),
        ("<guid>BIG</guid>", False),
    ],
)
def test_an_element_of_a_feed_never_lies_about_its_file(text: str, changes: bool) -> None:  # noqa: FBT001
    expected = text.replace("BIG", LESS if changes else BIG)
    assert feed(text.replace("BIG", BIG)) == expected
