"""Obsidian's embeds in Markdown documents that real Pelican builds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from markdown import Markdown

from pelican_imagehost.documents.wikilinks import Embed, read_embed, target_of
from tests.comparison import undecorate

if TYPE_CHECKING:
    import subprocess

    from tests.conftest import Site

EXTENSION = "pelican_imagehost.site.wikilinks"
IMAGE = r'<img alt="" src="/images/[0-9a-f]{2}/[0-9a-f]{64}\.jpg"'


def post(site: Site, body: str, name: str = "a.md") -> None:
    site.write(f"content/posts/{name}", f"Title: A\nSlug: a\nDate: 2024-05-06\n\n{body}\n")


def said(completed: subprocess.CompletedProcess[bytes]) -> str:
    return (completed.stdout + completed.stderr).decode()


@pytest.mark.parametrize(
    ("inside", "embed"),
    [
        ("x.png", Embed("x.png", "", {})),
        (" f/x y.PNG ", Embed("f/x y.PNG", "", {})),
        ("x.png|300", Embed("x.png", "", {"width": "300"})),
        ("x.png | 300 x 200 ", Embed("x.png", "", {"width": "300", "height": "200"})),
        ("x.png|A cat", Embed("x.png", "A cat", {})),
        ("x.png|A cat|300", Embed("x.png", "A cat", {"width": "300"})),
        ("x.png\\|300", Embed("x.png", "", {"width": "300"})),
        ("x.png|a|b", Embed("x.png", "a|b", {})),
        ("x.png|300px", Embed("x.png", "300px", {})),
        ("x.png|", Embed("x.png", "", {})),
        ("x.png#right|30", Embed("x.png#right", "", {"width": "30"})),
        ("note", None),
        ("note#heading.png", None),
        ("film.mp4", None),
        ("note|x.png", None),
    ],
)
def test_an_embed_is_read(inside: str, embed: Embed | None) -> None:
    assert read_embed(inside) == embed
    assert embed is None or target_of(embed.url) == embed.target


RENDERED = {
    "![[x.png]]": '<img alt="" src="[[x.png]]">',
    "a![[x_b_.png|300]]b": 'a<img alt="" src="[[x_b_.png]]" width="300">b',
    "*![[x.png]]* ![[y.png]]": '<em><img alt="" src="[[x.png]]"></em> <img alt="" src="[[y.png]]">',
    "![[x\\_y.png|a \\* b]]": '<img alt="a * b" src="[[x_y.png]]">',
    "\\\\![[x.png]]": '\\<img alt="" src="[[x.png]]">',
    '![[x.png|"a" & <b>]]': '<img alt="&quot;a&quot; &amp; &lt;b&gt;" src="[[x.png]]">',
    "[![[x.png]]](y.html)": '<a href="y.html"><img alt="" src="[[x.png]]"></a>',
    "`![[x.png]]`": "<code>![[x.png]]</code>",
    "``a ` ![[x.png]]``": "<code>a ` ![[x.png]]</code>",
    "\\![[x.png]]": "![[x.png]]",
    "!\\[[x.png]]": "![[x.png]]",
    "![[note]] [[x.png]] ![[a.pdf]]": "![[note]] [[x.png]] ![[a.pdf]]",
    "![[x.png] ]": "![[x.png] ]",
}


@pytest.mark.parametrize(("source", "html"), RENDERED.items())
def test_an_embed_is_rendered(source: str, html: str) -> None:
    md = Markdown(extensions=["extra", EXTENSION], output_format="html")
    assert md.convert(source) == f"<p>{html}</p>"


@pytest.mark.parametrize(
    "block", ["    ![[x.png]]", "```\n![[x.png]]\n```", "<p>\n![[x.png]]\n</p>"]
)
def test_code_and_html_stay(block: str) -> None:
    assert "<img" not in Markdown(extensions=["extra", EXTENSION]).convert(block)


def test_an_embed_is_hosted_wherever_its_file_is(site: Site) -> None:
    site.picture("content/attachments/deep/cat.jpg")
    site.picture("content/other/cat.jpg", colour="blue")
    post(site, "![[cat.jpg]] ![[deep/cat.jpg|300x200]] ![[missing.jpg]] ![[note]] `![[cat.jpg]]`")
    completed = site.build()
    html = undecorate(site.output("a.html"))
    assert re.search(IMAGE + ">", html)
    assert re.search(IMAGE.replace("src", 'height="200" src') + ' width="300">', html)
    assert '<img alt="" src="missing.jpg">' in html  # as another program would have made it
    assert "![[note]] <code>![[cat.jpg]]</code>" in html
    assert len({line["sha256"] for line in site.manifest()}) == 2
    messages = " ".join((completed.stdout + completed.stderr).split())
    assert "content/posts/a.md:5: [[missing.jpg]]: no such file" in messages


def test_an_ambiguous_embed_is_a_problem_that_names_the_files(site: Site) -> None:
    site.picture("content/x/cat.jpg")
    site.picture("content/y/cat.jpg")
    post(site, "![[cat.jpg]]")
    message = "several files have this name: content/x/cat.jpg, content/y/cat.jpg"
    assert message in said(site.cli("check"))


def test_an_embed_is_exported_as_an_image(site: Site) -> None:
    site.configure(IMAGEHOST_URL="https://img.example.com")
    site.picture("content/x/cat.jpg")
    post(site, "![[cat.jpg|A cat]] `![[cat.jpg]]`")
    exported = site.cli("export", "content/posts/a.md").stdout.decode()
    assert re.search(
        r"!\[A cat\]\(https://img\.example\.com/\S+\.jpg\) `!\[\[cat\.jpg\]\]`", exported
    )


OTHER_PLUGIN = "def register():\n    pass\n"


@pytest.mark.parametrize(
    ("settings", "is_on"),
    [
        ({}, True),
        ({"IMAGEHOST_WIKILINKS": False}, False),
        ({"PLUGINS": ["imagehost", "my_wikilinks"]}, False),
        ({"PLUGINS": ["imagehost", "obsidian"]}, False),
        ({"PLUGINS": ["imagehost", "my_wikilinks"], "IMAGEHOST_WIKILINKS": True}, True),
        ({"MARKDOWN": {"extensions": ["markdown.extensions.wikilinks"]}}, False),
        ({"MARKDOWN": {"extension_configs": {"markdown.extensions.wikilinks": {}}}}, False),
        ({"MARKDOWN": {"extension_configs": {"markdown.extensions.extra": {}}}}, True),
        ({"MARKDOWN": {}}, True),
    ],
)
def test_embeds_are_read_unless_another_plugin_reads_them(
    site: Site, settings: dict[str, object], *, is_on: bool
) -> None:
    for name in ("my_wikilinks", "obsidian"):
        site.write(f"{name}.py", OTHER_PLUGIN)
    site.configure(PLUGIN_PATHS=["."], **{"PLUGINS": ["imagehost"], **settings})
    site.picture("content/cat.jpg")
    post(site, "![[cat.jpg]]")
    site.build()
    assert ("![[cat.jpg]]" not in site.output("a.html")) is is_on
    assert ("1 image" in said(site.cli("check"))) is is_on


@pytest.mark.parametrize("layer", ["reader", "generator"])
def test_a_cache_of_the_other_setting_is_not_loaded(site: Site, layer: str) -> None:
    site.configure(CACHE_CONTENT=True, LOAD_CONTENT_CACHE=True, CONTENT_CACHING_LAYER=layer)
    site.picture("content/cat.jpg")
    post(site, "![[cat.jpg]]")
    off, none = "IMAGEHOST_WIKILINKS=false", "PLUGINS=[]"
    for options, is_on in [
        *[([], True), ([], True), (["-e", off], False), (["-e", off], False), ([], True)],
        *[(["-e", none, off], None), ([], True), (["-e", none], None), ([], True)],
    ]:
        site.build(*options)
        if is_on is not None:  # Pelican alone loads any cache
            assert ("![[cat.jpg]]" not in site.output("a.html")) is is_on, options


def test_a_cache_of_the_same_setting_is_loaded(site: Site) -> None:
    site.configure(CACHE_CONTENT=True, LOAD_CONTENT_CACHE=True)
    site.picture("content/cat.jpg")
    post(site, "![[cat.jpg]]")
    site.build()
    site.configure(MARKDOWN={"extension_configs": {}, "output_format": "xhtml"})
    site.build()
    assert re.search(IMAGE + ">", undecorate(site.output("a.html")))  # not read again
