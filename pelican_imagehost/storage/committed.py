"""The manifest as it was committed: what a build in CI may rely on."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from pelican_imagehost.storage.manifest import Manifest

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["load_committed"]


def load_committed(file: Path) -> Manifest:
    """Read the manifest of HEAD; the file itself where git has no commit of its folder.

    Args:
        file: the manifest in the working tree, which need not exist.

    Raises:
        ManifestError: the file cannot be read.
    """
    if not _git(file, "rev-parse", "--verify", "HEAD^{commit}"):
        return Manifest.load(file)
    return Manifest.parse(file, _git(file, "cat-file", "blob", f"HEAD:./{file.name}"))


def _git(file: Path, *arguments: str) -> bytes:
    """Run git in the folder of a file; return its output, empty if it fails.

    It fails without a repository, and in one that git does not trust, as in some containers.
    Variables that git sets for a hook would lead to another repository.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-C", str(file.parent), *arguments]
    try:
        done = subprocess.run(command, env=env, capture_output=True, check=False)  # noqa: S603  no user's text is an option
    except OSError:  # there is no git
        return b""
    return done.stdout if done.returncode == 0 else b""
