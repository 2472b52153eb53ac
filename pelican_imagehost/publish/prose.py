"""Recognise texts whose images are all listed, without Pelican, which takes long to start.

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

__all__ = ["is_plain_site", "lists_all_images"]

MARKDOWN_SUFFIXES = (".md", ".markdown", ".mkd", ".mdown")
_OURS = frozenset({"imagehost", "pelican.plugins.imagehost", "pelican_imagehost"})
_PART_OF_PELICAN = frozenset({"__init__.py", "__pycache__", "_utils.py", "signals.py", "imagehost"})
_IMAGE = re.compile(r"!\[[^\[\]<>&\\`{}]*\]\((\w[\w/-]*(?:\.[\w/-]+)+)\)", re.ASCII)
_SUSPECT = re.compile(
    rf"""
      ! \s* \[                           # an image of another form
    | < [a-z!?/]                         # HTML
    | & \#? \w+ ;                        # a character reference
    | %[0-9a-f]{{2}}                     # may encode a suffix
    | {"|".join(map(re.escape, IMAGE_SUFFIXES))}
    """,
    re.IGNORECASE | re.VERBOSE,
)


def is_plain_site(pelican: Mapping[str, Any]) -> bool:
    """Return whether only Pelican's own Markdown decides which images a document has."""
    if pelican.keys() & {"MARKDOWN", "READERS", "MD_EXTENSIONS", "PELICAN_CLASS"}:
        return False
    plugins = pelican.get("PLUGINS")
    if plugins is None:
        return not _has_other_plugins()
    return isinstance(plugins, list | tuple) and all(
        isinstance(name, str) and name in _OURS for name in plugins
    )


def lists_all_images(text: bytes, folder: str, settings: Settings, listed: Container[str]) -> bool:
    """Return whether a Markdown text surely contains no images but listed ones.

    Args:
        text: the source.
        folder: the folder of the document, relative to the settings file.
        settings: the settings of the site.
        listed: the paths in the manifest.
    """
    try:
        source = text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    fields = "|".join(map(re.escape, settings.metadata_fields))
    if re.search(rf"^[ ]{{0,3}}(?:{fields})[ ]*:", source, re.IGNORECASE | re.MULTILINE):
        return False
    targets = {posixpath.normpath(f"{folder}/{match[1]}") for match in _IMAGE.finditer(source)}
    return all(target in listed for target in targets) and not _SUSPECT.search(
        _IMAGE.sub("", source)
    )


def _has_other_plugins() -> bool:
    """Return whether Pelican would find other plugins by itself (pelican.plugins, a namespace)."""
    for folder in sys.path:
        place = os.path.join(folder, "pelican", "plugins")
        if os.path.isdir(place) and set(os.listdir(place)) - _PART_OF_PELICAN:
            return True
    return False
