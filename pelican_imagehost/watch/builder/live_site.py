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
from pelican_imagehost.site.contents import rendered_by
from pelican_imagehost.site.site import Site
from pelican_imagehost.watch.builder.findings import Findings
from pelican_imagehost.watch.builder.log import Log, explain
from pelican_imagehost.watch.builder.one_page import draft, home_of
from pelican_imagehost.watch.builder.output import Output
from pelican_imagehost.watch.builder.plugin_state import save_state
from pelican_imagehost.watch.builder.reader_cache import WarmReaders, template_folders
from pelican_imagehost.watch.messages import (
    Built,
    Drafted,
    Edit,
    PageProblem,
    Problems,
    Roots,
    each_once,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from pelican_imagehost.storage.index import Stamp

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
        self._findings = Findings(self.site.settings)
        self._is_first = first
        self._follower = Follower(self.output.expect, self.output.sweep, self._findings.take)
        WarmReaders.install()
        signals.initialized.connect(self._begin_site)
        signals.all_generators_finalized.connect(self._take)
        self.pelican = _pelican_class(self.settings)(self.settings)
        self._lasting = (
            self.log.errors,
            self.log.notes,
        )  # permanent, such as a plugin that failed to load
        self.generators: list[Any] = []
        self._build: Build | None = None

    def roots(self) -> Roots:
        """Return the folders to watch."""
        settings, own = self.settings, self.site.settings
        theme = os.path.abspath(settings["THEME"])
        builtin = os.path.dirname(pelican.__file__)  # not edited by users
        folders = [settings["PATH"], *settings["THEME_TEMPLATES_OVERRIDES"]]
        folders += [*settings["PLUGIN_PATHS"], *template_folders(settings)[:-1]]
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
            known = suffix in _PASSIVE or path.startswith(theme) or path == manifest
            if not known and home_of(path, self.generators) is None:
                WarmReaders.forget()
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
                drafted = [self._draft_one(path, writer) for path in targets]
                if self._build is not None:
                    self._build.look_again([content for content in drafted if content])
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
        self.output.roots |= edit.outputs
        self.output.begin(whole=True, doubtful=edit.doubtful)
        self.output.clean_up(edit.killed)
        failure = self._run()
        changed: list[str] = []
        if failure is None:
            changed = self.output.finish()
        return Built(
            edit.generation,
            tuple(changed),
            self._problems() if failure is None else failure,
            tuple(self._lasting[1] + self.log.notes),
            frozenset(self.output.produced),
            frozenset(self.output.roots),
            self._included(),
            failure is not None,
            time.monotonic() - start,
            frozenset().union(*(build.missing_variants() for build in self._findings.builds)),
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
            reasons = [] if isinstance(error, SystemExit) else [explain(error)]  # or it was logged
            return each_once(map(PageProblem, [*self.log.errors, *reasons]))
        finally:
            # From now on the cache in memory replaces the one on disk.
            self.settings["LOAD_CONTENT_CACHE"] = False
            self.settings["DELETE_OUTPUT_DIRECTORY"] = self.pelican.delete_outputdir = False
            self._is_first = False
        if self._build is None:
            self.log.notes.append("imagehost is not in PLUGINS; image links are unchanged")
        self._findings.errors = list(self.log.errors)
        return None

    def _included(self) -> dict[str, Stamp | None]:
        """List the files outside the watched folders that documents are made of."""
        watched = tuple(os.path.join(folder, "") for folder in self.roots().recursive)
        site = os.path.join(self.site.settings.root, "")
        return {
            path: stamp
            for files in WarmReaders.sources.values()
            for path, stamp in files.items()
            if not path.startswith(watched)
            and path not in WarmReaders.opened.written
            # Programs look for optional settings in many places.
            and (stamp is not None or path.startswith(site))
        }

    def _forget(self) -> None:
        """Free the last build, including the texts that Pelican caches per class."""
        self.log.clear()
        self.generators = []
        self._build = None
        self._findings.builds = []
        for cache in rendered_by(Content):
            while cache:  # not at once, so that a signal is handled meanwhile
                cache.popitem()

    def _begin_site(self, pelican: Any) -> None:  # noqa: ANN401  of Pelican
        """Follow the output of a site, or of a subsite that a plugin builds."""
        folder = os.path.abspath(pelican.settings["OUTPUT_PATH"])
        followers[folder] = self._follower
        if folder not in self.output.roots and not _is_in_another(folder, self.output.roots):
            self.output.roots.add(folder)
        pelican.delete_outputdir = pelican.delete_outputdir and self._is_first

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
            report = self._build.report
            names = {self._build.settings.relative(path) for path in paths}
            users = {name for name, images in report.uses.items() if images & names}
            users |= {problem.document for problem in report.problems} & report.uses.keys()
            targets |= {os.path.join(self._build.settings.root, name) for name in users}
        targets |= WarmReaders.made_of(paths)
        if (
            len(self._findings.builds) > 1
        ):  # which of the sites will have a new document is not known
            targets &= WarmReaders.made_of(targets)
        return [path for path in sorted(targets) if os.path.isfile(path)]

    def _draft_one(self, path: str, writer: Any) -> Content | None:  # noqa: ANN401  from Pelican
        self._findings.forget(path)
        content = None
        try:
            content = draft(path, self.generators, self._build, writer)
        except Exception as error:  # noqa: BLE001  from a reader, a plugin or a template
            name = self.site.settings.relative(path)
            self._findings.errors.append(f"{name}: {explain(error)}")
        if content is not None and self._build is not None:
            self._findings.moved(content, self._build)
        self._findings.errors += self.log.errors
        self.log.errors = []
        return content

    def _problems(self) -> Problems:
        lasting = map(PageProblem, self._lasting[0])
        return each_once((*lasting, *self._findings.problems()))


def _is_in_another(folder: str, folders: Iterable[str]) -> bool:
    return any(folder.startswith(other + os.sep) for other in folders)


def _pelican_class(settings: dict[str, Any]) -> Any:  # noqa: ANN401
    """Return PELICAN_CLASS, which may be a dotted name."""
    named = settings["PELICAN_CLASS"]
    if not isinstance(named, str):
        return named
    module, _, name = named.rpartition(".")
    return getattr(importlib.import_module(module), name)
