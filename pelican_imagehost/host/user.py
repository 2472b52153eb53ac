"""The user who owns a host's files; hooks and commands run as that user.

Root sets up a host for another user. After that, a command that root runs continues as the
owner: git refuses the repositories of others, and root must write nothing in a folder where
everybody who can push can put a link.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.errors import PublishError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["HostUser", "become_owner", "check_python", "find_user"]

_NAME = "imagehost"
_NOBODY = 65534  # the user without rights on Linux; stands for one that does not exist yet
_PYTHON = re.compile(r"/[^\"'$%`\\\x00-\x1f]+")  # sh and systemd take it in single quotes
_TRIAL = """
import importlib.util, pelican_imagehost.host.images_hook, pelican_imagehost.host.site_hook
importlib.util.find_spec("pelican.generators") or exit("Pelican is missing")
"""


class HostUser(NamedTuple):
    """A user of this machine."""

    name: str
    uid: int
    gid: int

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command as this user, who need not be able to enter the current folder.

        Raises:
            OSError: it cannot be started.
        """
        other = {"user": self.uid, "group": self.gid, "extra_groups": []}
        switch = {} if os.geteuid() == self.uid else other
        return subprocess.run(  # type: ignore[call-overload,no-any-return]  # noqa: S603  fixed commands
            command, cwd="/", capture_output=True, encoding="utf-8", check=False, **switch
        )


def find_user(root: Path) -> HostUser:
    """Find the user who owns the files of a host, or will own them.

    For root that is the owner of the folder, or `imagehost` if root has just made it. A
    folder that the other user cannot reach remains root's.

    Args:
        root: the folder of the host, which need not exist.
    """
    own = _user(os.geteuid())
    if own.uid != 0:
        return own
    owner = _owner(root)
    user = _user(owner) if owner else _future()
    ancestor = next(folder for folder in root.absolute().parents if folder.exists())
    return user if user.run("test", "-x", str(ancestor)).returncode == 0 else own


def become_owner(root: Path) -> None:
    """Continue as the owner of a host's files, where root runs a command.

    Args:
        root: the folder of the host, which need not exist.

    Raises:
        PublishError: the owner cannot run this Python.
    """
    owner = _owner(root)
    if os.geteuid() != 0 or owner == 0:
        return
    user = find_user(root)
    if user.uid == 0:  # nobody else can have put anything there
        trust = {"COUNT": "1", "KEY_0": "safe.directory", "VALUE_0": "*"}
        os.environ.update({f"GIT_CONFIG_{name}": value for name, value in trust.items()})
        return
    check_python(user)
    os.initgroups(user.name, user.gid)
    os.setgid(user.gid)
    os.setuid(user.uid)
    os.environ.update(HOME=str(root.absolute()), USER=user.name, LOGNAME=user.name)


def check_python(user: HostUser) -> None:
    """Check that a user can run this Python with this package, as the hooks do.

    Raises:
        PublishError: it cannot be used in hooks; the message has the reason.
    """
    if not _PYTHON.fullmatch(sys.executable):
        raise PublishError(
            f"{sys.executable} cannot be used: hooks and systemd need a path without quotes, "
            "backslashes, $, % and `; install pelican-imagehost elsewhere, such as /opt/imagehost"
        )
    try:
        done = user.run(sys.executable, "-I", "-c", _TRIAL)
    except OSError as error:
        reason = error.strerror
    else:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        reason = "" if done.returncode == 0 else lines[-1]
    if reason:
        raise PublishError(
            f"the user {user.name} cannot run {sys.executable}, which the hooks need: {reason}; "
            "install pelican-imagehost where that user can read it, such as /opt/imagehost"
        )


def _owner(root: Path) -> int:
    """Return the owner of the repositories, or of the folder; root if neither exists."""
    for path in (root / "images.git", root):
        with contextlib.suppress(FileNotFoundError):
            return path.stat().st_uid
    return 0


def _user(uid: int) -> HostUser:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:  # as in a container
        return HostUser(str(uid), uid, uid)
    return HostUser(entry.pw_name, uid, entry.pw_gid)


def _future() -> HostUser:
    """Return the user that the printed steps create; `nobody` has no more rights than it."""
    try:
        entry = pwd.getpwnam(_NAME)
    except KeyError:
        return HostUser(_NAME, _NOBODY, _NOBODY)
    return HostUser(_NAME, entry.pw_uid, entry.pw_gid)
