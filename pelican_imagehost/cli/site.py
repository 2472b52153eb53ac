"""Commands for the images of a site."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pelican_imagehost.cli.terminal import (
    hidden,
    make_progress,
    say,
    settings_command,
    show,
    show_images,
    site_command,
)
from pelican_imagehost.images.image import IMAGE_TYPES

if TYPE_CHECKING:
    from pelican_imagehost.site.settings_file import SettingsFile
    from pelican_imagehost.site.site import Site
    from pelican_imagehost.upkeep.garbage import Garbage

__all__ = ["COMMANDS"]


@settings_command
@click.argument("files", nargs=-1, required=True)
def add(site: SettingsFile, files: tuple[str, ...]) -> None:
    """Store FILES and print one address per line, in the given order.

    For editors that upload pasted images (in Typora: Image Uploader, Custom Command). FILES may
    be percent-encoded, or file: URLs. If any fail, each of these is named, no address is
    printed, and the exit code is 1.
    """
    from pelican_imagehost.hosting import ImageHost

    with ImageHost(site.settings, progress=make_progress()) as image_host:
        for hosted in image_host.add(files):
            click.echo(hosted.url)


@site_command
@click.option("--all", "each", is_flag=True, help="Print a line for each problem.")
@click.option("--alt", is_flag=True, help="Also report images without alternative text.")
@click.option("--published", is_flag=True, help="Also check that every image is online.")
def check(site: Site, *, each: bool, alt: bool, published: bool) -> int:
    """Report problems with the site's images; change nothing.

    Prints problems as `document:line: reference: reason`. Many with the same cause are one
    line with three examples. Exits with 1 if there are any.
    """
    from pelican_imagehost.report import group
    from pelican_imagehost.upkeep import check
    from pelican_imagehost.upkeep.clean import find_located

    seen = check.look(site, progress=make_progress())
    report = seen.report
    questions = check.take_questions(site, report)
    report.problems += check.lacking_text(site, seen.documents) if alt else []
    report.problems += check.unpublished(site, report) if published else []
    report.problems += find_located(site.settings)
    report.problems.sort(key=lambda problem: problem.order)
    lines = list(map(str, report.problems)) if each else group(report.problems)
    asked = list(map(str, questions)) if each else group(questions, "file")
    for line in (*lines, *(f"{line}; made by another plugin?" for line in asked)):
        show(line)
    is_short = len(lines) + len(asked) < len(report.problems) + len(questions)
    say(f"{report}{'; check --all shows each' if is_short else ''}")
    if ended := check.count_ended(site, report):
        how = ", and redirects are written" if site.settings.redirects else ""
        say(
            f"IMAGEHOST_KEEP_STATIC is False, so the old addresses of images end: {ended:,}, "
            f"except those that a page names{how}"
        )
    return 1 if lines else 0


@hidden
@site_command
@click.option("--sources", type=click.Path(path_type=Path), help="File with NUL-separated paths.")
@click.option("--theme", "THEME", required=True, help="Theme to use instead of THEME.")
def check_commit(site: Site, *, sources: Path | None) -> int:
    """Report images that documents use and the manifest does not list (for the hook)."""
    from pelican_imagehost.report import group
    from pelican_imagehost.upkeep import check

    only = set(os.fsdecode(sources.read_bytes()).split("\0")) if sources else None
    report = check.look(site, only=only).report
    check.take_questions(site, report)
    problems = [*report.problems, *check.unlisted(site, report)]
    lines = group(sorted(problems, key=lambda problem: problem.order))
    for line in lines:
        show(line)
    return 1 if lines else 0


_day = click.DateTime(["%Y-%m-%d"])


@site_command
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@click.option(
    "--search",
    "text",
    default="",
    help="Only images with all these words in their name, path, document or SHA-256.",
)
@click.option("--type", type=click.Choice(IMAGE_TYPES), help="Only images of this type.")
@click.option("--since", type=_day, metavar="DATE", help="Only images added on or after DATE.")
@click.option("--until", type=_day, metavar="DATE", help="Only images added on or before DATE.")
@click.option("--unused", is_flag=True, help="Only unused images.")
@click.option("--duplicates", is_flag=True, help="Only images added more than once.")
def list_(site: Site, *, as_json: bool, **wanted: Any) -> None:  # noqa: ANN401  Click's
    """List the images, with their sizes and where they are used.

    An image is used if a document of the last build refers to it, or a file of the site or
    its theme contains its address. DATE is YYYY-MM-DD.
    """
    from pelican_imagehost.gallery.listing import Facts, list_images
    from pelican_imagehost.gallery.query import Query, select
    from pelican_imagehost.gallery.uses import Mentions
    from pelican_imagehost.upkeep.check import look

    days = {name: wanted[name].date() for name in ("since", "until") if wanted[name]}
    query = Query()._replace(**{name: value for name, value in wanted.items() if value} | days)
    facts = Facts.read(site.settings, Mentions(site.settings).find())
    if not facts.uses:
        facts = facts._replace(uses=look(site).report.uses)
    images = select(list_images(site.settings, facts), query)
    if as_json:
        click.echo(json.dumps([entry._asdict() for entry in images], indent=2))
    else:
        show_images(images)


@site_command
@click.option(
    "--repair",
    is_flag=True,
    help="Set corrupt files aside, restore from the site or git, correct lines of the manifest, "
    "record untracked uploads.",
)
def verify(site: Site, *, repair: bool) -> int:
    """Re-hash images; report corrupt, missing and unrecorded files, and bad manifest lines.

    Exits with 1 if corrupt or missing files or bad lines remain. An unrecorded file is an
    upload without a record, or an image that the site no longer uses.
    """
    from pelican_imagehost.upkeep.verify import verify

    verdict = verify(site.settings, repair=repair, progress=make_progress())
    for line in verdict.lines:
        show(line)
    say(verdict.summary)
    return 0 if verdict.is_well else 1


_grace_days = click.option(
    "--grace-days",
    type=click.IntRange(min=0),
    default=30,
    show_default=True,
    metavar="DAYS",
    help="Keep images the committed manifest listed within this many days.",
)


@site_command
@click.argument("images", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Show what would be deleted; delete nothing.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@_grace_days
def gc(site: Site, *, images: tuple[str, ...], **options: Any) -> int:  # noqa: ANN401  Click's
    """Delete unused images from the store.

    Shows them and their sizes, and asks first. Uploads are kept. Given IMAGES (each a
    SHA-256, an address or a file), deletes only those, uploads included, here and on
    the host; images in use are kept.
    """
    return _delete(site, images, **options) if images else _collect(site, **options)


def _collect(site: Site, *, dry_run: bool, yes: bool, grace_days: int) -> int:
    from pelican_imagehost.report import readable_size
    from pelican_imagehost.upkeep import garbage

    plan = garbage.plan(site, grace_days=grace_days, progress=make_progress())
    names = {image.key: path for path, image in plan.garbage.lines.items()}
    for key, size in plan.garbage.files.items():
        show(f"{key}  {readable_size(size)}  {names.get(key, '')}".rstrip())
    say(_describe(site, plan.garbage, "unused "))
    if plan.waiting:
        say(f"kept for now: {plan.waiting:,}, listed by a commit of the last {grace_days} days")
    if dry_run or not plan.garbage:
        return 0
    if not yes and not click.confirm("Delete them?", err=True):
        return 1
    deleted = garbage.carry_out(site.settings, plan)
    say(f"deleted {_describe(site, deleted)}")
    if deleted.lines:
        say(f"{site.settings.manifest.name} has changed; commit it")
    return 0


def _describe(site: Site, garbage: Garbage, kind: str = "") -> str:
    from pelican_imagehost.report import count, readable_size

    size = readable_size(sum(garbage.files.values()))
    parts = [f"{count(len(garbage.files), f'{kind}image')}, {size}"]
    if garbage.lines:
        parts.append(f"{count(len(garbage.lines), f'{kind}line')} of {site.settings.manifest.name}")
    return "; ".join(parts)


def _delete(
    site: Site, images: tuple[str, ...], *, dry_run: bool, yes: bool, grace_days: int
) -> int:
    from pelican_imagehost.report import count, readable_size
    from pelican_imagehost.upkeep import delete

    plan = delete.plan(site, images, grace_days=grace_days, progress=make_progress())
    for kept in plan.kept:
        say(f"{kept.name}: {kept.message}")
    for image in plan.images:
        show(f"{image.key}  {readable_size(image.size)}  {image.name}")
    if dry_run or not plan.images:
        return 1 if plan.kept else 0
    if not yes and not click.confirm("Delete them?", err=True):
        return 1
    deletions = delete.carry_out(site.settings, plan)
    deleted = [deletion for deletion in deletions if deletion.deleted]
    say(f"deleted {count(len(deleted), 'image')}")
    return 0 if len(deleted) == len(deletions) else 1


@site_command
@click.option("--dry-run", is_flag=True, help="Only say what would be made.")
def variants(site: Site, *, dry_run: bool) -> int:
    """Make the smaller variants of images that a build would make.

    They go into the store and the manifest; pages name them with the next build. Ctrl-C keeps
    what is made.
    """
    from pelican_imagehost.hosting import ImageHost
    from pelican_imagehost.report import count
    from pelican_imagehost.storage.making import find_lacking, make_variants

    documents, _ = site.documents()
    with ImageHost(site.settings, progress=make_progress()) as image_host:
        report = image_host.host(documents)
        lacking = find_lacking(image_host.catalogue, report.images)
        if dry_run:
            say(f"{count(len(lacking), 'image')} to make variants of")
            return 0
        making = make_variants(image_host.catalogue, lacking, say)
    for problem in making.problems:
        say(str(problem))
    made = sum(len(image.variants) for image in making.images.values())
    say(f"{count(made, 'variant')} of {count(len(making.images), 'image')} made")
    if making.images:
        say(f"{site.settings.manifest.name} has changed; commit it")
    return 1 if making.problems else 0


@site_command
@click.option("--dry-run", is_flag=True, help="Show what would be cleaned; change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option(
    "--now", is_flag=True, help="Take the old images offline at once, not after the days."
)
@_grace_days
def clean(site: Site, *, dry_run: bool, yes: bool, now: bool, grace_days: int) -> int:
    """Remove metadata from images that are stored already.

    For images that were stored before their metadata was removed, or with another
    IMAGEHOST_KEEP_METADATA. They get new addresses, and files of the site that name the old
    ones are rewritten. The old images stay online for the grace period, because cached
    pages show them; then this command, run again, takes them offline.
    """
    from pelican_imagehost.report import count
    from pelican_imagehost.upkeep import clean

    plan = clean.plan(site.settings, progress=make_progress())
    for problem in plan.problems:
        say(str(problem))
    for move in plan.moves:
        click.echo(f"{move.name}{'  (says where it was taken)' if move.tells else ''}")
    say(f"{count(len(plan.moves), 'image')} to clean")
    for name in map(site.settings.relative, plan.files):
        say(f"names old addresses, and would be rewritten: {name}")
    for name in plan.outside:
        say(f"names old addresses, but is not part of the site; change it yourself: {name}")
    if not dry_run and plan.moves:
        if not yes and not click.confirm("Clean them?", err=True):
            return 1
        rewritten = clean.carry_out(site.settings, plan)
        changed = " and ".join([site.settings.manifest.name, *rewritten])
        say(f"cleaned {count(len(plan.moves), 'image')}; commit {changed}, build and publish")
    old = [*plan.replaced, *(move.old.key for move in plan.moves if not dry_run)]
    if old:
        _end(site, old, now=now, dry_run=dry_run, grace_days=grace_days)
    return 1 if plan.problems else 0


def _end(site: Site, keys: list[str], *, now: bool, dry_run: bool, grace_days: int) -> None:
    """Take images that were replaced offline, if their time has come."""
    from pelican_imagehost.report import count
    from pelican_imagehost.upkeep import clean, delete

    due = keys
    if not now:
        due = clean.due(site.settings, keys, grace_days)
        plan = delete.plan(site, due, grace_days=grace_days) if due else None
        due = [image.key for image in plan.images] if plan else []
        if len(due) < len(keys):
            say(
                f"{count(len(keys) - len(due), 'old image')} still online for {grace_days} days "
                "after the commit; then run this again, or now with --now"
            )
    if dry_run:
        say(f"{count(len(due), 'old image')} to take offline")
    elif due:
        if site.settings.url is not None and now:
            _publish_listed(site)
        delete.delete_now(site.settings, due)
        say(f"took {count(len(due), 'old image')} offline")


def _publish_listed(site: Site) -> None:
    """Publish everything that the manifest lists."""
    from pelican_imagehost.publish.publisher import Publisher, Wanted
    from pelican_imagehost.storage.manifest import Manifest
    from pelican_imagehost.storage.store import Store

    publisher = Publisher(site.settings, Store(site.settings.store))
    wanted = Wanted.of(Manifest.load(site.settings.manifest).images)
    publisher.send(wanted, make_progress(), say)


@hidden
@site_command
@click.argument("images", nargs=-1, required=True)
@_grace_days
def delete_chosen(site: Site, *, images: tuple[str, ...], grace_days: int) -> int:
    """Delete IMAGES as `gc` does, and print the outcome as JSON (for the gallery)."""
    from pelican_imagehost.upkeep import delete

    plan = delete.plan(site, images, grace_days=grace_days)
    deletions = delete.carry_out(site.settings, plan)
    click.echo(json.dumps([deletion._asdict() for deletion in deletions]))
    return 0 if all(deletion.deleted for deletion in deletions) else 1


@site_command
@click.argument("document", type=click.Path(path_type=Path))
def export(site: Site, document: Path) -> int:
    """Print DOCUMENT with hosted addresses, for pasting elsewhere.

    Only the addresses of images change. The result is rendered to verify that, before
    anything is printed.
    """
    from pelican_imagehost.hosting import ImageHost
    from pelican_imagehost.site.export import export_document

    with ImageHost(site.settings, progress=make_progress()) as image_host:
        data, problems = export_document(site, image_host, document)
    for problem in problems:
        say(str(problem))
    if problems:
        say("nothing was exported; fix these problems first")
        return 1
    click.echo(data, nl=False)
    return 0


COMMANDS = (add, check, check_commit, list_, verify, gc, clean, variants, delete_chosen, export)
