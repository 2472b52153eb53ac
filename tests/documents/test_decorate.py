"""Decorated pages: a table of cases, rules, and an independent tokenizer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import turbohtml
from hypothesis import given
from hypothesis import strategies as st

from pelican_imagehost.documents.decorate import decorate
from tests.comparison import undecorate

if TYPE_CHECKING:
    from pelican_imagehost.documents.decorate import Size

PREFIX = "https://img.example.com/"
SIZES = {"a" * 64: (400, 300), "b" * 64: (3000, 1), "c" * 64: None}
# `@a` is the address of an image of 400 by 300 pixels, `@b` of 3000 by 1, `@c` of no known size,
# `@d` of an image that is not known. The text between ⟦ and ⟧ is added; in it, every
# attribute stands in the quotes that come first.
ALL = "width=400 height=300 data-imagehost=400x300"
FIRST = f'⟦"{ALL} fetchpriority=high decoding=async⟧'
NEXT = f'⟦"{ALL} loading=lazy decoding=async⟧'
CASES = {
    "plain": f'<p><img{FIRST} alt="x" src="@a"></p>',
    "the others are lazy": f'<img{FIRST} src="@a"><p><img{NEXT} src="@a"><img{NEXT} src="@a">',
    "within a link": f'<a href="@a"><img{FIRST} src="@a" alt=""></a>',
    "self-closing": f'<img{FIRST} alt="x" src="@a" />\r\n<img{NEXT} src="@a"/>',
    "single quotes": f"<img{FIRST.replace(chr(34), chr(39))} alt=\"it's\" src='@a'>",
    "unquoted": f"<img{FIRST.replace(chr(34), '')} alt=x src=@a>",
    "unquoted behind a slash": f"<img{FIRST}/src=@a>",
    "upper case": f'<IMG{FIRST} SRC="@a" ALT="x"><Img{NEXT} Src="@a">',
    "space around the equals sign": f'<img{FIRST} alt="x" src = "@a">',
    "space around the address": f'<img{FIRST} src="\n  @a ">',
    "line ends": f'<img{FIRST}\r\n  alt="x"\r\n  src="@a"\r\n>',
    "greater-than in a value": f'<img{FIRST} alt="a > b" src="@a">',
    "less-than in a value": f'<img{FIRST} alt="a < b <i>c</i>" src="@a"><img{NEXT} src="@a">',
    "tag in a value behind": f'<img{FIRST} src="@a" title="<b>x</b>">',
    "no space between": f'<img{FIRST} alt="x"src="@a">',
    "query": f'<img{FIRST} src="@a?w=300#top">',
    "coded address": '<img src="https&#58;//img.example.com/a.jpg"><img src="https:%2F%2Fimg">',
    "coded in the key": '<img src="https://img.example.com/aa/&#97;.jpg">',
    "coded beside a usual one": f'<img{FIRST} src="@a" alt="&quot;&amp;x"><p title="src=@a">',
    "loaded already": f'<img{FIRST} src="@a"><img⟦"{ALL} decoding=async⟧ loading="eager" src="@a">',
    "with a priority": (
        f'<img⟦"{ALL} decoding=async⟧ fetchpriority="low" src="@a">'
        f'<img⟦"{ALL} decoding=async⟧ src="@a" fetchpriority=high>'
    ),
    "a decoding of their own": f'<img⟦"{ALL} fetchpriority=high⟧ decoding="sync" src="@a">',
    "both numbers of their own": (
        '<img⟦"data-imagehost=400x300-wh fetchpriority=high decoding=async⟧ src="@a" width="5"'
        ' height="50">'
        '<img⟦"data-imagehost=400x300-wh loading=lazy decoding=async⟧ src="@a" width="5" HEIGHT=5%>'
    ),
    "width alone": (
        '<img⟦"height=75 data-imagehost=400x300-w fetchpriority=high decoding=async⟧ src="@a"'
        ' width="100">'
        '<img⟦"height=76 data-imagehost=400x300-w loading=lazy decoding=async⟧ src="@a"'
        ' width=" 101.5px">'
    ),
    "height alone": (
        '<img⟦"width=100 data-imagehost=400x300-h fetchpriority=high decoding=async⟧ src="@a"'
        ' height="75">'
    ),
    "width of a very flat image": (
        '<img⟦"height=1 data-imagehost=3000x1-w fetchpriority=high decoding=async⟧'
        ' width=9 src="@b">'
    ),
    "width in percent": (
        '<img⟦"data-imagehost=400x300-w fetchpriority=high decoding=async⟧ src="@a" width="50%">'
    ),
    "a width that browsers ignore": (
        '<img⟦"height=300 data-imagehost=400x300 fetchpriority=high decoding=async⟧ width=auto'
        ' src="@a">'
        '<img⟦"data-imagehost=400x300 loading=lazy decoding=async⟧ width height="" src="@a">'
        '<img⟦"data-imagehost=400x300-w loading=lazy decoding=async⟧ width=9 height=auto src="@a">'
    ),
    "style": f'<img{FIRST} style="width: 50%" src="@a">',
    "srcset": (
        '<img⟦"fetchpriority=high decoding=async⟧ srcset="@a 1x, @b 2x" src="@a">'
        '<img⟦"decoding=async⟧ srcset="@b 2x" src="@a">'
        '<img⟦"loading=lazy decoding=async⟧ srcset="@b 2x" src="@a" width=4 height=3>'
    ),
    "srcset alone": '<img srcset="@a 1x">',
    "picture": (
        '<picture><source srcset="@b"><img⟦"fetchpriority=high decoding=async⟧ src="@a"></picture>'
        '<PICTURE><img⟦"decoding=async⟧ src="@a"></PICTURE>'
        '<picture><img⟦"loading=lazy decoding=async⟧ src="@a" width=4 height=3></picture>'
        f'<img{NEXT} src="@a">'
    ),
    "no known size": (
        '<img⟦"fetchpriority=high decoding=async⟧ src="@c"><img⟦"decoding=async⟧ src="@d">'
    ),
    "left alone": f'<img src="@a" class="x imagehost-plain"><img{FIRST} class="plain" src="@a">',
    "image-process": f'<img class="image-process-x" src="@a"><img{FIRST} src="@a">',
    "loaded by a script": (
        f'<img src="@a" data-src="@b"><img data-src="@a"><img data-lazy-src="@a" src="@a">'
        f'<noscript><img src="@a"></noscript><img{FIRST} src="@a">'
    ),
    "other addresses": '<img src="https://img.example.com/a.jpg"><img src="/@a"><img src="@a.jpg">',
    "other elements": (
        '<amp-img src="@a"></amp-img><source src="@a"><a href="@a">x</a><img-x src="@a">'
    ),
    "other attributes": (
        f'<img alt="@a" src="x.png"><img alt="src=@a"><img{FIRST} title="@a" src="@a">'
    ),
    "second attribute of a name": f'<img src="x.png" src="@a"><img{FIRST} src="@a" src="x.png">',
    "comment": f'<!-- <img src="@a"> --><img{FIRST} src="@a"><!--><img{NEXT} src="@a">',
    "comment to the end": f'<img{FIRST} src="@a"><!-- <img src="@a">',
    "script": f'<script>x = "<img src=\'@a\'>";</script><img{FIRST} src="@a">',
    "data": f'<script type=text/json>{{"x": "@a"}}</script><img{FIRST} src="@a">',
    "script, upper case": f'<SCRIPT>x = \'<img src="@a">\';</Script><img{FIRST} src="@a">',
    "raw text": (
        '<style>/* <img src="@a"> */</style><textarea><img src="@a"></textarea>'
        '<title><img src="@a"></title><xmp><img src="@a"></xmp><iframe><img src="@a"></iframe>'
        f'<img{FIRST} src="@a">'
    ),
    "long s": f'<no\u017fcript><img{FIRST} src="@a"></no\u017fcript>',
    "template": f'<template><img src="@a"></template><img{FIRST} src="@a">',
    "noscript": f'<noscript><p><img src="@a"></p></NOSCRIPT><img{FIRST} src="@a">',
    "in a value": f'<a title="<img src=\'@a\'>">x</a><img{FIRST} src="@a">',
    # Not worth a look at everything: nothing ends there, and a script may show it.
    "in a value with tags": f"<a title=\"<i></i><img{FIRST.replace(chr(34), chr(39))} src='@a'>\">",
    "start of a comment in a value": f'<p title="<!-- x"><img{FIRST} src="@a"></p>',
    "tag cut off": f'<img{FIRST} src="@a"><img src="@a"',
    "tag in a tag": f'<p <img src="@a"><img{FIRST} src="@a">',
    "end tag": f'</img src="@a"><img{FIRST} src="@a">',
    "escaped sample": '<code>&lt;img src="@a"></code>',
    "other scripts": f'<p>日本語 😀</p><img{FIRST} alt="画像" src="@a">',
    "none": "<p>Words.</p>",
    "empty": "",
}


def address(letter: str) -> str:
    return f"{PREFIX}{letter * 2}/{letter * 64}.jpg"


def expand(text: str) -> tuple[str, str]:
    """Return a case without and with what is added."""
    text = re.sub("@([a-d])", lambda found: address(found[1]), text)
    before = re.sub("⟦.*?⟧", "", text)
    return before, re.sub("⟦([\"']?)(.*?)⟧", _added, text)


def _added(found: re.Match[str]) -> str:
    quote, names = found.groups()
    pairs = (pair.split("=") for pair in names.split())
    return "".join(f" {name}={quote}{value}{quote}" for name, value in pairs)


def size_of(digest: str) -> Size | None:
    return SIZES.get(digest)


def without_sheet(page: str) -> str:
    return re.sub(r"<style>:where.*?</style>", "", page)


@pytest.mark.parametrize("text", CASES.values(), ids=CASES.keys())
def test_what_is_added(text: str) -> None:
    before, after = expand(text)
    decorated = decorate(before, PREFIX, size_of)
    assert without_sheet(decorated) == after
    assert ("<style>:where" in decorated) == (" data-imagehost=" in decorated)
    assert undecorate(decorated) == undecorate(before)
    assert decorate(decorated, PREFIX, size_of) == decorated


HEADS = {
    "usual": "<!DOCTYPE html>\n<html lang='a>b'>\n<head>⟦⟧<link rel=stylesheet></head><body>",
    "behind the encoding": "<html><head>\n<title>a <b</title><meta charset=utf-8 />⟦⟧<link>",
    "behind a comment": "\ufeff<!-- <head> --><HTML><HEAD data-x='>'>⟦⟧<script></script></HEAD>",
    "before a policy": (
        "<head><meta charset=utf-8>⟦⟧<meta http-equiv=Content-Security-Policy content=x></head>"
    ),
    "no head": "<!doctype html>\n<title>x</title>\n⟦⟧<p>",
    "header is not a head": "<html>⟦⟧<header>",
    "fragment": "⟦⟧<div>",
    "words first": "⟦⟧Words.<head></head>",
    "XHTML": "<?xml version='1.0'?><!DOCTYPE html PUBLIC 'x'><html xmlns='y'><head>⟦⟧<link />",
    "comment to the end": "⟦⟧<!-- x",
}


@pytest.mark.parametrize("text", HEADS.values(), ids=HEADS.keys())
def test_the_style_sheet_stands_first_behind_the_encoding(text: str) -> None:
    before, after = text.split("⟦⟧")
    page = f'{before}<img src="{address("a")}">{after}'
    assert decorate(page, PREFIX, size_of).startswith(f"{before}<style>:where")


def test_the_style_sheet_names_each_size_once() -> None:
    images = "".join(f'<img src="{address(letter)}">' for letter in "abba")
    page = decorate(images, PREFIX, size_of)
    assert re.findall(r'\|="(\w+)"', page) == ["400x300", "3000x1"]
    assert page.startswith("<style>")
    assert page.count("<style>") == 1


def test_a_page_whose_pictures_have_no_known_size_has_no_style_sheet() -> None:
    page = decorate(f'<img width=4 height=3 src="{address("c")}">', PREFIX, size_of)
    assert "decoding" in page
    assert "<style>" not in page


def test_a_relative_prefix_is_that_of_the_page_alone() -> None:
    key = address("a").removeprefix(PREFIX)
    page = f'<img src="../../images/{key}"><img src="../images/{key}">'
    assert decorate(page, "../images/", size_of).endswith(
        f' decoding="async" src="../images/{key}">'
    )
    assert decorate(page, "../images/", size_of).count("decoding") == 1


PIECES = [
    "<p>", "</p>", "<", ">", '"', "'", "=", " ", "/", "<!--", "-->", "<script>", "</script>",
    "<picture>", "</picture>", "<noscript>", "</noscript>", "<title>", "</title>", "<head>",
    '<img src="@">', "<img src='@'>", "<img src=@>", '<img alt="', "<IMG\r\nsrc = ", '"@"', "@",
    ' width="10"', " height=5", " loading=lazy", ' data-src="@"', ' class="imagehost-plain"', "é",
]  # fmt: skip


def pages(pieces: list[str]) -> st.SearchStrategy[str]:
    lists = st.lists(st.sampled_from(pieces), max_size=12)
    return lists.map(lambda chosen: "".join(chosen).replace("@", address("a")))


PAGES = pages(PIECES)
# Of a tag that begins in the open value of another, browsers make something else anyway.
CLOSED_PAGES = pages([piece for piece in PIECES if piece not in {'"', "'", '<img alt="'}])


@given(PAGES)
def test_decorating_twice_is_decorating_once(page: str) -> None:
    once = decorate(page, PREFIX, size_of)
    assert decorate(once, PREFIX, size_of) == once


@given(PAGES)
def test_nothing_else_changes(page: str) -> None:
    once = decorate(page, PREFIX, size_of)
    assert undecorate(once) == undecorate(page)


@given(CLOSED_PAGES)
def test_a_browser_reads_the_same_with_more_attributes(page: str) -> None:
    once = decorate(page, PREFIX, size_of)
    assert tokens(without_sheet(once)) == tokens(page)


def tokens(page: str) -> list[tuple[object, ...]]:
    """Return what a browser reads, without the attributes that may be added."""
    added = {"width", "height", "loading", "decoding", "fetchpriority", "data-imagehost"}
    return [
        (
            token.type,
            token.tag,
            undecorate(token.data or ""),
            [
                (k, undecorate(v))
                for k, v in token.attrs or ()
                if token.tag != "img" or k not in added
            ],
        )
        for token in turbohtml.tokenize(page)
    ]
