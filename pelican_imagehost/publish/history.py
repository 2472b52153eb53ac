"""Find the images that committed manifests list, or listed recently."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pelican_imagehost.publish.git import Git

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["committed_digests", "recent_digests"]


def committed_digests(manifest: Path) -> set[str]:
    """Return the digests in the manifest of the last commit.

    These images are published, even if the manifest in the working tree does not list them.

    Args:
        manifest: the manifest file; outside a git repository the result is empty.
    """
    shown = Git(manifest.parent, hooks=True).run("show", f"HEAD:./{manifest.name}", check=False)
    return set(re.findall(r'"sha256": "([0-9a-f]{64})"', shown.output))


def recent_digests(manifest: Path, days: int) -> set[str]:
    """Return the digests that were removed from the committed manifest in the last days.

    Cached pages and feed readers may still show these images.

    Args:
        manifest: the manifest file; outside a git repository the result is empty.
        days: the number of days; for 0 the result is empty.
    """
    if days == 0:  # with --since=0.days git would list commits of the current second
        return set()
    options = (f"--since={days}.days", "--format=", "--patch", "--unified=0", "-m", "--no-renames")
    git = Git(manifest.parent, hooks=True)
    log = git.run("log", *options, "--", manifest.name, check=False).output
    return set(re.findall(r'^-.*"sha256": "([0-9a-f]{64})"', log, re.MULTILINE))
