"""The content-addressed tree of images: `ab/ab12….jpg`, named after the SHA-256 of the bytes.

Files in it never change. A file is added by a rename, after its bytes are durable, so that
web servers and other builds never read an incomplete image.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from typing import TYPE_CHECKING

from pelican_imagehost.errors import StoreError
from pelican_imagehost.images.image import KEY, digest_of
from pelican_imagehost.storage.durable import (
    hide_from_git,
    replace_file,
    sync_directories,
    sync_files,
)
from pelican_imagehost.storage.regular import open_regular

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pelican_imagehost.images.image import Image

__all__ = ["Batch", "Store", "names_in"]

_INCOMING = ".incoming"
_CORRUPT = ".corrupt"
_UPLOADS = ".uploads"
_RETRACTED = ".retracted"
_OURS = re.compile(r"[0-9a-f]{2}|\.(?!gitignore).*")
_FOLDERS = [f"{number:02x}" for number in range(256)]
_READABLE = 0o444  # also for web servers; read-only, because these files never change


class Store:
    """A folder of images, named after their content.

    Args:
        root: the folder; created with the first image.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.prefix = os.path.join(root, "")
        self._hashed: dict[str, tuple[int, ...]] = {}  # key → the state of a file that is intact

    @property
    def uploads(self) -> Path:
        """Return the folder for incomplete uploads, on the same file system."""
        return self.root / _UPLOADS

    def path(self, key: str) -> Path:
        """Return the file of a key; it may not exist."""
        return self.root / key

    def has(self, image: Image) -> bool:
        """Return whether the file of an image exists, with the right length."""
        try:
            return os.stat(self.prefix + image.key).st_size == image.size
        except OSError:
            return False

    def keys(self) -> Iterator[str]:
        """Yield every key in the tree, sorted; other files are ignored."""
        if not self.root.is_dir():
            return
        for folder in sorted(os.listdir(self.root)):
            if re.fullmatch("[0-9a-f]{2}", folder):
                for name in sorted(os.listdir(self.root / folder)):
                    if KEY.fullmatch(f"{folder}/{name}"):
                        yield f"{folder}/{name}"

    def names(self) -> set[str]:
        """Return the names of all files, without their folders: `ab12….jpg`."""
        return names_in(self.prefix)

    def holds(self, image: Image) -> bool:
        """Return whether the tree has the bytes of an image that has just arrived again.

        The length alone does not tell, after damage by a disk or a program. A file is hashed
        once as it is, so that many arrivals of one image cost little.
        """
        try:
            status = os.stat(self.prefix + image.key)
        except OSError:
            return False
        state = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        if self._hashed.get(image.key) == state:
            return True
        if status.st_size == image.size:
            with contextlib.suppress(StoreError):  # what cannot be read is replaced
                if self.is_intact(image.key):
                    self._hashed[image.key] = state
        return self._hashed.get(image.key) == state

    def is_intact(self, key: str) -> bool:
        """Return whether the bytes of a file have the digest in its name.

        Raises:
            StoreError: the file cannot be read.
        """
        try:
            with open_regular(self.path(key)) as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise StoreError(f"{self.path(key)} cannot be read: {error.strerror}") from error
        return digest == digest_of(key)

    def retracted(self) -> frozenset[str]:
        """Return the digests of the images that were retracted from the host."""
        try:
            return frozenset((self.root / _RETRACTED).read_text("ascii").split())
        except FileNotFoundError:
            return frozenset()
        except (OSError, ValueError) as error:
            raise StoreError(f"{self.root / _RETRACTED} cannot be read: {error}") from error

    def note_retracted(self, digests: Iterable[str]) -> None:
        """List the digests of the images that were retracted from the host.

        Raises:
            StoreError: the list cannot be written.
        """
        listed = frozenset(digests)
        if listed != self.retracted():
            with self._writing():
                self.root.mkdir(parents=True, exist_ok=True)
                text = "".join(f"{digest}\n" for digest in sorted(listed))
                replace_file(self.root / _RETRACTED, text.encode())

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the store, so that only one process changes it at a time.

        Raises:
            StoreError: the folder cannot be created or written.
        """
        import fcntl  # noqa: PLC0415  not on every system

        with self._writing():
            self.root.mkdir(parents=True, exist_ok=True)
            hide_from_git(self.root, _OURS)
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            lock = os.open(self.root / ".lock", flags, 0o644)
        try:
            with self._writing():
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)  # which unlocks it

    @contextlib.contextmanager
    def batch(self) -> Iterator[Batch]:
        """Collect new images, and add them together when the block ends without an error.

        The caller holds the lock, because files of an interrupted batch are removed first.

        Raises:
            StoreError: the tree cannot be written.
        """
        incoming = self.root / _INCOMING
        with self._writing():
            incoming.mkdir(parents=True, exist_ok=True)
            for stale in incoming.iterdir():
                stale.unlink()
        batch = Batch(self, incoming)
        try:
            yield batch
            with self._writing():
                batch.commit()
        finally:
            batch.discard()

    def remove(self, key: str) -> int:
        """Remove a file.

        Returns:
            Its size in bytes.

        Raises:
            StoreError: the file cannot be removed.
        """
        with self._writing():
            size = self.path(key).stat().st_size
            self.path(key).unlink()
        return size

    def set_aside(self, key: str) -> Path:
        """Move a corrupt file out of the tree, and keep it for inspection.

        Returns:
            The new path.

        Raises:
            StoreError: the file cannot be moved.
        """
        with self._writing():
            folder = self.root / _CORRUPT
            folder.mkdir(exist_ok=True)
            target = folder / key.rpartition("/")[2]
            self.path(key).replace(target)
        return target

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"the store {self.root} cannot be written: {error.strerror or error}"
            ) from error


def names_in(tree: str, folders: Iterable[str] = _FOLDERS) -> set[str]:
    """Return the names of all files of a content-addressed tree, without their folders.

    Args:
        tree: the folder, with a separator at its end; may be missing.
        folders: those to look into: the first two digits of the names.
    """
    names: set[str] = set()
    for folder in folders:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            names.update(os.listdir(f"{tree}{folder}"))
    return names


class Batch:
    """Images that are written, but not yet in the tree; several threads may add to it."""

    def __init__(self, store: Store, incoming: Path) -> None:
        self._store = store
        self._incoming = incoming
        self._waiting: dict[str, str] = {}
        # Folders of existing files, whose names may not be durable yet: the process that added
        # them may have been killed.
        self._named: set[str] = set()

    def add(self, image: Image, data: bytes) -> bool:
        """Write the bytes of an image, unless the tree or the batch contains them.

        Returns:
            Whether the image is new, or replaces a damaged file.

        Raises:
            StoreError: the bytes cannot be written.
        """
        if self._store.holds(image):
            return False
        temporary = os.path.join(self._incoming, image.key.rpartition("/")[2])
        if self._waiting.setdefault(image.key, temporary) is not temporary:
            return False
        try:
            with open(temporary, "xb") as file:
                file.write(data)
            os.chmod(temporary, _READABLE)
        except OSError as error:
            del self._waiting[image.key]
            _remove(temporary)
            raise StoreError(
                f"the store {self._store.root} cannot be written: {error.strerror}"
            ) from error
        return True

    def adopt(self, image: Image, file: str) -> bool:
        """Add a file on the same file system, unless the tree or the batch contains its bytes.

        Returns:
            Whether the image is new, or replaces a damaged file; if so, the batch moves or
            removes the file.

        Raises:
            StoreError: the permissions of the file cannot be set.
        """
        if self._store.holds(image):
            self._named.add(image.key[:2])
            return False
        if image.key in self._waiting:
            return False
        try:
            os.chmod(file, _READABLE)
        except OSError as error:
            raise StoreError(f"{file} cannot be stored: {error.strerror}") from error
        self._waiting[image.key] = file
        return True

    def commit(self) -> None:
        """Make the bytes durable, move the files into the tree, make their names durable."""
        if not self._waiting and not self._named:
            return
        sync_files(self._waiting.values())
        folders = {key[:2] for key in self._waiting}
        root = self._store.prefix
        for key, temporary in self._waiting.items():
            _move(temporary, root + key)
        self._waiting.clear()
        sync_directories([*(root + folder for folder in folders | self._named), root])

    def discard(self) -> None:
        """Remove files that were written, but not moved into the tree."""
        for temporary in self._waiting.values():
            _remove(temporary)


def _move(file: str, target: str) -> None:
    try:
        os.replace(file, target)
    except FileNotFoundError:  # the first with these digits
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.replace(file, target)


def _remove(file: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(file)
