"""The judge of outputs is judged first."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from tests.outputs import Found, Lead, look_up, media_files, vanished, worse

if TYPE_CHECKING:
    from pathlib import Path

SITE = "https://blog.example.com"
HOST = "https://img.example.com"
BYTES = b"a picture"
DIGEST = hashlib.sha256(BYTES).hexdigest()
KEY = f"{DIGEST[:2]}/{DIGEST}.jpg"


def put(folder: Path, **files: str | bytes) -> Path:
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def names(folder: Path) -> list[tuple[str, str]]:
    return [(found.where, found.url) for found in look_up(folder)]


IN_HTML = {
    '<img src="a.png">': ("img src", "a.png"),
    "<IMG SRC=a.PNG>": ("img src", "a.PNG"),
    "<img src='a.png?v=1#top'>": ("img src", "a.png?v=1#top"),
    "<img src='two%20words.png'>": ("img src", "two%20words.png"),
    "<img src=' a.png '>": ("img src", "a.png"),
    "<img src='a&amp;b.png'>": ("img src", "a&b.png"),
    "<img srcset='a.png 1x, b.txt 2x'>": ("img srcset", "a.png"),
    "<img data-srcset='a.png'>": ("img data-srcset", "a.png"),
    "<img data-src='a.png'>": ("img data-src", "a.png"),
    "<div data-bg='url(a.png)'>": ("div data-bg", "a.png"),
    """<div data-set='{"src": "a.png"}'>""": ("div data-set", "a.png"),
    "<div data-bg='{static}a.png'>": ("div data-bg", "{static}a.png"),
    "<a href='a.jpeg'>": ("a href", "a.jpeg"),
    "<area href='a.gif'>": ("area href", "a.gif"),
    "<object data='a.svg'>": ("object data", "a.svg"),
    "<embed src='a.svg'>": ("embed src", "a.svg"),
    "<iframe src='a.svg'></iframe>": ("iframe src", "a.svg"),
    "<video poster='a.webp'>": ("video poster", "a.webp"),
    "<body background='a.avif'>": ("body background", "a.avif"),
    "<meta property='og:image' content='a.png'>": ("meta content", "a.png"),
    "<link rel='icon' href='a.png'>": ("link href", "a.png"),
    "<svg><image xlink:href='a.png'/></svg>": ("image xlink:href", "a.png"),
    "<p style='background: url(a.png)'>": ("p style", "a.png"),
    "<p style='background: url(&quot;a.png&quot;)'>": ("p style", "a.png"),
    "<style>p { background: url( 'a.png' ) }</style>": ("style", "a.png"),
    "<noscript><img src='a.png'></noscript>": ("img src", "a.png"),
    "<template><img src='a.png'></template>": ("img src", "a.png"),
    "<amp-img src='a.png'></amp-img>": ("amp-img src", "a.png"),
    '<script type="application/ld+json">{"image": ["a.png"]}</script>': ("json", "a.png"),
    "<script>show('a.png')</script>": ("script", "a.png"),
}


@pytest.mark.parametrize("html", IN_HTML)
def test_names_in_html(tmp_path: Path, html: str) -> None:
    put(tmp_path, page_html=f"<!doctype html><p>{html}")
    assert names(tmp_path) == [IN_HTML[html]]


@pytest.mark.parametrize(
    "html",
    [
        "<img alt='a.png' title='a.png' class='a.png'>",
        "<a href='page.html'>a.png</a>",
        "<p>a.png <code>&lt;img src='a.png'&gt;</code>",
        "<!-- <img src='a.png'> -->",
        "<style>/* url(a.png) */ @import 'more.css';</style>",
        "<a href='a.png/about'>",
        "<textarea><img src='a.png'></textarea>",
        "<title><img src='a.png'></title>",
    ],
)
def test_words_are_not_names(tmp_path: Path, html: str) -> None:
    put(tmp_path, page_html=f"<!doctype html><p>{html}")
    assert names(tmp_path) == []


def test_every_candidate_of_a_srcset_is_a_name(tmp_path: Path) -> None:
    put(tmp_path, page_html="<img srcset='a.png, b.png 1.5x,c,1.png 300w'>")
    assert [url for _, url in names(tmp_path)] == ["a.png", "b.png", "c,1.png"]


def test_names_in_feeds(tmp_path: Path) -> None:
    put(
        tmp_path,
        feed_xml='<feed xmlns="http://www.w3.org/2005/Atom"><logo>l.png</logo><entry>'
        '<link rel="enclosure" href="e.png"/><content type="html">&lt;img src="/c.png"&gt;'
        "</content><summary>a.png and words</summary></entry></feed>",
        sitemap_xml='<urlset xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">'
        "<image:loc>s.png</image:loc></urlset>",
    )
    expected = [("logo", "l.png"), ("link href", "e.png"), ("img src", "/c.png"), ("loc", "s.png")]
    assert names(tmp_path) == expected


def test_names_in_css_data_and_scripts(tmp_path: Path) -> None:
    put(
        tmp_path,
        a_css="p { background: URL(a.png), url('b.png') } q { background: image-set('c.png' 1x) }",
        b_json='{"icon": "d.png", "html": "<img src=e.png>", "words": "some f.txt"}',
        c_webmanifest='{"icons": [{"src": "g.png"}]}',
        d_js='load("h.png")',
    )
    assert [url for _, url in names(tmp_path)] == [f"{c}.png" for c in "abcdegh"]


LEADS = {
    "a.png": Lead.FILE,
    "/sub/a.png": Lead.FILE,
    "../sub/a.png": Lead.FILE,
    "../../../sub/a.png": Lead.FILE,  # a browser stops at the top
    f"{SITE}/sub/a.png": Lead.FILE,
    "//blog.example.com/sub/a.png": Lead.FILE,
    "a.png?v=1": Lead.FILE,
    "b.png": Lead.NOWHERE,
    "/a.png": Lead.NOWHERE,
    "//images/a.png": Lead.NOWHERE,
    f"{SITE}/{HOST}/{KEY}": Lead.NOWHERE,
    f"{SITE}{HOST}/{KEY}": Lead.NOWHERE,
    f"{HOST}/{KEY}": Lead.HOST,
    f"{HOST}/{KEY}?w=300": Lead.HOST,
    f"{HOST}/{KEY.replace('.jpg', '.png')}": Lead.NOWHERE,
    f"{HOST}/images/{KEY}": Lead.NOWHERE,
    "https://pictures.example.org/a.png": Lead.EXTERNAL,
    "https://pictures.example.net/a.png": Lead.NOWHERE,
}


@pytest.mark.parametrize("url", LEADS)
def test_where_a_name_leads(tmp_path: Path, url: str) -> None:
    store = tmp_path / "store" / KEY
    store.parent.mkdir(parents=True)
    store.write_bytes(BYTES)
    output = put(tmp_path / "output", sub__page_html=f"<img src='{url}'>", sub__a_png=BYTES)
    (found,) = look_up(output, site_url=SITE, host_url=HOST, store=tmp_path / "store")
    assert found.lead is LEADS[url]
    assert found.digest == (DIGEST if found.lead in {Lead.FILE, Lead.HOST} else "")


def test_bytes_of_another_image_are_not_the_address(tmp_path: Path) -> None:
    store = tmp_path / "store" / KEY
    store.parent.mkdir(parents=True)
    store.write_bytes(b"others")
    output = put(tmp_path / "output", page_html=f"<img src='{HOST}/{KEY}'>")
    (found,) = look_up(output, host_url=HOST, store=tmp_path / "store")
    assert found.lead is Lead.NOWHERE


def test_a_site_below_a_folder(tmp_path: Path) -> None:
    put(tmp_path, page_html="<img src='/a.png'><img src='/blog/a.png'><img src=a.png>", a_png="x")
    found = look_up(tmp_path, site_url="https://example.com/blog")
    assert [name.lead for name in found] == [Lead.NOWHERE, Lead.FILE, Lead.FILE]


def test_the_base_of_a_page_counts(tmp_path: Path) -> None:
    put(tmp_path, sub__page_html="<base href='/'><img src='a.png'>", a_png="x")
    assert [name.lead for name in look_up(tmp_path)] == [Lead.FILE]


def test_data_may_be_relative_to_the_site(tmp_path: Path) -> None:
    put(tmp_path, sub__data_json='["images/a.png", "b.png", "c.png"]')
    put(tmp_path, images__a_png="x", sub__b_png="x")
    leads = [name.lead for name in look_up(tmp_path)]
    assert leads == [Lead.FILE, Lead.FILE, Lead.NOWHERE]


def found(url: str, lead: Lead, digest: str = "", file: str = "a.html") -> Found:
    return Found(file, "img src", url, lead, digest)


def test_what_is_worse() -> None:
    good, other = found("a.png", Lead.FILE, "1"), found("b.png", Lead.FILE, "2")
    hosted = found("h/1.png", Lead.HOST, "1")
    lost = found("c.png", Lead.NOWHERE)
    outside, elsewhere = found("x", Lead.EXTERNAL), found("y", Lead.EXTERNAL)
    assert worse([good, lost, outside], [hosted, lost, outside]) == []
    assert worse([lost], [hosted]) == []
    assert len(worse([good], [lost])) == 1
    assert len(worse([good], [other])) == 1  # another image is no better than none
    assert len(worse([outside], [elsewhere])) == 1
    assert len(worse([good], [])) == 1
    assert len(worse([], [lost])) == 1
    assert worse([], [hosted]) == []
    assert worse([lost], [lost, hosted]) == []


def test_vanished_files(tmp_path: Path) -> None:
    plain = put(tmp_path / "plain", a_png="1", sub__b_PNG="2", c_svg="3", page_html="4")
    hosted = put(tmp_path / "hosted", a_png="1", sub__b_PNG="other", more_png="5")
    assert list(media_files(plain)) == ["a.png", "c.svg", "sub/b.PNG"]
    assert [line.partition(":")[0] for line in vanished(plain, hosted)] == ["c.svg", "sub/b.PNG"]
