"""The gallery's endpoints: its pages, a session for a browser, and deleting."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    RedirectResponse,
    Response,
)
from starlette.routing import Route

from pelican_imagehost.errors import ImageHostError
from pelican_imagehost.gallery.assets import find_asset
from pelican_imagehost.gallery.page import (
    Front,
    headers,
    render_deleted,
    render_gallery,
    render_login,
)
from pelican_imagehost.gallery.query import Query
from pelican_imagehost.gallery.view import Gallery
from pelican_imagehost.images.image import KEY, MEDIA_TYPES
from pelican_imagehost.serve.access import COOKIE, SESSION_SECONDS, check_origin
from pelican_imagehost.serve.body import read_body
from pelican_imagehost.serve.deletion import delete
from pelican_imagehost.serve.images import HEADERS
from pelican_imagehost.serve.refusal import Refusal

if TYPE_CHECKING:
    from starlette.requests import Request

    from pelican_imagehost.serve.service import Service

__all__ = ["routes"]

_LONGEST = 64 * 1024  # bytes of a form
_MOST = 500  # images of one deletion
_FRONT = Front()
_PRIVATE = {"Cache-Control": "private, max-age=31536000, immutable"}
_ASSET = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
}


def routes(service: Service) -> list[Route]:
    """The routes of the gallery."""
    gallery = Gallery(service.settings)
    return [
        Route("/", partial(_show, service, gallery)),
        Route("/login", partial(_show_login, service), methods=["GET"]),
        Route("/login", partial(_log_in, service), methods=["POST"]),
        Route("/logout", _log_out, methods=["POST"]),
        Route("/delete", partial(_delete, service), methods=["POST"]),
        Route("/assets/{path:path}", _asset),
        Route("/thumbnails/{key:path}", partial(_thumbnail, service, gallery)),
    ]


async def _show(service: Service, gallery: Gallery, request: Request) -> Response:
    if service.access.session(request) is None:
        return RedirectResponse("/login", 303, {"Cache-Control": "no-store"})
    query = Query.parse(request.query_params)
    try:
        view = await run_in_threadpool(gallery.view, query)
    except ImageHostError as error:  # the manifest or the records cannot be read
        return Refusal(500, "unreadable", str(error)).answer()
    return _page(service, render_gallery(view, service.settings, _FRONT))


async def _show_login(service: Service, request: Request) -> Response:
    ticket = request.query_params.get("ticket")
    if ticket is None:
        return _page(service, render_login(_FRONT))
    name = service.access.redeem(ticket)
    if name is None:
        error = "This link is over; start the service again for another, or give a token."
        return _page(service, render_login(_FRONT, error), 401)
    return _let_in(service, request, name)


async def _log_in(service: Service, request: Request) -> Response:
    try:
        check_origin(request)
        secret = (await _read_form(service, request)).get("token", [""])[0].strip()
        name = service.access.name_of(secret, request)
    except Refusal as refusal:
        page = render_login(_FRONT, str(refusal))
        return _page(service, page, refusal.status, refusal.headers)
    return _let_in(service, request, name)


def _let_in(service: Service, request: Request, name: str) -> Response:
    response = RedirectResponse("/", 303, {"Cache-Control": "no-store"})
    response.set_cookie(
        COOKIE,
        service.access.open_session(name),
        max_age=SESSION_SECONDS,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return response


async def _log_out(request: Request) -> Response:
    try:
        check_origin(request)
    except Refusal as refusal:
        return refusal.answer()
    response = RedirectResponse("/login", 303, {"Cache-Control": "no-store"})
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


async def _delete(service: Service, request: Request) -> Response:
    try:
        service.access.check(request)
        digests = await _read_digests(service, request)
        deletions = await delete(service, digests)
    except Refusal as refusal:
        return refusal.answer()
    if _is_json(request):
        return JSONResponse({"deletions": [deletion._asdict() for deletion in deletions]})
    return _page(service, render_deleted(deletions, _FRONT))


async def _thumbnail(service: Service, gallery: Gallery, request: Request) -> Response:
    try:
        service.access.check(request)  # decoding costs more than sending
        return await _send_thumbnail(gallery, request.path_params["key"])
    except Refusal as refusal:
        return refusal.answer()


async def _send_thumbnail(gallery: Gallery, key: str) -> Response:
    if KEY.fullmatch(key) is None or not gallery.store.path(key).is_file():
        raise Refusal(404, "not_found", "there is no such image")
    file = await run_in_threadpool(gallery.thumbnails.find, key)
    kind = MEDIA_TYPES[file.suffix.removeprefix(".")]
    return FileResponse(file, headers=HEADERS | _PRIVATE, media_type=kind)


async def _asset(request: Request) -> Response:
    asset = find_asset(request.path_params["path"])
    if asset is None:
        return Refusal(404, "not_found", "there is no such file").answer()
    return Response(asset.data, headers=_ASSET, media_type=asset.type)


async def _read_digests(service: Service, request: Request) -> list[str]:
    """Read which images a form or a piece of JSON names, each once.

    Raises:
        Refusal: it names none, too many, or something else.
    """
    if _is_json(request):
        try:
            named = json.loads(await read_body(request, _LONGEST, service.patience))["sha256"]
        except (ValueError, TypeError, KeyError, RecursionError):
            named = None
    else:
        named = (await _read_form(service, request)).get("sha256")
    if not isinstance(named, list) or not 0 < len(named) <= _MOST:
        raise Refusal(400, "no_images", f"name 1 to {_MOST} images by their SHA-256")
    if not all(isinstance(name, str) and re.fullmatch("[0-9a-f]{64}", name) for name in named):
        raise Refusal(400, "no_images", "an image is named by 64 hexadecimal digits")
    return list(dict.fromkeys(named))


async def _read_form(service: Service, request: Request) -> dict[str, list[str]]:
    body = await read_body(request, _LONGEST, service.patience)
    try:
        return parse_qs(body.decode("ascii"), max_num_fields=_MOST + 1)
    except ValueError as error:
        raise Refusal(400, "no_form", "this is no form that a browser sends") from error


def _is_json(request: Request) -> bool:
    return request.headers.get("content-type", "").startswith("application/json")


def _page(
    service: Service, page: str, status: int = 200, more: dict[str, str] | None = None
) -> Response:
    return HTMLResponse(page, status, {**headers(service.settings), **(more or {})})
