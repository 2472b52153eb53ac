"""Commands that publish the images of a site."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from pelican_imagehost.cli.terminal import (
    make_progress,
    open_site,
    say,
    settings_command,
    site_command,
)

if TYPE_CHECKING:
    from pelican_imagehost.site.settings_file import SettingsFile
    from pelican_imagehost.site.site import Site

__all__ = ["COMMANDS"]


@site_command
@click.option(
    "--clone", metavar="URL", help="Clone the published images at URL, without their files."
)
def init(site: Site, *, clone: str | None) -> int:
    """Prepare the site for publishing.

    Makes the store a git repository, or prints rules for a bucket, and installs a pre-push
    hook. Safe to run again.
    """
    from pelican_imagehost.publish.setup import advise, initialise
    from pelican_imagehost.publish.target import open_target

    done = initialise(site, clone)
    for line in done or ["everything is in place"]:
        say(line)
    missing = advise(site.settings)
    if missing:
        say("add to publishconf.py:")
        for line in missing:
            click.echo(line)
    for line in open_target(site.settings).rules():
        click.echo(line)
    return 0


_no_confirm = click.option(
    "--no-confirm", is_flag=True, help="Do not check that the images are online."
)
_wait = click.option(
    "--wait",
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait until the images are online.",
)


@settings_command
@click.argument("remote", required=False)
@click.option(
    "--all", "all_", is_flag=True, help="Copy every stored and published image to a new remote."
)
@click.option("--dry-run", is_flag=True, help="Show what would be sent; send nothing.")
@_no_confirm
@_wait
def publish(  # noqa: PLR0913  one for each option
    site: SettingsFile,
    *,
    remote: str | None,
    all_: bool,
    dry_run: bool,
    no_confirm: bool,
    wait: float,
) -> int:
    """Send the site's images, and check that they are online.

    Sends them to REMOTE, or to IMAGEHOST_REMOTE. After `init`, `git push` of the site does this
    automatically. With --all, also sends images that no document uses, and asks for none of
    them; run it again to continue.
    """
    from pelican_imagehost.publish.copy import copy_all
    from pelican_imagehost.publish.publisher import publish
    from pelican_imagehost.report import readable_size

    progress = make_progress()
    if all_:
        sent = copy_all(site.settings, remote, dry_run=dry_run, progress=progress, say=say)
    else:
        sent = publish(
            site,
            partial(open_site, site.file),
            remote=remote,
            dry_run=dry_run,
            patience=None if no_confirm else wait,
            progress=progress,
            say=say,
        )
    for key, size in sent.items():
        click.echo(f"{site.settings.address_prefix}{key}  {readable_size(size)}")
    if not sent:
        say("no new images")
    return 0


@site_command
@click.argument("image")
@click.option("--undo", is_flag=True, help="Allow IMAGE to be published again.")
def retract(site: Site, *, image: str, undo: bool) -> int:
    """Take IMAGE offline now, even if it is used.

    IMAGE is a file, an address or a SHA-256. A tombstone prevents it from being published
    again by accident.
    """
    if undo:
        from pelican_imagehost.publish.retract import restore

        key = restore(site.settings, image)
        say(f"{key} may be published again; run: pelican-imagehost publish")
        return 0
    from pelican_imagehost.publish.target import open_target
    from pelican_imagehost.upkeep.delete import retract

    key = retract(site.settings, image)
    say(f"removed {key} from the host, the store and the manifest")
    for line in open_target(site.settings).remains(key):
        say(line)
    return 0


COMMANDS = (init, publish, retract)
