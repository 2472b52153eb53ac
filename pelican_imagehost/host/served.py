"""The served tree: add images to it whole, all of a push together, and remove them.

Images wait in a staging folder beside the tree until all of them are good, are made durable,
and are renamed into place, so that no reader ever gets half an image.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import time
from typing import IO, TYPE_CHECKING, Self

from pelican_imagehost.errors import PublishError
from pelican_imagehost.images.image import IMAGE_TYPES, digest_of
from pelican_imagehost.storage.durable import sync_directories, sync_files

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Staging", "locked", "remove_image"]

_CHUNK = 1024**2


@contextlib.contextmanager
def locked(served: str, *, exclusive: bool = False) -> Iterator[None]:
    """Lock the served tree, and clear staging folders that killed pushes left.

    Args:
        served: the tree.
        exclusive: whether no push may run at the same time; pushes share the lock.
    """
    incoming = f"{os.path.dirname(served)}/.incoming"
    os.makedirs(incoming, mode=0o700, exist_ok=True)
    with open(f"{incoming}/lock", "w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(lock, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        else:  # nobody else is at work, so every folder was left behind
            _sweep(incoming)
            if not exclusive:
                fcntl.flock(lock, fcntl.LOCK_SH)
        yield


def _sweep(incoming: str) -> None:
    for entry in os.scandir(incoming):
        if entry.is_dir(follow_symlinks=False):
            _remove(entry.path)


def _remove(folder: str) -> None:
    """Remove a folder of plain files."""
    for entry in os.scandir(folder):
        os.unlink(entry.path)
    os.rmdir(folder)


def remove_image(served: str, digest: str) -> bool:
    """Remove an image of any type and its compressed copy; return whether there was one."""
    names = [f"{served}/{digest[:2]}/{digest}.{kind}" for kind in (*IMAGE_TYPES, "svg.gz")]
    existing = [name for name in names if os.path.exists(name)]
    for name in existing:
        os.unlink(name)
    return bool(existing)


class Staging:
    """A folder beside the served tree where images wait until all of them are good.

    Args:
        served: the served tree.
    """

    def __init__(self, served: str) -> None:
        self._served = served
        self._waiting: dict[str, str] = {}
        self._present: set[str] = set()
        self._held = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as held:
            held.enter_context(locked(self._served))
            incoming = f"{os.path.dirname(self._served)}/.incoming"
            self._folder = f"{incoming}/{os.getpid()}-{time.time_ns()}"
            os.mkdir(self._folder, 0o700)
            held.callback(_remove, self._folder)
            self._held = held.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._held.close()

    def add(
        self, key: str, size: int, blob: IO[bytes], *, keep: bool = True, again: bool = False
    ) -> None:
        """Check a blob against the digest in its key, and stage it unless the tree has it.

        Args:
            key: its path in the tree.
            size: its length in bytes.
            blob: a stream, of which that many bytes are read.
            keep: whether it is to be served; it is checked in any case.
            again: whether to replace the tree's file of that name.

        Raises:
            PublishError: the name is not its SHA-256.
        """
        target = f"{self._folder}/{os.path.basename(key)}"
        present = not again and _size(f"{self._served}/{key}") == size
        with open(target, "wb") if keep and not present else contextlib.nullcontext() as file:
            digest = _copy(blob, size, file)
        if digest != digest_of(key):
            raise PublishError(f"{key} is not named by its content, whose SHA-256 is {digest}")
        if present:
            self._present.add(key)
        elif keep:
            self._waiting[key] = target
            if key.endswith(".svg"):
                self._compress(key, target)

    def _compress(self, key: str, source: str) -> None:
        """Put a compressed copy beside an SVG, for nginx's gzip_static, where it is shorter."""
        import gzip  # noqa: PLC0415  most pushes need none

        with open(source, "rb") as file:
            data = gzip.compress(file.read(), mtime=0)
        if len(data) < os.path.getsize(source):
            with open(f"{source}.gz", "wb") as file:
                file.write(data)
            # In front of the image, so that an image in place has its copy.
            self._waiting = {f"{key}.gz": f"{source}.gz", **self._waiting}

    def publish(self) -> int:
        """Make all bytes durable, give them their names, and make the names durable.

        Returns:
            The number of images that are new in the served tree.
        """
        sync_files(self._waiting.values())
        folders = {f"{self._served}/{key[:2]}" for key in (*self._waiting, *self._present)}
        for folder in folders:
            os.makedirs(folder, mode=0o755, exist_ok=True)
        for key, staged in self._waiting.items():
            os.chmod(staged, 0o444)
            os.replace(staged, f"{self._served}/{key}")
        sync_directories([*folders, self._served] if folders else [])
        return sum(not key.endswith(".gz") for key in self._waiting)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return -1


def _copy(blob: IO[bytes], size: int, file: IO[bytes] | None) -> str:
    """Copy `size` bytes into a file, where one is given, and return their SHA-256."""
    digest = hashlib.sha256()
    while size > 0:
        chunk = blob.read(min(size, _CHUNK))
        if not chunk:
            raise PublishError("git stopped on the host in the middle of an image; push again")
        size -= len(chunk)
        digest.update(chunk)
        if file is not None:
            file.write(chunk)
    return digest.hexdigest()
