"""The endpoints of the gallery: pages, login, deletion, and the stored images."""

from __future__ import annotations

import asyncio
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
    render_again,
    render_deleted,
    render_gallery,
    render_login,
)
from pelican_imagehost.gallery.query import Query
from pelican_imagehost.gallery.view import Gallery
from pelican_imagehost.images.image import KEY, MEDIA_TYPES, POLICY
from pelican_imagehost.serve.access import COOKIE, SESSION_SECONDS
from pelican_imagehost.serve.body import read_body
from pelican_imagehost.serve.deletion import delete
from pelican_imagehost.serve.origin import check_origin
from pelican_imagehost.serve.refusal import Refusal, explain, log_refusal

if TYPE_CHECKING:
    from starlette.requests import Request

    from pelican_imagehost.serve.service import Service

__all__ = ["routes"]

_LONGEST = 64 * 1024  # bytes of a form
_MOST = 500  # images of one deletion
_FRONT = Front()
_PRIVATE = {"Cache-Control": "private, max-age=31536000, immutable"}
# As in the nginx configuration of the host.
_IMAGE = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
}
_ASSET = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
}


def routes(service: Service) -> list[Route]:
    """Return the routes of the gallery and of all stored images."""
    gallery = Gallery(service.settings, fetches=service.settings.database is not None)
    return [
        Route("/", partial(_show, service, gallery)),
        Route("/login", partial(_show_login, service), methods=["GET"]),
        Route("/login", partial(_log_in, service), methods=["POST"]),
        Route("/logout", partial(_log_out, service), methods=["POST"]),
        Route("/delete", partial(_delete, service), methods=["POST"]),
        Route("/assets/{path:path}", _asset),
        Route("/images/{key:path}", partial(_image, service)),
        Route("/thumbnails/{key:path}", partial(_thumbnail, service, gallery, asyncio.Lock())),
    ]


async def _show(service: Service, gallery: Gallery, request: Request) -> Response:
    if service.access.session(request) is None:
        return _page(service, render_again(_FRONT)) if _is_led(request) else _send_to_login()
    query = Query.parse(request.query_params)
    try:
        view = await run_in_threadpool(gallery.view, query)
    except ImageHostError as error:  # the manifest or the records cannot be read
        return Refusal(500, "unreadable", str(error)).answer()
    return _page(service, render_gallery(view, service.settings, _FRONT))


def _is_led(request: Request) -> bool:
    """Return whether another site or a file led here, so that the browser held the cookie back.

    `SameSite=Strict` also holds back the cookie that a ticket has just set, if a file led here
    (RFC 6265bis, section 5.2). The page then loads itself once more, with the cookie.
    """
    return request.headers.get("sec-fetch-site") == "cross-site"


def _send_to_login() -> Response:
    return RedirectResponse("/login", 303, {"Cache-Control": "no-store"})


async def _show_login(service: Service, request: Request) -> Response:
    ticket = request.query_params.get("ticket")
    if ticket is None or request.method == "HEAD":  # a preview must not use the ticket up
        return _page(service, render_login(_FRONT))
    name = service.access.redeem(ticket)
    if name is None:
        error = (
            "This link has expired or was used; restart the service to get another, "
            "or enter a token."
        )
        return _page(service, render_login(_FRONT, error), 401)
    return _let_in(request, service.access.open_session(name, by_ticket=True))


async def _log_in(service: Service, request: Request) -> Response:
    try:
        check_origin(request)
        secret = (await _read_form(service, request)).get("token", [""])[0].strip()
        name = service.access.name_of(secret, request)
    except Refusal as refusal:
        log_refusal(request, refusal)
        page = render_login(_FRONT, str(refusal))
        return _page(service, page, refusal.status, refusal.headers)
    return _let_in(request, service.access.open_session(name))


def _let_in(request: Request, session: str) -> Response:
    response = RedirectResponse("/", 303, {"Cache-Control": "no-store"})
    response.set_cookie(
        COOKIE,
        session,
        max_age=SESSION_SECONDS,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return response


async def _log_out(service: Service, request: Request) -> Response:
    try:
        check_origin(request)
        service.access.end_session(request)
    except Refusal as refusal:
        return refusal.answer()
    response = _send_to_login()
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


async def _delete(service: Service, request: Request) -> Response:
    try:
        service.access.check(request)
        digests = await _read_digests(service, request)
        deletions = await delete(service, digests)
    except Refusal as refusal:
        log_refusal(request, refusal)
        return refusal.answer()
    if _is_json(request):
        return JSONResponse({"deletions": [deletion._asdict() for deletion in deletions]})
    return _page(service, render_deleted(deletions, _FRONT))


async def _thumbnail(
    service: Service, gallery: Gallery, turn: asyncio.Lock, request: Request
) -> Response:
    try:
        service.access.check(request)  # decoding is expensive
        return await _send_thumbnail(service, gallery, turn, request.path_params["key"])
    except Refusal as refusal:
        return refusal.answer()
    except ImageHostError as error:  # the bucket does not answer
        return explain(error).answer()


async def _send_thumbnail(
    service: Service, gallery: Gallery, turn: asyncio.Lock, key: str
) -> Response:
    is_key = KEY.fullmatch(key) is not None
    if not is_key or not await run_in_threadpool(service.store.fetch, key):
        raise Refusal(404, "not_found", "no such image")
    file = gallery.thumbnails.ready(key)
    if file is None:  # waiting for it must not occupy the threads that serve images
        async with turn:
            file = await run_in_threadpool(gallery.thumbnails.find, key)
    kind = MEDIA_TYPES[file.suffix.removeprefix(".")]
    return FileResponse(file, headers=_IMAGE | _PRIVATE, media_type=kind)


async def _image(service: Service, request: Request) -> Response:
    match = KEY.fullmatch(request.path_params["key"])
    if match and service.settings.database is not None:
        return RedirectResponse(service.settings.address_prefix + match[0], 302)
    file = service.settings.store / match[0] if match else None
    if match is None or file is None or not file.is_file():
        return Refusal(404, "not_found", "no such image", {"Cache-Control": "no-store"}).answer()
    return FileResponse(file, headers=_IMAGE, media_type=MEDIA_TYPES[match[3]])


async def _asset(request: Request) -> Response:
    asset = find_asset(request.path_params["path"])
    if asset is None:
        return Refusal(404, "not_found", "no such file").answer()
    return Response(asset.data, headers=_ASSET, media_type=asset.type)


async def _read_digests(service: Service, request: Request) -> list[str]:
    """Read the digests of images from a form or from JSON, each once.

    Raises:
        Refusal: no digests, too many, or invalid ones.
    """
    if _is_json(request):
        try:
            digests = json.loads(await read_body(request, _LONGEST, service.patience))["sha256"]
        except (ValueError, TypeError, KeyError, RecursionError):
            digests = None
    else:
        digests = (await _read_form(service, request)).get("sha256")
    if not isinstance(digests, list) or not 0 < len(digests) <= _MOST:
        raise Refusal(400, "no_images", f"send the SHA-256 of 1 to {_MOST} images")
    if not all(isinstance(one, str) and re.fullmatch("[0-9a-f]{64}", one) for one in digests):
        raise Refusal(400, "no_images", "a SHA-256 must have 64 hexadecimal digits")
    return list(dict.fromkeys(digests))


async def _read_form(service: Service, request: Request) -> dict[str, list[str]]:
    body = await read_body(request, _LONGEST, service.patience)
    try:
        return parse_qs(body.decode("ascii"), max_num_fields=_MOST + 1)
    except ValueError as error:
        raise Refusal(400, "no_form", "the form cannot be read") from error


def _is_json(request: Request) -> bool:
    return request.headers.get("content-type", "").startswith("application/json")


def _page(
    service: Service, page: str, status: int = 200, more: dict[str, str] | None = None
) -> Response:
    return HTMLResponse(page, status, {**headers(service.settings), **(more or {})})
