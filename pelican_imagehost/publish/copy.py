"""Copy everything that is published, or stored here, to another target; safe to interrupt."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

from pelican_imagehost.images.image import digest_of
from pelican_imagehost.publish.git import LeanGit
from pelican_imagehost.publish.publisher import Publisher, Wanted
from pelican_imagehost.publish.target import open_sources
from pelican_imagehost.storage.book import has_records, open_records
from pelican_imagehost.storage.manifest import Manifest

if TYPE_CHECKING:
    from pelican_imagehost.report import Progress, Say
    from pelican_imagehost.settings import Settings

__all__ = ["copy_all"]


def copy_all(
    settings: Settings, remote: str | None, *, dry_run: bool, progress: Progress, say: Say
) -> dict[str, int]:
    """Copy every image, every tombstone and the marks of uploads to a target.

    What is there already is not sent again, so a copy that was interrupted continues.

    Args:
        settings: the settings of the site.
        remote: the target; IMAGEHOST_REMOTE if None.
        dry_run: send nothing.
        progress: shows the progress.
        say: called with each step.

    Returns:
        Key → size in bytes, for the images that were sent, or would be.

    Raises:
        PublishError: an image cannot be read or sent.
    """
    publisher = Publisher(settings, remote, LeanGit)
    target = publisher.target
    sources = open_sources(settings, remote)
    sizes: dict[str, int | None] = {}
    retracted: set[str] = set()
    for source in sources:
        source.refresh()  # which lists the tombstones in the store, one source after the other
        retracted |= source.retracted()
        sizes |= {key: size or 0 for key, size in source.sizes().items()}
    sizes |= {key: os.stat(publisher.store.path(key)).st_size for key in publisher.store.keys()}  # noqa: SIM118  a method: the store is not a dict
    listed = Wanted.of(Manifest.load(settings.manifest).images)
    sizes |= listed.sizes
    kept = {key: size for key, size in sizes.items() if digest_of(key) not in retracted}
    wanted = Wanted(kept, {key: listed.sources.get(key, key) for key in kept})

    def fetch(key: str) -> bytes | None:
        return next((data for source in sources if (data := source.read(key)) is not None), None)

    if dry_run:
        return {key: kept[key] or 0 for key in publisher.plan(wanted)}
    target.forbid(retracted)
    target.note_uploads(_uploads(settings) - retracted)
    sent = publisher.send(wanted, progress, say, fetch)
    return {key: kept[key] or 0 for key in sent}


def _uploads(settings: Settings) -> set[str]:
    if not has_records(settings):
        return set()
    with closing(open_records(settings, read_only=True)) as records:
        return {record.image.sha256 for record in records.all() if record.token}
