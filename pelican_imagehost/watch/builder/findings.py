"""The problems of a site, and the pages that have them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pelican_imagehost.watch.messages import PageProblem, Problems, each_once

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pelican.contents import Content

    from pelican_imagehost.report import Problem
    from pelican_imagehost.settings import Settings
    from pelican_imagehost.site.build import Build

__all__ = ["Findings"]


class Findings:
    """What the last builds of a site and its subsites have found.

    Args:
        settings: the settings of the site.

    Attributes:
        builds: the last build of each site.
        errors: errors of Pelican.
    """

    def __init__(self, settings: Settings) -> None:
        self.builds: list[Build] = []
        self.errors: list[str] = []
        self._settings = settings
        self._pages: dict[str, frozenset[str]] = {}  # document → files, also of earlier builds
        self._all_pages: set[str] = set()

    def take(self, build: Build) -> None:
        """Keep a build that has ended, and what it knows about documents."""
        self.builds.append(build)
        pages: dict[str, frozenset[str]] = {}
        for content in build.contents:
            name = build.settings.relative(content.source_path)
            pages[name] = pages.get(name, frozenset()) | {_page_of(content, build)}
        if len(self.builds) > 1:  # each site has its own page of a document
            pages = {name: files | self._pages.get(name, files) for name, files in pages.items()}
        self._pages |= pages
        self._all_pages = set().union(*self._pages.values())

    def forget(self, document: str) -> None:
        """Forget the problems of a document that is about to be read again.

        Args:
            document: the absolute path.
        """
        name = self._settings.relative(document)
        relative = os.path.relpath(document, self._settings.content)
        self.errors = [error for error in self.errors if relative not in error]
        for build in self.builds:
            output = f"{build.settings.output}{os.sep}"
            pages = self._pages.get(name, frozenset())
            build.forget_problems(name, [page.removeprefix(output) for page in pages])

    def moved(self, content: Content, build: Build) -> None:
        """Note that a document was written again, perhaps to another page."""
        name = build.settings.relative(content.source_path)
        page = _page_of(content, build)
        self._pages[name] = self._pages.get(name, frozenset()) | {page}
        self._all_pages.add(page)

    def problems(self) -> Problems:
        """Return all problems, each once."""
        return each_once((*map(self._of_pelican, self.errors), *self._of_images()))

    def _of_pelican(self, error: str) -> PageProblem:
        """Find the pages of the document that an error is about."""
        about = ""
        for name in self._pages:
            if len(name) > len(about) and self._below_content(name) in error:
                about = name
        return PageProblem(error, self._pages.get(about))

    def _below_content(self, name: str) -> str:
        """Return the name of a document in messages of Pelican."""
        path = os.path.join(self._settings.root, name.replace("/", os.sep))
        folder = os.path.join(self._settings.content, "")
        inside = path.startswith(folder)  # as always; of thousands, the other way is slow
        return path[len(folder) :] if inside else os.path.relpath(path, self._settings.content)

    def _of_images(self) -> Iterator[PageProblem]:
        found = [(str(one), one, build) for build in self.builds for one in build.report.problems]
        for text, problem, build in sorted(found, key=lambda item: item[0]):
            yield PageProblem(text, self._pages_of(problem, build))

    def _pages_of(self, problem: Problem, build: Build) -> frozenset[str] | None:
        """Find the pages that have a problem: of its document, and those that list it."""
        output = f"{build.settings.output}{os.sep}"
        also = {f"{output}{name}" for name in build.nowhere.get(problem.url, ())}
        own = self._pages.get(problem.document)
        if own is not None:  # the same URL means another file to another document
            return own | (also - self._all_pages)
        file = os.path.join(self._settings.root, problem.document)
        return frozenset({file, *also}) if file.startswith(output) else None


def _page_of(content: Content, build: Build) -> str:
    return os.path.join(build.settings.output, content.save_as)
