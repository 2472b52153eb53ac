"""The gallery as a page of the preview, read-only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qsl

from pelican_imagehost.errors import ImageHostError
from pelican_imagehost.gallery.assets import find_asset
from pelican_imagehost.gallery.page import Front, headers, render_gallery
from pelican_imagehost.gallery.query import Query
from pelican_imagehost.gallery.view import Gallery
from pelican_imagehost.images.image import KEY, MEDIA_TYPES, POLICY

if TYPE_CHECKING:
    from pelican_imagehost.settings import Settings

__all__ = ["PAGE", "Answer", "Images"]

PAGE: Final = "/.imagehost/images"


class Answer(NamedTuple):
    """An answer to a request.

    Attributes:
        type: the media type.
        body: the content.
        policy: the content security policy.
    """

    type: str
    body: bytes
    policy: str


class Images:
    """The gallery of the site being drafted.

    Args:
        settings: the settings of the site.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._gallery = Gallery(settings)
        self._front = Front("/.imagehost/", PAGE, writable=False)
        self._policy = headers(settings)["Content-Security-Policy"]

    def answer(self, address: str, query: str) -> Answer | None:
        """Answer a request.

        Args:
            address: the path of the URL, unquoted.
            query: the query of the URL.

        Returns:
            The page, an image or an asset; None if there is nothing at the address.
        """
        if address == PAGE:
            return self._page(query)
        _, _, kind, path = (*address.split("/", 3), "", "", "")[:4]
        if kind == "assets":
            asset = find_asset(path)
            return Answer(asset.type, asset.data, self._policy) if asset else None
        if kind in {"images", "thumbnails"} and KEY.fullmatch(path):
            return self._image(path, small=kind == "thumbnails")
        return None

    def _page(self, query: str) -> Answer:
        try:
            view = self._gallery.view(Query.parse(dict(parse_qsl(query))))
        except ImageHostError as error:  # the manifest or the records cannot be read
            return Answer("text/plain; charset=utf-8", str(error).encode(), self._policy)
        page = render_gallery(view, self._settings, self._front)
        return Answer("text/html; charset=utf-8", page.encode(errors="replace"), self._policy)

    def _image(self, key: str, *, small: bool) -> Answer | None:
        try:
            file = self._gallery.thumbnails.find(key) if small else self._gallery.store.path(key)
            kind = file.suffix.removeprefix(".")
            return Answer(MEDIA_TYPES[kind], file.read_bytes(), POLICY)
        except OSError:
            return None
