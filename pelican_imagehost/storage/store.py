"""The content-addressed tree: `ab/ab12….jpg`, each file named by the SHA-256 of its bytes.

Nothing in it is ever changed. A file comes in by a rename after its bytes are durable,
so whoever reads the tree, a web server or another build, never meets half a picture.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from typing import TYPE_CHECKING

from pelican_imagehost.errors import StoreError
from pelican_imagehost.images.image import KEY, digest_of
from pelican_imagehost.storage.durable import sync_directories, sync_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pelican_imagehost.images.image import Image

__all__ = ["Batch", "Store"]

_INCOMING = ".incoming"
_CORRUPT = ".corrupt"
_UPLOADS = ".uploads"
_READABLE = 0o444  # by a web server too; and a hint to people that these files never change


class Store:
    """A folder of images under their content addresses.

    Args:
        root: the folder; made when the first image comes.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._prefix = os.path.join(root, "")

    @property
    def uploads(self) -> Path:
        """A folder on the same file system for what is still arriving."""
        return self.root / _UPLOADS

    def path(self, key: str) -> Path:
        """The file of a key, there or not."""
        return self.root / key

    def has(self, image: Image) -> bool:
        """Tell whether the image's file is there, with the right length."""
        try:
            return os.stat(self._prefix + image.key).st_size == image.size
        except OSError:
            return False

    def keys(self) -> Iterator[str]:
        """Every key in the tree, in order; other files in it are none of ours."""
        if not self.root.is_dir():
            return
        for folder in sorted(os.listdir(self.root)):
            if re.fullmatch("[0-9a-f]{2}", folder):
                for name in sorted(os.listdir(self.root / folder)):
                    if KEY.fullmatch(f"{folder}/{name}"):
                        yield f"{folder}/{name}"

    def names(self) -> set[str]:
        """The names of all files, without their folders: `ab12….jpg`."""
        folders = [f"{number:02x}" for number in range(256)]
        names: set[str] = set()
        for folder in folders:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                names.update(os.listdir(self._prefix + folder))
        return names

    def is_intact(self, key: str) -> bool:
        """Tell whether a file's bytes still have the digest that is its name.

        Raises:
            StoreError: it cannot be read.
        """
        try:
            with self.path(key).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise StoreError(f"{self.path(key)} cannot be read: {error.strerror}") from error
        return digest == digest_of(key)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the store: one writer at a time, so that `gc` and builds cannot cross.

        Raises:
            StoreError: the folder cannot be made or written.
        """
        from filelock import FileLock  # noqa: PLC0415  a build without news needs no lock

        with self._writing():
            self.root.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.root / ".lock")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    @contextlib.contextmanager
    def batch(self) -> Iterator[Batch]:
        """Collect new images and put them in place together when the block ends well.

        Hold `locked` around it: what an interrupted batch left is cleared first.

        Raises:
            StoreError: the tree cannot be written; none of the batch is in place then.
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
        """Remove a file; its bytes' number is returned.

        Raises:
            StoreError: it cannot be removed.
        """
        with self._writing():
            size = self.path(key).stat().st_size
            self.path(key).unlink()
        return size

    def set_aside(self, key: str) -> Path:
        """Move a corrupt file out of the tree, for a person to look at.

        Returns:
            Where it lies now.
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


class Batch:
    """Images that wait, written and not yet in place; may be filled by several threads."""

    def __init__(self, store: Store, incoming: Path) -> None:
        self._store = store
        self._incoming = incoming
        self._waiting: dict[str, Path] = {}
        # Folders of files that were there: who put them there may have been killed since, and
        # their names not be durable yet.
        self._named: set[str] = set()

    def add(self, image: Image, data: bytes) -> bool:
        """Write an image's bytes beside the tree, unless the tree or the batch has them.

        Returns:
            True where the bytes are new.

        Raises:
            StoreError: they cannot be written.
        """
        if self._store.has(image):
            return False
        temporary = self._incoming / image.key.rpartition("/")[2]
        if self._waiting.setdefault(image.key, temporary) is not temporary:
            return False
        try:
            with temporary.open("xb") as file:
                file.write(data)
            temporary.chmod(_READABLE)
        except OSError as error:
            del self._waiting[image.key]
            temporary.unlink(missing_ok=True)
            raise StoreError(
                f"the store {self._store.root} cannot be written: {error.strerror}"
            ) from error
        return True

    def adopt(self, image: Image, file: Path) -> bool:
        """Take a written file of the store's file system, unless the tree or the batch has it.

        Returns:
            True where the bytes are new; the file is the batch's then.

        Raises:
            StoreError: it cannot be taken.
        """
        if self._store.has(image):
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
        """Make all bytes durable, then give all their names, then make the names durable."""
        if not self._waiting and not self._named:
            return
        sync_files(self._waiting.values())
        folders = {key[:2] for key in self._waiting}
        for folder in folders:
            with contextlib.suppress(FileExistsError):
                os.mkdir(self._store.root / folder)
        for key, temporary in self._waiting.items():
            os.replace(temporary, self._store.root / key)
        self._waiting.clear()
        named = [self._store.root / folder for folder in folders | self._named]
        sync_directories([*named, self._store.root])

    def discard(self) -> None:
        """Remove what was written and not put in place."""
        for temporary in self._waiting.values():
            temporary.unlink(missing_ok=True)
