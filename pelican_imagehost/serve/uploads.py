"""The endpoints for uploads."""

from __future__ import annotations

import json
import logging
import os
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pelican_imagehost.documents.local import local_file
from pelican_imagehost.errors import ImageHostError
from pelican_imagehost.images.identify import read
from pelican_imagehost.serve.body import answer_refused, read_body
from pelican_imagehost.serve.cors import answer_preflight, let_read
from pelican_imagehost.serve.dialects import DIALECTS, PICGO, Dialect, sharex
from pelican_imagehost.serve.form import Form, receive_form
from pelican_imagehost.serve.origin import is_local
from pelican_imagehost.serve.refusal import Refusal, explain, log_refusal

if TYPE_CHECKING:
    from starlette.requests import Request

    from pelican_imagehost.serve.service import Service

__all__ = ["routes"]

logger = logging.getLogger(__name__)

_SHOWN = 500  # characters sent by a client, in messages
_LONGEST_LIST = 256 * 1024  # bytes of JSON
_OBSIDIAN = ' (in Obsidian\'s Image auto upload plugin: turn on "remote server mode")'


def routes(service: Service) -> list[Route]:
    """Return the routes of all dialects."""
    uploads = [
        Route(dialect.path, partial(_upload, service, dialect), methods=["POST", "OPTIONS"])
        for dialect in DIALECTS
    ]
    return [
        *uploads,
        Route("/heartbeat", partial(_heartbeat, service), methods=["POST", "OPTIONS"]),
        Route("/pelican-imagehost.sxcu", partial(_sharex, service)),
    ]


async def _upload(service: Service, dialect: Dialect, request: Request) -> Response:
    origins = service.settings.origins
    if request.method == "OPTIONS":
        return answer_preflight(request, origins)
    try:
        token, form = await _admit(service, dialect, request)
        try:
            _check_files(form, dialect)
            hosted = await service.take(form.files, token)
        finally:
            form.discard()
    except (Refusal, ImageHostError) as error:
        refusal = error if isinstance(error, Refusal) else explain(error)
        log_refusal(request, refusal)
        content = dialect.failure(refusal)
        answer = answer_refused(request, content, refusal, service.patience)
        return let_read(answer, request, origins)
    for _, name, url in hosted:
        logger.info("%s: %s (%s)", token, name, url)
    return let_read(JSONResponse(dialect.success(hosted)), request, origins)


async def _admit(service: Service, dialect: Dialect, request: Request) -> tuple[str, Form]:
    """Check the token, and receive the form; the token may be in the form, even at its end.

    Returns:
        The name of the token, and the form.
    """
    origins = service.settings.origins
    if not (dialect.key and service.access.is_stranger(request, origins)):
        token = service.access.check(request, origins=origins)
        return token, await _receive(service, dialect, request)
    if service.strangers.locked():
        raise Refusal(
            429,
            "too_many_strangers",
            "too many uploads have their token in the form; try again, or send it in the header "
            "X-API-Key",
            {"Retry-After": "5"},
        )
    async with service.strangers:
        form = await _receive(service, dialect, request)
    try:
        return service.access.check(request, form.fields.get(dialect.key, "")), form
    except Refusal:
        form.discard()
        raise


async def _receive(service: Service, dialect: Dialect, request: Request) -> Form:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if dialect is PICGO and (kind == "application/json" or _is_empty(request)):
        return await _receive_list(service, request)
    return await receive_form(request, service.spool, dialect.accepted, service.patience)


def _is_empty(request: Request) -> bool:
    length = request.headers.get("content-length", "0")
    return length == "0" and "transfer-encoding" not in request.headers


def _check_files(form: Form, dialect: Dialect) -> None:
    if form.files:
        return
    names = " or ".join(dialect.accepted.names)
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
            f"paths are only accepted from programs on this machine; upload the file{_OBSIDIAN}",
        )
    paths = _parse_list(await read_body(request, _LONGEST_LIST, service.patience))
    return await run_in_threadpool(_read_files, service, paths)


def _parse_list(body: bytes) -> list[str]:
    if not body.strip():
        raise Refusal(400, "no_file", f"the clipboard is not read; upload the file{_OBSIDIAN}")
    try:
        value: Any = json.loads(body)
        paths = value["list"]
    except (ValueError, TypeError, KeyError, RecursionError):
        paths = None
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise Refusal(400, "no_list", 'expected JSON like {"list": ["/home/me/cat.png"]}')
    most = PICGO.accepted.files
    if not 0 < len(paths) <= most:
        message = f"the list has {len(paths)} files; send 1 to {most} files{_OBSIDIAN}"
        raise Refusal(400, "no_file", message)
    return paths


def _path(path: str) -> str:
    shown = repr(path[:_SHOWN])
    path = local_file(path)
    if "://" in path or path.startswith(("data:", "//")):
        raise Refusal(400, "no_file", f"{shown}: URLs are not fetched; upload the file")
    if path.startswith("/") or path[1:3] in {":\\", ":/"}:
        return path
    if os.path.isfile(f"/{path}"):  # Obsidian removes the first slash
        return f"/{path}"
    raise Refusal(400, "no_file", f"{shown}: the path must be absolute{_OBSIDIAN}")


def _read_files(service: Service, paths: list[str]) -> Form:
    form = Form({}, [], [])
    try:
        for path in map(_path, paths):
            data = _read_file(service, path)
            form.files.append(service.spool.open(path))
            form.files[-1].write(data)
            form.files[-1].finish()
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


async def _heartbeat(service: Service, request: Request) -> Response:
    origins = service.settings.origins
    if request.method == "OPTIONS":
        return answer_preflight(request, origins)
    return let_read(JSONResponse({"success": True, "result": "alive"}), request, origins)


async def _sharex(service: Service, request: Request) -> Response:
    try:
        secret = service.access.secret_for(request)
    except Refusal as refusal:
        log_refusal(request, refusal)
        return refusal.answer()
    base = str(request.base_url).rstrip("/")
    headers = {"Content-Disposition": 'attachment; filename="pelican-imagehost.sxcu"',
               "Cache-Control": "no-store"}  # fmt: skip
    return JSONResponse(sharex(base, secret), headers=headers)
