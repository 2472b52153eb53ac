"""Find and remove images that no published page has used recently.

Recently used images are kept, because feed readers and caches still have the old pages.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.errors import PublishError
from pelican_imagehost.host.maintain import explained, read_branch, releases_of
from pelican_imagehost.host.push import MAIN
from pelican_imagehost.host.releases import named_keys
from pelican_imagehost.host.served import locked, remove_image
from pelican_imagehost.images.image import digest_of
from pelican_imagehost.publish.explain import explain
from pelican_imagehost.publish.git import Git
from pelican_imagehost.report import count
from pelican_imagehost.storage.store import Store

if TYPE_CHECKING:
    from pelican_imagehost.host.layout import Layout

__all__ = ["Garbage", "collect", "find_garbage"]

_DAY = 24 * 3600
_DIGEST = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_COMMITTER = "pelican-imagehost <pelican-imagehost@localhost>"


class Garbage(NamedTuple):
    """Unused images: key → size of the served file in bytes, 0 where none is served."""

    images: dict[str, int]

    @property
    def size(self) -> int:
        """Return the total size in bytes."""
        return sum(self.images.values())


def find_garbage(layout: Layout, grace_days: int) -> Garbage:
    """Find images that were published before the grace period and not used since.

    An image is used if its digest is in any file of the site's branch as it was at any time
    within the grace period, the manifest included, or in a page of a stored release.

    Args:
        layout: the host.
        grace_days: the length of the grace period in days.

    Raises:
        PublishError: no site was pushed yet, or several sites publish their images here, so it
            is unknown which images are used.
    """
    _check_sites(layout)
    limit = time.time() - grace_days * _DAY
    branch, _ = read_branch(layout)
    used = _branch_digests(layout, grace_days) | _released_digests(layout)
    garbage = {}
    for key in {*branch, *Store(layout.served).keys()}:
        if digest_of(key) in used:
            continue
        try:
            status = (layout.served / key).stat()
        except FileNotFoundError:
            garbage[key] = 0
        else:
            if status.st_mtime <= limit:
                garbage[key] = status.st_size
    return Garbage(dict(sorted(garbage.items())))


def collect(layout: Layout, garbage: Garbage, grace_days: int) -> Garbage:
    """Remove images from the branch and the served tree, unless they are in use again.

    No page can be pushed at the same time: the check of its images waits for the lock.

    Returns:
        The images that were removed.

    Raises:
        PublishError: an image cannot be removed, or the branch moved at the same time.
    """
    served = str(layout.served)
    with explained(), locked(served, exclusive=True):
        still = find_garbage(layout, grace_days).images
        images = {key: size for key, size in garbage.images.items() if key in still}
        _commit_removal(layout, images.keys() & read_branch(layout)[0].keys())
        for key in images:
            remove_image(served, digest_of(key))
    return Garbage(images)


def _check_sites(layout: Layout) -> None:
    """Check that only one site publishes to images.git, by the trailers of the commits."""
    git = Git(layout.images)
    if not git.commit_of(MAIN) or git.config("imagehost.onesite") == "true":
        return
    trailers = git.run("log", "--format=%(trailers:key=Site,valueonly)", MAIN).output
    sites = set(trailers.split())
    if len(sites) > 1:
        raise PublishError(
            f"{len(sites)} sites publish to {layout.images}, and the pages of only one are here, "
            "so it is unknown which images are used; nothing was removed. Give each site a host of "
            "its own (pelican-imagehost host init); or, if it is one site whose history was "
            f"rewritten, run: git -C {layout.images} config imagehost.onesite true"
        )


def _branch_digests(layout: Layout, grace_days: int) -> set[str]:
    """Read every digest in the site's branch within the grace period, by the host's clock."""
    git = Git(layout.site)
    if not git.commit_of(MAIN):
        raise PublishError(
            "no site was pushed to site.git yet, so it is unknown which images are used; "
            "nothing was removed"
        )
    then = git.commit_of(f"main@{{{grace_days}.days.ago}}")  # by the reflog: when it was pushed
    scope = [f"{then}..{MAIN}"] if then else [f"--since={grace_days}.days.ago", MAIN]
    now = git.run("grep", "-I", "-h", "-o", "-E", "[0-9a-f]{64}", MAIN, check=False)
    if now.code > 1:  # 1: no match
        raise explain("grep", now)
    # Both lines added and lines removed since then; a merge is compared to its first parent.
    options = ("-p", "-U0", "-m", "--first-parent", "--no-renames", "--format=")
    since = git.run("log", *options, *scope)
    return {*_DIGEST.findall(now.output), *_DIGEST.findall(since.output)}


def _released_digests(layout: Layout) -> set[str]:
    releases = releases_of(layout)
    folders = [releases.path(commit) for commit in releases.list()]
    return {digest_of(key) for folder in folders for key in named_keys(folder)}


def _commit_removal(layout: Layout, keys: set[str]) -> None:
    """Commit the removal of images on main; without tombstones, they may be pushed again."""
    if not keys:
        return
    git = Git(layout.images)
    message = f"Remove {count(len(keys), 'unused image')}".encode()
    lines = [
        f"commit {MAIN}\ncommitter {_COMMITTER} {int(time.time())} +0000".encode(),
        b"data %d\n%b" % (len(message), message),
        f"from {git.commit_of(MAIN)}".encode(),
        *(f"D {key}".encode() for key in sorted(keys)),
        b"done\n",
    ]
    git.feed("fast-import", "--quiet", "--done", chunks=[b"\n".join(lines)])
