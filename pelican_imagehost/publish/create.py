"""Make a store a git repository: a new one, or a clone of the published images."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pelican_imagehost.errors import PublishError
from pelican_imagehost.publish.repository import BRANCH
from pelican_imagehost.publish.served import REMOTE

if TYPE_CHECKING:
    from pelican_imagehost.publish.repository import StoreRepository

__all__ = ["clone", "create"]

# Images do not compress; with its default settings git would try, and take ten times as long.
_SETTINGS = {
    "core.bigFileThreshold": "1024",
    "core.compression": "0",
    "gc.auto": "0",
    "core.autocrlf": "false",
}
_OWN = re.compile(r"[0-9a-f]{2}|\..*")  # names in the top folder of a store
_EXCLUDED = (
    "# not part of the store\n.incoming/\n.corrupt/\n.uploads/\n.lock\n.gitignore\n.retracted\n"
)


def create(repository: StoreRepository) -> list[str]:
    """Make a store a repository, or complete its settings.

    Returns:
        A line for each step; empty if there was nothing to do.
    """
    root, git = repository.store.root, repository.git
    done = []
    if not repository.exists:
        root.mkdir(parents=True, exist_ok=True)
        git.run("init", "--quiet")
        git.run("symbolic-ref", "HEAD", BRANCH)
        done.append(f"made {root.name}/ a git repository")
    git.read_config()
    changed = [name for name, value in _SETTINGS.items() if git.set_config(name, value)]
    if changed:
        done.append(f"set {', '.join(changed)} for files that do not compress")
    exclude = root / ".git/info/exclude"
    if not exclude.exists() or exclude.read_text() != _EXCLUDED:
        exclude.parent.mkdir(exist_ok=True)
        exclude.write_text(_EXCLUDED)
    return done


def clone(repository: StoreRepository, url: str) -> None:
    """Make a store a partial clone, with the history, but without the files.

    Images that a build has stored already stay; `publish` sends those that are new.

    Raises:
        PublishError: the repository cannot be cloned, or the folder has other files.
    """
    root, git = repository.store.root, repository.git
    names = os.listdir(root) if root.exists() else []
    other = [name for name in names if not _OWN.fullmatch(name)]
    if other:
        raise PublishError(
            f"cannot clone into {root}: {min(other)} is not part of a store; move it away first"
        )
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, prefix=".clone-") as folder:
        options = ("--quiet", "--filter=blob:none", "--no-checkout", f"--origin={REMOTE}")
        git.run("clone", *options, "--", url, str(Path(folder, "clone")))
        Path(folder, "clone/.git").rename(root / ".git")
    git.run("symbolic-ref", "HEAD", BRANCH)
    repository.note_retracted()
