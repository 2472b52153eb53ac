"""Images that other plugins make or a theme finds in a build, so that only a build can see them."""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Any

from pelican_imagehost.documents.names import Names
from pelican_imagehost.errors import MissingImage
from pelican_imagehost.site.targets import Targets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pelican_imagehost.report import Document, Problem
    from pelican_imagehost.settings import Settings

__all__ = ["Maker", "Makers"]

# The plugins that make images, by a word of their names, and their default folders: photos,
# thumbnailer and image-process.
_FOLDERS = {"photo": "photos", "thumb": "thumbnails", "image_process": "derivatives"}
# THUMBNAIL_DIR, IMAGE_PROCESS_DIR, OG_IMAGES_PATH and the like; IMAGE_PATH is a source.
_SETTING = re.compile(
    r"(?=.*(?:IMAGE|PHOTO|THUMB|GALLER|OG_|ALBUM|COVER)).*_(?:DIR|DIRECTORY|FOLDER|PATH|OUTPUT)"
)


class Maker(Enum):
    """Who may make a file that is missing, or find it."""

    NOBODY = "nobody"
    UNKNOWN = "unknown"
    PLUGIN = "plugin"
    THEME = "theme"


class Makers:
    """The plugins of a site that may make images, and its theme.

    Args:
        settings: the settings of the site.
        pelican: the settings of Pelican, with the plugins loaded.
        documents: the documents of the site.
    """

    def __init__(
        self, settings: Settings, pelican: Mapping[str, Any], documents: Iterable[Document]
    ) -> None:
        self._settings = settings
        self._names = Names(settings, [str(settings.content)], ())
        self._fields = {
            (settings.relative(document.source), value)
            for document in documents
            for value in document.fields
        }
        self._targets = Targets(settings)
        names = [str(getattr(plugin, "__name__", plugin)) for plugin in pelican["PLUGINS"] or ()]
        self._others = [name for name in names if "imagehost" not in name]
        folders = _folders(self._others, pelican)
        self._folders = {folder for folder in folders if folder and not self._has(folder)}

    def maker_of(self, problem: Problem) -> Maker:
        """Return who may make the file that a problem is about."""
        file = self._targets.file(problem.url, "")
        if not isinstance(problem.error, MissingImage) or file is None:
            return Maker.NOBODY
        if any(f"/{folder}/" in f"/{file}" for folder in self._folders):
            return Maker.PLUGIN
        first, slash, _ = file.partition("/")
        is_known = not slash or self._has(first)
        if self._others and not is_known:
            return Maker.UNKNOWN
        # A theme may write its own folder before the value of a metadata field.
        is_field = (problem.document, problem.url) in self._fields
        return Maker.THEME if is_field and self._names.anywhere(file) else Maker.NOBODY

    def _has(self, folder: str) -> bool:
        roots = (self._settings.content, *self._settings.search_paths)
        return any((root / folder).is_dir() for root in roots)


def _folders(plugins: list[str], pelican: Mapping[str, Any]) -> Iterator[str]:
    for word, folder in _FOLDERS.items():
        setting = "PHOTO_LIBRARY" if word == "photo" else ""
        if any(word in name for name in plugins) or pelican.get(setting):
            yield folder
    for name, value in pelican.items():
        if _SETTING.fullmatch(name) and isinstance(value, str) and not name.startswith("IMAGEHOST"):
            yield value.strip("/")
