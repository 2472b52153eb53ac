"""The Pelican plugin: it only connects a build to Pelican's signals, and to its run.

Documents are rewritten together, when a generator has read them all: at that time nothing
is rendered, Pelican has cached the original texts, and static files are not collected.
Receivers are functions of this module, because signals keep only weak references to them.

The order in which `finalized` reaches plugins is undefined, and some run a Pelican of their
own within it. Only the end of the outermost run comes after everything else.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from pelican import signals

from pelican_imagehost.errors import ImageHostError
from pelican_imagehost.settings import Settings
from pelican_imagehost.site import wikilinks
from pelican_imagehost.site.build import Build, builds, look_at
from pelican_imagehost.site.filters import add_filters
from pelican_imagehost.site.written import Written, see_texts

if TYPE_CHECKING:
    from collections.abc import Callable

    from pelican import Pelican

__all__ = ["connect"]

logger = logging.getLogger(__name__)
_running: list[list[Build]] = []  # the ended builds of each run, the outermost first


def connect() -> None:
    """Connect to Pelican's signals; repeated calls have no effect."""
    signals.initialized.connect(_prepare)
    signals.get_generators.connect(_begin)
    signals.generator_init.connect(_add_filters)
    signals.article_generator_finalized.connect(_host)
    signals.page_generator_finalized.connect(_host)
    signals.static_generator_finalized.connect(_take_originals)
    signals.all_generators_finalized.connect(_conclude)


def _prepare(pelican: Pelican) -> None:
    try:
        settings = Settings.from_pelican(pelican.settings)
    except ImageHostError as error:
        _fail(str(error))
    wikilinks.set_up(pelican.settings, settings)
    pelican.run = partial(_run, pelican, pelican.run)
    pelican._get_writer = partial(_get_writer, pelican, pelican._get_writer)  # noqa: SLF001  the signal is for plugins with another writer


def _run(pelican: Pelican, run: Callable[[], None]) -> None:
    """Run Pelican, and look at what it wrote when no other run is under way."""
    output = pelican.settings["OUTPUT_PATH"]
    ended: list[Build] = []
    _running.append(ended)
    try:
        run()
        _running[0] += [builds[output]] if output in builds else []
        if len(_running) == 1:
            look_at(ended)
            if any(build.failed for build in ended):
                _fail("IMAGEHOST_STRICT is set and there are problems (see above)")
    finally:
        _running.pop()
        builds.pop(output, None)


def _get_writer(pelican: Pelican, get_writer: Callable[[], Any]) -> Any:  # noqa: ANN401  of any plugin
    writer = get_writer()
    see_texts(writer, partial(_written, pelican.settings["OUTPUT_PATH"]))
    return writer


def _add_filters(generator: Any) -> None:  # noqa: ANN401  any generator
    add_filters(generator.env, partial(builds.get, generator.settings["OUTPUT_PATH"]))


def _written(output: str) -> Written | None:
    build = builds.get(output)
    return None if build is None else build.written


def _begin(pelican: Pelican) -> None:
    try:
        builds[pelican.settings["OUTPUT_PATH"]] = Build(pelican.settings)
    except ImageHostError as error:
        _fail(str(error))


def _host(generator: Any) -> None:  # noqa: ANN401  any generator
    build = builds.get(generator.settings["OUTPUT_PATH"])
    if build is not None:
        build.host(generator)


def _take_originals(generator: Any) -> None:  # noqa: ANN401  the static generator
    build = builds.get(generator.settings["OUTPUT_PATH"])
    if build is not None:
        build.originals.take(generator, build.image_host.hosted)


def _conclude(generators: list[Any]) -> None:
    build = builds.get(generators[0].settings["OUTPUT_PATH"])
    if build is not None:
        wikilinks.note_cache(build.pelican_settings, build.settings)
        build.conclude()
        if build.failed:
            _fail("IMAGEHOST_STRICT is set and there are problems (see above); no page was written")


def _fail(message: str) -> None:
    """Stop Pelican with a message; for an exception `pelican.main` would add a traceback."""
    logger.critical("%s", message)
    raise SystemExit(1)
