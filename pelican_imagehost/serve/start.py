"""The start of the service: checks, and messages to the user, before workers start."""

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
    """Where the service runs.

    Attributes:
        port: the port to listen on.
        login: returns an address of the gallery that logs in, once, within ten minutes.
    """

    port: int
    login: Callable[[], str]


def prepare(  # noqa: PLR0913  one for each option
    settings_file: Path,
    tokens_file: Path | None,
    *,
    host: str,
    port: int,
    allow_local_paths: bool,
    say: Callable[[str], None],
) -> Start:
    """Check that the service can run, and set the environment for its workers.

    Args:
        settings_file: the settings file of Pelican.
        tokens_file: the token file; the default file of the user if None.
        host: the address to listen on.
        port: the port; 0 picks a free one.
        allow_local_paths: whether every client may name files of this machine.
        say: called with each message to the user.

    Returns:
        Where the service runs.

    Raises:
        ImageHostError: the service cannot run.
    """
    os.environ[app.SETTINGS_FILE] = str(settings_file.absolute())
    file = tokens_file or tokens.default_file()
    if tokens.VARIABLE not in os.environ:
        os.environ[app.TOKENS_FILE] = str(file.absolute())
        tokens.make_tokens(file)
    if allow_local_paths:
        os.environ[app.LOCAL_PATHS] = "1"
    app.start_logging()
    service = app.service_from_environment()
    service.close()
    port = _find_port(host, port)
    if tokens.VARIABLE not in os.environ:
        say(f"token file: {file}; clients must send: Authorization: Bearer <token>")
    if service.settings.url is None:
        say(f"IMAGEHOST_URL is not set; addresses start with {service.settings.address_prefix}")
    name = f"[{host}]" if ":" in host else host
    say(f"uploads and gallery at http://{name}:{port}/; press Ctrl-C to stop")
    here = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(name, name)  # noqa: S104  of this machine
    return Start(port, lambda: f"http://{here}:{port}/login?ticket={service.access.open_ticket()}")


def write_sample(
    kind: str, settings_file: Path, tokens_file: Path | None, *, port: int, name: str
) -> str:
    """Generate a sample configuration for a server.

    Args:
        kind: one of `samples.KINDS`.
        settings_file: the settings file of Pelican.
        tokens_file: the token file; a file in /etc if None.
        port: the port on 127.0.0.1.
        name: the host name of the server.

    Returns:
        The text of the configuration.

    Raises:
        ImageHostError: the settings cannot be read.
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
        raise ImageHostError(f"cannot listen on {host} port {port}: {reason}") from error
