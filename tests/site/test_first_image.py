"""The first image of a document as its `image`, in real builds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.comparison import undecorate
from tests.site.casekit import post, theme
from tests.test_plugin import key_of

if TYPE_CHECKING:
    from tests.conftest import Site

SHOWN = "<b>{{ %s.image }}|{{ %s.featured_image }}|{{ %s.metadata.image }}</b>"


@pytest.fixture
def blog(site: Site) -> Site:
    for seed, name in enumerate(("cat", "dog", "owl"), 1):
        site.picture(f"content/images/{name}.jpg", text_seed=seed)
    theme(
        site,
        SHOWN.replace("%s", "article"),
        page=SHOWN.replace("%s", "page"),
        index="<i>{{ article.featured_image }}</i>",
    )
    site.configure(THEME="theme", DIRECT_TEMPLATES=["index"], IMAGEHOST_FIRST_IMAGE=True)
    site.configure(AUTHOR_SAVE_AS="", CATEGORY_SAVE_AS="", TAG_SAVE_AS="")
    return site


def address(site: Site, name: str, prefix: str = "/images/") -> str:
    return prefix + key_of(site.root / f"content/images/{name}.jpg")


def shown(site: Site, page: str) -> list[str]:
    found = re.search("<b>(.*?)</b>", site.output(page))
    assert found
    return found[1].split("|")


def test_the_first_image_is_the_image_of_every_kind_of_document(blog: Site) -> None:
    body = "Words. ![a](/images/cat.jpg) ![b]({static}/images/dog.jpg)"
    post(blog, "a.md", body, Slug="a", Lang="en")
    post(blog, "a-fr.md", "![a](images/dog.jpg)", Slug="a", Lang="fr")
    post(blog, "d.md", body, Status="draft", Category="x")
    post(blog, "h.md", body, Status="hidden")
    post(blog, "pages/p.md", body)
    post(blog, "pages/q.md", body, Status="draft")
    blog.build()
    cat = address(blog, "cat")
    for page in ("a", "drafts/d", "h", "pages/p", "drafts/pages/q"):
        assert shown(blog, f"{page}.html") == [cat] * 3, page
    assert shown(blog, "a-fr.html") == [address(blog, "dog")] * 3
    assert f"<i>{cat}</i>" in blog.output("index.html")


def test_what_the_author_chose_comes_first(blog: Site) -> None:
    body = "![a](/images/cat.jpg)"
    post(blog, "a.md", body, Image="images/dog.jpg")
    post(blog, "b.md", body, featured_image="images/dog.jpg")
    post(blog, "c.md", body, Image="images/dog.jpg", featured_image="images/owl.jpg")
    post(blog, "s.md", body, Summary="Short ![b](/images/dog.jpg)")
    blog.build()
    dog, owl = address(blog, "dog"), address(blog, "owl")
    for page in "abs":
        assert shown(blog, f"{page}.html") == [dog] * 3, page
    assert shown(blog, "c.html") == [dog, owl, dog]


def test_only_a_hosted_image_counts(blog: Site) -> None:
    others = (
        "![a](https://example.com/pixel.gif) ![b](/images/gone.jpg) [c](/images/dog.jpg)"
        ' <!-- <img src="/images/dog.jpg"> --> `<img src="/images/dog.jpg">`'
    )
    post(blog, "a.md", f"{others} ![d](/images/cat.jpg?v=2)")
    post(blog, "b.md", others)
    blog.build()
    assert shown(blog, "a.html") == [f"{address(blog, 'cat')}?v=2"] * 3
    assert shown(blog, "b.html") == ["None", "None", ""]


@pytest.mark.parametrize(
    ("settings", "prefix"),
    [
        ({"IMAGEHOST_URL": "https://img.example.com"}, "https://img.example.com/"),
        ({"SITEURL": "https://example.com/blog"}, "https://example.com/blog/images/"),
        ({"RELATIVE_URLS": True}, "../images/"),
    ],
)
def test_it_has_the_hosted_address(blog: Site, settings: dict[str, object], prefix: str) -> None:
    blog.configure(ARTICLE_SAVE_AS="posts/{slug}.html", **settings)
    post(blog, "a.md", "![a](/images/cat.jpg)")
    theme(blog, '<b>{{ article.image }}</b><img src="{{ article.image }}">')
    blog.build()
    assert f'<img src="{address(blog, "cat", prefix)}">' in undecorate(blog.output("posts/a.html"))


def test_it_is_off_by_default(blog: Site) -> None:
    blog.configure(IMAGEHOST_FIRST_IMAGE=False)
    post(blog, "a.md", "![a](/images/cat.jpg)")
    blog.build()
    assert shown(blog, "a.html") == ["", "", ""]
