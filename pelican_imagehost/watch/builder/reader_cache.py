"""The results of the readers of Pelican, cached in memory from build to build.

It replaces the content cache of Pelican, but does not use the disk, and compares more than
the time of a file. A document is made of its own file and of those that it includes; they
are found in its text, which tells of those that another process reads, and by watching what
its reader opens.
"""

from __future__ import annotations

import copy
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import pelican.generators
from pelican.readers import Readers
from pelican.urlwrappers import URLWrapper

from pelican_imagehost.documents.includes import find_included
from pelican_imagehost.storage.index import Stamp
from pelican_imagehost.watch.builder.opened_files import OpenedFiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["WarmReaders", "template_folders"]

# Jinja keeps what documents include in a cache of its own, and a tag may mean anything.
_TEMPLATE = re.compile(r"\{%")
_Key = tuple[str, str]  # OUTPUT_PATH, because each site has its own settings, and the document
_Stamps = dict[str, Stamp | None]  # file, absolute → its stamp; None if it does not exist


class _Read(NamedTuple):
    content: str
    metadata: dict[str, Any]


class WarmReaders(Readers):  # type: ignore[misc]
    """The readers of Pelican with a cache for the whole process.

    Attributes:
        sources: each document → the files that it is made of, as they were before it was read;
            also if it could not be read.
        opened: what this process opens.
    """

    sources: ClassVar[dict[_Key, _Stamps]] = {}
    opened: ClassVar[OpenedFiles]
    _memory: ClassVar[dict[_Key, _Read]] = {}
    _made_of: ClassVar[dict[str, list[str]]] = {}  # file → documents; empty if not known

    @classmethod
    def install(cls) -> None:
        """Make the generators of Pelican use these readers, in this process."""
        cls.opened = OpenedFiles()
        pelican.generators.Readers = cls

    @classmethod
    def forget(cls) -> None:
        """Let the next build read every document again."""
        cls._memory.clear()

    @classmethod
    def made_of(cls, paths: Iterable[str]) -> set[str]:
        """Return the documents that are made of any of some files."""
        if not cls._made_of:
            for (_, document), files in cls.sources.items():
                for file in files:
                    cls._made_of.setdefault(file, []).append(document)
        return {document for path in paths for document in cls._made_of.get(path, ())}

    def read_file(self, base_path: str, path: str, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401  as in Pelican
        """Read a document as Pelican does, and note the files that it is made of."""
        if options.get("fmt") == "static":
            return super().read_file(base_path, path, *arguments, **options)
        key = self._key(os.path.abspath(os.path.join(base_path, path)))
        files = self.sources.get(key, {})
        if not _are_unchanged(files):
            self._memory.pop(key, None)
        is_kept = is_clear = key in self._memory
        if not is_kept:
            files, is_clear = _find_sources(key[1], self.settings)
        try:
            with self.opened.noted() as opened:
                return super().read_file(base_path, path, *arguments, **options)
        finally:
            self._note(key, opened | files)
            is_new = opened or not is_kept
            if is_new and not (is_clear and _will_show_changes(self.sources[key])):
                self._memory.pop(key, None)

    def _note(self, key: _Key, files: _Stamps) -> None:
        if self.sources.get(key, {}).keys() != files.keys():
            self._made_of.clear()
        self.sources[key] = files

    def get_cached_data(self, path: str, default: Any = None) -> Any:  # noqa: ANN401  as in Pelican
        """Return the cached result for a file; `read_file` has removed it if it is outdated."""
        known = self._memory.get(self._key(path))
        if known is not None:
            return known.content, _renew(known.metadata)
        is_new = self._key(path) not in self.sources
        return super().get_cached_data(path, default) if is_new else default

    def cache_data(self, path: str, data: tuple[str | None, dict[str, Any]]) -> None:
        """Cache the result for a file."""
        content, metadata = data
        if content is not None:  # a static file has none
            self._memory[self._key(path)] = _Read(content, _renew(metadata))

    def _key(self, path: str) -> _Key:
        return self.settings["OUTPUT_PATH"], path


def template_folders(settings: Mapping[str, Any]) -> list[str]:
    """Return where pelican-jinja2content finds the templates that documents include."""
    folders = settings.get("JINJA2CONTENT_TEMPLATES", ())
    inside = [os.path.normpath(os.path.join(settings["PATH"], folder)) for folder in folders]
    return [*inside, os.path.join(settings["THEME"], "templates")]


def _find_sources(source: str, settings: Mapping[str, Any]) -> tuple[_Stamps, bool]:
    """Find a document and the files that its text includes.

    Returns:
        The files, and whether it is clear that these are all.
    """
    stamps = {source: Stamp.at(source)}
    text = _read(source)
    is_clear = not _TEMPLATE.search(text)
    for included in find_included(source, text, template_folders(settings)):
        stamps[included.path] = Stamp.at(included.path)
        # A name may also hold an attribute that only the reader knows.
        is_clear = is_clear and included.text is not None and not _TEMPLATE.search(included.text)
    return stamps, is_clear


def _are_unchanged(files: _Stamps) -> bool:
    return all(Stamp.at(path) == stamp for path, stamp in files.items())


def _will_show_changes(files: _Stamps) -> bool:
    """Return whether the stamps of files show that they have not changed, and all later changes."""
    now = time.time_ns()
    settled = all(stamp is None or stamp.is_settled(now) for stamp in files.values())
    return settled and _are_unchanged(files)


def _renew(value: Any) -> Any:  # noqa: ANN401  any metadata
    """Copy the parts of metadata that a plugin may change in place."""
    if isinstance(value, dict):
        return {name: _renew(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_renew(item) for item in value]
    return copy.copy(value) if isinstance(value, URLWrapper) else value


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8", errors="replace")
    except OSError:  # the reader will report it
        return ""
