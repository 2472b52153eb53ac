"""Remember in the repository of the store which images were seen online."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pelican_imagehost.images.image import KEY
from pelican_imagehost.publish.served import PUSHED

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet

    from pelican_imagehost.publish.commits import Commits
    from pelican_imagehost.publish.git import Git

__all__ = ["Seen"]

_SEEN = "refs/imagehost/confirmed"


class Seen:
    """The record: a commit with the files that were seen, on top of one that was pushed.

    Args:
        git: the repository.
        commits: makes commits in it.
        names: returns the files of a commit.
    """

    def __init__(self, git: Git, commits: Commits, names: Callable[[str], set[str]]) -> None:
        self._git, self._commits, self._names = git, commits, names

    def read(self) -> set[str]:
        """Return the keys that were seen online, and that nobody has removed since."""
        refs = [f"{ref}^{{commit}}" for ref in (_SEEN, PUSHED)]
        seen, pushed = (found.oid for found in self._git.facts(refs))
        if not seen or not pushed:
            return set()
        # A later commit may have added an image again, so the two trees do not show it.
        options = ("-r", "-z", "--no-renames", "--name-only", "--diff-filter=D", "--format=")
        removed = self._git.run("log", "-m", *options, f"{seen}..{pushed}").output.split("\0")
        return self._names(seen) & self._names(pushed) - set(removed)

    def record(self, seen: AbstractSet[str]) -> None:
        """Record which of the pushed images were seen online."""
        pushed = self._git.commit_of(PUSHED)
        if not pushed:
            return
        unseen = set(filter(KEY.fullmatch, self._names(pushed) - seen))
        if unseen:
            pushed = self._commits.without(pushed, unseen)
        self._git.run("update-ref", _SEEN, pushed)
