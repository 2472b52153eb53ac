"""The Pelican plugin: it only connects a build to Pelican's signals.

Documents are rewritten together, when a generator has read them all: at that time nothing
is rendered, Pelican has cached the original texts, and static files are not collected.
Receivers are functions of this module, because signals keep only weak references to them.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pelican import signals

from pelican_imagehost.errors import ImageHostError
from pelican_imagehost.settings import Settings
from pelican_imagehost.site import wikilinks
from pelican_imagehost.site.build import Build, builds

if TYPE_CHECKING:
    from pelican import Pelican

__all__ = ["connect"]

logger = logging.getLogger(__name__)


def connect() -> None:
    """Connect to Pelican's signals; repeated calls have no effect."""
    signals.initialized.connect(_check_settings)
    signals.get_generators.connect(_begin)
    signals.article_generator_finalized.connect(_host)
    signals.page_generator_finalized.connect(_host)
    signals.static_generator_finalized.connect(_drop_originals)
    signals.all_generators_finalized.connect(_conclude)
    signals.finalized.connect(_end)


def _check_settings(pelican: Pelican) -> None:
    try:
        settings = Settings.from_pelican(pelican.settings)
    except ImageHostError as error:
        _fail(str(error))
    wikilinks.set_up(pelican.settings, settings)


def _begin(pelican: Pelican) -> None:
    try:
        build = builds[pelican.settings["OUTPUT_PATH"]] = Build(pelican.settings)
    except ImageHostError as error:
        _fail(str(error))
    if build.settings.relative_urls and build.settings.embedded:
        signals.content_written.connect(_make_relative)


def _host(generator: Any) -> None:  # noqa: ANN401  any generator
    build = builds.get(generator.settings["OUTPUT_PATH"])
    if build is not None:
        build.host(generator)


def _drop_originals(generator: Any) -> None:  # noqa: ANN401  the static generator
    build = builds.get(generator.settings["OUTPUT_PATH"])
    if build is not None:
        drop = build.originals(generator.staticfiles)
        kept = [file for file in generator.staticfiles if str(file.source_path) not in drop]
        generator.staticfiles[:] = kept  # the context holds the same list


def _conclude(generators: list[Any]) -> None:
    build = builds.get(generators[0].settings["OUTPUT_PATH"])
    if build is not None:
        wikilinks.note_cache(build.pelican_settings, build.settings)
        build.conclude()
        if build.failed:
            _fail("IMAGEHOST_STRICT is set and there are problems (see above); no page was written")


def _make_relative(path: str, context: dict[str, Any]) -> None:
    build = builds.get(context["OUTPUT_PATH"])
    if build is not None:
        build.make_relative(Path(path), context["localsiteurl"])


def _end(pelican: Pelican) -> None:
    builds.pop(pelican.settings["OUTPUT_PATH"], None)


def _fail(message: str) -> None:
    """Stop Pelican with a message; for an exception `pelican.main` would add a traceback."""
    logger.critical("%s", message)
    raise SystemExit(1)
