"""What Pelican writes is seen on its way, and looked at once more at the end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.test_plugin import HOST, key_of, messages, post, urls

if TYPE_CHECKING:
    from tests.conftest import Site

BLOG = "https://blog.example.com"


def theme(site: Site, article: str) -> None:
    """Write a theme whose pages show an article, and markup of their own."""
    site.write("theme/static/.keep", "")
    site.write("theme/templates/index.html", "{{ SITENAME }}")
    site.write("theme/templates/article.html", f"{{{{ article.content }}}}{article}")
    names = ("author", "category", "tag")
    site.configure(
        THEME="theme",
        DIRECT_TEMPLATES=["index"],
        **{f"{name.upper()}_SAVE_AS": "" for name in names},
    )


def plugin(site: Site, text: str) -> None:
    """Write a plugin of the site's own."""
    site.write("plugins/late.py", "import os\nfrom pelican import signals\n" + text)
    site.configure(PLUGIN_PATHS=["plugins"], PLUGINS=["late", "pelican_imagehost"])


END = """
def end(pelican):
    os.makedirs(pelican.output_path + "/thumbs", exist_ok=True)
    with open(pelican.output_path + "/thumbs/cat.jpg", "w") as file:
        file.write("made late")

def register():
    signals.finalized.connect(end)
"""
ENHANCE = """
def enhance(path, context):
    with open(path) as file:
        text = file.read()
    if "article" in context:
        image = context["SITEURL"] + "/" + context["article"].image
        with open(path, "w") as file:
            file.write(f'<meta property="og:image" content="{image}">{text}')

def register():
    signals.content_written.connect(enhance)
"""


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("host", [None, HOST])
def test_a_plugin_may_change_pages_after_they_are_written(
    site: Site, host: str | None, *, relative: bool
) -> None:
    cat = site.picture("content/images/cat.jpg")
    plugin(site, ENHANCE)
    site.configure(SITEURL=BLOG, RELATIVE_URLS=relative, IMAGEHOST_URL=host)
    post(site, "a.md", "Words.", Image="images/cat.jpg")
    site.build()
    folder = host or ("./images" if relative else f"{BLOG}/images")
    assert f'<meta property="og:image" content="{folder}/{key_of(cat)}">' in site.output("a.html")


def test_a_file_that_another_plugin_makes_at_the_end_is_not_a_problem(site: Site) -> None:
    site.configure(IMAGEHOST_STRICT=True)
    plugin(site, END)
    post(site, "a.md", "![a](/thumbs/cat.jpg)")
    assert "problem" not in messages(site.build())


def test_a_missing_file_fails_a_strict_build_when_everything_is_written(site: Site) -> None:
    site.configure(IMAGEHOST_STRICT=True)
    plugin(site, END)
    post(site, "a.md", "![a](/thumbs/cat.jpg)\n\n![b](/thumbs/dog.jpg)")
    completed = site.build(check=False)
    assert completed.returncode == 1
    text = messages(completed)
    assert "content/a.md:6: /thumbs/dog.jpg: no such file" in text
    assert "cat.jpg:" not in text
    assert text.count("1 problem") == 1
    assert "Traceback" not in text
    assert (site.root / "output/a.html").exists()


def test_what_is_certain_fails_a_strict_build_before_a_page_is_written(site: Site) -> None:
    site.configure(IMAGEHOST_STRICT=True)
    site.write("content/broken.jpg", "<html>")
    post(site, "a.md", "![a](broken.jpg) ![b](gone.jpg)")
    completed = site.build(check=False)
    assert completed.returncode == 1
    text = messages(completed)
    assert "no page was written" in text
    assert "gone.jpg: no such file" in text
    assert text.count("2 problems") == 1
    assert not (site.root / "output/a.html").exists()


def test_a_name_that_leads_nowhere_is_reported_with_its_line(site: Site) -> None:
    site.picture("content/elsewhere/dog.jpg")
    theme(site, "<p>{{ article.hero }}</p><img src='/elsewhere/{{ article.hero }}' alt='gone.png'>")
    post(site, "a.md", "Words. `<img src=gone.png>`", Hero="dog.jpg")
    text = messages(site.build())
    assert "content/a.md:3: /elsewhere/dog.jpg: content/elsewhere/dog.jpg is not in the out" in text
    assert "gone.png" not in text
    assert "1 problem" in text


def test_a_file_that_is_elsewhere_in_the_output_is_not_called_missing(site: Site) -> None:
    site.picture("content/images/dog.jpg")
    theme(site, "<div style='background: url({{ article.hero }})'></div>")
    site.configure(ARTICLE_SAVE_AS="posts/{slug}.html")
    post(site, "a.md", "Words.", Hero="images/dog.jpg")
    post(site, "b.md", "Words.", Hero="images/dog.jpg", Save_as="b.html")
    text = messages(site.build())
    assert "content/a.md:3: images/dog.jpg: leads nowhere from its page; images/dog.jpg is" in text
    assert "1 problem" in text


def test_a_name_of_the_theme_is_reported_once_with_the_near_miss(site: Site) -> None:
    theme(site, "<img src='/theme/img/logo.png'><!-- <img src='/theme/img/old.png'> -->")
    site.picture("theme/static/img/Logo.png")
    site.write("theme/static/main.css", "/* url(a.png) */\na { background: url(img/lgo.png) }")
    for name in "abc":
        post(site, f"{name}.md", "Words.")
    text = messages(site.build())
    assert "output/a.html: /theme/img/logo.png: no such file in the output; did you mean" in text
    assert "output/theme/main.css:2: img/lgo.png: no such file in the output; did you mean" in text
    assert "2 problems" in text


def test_ignored_names_are_not_reported(site: Site) -> None:
    theme(site, "<img src='/thumbs/one.png'><img src='{{ SITEURL }}/thumbs/two.png'>")
    site.configure(SITEURL=BLOG, IMAGEHOST_IGNORE=["/thumbs/*"])
    post(site, "a.md", "Words.")
    assert "problem" not in messages(site.build())


def test_a_failed_run_stays_failed(site: Site) -> None:
    theme(site, "{{ nonsense.of.mine }}")
    post(site, "a.md", "![a](gone.jpg)")
    completed = site.build(check=False)
    assert completed.returncode == 1
    assert "images hosted" not in messages(completed)


def test_a_feed_keeps_complete_addresses(site: Site) -> None:
    cat = site.picture("content/images/cat.jpg")
    theme(site, "<img src='{{ SITEURL }}/{{ article.cover }}'>")
    site.configure(SITEURL=BLOG, RELATIVE_URLS=True, FEED_ALL_ATOM="feeds/all.xml")
    site.configure(ARTICLE_SAVE_AS="deep/{slug}.html", ARTICLE_URL="deep/{slug}.html")
    post(site, "a.md", "![a](images/cat.jpg)", Cover="images/cat.jpg")
    site.build()
    assert f"{BLOG}/images/{key_of(cat)}" in site.output("feeds/all.xml")
    assert urls(site.output("deep/a.html")) == [f"../images/{key_of(cat)}"] * 2


def test_originals_are_put_in_place_once(site: Site) -> None:
    cat = site.picture("content/images/cat.jpg")
    os.utime(cat, (10**9, 10**9))
    post(site, "a.md", "![a](images/cat.jpg)")
    site.build()
    kept = site.root / "output/images/cat.jpg"
    assert kept.read_bytes() == cat.read_bytes()
    before = kept.stat()
    assert before.st_mtime == 10**9
    assert before.st_nlink == 1
    site.build()
    assert kept.stat().st_ino == before.st_ino
    site.picture("content/images/cat.jpg", colour="blue")
    site.build()
    assert kept.read_bytes() == cat.read_bytes()
    assert not list((site.root / "output").glob(".imagehost*"))


def test_attached_originals_lie_beside_the_page(site: Site) -> None:
    cat = site.picture("content/trip/cat.jpg")
    site.configure(ARTICLE_SAVE_AS="{slug}/index.html", ARTICLE_URL="{slug}/")
    post(site, "trip/a.md", "![a]({attach}cat.jpg)", Slug="a")
    site.build()
    assert (site.root / "output/a/cat.jpg").read_bytes() == cat.read_bytes()


NAMING = {
    "page": ("theme/templates/index.html", "<img src='/images/dog.jpg'>"),
    "style": ("theme/static/main.css", "a { background: url(/images/dog.jpg) }"),
    "script": ("theme/static/main.js", "show('dog.jpg')"),
    "data": ("theme/static/data.json", '{"a": "images\\/d\\u006fg.jpg"}'),
}


@pytest.mark.parametrize("naming", NAMING)
def test_without_keeping_only_what_is_named_stays(site: Site, naming: str) -> None:
    site.picture("content/images/cat.jpg")
    dog = site.picture("content/images/dog.jpg", colour="blue")
    theme(site, "")
    site.write(*NAMING[naming])
    site.configure(IMAGEHOST_KEEP_STATIC=False)
    post(site, "a.md", "![a](images/cat.jpg) ![b](images/dog.jpg)")
    site.build()
    assert (site.root / "output/images/dog.jpg").read_bytes() == dog.read_bytes()
    assert not (site.root / "output/images/cat.jpg").exists()


def test_redirects_for_netlify_stand_beside_those_of_the_site(site: Site) -> None:
    cat = site.picture("content/images/my cat.jpg")
    site.write("content/extra/_redirects", "/old /new 301")
    site.configure(
        STATIC_PATHS=["images", "extra"],
        EXTRA_PATH_METADATA={"extra/_redirects": {"path": "_redirects"}},
        IMAGEHOST_KEEP_STATIC=False,
        IMAGEHOST_REDIRECTS="netlify",
        IMAGEHOST_URL=HOST,
    )
    post(site, "a.md", "![a](<images/my cat.jpg>)")
    for _ in range(2):
        site.build()
        lines = site.output("_redirects").splitlines()
        assert lines[0] == "/old /new 301"
        assert lines[2] == f"/images/my%20cat.jpg {HOST}/{key_of(cat)} 301"
        assert len(lines) == 4


def test_redirects_for_nginx(site: Site) -> None:
    cat = site.picture('content/images/my "cat".jpg')
    site.configure(
        SITEURL=f"{BLOG}/notes", IMAGEHOST_KEEP_STATIC=False, IMAGEHOST_REDIRECTS="nginx"
    )
    post(site, "a.md", "<img src='/images/my \"cat\".jpg' alt=''>")
    site.build()
    new = f"{BLOG}/notes/images/{key_of(cat)}"
    line = f'"/notes/images/my \\"cat\\".jpg" "{new}";\n'
    assert site.output("imagehost-redirects.map") == line


def test_check_knows_the_folders_of_other_plugins(site: Site) -> None:
    plugin(site, END)
    site.configure(THUMBNAIL_DIR="thumbs")
    body = "![a](/thumbs/cat.jpg) ![b](/made/dog.jpg) ![c](/images/gone.jpg)"
    post(site, "a.md", body)
    site.picture("content/images/cat.jpg")
    completed = site.cli("check")
    lines = completed.stdout.decode().splitlines()
    assert completed.returncode == 1
    assert len(lines) == 2
    assert lines[0].startswith("content/a.md:4: /images/gone.jpg: no such file")
    assert lines[1].endswith("made by another plugin?")


def test_check_asks_about_fields_before_which_a_theme_may_write_a_folder(site: Site) -> None:
    theme(site, "<img src='/images/covers/{{ article.image }}' alt=''>")
    site.picture("content/images/covers/dog.jpg")
    post(site, "a.md", "Words.", Image="dog.jpg")
    assert "problem" not in messages(site.build())
    completed = site.cli("check")
    (line,) = completed.stdout.decode().splitlines()
    assert completed.returncode == 0
    assert line.startswith("content/a.md:3: dog.jpg: no such file")
    assert line.endswith("; does the theme write a folder before it?")
    post(site, "b.md", "![a](dog.jpg)", Image="gone.jpg")
    completed = site.cli("check")
    assert completed.returncode == 1
    assert len(completed.stdout.splitlines()) == 3


def test_check_counts_the_addresses_that_end(site: Site) -> None:
    site.picture("content/images/cat.jpg")
    post(site, "a.md", "![a](images/cat.jpg)")
    assert b"old addresses" not in site.cli("check").stderr
    site.configure(IMAGEHOST_KEEP_STATIC=False)
    completed = site.cli("check")
    assert completed.returncode == 0
    assert b"the old addresses of images end: 1" in completed.stderr
