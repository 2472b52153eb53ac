"""The last look at what was written: files of other plugins, and URLs that lead nowhere.

It comes when everything is in the output, also what other plugins make at the end. Names
are compared first; only a page with a name that leads nowhere is read again, and its tags
decide whether that is a reference or just a word.
"""

from __future__ import annotations

import difflib
import os
import posixpath
import sys
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from pelican_imagehost.documents.origin import Origin, find_origin
from pelican_imagehost.documents.resolve import Place, Resolver
from pelican_imagehost.errors import ImageHostError, MissingImage
from pelican_imagehost.report import Problem
from pelican_imagehost.site.derived import Derived, is_derived
from pelican_imagehost.site.names import mentioned_names, name_of
from pelican_imagehost.site.page_references import KINDS, references_in, unescaped
from pelican_imagehost.site.targets import Targets

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Iterator, Mapping

    from pelican.contents import Content

    from pelican_imagehost.images.image import Image
    from pelican_imagehost.settings import Settings
    from pelican_imagehost.site.written import Written

__all__ = ["LastLook"]

_LARGEST = 10_000_000
_PAGES = 10  # read for one name; feeds and lists come first, and a document's page must be there


class LastLook:
    """A look at the output of one site.

    Args:
        settings: the settings of the site.
        written: what its writer has written.
        contents: its documents.
        known: the paths in the manifest.

    Attributes:
        nowhere: URL → the files of the output, relative, in which it leads nowhere.
    """

    def __init__(
        self,
        settings: Settings,
        written: Written,
        contents: Iterable[Content],
        known: Collection[str],
    ) -> None:
        self._settings = settings
        self._written = written
        self._contents = contents
        self._targets = Targets(settings)
        self._resolver = Resolver(settings, known)
        self.nowhere: dict[str, set[str]] = {}
        self._names: set[str] = set()

    def read_rest(self, others: Iterable[Path] = ()) -> None:
        """Read the texts of the output that were not written here, or were changed later.

        Args:
            others: the outputs of other sites, which may be within this one.
        """
        skipped = {str(self._settings.embedded), *map(str, others)}
        for entry in _texts(str(self._settings.output), skipped):
            self._read_file(entry.path)

    def read_changed(self) -> None:
        """Read the texts that were written here and changed later."""
        for path in self._written.files():
            self._read_file(path)

    def _read_file(self, path: str) -> None:
        if self._written.is_unchanged(path):
            return
        kind = _kind_of(path)
        text = _read(path, _LARGEST)
        is_page = kind == "html" and self._written.has(path)
        repaired = self._written.see(path, text) if is_page else self._written.repair(text)
        if repaired != text:
            _replace(path, repaired)
        plain = unescaped(repaired) if "\\" in repaired else repaired
        if kind == "other":
            self._names.update(mentioned_names(plain))
        elif not is_page:
            name = os.path.relpath(path, self._settings.output).replace(os.sep, "/")
            self._written.note(name, plain)

    def names(self) -> set[str]:
        """Return every name that a text of the output contains, as `name_of` gives it."""
        return self._names | self._written.names()

    def replace_derived(self, images: Mapping[str, Image], more: Container[str]) -> list[str]:
        """Replace addresses that a theme has derived from that of an image.

        Args:
            images: manifest path → image, of all hosted images.
            more: files that can be in the output, relative.

        Returns:
            The files that are meant, relative to the output.
        """
        urls = [key for key in self._written.urls if is_derived(key[1])]
        if not urls:
            return []
        derived = Derived(self._settings, images)
        meant = []
        for key in urls:
            file = derived.file(key[1], lambda name: name in more or self._targets.is_file(name))
            if file is not None:
                meant.append(file)
                for page in self._written.urls.pop(key):
                    path = f"{self._settings.output}/{page}"
                    address = f"{self._written.top(page)}/{quote(file, errors='surrogateescape')}"
                    text = _read(path)
                    if key[1] in text:  # a page that is current has not been written again
                        _replace(path, text.replace(key[1], address))
        return meant

    def remaining(self, problems: Iterable[Problem]) -> list[Problem]:
        """Return the problems of documents that are left now that everything is written.

        A file that a document refers to may have been made by another plugin.
        """
        return [
            problem
            for problem in problems
            if not (isinstance(problem.error, MissingImage) and self._is_made(problem))
        ]

    def problems(self, known: Iterable[Problem]) -> list[Problem]:
        """Return what leads nowhere in the output, each file once.

        Args:
            known: the problems of documents, which are not reported again.
        """
        urls = {problem.url for problem in known}
        nowhere: dict[str, dict[str, str]] = {}
        for name in self._suspects():
            for url in self._nowhere_in(name):
                if url not in urls:
                    file = self._targets.file(url, posixpath.dirname(name)) or url
                    nowhere.setdefault(file, {}).setdefault(name, url)
        return [self._problem(pages) for pages in nowhere.values()]

    def _is_made(self, problem: Problem) -> bool:
        content = self._sources.get(problem.document)
        if content is None:
            return False
        folders = (posixpath.dirname(content.save_as), content.relative_dir)
        if any(self._targets.has(problem.url, folder) for folder in folders):
            return True
        # A theme may write its own folder before the value of a metadata field.
        end = problem.url.lstrip("./")
        page = content.save_as.replace(os.sep, "/")
        keys = [
            (folder, url)
            for folder, url in self._by_name.get(name_of(problem.url), ())
            if page in self._written.urls[folder, url] and url.endswith(end)
        ]
        return bool(keys) and all(self._targets.has(url, folder) for folder, url in keys)

    def _suspects(self) -> Iterable[str]:
        """Return the files with a name that leads nowhere."""
        files: dict[str, None] = {}
        for (folder, url), names in self._written.urls.items():
            if self._targets.leads_nowhere(url, folder):
                files.update(dict.fromkeys(names[:_PAGES]))
                self.nowhere.setdefault(url, set()).update(names)
        return files

    def _nowhere_in(self, name: str) -> Iterator[str]:
        """Yield the references of a file that lead nowhere."""
        folder = posixpath.dirname(name)
        for url in references_in(name, _read(f"{self._settings.output}/{name}")):
            if self._targets.leads_nowhere(url, folder):
                yield url

    def _problem(self, pages: dict[str, str]) -> Problem:
        """Return the problem of a file that does not exist.

        Args:
            pages: page → the URL in it.
        """
        for name, url in pages.items():
            content = self._pages.get(name)
            origin = content and _origin(content.source_path, url)
            if content and origin:
                document = self._settings.relative(content.source_path)
                return Problem(document, origin.line, url, self._reason(content, url))
        name, url = next(iter(pages.items()))
        error = MissingImage(f"no such file in the output{self._near_miss(name, url)}")
        file = self._settings.output / name
        origin = None if _kind_of(name) == "html" else find_origin(str(file), url)
        return Problem(self._settings.relative(file), origin and origin.line, url, error)

    def _reason(self, content: Content, url: str) -> ImageHostError:
        place = Place(
            os.path.dirname(content.source_path), lambda: os.path.dirname(content.save_as)
        )
        try:
            location = self._resolver.resolve(url, place)
        except ImageHostError as error:
            return error
        if location is None:
            return MissingImage("no such file in the output")
        field = "add its metadata field to IMAGEHOST_METADATA_FIELDS"
        copy = os.path.relpath(location.file, self._settings.content)
        if self._targets.is_file(copy):
            return MissingImage(
                f"leads nowhere from its page; {copy} is the file in the output; {field}"
            )
        return MissingImage(
            f"{location.path} is not in the output; {field}, or its folder to STATIC_PATHS"
        )

    def _near_miss(self, name: str, url: str) -> str:
        """Suggest a file of the same folder."""
        file = self._targets.file(url, posixpath.dirname(name)) or url
        folder, _, wanted = file.rpartition("/")
        try:
            names = {one.casefold(): one for one in os.listdir(self._settings.output / folder)}
        except OSError:
            return ""
        close = difflib.get_close_matches(wanted.casefold(), names, n=1, cutoff=0.75)
        return f"; did you mean {names[close[0]]}?" if close else ""

    @cached_property
    def _by_name(self) -> dict[str, list[tuple[str, str]]]:
        found: dict[str, list[tuple[str, str]]] = {}
        for folder, url in self._written.urls:
            found.setdefault(name_of(url), []).append((folder, url))
        return found

    @cached_property
    def _pages(self) -> dict[str, Content]:
        return {content.save_as.replace(os.sep, "/"): content for content in self._contents}

    @cached_property
    def _sources(self) -> dict[str, Content]:
        return {self._settings.relative(content.source_path): content for content in self._contents}


def _origin(source: str, url: str) -> Origin | None:
    """Find where a document contains a URL, or its name alone: the theme may write the folder."""
    return find_origin(source, url) or find_origin(source, posixpath.basename(url))


def _texts(folder: str, skipped: Container[str]) -> Iterator[os.DirEntry[str]]:
    """Yield the texts in a folder and the folders below it."""
    folders = [folder]
    while folders:
        try:
            entries = list(os.scandir(folders.pop()))
        except OSError:  # it is gone, or Pelican has reported it
            continue
        for entry in entries:
            if os.path.splitext(entry.name)[1].lower() in KINDS and entry.is_file():
                yield entry
            elif entry.is_dir(follow_symlinks=False) and entry.path not in skipped:
                folders.append(entry.path)


def _kind_of(name: str) -> str:
    return KINDS.get(os.path.splitext(name)[1].lower(), "html")


def _read(path: str, largest: int = sys.maxsize) -> str:
    """Read a file; one that is larger, or cannot be read, is empty."""
    try:
        data = Path(path).read_bytes() if os.stat(path).st_size <= largest else b""
    except OSError:
        return ""
    return data.decode(errors="surrogateescape")


def _replace(path: str, text: str) -> None:
    """Write a file as a new one: the old may be a link to a file of the user's."""
    temporary = Path(f"{path}.imagehost.tmp")
    temporary.write_bytes(text.encode(errors="surrogateescape"))
    temporary.replace(path)
