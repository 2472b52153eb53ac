"""From references to files, within the folders of the site only."""

from __future__ import annotations

import errno
import fnmatch
import os
import re
import stat
import unicodedata
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from pelican_imagehost.documents.bounds import Bounds
from pelican_imagehost.documents.location import Location
from pelican_imagehost.documents.names import Names
from pelican_imagehost.documents.wikilinks import target_of
from pelican_imagehost.errors import MissingImage, OutsideSite, UnreadableImage
from pelican_imagehost.images.image import KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from pelican_imagehost.settings import Settings

__all__ = ["Place", "Resolver"]

_SPACE = "\t\n\f\r "  # HTML strips these from a URL (URL Standard, section 4.4)
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:|//|\\\\")
_PLAIN = re.compile(r"(?:\w[\w .()-]*/)*\w[\w .()-]*\.\w+", re.ASCII)
_OURS = frozenset(["static", "attach", "filename"])
_ABSENT = frozenset([errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL])


class Place(NamedTuple):
    """The place of a reference.

    Attributes:
        folder: the absolute folder of the document.
        page: returns the folder of its page in the output, relative, "" for the top.
    """

    folder: str
    page: Callable[[], str]


class _Folder(NamedTuple):
    real: str  # symbolic links followed
    path: str  # as in the manifest
    inside: bool


class Resolver:
    """Finds the files of references; caches folders, so use one instance per run.

    Args:
        settings: the settings of the site.
        known: the paths in the manifest, for files that are missing.
    """

    def __init__(self, settings: Settings, known: Collection[str]) -> None:
        self._settings = settings
        self._known = known
        self._folders: dict[str, _Folder] = {}
        self._roots = list(map(str, settings.image_folders))
        self._bounds = Bounds(self._roots)
        self._site_path = urlsplit(settings.site_url).path
        self._names = Names(settings, self._roots, known)

    def resolve(self, url: str, place: Place) -> Location | None:
        """Find the file that a reference means.

        Candidates in order: beside the document, relative to its page as a browser resolves it,
        the content root, STATIC_PATHS, IMAGEHOST_SEARCH_PATHS; each as written, then
        percent-decoded, then in the other Unicode normal form (NFC, NFD: UAX #15).

        A target of a wikilink (`Embed.url`) is then searched for in all folders, by its last
        parts: the one in the fewest folders is meant, as in Obsidian.

        Args:
            url: the reference, character references resolved.
            place: the place of the reference.

        Returns:
            The image; None if the reference is not local.

        Raises:
            MissingImage: the file does not exist; the message suggests a similar name.
            OutsideSite: the file is outside the folders of the site.
            UnreadableImage: it is a folder, or access is denied.
        """
        if _PLAIN.fullmatch(url) and not self._settings.ignore:
            with suppress(OutsideSite, UnreadableImage):  # the search below decides
                found = self._look(f"{place.folder}/{url}")  # the usual case, three times faster
                if found is not None:
                    return found
        target = target_of(url)
        local = self._localise((target or url).strip(_SPACE))
        if local is None:
            return None
        path, suffix = _split(local)
        stored = self._stored(path)
        found = stored._replace(suffix=suffix) if stored else self._find(path, suffix, place)
        if found is None and target is not None:
            found = self._anywhere(path, suffix)
        if found is None:
            if self._in_theme(path, place) or self._on_host(url):
                return None
            raise self._missing(path, place)
        return found

    def _find(self, path: str, suffix: str, place: Place) -> Location | None:
        found, failure = None, None
        try:
            found = self._search(path, place)
        except (OutsideSite, UnreadableImage) as error:
            failure = error
        if found is not None:
            return found._replace(suffix=suffix)
        # "C# notes.png": the # is part of the name
        whole = self._search(path + suffix, place) if suffix else None
        if whole is None and failure is not None:
            raise failure
        return whole

    def _localise(self, url: str) -> str | None:
        """Remove the address of this site from a URL; return None if it is another site."""
        if not url or url.startswith("#") or self._is_ignored(url):
            return None
        local = self._without_site(url)
        return None if local is None or self._is_ignored(local) else local

    def _without_site(self, url: str) -> str | None:
        intrasite = self._settings.link_pattern.match(url)
        if intrasite is not None:
            return url[intrasite.end() :] if intrasite["what"] in _OURS else None
        if _SCHEME.match(url) is None:
            return url
        for prefix in filter(None, (self._settings.site_url, self._settings.url)):
            if url.startswith(prefix + "/"):
                return url[len(prefix) :]
        if url[:8].lower() == "file:///":
            return url[7:]
        return None

    def _is_ignored(self, url: str) -> bool:
        """Return whether a pattern matches a URL, or its path in this site."""
        if not self._settings.ignore:
            return False
        paths = {url, unquote(url)}
        prefix = f"{self._site_path}/"
        paths |= {path[len(prefix) - 1 :] for path in paths if path.startswith(prefix)}
        patterns = self._settings.ignore
        return any(fnmatch.fnmatchcase(path, pattern) for path in paths for pattern in patterns)

    def _stored(self, path: str) -> Location | None:
        """Resolve an address in the store, `…/ab/ab12….jpg`, as printed by `add`."""
        match = KEY.fullmatch(path, path.rfind("/", 0, path.rfind("/")) + 1)
        if match is None:
            return None
        file = f"{self._settings.store}/{match[0]}"
        name = self._settings.relative(file)
        try:
            return Location(name, file, os.lstat(file), "")
        except OSError as error:
            return self._absent(name, error)

    def _anywhere(self, path: str, suffix: str) -> Location | None:
        """Find the file of a wikilink in any folder."""
        for name, rest in dict.fromkeys([(path, suffix), (path + suffix, "")]):
            files = self._names.anywhere(unquote(name))
            if len(files) > 1:
                which = ", ".join(map(self._settings.relative, files))
                raise MissingImage(f"several files have this name: {which}; add the folder")
            found = self._look(files[0]) if files else None
            if found is not None:
                return found._replace(suffix=rest)
        return None

    def _on_host(self, url: str) -> bool:
        """Return whether a URL is on the image host, which may have images of other sites."""
        return self._settings.url is not None and url.lstrip().startswith(self._settings.url)

    def _search(self, path: str, place: Place) -> Location | None:
        failure: Exception | None = None
        for candidate in self._candidates(path, place):
            try:
                found = self._look(candidate)
            except (OutsideSite, UnreadableImage) as error:
                failure = failure or error
                continue
            if found is not None:
                return found
        if failure is not None:
            raise failure
        return None

    def _candidates(self, path: str, place: Place) -> Iterator[str]:
        for spelling in _spellings(path):
            for folder, name in self._bases(spelling, place):
                yield os.path.normpath(f"{folder}/{name}")
            source = self._settings.output_names.get(spelling.strip("/"))
            if source is not None:
                yield str(source)
            if spelling.startswith("/"):  # editors insert absolute paths
                yield os.path.normpath(spelling)

    def _bases(self, path: str, place: Place) -> Iterator[tuple[str, str]]:
        if not path.startswith("/"):
            yield place.folder, path
            yield self._roots[0], f"{place.page()}/{path}"
        name = path.lstrip("/")
        for root in self._roots:
            yield root, name
        prefix = f"{self._site_path}/"
        if prefix != "/" and path.startswith(prefix):
            yield self._roots[0], path[len(prefix) :]

    def _look(self, candidate: str) -> Location | None:
        directory, name = os.path.split(candidate)
        folder = self._folders.get(directory) or self._open_folder(directory)
        path = f"{folder.path}/{name}" if folder.path else name
        if not path.isascii():
            path = unicodedata.normalize("NFC", path)
        try:
            status = os.lstat(candidate)
            file, inside = candidate, folder.inside
            if stat.S_ISLNK(status.st_mode):
                file = os.path.realpath(candidate)
                status, inside = os.stat(file), self._bounds.contain(file)
        except (OSError, ValueError) as error:
            return self._absent(path, error)
        if not inside:
            raise self._outside(candidate, file)
        if not stat.S_ISREG(status.st_mode):
            is_folder = stat.S_ISDIR(status.st_mode)
            kind = "is a folder, not an image" if is_folder else "is not a regular file"
            raise UnreadableImage(f"{self._settings.relative(candidate)} {kind}")
        return Location(path, file, status, "")

    def _absent(self, path: str, error: OSError | ValueError) -> Location | None:
        if isinstance(error, OSError) and error.errno not in _ABSENT:
            raise UnreadableImage(f"{path} cannot be read: {error.strerror}") from error
        return Location(path, "", None, "") if path in self._known else None

    def _open_folder(self, directory: str) -> _Folder:
        real = directory
        with suppress(ValueError):  # a NUL, or half a character
            real = os.path.realpath(directory)
        path = os.path.relpath(directory, self._settings.root).replace(os.sep, "/")
        folder = _Folder(real, "" if path == "." else path, self._bounds.contain(real))
        self._folders[directory] = folder
        return folder

    def _outside(self, candidate: str, file: str) -> OutsideSite:
        via = f", a link to {file}," if file != candidate else ""
        return OutsideSite(
            f"{self._settings.relative(candidate)}{via} is outside the folders of the site; "
            "add its folder to IMAGEHOST_SEARCH_PATHS to publish it"
        )

    def _in_theme(self, path: str, place: Place) -> bool:
        """Return whether the path is a static file of the theme, which Pelican copies."""
        bases = self._bases(unquote(path), place)
        names = {
            os.path.normpath(name).lstrip("/") for root, name in bases if root == self._roots[0]
        }
        prefix = f"{self._settings.theme_prefix}/"
        return any(
            os.path.isfile(folder / name.removeprefix(prefix))
            for name in names
            if name.startswith(prefix)
            for folder in self._settings.theme_static
        )

    def _missing(self, path: str, place: Place) -> MissingImage:
        name = unquote(path).rpartition("/")[2]
        looked = list(dict.fromkeys(folder for folder, _ in self._bases(path, place)))
        where = ", ".join(self._settings.relative(folder) for folder in looked)
        return MissingImage(
            f"no such file (looked in {where}){self._names.near_miss(name, place.folder)}"
        )


def _split(url: str) -> tuple[str, str]:
    """Split a URL before its query and fragment (RFC 3986, section 3)."""
    end = min((i for i in (url.find("?"), url.find("#")) if i >= 0), default=len(url))
    return url[:end], url[end:]


def _spellings(path: str) -> Iterator[str]:
    r"""Yield a path as written, percent-decoded, in both normal forms, and with `\\` as `/`."""
    decoded = unquote(path, errors="surrogateescape") if "%" in path else path
    spellings = [path, decoded]
    if not decoded.isascii():
        spellings += [unicodedata.normalize(form, decoded) for form in ("NFC", "NFD")]
    if "\\" in decoded:
        spellings.append(decoded.replace("\\", "/"))
    yield from dict.fromkeys(filter(None, spellings))
