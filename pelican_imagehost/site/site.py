"""Read a Pelican site as Pelican reads it, without building it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pelican import Pelican
from pelican.generators import ArticlesGenerator, PagesGenerator
from pelican.readers import Readers
from pelican.settings import read_settings

from pelican_imagehost.errors import ImageHostError, SettingsError
from pelican_imagehost.settings import Settings
from pelican_imagehost.site.contents import contents_of, to_document

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pelican_imagehost.report import Document

__all__ = ["Site"]

_DEFAULT_SETTINGS = "pelicanconf.py"


class Site:
    """The settings and documents of a site.

    Args:
        settings_file: the settings file of Pelican; `pelicanconf.py` in this folder if None.
        overrides: settings of Pelican that override those in the file.

    Attributes:
        file: the settings file.
        pelican_settings: the settings of Pelican.
        settings: the settings of this package.

    Raises:
        SettingsError: the file is missing, raises an error or has an invalid value.
    """

    def __init__(self, settings_file: Path | None = None, **overrides: object) -> None:
        self.file = file = settings_file or Path(_DEFAULT_SETTINGS)
        if not file.is_file():
            raise SettingsError(
                f"no settings file {file}; run this in the folder of the site, or use -s FILE"
            )
        self.pelican_settings = _read(file, overrides)
        self.settings = Settings.from_pelican(self.pelican_settings, root=file.absolute().parent)
        self._registered = False

    def documents(self, only: set[str] | None = None) -> tuple[list[Document], list[str]]:
        """Read articles and pages with the plugins and readers of the site.

        Args:
            only: sources to read, relative to PATH; all if None.

        Returns:
            The documents, and the sources without a document, relative to PATH: Pelican
            could not process them (it has logged why) or skips them.
        """
        self._register_plugins()
        settings = self.pelican_settings
        context = {
            **settings,
            "generated_content": {},
            "static_links": set(),
            "static_content": {},
            "localsiteurl": settings["SITEURL"],
        }
        documents, sources = [], set()
        for kind in (ArticlesGenerator, PagesGenerator):
            generator = kind(
                context=context,
                settings=settings,
                path=settings["PATH"],
                theme=settings["THEME"],
                output_path=settings["OUTPUT_PATH"],
            )
            files = _sources(generator)
            if only is not None:
                files &= only
                generator.get_files = lambda *_, files=files, **__: files
            generator.generate_context()
            sources |= files
            documents += [to_document(item, self.settings) for item in contents_of(generator)]
        read = {os.path.relpath(document.source, settings["PATH"]) for document in documents}
        return documents, sorted(sources - read)

    def read(self, source: Path) -> tuple[str, dict[str, Any]]:
        """Read one document with the reader for its type.

        Returns:
            The HTML and the metadata.

        Raises:
            ImageHostError: no reader supports the type.
        """
        self._register_plugins()
        reader = Readers(self.pelican_settings).readers.get(source.suffix.lstrip("."))
        if reader is None:
            raise ImageHostError(f"{source}: Pelican has no reader for this type of file")
        content, metadata = reader.read(str(source))
        return content, metadata

    def sources(self, only: Iterable[str] | None = None) -> Iterator[str]:
        """Yield the source text of documents.

        Args:
            only: sources relative to PATH; every file that a reader supports if None.
        """
        self._register_plugins()
        content = self.settings.content
        known = {f".{suffix}" for suffix in Readers(self.pelican_settings).extensions}
        files = content.rglob("*") if only is None else (content / source for source in only)
        for file in files:
            if file.suffix in known and file.is_file():
                yield file.read_text("utf-8", errors="replace")

    def _register_plugins(self) -> None:
        if not self._registered:
            Pelican(self.pelican_settings)
            self._registered = True


def _sources(generator: Any) -> set[str]:  # noqa: ANN401  of articles or pages
    kind = "ARTICLE" if isinstance(generator, ArticlesGenerator) else "PAGE"
    paths = generator.settings[f"{kind}_PATHS"]
    files = generator.get_files(paths, exclude=generator.settings[f"{kind}_EXCLUDES"])
    return {os.path.normpath(file) for file in files}


def _read(file: Path, overrides: dict[str, object]) -> dict[str, Any]:
    # With a cache, Pelican would also write it; these commands must not.
    overrides = {"CACHE_CONTENT": False, **overrides}
    # publishconf.py imports pelicanconf.py, which Pelican only supports in the same folder.
    sys.path.insert(0, str(file.absolute().parent))
    try:
        settings: dict[str, Any] = read_settings(str(file), override=overrides)
    except Exception as error:
        raise SettingsError(f"{file} cannot be read: {type(error).__name__}: {error}") from error
    return settings
