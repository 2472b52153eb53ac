"""The commands `host …`, on the machine that serves; run by root, they continue as the owner."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pelican_imagehost.cli.terminal import say
from pelican_imagehost.errors import ImageHostError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["host"]

_folder = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))


@click.group()
def host() -> None:
    """Serve a site and its images from your own machine."""


def _command(function: Callable[..., None]) -> click.Command:
    """Make a command of the group whose errors are one line and exit code 1."""

    @functools.wraps(function)
    def run(**options: Any) -> None:  # noqa: ANN401  Click's
        from pelican_imagehost.host.user import become_owner

        try:
            become_owner(options["folder"])
            function(**options)
        except ImageHostError as error:
            say(f"error: {error}")
            sys.exit(1)

    return host.command(function.__name__)(_folder(run))


@_command
@click.option(
    "--site", required=True, metavar="NAME", help="Host name of the site, such as blog.example.com."
)
@click.option(
    "--images",
    metavar="NAME",
    help="Host name for images  [default: SITE/images/]",
)
def init(folder: Path, *, site: str, images: str | None) -> None:
    """Set up DIR to receive and serve a site.

    Creates repositories to push to, their hooks, and a configuration for nginx, and prints
    the remaining steps. Safe to re-run; your edits are kept.
    """
    from pelican_imagehost.host.setup import Setup
    from pelican_imagehost.host.user import check_python

    setup = Setup(folder, site=site, images=images)
    check_python(setup.user)
    done = setup.run()
    for line in done or ["already set up"]:
        say(line)
    click.echo(setup.steps(), nl=False)


@_command
def republish(folder: Path) -> None:
    """Re-hash the served images and restore broken ones.

    Missing and corrupt images are restored from the repository in DIR, and retracted ones
    removed.
    """
    from pelican_imagehost.host.layout import Layout
    from pelican_imagehost.host.maintain import republish
    from pelican_imagehost.report import count

    put, removed = republish(Layout.find(folder))
    say(f"{count(put, 'image')} restored, {count(removed, 'retracted image')} removed")


@_command
@click.argument("release", required=False)
def rollback(folder: Path, release: str | None) -> None:
    """Show readers the previous release, or RELEASE.

    RELEASE is the commit of a stored release, or the start of it. The branch does not change;
    the next push shows its own release.
    """
    from pelican_imagehost.host.layout import Layout
    from pelican_imagehost.host.maintain import rollback

    shown = rollback(Layout.find(folder), release)
    say(f"readers now see {shown[:12]}")


@_command
def maintain(folder: Path) -> None:
    """Repack the repositories and clean up.

    Removes old releases and the leftovers of killed pushes. The timer that `host init` writes
    runs it daily.
    """
    from pelican_imagehost.host.layout import Layout
    from pelican_imagehost.host.maintain import maintain

    for line in maintain(Layout.find(folder)):
        say(line)


@_command
@click.option(
    "--grace-days",
    type=click.IntRange(min=0),
    default=30,
    show_default=True,
    help="Keep images that were used within this many days.",
)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def gc(folder: Path, *, grace_days: int, yes: bool) -> None:
    """Remove images that no published page has used recently.

    Lists the images and their sizes, and asks before it removes them.
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
    say(f"{count(len(garbage.images), 'unused image')}, {readable_size(garbage.size)}")
    if not garbage.images:
        return
    if not yes and not click.confirm("Remove them?", err=True):
        sys.exit(1)
    removed = collect(layout, garbage, grace_days)
    say(f"removed {count(len(removed.images), 'image')}, {readable_size(removed.size)}")
