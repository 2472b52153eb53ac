"""Where the URLs of written pages lead: to a file of the output, elsewhere, or nowhere."""

from __future__ import annotations

import fnmatch
import os
import posixpath
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pelican_imagehost.settings import Settings

__all__ = ["Targets"]

_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")


class Targets:
    """The files of an output, as URLs name them.

    Args:
        settings: the settings of the site.
    """

    def __init__(self, settings: Settings) -> None:
        self._output = str(settings.output)
        self._ignore = settings.ignore
        site = urlsplit(settings.site_url)
        self._host = f"//{site.netloc}" if site.netloc else ""
        self._path = site.path
        self._link_pattern = settings.link_pattern
        self._known: dict[str, bool] = {}

    def leads_nowhere(self, url: str, folder: str) -> bool:
        """Return whether a URL means a file of this site that the output does not have.

        Args:
            url: the URL, character references resolved.
            folder: the folder of the page in the output, relative, "" for the top.
        """
        files = list(self._files(url, folder))
        return bool(files) and not any(map(self.is_file, files))

    def has(self, url: str, folder: str) -> bool:
        """Return whether a URL means a file of the output; see `leads_nowhere`."""
        return any(map(self.is_file, self._files(url, folder)))

    def file(self, url: str, folder: str) -> str | None:
        """Return the file that a URL means, relative to the output; None if it is not local."""
        return next(self._files(url, folder), None)

    def is_ignored(self, url: str) -> bool:
        """Return whether IMAGEHOST_IGNORE has a pattern for a URL, with SITEURL or without."""
        local = self._below_site(url)
        return any(
            fnmatch.fnmatchcase(one, pattern)
            for pattern in self._ignore
            for one in (url, local or url)
        )

    def _files(self, url: str, folder: str) -> Iterator[str]:
        """Yield the files that a URL may mean; a browser does not go above the top."""
        local = self._below_site(url)
        if local is None or self.is_ignored(url):
            return
        path = unquote(local.partition("#")[0].partition("?")[0], errors="surrogateescape")
        if path.startswith("/"):
            yield posixpath.normpath(path).lstrip("/")
        else:
            yield posixpath.normpath(posixpath.join(folder, path))
            yield posixpath.normpath(posixpath.join("/", folder, path)).lstrip("/")

    def _below_site(self, url: str) -> str | None:
        """Remove the address of the site; None if the URL is not below it."""
        intrasite = self._link_pattern.match(url)
        if intrasite is not None:
            return url[intrasite.end() :]
        if url[:1] == "#":
            return None
        path = url
        if url.startswith("//") or _SCHEME.match(url):
            path = url[url.find("//") :]
            if not (self._host and path.startswith(f"{self._host}/")):
                return None
            path = path[len(self._host) :]
        if not path.startswith("/"):
            return path
        return path[len(self._path) :] if path.startswith(f"{self._path}/") else None

    def is_file(self, file: str) -> bool:
        """Return whether the output has a file, relative to it."""
        known = self._known.get(file)
        if known is None:
            try:
                known = os.path.isfile(f"{self._output}/{file}")
            except ValueError:  # a NUL
                known = False
            self._known[file] = known
        return known
