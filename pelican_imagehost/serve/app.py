"""The ASGI application.

Run it with `pelican-imagehost serve`, or with any ASGI server and the factory
`pelican_imagehost.serve.app:from_environment`.
"""

from __future__ import annotations

import gc
import logging
import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from pelican_imagehost.serve import gallery, uploads
from pelican_imagehost.serve.refusal import Refusal
from pelican_imagehost.serve.service import Service
from pelican_imagehost.serve.tokens import default_file, load_tokens
from pelican_imagehost.site.site import Site

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.responses import Response

__all__ = [
    "LOCAL_PATHS",
    "SETTINGS_FILE",
    "TOKENS_FILE",
    "create",
    "from_environment",
    "service_from_environment",
    "start_logging",
]

SETTINGS_FILE = "IMAGEHOST_SETTINGS"
TOKENS_FILE = "IMAGEHOST_TOKENS"
LOCAL_PATHS = "IMAGEHOST_ALLOW_LOCAL_PATHS"
_KEPT = 4 * 1024**2  # bytes; up to twice as many are kept


def from_environment() -> Starlette:
    """Create the application in a worker process.

    Environment variables: `IMAGEHOST_SETTINGS`, the settings file of Pelican, by default
    pelicanconf.py in the working directory; `IMAGEHOST_TOKENS`, the token file;
    `IMAGEHOST_TOKEN`, a single token used instead of the file; `IMAGEHOST_ALLOW_LOCAL_PATHS`,
    if not empty, lets every client name files of this machine.

    Raises:
        ImageHostError: one of them is invalid.
    """
    start_logging()
    _keep_freed_memory()
    application = create(service_from_environment())
    # Whatever exists now stays for ever: collections then look at what requests leave, and no more.
    gc.collect()
    gc.freeze()
    return application


def service_from_environment() -> Service:
    """Create the service in a worker process; see `from_environment`."""
    site = Site(Path(os.environ.get(SETTINGS_FILE, "pelicanconf.py")))
    file = Path(os.environ.get(TOKENS_FILE) or default_file())
    tokens = load_tokens(file, os.environ, site.settings.root)
    return Service(
        site.settings,
        tokens,
        site.file.absolute(),
        allow_local_paths=bool(os.environ.get(LOCAL_PATHS)),
    )


def create(service: Service) -> Starlette:
    """Create the application of a service; it starts and closes the service."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        service.start()
        yield
        service.close()

    return Starlette(
        routes=[*uploads.routes(service), *gallery.routes(service)],
        exception_handlers={HTTPException: _answer_error, Exception: _answer_failure},
        lifespan=lifespan,
    )


def start_logging() -> None:
    """Configure the log of a process."""
    logging.basicConfig(level=logging.INFO, format="pelican-imagehost: %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    # A build reports the warnings of Pelican about settings.
    logging.getLogger("pelican.settings").setLevel(logging.ERROR)


def _keep_freed_memory() -> None:
    """Let glibc keep some of what is freed, so that bodies are not received into new pages.

    It learns from the size of what it gets back (mallopt(3), M_MMAP_THRESHOLD); no page of this is
    touched.
    """
    bytearray(_KEPT)


async def _answer_error(_request: Request, error: Exception) -> Response:
    """Answer errors of Starlette in JSON: unknown path, wrong method."""
    assert isinstance(error, HTTPException)  # noqa: S101  as registered
    code = error.detail.lower().replace(" ", "_")
    return Refusal(error.status_code, code, error.detail, error.headers).answer()


async def _answer_failure(_request: Request, _error: Exception) -> Response:
    """Answer an internal error; the server logs the details."""
    return Refusal(500, "internal", "internal error; see the log of the service").answer()
