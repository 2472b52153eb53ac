"""The ASGI application, and how a worker makes it.

Run it by `pelican-imagehost serve`, or under any server of ASGI with the factory
`pelican_imagehost.serve.app:from_environment`.
"""

from __future__ import annotations

import logging
import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from pelican_imagehost.serve import gallery, images, uploads
from pelican_imagehost.serve.refusal import Refusal
from pelican_imagehost.serve.service import Service
from pelican_imagehost.serve.tokens import default_file, load_tokens
from pelican_imagehost.site.site import Site

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.responses import Response

__all__ = [
    "SETTINGS_FILE",
    "TOKENS_FILE",
    "create",
    "from_environment",
    "service_from_environment",
    "start_logging",
]

SETTINGS_FILE = "IMAGEHOST_SETTINGS"
TOKENS_FILE = "IMAGEHOST_TOKENS"


def from_environment() -> Starlette:
    """Make the application of a worker process.

    `IMAGEHOST_SETTINGS` names Pelican's settings file, else it is pelicanconf.py here;
    `IMAGEHOST_TOKENS` names the file of tokens; `IMAGEHOST_TOKEN` is one, in its place.

    Raises:
        ImageHostError: one of them cannot be used.
    """
    start_logging()
    return create(service_from_environment())


def service_from_environment() -> Service:
    """Make the service of a worker process; see `from_environment`."""
    site = Site(Path(os.environ.get(SETTINGS_FILE, "pelicanconf.py")))
    file = Path(os.environ.get(TOKENS_FILE) or default_file())
    tokens = load_tokens(file, os.environ, site.settings.root)
    return Service(site.settings, tokens, site.file.absolute())


def create(service: Service) -> Starlette:
    """Make the application of a service, which runs as long as the application does."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        service.start()
        yield
        service.close()

    return Starlette(
        routes=[*uploads.routes(service), *images.routes(service), *gallery.routes(service)],
        exception_handlers={HTTPException: _answer_error, Exception: _answer_failure},
        lifespan=lifespan,
    )


def start_logging() -> None:
    """Let a process say what happens, each line once."""
    logging.basicConfig(level=logging.INFO, format="pelican-imagehost: %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    # What Pelican thinks of settings, a build says.
    logging.getLogger("pelican.settings").setLevel(logging.ERROR)


async def _answer_error(_request: Request, error: Exception) -> Response:
    """Say in JSON what Starlette would say in text: no such page, no such method."""
    assert isinstance(error, HTTPException)  # noqa: S101  as it is registered
    code = error.detail.lower().replace(" ", "_")
    return Refusal(error.status_code, code, error.detail, error.headers).answer()


async def _answer_failure(_request: Request, _error: Exception) -> Response:
    """Say that we are wrong, not the client; the server logs the rest."""
    return Refusal(500, "internal", "the service has failed; its log says how").answer()
