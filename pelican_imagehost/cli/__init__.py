"""The command line: exit codes, and the only place that installs log handlers.

Results go to standard output and all else to standard error, because editors read the
one and show the other. Exit codes: 0 well, 1 a problem was found, 2 wrong usage.
"""

from __future__ import annotations

import functools
import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pelican_imagehost import __version__
from pelican_imagehost.cli.host import host
from pelican_imagehost.cli.options import settings_option
from pelican_imagehost.cli.serve import serve
from pelican_imagehost.cli.watch import watch
from pelican_imagehost.errors import ImageHostError
from pelican_imagehost.images.image import IMAGE_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable

    from pelican_imagehost.site.site import Site
    from pelican_imagehost.storage.catalogue import Progress

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pelican-imagehost")
def main() -> None:
    """Host the local images of a Pelican site under permanent addresses."""


main.add_command(host)
main.add_command(serve)
main.add_command(watch)


def _command(function: Callable[..., int | None]) -> click.Command:
    """Make a command that knows its site and turns errors into messages and exit codes."""

    @functools.wraps(function)
    def run(settings_file: Path, **options: Any) -> None:  # noqa: ANN401  Click's
        _start_logging()
        theme = options.pop("theme", None)
        try:
            from pelican_imagehost.site.site import Site

            site = Site(settings_file, **({"THEME": theme} if theme else {}))
            sys.exit(function(site, **options))
        except ImageHostError as error:
            _say(f"error: {error}")
            sys.exit(1)

    name = function.__name__.rstrip("_").replace("_", "-")
    return main.command(name)(settings_option(run))


def _hidden_command(function: Callable[..., int | None]) -> click.Command:
    """Make a command that programs call, not people."""
    command = _command(function)
    command.hidden = True
    return command


@_command
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def add(site: Site, files: tuple[Path, ...]) -> None:
    """Host FILES now and print one address a line, in the order given.

    Made for editors that upload pasted images (Typora: Image Upload, Custom Command).
    If any file fails, no address is printed and the exit code is 1.
    """
    from pelican_imagehost.hosting import ImageHost

    with ImageHost(site.settings, progress=_progress()) as image_host:
        for hosted in image_host.add(files):
            click.echo(hosted.url)


@_command
@click.option("--published", is_flag=True, help="Ask the live host for every address as well.")
@click.option("--manifest-only", is_flag=True, hidden=True)
@click.option("--sources", type=click.Path(path_type=Path), hidden=True)
@click.option("--theme", hidden=True)
def check(site: Site, *, published: bool, manifest_only: bool, sources: Path | None) -> int:
    """Report every problem of the site's images; write nothing.

    Each problem is a line `document:line: reference: reason`; the exit code is 1 if
    there is any.
    """
    from pelican_imagehost.upkeep import check as checking

    only = set(sources.read_text("utf-8").split("\0")) if sources else None
    report, unread = checking.look(site, only=only, progress=_progress())
    lines = sorted(map(str, report.problems))
    lines += [f"{source}: Pelican could not read it" for source in checking.failed(site, unread)]
    if manifest_only:
        lines += checking.unlisted(site, report)
    if published:
        lines += checking.unpublished(site, report)
    for line in lines:
        click.echo(line)
    _say(str(report))
    return 1 if lines else 0


_day = click.DateTime(["%Y-%m-%d"])


@_command
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
@click.option("--search", "text", default="", help="Words in the name, a path or a document.")
@click.option("--type", type=click.Choice(IMAGE_TYPES), help="Only of this type.")
@click.option("--since", type=_day, help="Only what came on this day or later.")
@click.option("--until", type=_day, help="Only what came on this day or earlier.")
@click.option("--unused", is_flag=True, help="Only what no document uses.")
@click.option("--duplicates", is_flag=True, help="Only what is stored once and came again.")
def list_(site: Site, *, as_json: bool, **wanted: Any) -> None:  # noqa: ANN401  Click's
    """List the images, their sizes, and which documents use each.

    Documents are those of the last build, and those whose text holds the image's address.
    """
    from pelican_imagehost.cli.listing import show_images
    from pelican_imagehost.gallery.listing import Facts, list_images
    from pelican_imagehost.gallery.query import Query, select
    from pelican_imagehost.gallery.uses import Mentions
    from pelican_imagehost.upkeep.check import look

    days = {name: wanted[name].date() for name in ("since", "until") if wanted[name]}
    query = Query()._replace(**{name: value for name, value in wanted.items() if value} | days)
    facts = Facts.read(site.settings, Mentions(site.settings).find())
    if not facts.uses:
        facts = facts._replace(uses=look(site)[0].uses)
    images = select(list_images(site.settings, facts), query)
    if as_json:
        click.echo(json.dumps([entry._asdict() for entry in images], ensure_ascii=False, indent=2))
    else:
        show_images(images)


@_command
@click.option(
    "--repair",
    is_flag=True,
    help="Set corrupt files aside; store again what is here or in git; record what is not.",
)
def verify(site: Site, *, repair: bool) -> int:
    """Hash every stored image again; name what is corrupt, missing or, of uploads, unrecorded.

    The exit code is 1 if anything is, and was not repaired.
    """
    from pelican_imagehost.upkeep import verifying

    verdict = verifying.verify(site.settings, repair=repair, progress=_progress())
    for line in verdict.lines:
        click.echo(line)
    _say(verdict.summary)
    return 0 if verdict.well else 1


@_command
@click.argument("images", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Show what would go; remove nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, hidden=True)
@click.option(
    "--grace-days",
    default=30,
    show_default=True,
    help="Keep what the committed manifest named this lately.",
)
def gc(site: Site, *, images: tuple[str, ...], as_json: bool, **options: Any) -> int:  # noqa: ANN401  Click's
    """Remove stored images that no document names any more.

    Shows what would go and how many bytes, and asks first. Uploads stay, unless they are
    named: with IMAGE (a SHA-256, an address or a file), these go and nothing else, uploads
    too, from the host as well; what uses one keeps it.
    """
    if images:
        return _delete(site, images, as_json=as_json, **options)
    return _collect(site, **options)


def _collect(site: Site, *, dry_run: bool, yes: bool, grace_days: int) -> int:
    from pelican_imagehost.report import count, readable_size
    from pelican_imagehost.upkeep import collecting

    found = collecting.plan(site, grace_days=grace_days, progress=_progress())
    lines, files, _ = found.garbage
    names = {image.key: path for path, image in lines.items()}
    for key, size in files.items():
        click.echo(f"{key}  {readable_size(size)}  {names.get(key, '')}".rstrip())
    _say(f"{count(len(files), 'image')}, {readable_size(sum(files.values()))}, named by nothing")
    if dry_run or not (files or lines):
        return 0
    if not yes and not click.confirm("Remove them?", err=True):
        return 1
    gone = collecting.carry_out(site.settings, found).files
    _say(f"removed {count(len(gone), 'image')}, {readable_size(sum(gone.values()))}")
    return 0


def _delete(  # noqa: PLR0913  as `gc` has them
    site: Site, images: tuple[str, ...], *, as_json: bool, dry_run: bool, yes: bool, grace_days: int
) -> int:
    from pelican_imagehost.report import count, readable_size
    from pelican_imagehost.upkeep import delete as deleting

    chosen = deleting.plan(site, images, grace_days=grace_days, progress=_progress())
    if not as_json:
        for name in chosen.kept:
            _say(f"{name.name}: {name.message}")
        for image in chosen.images:
            click.echo(f"{image.image.key}  {readable_size(image.size)}  {image.name}")
    if dry_run or not (chosen.images or as_json):
        return 1 if chosen.kept else 0
    if not yes and not click.confirm("Delete them?", err=True):
        return 1
    deletions = deleting.carry_out(site, chosen)
    if as_json:
        click.echo(json.dumps([deletion._asdict() for deletion in deletions]))
    gone = [deletion for deletion in deletions if deletion.deleted]
    _say(f"deleted {count(len(gone), 'image')}")
    return 0 if len(gone) == len(deletions) else 1


@_command
@click.argument("document", type=click.Path(path_type=Path))
def export(site: Site, document: Path) -> int:
    """Print DOCUMENT with hosted addresses, for pasting elsewhere.

    Only the addresses of images change: code samples, line ends and all else stay as
    they are, which is proven by rendering before anything is printed.
    """
    from pelican_imagehost.hosting import ImageHost
    from pelican_imagehost.site.export import export_document

    with ImageHost(site.settings, progress=_progress()) as image_host:
        data, problems = export_document(site, image_host, document)
    for problem in problems:
        _say(str(problem))
    if problems:
        _say("nothing is exported until these are mended")
        return 1
    click.echo(data, nl=False)
    return 0


@_command
@click.option("--clone", metavar="URL", help="Where the images are already; no old bytes are sent.")
def init(site: Site, *, clone: str | None) -> int:
    """Prepare the site for publishing: the store's repository and the pre-push hook.

    A second time changes nothing.
    """
    from pelican_imagehost.publish.setup import advise, initialise

    done = initialise(site, clone)
    for line in done or ["all is in place"]:
        _say(line)
    missing = advise(site.settings)
    if missing:
        _say("add to publishconf.py:")
        for line in missing:
            click.echo(line)
    return 0


_no_confirm = click.option(
    "--no-confirm", is_flag=True, help="Do not ask the host for the new addresses."
)
_wait = click.option(
    "--wait", default=300.0, show_default=True, help="Seconds to wait for the new addresses."
)


@_command
@click.argument("remote", required=False)
@click.option("--dry-run", is_flag=True, help="Show what would go; send nothing.")
@_no_confirm
@_wait
def publish(site: Site, *, remote: str | None, dry_run: bool, no_confirm: bool, wait: float) -> int:
    """Push the images that the site names, and see them online.

    To REMOTE, or to IMAGEHOST_REMOTE. Plain `git push` of the site does the same first,
    once `init` has installed its hook.
    """
    from pelican_imagehost.publish import commands
    from pelican_imagehost.report import readable_size

    patience = None if no_confirm else wait
    sent = commands.publish(
        site, remote=remote, dry_run=dry_run, patience=patience, progress=_progress(), say=_say
    )
    for image in sent:
        click.echo(f"{site.settings.address_prefix}{image.key}  {readable_size(image.size)}")
    if not sent:
        _say("nothing new")
    return 0


@_hidden_command
@_wait
def pre_push(site: Site, *, wait: float) -> int:
    """Publish the images of a push, before it; git runs this as a hook."""
    from pelican_imagehost.publish import commands
    from pelican_imagehost.publish.git import leave_hook

    leave_hook()
    pushed = sys.stdin.read()
    commands.hook(site, pushed, patience=wait, progress=_progress(), say=_say)
    return 0


@_command
@click.argument("image")
@click.option("--undo", is_flag=True, help="Allow the image again.")
def retract(site: Site, *, image: str, undo: bool) -> int:
    """Take IMAGE offline now: a file, an address or a SHA-256.

    A tombstone keeps it from coming back by accident.
    """
    from pelican_imagehost.publish import commands

    commands.retract(site, image, undo=undo, say=_say)
    return 0


def _progress() -> Progress:
    from rich.console import Console

    from pelican_imagehost.site.progress import show_progress

    return functools.partial(show_progress, Console(stderr=True))


def _start_logging() -> None:
    import pelican.log  # noqa: F401  its logger class must be set before any logger is made
    from rich.console import Console
    from rich.logging import RichHandler

    # What Pelican thinks of settings, a build says; here it would stand before every answer.
    logging.getLogger("pelican.settings").setLevel(logging.ERROR)
    handler = RichHandler(console=Console(stderr=True), show_time=False, show_path=False)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])


def _say(message: str) -> None:
    click.echo(f"pelican-imagehost: {message}", err=True)
