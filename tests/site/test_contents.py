"""Content objects of Pelican, and what Pelican keeps about them."""

from __future__ import annotations

from pelican.contents import Article
from pelican.settings import DEFAULT_CONFIG

from pelican_imagehost.site.contents import forget_rendered


def article(text: str) -> Article:
    return Article(text, {"title": "A title"}, settings=dict(DEFAULT_CONFIG), context={})


def test_rendered_texts_are_forgotten_for_every_address_of_the_site() -> None:
    changed, other = article("before"), article("before")
    addresses = ("", "..", "https://blog.example.com")

    def rendered(content: Article) -> list[str]:
        texts = [content.get_content(address) for address in addresses]
        return [*texts, content.get_summary("")]

    forget_rendered([changed])  # what is rendered from now on, and before, is the same
    assert rendered(changed) == rendered(other) == ["before"] * 4
    for content in (changed, other):
        content._content = "after"  # noqa: SLF001  as plugins do
        content.metadata.pop("summary", None)
    forget_rendered([changed])
    assert rendered(changed) == ["after"] * 4
    assert rendered(other) == ["before"] * 4
    forget_rendered([other])
    assert rendered(other) == ["after"] * 4


def test_the_methods_of_a_plugin_need_no_cache() -> None:
    class Own(Article):  # type: ignore[misc]  # Pelican has no types
        def get_content(self, siteurl: str) -> str:
            return f"own {self._content}{siteurl}"

    content = Own("before", {"title": "A title"}, settings=dict(DEFAULT_CONFIG), context={})
    assert (content.get_content(""), content.get_summary("")) == ("own before",) * 2
    content._content = "after"  # noqa: SLF001  as plugins do
    content.metadata.pop("summary", None)
    forget_rendered([content])
    assert (content.get_content(""), content.get_summary("")) == ("own after",) * 2
