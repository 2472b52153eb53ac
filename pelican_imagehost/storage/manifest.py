"""The manifest: a file in the site's repository that maps paths to images.

JSON Lines, sorted:

    {"path": "cat.jpg", "sha256": "ab12…", "type": "jpg", "size": 1, "width": 2, "height": 3}

A line has `"source"` too, the SHA-256 of the author's file, if the published bytes are others.
Like a lock file of packages it makes builds reproducible, even without the image files.
Branches are merged line by line (`merge=union`), so two lines may have the same path, until
a build with the file resolves the conflict.
"""

from __future__ import annotations

import io
import os
from itertools import count
from typing import TYPE_CHECKING, Any

from pelican_imagehost.errors import ManifestConflict, ManifestError
from pelican_imagehost.storage.durable import replace_file
from pelican_imagehost.storage.lines import format_line, read_line, read_usual
from pelican_imagehost.storage.regular import open_regular

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from pelican_imagehost.images.image import Image

    _Read = Callable[[bytes], tuple[str, Image | None]]

__all__ = ["Manifest"]


class Manifest:
    """The lines of one manifest file.

    Attributes:
        file: the file.
        images: path → image, for every path without a conflict.
        conflicts: path → the error with both line numbers.
        errors: (line number from 1, error) for each line that cannot be read; such lines
            are kept unchanged when the file is written.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.images: dict[str, Image] = {}
        self.conflicts: dict[str, ManifestConflict] = {}
        self.errors: list[tuple[int, ManifestError]] = []
        self._extras: dict[str, dict[str, Any]] = {}
        self._kept: list[str] = []
        self._conflicting: dict[str, list[str]] = {}
        self._numbers: dict[str, int] = {}
        self._stamp: tuple[int, ...] | None = None  # of the file, as it was read

    def __contains__(self, path: object) -> bool:
        """Return whether any line has this path."""
        return path in self.images or path in self.conflicts

    def __iter__(self) -> Iterator[str]:
        """Yield each path once."""
        yield from self.images.keys() | self.conflicts.keys()

    def __len__(self) -> int:
        """Count the paths."""
        return len(self.images.keys() | self.conflicts.keys())

    @classmethod
    def load(cls, file: Path, read: _Read = read_usual) -> Manifest:
        """Read a manifest; it is empty if the file does not exist.

        Args:
            file: the file.
            read: `read_usual`, or what remembers its results.

        Raises:
            ManifestError: the file cannot be read.
        """
        manifest = cls(file)
        try:
            with open_regular(file) as opened:
                manifest._stamp = _stamp(os.fstat(opened.fileno()))
                manifest._take_all(opened, read)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise ManifestError(f"{file.name} cannot be read: {error.strerror}") from error
        return manifest

    @classmethod
    def parse(cls, file: Path, data: bytes) -> Manifest:
        """Read the content of a manifest.

        Args:
            file: its file, for messages.
            data: the content.
        """
        manifest = cls(file)
        manifest._take_all(io.BytesIO(data), read_usual)
        return manifest

    def refresh(self) -> None:
        """Read the file again if another process has changed it.

        Raises:
            ManifestError: the file cannot be read.
        """
        try:
            fresh = _stamp(self.file.stat()) == self._stamp
        except OSError:
            fresh = False
        if not fresh:
            self.__dict__.update(Manifest.load(self.file).__dict__)

    def update(self, images: Mapping[str, Image], *, drop: Iterable[str] = ()) -> bool:
        """Add and remove lines; the file is only written if it changes.

        Reads the file again if another process has changed it. The caller holds the lock of
        the store.

        Args:
            images: path → image; each resolves a conflict about its path.
            drop: paths whose lines are removed.

        Returns:
            Whether the file was written.

        Raises:
            OSError: the file cannot be written; it is unchanged.
        """
        before = self.images
        self.refresh()
        drop = [path for path in drop if path in self.images or path in images]
        images = {path: self._completed(path, image, before) for path, image in images.items()}
        if not drop and all(self.images.get(path) == image for path, image in images.items()):
            return False
        self._stamp = None  # read the file again next time
        for path, image in images.items():
            self.images[path] = image
            self.conflicts.pop(path, None)
            for line in self._conflicting.pop(path, ()):
                _, settled, extras = read_line(line)
                if settled[:5] == image[:5]:
                    self.images[path] = self.images[path]._replace(
                        forms=image.forms or settled.forms
                    )
                    self._extras.setdefault(path, {}).update(extras)
        for path in drop:
            self.images.pop(path, None)
        replace_file(self.file, self.text().encode(errors="surrogateescape"))
        return True

    def place(self, path: str) -> str:
        """Return the place of a line, as `imagehost.jsonl:3`."""
        return f"{self.file.name}:{self._numbers[path]}"

    def text(self) -> str:
        """Return the content of the file: sorted lines, then those that cannot be read."""
        lines = {
            path: [format_line(path, image, self._extras.get(path, {}))]
            for path, image in self.images.items()
        }
        lines.update(self._conflicting)
        ordered = [line for path in sorted(lines) for line in lines[path]]
        return "".join(f"{line}\n" for line in (*ordered, *self._kept))

    def unsettled_text(self) -> str:
        """Return the lines that conflict or cannot be read."""
        conflicting = [line for lines in self._conflicting.values() for line in lines]
        return "\n".join((*conflicting, *self._kept))

    def _completed(self, path: str, image: Image, before: Mapping[str, Image]) -> Image:
        """Keep the variants of a line; the reader of the image need not know them.

        Those of a line that another process has dropped are gone with it.
        """
        known = self.images.get(path)
        if known is None and path in before:
            return image._replace(forms="")
        is_less = known is not None and not image.forms and known.sha256 == image.sha256
        return image._replace(forms=known.forms) if known and is_less else image

    def _take_all(self, lines: Iterable[bytes], read: _Read) -> None:
        found = [*map(read, lines)]
        images = dict(found)
        if len(images) == len(found) and all(images.values()):  # as usual: half the time
            self.images = images  # type: ignore[assignment]  # none is None
            self._numbers = dict(zip(images, count(1)))
            return
        for number, (path, image) in enumerate(found, 1):
            if image is None:
                self._take_unusual(number, path)
            else:
                self._take(number, path, image, {})

    def _take_unusual(self, number: int, line: str) -> None:
        if not line.strip():
            return
        try:
            facts = read_line(line)
        except ManifestError as error:
            self.errors.append((number, error))
            self._kept.append(line)
            return
        self._take(number, *facts)

    def _take(self, number: int, path: str, image: Image, extras: dict[str, Any]) -> None:
        known = self.images.get(path)
        if path in self.conflicts or (known is not None and known[:5] != image[:5]):
            self._conflict(number, path, image, extras)
            return
        self.images[path] = image if known is None else _joined(known, image)
        self._numbers.setdefault(path, number)
        if extras:
            self._extras.setdefault(path, {}).update(extras)

    def _conflict(self, number: int, path: str, image: Image, extras: dict[str, Any]) -> None:
        lines = self._conflicting.setdefault(path, [])
        known = self.images.pop(path, None)
        if known is not None:
            lines.append(format_line(path, known, self._extras.pop(path, {})))
        lines.append(format_line(path, image, extras))
        self.conflicts[path] = ManifestConflict(
            f"{self.file.name} lists two images for {path} (lines {self._numbers[path]} and "
            f"{number}), and the file is missing; delete the wrong line, or restore the file and "
            "build"
        )


def _joined(one: Image, other: Image) -> Image:
    """Join two lines of one image: two files of it, or two authors who made its variants."""
    forms = min(
        filter(None, (one.forms, other.forms)), key=lambda text: (len(text), text), default=""
    )
    return one._replace(source=max(one.source, other.source), forms=forms)


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    """Return the state of a file, which changes whenever a program writes the file."""
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
