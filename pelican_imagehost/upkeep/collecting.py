"""Collecting the garbage of a site: what `gc` finds, and removes when it may."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.hosting import ImageHost
from pelican_imagehost.publish.history import recently_named
from pelican_imagehost.report import Progress, silent
from pelican_imagehost.site.mentions import site_texts
from pelican_imagehost.storage.records import Records
from pelican_imagehost.upkeep import garbage
from pelican_imagehost.upkeep.check import look

if TYPE_CHECKING:
    from pelican_imagehost.settings import Settings
    from pelican_imagehost.site.site import Site
    from pelican_imagehost.upkeep.garbage import Garbage

__all__ = ["Plan", "carry_out", "plan"]


class Plan(NamedTuple):
    """What would be removed.

    Attributes:
        garbage: what nothing names.
        uses: document → manifest paths, as the index had them.
    """

    garbage: Garbage
    uses: dict[str, set[str]]


def plan(site: Site, *, grace_days: int, progress: Progress = silent) -> Plan:
    """Look what nothing of a site names; writes nothing.

    Args:
        site: the site.
        grace_days: keep what the committed manifest named this lately.
        progress: shows how far reading has come.

    Raises:
        ImageHostError: the site cannot be read.
    """
    settings = site.settings
    with (
        ImageHost(settings, dry_run=True) as image_host,
        closing(Records(settings.records, read_only=True)) as records,
    ):
        catalogue = image_host.catalogue
        before = catalogue.index.uses()  # what a build names from here on, `carry_out` sees
        report, unread = look(site, progress=progress)
        found = garbage.find_garbage(
            catalogue,
            {path for paths in report.uses.values() for path in paths},
            texts=(*site.sources(), *site_texts(site.pelican_settings, ())),
            unread=site.sources(only=unread),
            recent=recently_named(settings.manifest, grace_days),
            records=records.all(),
        )
    return Plan(found, before)


def carry_out(settings: Settings, chosen: Plan) -> Garbage:
    """Remove what a plan says, but for what came into use since.

    Returns:
        What was removed.

    Raises:
        ImageHostError: the store or the records cannot be written.
    """
    has_records = settings.records.exists()  # a service may have begun meanwhile
    with (
        ImageHost(settings) as image_host,
        closing(Records(settings.records, read_only=not has_records)) as records,
    ):
        opened = records if has_records else None
        return garbage.collect(image_host.catalogue, chosen.garbage, chosen.uses, opened)
