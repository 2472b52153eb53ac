"""Queries to the gallery: words, type, dates, order and page."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SORTS", "Query", "day_of"]

SORTS: Final = ("newest", "largest", "name")
_PAGE: Final = re.compile("[1-9][0-9]{0,8}")


class Query(NamedTuple):
    """A query to the gallery; an empty one finds all images.

    Attributes:
        text: words; each must occur in the name, a path, a document or the digest.
        type: an image type, or "".
        since: the first day, or None.
        until: the last day, or None.
        unused: only unused images.
        duplicates: only images added more than once.
        sort: one of `SORTS`; for `list` also "path", by the first path, then uploads by age.
        page: from 1.
    """

    text: str = ""
    type: str = ""
    since: date | None = None
    until: date | None = None
    unused: bool = False
    duplicates: bool = False
    sort: str = SORTS[0]
    page: int = 1

    @classmethod
    def parse(cls, fields: Mapping[str, str]) -> Query:
        """Read the query of an address; invalid values are ignored."""
        page = fields.get("page", "")
        return cls(
            text=fields.get("text", "").strip(),
            type=fields.get("type", ""),
            since=_parse_day(fields.get("since", "")),
            until=_parse_day(fields.get("until", "")),
            unused=bool(fields.get("unused")),
            duplicates=bool(fields.get("duplicates")),
            sort=fields["sort"] if fields.get("sort") in SORTS else SORTS[0],
            page=int(page) if _PAGE.fullmatch(page) else 1,
        )

    def fields(self) -> dict[str, str]:
        """Return the parts that differ from an empty query, as in an address."""
        new = Query()._asdict()
        changed = {name: value for name, value in self._asdict().items() if value != new[name]}
        return {name: "1" if value is True else str(value) for name, value in changed.items()}

    def address(self, **changes: object) -> str:
        """Return the query part of the address, `?` at least, with some fields changed."""
        return f"?{urlencode(self._replace(**changes).fields())}"  # type: ignore[arg-type]  # fields

    @property
    def is_filtered(self) -> bool:
        """Return whether the query can exclude images."""
        return self._replace(sort=SORTS[0], page=1) != Query()


def day_of(seconds: int) -> date:
    """Return the date of a time in seconds since 1970, in the time zone of this machine."""
    return datetime.fromtimestamp(seconds, UTC).astimezone().date()


def _parse_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
