"""The immediate update of a changed document in a site that is already built.

The steps are those of the generators of Pelican, for one document instead of all. Other
pages that change (index, tags, feeds, neighbours) are left to the whole build that follows.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakSet

from pelican import signals
from pelican.contents import Article, Content, Page
from pelican.generators import ArticlesGenerator, PagesGenerator

from pelican_imagehost.site.contents import LISTS, contents_of, forget_rendered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pelican_imagehost.site.build import Build

__all__ = ["draft", "home_of"]

# Documents that were not there at the last build: no list of a generator has them yet.
_new: WeakSet[Content] = WeakSet()


class _Kind(NamedTuple):
    """The differences between articles and pages."""

    name: str
    content: type[Any]
    preread: Any
    context: Any
    write: Any


_ARTICLE = _Kind(
    "ARTICLE",
    Article,
    signals.article_generator_preread,
    signals.article_generator_context,
    signals.article_generator_write_article,
)
_PAGE = _Kind(
    "PAGE",
    Page,
    signals.page_generator_preread,
    signals.page_generator_context,
    signals.page_generator_write_page,
)


def home_of(path: str, generators: Iterable[Any]) -> tuple[Any, _Kind] | None:
    """Find the generator of a document.

    Args:
        path: an absolute path.
        generators: the generators of a build.

    Returns:
        The generator, and the kind of the document; None if it does not belong to any.
    """
    for generator in generators:
        kind = _kind_of(generator)
        if kind is not None and _takes(generator, kind, os.path.relpath(path, generator.path)):
            return generator, kind
    return None


def draft(path: str, generators: Iterable[Any], build: Build | None, writer: Any) -> Content | None:  # noqa: ANN401
    """Read one document again and write its page.

    Args:
        path: an absolute path.
        generators: the generators of the last build.
        build: hosts the images; None if the site does not use the plugin.
        writer: the writer of Pelican.

    Returns:
        The document; None if its page is not written.

    Raises:
        Exception: any exception of a reader, a plugin or a template.
    """
    home = home_of(path, generators)
    if home is None:
        return None
    generator, kind = home
    new = _read(generator, kind, os.path.relpath(path, generator.path))
    if not new.is_valid():
        return None
    key = new.get_relative_source_path()
    old = generator.context["generated_content"].get(key)
    if old is None or old in _new:
        _new.add(new)
    elif not _replace(generator, old, new):
        return None
    generator.context["generated_content"][key] = new
    if build is not None:
        build.host_again([new])
    _write(generator, kind, new, writer)
    forget_rendered([new] if old is None else [old, new])
    return new


def _kind_of(generator: Any) -> _Kind | None:  # noqa: ANN401  any generator
    if isinstance(generator, ArticlesGenerator):
        return _ARTICLE
    return _PAGE if isinstance(generator, PagesGenerator) else None


def _takes(generator: Any, kind: _Kind, relative: str) -> bool:  # noqa: ANN401
    """Return whether `Generator.get_files` would find a file, without walking the disk."""
    settings = generator.settings
    paths = [os.path.normpath(path) for path in settings[f"{kind.name}_PATHS"]]
    excludes = [os.path.normpath(path) for path in settings[f"{kind.name}_EXCLUDES"]]
    if relative.startswith(os.pardir) or not generator._include_path(relative):  # noqa: SLF001
        return False
    if any(_is_below(relative, exclude) for exclude in excludes):
        return False
    return any(_is_below(relative, path) for path in paths)


def _is_below(relative: str, folder: str) -> bool:
    return folder in {os.curdir, relative} or relative.startswith(folder + os.sep)


def _read(generator: Any, kind: _Kind, relative: str) -> Content:  # noqa: ANN401
    return generator.readers.read_file(
        base_path=generator.path,
        path=relative,
        content_class=kind.content,
        context=generator.context,
        preread_signal=kind.preread,
        preread_sender=generator,
        context_signal=kind.context,
        context_sender=generator,
    )


def _replace(generator: Any, old: Content, new: Content) -> bool:  # noqa: ANN401
    """Replace the old object by the new one, and copy attributes set by plugins.

    Returns:
        Whether the generator writes it; a plugin may have left the document to another site.
    """
    places = list(_places(generator, old, LISTS))
    if not places and not any(one is old for one in contents_of(generator)):
        return False
    own = {name.lower() for name in old.metadata} | {"_summary"}
    own |= {"override_save_as", "override_url"}
    for name, value in vars(old).items():
        if name not in vars(new) and name not in own:
            setattr(new, name, value)
    new.translations = old.translations
    for translation in new.translations:
        translation.translations = [
            new if other is old else other for other in translation.translations
        ]
    for contents, position in (*places, *_places(generator, old, ("dates",))):
        contents[position] = new
    return True


def _places(generator: Any, wanted: Content, lists: Iterable[str]) -> Iterator[tuple[Any, int]]:  # noqa: ANN401
    """Yield where a document is in lists of a generator: the list and the position."""
    for name in lists:
        contents = getattr(generator, name, ())
        for position, content in enumerate(contents):
            if content is wanted:
                yield contents, position


def _write(generator: Any, kind: _Kind, new: Content, writer: Any) -> None:  # noqa: ANN401
    """Write one document like `generate_articles`, `generate_drafts` or `PagesGenerator`."""
    context = generator.context
    context["localsiteurl"] = generator.settings["SITEURL"]
    new.refresh_metadata_intersite_links()
    more: dict[str, Any] = {"page": new}
    if kind is _ARTICLE:
        more = {"article": new, "category": getattr(new, "category", None), "blog": True}
        if new.status == "draft":
            more["all_articles"] = generator.articles
    if kind is _PAGE or new.status != "draft":
        kind.write.send(generator, content=new)
    writer.write_file(
        new.save_as,
        generator.get_template(new.template),
        context,
        relative_urls=generator.settings["RELATIVE_URLS"],
        override_output=hasattr(new, "override_save_as"),
        url=new.url,
        **more,
    )
