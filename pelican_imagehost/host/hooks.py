"""The command that installed hooks run: `python -m pelican_imagehost hook images pre-receive`.

Hooks are files on the host that outlive an upgrade, so this command and its arguments never
change; modules may move. Each push waits for it to start: nothing here imports Click,
GitPython or Pelican, and a hook imports no module of the other repository's.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING

from pelican_imagehost.errors import PublishError
from pelican_imagehost.host.push import Update, read_update, say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["main"]

_USAGE = "usage: python -m pelican_imagehost hook {images|site} {pre-receive|post-receive}\n"
_VERDICTS = {"pre-receive": "refused", "post-receive": "the push was accepted, but"}


def main(arguments: Sequence[str]) -> int:
    """Run a hook on the update that git describes on standard input (githooks(5)).

    A failure is one line, which git shows to the person who pushes.

    Args:
        arguments: the repository and the hook.

    Returns:
        The exit code for git: 0, or 1 to refuse the push; 2 for a wrong usage.
    """
    os.umask(0o022)  # the web server reads the files
    action = _find(*arguments) if len(arguments) == 2 else None  # noqa: PLR2004  see the usage
    if action is None:
        sys.stderr.write(_USAGE)
        return 2
    try:
        action(read_update(sys.stdin))
    except PublishError as error:
        reason = "; ".join(line.strip() for line in str(error).splitlines())
    except OSError as error:
        reason = _explain(error)
    else:
        return 0
    say(f"{_VERDICTS[arguments[1]]}: {reason}")
    return 1


def _find(repository: str, hook: str) -> Callable[[Update], None] | None:
    if repository == "images":
        from pelican_imagehost.host import images_hook  # noqa: PLC0415  only the one that runs

        return {"pre-receive": images_hook.receive, "post-receive": images_hook.withdraw}.get(hook)
    if repository == "site":
        from pelican_imagehost.host import site_hook  # noqa: PLC0415  as above

        return {"pre-receive": site_hook.receive, "post-receive": site_hook.switch}.get(hook)
    return None


def _explain(error: OSError) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "the host's disk is full; free some space there and push again"
    return f"the host cannot store it ({error.strerror}: {error.filename})"
