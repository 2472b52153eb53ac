"""Shared parts of the commands: options, messages, errors, logging, tables."""

from __future__ import annotations

import functools
import gc
import os
import shlex
import sys
from contextlib import contextmanager
from itertools import pairwise, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pelican_imagehost.errors import ImageHostError, printable, printable_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pelican_imagehost.gallery.listing import ListedImage
    from pelican_imagehost.report import Progress
    from pelican_imagehost.site.site import Site

__all__ = [
    "explained",
    "hidden",
    "make_progress",
    "open_site",
    "say",
    "settings_command",
    "settings_option",
    "show",
    "show_images",
    "site_command",
]

_WIDE = 10_000  # columns, if the output is not a terminal

settings_option = click.option(
    "-s",
    "--settings",
    "settings_file",
    type=click.Path(path_type=Path),
    default=Path("pelicanconf.py"),
    show_default=True,
    metavar="FILE",
    help="Pelican settings file.",
)


def site_command(function: Callable[..., int | None]) -> click.Command:
    """Make a command from a function that takes a site and options, and returns an exit code.

    Options with names in capitals override settings of Pelican.
    """

    @functools.wraps(function)
    def run(settings_file: Path, **options: Any) -> None:  # noqa: ANN401  Click's
        with explained():
            overrides = {name: options.pop(name) for name in [*options] if name.isupper()}
            sys.exit(function(open_site(settings_file, **overrides), **options))

    return _named(function, run)


def settings_command(function: Callable[..., int | None]) -> click.Command:
    """Make a command from a function that takes a settings file as read, and options.

    Unlike a `site_command` it starts without Pelican, so that editors need not wait.
    """

    @functools.wraps(function)
    def run(settings_file: Path, **options: Any) -> None:  # noqa: ANN401  Click's
        gc.disable()  # it ends before its garbage matters, and looks at each image of a manifest
        with explained():
            from pelican_imagehost.site.settings_file import read_settings

            sys.exit(function(read_settings(settings_file), **options))

    return _named(function, run)


def open_site(settings_file: Path, **overrides: object) -> Site:
    """Open a site with Pelican, whose warnings go to standard error."""
    gc.enable()
    start_logging()
    from pelican_imagehost.site.site import Site

    return Site(settings_file, **overrides)


def _named(function: Callable[..., int | None], run: Callable[..., None]) -> click.Command:
    name = function.__name__.rstrip("_").replace("_", "-")
    return click.command(name, cls=_Command)(settings_option(run))


class _Command(click.Command):
    """A command that says how to give it a file whose name looks like an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse arguments, unless one that is not an option is a file.

        Raises:
            UsageError: an argument is wrong, or such a file.
        """
        options = {name for one in self.get_params(ctx) for name in one.opts}
        values = {after for option, after in pairwise(args) if option in options}
        for one in takewhile("--".__ne__, args):
            is_wrong = one.startswith("-") and one.partition("=")[0] not in options | values
            if is_wrong and len(one) > 1 and os.path.lexists(one):
                raise click.UsageError(
                    f"the name of this file begins with a dash; run: {ctx.command_path} -- "
                    f"{printable(shlex.quote(one))}"
                )
        return super().parse_args(ctx, args)


def hidden(command: click.Command) -> click.Command:
    """Hide a command from the help, because only programs call it."""
    command.hidden = True
    return command


@contextmanager
def explained() -> Iterator[None]:
    """Print errors of this package as one line, and exit with code 1."""
    try:
        yield
    except ImageHostError as error:
        say(f"error: {error}")
        sys.exit(1)


def say(message: str) -> None:
    """Print a line for the user to standard error, so that results stay separate."""
    click.echo(f"pelican-imagehost: {printable_lines(message)}", err=True)


def show(line: str) -> None:
    """Print a line of the result."""
    click.echo(printable(line))


def make_progress() -> Progress:
    """Return a progress bar for standard error."""
    from pelican_imagehost.site.progress import show_on_terminal

    return show_on_terminal


def start_logging() -> None:
    """Send the warnings of all libraries to standard error."""
    import logging

    import pelican.log  # noqa: F401  sets its logger class, before loggers are created
    from rich.console import Console
    from rich.logging import RichHandler

    # Only a build needs to show Pelican's warnings about settings.
    logging.getLogger("pelican.settings").setLevel(logging.ERROR)
    handler = RichHandler(console=Console(stderr=True), show_time=False, show_path=False)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])


def show_images(images: list[ListedImage]) -> None:
    """Print a table of images and a closing line."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from pelican_imagehost.gallery.query import day_of
    from pelican_imagehost.report import readable_size

    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDE)
    table = Table("path", "type", "size", "pixels", "date", "used in", "address", box=None)
    for image in images:
        row = (
            "\n".join(map(printable, image.paths or [image.name])),
            image.type,
            readable_size(image.size),
            f"{image.width} × {image.height}",
            "–" if image.created is None else day_of(image.created).isoformat(),
            "\n".join(map(printable, image.documents)) or "–",
            image.url,
        )
        table.add_row(*map(Text, row))  # not markup, which names may contain
    console.print(table)
    for line in _sums(images):
        console.print(line, highlight=False)


def _sums(images: list[ListedImage]) -> Iterator[str]:
    from pelican_imagehost.report import count, readable_size

    total, saved = sum(image.size for image in images), sum(image.saved for image in images)
    line = f"{count(len(images), 'image')}, {readable_size(total)}"
    yield f"{line}; {readable_size(saved)} saved by storing once"
    variants = [one for image in images for one in image.variants]
    if variants:
        line = f"{count(len(variants), 'variant')}, {readable_size(sum(v.size for v in variants))}"
        least, most = (sum(image.loads[end] for image in images) for end in (0, 1))
        yield f"{line}; a reader loads {readable_size(least)} to {readable_size(most)}"
