"""The command `serve`."""

from __future__ import annotations

import sys
import threading
import webbrowser
from pathlib import Path

import click

from pelican_imagehost.cli.terminal import explained, say, settings_option

__all__ = ["serve"]

_UNTIL_UP = 1.5  # seconds
_KEEP_ALIVE = 2  # seconds; some clients do not end before an idle connection does


@click.command()
@settings_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", default=36677, show_default=True, help="PicGo's; 0 takes any.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1), help="Processes.")
@click.option(
    "--tokens",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Who may upload: a name and a secret a line; made when there is none. "
    "IMAGEHOST_TOKEN in the environment counts in its place.",
)
@click.option("--open", "open_browser", is_flag=True, help="Show the gallery in the browser.")
@click.option(
    "--sample",
    type=click.Choice(["nginx", "systemd", "supervisor"]),
    help="Print a configuration for a server, and serve nothing.",
)
@click.option(
    "--name", default="upload.example.com", show_default=True, help="The server's name, in samples."
)
def serve(  # noqa: PLR0913  each is a choice of the user's
    settings_file: Path,
    *,
    host: str,
    port: int,
    workers: int,
    tokens: Path | None,
    open_browser: bool,
    sample: str | None,
    name: str,
) -> None:
    """Take uploads over HTTP, and show all images in a gallery."""
    try:
        import uvicorn

        from pelican_imagehost.serve.start import prepare, write_sample
    except ImportError as error:
        say(f"error: {error.name} is missing; run: pip install 'pelican-imagehost[server]'")
        sys.exit(1)
    with explained():
        if sample is not None:
            click.echo(write_sample(sample, settings_file, tokens, port=port, name=name), nl=False)
            return
        start = prepare(settings_file, tokens, host=host, port=port, say=say)
    if sys.stderr.isatty():  # not into a log, which others may read
        say(f"the gallery, for the next ten minutes without a token: {start.gallery}")
    if open_browser:
        threading.Timer(_UNTIL_UP, webbrowser.open, [start.gallery]).start()
    uvicorn.run(
        "pelican_imagehost.serve.app:from_environment",
        factory=True,
        host=host,
        port=start.port,
        workers=workers,
        timeout_keep_alive=_KEEP_ALIVE,
        access_log=False,  # it would write down tokens of the query
        log_config=None,
        server_header=False,
    )
