"""The command `watch`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pelican_imagehost.cli.terminal import explained, say, settings_option

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["watch"]


@click.command()
@settings_option
@click.option(
    "--port", default=8000, show_default=True, help="Port of the preview; 0 picks a free one."
)
@click.option("--open", "open_browser", is_flag=True, help="Open the site in a web browser.")
@click.option("--poll", is_flag=True, help="Poll every second instead of using file events.")
def watch(settings_file: Path, *, port: int, open_browser: bool, poll: bool) -> None:
    """Preview the site locally; the browser shows each save at once.

    Images are served locally, even if IMAGEHOST_URL is set. Nothing is published.
    """
    from pelican_imagehost.watch.session import run

    with explained():
        run(settings_file, port, poll=poll, open_browser=open_browser, say=say)
