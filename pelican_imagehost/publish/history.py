"""Find the images that committed manifests list, or listed recently."""

from __future__ import annotations

import re
from pathlib import Path

from pelican_imagehost.publish.git import Git, LeanGit

__all__ = ["committed_digests", "recent_digests", "settled_digests"]

_DIGEST = re.compile(r'"([0-9a-f]{64})"')  # of an image, or of one of its variants


def committed_digests(manifest: Path) -> set[str]:
    """Return the digests in the manifest of the last commit, and in those of other work trees.

    These images are published, even if the manifest in the working tree does not list them;
    and all work trees share a store.

    Args:
        manifest: the manifest file; outside a git repository the result is empty.
    """
    git = Git(manifest.parent, hooks=True)
    texts = [git.run("show", f"HEAD:./{manifest.name}", check=False).output]
    inside = git.run("rev-parse", "--show-prefix", check=False).output.removesuffix("\n")
    listed = git.run("worktree", "list", "--porcelain", check=False).output
    for folder in re.findall(r"^worktree (.+)$", listed, re.MULTILINE):
        other = Path(folder, inside, manifest.name)
        if other.exists() and other != manifest:
            texts += [other.read_text("utf-8", errors="replace")]
            texts += [Git(other.parent).run("show", f"HEAD:./{other.name}", check=False).output]
    return set(_DIGEST.findall("".join(texts)))


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
    removed = re.findall(r"^-.*", log, re.MULTILINE)
    return {digest for line in removed for digest in _DIGEST.findall(line)}


def settled_digests(manifest: Path, seconds: float) -> set[str]:
    """Return the digests that the committed manifest listed some time ago, for all authors.

    Commits that a remote lacks do not count, if it has any: other authors do not know them.

    Args:
        manifest: the manifest file; outside a git repository the result is empty.
        seconds: how long ago.
    """
    git = LeanGit(manifest.parent, hooks=True)
    asked = ("rev-list", "--boundary", "HEAD", "--not", "--remotes")
    boundary = re.findall("^-(.+)", git.run(*asked, check=False).output, re.MULTILINE)
    before = f"--before={seconds:.0f}.seconds.ago"
    old = git.run("rev-list", "-1", before, *(boundary or ["HEAD"]), check=False).output.strip()
    text = git.run("show", f"{old}:./{manifest.name}", check=False).output if old else ""
    return set(_DIGEST.findall(text))
