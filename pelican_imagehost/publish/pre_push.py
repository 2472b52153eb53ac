"""The pre-push hook of a site: publish images first, or refuse the push (githooks(5)).

It checks the pushed commits, not the working tree: all images in the committed manifest must
be online, and the committed documents must not use other images.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.errors import PublishError
from pelican_imagehost.publish.git import Git
from pelican_imagehost.publish.publisher import Publisher
from pelican_imagehost.storage.manifest import Manifest
from pelican_imagehost.storage.store import Store

if TYPE_CHECKING:
    from pelican_imagehost.images.image import Image
    from pelican_imagehost.report import Progress, Say
    from pelican_imagehost.site.site import Site

__all__ = ["Pushed", "examine", "read_updates", "run"]


class Pushed(NamedTuple):
    """The images and problems of one push of the site.

    Attributes:
        images: manifest path → image, from all pushed manifests.
        problems: the problems because of which the push must be refused, as lines.
    """

    images: dict[str, Image]
    problems: list[str]


def run(site: Site, stdin: str, *, patience: float, progress: Progress, say: Say) -> None:
    """Publish the images of a push of the site, before git pushes it.

    Args:
        site: the site in the working tree.
        stdin: the standard input of the hook.
        patience: seconds to wait until new addresses are online.
        progress: shows the progress of sending.
        say: called with each step.

    Raises:
        PublishError: the push must be refused.
    """
    if site.settings.url is None or site.settings.remote is None:
        say(
            "images are not published, because IMAGEHOST_URL or IMAGEHOST_REMOTE is not set in "
            f"{site.file.name}"
        )
        return
    pushed = examine(site, read_updates(stdin))
    if pushed.problems:
        for line in pushed.problems:
            say(line)
        manifest = site.settings.manifest.name
        raise PublishError(
            f"push refused: {manifest} is out of date for this commit; build, commit it, push again"
        )
    publisher = Publisher(site.settings, Store(site.settings.store))
    wanted = publisher.plan(pushed.images)
    publisher.run(wanted, patience=patience, progress=progress, say=say)


def read_updates(text: str) -> list[tuple[str, str]]:
    """Parse the standard input of the hook.

    Returns:
        (pushed commit, commit of the remote or zeros) for each branch or tag.
    """
    updates = [line.split() for line in text.splitlines() if line]
    return [(local, remote) for _, local, _, remote in updates if set(local) != {"0"}]


def examine(site: Site, updates: list[tuple[str, str]]) -> Pushed:
    """Check pushed commits.

    Args:
        site: the site in the working tree, for the paths in its settings.
        updates: (pushed commit, commit of the remote or zeros) for each branch or tag.

    Returns:
        The images that must be online, and the problems.

    Raises:
        ImageHostError: a pushed commit or its manifest cannot be read.
    """
    repository = Git(site.settings.root, hooks=True)
    pushed = Pushed({}, [])
    for commit, known in updates:
        with tempfile.TemporaryDirectory() as folder:
            root = _check_out(repository, commit, Path(folder))
            manifest = Manifest.load(root / _inside(site, site.settings.manifest))
            before = _manifest_of(repository, site, known, Path(folder, "before"))
            pushed.images.update(manifest.images)
            pushed.problems.extend(_unsettled(manifest))
            gone = before is None or bool(before.images.keys() - manifest.images.keys())
            changed = None if gone else _changed(repository, known, commit)
            pushed.problems.extend(_check(site, root, changed))
    return pushed


def _inside(site: Site, path: Path) -> str:
    return os.path.relpath(path, site.settings.root)


def _check_out(repository: Git, commit: str, folder: Path) -> Path:
    """Check out a commit with a separate index; return the folder of the site in it.

    git itself refuses to write files through symbolic links in the tree.
    """
    env = {"GIT_INDEX_FILE": str(folder / "index")}
    repository.run("read-tree", commit, env=env)
    repository.run("checkout-index", "--all", f"--prefix={folder}/tree/", env=env)
    inside = repository.run("rev-parse", "--show-prefix").output.removesuffix("\n")
    root = folder / "tree" / inside
    root.mkdir(parents=True, exist_ok=True)  # missing in commits before the site existed
    return root


def _manifest_of(repository: Git, site: Site, commit: str, file: Path) -> Manifest | None:
    """Return the manifest of the remote; None if its commit is not in this repository."""
    if set(commit) == {"0"} or not repository.commit_of(commit):
        return None
    name = _inside(site, site.settings.manifest)
    shown = repository.run("show", f"{commit}:./{name}", check=False)
    file.write_text(shown.output if shown.code == 0 else "", "utf-8")
    return Manifest.load(file)


def _changed(repository: Git, known: str, commit: str) -> list[str]:
    """Return the paths that a push changes, relative to the folder of the site."""
    options = ("--name-only", "-z", "--no-renames", "--relative")
    return repository.run("diff", *options, known, commit).output.split("\0")


def _unsettled(manifest: Manifest) -> list[str]:
    lines = [f"{manifest.file.name}:{number}: {error}" for number, error in manifest.errors]
    return lines + [str(error) for error in manifest.conflicts.values()]


def _check(site: Site, root: Path, changed: list[str] | None) -> list[str]:
    """Check documents in a separate process, because their settings file is a program."""
    content = _inside(site, site.settings.content)
    command = [sys.executable, "-m", "pelican_imagehost", "check-commit"]
    command += ["-s", site.file.name, "--theme", site.pelican_settings["THEME"]]
    if changed is not None:
        prefix = "" if content == "." else f"{content}/"
        names = [name[len(prefix) :] for name in changed if name and name.startswith(prefix)]
        if not names:
            return []
        (root.parent / "sources").write_text("\0".join(names), "utf-8")
        command += ["--sources", str(root.parent / "sources")]
    done = subprocess.run(  # noqa: S603  our own command
        command, cwd=root, capture_output=True, encoding="utf-8", check=False
    )
    if done.returncode and not done.stdout:
        return [line for line in done.stderr.splitlines() if line]
    return done.stdout.splitlines()
