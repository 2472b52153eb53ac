"""The manifest: a file in the site's repository that maps paths to images.

JSON Lines, sorted:

    {"path": "cat.jpg", "sha256": "ab12…", "type": "jpg", "size": 1, "width": 2, "height": 3}

Like a lock file of packages it makes builds reproducible, even without the image files.
Branches are merged line by line (`merge=union`), so two lines may have the same path, until
a build with the file resolves the conflict.
"""

from __future__ import annotations

import json
import os
import re
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from pelican_imagehost.errors import ManifestConflict, ManifestError
from pelican_imagehost.images.image import KEY, MEDIA_TYPES, Image
from pelican_imagehost.storage.durable import replace_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

__all__ = ["Manifest"]

FORMAT = 1
_DIGITS = 64
_HEXADECIMAL = re.compile("[0-9a-f]+").fullmatch
_FIELDS = ("path", "sha256", "type", "size", "width", "height")
_get_fields = itemgetter(*_FIELDS)
_encode = json.JSONEncoder(ensure_ascii=False).encode


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
    def load(cls, file: Path) -> Manifest:
        """Read a manifest; it is empty if the file does not exist.

        Raises:
            ManifestError: the file cannot be read.
        """
        try:
            with file.open("rb") as opened:
                stamp = _stamp(os.fstat(opened.fileno()))
                data = opened.read()
        except FileNotFoundError:
            return cls(file)
        except OSError as error:
            raise ManifestError(f"{file.name} cannot be read: {error.strerror}") from error
        return cls.parse(file, data, stamp)

    @classmethod
    def parse(cls, file: Path, data: bytes, stamp: tuple[int, ...] | None = None) -> Manifest:
        """Read the content of a manifest.

        Args:
            file: its file, for messages.
            data: the content.
            stamp: the state of the file, if the content is from it.
        """
        manifest = cls(file)
        manifest._stamp = stamp
        lines = data.decode("utf-8-sig", errors="surrogateescape").split("\n")
        images, numbers = manifest.images, manifest._numbers
        for number, (line, record) in enumerate(zip(lines, _parse(lines), strict=True), 1):
            path, image = _read_plain(record)
            if image is None or path in manifest:
                manifest._take(number, line, record)
            else:
                images[path], numbers[path] = image, number
        return manifest

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
        try:
            fresh = _stamp(self.file.stat()) == self._stamp
        except OSError:
            fresh = False
        if not fresh:
            self.__dict__.update(Manifest.load(self.file).__dict__)
        drop = [path for path in drop if path in self.images or path in images]
        if not drop and all(self.images.get(path) == image for path, image in images.items()):
            return False
        self._stamp = None  # read the file again next time
        for path, image in images.items():
            self.images[path] = image
            self.conflicts.pop(path, None)
            for line in self._conflicting.pop(path, ()):
                _, settled, extras = _read(json.loads(line))
                if settled == image:
                    self._extras.setdefault(path, {}).update(extras)
        for path in drop:
            self.images.pop(path, None)
        replace_file(self.file, self._text().encode(errors="surrogateescape"))
        return True

    def unsettled_text(self) -> str:
        """Return the lines that conflict or cannot be read."""
        conflicting = [line for lines in self._conflicting.values() for line in lines]
        return "\n".join((*conflicting, *self._kept))

    def _take(self, number: int, line: str, record: object) -> None:
        if not line.strip():
            return
        try:
            path, image, extras = _read(record)
        except ManifestError as error:
            self.errors.append((number, error))
            self._kept.append(line)
            return
        known = self.images.get(path)
        if path in self.conflicts or (known is not None and known != image):
            self._conflict(number, path, image, extras)
            return
        self.images[path] = image
        self._numbers.setdefault(path, number)
        if extras:
            self._extras.setdefault(path, {}).update(extras)

    def _conflict(self, number: int, path: str, image: Image, extras: dict[str, Any]) -> None:
        lines = self._conflicting.setdefault(path, [])
        known = self.images.pop(path, None)
        if known is not None:
            lines.append(_line(path, known, self._extras.pop(path, {})))
        lines.append(_line(path, image, extras))
        self.conflicts[path] = ManifestConflict(
            f"{self.file.name} lists two images for {path} (lines {self._numbers[path]} and "
            f"{number}), and the file is missing; delete the wrong line, or restore the file and "
            "build"
        )

    def _text(self) -> str:
        lines = {
            path: [_line(path, image, self._extras.get(path, {}))]
            for path, image in self.images.items()
        }
        lines.update(self._conflicting)
        ordered = [line for path in sorted(lines) for line in lines[path]]
        return "".join(f"{line}\n" for line in (*ordered, *self._kept))


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    """Return the state of a file, which changes whenever a program writes the file."""
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def _parse(lines: list[str]) -> list[object]:
    """Parse all lines at once, which is six times faster, or one by one if any is invalid."""
    try:
        records = json.loads("[" + ",".join(line or "null" for line in lines) + "]")
    except (ValueError, RecursionError):
        records = None
    if isinstance(records, list) and len(records) == len(lines) and _are_whole(lines):
        return records
    return [_parse_line(line) for line in lines]


def _parse_line(line: str) -> object:
    try:
        return json.loads(line)
    except ValueError as error:
        return error
    except RecursionError:
        return ValueError("too many brackets")


def _are_whole(lines: list[str]) -> bool:
    """Return whether no line contains two records; parsed together, that could go unnoticed."""
    return not any(re.search(r"\}\s*,\s*\{", line) for line in lines)


def _read(record: object) -> tuple[str, Image, dict[str, Any]]:
    if isinstance(record, ValueError):
        raise ManifestError(
            f"is not a JSON object ({record}); look for an unresolved merge or a truncated line"
        )
    if not isinstance(record, dict):
        raise ManifestError(f"is not a JSON object with the fields {', '.join(_FIELDS)}")
    if record.get("format", FORMAT) != FORMAT:
        raise ManifestError(
            f"has format {record['format']!r}, from a newer version; upgrade pelican-imagehost"
        )
    try:
        path, *values = _get_fields(record)
    except KeyError as error:
        raise ManifestError(f"has no field {error.args[0]!r}") from None
    image = Image(*values)
    _check(path, image)
    extras = {} if len(record) == len(_FIELDS) else _extras(record)
    return path, image, extras


def _extras(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in _FIELDS}


def _read_plain(record: object) -> tuple[str, Image | None]:
    """Read a usual line, quickly; None for any other, which `_read` examines."""
    if type(record) is not dict or len(record) != len(_FIELDS):
        return "", None
    try:
        path, sha256, kind, size, width, height = _get_fields(record)
        plain = (
            type(path) is str
            and type(size) is type(width) is type(height) is int
            and len(sha256) == _DIGITS
            and _HEXADECIMAL(sha256) is not None
            and kind in MEDIA_TYPES
            and size > 0
            and width > 0
            and height > 0
            and path != ""
        )
    except (KeyError, TypeError):
        return "", None
    return path, Image(sha256, kind, size, width, height) if plain else None


def _check(path: object, image: Image) -> None:
    if not isinstance(path, str) or not path:
        raise ManifestError(f"has an invalid path: {path!r}")
    if not isinstance(image.sha256, str) or KEY.fullmatch(image.key) is None:
        raise ManifestError(f"has an invalid sha256 or type: {image.sha256!r}, {image.type!r}")
    for name in ("size", "width", "height"):
        value = getattr(image, name)
        if type(value) is not int or value <= 0:
            raise ManifestError(f"has a {name} that is not a whole number above 0: {value!r}")


def _line(path: str, image: Image, extras: Mapping[str, Any]) -> str:
    if path.isascii() and not extras:  # same result as below, ten times faster
        return (
            f'{{"path": {_encode(path)}, "sha256": "{image.sha256}", "type": "{image.type}", '
            f'"size": {image.size}, "width": {image.width}, "height": {image.height}}}'
        )
    record = {"path": path, **image._asdict(), **extras}
    line = _encode(record)
    try:
        line.encode(errors="surrogateescape")
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can escape
        return json.dumps(record)
    return line
