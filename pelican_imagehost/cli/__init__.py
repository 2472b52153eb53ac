"""The command line, and the only place that installs log handlers.

Results go to standard output and messages to standard error, because editors read results
and show messages. Exit codes: 0 for success, 1 for a problem, 2 for invalid usage.
"""

from __future__ import annotations

import click

from pelican_imagehost import __version__
from pelican_imagehost.cli import host, publishing, serve, site, watch

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pelican-imagehost")
def main() -> None:
    """Give the local images of a Pelican site permanent addresses."""


for command in (*site.COMMANDS, *publishing.COMMANDS, host.host, serve.serve, watch.watch):
    main.add_command(command)
