"""What `verify` finds in a site's store, and heals when it may."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.hosting import ImageHost
from pelican_imagehost.publish.repository import StoreRepository
from pelican_imagehost.report import Progress, silent
from pelican_imagehost.storage.records import Records
from pelican_imagehost.upkeep import verify as maintenance

if TYPE_CHECKING:
    from pelican_imagehost.settings import Settings
    from pelican_imagehost.upkeep.verify import Condition

__all__ = ["Verdict", "verify"]


class Verdict(NamedTuple):
    """What was found.

    Attributes:
        lines: a line for each file that is, or was, not as it should be.
        summary: the closing line.
        well: whether nothing is wrong any more.
    """

    lines: list[str]
    summary: str
    well: bool


def verify(settings: Settings, *, repair: bool, progress: Progress = silent) -> Verdict:
    """Hash the store again, and hold it against the manifest and the records.

    Args:
        settings: the site's.
        repair: heal what can be healed; write nothing else.
        progress: shows how far it has come.

    Raises:
        ImageHostError: the store or the records cannot be read, or written.
    """
    has_records = settings.records.exists()
    healed: set[str] = set()
    with (
        ImageHost(settings, dry_run=not repair) as image_host,
        closing(Records(settings.records, read_only=not (repair and has_records))) as opened,
    ):
        catalogue, records = image_host.catalogue, opened if has_records else None
        found = maintenance.examine(catalogue, progress, records.all() if records else None)
        if repair:
            fetch = StoreRepository(catalogue.store).read
            healed = maintenance.repair(catalogue, found, records, fetch)
        lines = [
            f"{settings.relative(catalogue.store.path(key))}: {what}"
            f"{f', {done}' if key in healed else ''}"
            for key, (what, done) in _describe(found).items()
        ]
    left = _describe(found).keys() - healed
    return Verdict(lines, _summarise(found, len(healed), repair, has_records), not left)


def _describe(found: Condition) -> dict[str, tuple[str, str]]:
    """Say what is wrong with each key, and how that is said when it is healed."""
    bad = dict.fromkeys(found.corrupt, ("corrupt", "stored again"))
    bad |= {i.key: (f"missing ({path})", "stored again") for path, i in found.missing.items()}
    bad |= {r.image.key: (f"missing (upload {r.name})", "stored again") for r in found.lost}
    return bad | dict.fromkeys(found.unrecorded, ("unrecorded", "recorded"))


def _summarise(found: Condition, healed: int, repair: bool, has_records: bool) -> str:  # noqa: FBT001
    missing = len(found.missing) + len(found.lost)
    parts = [f"{found.intact:,} intact", f"{len(found.corrupt):,} corrupt", f"{missing:,} missing"]
    parts += [f"{len(found.unrecorded):,} unrecorded"] if has_records else []
    return ", ".join(parts) + (f"; {healed:,} repaired" if repair else "")
