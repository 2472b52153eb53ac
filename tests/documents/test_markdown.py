"""Images in Markdown sources: a table of cases, and the verification of exports."""

from __future__ import annotations

import re
from typing import Literal

import commonmark
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown import Markdown

from pelican_imagehost.documents.markdown import Span, find_spans, rewrite_markdown
from pelican_imagehost.documents.references import find_references, replace_references
from pelican_imagehost.errors import ExportRefused

# The text between ⟦ and ⟧ is the URL of an image; everything else is not.
CASES = {
    "inline": "x ![a](⟦a.png⟧) y",
    "without alternative text": "![](⟦a.png⟧)",
    "title": '![a](⟦a.png⟧ "t (x) ](a.png)")',
    "title in single quotes": "![a](⟦a.png⟧ 'a.png')",
    "angle brackets": "![a](<⟦a b.png⟧>)",
    "angle brackets and a title": '![a](<⟦a.png⟧> "<a.png>")',
    "parentheses": "![a](⟦a_(1).png⟧)",
    "brackets": "![a [b] c](⟦a.png⟧)",
    "alternative text like the URL": "![a.png](⟦a.png⟧)",
    "code in the alternative text": "![a `](no.png)` c](⟦a.png⟧)",
    "emphasis": "*![a](⟦a.png⟧)* **![b](⟦b.png⟧)**",
    "linked": "[![a](⟦a.png⟧)](page.html)",
    "linked to an image": "[![a](⟦a.png⟧)](⟦b.png⟧)",
    "linked with titles": '[![a](⟦a.png⟧ "t")](https://e.org/ "u")',
    "link to an image": "[large](⟦a.jpg⟧) [page](a.html)",
    "definition": '![a][r]\n\n[r]: ⟦a.png⟧ "t"\n',
    "definition in angle brackets": "![a][r]\n\n[r]: <⟦a.png⟧>\n",
    "definition with a title below": "![a][r]\n\n[r]: ⟦a.png⟧\n    'title a.png'\n",
    "collapsed definition": "![Ref X][]\n\n[ref x]: ⟦a.png⟧\n",
    "shortcut definition": "![ref]\n\n[ref]: ⟦a.png⟧\n",
    "unused definition": "![a](⟦a.png⟧)\n\n[ref]: a.png\n",
    "definition used twice": "![a][r] ![b][r]\n\n[r]: ⟦a.png⟧\n",
    "definition of a page": "[l][r] ![a](⟦a.png⟧)\n\n[r]: page.html\n",
    "fence": "```\n![a](a.png)\n```\n\n![a](⟦a.png⟧)",
    "fence of tildes": "~~~ md\n![a](no.png)\n~~~\n\n![a](⟦a.png⟧)",
    "highlighted code": "    :::html\n    <img src='a.png'>\n\n![a](⟦a.png⟧)",
    "the same URL in code and text": "![a](⟦a.png⟧) and `![a](a.png)` and a.png",
    "indented code": "para\n\n    ![a](a.png)\n\n![a](⟦a.png⟧)",
    "code span": "`![a](a.png)` ![a](⟦a.png⟧)",
    "code span of two backticks": "``![a](a.png) ` `` ![a](⟦a.png⟧)",
    "escaped bang": "\\![a](⟦a.png⟧)",
    "escaped bracket": "!\\[a](a.png) ![a](⟦a.png⟧)",
    "escaped underscore": "![a](⟦a\\_b.png⟧)",
    "html block": '<div>\n<img src="⟦a.png⟧">\n</div>\n\n![a](⟦b.png⟧)',
    "html inline": 'x <img src="⟦a.png⟧" alt="a.png"> y',
    "html in single quotes": "x <img src='⟦a.png⟧'/> y",
    "html unquoted": "<img src=⟦a.png⟧ alt=x>",
    "html comment": '<!-- ![a](a.png) <img src="a.png"> -->\n\n![a](⟦a.png⟧)',
    "html pre": "<pre>\n![a](a.png)\n</pre>\n\n![a](⟦a.png⟧)",
    "html video": '<video src="a.mp4" poster="⟦a.png⟧"></video>',
    "html link": "<p><a href='⟦a.png⟧'>a.png</a></p>",
    "markdown in html": '<div markdown="1">\n![a](⟦a.png⟧)\n</div>',
    "no markdown in html": "<div>\n![a](a.png)\n</div>\n\n![a](⟦a.png⟧)",
    "srcset": '<figure>\n  <img src="⟦a.png⟧" srcset="⟦a.png⟧, ⟦b.png⟧ 2x">\n</figure>',
    "picture": '<picture><source srcset="⟦a.webp⟧ 1x"><img src="⟦a.png⟧"></picture>',
    "image-process": '<img class="image-process-x" src="a.png"> ![a](⟦a.png⟧)',
    "quote": "> ![a](⟦a.png⟧)\n> ![b\n> c](⟦b.png⟧)",
    "list": "* ![a](⟦a.png⟧)\n\n    ![b](⟦b.png⟧)\n",
    "code in a list": "1. x\n\n        ![a](b.png)\n\n    ![b](⟦b.png⟧)\n",
    "table": "a|b\n-|-\n![a](⟦a.png⟧)|`![x](a.png)`\n",
    "headings": "# ![a](⟦a.png⟧) h\n\n![b](⟦b.png⟧)\n====\n",
    "attributes": "![a](⟦a.png⟧){: .c width=3}",
    "footnote": "x[^1]\n\n[^1]: foot ![a](⟦a.png⟧)\n",
    "definition list": "term\n:   ![a](⟦a.png⟧)\n",
    "abbreviation": "*[a.png]: abbr\n\n![q](⟦a.png⟧) a.png",
    "metadata": "Title: a.png\nImage: a.png\n\n![q](⟦a.png⟧)",
    "character reference": "![a](⟦a&amp;b.png⟧)",
    "ampersand": "![a](⟦a&b.png⟧)",
    "numeric character reference": '<img src="⟦&#97;.png⟧"> <img src="⟦&#x61;&period;png⟧">',
    "other scripts": "日本語 ![é](⟦画像.png⟧) 😀 ![b](⟦b.png⟧)",
    "percent-encoded": "![a](⟦a%20b.png⟧)",
    "the same twice": "![a](⟦a.png⟧) ![a](⟦a.png⟧)",
    "one URL in another": "![a](⟦images/a.png⟧) ![a](⟦a.png⟧) https://e.org/images/a.png xa.png",
    "query and fragment": "![a](⟦a.png?b=1#c⟧) a.png",
    "URL of one letter": "![a](⟦a⟧) a word and <b>a</b> <a href='a'>a</a>",
    "URL like an element": "![p](⟦img⟧) <img src=⟦img⟧ alt=img>",
    "crlf": "![a](⟦a.png⟧)\r\n\r\n![b](⟦b.png⟧)\r\n",
    "crlf and a definition": "![a][r]\r\n\r\n[r]: ⟦a.png⟧\r\n",
    "byte order mark": "\ufeff![a](⟦a.png⟧)\n",
    "byte order mark and crlf": "\ufeff# T\r\n\r\n![a](⟦a.png⟧)\r\n",
    "line end before the URL": "![a](\n⟦a.png⟧)",
    "space around the URL": "![a]( ⟦a.png⟧ )",
    "static": "![a]({static}/images/a.png)".replace("({", "(⟦{").replace("g)", "g⟧)"),
    "line end in the text": "![line\nbreak](⟦a.png⟧)",
    "hard line break": "![a](⟦a.png⟧)  \n![b](⟦b.png⟧)\\\n",
    "object": '<object data="⟦a.svg⟧">a.svg</object> <embed src="⟦b.svg⟧"> <embed src="a.pdf">',
    "late": '<img src="⟦a.png⟧" data-src="⟦a.png⟧" data-srcset="⟦b.png⟧ 2x" alt="b.png">',
    "style": "<p style=\"background: url('⟦a.png⟧'), url(⟦b.png⟧)\">a.png</p>",
    "escaped style": r'<p style="background: url(⟦my\ a\2e png⟧)">a.png</p>',
    "style element": "<style>p { background: url(⟦a.png⟧) }</style>\n\n`url(a.png)`",
    "no image": "a.png [a](b.html)",
    "remote": "![a](⟦https://e.org/a.png⟧)",
}


def render(source: str) -> str:
    """Render as Pelican does by default, with a new reader each time."""
    text = source.removeprefix("\ufeff")
    return Markdown(extensions=["extra", "codehilite", "meta"]).convert(text)


def _address(url: str) -> str:
    return f"https://img.example.com/{len(url)}.jpg"


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_is_marked_is_rewritten(case: str) -> None:
    source = re.sub("[⟦⟧]", "", case)
    marks = [(mark.start(), mark[1]) for mark in re.finditer("⟦(.*?)⟧", case)]
    spans = find_spans(source, render)
    assert [source[span.start : span.end] for span in spans] == [text for _, text in marks]
    assert [span.start for span in spans] == [start - 2 * n for n, (start, _) in enumerate(marks)]
    expected = re.sub("⟦.*?⟧", "https://img.example.com/x.jpg", case)
    assert rewrite_markdown(source, render, lambda _: "https://img.example.com/x.jpg") == expected


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_html_is_that_of_the_source_with_other_addresses(case: str) -> None:
    source = re.sub("[⟦⟧]", "", case)
    html = render(source)
    new = {reference: _address(reference.url) for reference in find_references(html)}
    result = rewrite_markdown(source, render, _address)
    assert render(result) == replace_references(html, new)
    again = rewrite_markdown(result, render, lambda _: None)
    assert again == result


def test_a_span_gives_the_url_of_the_html() -> None:
    source = '![a](a.png) <img src="b&amp;&#99;.png">'
    assert find_spans(source, render) == [Span("a.png", 5, 10), Span("b&c.png", 22, 37)]


def test_only_what_has_an_address_is_rewritten() -> None:
    source = "![a](a.png) ![b](b.png) `a.png`"
    result = rewrite_markdown(source, render, {"a.png": "/x.jpg"}.get)
    assert result == "![a](/x.jpg) ![b](b.png) `a.png`"


def test_a_source_without_addresses_is_not_rendered_again() -> None:
    rendered: list[str] = []

    def counted(source: str) -> str:
        rendered.append(source)
        return render(source)

    source = "![a](a.png)"
    assert rewrite_markdown(source, counted, lambda _: None) == source
    assert rendered == [source]


@pytest.mark.parametrize(
    "case",
    [
        "![a](<⟦a b.png⟧>)",
        "![a](⟦a%20b.png⟧)",
        "![a](⟦é.png⟧) ![b](⟦%C3%A9.png⟧) ![c](⟦%c3%a9.png⟧)",
        "![a](⟦a&eacute;.png⟧)",
        "![a](⟦a\\_\\(b.png⟧)",
        '![a](⟦a"b.png⟧)',
        "![a](⟦a&quot;b.png⟧)",
        "![a](⟦a(b).png⟧ 'a(b).png')",
        "[r]: <⟦a b.png⟧>\n\n![r] ![x][r]",
        "![a](⟦%ff.png⟧)",
    ],
)
def test_a_reader_that_encodes_urls(case: str) -> None:
    source = re.sub("[⟦⟧]", "", case)
    result = rewrite_markdown(source, commonmark.commonmark, lambda _: "/x.jpg")
    assert result == re.sub("⟦.*?⟧", "/x.jpg", case)


def test_a_url_that_the_reader_made_up_refuses_the_export() -> None:
    def shifted(source: str) -> str:
        return render(source).replace('src="', 'src="thumbs/')

    with pytest.raises(ExportRefused, match=r"'thumbs/a\.png'.*no place"):
        rewrite_markdown("![a](a.png)", shifted, lambda _: "/x.jpg")


def test_a_change_elsewhere_refuses_the_export() -> None:
    def counting(source: str) -> str:
        return f"{render(source)}\n<p>{len(source)} characters</p>"

    with pytest.raises(ExportRefused, match=r"line 2 .*'<p>14 characters</p>' instead of"):
        rewrite_markdown("![a](a.png)", counting, lambda _: "/xy.jpg!")


def test_a_definition_shared_with_a_page_refuses_the_export() -> None:
    with pytest.raises(ExportRefused, match="no place"):
        rewrite_markdown("![a][r] [b][r]\n\n[r]: a\n", render, lambda _: "/x.jpg")


def test_an_address_that_is_not_markdown_refuses_the_export() -> None:
    with pytest.raises(ExportRefused):
        rewrite_markdown("![a](a.png)", render, lambda _: '/x.jpg") <b>')


def test_tokens_that_disturb_the_document_are_tried_one_by_one() -> None:
    def indexed(source: str) -> str:
        images = "".join(f"<img src={word}>" for word in source.split() if word.endswith("x"))
        return render(source) + (images if source.count("imagehost") > 1 else "")

    source = "![a](a.png) ![b](b.png) x"
    assert [span.url for span in find_spans(source, indexed)] == ["a.png", "b.png"]


PIECES = [
    *["![a](a.png)", "![b](<b c.png>)", "[r]: a.png", "![r]", "![x][r]", "a.png", "`", "```", "\n"],
    *["\n\n", "    ", "> ", "* ", "# ", "<img src='a.png'>", "<!--", "-->", "<div>", "</div>", "|"],
    *["\\", "[", "](a.png)", '"', "<pre>", "</pre>", "*", "b c.png", "\r\n", "<a href='a.png'>"],
]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_an_export_is_right_or_refused(source: str) -> None:
    html = render(source)
    new = dict.fromkeys(find_references(html), "/x/y.jpg")
    try:
        result = rewrite_markdown(source, render, lambda _: "/x/y.jpg")
    except ExportRefused:
        return
    assert render(result) == replace_references(html, new)


EMBEDS = {
    "![[cat.png]]": "![](NEW)",
    "a![[cat.png]]b `![[cat.png]]` \\![[cat.png]]": "a![](NEW)b `![[cat.png]]` \\![[cat.png]]",
    "![[ cat.png |A *cat*]]": "![A *cat*](NEW)",
    "![[cat.png|300]] ![[cat.png]]": '<img alt="" src="NEW" width="300"> ![](NEW)',
    '![[cat.png|A "cat" & co|300x200]]': (
        '<img alt="A &quot;cat&quot; &amp; co" height="200" src="NEW" width="300">'
    ),
    "[![[cat.png]]](a.html)": "[![](NEW)](a.html)",
    "|a|b|\n|-|-|\n|![[cat.png\\|30]]|`![[cat.png]]`|\n": (
        '|a|b|\n|-|-|\n|<img alt="" src="NEW" width="30">|`![[cat.png]]`|\n'
    ),
    "    ![[cat.png]]\n\n![[cat.png]]": "    ![[cat.png]]\n\n![](NEW)",
    "![[note]] ![[cat.pdf]] ![[cat.png]]": "![[note]] ![[cat.pdf]] ![](NEW)",
    "![[my\\_cat.png]]": "![](NEW)",
}


@pytest.mark.parametrize("output_format", ["html", "xhtml"])
@pytest.mark.parametrize(("source", "expected"), EMBEDS.items())
def test_an_embed_becomes_an_image_that_others_read(
    source: str, expected: str, output_format: Literal["html", "xhtml"]
) -> None:
    def render(text: str) -> str:
        extensions = ["extra", "codehilite", "meta", "pelican_imagehost.site.wikilinks"]
        return Markdown(extensions=extensions, output_format=output_format).convert(text)

    result = rewrite_markdown(source, render, lambda _: "https://img.example.com/a.png")
    assert result == expected.replace("NEW", "https://img.example.com/a.png")
    assert rewrite_markdown(source, render, lambda _: None) == source
