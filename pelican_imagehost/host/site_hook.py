"""The hooks of site.git: build and check the pushed site, and show it when the branch has moved.

A release is made before the branch moves and shown after it (githooks(5), pre-receive and
post-receive). The pushed commit is built from the quarantine, without the bytes of its
images: the manifest has their digests.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from pelican_imagehost.errors import PublishError
from pelican_imagehost.host.push import GIT, MAIN, check_forward, read_config, say, shown
from pelican_imagehost.host.releases import Releases, named_keys
from pelican_imagehost.host.served import locked
from pelican_imagehost.images import lfs

if TYPE_CHECKING:
    from pelican_imagehost.host.push import Update

__all__ = ["receive", "switch"]

_FEW = 3


def receive(update: Update) -> None:
    """Make the release of the pushed commit, or refuse the push.

    Raises:
        PublishError: main would lose commits, the site cannot be built, or one of its images
            is not served.
    """
    check_forward(update)
    config = _config()
    releases = _releases(config)
    with releases.locked():
        release = releases.path(update.new)
        if release.exists():  # from a push that failed later, or was rolled back
            with locked(config["served"]):
                _check_images(release, config)
            return
        with releases.staging(update.new) as staging:
            site = _make(update.new, staging, config)
            _check_files(site)
            # `host gc` must see this release, or be finished before the check.
            with locked(config["served"]):
                _check_images(site, config)
                releases.put(site, update.new)


def switch(update: Update) -> None:  # noqa: ARG001  the branch may have moved on
    """Show readers the branch's release, and remove releases older than the last few."""
    releases = _releases(_config())
    with releases.locked():
        commit = GIT.commit_of(MAIN)
        releases.show(commit)
        releases.prune()
    say(f"readers now see {commit[:12]}")


def _config() -> dict[str, str]:
    config = read_config()
    lacking = {"releases", "current", "prefix", "python", "settings"} - config.keys()
    if lacking:
        raise PublishError(
            f"imagehost.{min(lacking)} is not set on the host; on the host, run: "
            "pelican-imagehost host init"
        )
    return config


def _releases(config: dict[str, str]) -> Releases:
    return Releases(Path(config["releases"]), Path(config["current"]))


def _make(commit: str, staging: Path, config: dict[str, str]) -> Path:
    """Return a folder with the pushed site, built from source or pushed as output."""
    source = staging / "source"
    _extract(commit, source)
    submodules = _submodules(commit)
    for path in submodules:
        say(
            f"{shown(path)} is a submodule; its files are not part of the push, nor of the release,"
            " except images that the manifest lists"
        )
    settings = source / config["settings"]
    if settings.is_file():
        output = staging / "output"
        _build(settings, output, config, [str(source / path) for path in submodules])
        return output
    if (source / "index.html").is_file():
        say("no settings file found; publishing the pushed files as they are")
        return source
    raise PublishError(
        f"the push has neither {config['settings']} nor index.html; push a site's source or "
        "its output"
    )


def _extract(commit: str, folder: Path) -> None:
    folder.mkdir()
    env = {**os.environ, "GIT_LFS_SKIP_SMUDGE": "1"}  # where git-lfs is installed for all
    with subprocess.Popen(["git", "archive", commit], env=env, stdout=subprocess.PIPE) as archive:  # noqa: S603, S607  no user's text
        unpack = ["tar", "-x", "-C", str(folder)]
        unpacked = subprocess.run(unpack, stdin=archive.stdout, check=False)  # noqa: S603  as above
    if archive.returncode or unpacked.returncode:
        raise PublishError("the pushed commit cannot be unpacked on the host; see above")


def _submodules(commit: str) -> list[str]:
    listed = GIT.run("ls-tree", "-r", "-z", "--full-tree", commit).output.split("\0")
    return [line.partition("\t")[2] for line in listed if line.startswith("160000 ")]


def _build(settings: Path, output: Path, config: dict[str, str], lacking: list[str]) -> None:
    """Build a site without the folders that are lacking, and show the log to the pusher.

    `-P` keeps modules in the site's folder from hiding others, as with the command `pelican`.
    """
    from pelican_imagehost.host import site_build  # noqa: PLC0415  only where a site is built

    url = json.dumps(config["prefix"].rstrip("/"))
    overrides = ("IMAGEHOST_STRICT=true", f"IMAGEHOST_URL={url}")
    module = ("-P", "-m", site_build.__name__, json.dumps(lacking))
    options = ("-s", settings.name, "-o", str(output), "-e", *overrides)
    say(f"building with {shlex.quote(config['settings'])}")
    with subprocess.Popen(  # noqa: S603  the host's own settings
        [config["python"], *module, *options],
        cwd=settings.parent,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as build:
        for line in build.stdout or ():
            if line.strip():
                say(shown(line.rstrip(), limit=1000))
    if build.returncode:
        raise PublishError("the site cannot be built, see above; fix it, commit, and push again")
    if not output.is_dir():
        raise PublishError("the build wrote nothing; check that the site has content")


def _environment() -> dict[str, str]:
    """Return the environment without git's variables, such as those of the quarantine."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {**kept, "COLUMNS": "200", "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}


def _check_files(site: Path) -> None:
    """Check that no file of a site is a pointer of Git LFS, whose content is elsewhere.

    Raises:
        PublishError: one is.
    """
    for parent, _, names in os.walk(site):
        for path in (os.path.join(parent, name) for name in names):
            if os.path.isfile(path) and os.path.getsize(path) <= lfs.MAX_SIZE:
                with open(path, "rb") as file:
                    is_pointer = file.read(len(lfs.START)) == lfs.START
                if is_pointer:
                    name = shown(os.path.relpath(path, site))
                    raise PublishError(
                        f"{name} is a Git LFS pointer, and the host does not have its content; "
                        "exclude it from Git LFS, or, if it is an image, link it in a document"
                    )


def _check_images(site: Path, config: dict[str, str]) -> None:
    """Check that every image of a site is served.

    Raises:
        PublishError: an image is not served; the message lists the first few.
    """
    named = named_keys(site, config["prefix"])
    missing = sorted(key for key in named if not os.path.exists(f"{config['served']}/{key}"))
    if not missing:
        say(f"images in use: {len(named):,}, all served")
        return
    first = "; ".join(f"{shown(named[key])} uses {config['prefix']}{key}" for key in missing[:_FEW])
    more = f", and {len(missing) - _FEW:,} more" if len(missing) > _FEW else ""
    raise PublishError(
        f"{first}{more}; not served yet: run pelican-imagehost publish, then push again"
    )
