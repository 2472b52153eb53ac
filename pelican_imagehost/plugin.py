"""The Pelican plugin: signals only.

Documents are rewritten in a batch when a generator has read them all: nothing is
rendered yet, Pelican's caches hold the texts from before, and static files are not yet
collected. Receivers are functions of this module, because signals hold them weakly.
"""

from __future__ import annotations

import logging
import os
import re
import unicodedata
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pelican import signals
from pelican.log import console

from pelican_imagehost.contents import apply, contents_of, forget_rendered, to_document
from pelican_imagehost.errors import ImageHostError
from pelican_imagehost.hosting import ImageHost
from pelican_imagehost.mentions import mentioned_names, name_of, site_texts
from pelican_imagehost.progress import show_progress
from pelican_imagehost.report import Problem, Report
from pelican_imagehost.settings import Settings
from pelican_imagehost.storage.store import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pelican import Pelican
    from pelican.contents import Content

__all__ = ["connect"]

logger = logging.getLogger(__name__)

_builds: dict[str, Build] = {}  # by OUTPUT_PATH: a plugin may run one Pelican within another


def connect() -> None:
    """Connect to Pelican's signals; a second time changes nothing."""
    signals.initialized.connect(_check_settings)
    signals.get_generators.connect(_begin)
    signals.article_generator_finalized.connect(_host)
    signals.page_generator_finalized.connect(_host)
    signals.static_generator_finalized.connect(_drop_originals)
    signals.all_generators_finalized.connect(_conclude)
    signals.finalized.connect(_end)


class Build:
    """One run of Pelican.

    Args:
        pelican_settings: Pelican's own.
    """

    def __init__(self, pelican_settings: dict[str, Any]) -> None:
        self.pelican_settings = pelican_settings
        self.settings = Settings.from_pelican(pelican_settings)
        self.image_host = ImageHost(self.settings, progress=partial(show_progress, console))
        self.report = Report()
        self.contents: list[Content] = []
        self.replaced_links: set[str] = set()

    def host(self, generator: Any) -> None:  # noqa: ANN401  articles' or pages' generator
        """Host and rewrite all documents of a generator."""
        contents = contents_of(generator)
        links = generator.context["static_links"]
        documents = [to_document(content, self.settings) for content in contents]
        report = self.image_host.host(documents)
        changed = []
        for content, before, after in zip(contents, documents, report.documents, strict=True):
            if before != after:
                if links:
                    self.replaced_links |= _static_links(content)
                apply(after, content, self.settings)
                changed.append(content)
        forget_rendered(changed)
        report.documents.clear()  # what is kept, the collector visits all through the build
        self.contents += contents
        self.report.add(report)
        self._release_links(links)

    def _release_links(self, links: set[str]) -> None:
        """Let Pelican forget the files that no document links to any more."""
        for content in self.contents if self.replaced_links else ():
            self.replaced_links -= _static_links(content)
        links -= self.replaced_links

    def originals(self, static_files: list[Any]) -> set[str]:
        """Choose the static files that need not be copied: absolute paths."""
        if not static_files:
            return set()
        root = str(self.settings.root)
        hosted = {os.path.normpath(os.path.join(root, path)) for path in self.report.images}
        paths = {str(file.source_path) for file in static_files}
        stored = {path for path in paths if path.startswith(f"{self.settings.store}{os.sep}")}
        candidates = {path for path in paths if unicodedata.normalize("NFC", path) in hosted}
        if not candidates or self.settings.keep_static:
            return stored
        texts = [text for content in self.contents for text in _texts(content)]
        texts += site_texts(self.pelican_settings, paths - candidates)
        mentioned = {name for text in texts for name in mentioned_names(text)}
        return stored | {path for path in candidates if name_of(path) not in mentioned}

    def conclude(self) -> None:
        """Put the images into the output before any page, and say how it went."""
        try:
            self.image_host.deliver(self.report.images.values())
        except ImageHostError as error:
            self.report.problems.append(Problem("", None, "", error))
        self.image_host.catalogue.index.record_uses(self.report.uses)
        self.image_host.close()
        level = logging.ERROR if self.settings.strict else logging.WARNING
        for problem in sorted(self.report.problems, key=str):
            logger.log(level, "%s", problem)
        if logger.isEnabledFor(logging.WARNING):
            console.print(f"pelican-imagehost: {self.report}.", highlight=False, soft_wrap=True)
        if self.settings.strict and self.report.problems:
            _fail("IMAGEHOST_STRICT: the problems above fail the build; no page was written")
        del self.image_host, self.report, self.contents  # see `host`


def _check_settings(pelican: Pelican) -> None:
    try:
        Settings.from_pelican(pelican.settings)
    except ImageHostError as error:
        _fail(str(error))


def _begin(pelican: Pelican) -> None:
    try:
        build = _builds[pelican.settings["OUTPUT_PATH"]] = Build(pelican.settings)
    except ImageHostError as error:
        _fail(str(error))
    if build.settings.relative_urls and build.settings.embedded:
        signals.content_written.connect(_make_relative)


def _host(generator: Any) -> None:  # noqa: ANN401  any generator
    build = _builds.get(generator.settings["OUTPUT_PATH"])
    if build is not None:
        build.host(generator)


def _drop_originals(generator: Any) -> None:  # noqa: ANN401  the static generator
    build = _builds.get(generator.settings["OUTPUT_PATH"])
    if build is not None:
        drop = build.originals(generator.staticfiles)
        kept = [file for file in generator.staticfiles if str(file.source_path) not in drop]
        generator.staticfiles[:] = kept  # the context holds the same list


def _conclude(generators: list[Any]) -> None:
    build = _builds.get(generators[0].settings["OUTPUT_PATH"])
    if build is not None:
        build.conclude()


def _make_relative(path: str, context: dict[str, Any]) -> None:
    """Make a written page's addresses relative, wherever the theme has put them."""
    build = _builds.get(context["OUTPUT_PATH"])
    if build is None or not build.settings.relative_urls or not build.settings.embedded:
        return
    prefix = build.settings.address_prefix
    text = Path(path).read_bytes().decode()
    if prefix in text:
        folder = f"{context['localsiteurl']}/{prefix.rpartition('/')[0].rpartition('/')[2]}/"
        pattern = rf"(?<![\w.:/-]){re.escape(prefix)}(?={KEY.pattern})"
        Path(path).write_bytes(re.sub(pattern, lambda _: folder, text).encode())


def _end(pelican: Pelican) -> None:
    _builds.pop(pelican.settings["OUTPUT_PATH"], None)


def _fail(message: str) -> None:
    """Stop Pelican with a message; an exception would add a traceback (`pelican.main`)."""
    logger.critical("%s", message)
    raise SystemExit(1)


def _static_links(content: Content) -> set[str]:
    text = content._content or ""  # noqa: SLF001  Pelican's plugins' way to the text
    return content.get_static_links() if "static" in text or "attach" in text else set()


def _texts(content: Content) -> Iterator[str]:
    yield content._content or ""  # noqa: SLF001  as above
    yield from (value for value in content.metadata.values() if isinstance(value, str))
