"""The image that a reference means: its path and its file."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import os

__all__ = ["Location"]


class Location(NamedTuple):
    """The image that a reference means.

    Attributes:
        path: the path in the manifest, relative to the root of the site, NFC.
        file: the absolute file, "" if the image is only in the manifest.
        status: the result of stat(2), None if the file is missing.
        suffix: the query and fragment of the reference, kept in the new address.
    """

    path: str
    file: str
    status: os.stat_result | None
    suffix: str
