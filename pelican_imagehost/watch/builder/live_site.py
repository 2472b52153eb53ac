"""A site in memory: single documents are updated at once, or the whole site is built."""

from __future__ import annotations

import importlib
import os
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

import pelican
from pelican import signals
from pelican.contents import Content
from pelican.log import console

from pelican_imagehost.images.image import IMAGE_TYPES
from pelican_imagehost.site.build import Build, Follower, builds, followers
from pelican_imagehost.site.site import Site
from pelican_imagehost.watch.builder.log import Log, explain
from pelican_imagehost.watch.builder.one_page import draft, home_of
from pelican_imagehost.watch.builder.output import Output
from pelican_imagehost.watch.builder.plugin_state import save_state
from pelican_imagehost.watch.builder.reader_cache import WarmReaders
from pelican_imagehost.watch.messages import Built, Drafted, Edit, Problems, Roots

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from pelican_imagehost.report import Report

__all__ = ["OVERRIDES", "Workshop"]

OVERRIDES: Final[dict[str, object]] = {
    "IMAGEHOST_URL": None,  # drafts are not on the host yet
    "IMAGEHOST_STRICT": False,
    "SITEURL": "",  # addresses relative to the preview
    "CONTENT_CACHING_LAYER": "reader",
    "STATIC_CREATE_LINKS": False,  # `Output` tracks copied files itself
    "STATIC_CHECK_IF_MODIFIED": False,
}
_AT_ONCE = 20  # documents; with more, only the whole site is built
# Readers do not include files of these types.
_PASSIVE = frozenset({".css", ".js", ".pdf", ".zip", ".ico", ".bmp", ".tif", ".tiff", ".jpeg"})
_PASSIVE |= {f".{kind}" for kind in (*IMAGE_TYPES, "mp3", "mp4", "ogg", "webm", "woff", "woff2")}


class Workshop:
    """A site and the state of its last build.

    Args:
        settings_file: the settings file of Pelican.
        announce: called with each path of the output that is created for the first time.
        first: whether to obey DELETE_OUTPUT_DIRECTORY.

    Attributes:
        generators: the generators of the last build; none before it.

    Raises:
        ImageHostError: the settings are invalid.
        SystemExit: the settings are invalid; the reason was logged.
    """

    def __init__(
        self, settings_file: Path, announce: Callable[[str], None], *, first: bool
    ) -> None:
        self.log = Log()
        console.quiet = True
        overrides = OVERRIDES if first else {**OVERRIDES, "DELETE_OUTPUT_DIRECTORY": False}
        self.site = Site(settings_file, **overrides)
        self.settings = self.site.pelican_settings
        self.output = Output(os.path.abspath(self.settings["OUTPUT_PATH"]), announce)
        self.output.install()
        followers[self.output.root] = Follower(self.output.expect)
        WarmReaders.install()
        signals.all_generators_finalized.connect(self._take)
        self.pelican = _pelican_class(self.settings)(self.settings)
        self._lasting = (
            self.log.errors,
            self.log.notes,
        )  # permanent, such as a plugin that failed to load
        self.generators: list[Any] = []
        self._build: Build | None = None
        self._errors: list[str] = []
        self._image_problems: dict[str, list[str]] = {}

    def roots(self) -> Roots:
        """Return the folders to watch."""
        settings, own = self.settings, self.site.settings
        theme = os.path.abspath(settings["THEME"])
        builtin = os.path.dirname(pelican.__file__)  # not edited by users
        folders = [settings["PATH"], *settings["THEME_TEMPLATES_OVERRIDES"]]
        folders += settings["PLUGIN_PATHS"]
        folders += [*own.static_paths, *own.search_paths]
        folders += [] if theme.startswith(builtin + os.sep) else [theme]
        absolute = dict.fromkeys(os.path.abspath(folder) for folder in folders)
        recursive = tuple(one for one in absolute if not _is_in_another(one, absolute))
        excluded = (self.output.root, settings["CACHE_PATH"], own.index.parent, own.store)
        excluded_folders = tuple(os.path.abspath(folder) for folder in excluded)
        manifest = os.path.abspath(own.manifest)
        flat = tuple(dict.fromkeys((str(own.root), os.path.dirname(manifest))))
        ignored = tuple(settings["IGNORE_FILES"])
        output = self.output.root
        site = str(own.root)
        return Roots(recursive, flat, excluded_folders, ignored, output, manifest, site, own)

    def expect(self, paths: Iterable[str]) -> None:
        """Forget all cached texts, if a changed file may be included in some of them."""
        theme = os.path.abspath(self.settings["THEME"]) + os.sep
        manifest = os.path.abspath(self.site.settings.manifest)
        for path in paths:
            suffix = os.path.splitext(path)[1].lower()
            known = path in WarmReaders.memory or suffix in _PASSIVE or path.startswith(theme)
            known = known or path == manifest
            if not known and home_of(path, self.generators) is None:
                WarmReaders.memory.clear()
                return

    def draft(self, paths: frozenset[str]) -> Drafted:
        """Write the pages of a few changed files."""
        start = time.monotonic()
        self.log.clear()
        self.output.begin(whole=False)
        targets = self._targets(paths)
        if 0 < len(targets) <= _AT_ONCE:
            writer = self.pelican._get_writer()  # noqa: SLF001  each writer may write a file once
            restore = save_state()
            with self._build.resumed() if self._build is not None else nullcontext():
                for path in targets:
                    self._draft_one(path, writer)
            restore()
        changed = self.output.drafted()
        seconds = time.monotonic() - start
        return Drafted(tuple(changed), self._problems(), tuple(self.log.notes), seconds)

    def build(self, edit: Edit) -> Built:
        """Build the whole site.

        Args:
            edit: the request.
        """
        assert edit.generation is not None  # noqa: S101  a request for a build has a number
        start = time.monotonic()
        self._forget()
        self.output.begin(whole=True)
        self.output.sweep(edit.killed)
        failure = self._run()
        changed: list[str] = []
        if failure is None:
            delivered = self._build.delivered() if self._build is not None else ()
            changed = self.output.finish(delivered, edit.doubtful)
        return Built(
            edit.generation,
            tuple(changed),
            self._problems() if failure is None else (*self.log.errors, *failure),
            tuple(self._lasting[1] + self.log.notes),
            frozenset(self.output.produced),
            failure is not None,
            time.monotonic() - start,
        )

    def _run(self) -> Problems | None:
        """Run Pelican; return the reasons if it fails, else None."""
        self.pelican.settings["CACHE_CONTENT"] = False
        restore = save_state()
        try:
            self.pelican.run()
        except (SystemExit, Exception) as error:  # noqa: BLE001  from a reader, a plugin or a template
            restore()
            self.generators = []
            return (
                () if isinstance(error, SystemExit) else (explain(error),)
            )  # the log has the reason
        finally:
            # From now on the cache in memory replaces the one on disk.
            self.settings["LOAD_CONTENT_CACHE"] = False
            self.settings["DELETE_OUTPUT_DIRECTORY"] = False
        if self._build is None:
            self.log.notes.append("imagehost is not in PLUGINS; image links are unchanged")
        self._errors = list(self.log.errors)
        self._image_problems = {}
        for problem in self._build.report.problems if self._build is not None else ():
            self._image_problems.setdefault(problem.document, []).append(str(problem))
        return None

    def _forget(self) -> None:
        """Free the last build, including the texts that Pelican caches per class."""
        self.log.clear()
        self.generators = []
        self._build = None
        for method in ("get_content", "get_summary"):
            Content.__dict__[method].cache.clear()

    def _take(self, generators: list[Any]) -> None:
        if generators[0].settings is self.settings:  # not of another Pelican run by a plugin
            self.generators = list(generators)
            self._build = builds.get(self.settings["OUTPUT_PATH"])

    def _targets(self, paths: frozenset[str]) -> list[str]:
        """List the documents that changed, use a changed image, or miss an image."""
        if len(paths) > _AT_ONCE or not self.generators:
            return []
        targets = {path for path in paths if home_of(path, self.generators) is not None}
        if self._build is not None and targets != paths:
            root = self._build.settings.root
            names = {self._build.settings.relative(path) for path in paths}
            uses = self._build.report.uses
            users = {name for name, images in uses.items() if images & names}
            users |= self._image_problems.keys() & uses.keys()
            targets |= {os.path.join(root, name) for name in users}
        return [path for path in sorted(targets) if os.path.isfile(path)]

    def _draft_one(self, path: str, writer: Any) -> None:  # noqa: ANN401  from Pelican
        name = self.site.settings.relative(path)
        relative = os.path.relpath(path, self.settings["PATH"])
        self._errors = [error for error in self._errors if relative not in error]
        self._image_problems.pop(name, None)
        try:
            report = draft(path, self.generators, self._build, writer)
        except Exception as error:  # noqa: BLE001  from a reader, a plugin or a template
            self._errors.append(f"{name}: {explain(error)}")
        else:
            self._note(name, report)
        self._errors += self.log.errors
        self.log.errors = []

    def _note(self, name: str, report: Report | None) -> None:
        if report is not None and self._build is not None:
            self._build.report.uses |= report.uses
            self._build.report.images |= report.images
            if report.problems:
                self._image_problems[name] = [str(problem) for problem in report.problems]

    def _problems(self) -> Problems:
        found = [text for texts in self._image_problems.values() for text in texts]
        return tuple(dict.fromkeys([*self._lasting[0], *self._errors, *sorted(found)]))


def _is_in_another(folder: str, folders: Iterable[str]) -> bool:
    return any(folder.startswith(other + os.sep) for other in folders)


def _pelican_class(settings: dict[str, Any]) -> Any:  # noqa: ANN401
    """Return PELICAN_CLASS, which may be a dotted name."""
    named = settings["PELICAN_CLASS"]
    if not isinstance(named, str):
        return named
    module, _, name = named.rpartition(".")
    return getattr(importlib.import_module(module), name)
