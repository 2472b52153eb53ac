"""Metadata that names images: which strings, and that what others share stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pelican_imagehost.site.fields import Field, find_fields, with_value

if TYPE_CHECKING:
    from tests.conftest import Site


def found(site: Site, metadata: dict[str, Any], fields: list[str] | None = None) -> list[str]:
    if fields is not None:
        site.configure(IMAGEHOST_METADATA_FIELDS=fields)
    return [field.value for field in find_fields(metadata, site.settings())]


@pytest.mark.parametrize(
    ("fields", "value", "strings"),
    [
        (["x"], "a", ["a"]),
        (["x"], ["a", 1, "b", None, ["c"]], ["a", "b"]),
        (["x"], ("a", "b"), ["a", "b"]),
        (["x"], {"image": "a"}, []),
        (["X.Image"], {"IMAGE": "a", "other": "b"}, ["a"]),
        (["x.image"], {"image": ["a", "b"]}, ["a", "b"]),
        (["x.image"], "a", []),
        (["x.image"], ["a"], []),
        (["x.image.src"], {"image": {"src": "a"}}, ["a"]),
        (["x.*"], ["a", "b"], ["a", "b"]),
        (["x.*"], {"one": "a", "two": "b", 3: "c"}, ["a", "b", "c"]),
        (["x.*.src"], [{"src": "a"}, {"src": "b", "alt": "c"}, "d"], ["a", "b"]),
        (["x.*.src"], {"one": {"src": "a"}, "two": 2}, ["a"]),
        (["x.*.*"], [["a"], {"k": "b"}], ["a", "b"]),
        (["x", "x.image"], {"image": "a"}, ["a"]),
        (["x", "x.*"], ["a"], ["a"]),
        (["*.src"], {"src": "a"}, ["a"]),
        (["x.image"], None, []),
        (["y.x"], {"x": "a"}, []),
    ],
)
def test_a_dotted_name_leads_to_strings(
    site: Site, fields: list[str], value: object, strings: list[str]
) -> None:
    assert found(site, {"x": value, "z": "no"}, fields) == strings


def test_a_formatted_field_is_html_and_no_name(site: Site) -> None:
    assert found(site, {"summary": "a"}, ["summary", "summary.*"]) == []


def test_the_fields_of_well_known_themes_are_found(site: Site) -> None:
    metadata = {"cover": {"image": "a"}, "image": {"path": "b"}, "header": {"image": "c"}}
    assert found(site, metadata) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("value", "path", "expected"),
    [
        ("a", (), "new"),
        (["a", "b"], (1,), ["a", "new"]),
        (("a", "b"), (0,), ("new", "b")),
        ({"k": [{"src": "a"}, "b"]}, ("k", 0, "src"), {"k": [{"src": "new"}, "b"]}),
    ],
)
def test_another_string_makes_another_value(
    value: object, path: tuple[Any, ...], expected: object
) -> None:
    before = repr(value)
    assert with_value(value, path, "new") == expected
    assert repr(value) == before
    assert Field("x", path, "a").path == path


YAML_LIKE = """
from pelican import signals

def nest(generator, metadata):
    metadata["cover"] = SHARED
    metadata["gallery"] = [{"src": "cat.jpg"}, {"src": "dog.jpg"}]

SHARED = {"image": "cat.jpg", "caption": "cat.jpg"}

def check(generators):
    assert SHARED == {"image": "cat.jpg", "caption": "cat.jpg"}

def register():
    signals.article_generator_context.connect(nest)
    signals.all_generators_finalized.connect(check)
"""


@pytest.mark.parametrize("layer", ["reader", "generator"])
def test_nested_metadata_gives_the_theme_addresses(site: Site, layer: str) -> None:
    site.write("nesting.py", YAML_LIKE)
    site.picture("content/cat.jpg")
    site.picture("content/dog.jpg", text_seed=1)
    for name in ("a", "b"):
        site.write(f"content/{name}.md", f"Title: {name}\nDate: 2024-05-06\n\ntext\n")
    site.write(
        "theme/templates/article.html",
        "{{ article.cover.image }}|{{ article.cover.caption }}|{{ article.metadata.cover.image }}"
        "|{{ article.gallery|map(attribute='src')|join('|') }}",
    )
    site.configure(
        PLUGIN_PATHS=["."],
        PLUGINS=["imagehost", "nesting"],
        THEME_TEMPLATES_OVERRIDES=["theme/templates"],
        IMAGEHOST_METADATA_FIELDS=["cover.image", "gallery.*.src"],
        CACHE_CONTENT=True,
        LOAD_CONTENT_CACHE=True,
        CONTENT_CACHING_LAYER=layer,
    )
    for _ in range(2):
        site.build()
        for name in ("a", "b"):
            image, caption, again, *gallery = site.output(f"{name}.html").split("|")
            assert caption == "cat.jpg"
            assert image == again == gallery[0]
            assert image.startswith("/images/")
            assert gallery[1].startswith("/images/")
            assert gallery[1] != image
