"""Obsidian's embeds in Markdown documents, as an extension of the Markdown reader.

The address of an embed is its target, marked as one; `Resolver` finds the file when the
document is hosted, so what Pelican caches does not depend on where files are.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element

from markdown.extensions import Extension
from markdown.inlinepatterns import InlineProcessor

from pelican_imagehost.documents.wikilinks import EMBED, read_embed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from markdown import Markdown

    from pelican_imagehost.settings import Settings

__all__ = ["Wikilinks", "makeExtension", "note_cache", "set_up"]

_NAME = __name__  # with which Markdown loads this module
_OTHERS = re.compile(r"wiki[-_]?link|obsidian|roam[-_]?link", re.IGNORECASE)
_NOTE = "imagehost-wikilinks"
_PRIORITY = 175  # after code and escapes, before references and links
_ESCAPED = re.compile("\x02([0-9]+)\x03")  # by Markdown: the number of a character


class Wikilinks(Extension):
    """Make images of embeds; embedded notes and other files stay as they are."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802  Markdown's name
        """Register the processor."""
        md.inlinePatterns.register(_Processor(EMBED, md), "imagehost_wikilinks", _PRIORITY)


class _Processor(InlineProcessor):
    def handleMatch(  # type: ignore[override]  # noqa: N802  Markdown's name
        self,
        m: re.Match[str],
        data: str,  # noqa: ARG002  Markdown's arguments
    ) -> tuple[Element | None, int | None, int | None]:
        inside = _ESCAPED.sub(lambda code: chr(int(code[1])), self.unescape(m[1]))
        embed = read_embed(inside)
        if embed is None:
            return None, None, None
        element = Element("img", {"alt": embed.alt, "src": embed.url, **embed.size})
        return element, m.start(0), m.end(0)


def makeExtension(**options: Any) -> Wikilinks:  # noqa: ANN401, N802  Markdown's
    """Return the extension; Markdown calls this."""
    return Wikilinks(**options)


def set_up(pelican: dict[str, Any], settings: Settings) -> None:
    """Add the extension to Pelican's settings or remove it, as IMAGEHOST_WIKILINKS says.

    A content cache that was written the other way is not loaded.

    Args:
        pelican: Pelican's settings, after it has loaded its plugins.
        settings: ours.
    """
    markdown = pelican["MARKDOWN"]
    extensions = [one for one in markdown.get("extensions", ()) if one != _NAME]
    others = (*pelican["PLUGINS"], *extensions, *markdown.get("extension_configs", ()))
    is_on = settings.wikilinks
    if is_on is None:
        is_on = not any(map(_OTHERS.search, _names(others)))
    pelican["MARKDOWN"] = {**markdown, "extensions": [*extensions, *([_NAME] if is_on else ())]}
    if not _fits(settings.index.parent, is_on=is_on):
        pelican["LOAD_CONTENT_CACHE"] = False


def note_cache(pelican: dict[str, Any], settings: Settings) -> None:
    """Write down how the content cache was written, after it was.

    Args:
        pelican: Pelican's settings.
        settings: ours.
    """
    if not pelican["CACHE_CONTENT"]:
        return
    note = settings.index.parent / _NOTE
    with suppress(OSError):  # without the note, or with an old one, the cache is not loaded
        if _NAME in pelican["MARKDOWN"]["extensions"]:
            note.write_bytes(b"")
        else:
            note.unlink(missing_ok=True)


def _names(things: Iterable[object]) -> Iterator[str]:
    """Yield the names of plugins and of extensions, which may be objects too."""
    for thing in things:
        if isinstance(thing, str):
            yield thing
        else:
            yield (
                getattr(thing, "__name__", "") or f"{type(thing).__module__}.{type(thing).__name__}"
            )


def _fits(folder: Path, *, is_on: bool) -> bool:
    """Return whether the content cache was written with embeds, or without, as it will be read."""
    try:
        noted = (folder / _NOTE).stat().st_mtime_ns
    except OSError:
        return not is_on
    caches = (
        entry for entry in os.scandir(folder) if entry.name.endswith(("Generator", "-Readers"))
    )
    return is_on and all(cache.stat().st_mtime_ns <= noted for cache in caches)
