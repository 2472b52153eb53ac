"""What Pelican's readers made of each file, kept in memory from build to build.

The same thing as Pelican's content cache, and at the same place, but without a disk
and without its trust in the time of a file alone.
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

# A text that takes in another file: its own stamp does not tell whether it is still so.
_INCLUDES = re.compile(
    rb"^\s*\.\. (?:include|literalinclude|raw|csv-table)::|:file:|--8<--|\{!|\{%",
    re.MULTILINE,
)


class _Read(NamedTuple):
    stamp: Stamp | None
    content: str
    metadata: dict[str, Any]


class WarmReaders(Readers):  # type: ignore[misc]
    """Pelican's readers with a memory of the whole process."""

    memory: ClassVar[dict[str, _Read]] = {}

    @classmethod
    def install(cls) -> None:
        """Let Pelican's generators use these readers, in this process."""
        pelican.generators.Readers = cls

    def get_cached_data(self, path: str, default: Any = None) -> Any:  # noqa: ANN401  Pelican's
        """Give what was made of a file, unless the file has changed since."""
        self._before = _stamp(path)
        known = self.memory.get(path)
        if known is None:
            return super().get_cached_data(path, default)
        if known.stamp is None or known.stamp != self._before:
            return default
        return known.content, _renew(known.metadata)

    def cache_data(self, path: str, data: tuple[str | None, dict[str, Any]]) -> None:
        """Keep what was made of a file; a later change must show in its stamp."""
        content, metadata = data
        if content is None:  # a static file's
            return
        stamp = _stamp(path)
        settled = stamp is not None and stamp.is_settled(time.time_ns())
        if not settled or stamp != self._before or _takes_in_others(path):
            stamp = None
        self.memory[path] = _Read(stamp, content, _renew(metadata))


def _renew(value: Any) -> Any:  # noqa: ANN401  any metadata
    """Copy metadata as far as a plugin may change it in place."""
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


def _takes_in_others(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return _INCLUDES.search(file.read()) is not None
    except OSError:
        return True
