"""Stored images over HTTP, where no nginx stands before the service."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from starlette.responses import FileResponse, Response
from starlette.routing import Route

from pelican_imagehost.images.image import KEY, MEDIA_TYPES
from pelican_imagehost.serve.refusal import Refusal

if TYPE_CHECKING:
    from starlette.requests import Request

    from pelican_imagehost.serve.service import Service

__all__ = ["HEADERS", "routes"]

# As the host's nginx says: an image opened by itself runs nothing and loads nothing.
HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; sandbox"
    ),
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
}


def routes(service: Service) -> list[Route]:
    """The route of all stored images."""
    return [Route("/images/{key:path}", partial(_image, service))]


async def _image(service: Service, request: Request) -> Response:
    match = KEY.fullmatch(request.path_params["key"])
    file = service.store.path(match[0]) if match else None
    if match is None or file is None or not file.is_file():
        headers = {"Cache-Control": "no-store"}
        return Refusal(404, "not_found", "there is no such image", headers).answer()
    return FileResponse(file, headers=HEADERS, media_type=MEDIA_TYPES[match[3]])
