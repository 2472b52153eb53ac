"""The results of the readers of Pelican, cached in memory from build to build.

It replaces the content cache of Pelican, but does not use the disk, and compares more than
the time of a file.
"""

from __future__ import annotations

import copy
import os
import re
import time
from typing import Any, ClassVar, NamedTuple

import pelican.generators
from pelican.readers import Readers
from pelican.urlwrappers import URLWrapper

from pelican_imagehost.storage.index import Stamp

__all__ = ["WarmReaders"]

# Texts that include other files, whose own stamp is not enough.
_INCLUDES = re.compile(
    rb"^\s*\.\. (?:include|literalinclude|raw|csv-table)::|:file:|--8<--|\{!|\{%",
    re.MULTILINE,
)


class _Read(NamedTuple):
    stamp: Stamp | None
    content: str
    metadata: dict[str, Any]


class WarmReaders(Readers):  # type: ignore[misc]
    """The readers of Pelican with a cache for the whole process."""

    memory: ClassVar[dict[str, _Read]] = {}

    @classmethod
    def install(cls) -> None:
        """Make the generators of Pelican use these readers, in this process."""
        pelican.generators.Readers = cls

    def get_cached_data(self, path: str, default: Any = None) -> Any:  # noqa: ANN401  as in Pelican
        """Return the cached result for a file, unless the file has changed."""
        self._before = _stamp(path)
        known = self.memory.get(path)
        if known is None:
            return super().get_cached_data(path, default)
        if known.stamp is None or known.stamp != self._before:
            return default
        return known.content, _renew(known.metadata)

    def cache_data(self, path: str, data: tuple[str | None, dict[str, Any]]) -> None:
        """Cache the result for a file, with its stamp if that shows all later changes."""
        content, metadata = data
        if content is None:  # a static file
            return
        stamp = _stamp(path)
        settled = stamp is not None and stamp.is_settled(time.time_ns())
        if not settled or stamp != self._before or _includes_others(path):
            stamp = None
        self.memory[path] = _Read(stamp, content, _renew(metadata))


def _renew(value: Any) -> Any:  # noqa: ANN401  any metadata
    """Copy the parts of metadata that a plugin may change in place."""
    if isinstance(value, dict):
        return {name: _renew(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_renew(item) for item in value]
    return copy.copy(value) if isinstance(value, URLWrapper) else value


def _stamp(path: str) -> Stamp | None:
    try:
        return Stamp.of(os.stat(path))
    except OSError:
        return None


def _includes_others(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return _INCLUDES.search(file.read()) is not None
    except OSError:
        return True
