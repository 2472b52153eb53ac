"""A push to the host: the update, what its commits change, and messages to the pusher.

Hooks run in the repository that is pushed to, with git's variables for it (githooks(5)).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.errors import PublishError, printable, printable_lines
from pelican_imagehost.publish.git import LeanGit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "GIT",
    "MAIN",
    "Change",
    "Update",
    "check_forward",
    "diff",
    "object_id",
    "read_changes",
    "read_config",
    "read_update",
    "say",
    "shown",
]

GIT = LeanGit(os.curdir)
MAIN = "refs/heads/main"


class Update(NamedTuple):
    """A branch that a push moves: two commits, `old` being zeros where the branch is new."""

    old: str
    new: str
    ref: str


class Change(NamedTuple):
    """What a commit does to one path: "A", "D" or another letter of git-diff-tree(1)."""

    status: str
    mode: str
    oid: str
    path: str


def say(message: str) -> None:
    """Write a line to the pusher; a push whose client has gone continues."""
    with contextlib.suppress(BrokenPipeError):
        sys.stderr.write(f"imagehost: {printable_lines(message)}\n")
        sys.stderr.flush()


def shown(text: str, limit: int = 120) -> str:
    """Make pushed text safe for a terminal, at most `limit` characters long."""
    return printable(text, limit)


def read_update(stdin: Iterable[str]) -> Update:
    """Read the only update of a push, which must move the branch main.

    Raises:
        PublishError: another branch or a tag is pushed, main would be deleted, or there is
            not exactly one update.
    """
    updates = [line.split() for line in stdin if line.strip()]
    if any(len(update) != len(Update._fields) for update in updates):
        raise PublishError("git described the push in a way that is unknown here")
    for _, new, ref in updates:
        if ref != MAIN:
            raise PublishError(f"only main can be pushed, not {shown(ref)}")
        if not new.strip("0"):
            raise PublishError("main cannot be deleted; to take an image offline, retract it")
    if len(updates) != 1:
        raise PublishError(f"main must be pushed exactly once, not {len(updates)} times")
    return Update(*updates[0])


def read_config() -> dict[str, str]:
    """Read `imagehost.*` of the repository, as name → value.

    Raises:
        PublishError: the repository was not set up.
    """
    known = GIT.read_config().items()
    start = "imagehost."
    config = {name.removeprefix(start): value for name, value in known if name.startswith(start)}
    if "served" not in config:
        raise PublishError("the host is not set up; on the host, run: pelican-imagehost host init")
    return config


def check_forward(update: Update) -> None:
    """Check that main keeps its commits; git itself checks it only after the hook.

    Raises:
        PublishError: main would lose commits.
    """
    asked = ("rev-list", "-1", update.old, "--not", update.new)
    if update.old.strip("0") and GIT.run(*asked).output:
        raise PublishError("main would lose commits; fetch, merge, and push again")


def read_changes(update: Update) -> tuple[list[Change], list[Change]]:
    """Read what a push changes in the tree, and what its commits change one by one.

    The commits count too: a file that one adds and the next removes stays in the history.

    Returns:
        The changes from the old tree to the new; those of each commit, where there are
        several. A merge shows only what differs from all its parents.

    Raises:
        PublishError: main would lose commits.
    """
    asked = ("rev-list", "--parents", update.new, "--not", "--all")
    commits = GIT.run(*asked).output.split("\n")[:-1]
    if commits == [f"{update.new} {update.old}"]:
        return list(diff(update)), []
    check_forward(update)
    tip = list(diff(update))
    ids = "".join(f"{commit.split()[0]}\n" for commit in commits)
    options = ("-r", "-z", "--no-renames", "--stdin", "-c", "--root", "--no-commit-id")
    return tip, list(_parse(GIT.run("diff-tree", *options, stdin=ids).output))


def diff(update: Update, *paths: str) -> Iterator[Change]:
    """Read the changes from the old tree to the new, below `paths` where any are given."""
    old = update.old if update.old.strip("0") else object_id(update.old, b"tree 0\0")
    options = ("-r", "-z", "--no-renames")
    return _parse(GIT.run("diff-tree", *options, old, update.new, *paths).output)


def _parse(raw: str) -> Iterator[Change]:
    """Parse git-diff-tree(1)'s raw output, also of merges: one colon and mode per parent."""
    fields = iter(raw.split("\0")[:-1])
    for fact, path in zip(fields, fields, strict=True):
        parents = fact.count(":")
        values = fact[parents:].split()
        letters = "".join(sorted(set(values[-1])))
        yield Change(letters, values[parents], values[2 * parents + 1], path)


def object_id(example: str, content: bytes) -> str:
    """Compute an object's name in the repository's object format, that of an example."""
    algorithm = "sha1" if len(example) == 40 else "sha256"  # noqa: PLR2004  hex digits
    return hashlib.new(algorithm, content).hexdigest()
