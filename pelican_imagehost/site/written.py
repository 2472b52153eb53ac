"""The texts that Pelican writes, seen on their way to the output.

Every page and every feed passes through `_open_w` of the writer, also of one that another
plugin made, and while drafting. So a text is seen whole, once and in memory: addresses in it
are repaired, and the pictures of a page decorated.
"""

from __future__ import annotations

import io
import os
import posixpath
import re
from functools import cached_property, partial
from typing import IO, TYPE_CHECKING, Any

from blinker import ANY
from pelican import signals

from pelican_imagehost.documents.decorate import decorate
from pelican_imagehost.documents.fallbacks import name_in_feed, name_in_page
from pelican_imagehost.documents.sources import fallback_of, sources_of
from pelican_imagehost.settings import STORE_FOLDERS
from pelican_imagehost.site.names import name_of, urls_in
from pelican_imagehost.site.repair import Repair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from pelican_imagehost.documents.decorate import Size
    from pelican_imagehost.documents.sources import Sources
    from pelican_imagehost.images.image import Image
    from pelican_imagehost.settings import Settings

__all__ = ["Written", "see_texts"]

_PAGES = (".html", ".htm")
_Stamp = tuple[int, int, int]  # size, time in ns, inode
_LATER = (
    signals.content_written,
    signals.feed_written,
    signals.get_generators,
    signals.finalized,
)
# The texts of feeds are shown elsewhere, so their addresses stay complete.
_FEED = re.compile(r"\s*<\?xml[^>]*>\s*(?:<\?[^>]*>\s*|<!--.*?-->\s*)*+<(?:rss|feed)\b", re.DOTALL)


class Written:
    """The texts of one run of Pelican.

    Args:
        settings: the settings of the site.
        earlier: the texts of an earlier run, whose images are known.

    Attributes:
        urls: (folder of the page, or "" for a URL that means the same in each; URL of an
            image that is not hosted) → the files that contain it, relative to the output.
        repair: repairs a text.
        images: digest → image, of those that texts may name.
        sizes: digest → width and height of each of those; None if it has none of its own.
    """

    def __init__(self, settings: Settings, earlier: Written | None = None) -> None:
        self.urls: dict[tuple[str, str], list[str]] = {}
        self.repair = Repair(settings)
        self.sizes: dict[str, Size | None] = earlier.sizes if earlier else {}
        self.images: dict[str, Image] = earlier.images if earlier else {}
        self._formats = settings.formats
        self._widths = settings.widths
        self._shown = settings.sizes
        self._output = os.path.join(settings.output, "")
        self._prefix = settings.address_prefix
        self._decorates = settings.decorate
        self._site_url = settings.site_url
        self._is_relative = settings.relative_urls
        self._is_embedded = settings.embedded is not None
        self._stamps: dict[str, _Stamp | None] = {}

    def know(self, images: Iterable[Image]) -> None:
        """Take note of hosted images that texts may name; of all others a name may lead nowhere."""
        known: dict[str, Image] = {}
        for image in images:
            # An SVG may have no size of its own, which its numbers do not say.
            is_drawn = image.type == "svg"
            self.sizes[image.sha256] = None if is_drawn else (image.width, image.height)
            if image.forms or image.sha256 not in known:  # of two files, one may lack them
                known[image.sha256] = image
        self.images |= known

    def know_variant(self, variant: Image) -> None:
        """Take note of a variant that a theme is about to name."""
        self.sizes.setdefault(variant.sha256, (variant.width, variant.height))

    def see(self, path: str, text: str) -> str:
        """Repair a text that is about to be written, note the URLs in it, and name variants in it.

        Args:
            path: the absolute file.
            text: a page, a feed or another text.

        Returns:
            The text to write.
        """
        if not path.startswith(self._output):
            return text
        name = path[len(self._output) :].replace(os.sep, "/")
        is_feed = _FEED.match(text) is not None
        top = self.top(name) if self._is_relative and not is_feed else ""
        text = self.repair(text, top)
        self.note(name, text, top)
        if is_feed:
            return name_in_feed(text, self._prefix, self._fallback) if self._formats else text
        if not name.endswith(_PAGES):
            return text
        prefix = f"{top}/{STORE_FOLDERS[0]}/" if top and self._is_embedded else self._prefix
        if self._formats:
            text = name_in_page(text, prefix, self._prefix, self._fallback)
        if not self._decorates:
            return text
        find = partial(self._sources, prefix) if self._formats else None
        return decorate(text, prefix, self.sizes.get, find, self._shown)

    def _sources(self, prefix: str, digest: str, sizes: str) -> Sources | None:
        image = self.images.get(digest)
        if image is None or not image.forms:
            return None
        return sources_of(image, prefix, self._formats, self._widths, sizes)

    def _fallback(self, digest: str) -> Image | None:
        image = self.images.get(digest)
        return fallback_of(image) if image else None

    def top(self, name: str) -> str:
        """Return what a page writes before the path of a file; without a slash at its end."""
        return ("/".join([".."] * name.count("/")) or ".") if self._is_relative else self._site_url

    def note(self, name: str, text: str, top: str = "") -> None:
        """Note the URLs in a text.

        Args:
            name: the file, relative to the output.
            text: its text.
            top: as for `Repair`.
        """
        own = (self._prefix, f"{top}/{STORE_FOLDERS[0]}/") if top else (self._prefix,)
        folder = posixpath.dirname(name) or "."
        for url in dict.fromkeys(urls_in(text, own, self.sizes)):
            key = ("" if url.startswith(("/", "http")) else folder, url)
            self.urls.setdefault(key, []).append(name)

    def remember(self, path: str) -> None:
        """Remember a text as it was written."""
        self._stamps[path] = _stamp(path) if self._may_change else None

    def names(self) -> set[str]:
        """Return every name in the texts, as `name_of` gives it."""
        return {name_of(url) for _, url in self.urls}

    def files(self) -> list[str]:
        """Return the files that were written here, absolute."""
        return list(self._stamps)

    def has(self, path: str) -> bool:
        """Return whether a file was written here, even if it was changed since."""
        return path in self._stamps

    def is_unchanged(self, path: str) -> bool:
        """Return whether a file is as it was written here."""
        return path in self._stamps and (not self._may_change or self._stamps[path] == _stamp(path))

    @cached_property
    def _may_change(self) -> bool:
        """Return whether a plugin other than ours may change files after they are written."""
        return any(
            not receiver.__module__.startswith("pelican_imagehost.")
            for signal in _LATER
            for receiver in signal.receivers_for(ANY)
        )


def see_texts(writer: Any, current: Callable[[], Written | None]) -> None:  # noqa: ANN401  of Pelican
    """Let the texts of a writer be seen on their way.

    Args:
        writer: a writer of Pelican; one of another kind is left alone.
        current: returns who sees the texts; None if nobody does at that time.
    """
    if hasattr(writer, "_open_w"):
        writer._open_w = partial(_open, writer._open_w, current)  # noqa: SLF001  the one way of all texts


def _open(
    open_w: Callable[..., IO[str]],
    current: Callable[[], Written | None],
    filename: str,
    *arguments: Any,  # noqa: ANN401  of Pelican
    **options: Any,  # noqa: ANN401  of Pelican
) -> IO[str]:
    file = open_w(filename, *arguments, **options)
    written = current()
    skipped = getattr(file, "name", filename) == os.devnull  # overridden by another file
    return file if written is None or skipped else _Text(file, filename, written)


class _Text(io.StringIO):
    """A text that goes to its file when it is closed."""

    def __init__(self, file: IO[str], path: str, written: Written) -> None:
        super().__init__()
        self.name = path
        self._file = file
        self._written = written

    def close(self) -> None:
        """Write the text."""
        if not self.closed:
            text = self.getvalue()
            super().close()
            with self._file:
                self._file.write(self._written.see(self.name, text))
            self._written.remember(self.name)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:  # incomplete, so it stays as little as without us
            super().close()
            self._file.__exit__(kind, error, trace)
        self.close()


def _stamp(path: str) -> _Stamp | None:
    try:
        status = os.stat(path)
    except OSError:  # the writer of a plugin may have put it elsewhere
        return None
    return status.st_size, status.st_mtime_ns, status.st_ino
