"""Read what is known about the images of a site; again only what has changed."""

from __future__ import annotations

import os
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pelican_imagehost.storage.book import Followed, open_records
from pelican_imagehost.storage.index import Index, Stamp
from pelican_imagehost.storage.lines import read_usual
from pelican_imagehost.storage.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from pelican_imagehost.images.image import Image
    from pelican_imagehost.settings import Settings
    from pelican_imagehost.storage.book import Record
    from pelican_imagehost.storage.index import ProblemRow

__all__ = ["NOTHING", "Facts", "Sources"]

_HEAD: Final = 48  # bytes, followed by a copy of them
_MOST_TIMES: Final = 2  # as many lines remembered as there are images


class Facts(NamedTuple):
    """The sources of the list of images.

    Attributes:
        paths: the manifest, path → image.
        records: the uploads, digest → record.
        uses: document → the manifest paths that it uses, as of the last build.
        mentions: file → the keys in its text.
        problems: the problems of the last build.
        folders: the first two digits of digests → the state of their folder in the store,
            whose files have times; an object like no other if it has just changed.
    """

    paths: Mapping[str, Image]
    records: Mapping[str, Record]
    uses: Mapping[str, Iterable[str]]
    mentions: Mapping[str, Iterable[str]]
    problems: list[ProblemRow]
    folders: Mapping[str, object]

    @classmethod
    def read(
        cls, settings: Settings, mentions: Mapping[str, Iterable[str]], *, read_only: bool = True
    ) -> Facts:
        """Read the manifest, the records and the index; see `Sources.read`."""
        return Sources(settings).read(mentions, read_only=read_only)

    def of(self, digests: AbstractSet[str]) -> Facts:
        """Return the facts without the lines and records of other digests."""
        return self._replace(
            paths={path: one for path, one in self.paths.items() if one.sha256 in digests},
            records={one: self.records[one] for one in digests if one in self.records},
        )


NOTHING: Final = Facts({}, {}, {}, {}, [], {})


class Sources:
    """The manifest, the records and the index of a site, and what was read of them.

    Args:
        settings: the settings of the site.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lines = _Lines()
        self._read: dict[Path, tuple[object, Any]] = {}
        self._followed = Followed()

    def read(self, mentions: Mapping[str, Iterable[str]], *, read_only: bool) -> Facts:
        """Read the files that have changed.

        Args:
            mentions: see `Mentions.find`.
            read_only: write no file at all; may miss the results of a running build.

        Returns:
            The facts. Those of files that have not changed are the same objects as before.

        Raises:
            ImageHostError: the manifest or the records cannot be read.
        """
        settings = self._settings
        uses, problems = self._fresh(settings.index, lambda: self._load_index(read_only=read_only))
        return Facts(
            self._fresh(settings.manifest, self._load_lines),
            self._fresh_records(),
            uses,
            mentions,
            problems,
            _folders(settings.store),
        )

    def _fresh(self, file: Path, load: Callable[[], Any]) -> Any:  # noqa: ANN401  what `load` returns
        stamp = _stamp(file)
        if file not in self._read or self._read[file][0] != stamp:
            self._read[file] = stamp, load()
        return self._read[file][1]

    def _load_lines(self) -> dict[str, Image]:
        images = Manifest.load(self._settings.manifest, self._lines.__getitem__).images
        if len(self._lines) > _MOST_TIMES * (len(images) + 1):
            self._lines.clear()
        return images

    def _fresh_records(self) -> Mapping[str, Record]:
        if self._settings.database is None:
            self._fresh(self._settings.records, self._load_records)
        else:
            self._load_records()
        return self._followed.records

    def _load_records(self) -> None:
        with closing(open_records(self._settings, read_only=True)) as opened:
            self._followed = opened.follow(self._followed)

    def _load_index(self, *, read_only: bool) -> tuple[dict[str, set[str]], list[ProblemRow]]:
        with closing(Index(self._settings.index, read_only=read_only)) as index:
            return index.uses(), index.problems()


class _Lines(dict[bytes, tuple[str, "Image | None"]]):
    """Lines of the manifest that were read, and what they say."""

    def __missing__(self, line: bytes) -> tuple[str, Image | None]:
        self[line] = found = read_usual(line)
        return found


def _folders(store: Path) -> dict[str, object]:
    now, found = time.time_ns(), {}
    for number in range(256):
        name = f"{number:02x}"
        stamp = Stamp.at(f"{store}/{name}")
        found[name] = stamp if stamp is None or stamp.is_settled(now) else object()
    return found


def _stamp(file: Path) -> tuple[object, ...]:
    """Return the state of a file; of a database with a write-ahead log, of its last commit.

    The log itself grows before the commit is visible, so its size changes too early. Readers
    use the header of the log index (sqlite.org/walformat.html, section 2.1).
    """
    head, status = b"", None
    with suppress(OSError), open(f"{file}-shm", "rb") as log_index:
        head = log_index.read(_HEAD)
    with suppress(OSError):
        found = os.stat(file)
        status = found.st_mtime_ns, found.st_size, found.st_ino
    return head, status
