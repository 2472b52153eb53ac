"""Render configuration files for the host from templates."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import NamedTuple

import jinja2

from pelican_imagehost.errors import PublishError
from pelican_imagehost.images.image import MEDIA_TYPES, POLICY

__all__ = ["HostName", "render"]

_ENVIRONMENT = jinja2.Environment(  # noqa: S701  no HTML
    loader=jinja2.FileSystemLoader(Path(__file__).parent.parent),
    undefined=jinja2.StrictUndefined,
    keep_trailing_newline=True,
    trim_blocks=True,
    lstrip_blocks=True,
)
_NAME = re.compile(
    r"(?:(https?)://)?((?!-)[a-z0-9-]+(?:\.[a-z0-9-]+)*)(?::([0-9]{1,5}))?/?", re.IGNORECASE
)
_PORTS = {"http": 80, "https": 443}


class HostName(NamedTuple):
    """The host name of a server, with its scheme and port."""

    scheme: str
    name: str
    port: int

    @classmethod
    def parse(cls, text: str) -> HostName:
        """Parse `blog.example.com` or, for a trial, `http://localhost:8080`.

        Raises:
            PublishError: it is not a host name.
        """
        match = _NAME.fullmatch(text)
        if match is None:
            raise PublishError(
                f"{text} is not a valid host name; expected a name such as blog.example.com"
            )
        scheme = (match[1] or "https").lower()
        return cls(scheme, match[2].lower(), int(match[3] or _PORTS[scheme]))

    @property
    def url(self) -> str:
        """Return the address of its root, with a slash at the end."""
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.name}{port}/"

    @property
    def listen(self) -> str:
        """Return nginx's `listen` lines: port 80 until certbot adds 443."""
        port = 80 if self.scheme == "https" else self.port
        if re.fullmatch(r"[0-9.]+|localhost", self.name):
            return f"listen {self.name}:{port};"
        ipv6 = f"\nlisten [::]:{port};" if _has_ipv6() else ""
        return f"listen {port};{ipv6}"


def render(template: str, **values: object) -> str:
    """Render a template, named from the package's folder: `host/templates/gate.sh`.

    Every template also gets `media_types` and `policy`, for the included `nginx-images.conf`.
    """
    found = _ENVIRONMENT.get_template(template)
    return found.render(values, media_types=MEDIA_TYPES, policy=POLICY)


def _has_ipv6() -> bool:
    try:
        socket.socket(socket.AF_INET6).close()
    except OSError:
        return False
    return True
