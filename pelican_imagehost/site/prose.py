"""Recognise the images of Markdown texts without Pelican, which takes long to start.

A text that is not recognised is left to Pelican, so a false alarm costs only time. This can
only be decided where no other plugin, reader or extension of Markdown may find images in a
text.
"""

from __future__ import annotations

import os
import posixpath
import re
import sys
from typing import TYPE_CHECKING, Any

from pelican_imagehost.images.image import IMAGE_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from pelican_imagehost.settings import Settings

__all__ = ["MARKDOWN_SUFFIXES", "Prose", "is_plain_site"]

MARKDOWN_SUFFIXES = (".md", ".markdown", ".mkd", ".mdown")
_OURS = frozenset({"imagehost", "pelican.plugins.imagehost", "pelican_imagehost"})
_PART_OF_PELICAN = frozenset({"__init__.py", "__pycache__", "_utils.py", "signals.py", "imagehost"})
_READING = ("MARKDOWN", "READERS", "MD_EXTENSIONS", "PELICAN_CLASS")
# With these, Pelican may skip a document.
_CHOOSING = ("ARTICLE_PATHS", "ARTICLE_EXCLUDES", "PAGE_PATHS", "PAGE_EXCLUDES", "IGNORE_FILES")
_FIELDS_OF_FILES = frozenset({"category", "date", "path", "save_as", "slug", "url"})
_IMAGE = re.compile(r"!\[[^\[\]<>&\\`{}]*\]\((\w[\w/-]*(?:\.[\w/-]+)+)\)", re.ASCII)
_SUSPECT = (
    r"! \s* \["  # an image of another form
    r"| < [a-z!?/]"  # HTML
    r"| & \#? \w+ ;"  # a character reference
    r"| %[0-9a-f]{2}"  # may encode a suffix
    rf"| {'|'.join(map(re.escape, IMAGE_SUFFIXES))}"
)
# Metadata that Pelican accepts for certain; with the fields left out, it may skip a document.
_HEADER = re.compile(
    r"""
    (?: (?:date | modified) : [ ]+ \d{4}-\d\d-\d\d (?:[ ](?:[01]\d|2[0-3]):[0-5]\d)? \n
      | slug : [ ]+ [\w-]+ \n
      | status : [ ]+ (?:draft | hidden | published) \n
      | (?! (?:date | modified | slug | status | path | save_as | url | timezone | date_format) : )
        [a-z][\w-]* : [ ]+ \S .* \n
    )+ \n""",
    re.IGNORECASE | re.VERBOSE | re.ASCII,
)
_PAGES = "pages/"  # Pelican's PAGE_PATHS; a page needs no date
# Code, definitions, lists of attributes, escapes and paragraphs, where an image may be none.
_HIDING = re.compile(r"[`~\\{\t]|\]:|^ {2}|!\[[^\]\n]*\n", re.MULTILINE)


def is_plain_site(pelican: Mapping[str, Any], settings: Settings) -> bool:
    """Return whether only Pelican's own Markdown decides which images a document has."""
    plugins = pelican.get("PLUGINS")
    if pelican.keys() & set(_READING) or _has_listeners():
        return False
    added = _added_fields(pelican)
    known = settings.metadata_fields | settings.formatted_fields
    if added is None or added & known or any(name.startswith("*") for name in known):
        return False
    if plugins is None:
        return not _has_other_plugins()
    return isinstance(plugins, list | tuple) and all(
        isinstance(name, str) and name in _OURS for name in plugins
    )


class Prose:
    """Recognises the Markdown texts of a plain site.

    Args:
        pelican: the settings of Pelican.
        settings: the settings of the site.
        listed: the paths in the manifest.
    """

    def __init__(
        self, pelican: Mapping[str, Any], settings: Settings, listed: Container[str]
    ) -> None:
        self._listed = listed
        self._content = settings.relative(settings.content)
        self._fields = re.compile(
            rf"^[ ]{{0,3}}(?:{'|'.join(map(re.escape, settings.metadata_fields))})[ ]*:",
            re.IGNORECASE | re.MULTILINE,
        )
        self._suspect = re.compile(_SUSPECT, re.IGNORECASE | re.VERBOSE)
        added = _added_fields(pelican)
        has_all = not pelican.keys() & set(_CHOOSING)
        self._has_all = has_all and added is not None and added <= _FIELDS_OF_FILES

    def lists_all_images(self, text: bytes, folder: str) -> bool:
        """Return whether a text surely contains no images but listed ones.

        Args:
            text: the source.
            folder: the folder of the document, relative to the settings file.
        """
        names = self._images(text)
        return names is not None and self._are_listed(names, folder)

    def images(self, text: bytes, name: str) -> list[str] | None:
        """Return the images of a document as it names them; None if Pelican must read it.

        Those that are not listed are images for certain, and not part of some code.

        Args:
            text: the source.
            name: the file, relative to PATH.
        """
        names = self._images(text)
        if not names:
            return names
        source, folder = text.decode(), posixpath.join(self._content, posixpath.dirname(name))
        is_certain = self._has_all and _is_document(source, is_page=name.startswith(_PAGES))
        is_clear = self._are_listed(names, folder) or not _HIDING.search(source)
        return names if is_certain and is_clear else None

    def _images(self, text: bytes) -> list[str] | None:
        try:
            source = text.decode("utf-8")
        except UnicodeDecodeError:
            return None
        if self._fields.search(source) or self._suspect.search(_IMAGE.sub("", source)):
            return None
        names = [match[1] for match in _IMAGE.finditer(source)]
        return names if all(name.lower().endswith(IMAGE_SUFFIXES) for name in names) else None

    def _are_listed(self, names: list[str], folder: str) -> bool:
        return all(posixpath.normpath(f"{folder}/{name}") in self._listed for name in names)


def _is_document(source: str, *, is_page: bool) -> bool:
    """Return whether Pelican takes a text as a document for certain."""
    from datetime import date  # noqa: PLC0415  most texts have no image

    header = _HEADER.match(source)
    if header is None or "![" in header[0]:
        return False
    fields = [line.partition(":")[0].lower() for line in header[0].split("\n")[:-2]]
    needed = {"title"} if is_page else {"title", "date"}
    if not needed <= set(fields) or len(fields) > len(set(fields)):
        return False
    try:
        for day in re.findall(
            r"^(?:date|modified): +(\S+)", header[0], re.MULTILINE | re.IGNORECASE
        ):
            date.fromisoformat(day)
    except ValueError:
        return False
    return True


def _added_fields(pelican: Mapping[str, Any]) -> set[str] | None:
    """Return the names of metadata that settings give to documents; None if unknown."""
    default, extra = (pelican.get(f"{kind}_METADATA") or {} for kind in ("DEFAULT", "EXTRA_PATH"))
    given = [default, *extra.values()] if isinstance(extra, dict) else [extra]
    if not all(isinstance(fields, dict) for fields in given):
        return None
    patterns = [str(pelican.get(f"{kind}_METADATA") or "") for kind in ("FILENAME", "PATH")]
    names = {name for pattern in patterns for name in re.findall(r"\(\?P<(\w+)>", pattern)}
    return {name.lower() for name in names.union(*given)}


def _has_listeners() -> bool:
    """Return whether a settings file, which is a program, takes part in what Pelican does."""
    signals = vars(sys.modules.get("pelican.plugins.signals", os)).values()
    return any(getattr(signal, "receivers", None) for signal in signals)


def _has_other_plugins() -> bool:
    """Return whether Pelican would find other plugins by itself (pelican.plugins, a namespace)."""
    for folder in sys.path:
        place = os.path.join(folder, "pelican", "plugins")
        if os.path.isdir(place) and set(os.listdir(place)) - _PART_OF_PELICAN:
            return True
    return False
