"""Options that commands share."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["settings_option"]

settings_option = click.option(
    "-s",
    "--settings",
    "settings_file",
    type=click.Path(path_type=Path),
    default=Path("pelicanconf.py"),
    metavar="FILE",
    help="Pelican's settings file; pelicanconf.py here when not given.",
)
