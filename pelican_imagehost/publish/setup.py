"""Prepare a site, with the command `init`, so that `git push` publishes; safe to repeat."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from pelican_imagehost.publish.git import Git
from pelican_imagehost.publish.target import open_target

if TYPE_CHECKING:
    from pathlib import Path

    from pelican_imagehost.settings import Settings
    from pelican_imagehost.site.site import Site

__all__ = ["advise", "initialise"]

_MARK = "# Installed by `pelican-imagehost init`: images are published before the site is pushed."
# It names no path of this machine, because tools such as husky keep hooks in the site's repository.
_HOOK = f"""\
#!/bin/sh
{_MARK}
[ -z "$IMAGEHOST_PRE_PUSH" ] || exit 0  # another tool runs this hook from within it
export IMAGEHOST_PRE_PUSH=1
input=$(cat; echo .)
input=${{input%.}}
# The hooks that were installed before run first.
for before in "${{0%/*}}"/pre-push.before-imagehost*; do
    if [ -x "$before" ]; then printf %s "$input" | "$before" "$@" || exit; fi
done
settings=$(git config imagehost.settings) && python=$(git config imagehost.python) || exit 0
if ! [ -x "$python" ]; then
    echo "pelican-imagehost: $python is missing; run: pelican-imagehost init -s $settings" >&2
    exit 1
fi
printf %s "$input" | exec "$python" -P -m pelican_imagehost pre-push -s "$settings" "$@"
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
    done = open_target(site.settings).prepare(clone)
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
    if git.set_config("imagehost.python", sys.executable):
        done.append(f"set imagehost.python to {sys.executable}, for the hook")
    return done + _install_hook(git, site.settings.root)


def advise(settings: Settings) -> list[str]:
    """Return the settings that are still missing for publishing, as lines for publishconf.py."""
    missing = []
    if settings.url is None:
        missing.append('IMAGEHOST_URL = "https://img.example.com"  # address of the image host')
    if settings.remote is None:
        missing.append('IMAGEHOST_REMOTE = "img@example.com:images.git"  # or "s3://bucket/prefix"')
    if not settings.strict:
        missing.append("IMAGEHOST_STRICT = True  # fail the build if an image is missing")
    return missing


def _publishing_settings(site: Site) -> Path:
    """Return publishconf.py, the name that `pelican-quickstart` uses, or the given file."""
    file = site.settings.root / "publishconf.py"
    return file if file.is_file() else site.file.absolute()


def _ignored(settings: Settings) -> list[str]:
    # Without a slash at the end, which would leave out a symbolic link to a folder.
    folders = (settings.store, settings.index.parent, settings.output)
    names = [settings.relative(folder) for folder in folders]
    names.append(f"{settings.relative(settings.records)}*")  # and its journal
    return [f"/{name}" for name in names if not os.path.isabs(name)]


def _add_lines(file: Path, lines: list[str]) -> list[str]:
    text = file.read_text("utf-8") if file.exists() else ""
    known = {line.strip().lstrip("/") for line in text.splitlines()}
    folders = {line.rstrip("/") for line in known}
    missing = [
        line
        for line in lines
        if line[1:] not in (known if (file.parent / line[1:]).is_symlink() else folders)
    ]
    if not missing:
        return []
    if text and not text.endswith("\n"):
        text += "\n"
    file.write_text(text + "".join(f"{line}\n" for line in missing), "utf-8")
    return [f"added {line} to {file.name}" for line in missing]


def _install_hook(git: Git, root: Path) -> list[str]:
    # `--git-path` respects core.hooksPath and worktrees; existing hooks must still run.
    path = git.run("rev-parse", "--git-path", "hooks").output.rstrip("\n")
    folder = root / path
    if folder.name == "_" and (folder / "h").exists():  # husky runs the hooks beside this folder
        folder = folder.parent
    ours = [hook for hook in folder.glob("pre-push*") if _is_ours(hook)]
    hook = ours[0] if ours else folder / "pre-push"  # a tool may have renamed it, and run it
    if ours and hook.read_text("utf-8", errors="replace") == _HOOK:
        return []
    done = []
    folder.mkdir(parents=True, exist_ok=True)
    if hook.exists() and not ours:
        kept = _free_name(folder)
        hook.rename(kept)
        kept.chmod(0o755)  # husky's need not be executable
        done.append(f"renamed the existing pre-push hook to {kept.name}; it runs first")
    hook.write_text(_HOOK, "utf-8")
    hook.chmod(0o755)
    return [*done, f"installed {hook}"]


def _is_ours(hook: Path) -> bool:
    return hook.is_file() and _MARK in hook.read_text("utf-8", errors="replace")


def _free_name(folder: Path) -> Path:
    """Return a name for an existing hook; those that were kept before stay."""
    names = (_BEFORE, *(f"{_BEFORE}-{number}" for number in range(2, 1000)))
    return next(path for name in names if not (path := folder / name).exists())
