"""Find the images that committed manifests list, or listed earlier."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pelican_imagehost.errors import ManifestError
from pelican_imagehost.publish.git import Git, LeanGit
from pelican_imagehost.storage.lines import read_line

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["committed_digests", "former_variants", "recent_digests", "settled_digests"]

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


def former_variants(manifest: Path, digests: Iterable[str]) -> dict[str, str]:
    """Return the variants in all lines of images that were ever committed.

    `gc` drops the line of an upload before the upload may be deleted.

    Args:
        manifest: the manifest file; outside a git repository the result is empty.
        digests: the images.

    Returns:
        The key of a variant → the digest of its image.
    """
    wanted = set(digests)
    if not wanted:
        return {}
    options = ("--format=", "--patch", "--unified=0", "-m", "--no-renames")
    pattern = f'-G"sha256": "({"|".join(sorted(wanted))})"'
    git = Git(manifest.parent, hooks=True)
    log = git.run("log", *options, pattern, "--", manifest.name, check=False).output
    found: dict[str, str] = {}
    for line in re.findall(r"^[-+](\{.*)", log, re.MULTILINE):
        with suppress(ManifestError):
            _, image, _ = read_line(line)
            if image.sha256 in wanted:
                found |= {one.key: image.sha256 for one in image.variants}
    return found


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
