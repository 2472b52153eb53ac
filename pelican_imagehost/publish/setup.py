"""Prepare a site, with the command `init`, so that `git push` publishes; safe to repeat."""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING

from pelican_imagehost.publish.git import Git
from pelican_imagehost.publish.repository import StoreRepository
from pelican_imagehost.storage.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from pelican_imagehost.settings import Settings
    from pelican_imagehost.site.site import Site

__all__ = ["advise", "initialise"]

_MARK = "# Installed by `pelican-imagehost init`: images are published before the site is pushed."
_HOOK = """\
#!/bin/sh
{mark}
# The hook that was installed before runs first: {before}
input=$(cat)
if [ -x "$(dirname "$0")/{before}" ]; then
    printf '%s\\n' "$input" | "$(dirname "$0")/{before}" "$@" || exit
fi
settings=$(git config imagehost.settings) || exit 0
cd "$(dirname "$settings")" || exit
printf '%s\\n' "$input" | exec {python} -m pelican_imagehost pre-push -s "$(basename "$settings")"
"""
_BEFORE = "pre-push.before-imagehost"


def initialise(site: Site, clone: str | None = None) -> list[str]:
    """Prepare a site for publishing.

    Args:
        site: a Pelican site.
        clone: a repository with images; the store becomes a partial clone of it.

    Returns:
        A line for each step; empty if there was nothing to do.

    Raises:
        PublishError: a git command failed.
        OSError: a file cannot be written.
    """
    repository = StoreRepository(Store(site.settings.store))
    done = []
    if clone is not None and not repository.exists:
        repository.clone(clone)
        done.append(f"cloned {clone}, without its files")
    done += repository.create()
    git = Git(site.settings.root, hooks=True)
    top = git.run("rev-parse", "--show-toplevel", check=False).output.rstrip("\n")
    if not top:
        return [*done, "the site is not a git repository; run `git init`, then this again"]
    done += _add_lines(site.settings.root / ".gitignore", _ignored(site.settings))
    union = f"/{site.settings.relative(site.settings.manifest)} merge=union"
    done += _add_lines(site.settings.root / ".gitattributes", [union])
    settings_file = _publishing_settings(site)
    if git.set_config("imagehost.settings", os.path.relpath(settings_file, os.path.realpath(top))):
        done.append(f"set imagehost.settings to {settings_file.name}, for the hook")
    return done + _install_hook(git)


def advise(settings: Settings) -> list[str]:
    """Return the settings that are still missing for publishing, as lines for publishconf.py."""
    missing = []
    if settings.url is None:
        missing.append('IMAGEHOST_URL = "https://img.example.com"  # address of the image host')
    if settings.remote is None:
        missing.append('IMAGEHOST_REMOTE = "img@example.com:images.git"  # its git repository')
    if not settings.strict:
        missing.append("IMAGEHOST_STRICT = True  # fail the build if an image is missing")
    return missing


def _publishing_settings(site: Site) -> Path:
    """Return publishconf.py, the name that `pelican-quickstart` uses, or the given file."""
    file = site.settings.root / "publishconf.py"
    return file if file.is_file() else site.file.absolute()


def _ignored(settings: Settings) -> list[str]:
    folders = (settings.store, settings.index.parent, settings.output)
    names = [f"{settings.relative(folder)}/" for folder in folders]
    names.append(f"{settings.relative(settings.records)}*")  # and its journal
    return [f"/{name}" for name in names if not os.path.isabs(name)]


def _add_lines(file: Path, lines: list[str]) -> list[str]:
    text = file.read_text("utf-8") if file.exists() else ""
    known = {line.strip().strip("/") for line in text.splitlines()}
    missing = [line for line in lines if line.strip("/") not in known]
    if not missing:
        return []
    if text and not text.endswith("\n"):
        text += "\n"
    file.write_text(text + "".join(f"{line}\n" for line in missing), "utf-8")
    return [f"added {line} to {file.name}" for line in missing]


def _install_hook(git: Git) -> list[str]:
    # `--git-path` respects core.hooksPath and worktrees; an existing hook must still run.
    path = git.run("rev-parse", "--git-path", "hooks").output.rstrip("\n")
    hook = git.folder / path / "pre-push"
    text = _HOOK.format(mark=_MARK, before=_BEFORE, python=shlex.quote(sys.executable))
    if hook.exists() and hook.read_text("utf-8", errors="replace") == text:
        return []
    done = []
    hook.parent.mkdir(parents=True, exist_ok=True)
    if hook.exists() and _MARK not in hook.read_text("utf-8", errors="replace"):
        hook.rename(hook.with_name(_BEFORE))
        done.append(f"renamed the existing pre-push hook to {_BEFORE}; it runs first")
    hook.write_text(text, "utf-8")
    hook.chmod(0o755)
    return [*done, f"installed {hook}"]
