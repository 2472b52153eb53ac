"""Maintain the host: restore served images, roll back, repack and clean up."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
from typing import TYPE_CHECKING

from pelican_imagehost.errors import PublishError
from pelican_imagehost.host.images_hook import TOMBSTONES, read_images
from pelican_imagehost.host.push import MAIN
from pelican_imagehost.host.releases import Releases
from pelican_imagehost.host.served import Staging, locked, remove_image
from pelican_imagehost.images.image import KEY
from pelican_imagehost.publish.git import Git, LeanGit
from pelican_imagehost.report import count

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pelican_imagehost.host.layout import Layout

__all__ = ["explained", "maintain", "read_branch", "releases_of", "republish", "rollback"]

_DAY = 24 * 3600


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turn an error of the file system into one that the command line reports.

    Raises:
        PublishError: in place of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise PublishError(f"{error.filename or 'the host'}: {error.strerror}") from error


def releases_of(layout: Layout) -> Releases:
    """Return the releases of a host."""
    return Releases(layout.releases, layout.current)


def read_branch(layout: Layout) -> tuple[dict[str, str], set[str]]:
    """Read the branch of images: key → object name, and the digests that it retracts."""
    git = Git(layout.images)
    if not git.commit_of(MAIN):
        return {}, set()
    listed = git.run("ls-tree", "-r", "-z", "--full-tree", MAIN).output.split("\0")[:-1]
    entries = (line.partition("\t") for line in listed)
    objects = {path: facts.split()[2] for facts, _, path in entries}
    tombstones = {path for path in objects if path.startswith(TOMBSTONES)}
    images = {path: oid for path, oid in objects.items() if KEY.fullmatch(path)}
    return images, {path.removeprefix(TOMBSTONES) for path in tombstones}


def republish(layout: Layout) -> tuple[int, int]:
    """Restore the served tree from the branch, after hashing every served file.

    Returns:
        The number of images restored, and of retracted images removed.

    Raises:
        PublishError: the tree cannot be written.
    """
    with explained():
        images, _ = read_branch(layout)
        wrong = [(key, oid) for key, oid in images.items() if not _is_intact(layout.served / key)]
        _publish(layout, wrong)
        return len(wrong), len(_withdraw(layout))


def _publish(layout: Layout, images: list[tuple[str, str]]) -> None:
    with Staging(str(layout.served)) as staging:
        with contextlib.closing(read_images(LeanGit(layout.images), images)) as blobs:
            for key, blob, size in blobs:
                staging.add(key, size, blob, again=True)
        staging.publish()


def _is_intact(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == path.stem
    except FileNotFoundError:
        return False


def rollback(layout: Layout, commit: str | None = None) -> str:
    """Show readers the previous release, or the given one.

    Args:
        layout: the host.
        commit: the start of a release's commit.

    Returns:
        The commit of the release that is now shown.

    Raises:
        PublishError: there is no such release.
    """
    releases = releases_of(layout)
    with explained(), releases.locked():
        chosen = _find(releases, commit) if commit else _before(releases)
        releases.show(chosen, fresh=False)
    return chosen


def _find(releases: Releases, start: str) -> str:
    found = [commit for commit in releases.list() if commit.startswith(start)]
    if len(found) != 1:
        listed = ", ".join(commit[:12] for commit in releases.list()) or "none"
        problem = "several releases start" if found else "no release starts"
        raise PublishError(f"{problem} with {start}; releases: {listed}")
    return found[0]


def _before(releases: Releases) -> str:
    listed, shown = releases.list(), releases.shown()
    older = listed[listed.index(shown) + 1 :] if shown in listed else []
    if not older:
        raise PublishError("there is no older release")
    return older[0]


def maintain(layout: Layout) -> list[str]:
    """Repack the repositories; remove leftovers of killed pushes, and old releases.

    Returns:
        The actions taken, a line each.

    Raises:
        PublishError: something cannot be removed, or git failed.
    """
    done = []
    with explained():
        for repository in (layout.images, layout.site):
            stale = list(_stale(repository / "objects"))
            _remove(stale)
            # Packs of similar size are joined, so that few remain and most are not copied.
            Git(repository).run("repack", "--quiet", "--geometric=2", "-d")
            done.append(f"repacked {repository.name}; removed {count(len(stale), 'leftover')}")
        done += [f"{digest} is offline" for digest in _withdraw(layout)]
        releases = releases_of(layout)
        with releases.locked():
            shutil.rmtree(layout.releases / ".building", ignore_errors=True)
            done.append(f"removed {count(releases.prune(), 'old release')}")
    return done


def _withdraw(layout: Layout) -> list[str]:
    """Remove retracted images that a killed hook left, and clear staging."""
    served = str(layout.served)
    with locked(served, exclusive=True):
        tombstones = read_branch(layout)[1]
        return sorted(digest for digest in tombstones if remove_image(served, digest))


def _stale(objects: Path) -> Iterator[Path]:
    """Find files older than a day that git left when it was killed in a push."""
    limit = time.time() - _DAY
    for pattern in ("tmp_objdir-*", "incoming-*", "pack/tmp_*", "pack/.tmp-*", "??/tmp_obj_*"):
        for path in objects.glob(pattern):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < limit:
                    yield path


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            os.unlink(path)
