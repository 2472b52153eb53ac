"""Convert content objects of Pelican to documents, and put rewritten documents back."""

from __future__ import annotations

import inspect
import os
from itertools import product
from typing import TYPE_CHECKING, Any

from pelican_imagehost.report import Document
from pelican_imagehost.site.fields import Field, find_fields, with_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pelican.contents import Content

    from pelican_imagehost.settings import Settings

__all__ = [
    "LISTS",
    "RenderedTexts",
    "apply",
    "contents_of",
    "forget_rendered",
    "rendered_by",
    "to_document",
]

LISTS = (
    "articles",
    "translations",
    "drafts",
    "drafts_translations",
    "hidden_articles",
    "pages",
    "hidden_pages",
    "draft_pages",
    "hidden_translations",
    "draft_translations",
)


def contents_of(generator: Any) -> list[Content]:  # noqa: ANN401  of articles or pages
    """Return all documents of a generator: published, hidden, drafts and translations."""
    lists = (getattr(generator, name, ()) for name in LISTS)
    found = {id(content): content for contents in lists for content in contents}
    # A plugin for sites of other languages removes translations, but feeds still have them.
    translations = (one for content in found.values() for one in content.translations)
    return list((found | {id(content): content for content in translations}).values())


def to_document(content: Content, settings: Settings) -> Document:
    """Return the parts of a content object that may refer to images."""
    return Document(
        content.source_path,
        lambda: os.path.dirname(content.save_as),
        tuple(value for _, _, value in _html(content, settings)),
        tuple(field.value for field in find_fields(content.metadata, settings)),
    )


def apply(document: Document, content: Content, settings: Settings) -> bool:
    """Put a rewritten document back into the content object it was taken from.

    Returns:
        Whether anything changed.
    """
    changed = False
    for (owner, name, old), new in zip(list(_html(content, settings)), document.html, strict=True):
        if new != old:
            changed = True
            _set_html(content, owner, name, old, new)
    fields = list(find_fields(content.metadata, settings))
    for field, new in zip(fields, document.fields, strict=True):
        if new != field.value:
            changed = True
            _set_field(content, field, new)
    return changed


def forget_rendered(contents: Iterable[Content]) -> None:
    """Drop cached results for contents, in case another plugin has rendered them before.

    `get_content` and `get_summary` of Pelican cache their results for the whole class.
    """
    changed = list(contents)
    kinds = {type(content) for content in changed}
    caches = {id(cache): cache for kind in kinds for cache in rendered_by(kind)}
    for cache in caches.values():
        for content, arguments in product(changed, cache.arguments):
            cache.pop((content, *arguments), None)


def rendered_by(kind: type[Content]) -> Iterator[RenderedTexts]:
    """Yield the caches of a class, as its methods have them; a plugin's method may have none."""
    for name in ("get_content", "get_summary"):
        method = inspect.getattr_static(kind, name)
        cache = getattr(method, "cache", None)
        if isinstance(cache, dict):
            if not isinstance(cache, RenderedTexts):
                method.cache = RenderedTexts(cache)
            yield method.cache


class RenderedTexts(dict[tuple[Any, ...], str]):
    """Rendered texts: (content, *arguments) → text; those of a content are found at once."""

    def __init__(self, texts: Mapping[tuple[Any, ...], str]) -> None:
        super().__init__(texts)
        self.arguments = {key[1:] for key in texts}  # few: addresses of the site

    def __setitem__(self, key: tuple[Any, ...], text: str) -> None:
        self.arguments.add(key[1:])
        super().__setitem__(key, text)


def _html(content: Content, settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Yield (owner, name, text) of each piece of HTML; owner "" is the object itself."""
    if isinstance(content._content, str):  # noqa: SLF001  plugins of Pelican access the text this way
        yield "", "_content", content._content  # noqa: SLF001
    for name, value in content.metadata.items():
        if name.lower() in settings.formatted_fields and isinstance(value, str):
            yield "metadata", name, value
    summary = getattr(content, "_summary", None)
    if isinstance(summary, str):
        yield "", "_summary", summary


def _set_html(content: Content, owner: str, name: str, old: str, new: str) -> None:
    if owner:
        content.metadata[name] = new
        if name.lower() != "summary" and getattr(content, name.lower(), None) == old:
            setattr(content, name.lower(), new)
    else:
        setattr(content, name, new)


def _set_field(content: Content, field: Field, new: str) -> None:
    value = content.metadata[field.name]
    changed = with_value(value, field.path, new)
    if getattr(content, field.name.lower(), None) == value:
        setattr(content, field.name.lower(), changed)
    content.metadata[field.name] = changed
