"""Releases: the site as built from one commit, and the link to the one that is shown.

A release is a folder named by its commit. It is renamed into place when it is whole, and so
is the link `current`, so that a reader sees one release or the other and never a mixture.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from pelican_imagehost.errors import PublishError
from pelican_imagehost.images.image import KEY
from pelican_imagehost.storage.durable import sync_directory, sync_files

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["KEPT", "Releases", "named_keys"]

KEPT = 5
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_PAGES = (".html", ".htm", ".xml", ".atom", ".rss", ".css", ".js", ".json", ".webmanifest")
_KEY = re.compile(KEY.pattern.encode())


class Releases:
    """The releases of a site.

    Args:
        folder: the folder of releases.
        current: the link to the one that readers see.
    """

    def __init__(self, folder: Path, current: Path) -> None:
        self.folder = folder
        self.current = current

    def path(self, commit: str) -> Path:
        """Return the folder of a commit's release, which need not exist."""
        return self.folder / commit

    def list(self) -> list[str]:
        """Return the commits of all releases, the most recently shown first."""
        names = [name for name in os.listdir(self.folder) if _COMMIT.fullmatch(name)]
        return sorted(names, key=lambda name: self.path(name).stat().st_mtime_ns, reverse=True)

    def shown(self) -> str | None:
        """Return the commit of the release that readers see; None before the first."""
        try:
            return os.path.basename(os.readlink(self.current))
        except FileNotFoundError:
            return None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock under which one build, switch or removal happens at a time."""
        with (self.folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def staging(self, name: str) -> Iterator[Path]:
        """Make a folder to build in, removed afterwards; hold `locked` around it.

        Leftovers of a killed build are removed as well.
        """
        building = self.folder / ".building"
        shutil.rmtree(building, ignore_errors=True)
        folder = building / name
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(building, ignore_errors=True)

    def put(self, built: Path, commit: str) -> None:
        """Make a built site a release; readers see it after `show`."""
        sync_files(_open_to_readers(built))
        built.rename(self.path(commit))
        sync_directory(self.folder)

    def show(self, commit: str, *, fresh: bool = True) -> None:
        """Switch readers to a release, atomically.

        Args:
            commit: the commit of the release.
            fresh: whether it becomes the newest in `list`.

        Raises:
            PublishError: there is no such release.
        """
        release = self.path(commit)
        if not release.is_dir():
            raise PublishError(f"there is no release {commit}")
        if fresh:
            os.utime(release)
        link = self.current.with_name(f".{self.current.name}.{os.getpid()}")
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.relpath(release, self.current.parent))
        link.replace(self.current)
        sync_directory(self.current.parent)

    def prune(self) -> int:
        """Remove all but the last releases and the one shown; return the number removed."""
        old = [commit for commit in self.list()[KEPT:] if commit != self.shown()]
        for commit in old:
            shutil.rmtree(self.path(commit))
        return len(old)


def named_keys(folder: Path, prefix: str | None = None) -> dict[str, str]:
    """Find the images whose addresses are in a built site.

    Args:
        folder: the built site.
        prefix: the address that keys follow; any, when None.

    Returns:
        Key → one file that has its address, relative to the folder.
    """
    pattern = _KEY if prefix is None else _address_pattern(prefix)
    found: dict[str, str] = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            # A link is refused later; a pipe or a device would never end.
            if name.endswith(_PAGES) and stat.S_ISREG(os.lstat(path).st_mode):
                with open(path, "rb") as file:
                    text = file.read().replace(b"\\/", b"/")  # as JSON may write a slash
                for match in pattern.finditer(text):
                    key = f"{match[1].decode()}/{match[2].decode()}.{match[3].decode()}"
                    found.setdefault(key, os.path.relpath(path, folder))
    return found


def _address_pattern(prefix: str) -> re.Pattern[bytes]:
    """Match addresses below a prefix: whole, without the scheme, or as a path on the site."""
    scheme, _, rest = prefix.partition("//")
    _, slash, path = rest.partition("/")
    start = rf"(?:{re.escape(scheme)})?//{re.escape(rest)}"
    if path:
        start = rf"(?:{start}|(?<![\w.:/-])(?:\.\.?/)*{slash}?{re.escape(path)})"
    return re.compile((start + KEY.pattern).encode())


def _open_to_readers(folder: Path) -> list[Path]:
    """Make a built site readable for the web server, which follows no links.

    Returns:
        Its files.

    Raises:
        PublishError: a symbolic link is in it.
    """
    files = []
    for parent, folders, names in os.walk(folder):
        os.chmod(parent, 0o755)  # noqa: S103  public pages
        for name in (*folders, *names):
            path = Path(parent, name)
            if path.is_symlink():
                raise PublishError(
                    f"{path.relative_to(folder)} is a symbolic link, which is not served; "
                    "replace it by the file itself"
                )
            if path.is_file():
                path.chmod(0o644)
                files.append(path)
    return files
