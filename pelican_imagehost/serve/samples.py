"""Configuration for a server: nginx before the service, systemd or supervisor around it."""

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
_SAFE = re.compile(r"[\w/.+-]+", re.ASCII)  # no quoting for nginx, systemd and supervisor
_MORE = 1024**2  # bytes of a request beside its files


class Place(NamedTuple):
    """Where the service runs.

    Attributes:
        settings_file: Pelican's settings file.
        tokens: the file of tokens.
        port: of 127.0.0.1.
        name: what its clients call it: upload.example.com.
    """

    settings_file: Path
    tokens: Path
    port: int
    name: str


def sample(kind: str, settings: Settings, place: Place) -> str:
    """Write a configuration.

    Args:
        kind: one of `KINDS`.
        settings: the site's.
        place: where the service runs.

    Raises:
        SettingsError: the site's images have no address that such a server could serve, or
            a path cannot be written without quotes.
    """
    for path in (settings.root, settings.store, place.settings_file, place.tokens, sys.executable):
        if not _SAFE.fullmatch(str(path)):
            raise SettingsError(
                f"{path} cannot stand in a configuration: choose a path of letters, digits, dots, "
                "dashes and underscores"
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
        SettingsError: the site's images have no address that nginx could serve.
    """
    if settings.url is None:
        raise SettingsError("IMAGEHOST_URL is not set: the address at which nginx shall serve")
    parts = urlsplit(settings.url)
    if parts.path not in {"", f"/{settings.store.name}"}:
        raise SettingsError(
            f"IMAGEHOST_URL ends in {parts.path}; nginx can serve {settings.store} at the top of "
            f"a name or at /{settings.store.name}"
        )
    return {
        "images": HostName.parse(f"{parts.scheme}://{parts.netloc}"),
        "folder": settings.store.parent if parts.path else settings.store,
        "path": f"{parts.path}/",
    }


def _answers(limit: int) -> dict[str, str]:
    """What nginx says itself, in JSON that every dialect finds its words in."""
    words = {
        "too_slow": "the body came too slowly; send it again",
        "too_large": f"an image has at most {limit:,} bytes here",
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
