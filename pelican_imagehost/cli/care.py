"""Commands that take care of the stored images of a site."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from pelican_imagehost.cli.terminal import hidden, make_progress, say, show, site_command

if TYPE_CHECKING:
    from pelican_imagehost.site.site import Site
    from pelican_imagehost.upkeep.garbage import Garbage

__all__ = ["COMMANDS"]


@site_command
@click.option(
    "--repair",
    is_flag=True,
    help="Set corrupt files aside, restore from the site, git or bucket, correct lines of the "
    "manifest, record untracked uploads.",
)
@click.option("--published", is_flag=True, help="Compare what is published with the manifest.")
@click.option("--deep", is_flag=True, help="With --published: also fetch and hash every image.")
def verify(site: Site, *, repair: bool, published: bool, deep: bool) -> int:
    """Re-hash images; report corrupt, missing and unrecorded files, and bad manifest lines.

    Exits with 1 if corrupt or missing files or bad lines remain. An unrecorded file is an
    upload without a record, or an image that the site no longer uses. With --published,
    looks at what was sent to IMAGEHOST_REMOTE, and not at the store.
    """
    from pelican_imagehost.upkeep.published import verify_published
    from pelican_imagehost.upkeep.verify import verify

    progress = make_progress()
    if deep and not published:
        raise click.UsageError("--deep is an option of --published")
    if repair and published:
        raise click.UsageError("--repair and --published exclude each other")
    verdict = (
        verify_published(site.settings, deep=deep, progress=progress)
        if published
        else verify(site.settings, repair=repair, progress=progress, say=say)
    )
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
    from pelican_imagehost.report import count, readable_size
    from pelican_imagehost.upkeep import garbage

    plan = garbage.plan(site, grace_days=grace_days, progress=make_progress())
    names = {image.key: path for path, image in plan.garbage.lines.items()}
    for key, size in plan.garbage.files.items():
        shown = readable_size(size or plan.published.get(key, 0))
        show(f"{key}  {shown}  {names.get(key, '')}".rstrip())
    say(_describe(site, plan.garbage, "unused "))
    if plan.published:
        total = readable_size(sum(plan.published.values()))
        say(f"of them on the host: {count(len(plan.published), 'image')}, {total}")
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
    for one in deletions[len(plan.kept) :]:
        if not one.deleted:
            say(f"{one.name}: {one.message}")
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
        images = (lacking.new | lacking.lost).values()
        if dry_run:
            say(f"{count(len(images), 'image')} to make variants of")
            return 0
        made = make_variants(image_host.catalogue, images, say)
    variants = sum(len(image.variants) for image in made.values())
    say(f"{count(variants, 'variant')} of {count(len(made), 'image')} made")
    if made:
        say(f"{site.settings.manifest.name} has changed; commit it")
    return 0


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
            _publish_new(site)
        delete.delete_now(site.settings, due)
        say(f"took {count(len(due), 'old image')} offline")


def _publish_new(site: Site) -> None:
    """Publish everything that the manifest lists, and the uploads that wait for it."""
    from pelican_imagehost.publish.publisher import Publisher, Wanted
    from pelican_imagehost.serve.outbox import Outbox
    from pelican_imagehost.storage.book import has_record_file
    from pelican_imagehost.storage.manifest import Manifest

    publisher = Publisher(site.settings)
    wanted = Wanted.of(Manifest.load(site.settings.manifest).images)
    publisher.send(wanted, make_progress(), say)
    if has_record_file(site.settings):
        Outbox(site.settings).send()


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


COMMANDS = (verify, gc, clean, variants, delete_chosen)
