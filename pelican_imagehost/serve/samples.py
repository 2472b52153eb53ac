"""Sample configurations: nginx in front of the service, systemd or supervisor to run it."""

from __future__ import annotations

import getpass
import json
import os
import re
import sys
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from pelican_imagehost.errors import SettingsError
from pelican_imagehost.host.config import HostName, render
from pelican_imagehost.serve.dialects import PICGO

if TYPE_CHECKING:
    from pathlib import Path

    from pelican_imagehost.settings import Settings

__all__ = ["KINDS", "Place", "sample"]

KINDS = ("nginx", "systemd", "supervisor")
_FILES = {"systemd": "systemd.service", "supervisor": "supervisor.conf"}
_SAFE = re.compile(r"[\w/.+-]+", re.ASCII)  # needs no quotes in nginx, systemd and supervisor
_MORE = 1024**2  # bytes of a request besides its files


class Place(NamedTuple):
    """Where the service runs.

    Attributes:
        settings_file: Pelican's settings file.
        tokens: the token file.
        port: the port on 127.0.0.1.
        name: the host name for clients, such as upload.example.com.
    """

    settings_file: Path
    tokens: Path
    port: int
    name: str


def sample(kind: str, settings: Settings, place: Place) -> str:
    """Render a sample configuration.

    Args:
        kind: one of `KINDS`.
        settings: the settings of the site.
        place: where the service runs.

    Raises:
        SettingsError: nginx cannot serve the address of the site's images, or a path needs
            quotes.
    """
    for path in (settings.root, settings.store, place.settings_file, place.tokens, sys.executable):
        if not _SAFE.fullmatch(str(path)):
            raise SettingsError(
                f"{path} cannot be written without quotes; use a path of letters, digits, dots, "
                "dashes, underscores and plus signs"
            )
    if kind == "nginx":
        return _nginx(settings, place)
    return render(
        f"serve/templates/{_FILES[kind]}",
        root=settings.root,
        settings=place.settings_file,
        tokens=place.tokens,
        port=place.port,
        name=HostName.parse(place.name).name,
        python=sys.executable,
        user="imagehost" if os.name == "posix" and os.geteuid() == 0 else getpass.getuser(),
    )


def _nginx(settings: Settings, place: Place) -> str:
    limit = settings.limits.max_bytes
    return render(
        "serve/templates/nginx.conf",
        site=HostName.parse(place.name),
        upstream=f"127.0.0.1:{place.port}",
        limit=limit + _MORE,
        limit_of_many=PICGO.files * limit + _MORE,
        **(_images(settings) if settings.remote is None else {"images": None}),
        **_answers(limit),
    )


def _images(settings: Settings) -> dict[str, object]:
    """Return the values for serving the store: the server, the folder and the path.

    Raises:
        SettingsError: nginx cannot serve the address of the site's images.
    """
    if settings.url is None:
        raise SettingsError(
            "IMAGEHOST_URL is not set; set it to the address at which nginx serves images"
        )
    parts = urlsplit(settings.url)
    if parts.path not in {"", f"/{settings.store.name}"}:
        raise SettingsError(
            f"IMAGEHOST_URL ends in {parts.path}; nginx can serve {settings.store} at / or at "
            f"/{settings.store.name}"
        )
    return {
        "images": HostName.parse(f"{parts.scheme}://{parts.netloc}"),
        "folder": settings.store.parent if parts.path else settings.store,
        "path": f"{parts.path}/",
    }


def _answers(limit: int) -> dict[str, str]:
    """Return nginx's own responses, as JSON that clients of every dialect understand."""
    words = {
        "too_slow": "the upload was too slow; try again",
        "too_large": f"images of at most {limit:,} bytes are allowed",
        "too_many": "too many uploads at once; try again in a second",
        "away": "the upload service does not answer; try again",
    }
    return {
        code: json.dumps(
            {
                "error": {"code": code, "message": message},
                "success": False,
                "status": False,
                "message": message,
            }
        )
        for code, message in words.items()
    }
