"""Take the uploads of a service that recorded them in a file over into a shared database."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from pelican_imagehost.errors import PublishError
from pelican_imagehost.report import count
from pelican_imagehost.storage.postgres import PostgresRecords
from pelican_imagehost.storage.records import Records

if TYPE_CHECKING:
    from pelican_imagehost.publish.target import Target
    from pelican_imagehost.settings import Settings

__all__ = ["adopt_records"]


def adopt_records(settings: Settings, target: Target) -> list[str]:
    """Copy the records in the file to the database; safe to repeat.

    Args:
        settings: the settings of the site.
        target: the bucket, which must have the images already.

    Returns:
        A line for what was done; empty if there was nothing to do.

    Raises:
        PublishError: the image of a record is not in the bucket yet; none was copied.
        RecordsError: the file cannot be read, or the database not be written.
    """
    if settings.database is None or not settings.records.exists():
        return []
    with closing(Records(settings.records, read_only=True)) as file:
        uploads = [record for record in file.all() if record.token]
    with closing(PostgresRecords(settings.database)) as book:
        known = book.known(record.image.sha256 for record in uploads)
        new = [record for record in uploads if record.image.sha256 not in known]
        absent = target.missing([record.image.key for record in new])
        if absent:
            raise PublishError(
                f"{settings.relative(settings.records)}: {count(len(absent), 'upload')} not in the "
                "bucket yet; run `publish --all` with its address first"
            )
        target.note_uploads(record.image.sha256 for record in new)
        book.adopt(new)
    source = settings.relative(settings.records)
    return [f"copied {count(len(new), 'record')} of uploads from {source}"] if new else []
