"""Before the workers start: what a person must be told, once, and in a sentence."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.errors import ImageHostError
from pelican_imagehost.serve import app, samples, tokens
from pelican_imagehost.serve.samples import Place
from pelican_imagehost.site.site import Site

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Start", "prepare", "write_sample"]


class Start(NamedTuple):
    """What was found out before the start.

    Attributes:
        port: where it will listen.
        gallery: the gallery's address, which lets its reader in for some minutes.
    """

    port: int
    gallery: str


def prepare(
    settings_file: Path,
    tokens_file: Path | None,
    *,
    host: str,
    port: int,
    say: Callable[[str], None],
) -> Start:
    """See that a service can run here, and tell workers by the environment how.

    Args:
        settings_file: Pelican's settings file.
        tokens_file: who may upload; the user's own file when None.
        host: where it will listen.
        port: likewise; 0: wherever there is room.
        say: takes each line for the person who started it.

    Returns:
        What the start needs to know.

    Raises:
        ImageHostError: it cannot run; the message says why.
    """
    os.environ[app.SETTINGS_FILE] = str(settings_file.absolute())
    file = tokens_file or tokens.default_file()
    if tokens.VARIABLE not in os.environ:
        os.environ[app.TOKENS_FILE] = str(file.absolute())
        tokens.make_tokens(file)
    app.start_logging()
    service = app.service_from_environment()
    service.close()
    port = _find_port(host, port)
    if tokens.VARIABLE not in os.environ:
        say(f"tokens: {file}; clients send one as: Authorization: Bearer <token>")
    if service.settings.url is None:
        say(f"IMAGEHOST_URL is not set: addresses begin with {service.settings.address_prefix}")
    say(f"http://{host}:{port}/ takes uploads and shows the gallery; Ctrl-C ends it")
    return Start(port, f"http://{host}:{port}/login?ticket={service.access.open_ticket()}")


def write_sample(
    kind: str, settings_file: Path, tokens_file: Path | None, *, port: int, name: str
) -> str:
    """Write a configuration for a server.

    Args:
        kind: one of `samples.KINDS`.
        settings_file: Pelican's settings file.
        tokens_file: who may upload; where services have theirs when None.
        port: of 127.0.0.1.
        name: what clients call the server.

    Raises:
        ImageHostError: it cannot be written; the message says why.
    """
    app.start_logging()
    place = Place(
        settings_file.absolute(),
        (tokens_file or Path("/etc/pelican-imagehost/tokens")).absolute(),
        port,
        name,
    )
    return samples.sample(kind, Site(settings_file).settings, place)


def _find_port(host: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((host, port))
            found: int = trial.getsockname()[1]
            return found
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageHostError(f"port {port} of {host} cannot be used: {reason}") from error
