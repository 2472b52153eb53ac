"""What a site named lately, from its repository's history of the manifest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pelican_imagehost.publish.git import Git

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["recently_named"]


def recently_named(manifest: Path, days: int) -> set[str]:
    """Find the images that committed manifests named and that left them not long ago.

    Pages in caches and feed readers go on naming an image after the site has ceased to.
    What the last commit names counts as well, whatever the working tree says.

    Args:
        manifest: the manifest file.
        days: how long ago at most.

    Returns:
        SHA-256 digests; none where the site is no git repository.
    """
    git = Git(manifest.parent, hooks=True)
    options = (f"--since={days}.days", "--format=", "--patch", "--unified=0", "-m", "--no-renames")
    # Git counts the commits of this very second as younger than nought days.
    log = git.run("log", *options, "--", manifest.name, check=False).output if days > 0 else ""
    removed = re.findall(r'^-.*"sha256": "([0-9a-f]{64})"', log, re.MULTILINE)
    now = git.run("show", f"HEAD:./{manifest.name}", check=False).output
    return {*removed, *re.findall(r'"sha256": "([0-9a-f]{64})"', now)}
