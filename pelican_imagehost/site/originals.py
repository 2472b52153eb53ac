"""The originals of hosted images: their old addresses go on working.

Pelican copies every static file in every build. A hosted one is put at its old address from
the store instead, where the file system can share its blocks, and only if it is not there.
Pelican still knows each of them, so themes and plugins find the list of files unchanged.
"""

from __future__ import annotations

import os
import unicodedata
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pelican.utils import copy

from pelican_imagehost.documents.wanted import has_image_suffix
from pelican_imagehost.site.copies import Copies
from pelican_imagehost.site.names import name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping

    from pelican.contents import Content

    from pelican_imagehost.documents.location import Location
    from pelican_imagehost.images.image import Image
    from pelican_imagehost.settings import Settings
    from pelican_imagehost.storage.store import Store

__all__ = ["Originals"]


class Originals:
    """The static files of one run of Pelican that are hosted.

    Args:
        settings: the settings of the site.
        pelican: the settings of Pelican.
        store: has the bytes.
        names: returns every name in the pages, as `name_of` gives it.
        expect: called with each file before it is written; None if copies are not tracked.

    Attributes:
        copies: puts them in place.
        left_out: file of the output, relative → the original, absolute, for those that are
            not in the output (yet).
    """

    def __init__(
        self,
        settings: Settings,
        pelican: Mapping[str, Any],
        store: Store,
        names: Callable[[], set[str]],
        *,
        expect: Callable[[Iterable[str]], None] | None,
    ) -> None:
        self.left_out: dict[str, str] = {}
        self._settings = settings
        links = bool(pelican["STATIC_CREATE_LINKS"] or pelican["STATIC_CHECK_IF_MODIFIED"])
        self.copies = Copies(
            settings,
            store,
            only_cleaned=expect is not None or (links and settings.keep_static),
            expect=expect or (lambda _files: None),
        )
        self._find_names = names
        self._files: dict[str, tuple[Location, Image]] = {}
        self._attached: list[tuple[Content, str]] = []
        self._is_plain = pelican["STATIC_SAVE_AS"] == "{path}"
        self._content = os.path.join(settings.content, "")

    def replaced(self, content: Content, texts: Iterable[str]) -> None:
        """Note the texts of a document as they were before its links were replaced."""
        self._attached += [(content, text) for text in texts if "attach" in text]

    def release(self, links: set[str], images: Container[str]) -> None:
        """Remove files that are missing, and hosted all the same, from Pelican's list.

        Args:
            links: the files of `{static}` and `{attach}` links, relative to PATH.
            images: the manifest paths of hosted images.
        """
        content = self._settings.content
        missing = {link for link in links if not os.path.exists(f"{content}/{link}")}
        links -= {one for one in missing if self._path(os.path.join(content, one)) in images}

    def attach(self) -> None:
        """Move the files of replaced `{attach}` links beside their documents, as Pelican does."""
        for content, text in self._attached:
            for match in content._get_intrasite_link_regex().finditer(text):  # noqa: SLF001  it has no public name
                if match["what"] == "attach" and has_image_suffix(match["value"]):
                    content._link_replacer("", match)  # noqa: SLF001  as above
        self._attached.clear()

    def take(self, generator: Any, hosted: Mapping[str, tuple[Location, Image]]) -> None:  # noqa: ANN401  of static files
        """Take over the copying of hosted files from Pelican.

        Args:
            generator: the generator of static files, which has collected them.
            hosted: manifest path → its file and image, of all hosted images.
        """
        inside = os.path.join(self._settings.store, "")
        files = generator.staticfiles  # the context holds the same list
        files[:] = [file for file in files if not str(file.source_path).startswith(inside)]
        for file in files:
            found = hosted.get(self._path(str(file.source_path)))
            if found is not None:
                self._files[str(file.source_path)] = found
        if any(has_image_suffix(str(file.source_path)) for file in files):
            is_required = generator._file_update_required  # noqa: SLF001  it decides on each copy
            generator._file_update_required = partial(self._is_required, is_required)  # noqa: SLF001

    def put_back(self, names: set[str]) -> None:
        """Put back the originals that written texts name.

        Args:
            names: the names, as `name_of` gives them.
        """
        for name, source in list(self.left_out.items()):
            if _is_named(name, names) or _is_named(source, names):
                if not self._put(source, name):
                    copy(source, f"{self._settings.output}/{name}")
                del self.left_out[name]
        self.copies.close()

    def targets(self) -> set[str]:
        """Return where the originals that are left out would be, absolute."""
        return {f"{self._settings.output}/{name}" for name in self.left_out}

    def moved(self, images: Mapping[str, Image]) -> dict[str, Image]:
        """Return the old addresses that have ended: file of the output, relative → image.

        Args:
            images: manifest path → image, of all hosted images; the file of one that another
                machine has published may be missing here.
        """
        moved = {name: self._files[source][1] for name, source in self.left_out.items()}
        kept = {self._path(source) for source in self._files}
        for path in images.keys() - kept:
            name = self._old_name(os.path.normpath(os.path.join(self._settings.root, path)))
            if name is not None and not os.path.exists(f"{self._settings.output}/{name}"):
                moved[name] = images[path]
        return moved

    @cached_property
    def _names(self) -> set[str]:
        """Return the names in pages, when they are written and files are about to be copied.

        Plugins that change pictures at the end shall find those that a page shows.
        """
        return self._find_names()

    def _old_name(self, source: str) -> str | None:
        """Return where Pelican would put a file that is missing; None if nowhere."""
        static = map(str, self._settings.static_paths)
        if not any(source == one or source.startswith(f"{one}{os.sep}") for one in static):
            return None
        names = {str(file): name for name, file in self._settings.output_names.items()}
        return names.get(source) or os.path.relpath(source, self._settings.content)

    def _path(self, source: str) -> str:
        root = os.path.join(self._settings.root, "")
        inside = source.startswith(root)
        path = source[len(root) :] if inside else os.path.relpath(source, root)
        path = path.replace(os.sep, "/")
        return path if path.isascii() else unicodedata.normalize("NFC", path)

    def _is_required(self, is_required: Callable[[Any], bool], static: Any) -> bool:  # noqa: ANN401
        """Answer whether Pelican must copy a file; an image is put in place here."""
        source = str(static.source_path)
        if not has_image_suffix(source):
            return is_required(static)
        name = self._save_as(static)
        is_left_out = source in self._files and not self._settings.keep_static
        if is_left_out and not _is_named(name, self._names):
            self.left_out[name] = source
            return False
        return not self._put(source, name) and is_required(static)

    def _save_as(self, static: Any) -> str:  # noqa: ANN401  a static file of Pelican
        """Return where Pelican puts a file; mostly its path, without formatting a template."""
        source = str(static.source_path)
        is_plain = self._is_plain and not hasattr(static, "override_save_as")
        if is_plain and "path" not in static.metadata and source.startswith(self._content):
            return source[len(self._content) :].replace(os.sep, "/")
        return str(static.save_as).replace(os.sep, "/")

    def _put(self, source: str, name: str) -> bool:
        target = f"{self._settings.output}/{name}"
        return self.copies.put(source, target, self._files.get(source))


def _is_named(file: str, names: set[str]) -> bool:
    return not has_image_suffix(file) or name_of(quote(file, errors="surrogateescape")) in names
