"""Which images nobody has named for long, and taking them off the host.

What a page named until lately stays, because feed readers and caches still hold that page.
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
from pelican_imagehost.publish.git import Git, explain
from pelican_imagehost.storage.store import Store

if TYPE_CHECKING:
    from pelican_imagehost.host.layout import Layout

__all__ = ["Garbage", "collect", "find_garbage"]

_DAY = 24 * 3600
_DIGEST = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_COMMITTER = "pelican-imagehost <pelican-imagehost@localhost>"


class Garbage(NamedTuple):
    """Images that may go: key → size in bytes of what is served, 0 where nothing is."""

    images: dict[str, int]

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(self.images.values())


def find_garbage(layout: Layout, grace_days: int) -> Garbage:
    """Find images that came more than some days ago and that nothing has named since.

    An image is named by the site's branch as it was at any time of these days, in a
    manifest or in any other file, and by the pages of a release that is kept.

    Raises:
        PublishError: no site was ever pushed here, so nobody knows what is named.
    """
    limit = time.time() - grace_days * _DAY
    branch, _ = read_branch(layout)
    named = _named_digests(layout, grace_days) | _released_digests(layout)
    garbage = {}
    for key in {*branch, *Store(layout.served).keys()}:
        if digest_of(key) in named:
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
    """Remove images from the branch and the served tree, but for those named since.

    Nobody can push a page while this looks and removes: the check of its images waits.

    Returns:
        What was removed.

    Raises:
        PublishError: it cannot be removed, or the branch moved meanwhile.
    """
    served = str(layout.served)
    with explained(), locked(served, exclusive=True):
        still = find_garbage(layout, grace_days).images
        images = {key: size for key, size in garbage.images.items() if key in still}
        _commit_removal(layout, images.keys() & read_branch(layout)[0].keys())
        for key in images:
            remove_image(served, digest_of(key))
    return Garbage(images)


def _named_digests(layout: Layout, grace_days: int) -> set[str]:
    """Read every digest that the site's branch has held in these days, by the host's clock."""
    git = Git(layout.site)
    if not git.commit_of(MAIN):
        raise PublishError(
            "no site was pushed to site.git, so nothing here says which images are named; "
            "nothing is removed"
        )
    then = git.commit_of(f"main@{{{grace_days}.days.ago}}")  # by the reflog: when it came here
    scope = [f"{then}..{MAIN}"] if then else [f"--since={grace_days}.days.ago", MAIN]
    now = git.run("grep", "-I", "-h", "-o", "-E", "[0-9a-f]{64}", MAIN, check=False)
    if now.code > 1:  # 1 says that there is none
        raise explain("grep", now)
    # Both what came and what went since then; a merge against the branch that it came to.
    options = ("-p", "-U0", "-m", "--first-parent", "--no-renames", "--format=")
    since = git.run("log", *options, *scope)
    return {*_DIGEST.findall(now.output), *_DIGEST.findall(since.output)}


def _released_digests(layout: Layout) -> set[str]:
    releases = releases_of(layout)
    folders = [releases.path(commit) for commit in releases.list()]
    return {digest_of(key) for folder in folders for key in named_keys(folder)}


def _commit_removal(layout: Layout, keys: set[str]) -> None:
    """Commit on main that images are gone; no tombstone, for they may come again."""
    if not keys:
        return
    git = Git(layout.images)
    what = f"Remove {len(keys):,} images that nothing names".encode()
    lines = [
        f"commit {MAIN}\ncommitter {_COMMITTER} {int(time.time())} +0000".encode(),
        b"data %d\n%b" % (len(what), what),
        f"from {git.commit_of(MAIN)}".encode(),
        *(f"D {key}".encode() for key in sorted(keys)),
        b"done\n",
    ]
    git.feed("fast-import", "--quiet", "--done", chunks=[b"\n".join(lines)])
