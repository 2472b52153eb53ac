"""References in HTML: a table of difficult cases, rules, and an independent tokenizer."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING

import commonmark
import pytest
import tinycss2
import turbohtml
from hypothesis import given
from hypothesis import strategies as st

from pelican_imagehost.documents.references import (
    Reference,
    find_references,
    replace_references,
)
from pelican_imagehost.documents.wanted import (
    IMAGE_SUFFIXES,
    has_image_suffix,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# The text between ⟦ and ⟧ is a reference; everything else is not.
CASES = {
    "plain": '<p><img src="⟦a.png⟧" alt="x"></p>',
    "self-closing": '<p><img alt="x" src="⟦a.png⟧" /></p>\n',
    "single quotes": "<img src='⟦a.png⟧' alt='say \"no\"'>",
    "unquoted": "<img src=⟦a.png⟧ alt=b>",
    "unquoted at the end": "<img alt=b src=⟦a.png⟧>",
    "unquoted takes the slash": "<img src=⟦a.png/⟧>",
    "unquoted takes quotes": "<img alt=it's src=⟦a'b\".png⟧>",
    "unquoted takes an equals sign": "<img src=⟦a=b⟧>",
    "upper case": '<IMG SRC="⟦a.png⟧">',
    "space around the equals sign": '<img  src\n =\t"⟦a.png⟧"   >',
    "nothing between attributes": '<img alt="b"src="⟦a.png⟧">',
    "slashes between attributes": '<img/src="⟦a.png⟧"/alt=x>',
    "form feed": '<img\fsrc="⟦a.png⟧">',
    "vertical tab is not a space": '<img\vsrc="no.png"><img src="⟦a.png⟧">',
    "no-break space is not a space": '<img alt=a\u00a0src=no.png src="⟦a.png⟧">',
    "long s is not an s": '<\u017fource src="no.png"><img \u017frc="no.png" src="⟦a.png⟧">',
    "Kelvin sign is no letter of a name": '<lin\u212a href="no.png"><img src="⟦a.png⟧">',
    "Kelvin sign is not a k": '<image xlin\u212a:href="no.png" XLINK:HREF="⟦a.png⟧">',
    "greater-than in a value": '<img alt="a > b" src="⟦a.png⟧">',
    "tag in a value": "<i title=\"<img src='no.png'>\">x</i><img src='⟦a.png⟧'>",
    "tag in a value, single quotes": '<p data-x=\'<img src="no.png">\'><img src="⟦a.png⟧">',
    "tag behind a value's greater-than": '<p title="1 > <img src=no.png>"><img src="⟦a.png⟧">',
    "quote in an unquoted value": '<p a=b="c d="e><img src=no.png> "><img src="⟦a.png⟧">',
    "quote in a name": '<p ="a b="c><img src=no.png>"><img src="⟦a.png⟧">',
    "quote in a tag's name": '<p="x y="z><img src=no.png>"><img src="⟦a.png⟧">',
    "equals sign behind a value": '<p a="x"="y><img src="⟦a.png⟧">',
    "comment": '<!-- <img src="no.png"> --><img src="⟦a.png⟧">',
    "shortest comments": '<!--><img src="⟦a.png⟧"><!---><img src="⟦b.png⟧">',
    "comment ended by a bang": '<!-- x --!><img src="⟦a.png⟧">',
    "comment with many dashes": '<!--- <img src="no.png"> ----><img src="⟦a.png⟧">',
    "comment not ended by a bang": '<!---!><img src="no.png"> --><img src="⟦a.png⟧">',
    "comment to the end": '<img src="⟦a.png⟧"><!-- <img src="no.png">',
    "declaration": '<!foo <img src="no.png"><img src="⟦a.png⟧">',
    "doctype": '<!DOCTYPE html PUBLIC "a>b"><img src="⟦a.png⟧">',
    "processing instruction": '<?xml <img src="no"?><img src="⟦a.png⟧">',
    "CDATA": '<![CDATA[ <img src="no.png"> ]]><img src="⟦a.png⟧">',
    "end tag without a name": '</ <img src="no.png"><img src="⟦a.png⟧"></><img src="⟦b.png⟧">',
    "end tag with attributes": '</p title="<img src=no>"><img src="⟦a.png⟧">',
    "end tag of an image": '</img src="no.png"><img src="⟦a.png⟧">',
    "escaped sample": '<pre><code>&lt;img src="no.png"&gt;</code></pre><img src="⟦a.png⟧">',
    "pre is not raw text": '<pre><img src="⟦a.png⟧"></pre>',
    "script": '<script>a = \'<img src="no.png">\';</script><img src="⟦a.png⟧">',
    "script in a comment in a script": (
        '<script><!-- <script> <img src="no.png"></script> <img src="no.png"> --></script>'
        '<img src="⟦a.png⟧">'
    ),
    "script and the shortest comments": (
        '<script><!--><script></script><img src="⟦a.png⟧">'
        '<script><!---><script></script><img src="⟦b.png⟧">'
    ),
    "script's end must be its name": '<script></scripts><img src="no"></script\n><img src="⟦a⟧">',
    "script to the end": '<img src="⟦a.png⟧"><script><!--<script></script><img src="no.png">',
    "style": '<style>a{content:\'<img src="no.png">\'}</style><img src="⟦a.png⟧">',
    "textarea": '<textarea><img src="no.png"></textarea><img src="⟦a.png⟧">',
    "title": '<title><img src="no"></titl><!-- </TITLE x="<img src=no>"><img src="⟦a.png⟧">',
    "title to the end": '<img src="⟦a.png⟧"><title><title><img src="no.png"></titl',
    "raw text": (
        "<xmp><img src=no></xmp><iframe><img src=no></iframe><noembed><img src=no></noembed>"
        "<noframes><img src=no></noframes><img src=⟦a.png⟧>"
    ),
    "plaintext": '<img src="⟦a.png⟧"><plaintext></plaintext><img src="no.png">',
    "noscript": '<noscript><img src="⟦a.png⟧"></noscript>',
    "template": '<template><img src="⟦a.png⟧"></template>',
    "second attribute of a name": '<img src="⟦a.png⟧" SRC="no.png"><img src src="no.png">',
    "other attributes": '<img data-sr="no.png" srcx="no.png" src="⟦a.png⟧" alt="src=no.png">',
    "other elements": '<imgx src="no"><img-x src="no"><embed src="no"><a src="no" href="⟦a.png⟧">',
    "empty": '<img src=""><img src><img src=><img src=" "><img src="&#32;"><img src="⟦a.png⟧">',
    "space around the URL": '<img src=" \n⟦a b.png⟧\t"><img src="&#32;⟦a.png⟧&#9;">',
    "character references": '<img src="⟦a&amp;b&copy.png⟧">',
    "less-than in text": 'a < b <img src="⟦a.png⟧"> 1<2',
    "less-than at the end": '<img src="⟦a.png⟧"> <',
    "tag cut off": '<img src="⟦a.png⟧"><img src="no.png"',
    "tag cut off in quotes": '<img src="⟦a.png⟧"><img src="no.png>',
    "tag in a tag": '<p <img src="no.png">x</p><img src="⟦a.png⟧">',
    "equals sign first": '<img =src="no.png" src="⟦a.png⟧">',
    "wrongly nested": '<b><p><img src="⟦a.png⟧"></b></div><table><img src="⟦b.png⟧"><tr></table>',
    "crlf": "<p>\r\n</p>\r\n<img src='⟦a\r\nb.png⟧'>\r\n<IMG\r\nsrc=⟦b.png⟧>",
    "other scripts": '<p>日本語 😀</p><img src="⟦画像.png⟧" alt="é">',
    "null": '<p>a\x00b</p><img src="⟦a\x00.png⟧">',
    "too many quotes": '<img src="⟦a.png⟧"" alt=""x">',
    "valueless": '<img alt src="⟦a.png⟧" loading=lazy hidden>',
    "svg": '<svg><image href="⟦a.png⟧" xlink:href="⟦b.png⟧"/><title>t</title></svg>',
    "video": '<video poster="⟦a.png⟧" src="no.mp4"><source src="no.mp4"></video>',
    "input": '<input type=image src="⟦a.png⟧">',
    "picture": '<picture><source srcset="⟦a.webp⟧"><source src="⟦b.webp⟧"><img src=⟦a.png⟧>',
    "links": '<a href="no.html"><a href="no.html?a.png"><a href="no#a.png"><a href="⟦a.PNG?b#c⟧">',
    "link with a coded suffix": '<a href="⟦a&period;jpg⟧"><a href="⟦a%20b.jpeg⟧">',
    "links with much else": '<a title=">" href="⟦a.gif⟧">x</a><a class=x\nhref=⟦a.svg⟧>x</a>',
    "srcset": '<img srcset="⟦a.png⟧ 1x, ⟦b.png⟧ 2x" src="⟦c.png⟧">',
    "srcset with line ends": '<source srcset="\n  ⟦a.png⟧ 480w,\n  ⟦b.png⟧ 800w\n">',
    "srcset without space": '<img srcset="⟦a.png,b.png⟧ 2x,⟦c.png⟧,, ⟦d.png⟧,">',
    "srcset of commas": '<img srcset=" ,, ,⟦a.png⟧,,,,">',
    "srcset with commas in a URL": '<img srcset="⟦data:,a⟧ 1x, ⟦b,c.png⟧ 2x">',
    "srcset's descriptors": (
        '<img srcset="⟦a⟧ 1.5e+1x, ⟦b⟧ .5x, ⟦c⟧ -0x, ⟦d⟧ 01w, ⟦e⟧ 1w 2h, ⟦f⟧ 2h  1w , ⟦g⟧">'
    ),
    "srcset's wrong descriptors": (
        '<img srcset="no -1x, no 0w, no 1.x, no +1x, no 1x 2x, no 1w 1x, no 1h, no 2W, no x,'
        ' no 1w 1w, no (1x, no 2x), no 1.5w, ⟦a.png⟧ 1x">'
    ),
    "srcset with an open parenthesis": '<img srcset="⟦a.png⟧ 1x, no 1x(, no 2x" src="⟦a.png⟧">',
    "srcset with a closing parenthesis": '<img srcset="no ), ⟦b.png⟧ 2x">',
    "srcset with coded separators": '<img srcset="&#32;⟦a&amp;b&#x2c;c⟧&#x20;1x&comma;⟦d⟧&#44">',
    "srcset with coded parentheses": '<img srcset="no &lpar;1x, no&rpar; 2x, ⟦a.png⟧">',
    "srcset coded without semicolons": "<img srcset=&#32⟦a.png⟧&#32&#49x&#44⟦b.png⟧>",
    "object": '<object data="⟦a.svg⟧" type="image/svg+xml">a.svg</object><object data=no.pdf>',
    "embed": '<embed src="⟦a.svg#x⟧"><embed src="no.pdf"><embed src="no"><embed data="no.svg">',
    "iframe": '<iframe src="⟦a.svg⟧"><img src="no.png"></iframe><iframe src="no.html"></iframe>',
    "area": '<map><area href="⟦a.png⟧"><area href="no.html"></map>',
    "link": '<link rel=icon href="⟦a.png⟧"><link href="no.css"><link imagesrcset="⟦a.png⟧ 2x, no">',
    "meta": (
        '<meta property="og:image" content="⟦a.png⟧"><meta itemprop=thumbnailUrl content=⟦b.gif⟧>'
        '<meta name="description" content="no.png"><meta content="no.png">'
        '<meta name="&#116;witter:image" content="⟦c.png⟧"><meta name="image" content="no">'
    ),
    "background": (
        '<body background="⟦a.png⟧"><table background=⟦b.png⟧><tr background="⟦c.png⟧">'
        "<td BACKGROUND='⟦d.png⟧'><th background=\"no\"><p background=no.png>"
    ),
    "lazy": (
        '<img src="⟦x⟧" data-src="⟦a.png⟧" data-srcset="⟦a.png⟧ 1x, no 2x, ⟦b.png⟧ 3x">'
        '<div data-original="⟦a.png⟧" data-src="no" data-srcx="no.png" data-title="no.png">'
        "<span class='x' DATA-LAZY-SRC='⟦b.png⟧'></span><iframe data-src='no.html'></iframe>"
    ),
    "lazy links": '<a class="x" href="no.html" data-src="⟦a.png⟧">x</a><a data-src="no.mp4">x</a>',
    "lazy background": (
        '<div data-bg="⟦a(1).png⟧"><div data-bg="url(⟦a.png⟧)"><p data-background="#fff">'
        "<div data-bg-multi=\"url('⟦a.png⟧'), url(no.pdf), url(⟦b.png⟧)\"><p data-bg=curl(⟦c.png⟧>"
    ).replace("curl(⟦c.png⟧", "⟦curl(c.png⟧"),
    "style attribute": (
        '<p style="background-image:url(⟦hero.jpg⟧)"><p style="background:url( ⟦a.png⟧ ) no-repeat,'
        ' url(\'⟦b.png⟧\')"><p style=\'background: URL("⟦c d.png⟧")\'><p style="color:red">'
    ),
    "style without suffix": '<p style="background:url(no);src:url(#no.png);cursor:url(data:,no)">',
    "style, coded": (
        '<p style="background:url(&quot;⟦a&amp;b.png⟧&quot;)"><p style="a:url&lpar;⟦c&period;gif⟧">'
        "<p style=background:url(⟦d.png⟧)><p style='a:url(&#39;⟦e.png⟧&#39;)'>"
    ),
    "style, escaped": (
        r'<p style="a:url(⟦my\ trip.png⟧)"><p style="a:u\72l(⟦b\2e png⟧)">'
        '<i style="a:url(b a.png)">'
        '<p style=\'a:url("⟦a\\"b.png⟧")\'>'
    ),
    "style's comments and strings": (
        "<p style='a:url(/*⟦⟧*/no); /* url(no.png) */ content: \"url(no.png)\"; b:url(⟦a.png⟧)'>"
    ).replace("⟦⟧", ""),
    "style's other functions": '<p style="a:curl(no.png) my-url(no.png) url(⟦a.png⟧)">',
    "image-set": (
        "<p style=\"a:image-set('⟦a.png⟧' 1x, url(⟦b.png⟧) 2x, '⟦c.avif⟧' type('no.avif'));"
        "b:-webkit-image-set(url(⟦d.png⟧) 1x);c:foo('no.png')\">"
    ),
    "style cut off": (
        '<p style="a:url(⟦a.png⟧"><p style="a:url(\'⟦b.png⟧"><p style="a:url(⟦c.png⟧ ">'
    ),
    "style element": (
        "<style>\n.a{background:url(⟦a&amp.png⟧)} /* url(no.png) */\n"
        ".b{background:url('⟦b.png⟧'), url(no.woff)}</style><p>url(no.png)</p>"
    ),
    "style element to the end": "<style>a{b:url(⟦a.png⟧",
    "svg style": '<svg><rect style="fill:url(#a);mask:url(⟦a.svg#m⟧)"/></svg>',
    "image-process": '<img class="a image-process-b" src="no" srcset="no"><img src="⟦a.png⟧">',
    "not image-process": '<img class="no-image-process-x image-process" src="⟦a.png⟧">',
    "coded image-process": '<img class="&#105;mage-process-x" src="no"><img class src="⟦a.png⟧">',
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_is_marked_is_found_and_replaced(case: str) -> None:
    html = re.sub("[⟦⟧]", "", case)
    marks = re.finditer("⟦(.*?)⟧", case, re.DOTALL)
    marked = [(mark[1], mark.start() - 2 * count) for count, mark in enumerate(marks)]
    references = find_references(html)
    assert [(html[r.start : r.end], r.start) for r in references] == marked
    replaced = replace_references(html, dict.fromkeys(references, "/x/y.jpg"))
    assert replaced == re.sub("⟦.*?⟧", "/x/y.jpg", case, flags=re.DOTALL)
    assert [r.url for r in find_references(replaced)] == ["/x/y.jpg"] * len(marked)


def test_a_reference_says_what_it_is() -> None:
    html = "<IMG SRC='a&amp;b.png'><source srcset=' c.png 1x'>"
    assert find_references(html) == [
        Reference("a&b.png", 10, 21, "img", "src"),
        Reference("c.png", 40, 45, "source", "srcset"),
    ]


@pytest.mark.parametrize(
    ("raw", "url"),
    [
        ("&amp;&AMP;&amp&quot;", '&&&"'),
        ("&copy;&copy&copyx&copy=&copy1", "©©&copyx&copy=&copy1"),
        ("&notin;&notit;&nosuch;&;&", "∉&notit;&nosuch;&;&"),
        ("&NotEqualTilde;&bne;", "≂̸=⃥"),
        ("&#65;&#x42;&#X43&#68z&#;&#x;&#xg", "ABCDz&#;&#x;&#xg"),
        ("&#0;&#xD800;&#x110000;&#99999999999999999999;&#" + "9" * 9000, "\ufffd" * 5),
        ("&#128;&#x81;&#x9f;&#1;&#xfffe;", "€\x81Ÿ\x01\ufffe"),
        ("&#" + "0" * 9000 + "65;&amp;amp;", "A&amp;"),
        ("a\r\nb\rc\0", "a\nb\nc\ufffd"),
    ],
)
def test_character_references_are_resolved(raw: str, url: str) -> None:
    html = f'<img src="{raw}">'
    assert [r.url for r in find_references(html)] == [url]
    assert _oracle(html) == [("img", "src", url)]


@pytest.mark.parametrize(
    ("html", "url", "expected"),
    [
        ('<img src="⟦a⟧">', "x?a=1&b=2", '<img src="x?a=1&amp;b=2">'),
        ("<img src='⟦a⟧'>", 'it\'s "<a>"', "<img src='it&#39;s%20&quot;&lt;a&gt;&quot;'>"),
        ("<img src=⟦a⟧ alt>", " a\t=`b", "<img src=%20a%09=`b alt>"),
        ("<img src=⟦a⟧>", "'>", "<img src=&#39;&gt;>"),
        ('<img srcset="⟦a⟧, ⟦b⟧">', ",a b,", '<img srcset="%2Ca%20b%2C, %2Ca%20b%2C">'),
        ("<img srcset=&#32⟦a⟧&#44&#32⟦b⟧>", "1", "<img srcset=&#32&#49;&#44&#32&#49;>"),
    ],
)
def test_a_url_is_escaped_for_its_place(html: str, url: str, expected: str) -> None:
    html = re.sub("[⟦⟧]", "", html)
    assert replace_references(html, dict.fromkeys(find_references(html), url)) == expected


def test_what_has_no_new_url_stays() -> None:
    html = '<img src="a.png"><img src="b.png"><img src="c.png">'
    first, _, last = find_references(html)
    assert replace_references(html, {}) == html
    replaced = replace_references(html, {last: "y", first: "x"})
    assert replaced == '<img src="x"><img src="b.png"><img src="y">'


def test_a_new_url_is_not_empty() -> None:
    html = "<img src=a.png alt=x>"
    with pytest.raises(ValueError, match="empty"):
        replace_references(html, dict.fromkeys(find_references(html), ""))


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
def test_suffixes(suffix: str) -> None:
    assert has_image_suffix(f"dir/a%20b{suffix}")
    assert has_image_suffix(f"a{suffix.upper()}?b#c?d")
    assert not has_image_suffix(f"a{suffix}.html?a{suffix}#b{suffix}")
    assert not has_image_suffix(f"a{suffix}/")


# The oracle. turbohtml reads `noscript` as a browser with scripts; readers of a
# site without scripts see those images, so the element is renamed here.


def _srcset(value: str) -> Iterator[str]:
    """Parse a srcset attribute step by step, as the HTML standard specifies."""
    position = 0
    while True:
        while position < len(value) and value[position] in "\t\n\f\r ,":
            position += 1
        if position >= len(value):
            return
        start = position
        while position < len(value) and value[position] not in "\t\n\f\r ":
            position += 1
        url = value[start:position]
        if url.endswith(","):
            yield url.rstrip(",")
            continue
        descriptors, position = _descriptors(value, position)
        if _accepted(descriptors):
            yield url


def _descriptors(value: str, position: int) -> tuple[list[str], int]:
    descriptors, current, hidden = [], "", False
    while position < len(value) and (hidden or value[position] != ","):
        character = value[position]
        if not hidden and character in "\t\n\f\r ":
            descriptors.append(current)
            current = ""
        else:
            current += character
            hidden = character == "(" or (hidden and character != ")")
        position += 1
    return [text for text in (*descriptors, current) if text], position + 1


def _accepted(descriptors: list[str]) -> bool:
    width = density = height = None
    for text in descriptors:
        number = text[:-1]
        whole = number.isascii() and number.isdigit() and int(number) > 0
        if text.endswith("w") and whole and width is density is None:
            width = number
        elif text.endswith("h") and whole and height is density is None:
            height = number
        elif (
            text.endswith("x")
            and re.fullmatch(r"-?([0-9]+(\.[0-9]+)?|\.[0-9]+)([eE][-+]?[0-9]+)?", number)
            and float(number) >= 0
            and width is density is height is None
        ):
            density = number
        else:
            return False
    return height is None or width is not None


URL_OR_NOT = [
    *[("a", "href"), ("area", "href"), ("embed", "src"), ("iframe", "src"), ("link", "href")],
    *[("meta", "content"), ("object", "data"), ("source", "src"), ("body", "background")],
    *[("td", "background"), ("p", "data-src"), ("img", "data-original"), ("i", "data-lazy-src")],
]
SET_OR_NOT = [("img", "data-srcset"), ("link", "imagesrcset"), ("p", "data-bgset")]
CSS = [("p", "style"), ("td", "style"), ("img", "style"), ("a", "style")]
EITHER = [("p", "data-bg"), ("section", "data-background"), ("img", "data-bg-multi")]
WANTED = [
    *[(element, attribute) for element in ("img", "source") for attribute in ("src", "srcset")],
    *[("video", "poster"), ("input", "src"), ("image", "href"), ("image", "xlink:href")],
    *[*URL_OR_NOT, *SET_OR_NOT, *CSS, *EITHER],
]
STRINGS = ("url", "src", "image", "image-set", "-webkit-image-set")


def _oracle(html: str) -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, str]] = []
    style: str | None = None
    for token in turbohtml.tokenize(html.replace("noscript", "nosxript")):
        if style is not None and token.type is turbohtml.TokenType.TEXT:
            style += token.data or ""
            continue
        found += [("style", "", url) for url in _css(style or "") if _has_suffix(url)]
        style = None
        if token.type is not turbohtml.TokenType.START_TAG:
            continue
        attributes = token.attrs or []
        classes = re.split("[\t\n\f\r ]", dict(attributes).get("class", ""))
        if not any(name.startswith("image-process-") for name in classes):
            for attribute, value in attributes:
                url = value.replace("nosxript", "noscript")
                if attribute != "content" or _of_image(dict(attributes)):
                    tag = (token.tag or "").replace("nosxript", "noscript")
                    found += _oracle_urls(tag, attribute, url)
            style = "" if token.tag == "style" else None
    return found + [("style", "", url) for url in _css(style or "") if _has_suffix(url)]


def _of_image(attributes: dict[str, str]) -> bool:
    texts = [attributes.get(name, "").lower() for name in ("name", "property", "itemprop")]
    return any(word in text for text in texts for word in ("image", "thumbnail", "logo"))


def _has_suffix(url: str) -> bool:
    return re.split("[?#]", url)[0].lower().endswith(tuple(IMAGE_SUFFIXES))


def _oracle_urls(element: str, attribute: str, value: str) -> Iterator[tuple[str, str, str]]:
    everywhere = {
        name: syntax
        for syntax in (URL_OR_NOT, SET_OR_NOT, CSS, EITHER)
        for _, name in syntax
        if name.startswith("data-") or name == "style"
    }
    kind = everywhere.get(attribute) or next(
        (kind for kind in (URL_OR_NOT, SET_OR_NOT, WANTED) if (element, attribute) in kind), None
    )
    if kind is None:
        return
    urls = [value.strip("\t\n\f\r ")]
    if attribute.endswith("set"):
        urls = list(_srcset(value))
    elif kind in (CSS, EITHER):
        urls = list(_css(value)) or ([] if kind is CSS else urls)
    for url in urls:
        if url and (kind is WANTED or _has_suffix(url)):
            yield element, attribute, url


def _css(text: str) -> Iterator[str]:
    yield from _in_css(tinycss2.parse_component_value_list(text), strings=False)


def _in_css(nodes: Iterable[tinycss2.ast.Node], *, strings: bool) -> Iterator[str]:
    for node in nodes:
        if node.type == "url" or (strings and node.type == "string"):
            yield node.value
        elif node.type == "function":
            yield from _in_css(node.arguments, strings=node.lower_name in STRINGS)
        elif node.type.endswith(" block"):
            yield from _in_css(node.content, strings=False)


SPACES = ["", "", " ", " ", "\n", "\t", "\f", "\r\n", "\v", "\u00a0", "/", " / "]
ELEMENTS = [
    *["img", "IMG", "source", "video", "input", "image", "a", "A"] * 5,
    *["p", "span", "imgx", "/img", "/p", "/a", "/script", "/title", "/style", "/textarea"],
    *["td", "object", "embed", "area", "link", "meta", "style", "style"] * 2,
    *["script", "style", "title", "textarea", "xmp", "iframe", "noembed", "template", "noscript"],
    *["im\u0131", "\u017fource", "plaintexts", "a=", 'a"', "i'", "p<", "!doctype", "?xml"],
]
NAMES = [
    *["src", "SRC", "srcset", "poster", "href", "xlink:href", "xlin\u212a:href", "class"],
    *[
        "src",
        "href",
        "src",
        "href",
        "srcset",
        "srcset",
        "alt",
        "data-src",
        "data-srcset",
        "data-bg",
        "data-srcx",
        "style",
        "STYLE",
        "styles",
        "background",
        "name",
        "property",
        "=src",
        'a"b',
        "it's",
        "<img",
        "\u017frc",
        "title",
        "=",
    ],
]
VALUES = [
    *["a.png", "b.JPG?x#y", "c", "", " ", " d.gif ", "<img src=e.png>", "x > y", "</script>"],
    *["image-process-x", "a image-process-x", "no-image-process-x", "it's", 'say "x"', "`=<"],
    *["a&amp;b.png", "&copy=1", "&copy", "&#32;f.png", "&#x2e;png", "&#0;", "&notin", "\0", "é😀"],
    *["a 1x, b 2x", "a,b 1x,c", ",a,, b (1x, c) 2x", "a 1w 2h , b 0w", "a&#44 b&comma;c &#49x"],
    *[
        "a:url(a.png)",
        "url( 'a.png' ),url(b.gif)c",
        "url(&quot;a.png&quot;)",
        'url("a.png"',
        "og:image",
    ],
    *[
        r"url(a\ b.png)",
        r"u\72 l(a\2e png)",
        "url(a b.png)",
        "/* url(a.png) */ url(b.png",
        "url(a.png",
    ],
    *[
        "image-set('a.png' 1x, url(b.png) type('c.png'))",
        "'url(a.png)' url(b.png)",
        "(url(a.png)) }",
    ],
    *[
        "url&lpar;a&amp;.png)",
        "url('a\nb.png') url(c.png)",
        "curl(a.png)",
        "Url(\ta.png\r\n)",
        "#f.png",
    ],
    *["data:,x 1x", "a -0x,b -1x,c 1e3x", "a (", "a )", "a 1.x", "&#32a&#32&#49x&Tab;b\r\nc"],
]
PIECES = [
    *["<", ">", "/", "=", '"', "'", " ", "\n", "\r", "\0", "&", "-", "!", "?", "</", "<!", "/>"],
    *["<!--", "-->", "--!>", "<!-->", "<!--->", "--", "<![CDATA[", "]]>", "<!DOCTYPE html>", "<?"],
    *["<script>", "</script>", "<script ", "</script", "</scripts>", "<script/>", "<SCRIPT\n>"],
    *["<title>", "</title>", "</titl", "<style>", "</style\n>", "<textarea>", "</textarea/>"],
    *["<xmp>", "</xmp x='>'>", "<noscript>", "</noscript>", "<iframe", "</iframe>", "text a.png"],
    *[
        "<style>",
        "url(",
        "a{b:url(c.png)}",
        "'",
        ")",
        "url('d.png')",
        "/*",
        "*/",
        "\\",
        ".png",
        "(",
    ],
    *["<!--url(e.png)-->", "@url(f.png)", "url(\\\n.png)", "<p style='a:url(b.png)'>", "\\2e png)"],
    *["<img src=a.png>", '<img src="b.png">', "<a href='c.png'>", "<img ", " src=", ' src="'],
]


def _attribute(source: random.Random, name: str) -> str:
    quote = source.choice(['"', '"', '"', "'", "", ""])
    gap = source.choice(SPACES) if source.random() < 0.2 else ""
    value = f"{gap}={gap}{quote}{source.choice(VALUES)}{quote}" if source.random() < 0.9 else ""
    return source.choice(SPACES) + name + value


def _tag(source: random.Random) -> str:
    element, *names = source.choice(WANTED) if source.random() < 0.6 else [source.choice(ELEMENTS)]
    names += source.choices(NAMES, k=source.randrange(4))
    source.shuffle(names)
    attributes = "".join(_attribute(source, name) for name in names)
    space = "" if source.random() < 0.1 else " "
    return f"<{element}{space}{attributes}{source.choice(['>', '>', '>', ' />', '/>', ''])}"


def _document(source: random.Random) -> str:
    wild = source.choice([0.1, 0.5])
    return "".join(
        source.choice(PIECES) if source.random() < wild else _tag(source)
        for _ in range(source.randrange(1, 9))
    )


def _judge(html: str, number: int) -> None:
    """Compare with the oracle, replace the references found, and compare again."""
    references = find_references(html)
    assert [(r.element, r.attribute, r.url) for r in references] == _oracle(html), html
    urls = [f"{n}{number % 7 * ','}&<'\"=>.png" for n, _ in enumerate(references)]
    replaced = replace_references(html, dict(zip(references, urls, strict=True)))
    pairs = zip(references, urls, strict=True)
    again = [(r.element, r.attribute, _expected(r, url)) for r, url in pairs]
    assert _oracle(replaced) == again, html
    assert _outside(replaced) == _outside(html)


def _expected(reference: Reference, url: str) -> str:
    """Return how a new URL is read again: what could end it in CSS is percent-encoded."""
    in_css = reference.attribute in {"", "style", *(name for _, name in EITHER)}
    return re.sub("[\"'()<>\\\\]", lambda c: f"%{ord(c[0]):02X}", url) if in_css else url


def _outside(html: str) -> list[str]:
    """Return the text between the references."""
    edges = [0, *(edge for r in find_references(html) for edge in (r.start, r.end)), len(html)]
    return [html[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)]


@pytest.mark.parametrize("seed", range(4))
def test_a_tokenizer_finds_the_same(seed: int) -> None:
    source = random.Random(seed)  # noqa: S311  the same inputs every time
    for number in range(500):
        _judge(_document(source), number)


@pytest.mark.full
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(100, 110))
def test_a_tokenizer_finds_the_same_in_a_great_many(seed: int) -> None:
    source = random.Random(seed)  # noqa: S311  the same inputs every time
    for number in range(20_000):
        _judge(_document(source), number)


@given(st.text(st.sampled_from("<>/=\"'& ,-!aimgsrc\n\0;#1x()\u212a")))
def test_any_text_is_read_as_the_tokenizer_reads_it(html: str) -> None:
    _judge(html, 0)


PARTS = [
    "<img ",
    "src=",
    "srcset=",
    '"',
    "'",
    ">",
    " ",
    ",",
    "a.png",
    "&#32;",
    "&#44",
    "1x",
    "<!--",
    "-->",
]


STYLE_PARTS = [
    "url(",
    ")",
    '"',
    "'",
    "\\",
    "a.png",
    " ",
    "\n",
    "/*",
    "*/",
    "(",
    "image-set(",
    "2e ",
    "-",
]


@given(st.lists(st.sampled_from(STYLE_PARTS)).map("".join), st.booleans())
def test_any_style_is_read_as_css_is(css: str, in_element: bool) -> None:  # noqa: FBT001
    value = css.replace('"', "&quot;")
    _judge(f"<style>{css}" if in_element else f'<p style="{value}">', 0)


@given(st.lists(st.sampled_from(PARTS)).map("".join), st.text(min_size=1))
def test_only_the_urls_change(html: str, url: str) -> None:
    references = find_references(html)
    replaced = replace_references(html, dict.fromkeys(references, url))
    assert _outside(replaced) == _outside(html)
    found = [r.url for r in find_references(replaced)]
    expected = re.sub("[\t\n\f\r \0]", lambda space: f"%{ord(space[0]):02X}", url)
    for reference, new in zip(references, found, strict=True):
        in_set = reference.attribute == "srcset"
        assert new == (re.sub(r"\A,|,\Z", "%2C", expected) if in_set else expected)


@given(st.lists(st.sampled_from(PARTS)).map("".join), st.data())
def test_replacing_twice_is_replacing_once(html: str, data: st.DataObject) -> None:
    references = find_references(html)
    chosen = {r: f"https://img.example.com/{n}" for n, r in enumerate(references)}
    chosen = {r: chosen[r] for r in data.draw(st.permutations(references))}
    once = replace_references(html, chosen)
    again = find_references(once)
    assert replace_references(once, {r: r.url for r in again}) == once
    assert [r.url for r in again] == [chosen[r] for r in references]


# The examples for images from CommonMark, rendered by its reference implementation.
COMMONMARK = {
    '![foo](/url "title")': ["/url"],
    '![foo *bar*]\n\n[foo *bar*]: train.jpg "train & tracks"': ["train.jpg"],
    "![foo ![bar](/url)](/url2)": ["/url2"],
    "![foo [bar](/url)](/url2)": ["/url2"],
    "![foo *bar*][]\n\n[foo *bar*]: train.jpg": ["train.jpg"],
    "![foo *bar*][foobar]\n\n[FOOBAR]: train.jpg": ["train.jpg"],
    "![foo](train.jpg)": ["train.jpg"],
    'My ![foo bar](/path/to/train.jpg  "title"   )': ["/path/to/train.jpg"],
    "![foo](<url>)": ["url"],
    "![](/url)": ["/url"],
    "![foo][bar]\n\n[bar]: /url": ["/url"],
    "![foo] \n[]\n\n[foo]: /url": ["/url"],
    "![[foo]]\n\n[[foo]]: /url": [],
    "!\\[foo]\n\n[foo]: /url": [],
    "\\![foo]\n\n[foo]: /url.html": [],
    '![foo](a&b_"c)': ["a&b_%22c"],
    "![foo](<a b.png>)": ["a%20b.png"],
    "`![foo](a.png)`\n\n    ![foo](b.png)\n\n```\n<img src=c.png>\n```": [],
    "[![moon](moon.jpg)](moon-large.jpg)": ["moon-large.jpg", "moon.jpg"],
    "<img src='a.png'>\n\n<!-- ![foo](b.png) -->": ["a.png"],
}


@pytest.mark.parametrize(("source", "urls"), COMMONMARK.items())
def test_images_of_commonmark(source: str, urls: list[str]) -> None:
    html = commonmark.commonmark(source)
    references = find_references(html)
    assert [r.url for r in references] == urls
    once = replace_references(html, {r: f"https://img.example.com/{r.url}" for r in references})
    again = find_references(once)
    assert [r.url for r in again] == [f"https://img.example.com/{url}" for url in urls]
    assert replace_references(once, {r: r.url for r in again}) == once
    assert replace_references(once, dict(zip(again, urls, strict=True))) == html


# Inputs that make a backtracking or restarting scanner quadratic: at this length that would
# take hours, and a test has two minutes.
OPENINGS = [
    "",
    "<img ",
    '<img src="',
    "<img srcset='",
    "<a href=",
    "<p ",
    "<script><!--",
    "<title>",
    "<style>",
    "<style>url(",
    "<p style='url(",
]
REPEATED = [
    *["<", ">", "</", "<!", "<!--", "--!", "<img ", "<img////", "<a ", "<a", "</titl ", "<title>"],
    *["<script>", "<xmp", "&", "&a", "&#", '"', "=", ' a="b"', "<p a=b ", ".p", ",", "a, ", "("],
    *["/", " ", "x ", "\0", "\r", "'", "url(", "url('", "\\", "\\a ", "/*", ")", " style=(", "a-"],
    *["<style>", " style=", "<p style=url(", '<p style="a" ', "u\\72l("],
]


@pytest.mark.parametrize("repeated", REPEATED)
def test_hostile_text_takes_linear_time(repeated: str) -> None:
    for opening in OPENINGS:
        find_references(opening + repeated * (1_000_000 // len(repeated)))
        find_references(opening + repeated * (100_000 // len(repeated)) + "'\">")
