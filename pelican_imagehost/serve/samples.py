"""Configuration for a server: nginx before the service, systemd or supervisor around it."""

from __future__ import annotations

import getpass
import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from pelican_imagehost.errors import SettingsError
from pelican_imagehost.host.config import TEMPLATES as HOST_TEMPLATES
from pelican_imagehost.host.config import HostName, inside, render, tidy
from pelican_imagehost.serve.dialects import PICGO

if TYPE_CHECKING:
    from pelican_imagehost.settings import Settings

__all__ = ["KINDS", "Place", "sample"]

KINDS = ("nginx", "systemd", "supervisor")
_TEMPLATES = Path(__file__).parent / "templates"
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
        _TEMPLATES / _FILES[kind],
        root=str(settings.root),
        settings=str(place.settings_file),
        tokens=str(place.tokens),
        port=str(place.port),
        name=HostName.parse(place.name).name,
        python=sys.executable,
        user="imagehost" if os.name == "posix" and os.geteuid() == 0 else getpass.getuser(),
    )


def _nginx(settings: Settings, place: Place) -> str:
    host = HostName.parse(place.name)
    here, elsewhere = "", ""
    if settings.remote is None:
        here, elsewhere = _images(settings, host)
    limit = settings.limits.max_bytes
    text = render(
        _TEMPLATES / "nginx.conf",
        listen=inside(host.listen),
        name=host.name,
        upstream=f"127.0.0.1:{place.port}",
        limit=str(limit + _MORE),
        limit_of_many=str(PICGO.files * limit + _MORE),
        here=here,
        elsewhere=elsewhere,
        **_answers(limit),
    )
    return tidy(text)


def _images(settings: Settings, host: HostName) -> tuple[str, str]:
    """Write what serves the store: within the service's own server, or as one of its own."""
    if settings.url is None:
        raise SettingsError("IMAGEHOST_URL is not set: the address at which nginx shall serve")
    parts = urlsplit(settings.url)
    folder = settings.store if not parts.path else settings.store.parent
    if parts.path not in {"", f"/{settings.store.name}"}:
        raise SettingsError(
            f"IMAGEHOST_URL ends in {parts.path}; nginx can serve {settings.store} at the top of "
            f"a name or at /{settings.store.name}"
        )
    images = HostName.parse(f"{parts.scheme}://{parts.netloc}")
    values = {"folder": str(folder), "path": f"{parts.path}/", "site": host.name}
    location = render(HOST_TEMPLATES / "nginx-images.conf", **values)
    if images == host:
        return f"\n\n    {inside(location)}", ""
    return "", render(
        HOST_TEMPLATES / "nginx-images-host.conf",
        listen=inside(images.listen),
        images=images.name,
        here=inside(location),
        **values,
    )


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
