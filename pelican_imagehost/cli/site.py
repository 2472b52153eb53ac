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
    questions = check.take_questions(site, seen)
    report.problems += check.lacking_text(site, seen.documents) if alt else []
    report.problems += check.unpublished(site, report) if published else []
    report.problems += find_located(site.settings)
    report.problems.sort(key=lambda problem: problem.order)
    lines = list(map(str, report.problems)) if each else group(report.problems)
    asked = [
        f"{line}; {question}"
        for question, files in questions.items()
        for line in (map(str, files) if each else group(files, "file"))
    ]
    for line in (*lines, *asked):
        show(line)
    is_short = len(lines) + len(asked) < len(report.problems) + sum(map(len, questions.values()))
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
    seen = check.look(site, only=only)
    check.take_questions(site, seen)
    problems = [*seen.report.problems, *check.unlisted(site, seen.report)]
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
    from pelican_imagehost.gallery.query import Query
    from pelican_imagehost.gallery.sources import Facts
    from pelican_imagehost.gallery.table import Table
    from pelican_imagehost.gallery.uses import Mentions
    from pelican_imagehost.upkeep.check import look

    days = {name: wanted[name].date() for name in ("since", "until") if wanted[name]}
    wanted = {name: value for name, value in wanted.items() if value}
    query = Query(sort="path")._replace(**wanted | days)
    facts = Facts.read(site.settings, Mentions(site.settings).find())
    if not facts.uses:
        facts = facts._replace(uses=look(site).report.uses)
    table = Table(site.settings)
    table.update(facts)
    images = table.find(query, table.count(query))
    if as_json:
        click.echo(json.dumps([entry.facts() for entry in images], indent=2))
    else:
        show_images(images)


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


COMMANDS = (add, check, check_commit, list_, export)
