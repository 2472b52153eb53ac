"""The parts of a page in which a tag may not be what it seems to be: comments, scripts and such."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.documents.tags import RAW_TEXT, WS

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["INERT", "WITH_TAGS", "Region", "find_regions"]

INERT = frozenset({"noscript", "template"})  # scripts make something else of it
WITH_TAGS = INERT | {"picture"}
# Most tags differ in the first two letters; to ignore case from there on takes half the time.
_REGIONS = (*RAW_TEXT, "script", *WITH_TAGS)
_REGION = re.compile(
    rf"<(?=[!sStTnNxXiIpP][-cCtTeEiIoOmMfF])(?i:(!--)|({'|'.join(_REGIONS)})[{WS}/>])",
    re.ASCII,
)
_ENDS = {name: re.compile(rf"</{name}[{WS}/>]", re.ASCII | re.IGNORECASE) for name in _REGIONS}
_ENDS["!--"] = re.compile("-->")


class Region(NamedTuple):
    """A part of a page in which a tag may not be what it seems to be."""

    name: str
    start: int
    end: int


def find_regions(page: str, end: int) -> Iterator[Region]:
    """Yield the regions of a page that begin before a position, the outer ones."""
    position = 0
    while found := _REGION.search(page, position, end):
        name = (found[1] or found[2]).lower()
        closed = _ENDS[name].search(page, found.start() + 2)  # a comment may be `<!-->`
        position = closed.end() if closed else len(page)
        yield Region(name, found.start(), position)
