"""Clean what was stored by older rules: new bytes, a new address, and links that name it.

By itself no rule and no setting moves an address. The old images stay, also on the host,
until no page of the grace period can name them.
"""

from __future__ import annotations

import os
import stat
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.documents.bounds import Bounds
from pelican_imagehost.errors import ImageHostError
from pelican_imagehost.gallery.sources import Facts
from pelican_imagehost.gallery.uses import Mentions
from pelican_imagehost.hosting import ImageHost
from pelican_imagehost.images.clean import clean, has_location
from pelican_imagehost.images.identify import read
from pelican_imagehost.images.prepare import prepare
from pelican_imagehost.report import Problem, silent
from pelican_imagehost.storage.book import has_record_file
from pelican_imagehost.storage.durable import replace_file
from pelican_imagehost.storage.records import Records
from pelican_imagehost.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pelican_imagehost.images.image import Image
    from pelican_imagehost.report import Progress
    from pelican_imagehost.settings import Settings

__all__ = ["Move", "Plan", "carry_out", "due", "find_located", "is_dirty", "plan"]


class Move(NamedTuple):
    """An image that gets another address.

    Attributes:
        old: as it is stored now.
        new: as it is to be.
        paths: its paths in the manifest; none if it was only uploaded.
        name: its name for messages.
        tells: whether the stored bytes say where it was taken.
    """

    old: Image
    new: Image
    paths: list[str]
    name: str
    tells: bool


class Plan(NamedTuple):
    """What cleaning would change.

    Attributes:
        moves: the images that get another address.
        files: the files that name old addresses, absolute.
        outside: files that do so too, but are not part of the site.
        replaced: the keys of stored images that nothing lists, and that hold metadata:
            cleaned earlier, and waiting for their end.
        problems: the images that cannot be cleaned.
    """

    moves: list[Move]
    files: list[str]
    outside: list[str]
    replaced: list[str]
    problems: list[Problem]


def plan(settings: Settings, progress: Progress = silent) -> Plan:
    """Find the images that today's rules would clean; nothing is written.

    Args:
        settings: the settings of the site.
        progress: shows the progress of reading.

    Raises:
        ImageHostError: the manifest or the records cannot be read.
    """
    store, facts = Store(settings.store), Facts.read(settings, {})
    names = _names(facts if settings.database is None else facts._replace(records={}))
    sizes = {image.key: image.size for image in names}
    moves, problems = [], []
    with progress("Looking for metadata", sum(sizes.values())) as advance:
        for image, paths in names.items():
            name = paths[0] if paths else image.key
            try:
                new = _desired(settings, image, paths)[1]
                if new.sha256 != image.sha256:
                    tells = has_location(store.path(image.key).read_bytes(), image.type)
                    moves.append(Move(image, new, paths, name, tells))
            except ImageHostError as error:
                problems.append(Problem("", None, name, error))
            except FileNotFoundError:
                pass  # not here; `verify` reports it
            advance(image.size)
    replaced = [key for key in _unlisted(store, sizes.keys()) if is_dirty(settings, store, key)]
    return Plan(moves, *_naming(settings, {move.old.key for move in moves}), replaced, problems)


def carry_out(settings: Settings, chosen: Plan) -> list[str]:
    """Store the cleaned images, list them, and rewrite the files that name the old ones.

    The old images stay in the store.

    Returns:
        The rewritten files, relative to the site.

    Raises:
        ImageHostError: something cannot be written; what was written so far is consistent, and
            running it again does the rest.
    """
    has_records = has_record_file(settings)
    with (
        ImageHost(settings) as image_host,
        closing(Records(settings.records, read_only=not has_records)) as records,
        image_host.catalogue.store.locked(),
    ):
        catalogue = image_host.catalogue
        with catalogue.store.batch() as batch:
            for move in chosen.moves:
                data, image = _desired(settings, move.old, move.paths)
                batch.add(image, data)
        lines, drop = _lines(settings, chosen.moves)
        catalogue.list_images(lines, drop=drop)
        if has_records:
            records.replace({move.old.sha256: move.new for move in chosen.moves})
    for file in chosen.files:
        _rewrite(file, chosen.moves)
    for move in chosen.moves:
        with suppress(OSError):  # a read-only store keeps everything anyway
            os.utime(settings.store / move.old.key)  # from now on, it is an old one; see `due`
    return [settings.relative(file) for file in chosen.files]


def due(settings: Settings, keys: Iterable[str], grace_days: int) -> list[str]:
    """Return the keys of replaced images that were replaced long enough ago.

    Args:
        settings: the settings of the site.
        keys: as in `Plan.replaced`.
        grace_days: how long an image stays after it was replaced.
    """
    latest = time.time() - grace_days * 86_400
    return [key for key in keys if (settings.store / key).stat().st_mtime <= latest]


def find_located(settings: Settings) -> list[Problem]:
    """Return the stored images that say where they were taken, as problems.

    They are online, or will be: in the output, or with the next push.
    """
    if "all" in settings.keep_metadata:
        return []
    store = Store(settings.store)
    paths = {image.key: path for path, image in sorted(Facts.read(settings, {}).paths.items())}
    error = ImageHostError("says where it was taken; run: pelican-imagehost clean")
    return [
        Problem("", None, paths.get(key, key), error)
        for key in store.keys()  # noqa: SIM118  a method: the store is not a dict
        if _tells(store, key)
    ]


def _tells(store: Store, key: str) -> bool:
    try:
        return has_location(store.path(key).read_bytes(), key.rpartition(".")[2])
    except ImageHostError:  # damaged; `verify` reports it
        return False


def _names(facts: Facts) -> dict[Image, list[str]]:
    """Return every image that is listed, or was uploaded to this store, and its paths."""
    names: dict[Image, list[str]] = {}
    for path, image in sorted(facts.paths.items()):
        names.setdefault(image, []).append(path)
    listed = {image.sha256 for image in names}
    uploads = (one.image for digest, one in facts.records.items() if digest not in listed)
    return names | {image: [] for image in uploads}


def _lines(settings: Settings, moves: Iterable[Move]) -> tuple[dict[str, Image], list[str]]:
    """Return the new lines, and the paths of lines that end: those of files in the store."""
    lines, ended = {}, []
    for move in moves:
        own = settings.relative(settings.store / move.old.key)
        for path in move.paths:
            if path == own:
                ended.append(path)
                path = settings.relative(settings.store / move.new.key)  # noqa: PLW2901
            lines[path] = move.new
    return lines, ended


def _desired(settings: Settings, image: Image, paths: Iterable[str]) -> tuple[bytes, Image]:
    """Return what would be published of an image today, and its bytes.

    Raises:
        ImageHostError: neither the file nor the stored image can be read or followed.
        FileNotFoundError: the store does not have it.
    """
    keep = settings.keep_metadata
    if keep:  # which the stored bytes may have lost
        bounds = Bounds([settings.root, settings.store, *settings.image_folders])
        for path in paths:
            file = bounds.find(os.path.join(settings.root, path))  # a line may lead anywhere
            if file is not None and os.path.isfile(file):
                found = read(file, settings.limits)
                if found.image.sha256 == image.original:
                    return prepare(found.data, found.image, keep)
    data = (settings.store / image.key).read_bytes()
    data, cleaned = prepare(data, image._replace(source=""), keep)
    return data, cleaned._replace(source=image.original if cleaned.source else image.source)


def _unlisted(store: Store, listed: Iterable[str]) -> Iterator[str]:
    known = set(listed)
    return (key for key in store.keys() if key not in known)  # noqa: SIM118  a method


def is_dirty(settings: Settings, store: Store, key: str) -> bool:
    """Return whether a stored image holds metadata that would be removed today."""
    try:
        kind = key.rpartition(".")[2]
        return clean(store.path(key).read_bytes(), kind, settings.keep_metadata) is not None
    except ImageHostError:  # damaged; `verify` reports it
        return False


def _naming(settings: Settings, keys: set[str]) -> tuple[list[str], list[str]]:
    """Return the files that name any of the keys: those of the site, and others."""
    if not keys:
        return [], []
    found = [name for name, named in Mentions(settings).find().items() if keys & named]
    files = [os.path.abspath(settings.root / name) for name in found]
    bounds = Bounds([settings.root, settings.content])
    inside = [file for file in files if bounds.find(file)]
    return inside, [file for file in files if file not in inside]


def _rewrite(file: str, moves: Iterable[Move]) -> None:
    path = Path(os.path.realpath(file))
    before = path.read_bytes()
    data = before
    for move in moves:
        data = data.replace(move.old.key.encode(), move.new.key.encode())
    if data != before:
        mode = stat.S_IMODE(path.stat().st_mode)
        try:
            replace_file(path, data)
            path.chmod(mode)
        except OSError as error:
            raise ImageHostError(f"{file} cannot be written: {error.strerror}") from error
