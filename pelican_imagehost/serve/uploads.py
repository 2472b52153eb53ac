"""The endpoints for uploads."""

from __future__ import annotations

import json
import logging
import re
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pelican_imagehost.errors import ImageHostError
from pelican_imagehost.images.identify import read
from pelican_imagehost.serve.body import answer_refused, read_body
from pelican_imagehost.serve.dialects import DIALECTS, PICGO, Dialect, sharex
from pelican_imagehost.serve.form import Form, receive_form
from pelican_imagehost.serve.origin import is_local
from pelican_imagehost.serve.refusal import Refusal, explain

if TYPE_CHECKING:
    from starlette.requests import Request

    from pelican_imagehost.serve.service import Service

__all__ = ["routes"]

logger = logging.getLogger(__name__)

_SHOWN = 500  # characters sent by a client, in messages
_LONGEST_LIST = 256 * 1024  # bytes of JSON


def routes(service: Service) -> list[Route]:
    """Return the routes of all dialects."""
    uploads = [
        Route(dialect.path, partial(_upload, service, dialect), methods=["POST"])
        for dialect in DIALECTS
    ]
    return [
        *uploads,
        Route("/heartbeat", _heartbeat, methods=["POST"]),
        Route("/pelican-imagehost.sxcu", partial(_sharex, service)),
    ]


async def _upload(service: Service, dialect: Dialect, request: Request) -> Response:
    try:
        token = service.access.check(request)
        form = await _receive(service, dialect, request)
        try:
            _check_files(form, dialect)
            hosted = await service.take(form.files, token)
        finally:
            form.discard()
    except (Refusal, ImageHostError) as error:
        refusal = error if isinstance(error, Refusal) else explain(error)
        return answer_refused(request, dialect.failure(refusal), refusal, service.patience)
    for _, name, url in hosted:
        logger.info("%s: %s (%s)", token, name, url)
    return JSONResponse(dialect.success(hosted))


async def _receive(service: Service, dialect: Dialect, request: Request) -> Form:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if dialect is PICGO and kind == "application/json":
        return await _receive_list(service, request)
    return await receive_form(
        request, service.spool, dialect.fields, files=dialect.files, patience=service.patience
    )


def _check_files(form: Form, dialect: Dialect) -> None:
    if form.files:
        return
    names = " or ".join(dialect.fields)
    found = ", ".join([*form.others, *form.fields]) or "nothing"
    message = f"the form does not have a file in the field {names}; found {found[:_SHOWN]}"
    raise Refusal(400, "no_file", message)


async def _receive_list(service: Service, request: Request) -> Form:
    """Read files from a list of paths, sent by a program on this machine (PicGo server).

    Raises:
        Refusal: the request may be from another machine, or is not a list of files.
        ImageHostError: one of the files cannot be read.
    """
    if not (service.allow_local_paths or is_local(request)):
        raise Refusal(
            403,
            "not_local",
            "paths are only accepted from programs on this machine; upload the file",
        )
    paths = _parse_list(await read_body(request, _LONGEST_LIST, service.patience))
    return await run_in_threadpool(_read_files, service, paths)


def _parse_list(body: bytes) -> list[str]:
    try:
        value: Any = json.loads(body)
        paths = value["list"]
    except (ValueError, TypeError, KeyError, RecursionError):
        paths = None
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise Refusal(400, "no_list", 'expected JSON like {"list": ["/home/me/cat.png"]}')
    if not 0 < len(paths) <= PICGO.files:
        raise Refusal(
            400, "no_file", f"the list has {len(paths)} files; send 1 to {PICGO.files} files"
        )
    return [_path(path) for path in paths]


def _path(path: str) -> str:
    shown = repr(path[:_SHOWN])
    if path.lower().startswith("file:"):
        path = unquote(re.sub("(?i)^file:(//[^/]*)?", "", path))
    if "://" in path or path.startswith(("data:", "//")):
        raise Refusal(400, "no_file", f"{shown}: URLs are not fetched; upload the file")
    if not path.startswith("/") and path[1:3] not in {":\\", ":/"}:
        raise Refusal(400, "no_file", f"{shown}: the path must be absolute")
    return path


def _read_files(service: Service, paths: list[str]) -> Form:
    form = Form({}, [], [])
    try:
        for path in paths:
            data = _read_file(service, path)
            form.files.append(service.spool.open(path))
            form.files[-1].write(data)
    except BaseException:
        form.discard()
        raise
    return form


def _read_file(service: Service, path: str) -> bytes:
    shown = repr(path[:_SHOWN])
    try:
        return read(path, service.settings.limits).data
    except ImageHostError as error:
        raise explain(error, shown) from error
    except ValueError as error:  # a NUL, or characters that no file name can contain
        raise Refusal(400, "unreadable", f"{shown}: {error}") from error


async def _heartbeat(_request: Request) -> Response:
    return JSONResponse({"success": True, "result": "alive"})


async def _sharex(service: Service, request: Request) -> Response:
    try:
        secret = service.access.secret_for(request)
    except Refusal as refusal:
        return refusal.answer()
    base = str(request.base_url).rstrip("/")
    headers = {"Content-Disposition": 'attachment; filename="pelican-imagehost.sxcu"',
               "Cache-Control": "no-store"}  # fmt: skip
    return JSONResponse(sharex(base, secret), headers=headers)
