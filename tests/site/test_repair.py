"""What may stand before an own address, and what is removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pelican.settings import DEFAULT_CONFIG

from pelican_imagehost.settings import Settings
from pelican_imagehost.site.repair import Repair

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = f"ab/ab{'0' * 62}.jpg"
BLOG, HOST = "https://blog.example.com", "https://img.example.com"
SITES: dict[str, dict[str, object]] = {
    "host": {"SITEURL": BLOG, "IMAGEHOST_URL": HOST},
    "host, below a path": {"SITEURL": f"{BLOG}/notes/", "IMAGEHOST_URL": f"{HOST}/pictures/"},
    "host, no SITEURL": {"SITEURL": "", "IMAGEHOST_URL": HOST},
    "host, a path for SITEURL": {"SITEURL": "/notes", "IMAGEHOST_URL": HOST},
    "embedded": {"SITEURL": BLOG},
    "embedded, below a path": {"SITEURL": f"{BLOG}/notes"},
    "embedded, no SITEURL": {"SITEURL": ""},
    "embedded, a path for SITEURL": {"SITEURL": "/notes"},
    "embedded, no scheme in SITEURL": {"SITEURL": "//blog.example.com"},
}
# A text with {} for what the theme wrote; {a} is the address, {s} SITEURL.
PLACES = {
    "alone": "{}",
    "src": '<img src="{}" alt="x">',
    "single quotes": "<img src='{}'>",
    "unquoted": "<img class=a src={}>",
    "srcset": '<img srcset="small.jpg 1x, {} 2x">',
    "srcset without a space": '<img srcset="small.jpg 1x,{} 2x">',
    "style": '<div style="background-image: url({})"></div>',
    "style, quoted": "<div style=\"background: red url('{}') no-repeat\"></div>",
    "style, escaped": '<div style="background:url(&quot;{}&quot;)"></div>',
    "style, numeric": '<div style="background:url(&#39;{}&#39;)"></div>',
    "meta": '<meta property="og:image" content="{}">',
    "JSON": '{{"image": ["{}"]}}',
    "feed": "<content>&lt;img alt=&quot;&quot; src=&quot;{}&quot; /&gt;</content>",
    "RSS": "<url>{}</url>",
    "CDATA": "<![CDATA[<img src='{}'>]]>",
    "a query": '<a href="https://other.example.com/?media={}">',
}
WRITTEN = {
    "SITEURL and a slash": "{s}/{a}",
    "SITEURL and a folder": "{s}/images/{a}",
    "SITEURL and folders": "{s}/static/img/2024/{a}",
    "SITEURL, two slashes": "{s}//{a}",
    "a slash": "/{a}",
    "a folder": "/images/{a}",
    "a folder of the theme": "/theme/img/{a}",
    "a relative folder": "images/{a}",
    "relative": "../{a}",
    "relative, top": "./{a}",
    "relative, deep": "../../images/{a}",
    "other scheme": "http://blog.example.com/images/{a}",
}
KEPT = {
    "nothing before": "{a}",
    "an archive": "https://web.archive.org/web/2024/{a}",
    "another site without a scheme": "//web.archive.org/web/2024/{a}",
    "a proxy": "https://proxy.example.com/{a}",
    "a proxy for thumbnails": "https://proxy.example.com/300x200/filters:format(webp)/{a}",
    "options in the path": "/cdn-cgi/image/width=400,quality=75/{a}",
    "options in the path, of this site": "{s}/cdn-cgi/image/width=400,quality=75/{a}",
    "a query": "{s}/resize?url={a}",
    "a fragment": "{s}/view#{a}",
    "a word": "see:{a}",
    "a name and password": "https://user@blog.example.com/{a}",
    "a longer name of a host": "https://blog.example.com.example.net/{a}",
}


def settings_of(**pelican: object) -> Settings:
    return Settings.from_pelican({**DEFAULT_CONFIG, "PATH": "content", **pelican})


def repair_of(site: dict[str, object]) -> tuple[Repair, Callable[[str], str]]:
    """Return the repair of a site, and what fills `{a}` and `{s}` in a text."""
    settings = settings_of(**site)
    address = settings.address_prefix + KEY
    return Repair(settings), lambda text: text.replace("{a}", address).replace(
        "{s}", settings.site_url
    )


@pytest.mark.parametrize("site", SITES.values(), ids=SITES.keys())
@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN.keys())
def test_the_address_of_the_site_and_paths_are_removed(
    site: dict[str, object], written: str
) -> None:
    repair, fill = repair_of(site)
    is_own = str(site["SITEURL"]).endswith("blog.example.com")
    is_relative_to_root = fill("{a}").startswith("/") and not fill("{a}").startswith("//")
    if written.startswith("http:") and not is_own:
        pytest.skip("the address of another site")
    for name, place in PLACES.items():
        if name == "a query" and is_relative_to_root:
            continue
        before, after = (place.format(fill(text)) for text in (written, "{a}"))
        assert repair(before) == (before if name == "a query" else after), name
        assert repair(after) == after


@pytest.mark.parametrize("site", SITES.values(), ids=SITES.keys())
@pytest.mark.parametrize("written", KEPT.values(), ids=KEPT.keys())
def test_everything_that_may_be_meant_stays(site: dict[str, object], written: str) -> None:
    repair, fill = repair_of(site)
    for place in PLACES.values():
        text = place.format(fill(written))
        assert repair(text) == text


def test_siteurl_directly_before_an_address_is_removed() -> None:
    for site in ("host", "embedded", "host, below a path", "embedded, a path for SITEURL"):
        repair, fill = repair_of(SITES[site])
        assert repair(fill('<img src="{s}{a}">')) == fill('<img src="{a}">')


def test_a_relative_address_is_not_a_path_before_one() -> None:
    repair, _ = repair_of(SITES["embedded, no SITEURL"])
    for text in (f"../images/{KEY}", f"./images/{KEY}", f"https://blog.example.com/images/{KEY}"):
        assert repair(f'<img src="{text}">') == f'<img src="{text}">'


def test_json_with_escaped_slashes_is_repaired() -> None:
    repair, fill = repair_of(SITES["host"])
    before, after = (fill(text).replace("/", r"\/") for text in ("{s}/images/{a}", "{a}"))
    assert repair(f'{{"image": "{before}"}}') == f'{{"image": "{after}"}}'


def test_an_ignored_address_stays() -> None:
    repair, fill = repair_of({**SITES["host"], "IMAGEHOST_IGNORE": ["/resize/*"]})
    text = fill('<img src="/resize/{a}"> <img src="/images/{a}">')
    assert repair(text) == fill('<img src="/resize/{a}"> <img src="{a}">')


@pytest.mark.parametrize("url", ["", BLOG])
def test_addresses_become_relative_on_the_way(url: str) -> None:
    repair = Repair(settings_of(SITEURL=url, RELATIVE_URLS=True))
    text = f'<img src="{url}/images/{KEY}"> <img src="../{url}/images/{KEY}"> a{url}/images/{KEY}'
    relative = f'<img src="../images/{KEY}"> <img src="../images/{KEY}"> a{url}/images/{KEY}'
    assert repair(text, "..") == relative
    assert repair(text) == relative.replace("../images", f"{url}/images")  # a feed


pieces = st.sampled_from(
    [*"/\"' =,;?#:()<>", "..", "images", "{s}", "{a}", "{p}", "https:", "&quot;", r"\/", "word"]
)


@given(st.lists(pieces).map("".join), st.sampled_from([*SITES.values()]))
def test_laws(text: str, site: dict[str, object]) -> None:
    repair, fill = repair_of(site)
    prefix = fill("{a}").removesuffix(KEY)
    text = fill(text.replace("{p}", prefix))
    once = repair(text)
    assert repair(once) == once
    assert once.count(KEY) == text.count(KEY)
    without = text.replace(KEY, "ab/cd.jpg")
    assert repair(without) == without
