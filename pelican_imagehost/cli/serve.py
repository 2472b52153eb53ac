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
_KEEP_ALIVE = 2  # seconds; some clients wait for idle connections to close


@click.command()
@settings_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=36677, show_default=True, help="Port to listen on; 0 picks a free one."
)
@click.option(
    "--workers",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="Number of worker processes.",
)
@click.option(
    "--tokens",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Token file, with a name and a secret per line; created if missing. "
    "Ignored if the environment variable IMAGEHOST_TOKEN is set.",
)
@click.option("--open", "open_browser", is_flag=True, help="Open the gallery in a web browser.")
@click.option(
    "--sample",
    type=click.Choice(["nginx", "systemd", "supervisor"]),
    help="Print a sample server configuration and exit.",
)
@click.option(
    "--name", default="upload.example.com", show_default=True, help="Host name, for --sample."
)
def serve(  # noqa: PLR0913  one for each option
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
    """Accept uploads over HTTP, and show all images in a gallery."""
    try:
        import uvicorn

        from pelican_imagehost.serve.start import prepare, write_sample
    except ImportError as error:
        say(f"error: {error.name} is not installed; run: pip install 'pelican-imagehost[server]'")
        sys.exit(1)
    with explained():
        if sample is not None:
            click.echo(write_sample(sample, settings_file, tokens, port=port, name=name), nl=False)
            return
        start = prepare(settings_file, tokens, host=host, port=port, say=say)
    if sys.stderr.isatty():  # not in a log, which others may read
        say(f"open the gallery without a token, within ten minutes: {start.gallery}")
    if open_browser:
        threading.Timer(_UNTIL_UP, webbrowser.open, [start.gallery]).start()
    uvicorn.run(
        "pelican_imagehost.serve.app:from_environment",
        factory=True,
        host=host,
        port=start.port,
        workers=workers,
        timeout_keep_alive=_KEEP_ALIVE,
        access_log=False,  # it would contain tokens of queries
        log_config=None,
        server_header=False,
    )
