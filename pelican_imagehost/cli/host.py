"""The commands `host …`: they run on the machine that serves, as the user who owns it all."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pelican_imagehost.errors import ImageHostError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["host"]

_folder = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))


@click.group()
def host() -> None:
    """Serve a site and its images from a machine of your own."""


def _command(function: Callable[..., None]) -> click.Command:
    """Make a command of the group, whose errors are one line and exit code 1."""

    @functools.wraps(function)
    def run(**options: Any) -> None:  # noqa: ANN401  Click's
        try:
            function(**options)
        except ImageHostError as error:
            _say(f"error: {error}")
            sys.exit(1)

    return host.command(function.__name__)(_folder(run))


@_command
@click.option("--site", required=True, metavar="NAME", help="The site's name: blog.example.com.")
@click.option(
    "--images",
    metavar="NAME",
    help="A name for the images alone; below /images/ of the site's own when not given.",
)
def init(folder: Path, *, site: str, images: str | None) -> None:
    """Set DIR up: repositories to push to, their hooks, and nginx's configuration.

    Prints the steps that are left. Does nothing twice, and leaves what you have changed.
    """
    from pelican_imagehost.host.setup import Setup

    setup = Setup(folder, site=site, images=images)
    done = setup.run()
    for line in done or ["everything is there already"]:
        _say(line)
    click.echo(setup.steps(), nl=False)


@_command
def republish(folder: Path) -> None:
    """Make the served images of DIR what the branch says; hashes every file."""
    from pelican_imagehost.host.layout import Layout
    from pelican_imagehost.host.maintain import republish
    from pelican_imagehost.report import count

    put, removed = republish(Layout.find(folder))
    _say(f"{count(put, 'image')} put in place, {removed:,} retracted removed")


@_command
@click.argument("release", required=False)
def rollback(folder: Path, release: str | None) -> None:
    """Show readers the release before, or RELEASE, the beginning of its commit.

    The branch stays as it is; the next push shows its own release.
    """
    from pelican_imagehost.host.layout import Layout
    from pelican_imagehost.host.maintain import rollback

    shown = rollback(Layout.find(folder), release)
    _say(f"readers see {shown[:12]} now")


@_command
def maintain(folder: Path) -> None:
    """Tidy DIR up: repack, and remove what killed pushes and old releases left."""
    from pelican_imagehost.host.layout import Layout
    from pelican_imagehost.host.maintain import maintain

    for line in maintain(Layout.find(folder)):
        _say(line)


@_command
@click.option(
    "--grace-days",
    type=click.IntRange(min=0),
    default=30,
    show_default=True,
    help="Keep what was named this lately.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
def gc(folder: Path, *, grace_days: int, yes: bool) -> None:
    """Take images offline that nothing published in DIR has named for long.

    Shows what would go and how many bytes, and asks first.
    """
    from pelican_imagehost.host.garbage import (
        collect,
        find_garbage,
    )
    from pelican_imagehost.host.layout import Layout
    from pelican_imagehost.report import (
        count,
        readable_size,
    )

    layout = Layout.find(folder)
    garbage = find_garbage(layout, grace_days)
    for key, size in garbage.images.items():
        click.echo(f"{key}  {readable_size(size)}")
    _say(f"{count(len(garbage.images), 'image')}, {readable_size(garbage.size)}, named by nothing")
    if not garbage.images:
        return
    if not yes and not click.confirm("Take them offline?", err=True):
        sys.exit(1)
    removed = collect(layout, garbage, grace_days)
    _say(f"removed {count(len(removed.images), 'image')}, {readable_size(removed.size)}")


def _say(message: str) -> None:
    click.echo(f"pelican-imagehost: {message}", err=True)
