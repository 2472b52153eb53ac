"""Which images committed manifests list, or listed not long ago."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pelican_imagehost.publish.git import Git

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["committed_digests", "recent_digests"]


def committed_digests(manifest: Path) -> set[str]:
    """Return the digests that the last commit's manifest lists.

    They are published, whatever the working tree says.

    Args:
        manifest: the manifest file; outside a git repository nothing is committed.
    """
    shown = Git(manifest.parent, hooks=True).run("show", f"HEAD:./{manifest.name}", check=False)
    return set(re.findall(r'"sha256": "([0-9a-f]{64})"', shown.output))


def recent_digests(manifest: Path, days: int) -> set[str]:
    """Return the digests that left the committed manifest within some days.

    Pages in caches and feed readers name an image for some time after the site does.

    Args:
        manifest: the manifest file; outside a git repository there are none.
        days: how many; 0: none.
    """
    if days == 0:  # git counts the commits of this very second as younger than 0 days
        return set()
    options = (f"--since={days}.days", "--format=", "--patch", "--unified=0", "-m", "--no-renames")
    git = Git(manifest.parent, hooks=True)
    log = git.run("log", *options, "--", manifest.name, check=False).output
    return set(re.findall(r'^-.*"sha256": "([0-9a-f]{64})"', log, re.MULTILINE))
