"""Explain in a sentence why a git command failed, and what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pelican_imagehost.errors import PublishError

if TYPE_CHECKING:
    from pelican_imagehost.publish.git import Answer

__all__ = ["explain"]

# A message of git's → what to do. The first match counts.
_ADVICE = [
    (
        r"empty ident|identity unknown|no email was given|no name was given",
        (
            "git does not know who you are; run: git config --global user.name 'Your Name' and "
            "git config --global user.email you@example.com"
        ),
    ),
    (
        r"dubious ownership in repository at '([^']+)'",
        (
            "the repository {0} belongs to another user; if you trust it: "
            "git config --global --add safe.directory {0}"
        ),
    ),
    (
        r"Unable to create '([^']+\.lock)': File exists",
        "another git process is running or was killed; if none is running, remove {0}",
    ),
    (
        r"Permission denied \(publickey|Authentication failed|could not read (?:User|Pass)",
        "the host refused your key or password; try: git ls-remote <address of the remote>",
    ),
    (
        (
            r"Could not resolve host|Connection refused|Connection timed out|Network is unreachable"
            r"|Failed to connect|Couldn't connect"
            r"|No route to host|Operation timed out"
        ),
        "the host does not answer; check its address and your connection",
    ),
    (
        r"does not appear to be a git repository|[Rr]epository not found|not found: did you",
        "there is no repository at that address; check IMAGEHOST_REMOTE",
    ),
    (
        r"Host key verification failed",
        "ssh does not know the host's key yet; connect to the host once with ssh to accept it",
    ),
    (
        r"shallow update not allowed",
        "a shallow clone cannot be pushed; run in it: git fetch --unshallow",
    ),
    (
        r"[Pp]rotected branch",
        "the host protects this branch; allow pushes to it in the host's settings",
    ),
    (r"No space left on device|Out of diskspace", "a disk is full, here or on the host"),
    (
        r"not a git repository",
        "the store is not a git repository yet; run: pelican-imagehost init",
    ),
]

# Patterns are compiled when something has failed, which takes longer than a hook to start.
# Lines that repeat what others report, or explain git in general:
_NOISE = (
    r"remote:|hint:|Cloning into|To |From | [ *=+t-] |error: failed to push some refs"
    r"|fatal: Could not read from remote|fatal: [Tt]he remote end hung up|Please make sure you"
    r"|and the repository exists"
)
_REJECTED = r"(?m)^!\t[^\t]*:(?:refs/heads/)?(\S+)\t(\[.+?\]) (.+)$"


def explain(command: str, answer: Answer) -> PublishError:
    """Make an error of a failed git command: the cause, what to do, and git's own lines.

    Args:
        command: git's subcommand.
        answer: how it ended.
    """
    host, own = _sort_lines(answer)
    rejected = [line for line in own if line.startswith("!")]
    details = [f"the host says: {line}" for line in host]
    for pattern, advice in _ADVICE:
        match = re.search(pattern, "\n".join([answer.errors, *rejected]))
        if match is not None:
            return _error(advice.format(*match.groups()), [*details, *rejected])
    if any(line.startswith("! [remote rejected]") for line in rejected):
        return _error("the host refused the push", [*details, *own])
    if not details and len(own) == 1:
        return PublishError(f"git {command} failed: {own[0]}")
    return _error(f"git {command} failed with exit code {answer.code}", [*details, *own])


def _error(summary: str, details: list[str]) -> PublishError:
    return PublishError("\n  ".join([summary, *details]))


def _sort_lines(answer: Answer) -> tuple[list[str], list[str]]:
    """Find the host's lines, and those of git's own that tell what went wrong.

    `git push --porcelain` writes `!`, `<from>:<to>` and `[<state>] (<reason>)` to standard
    output (git-push(1), OUTPUT), where plain `git push` writes them as one line of errors.
    """
    lines = [line.rstrip() for line in answer.errors.splitlines() if line.strip()]
    host = [line.partition(":")[2].strip() for line in lines if line.startswith("remote:")]
    own = [" ".join(line.split()) for line in lines if not re.match(_NOISE, line)]
    own += [
        f"! {state} {ref} {reason}" for ref, state, reason in re.findall(_REJECTED, answer.output)
    ]
    if lines and not (host or own):
        own = [lines[-1].strip()]
    return [line for line in host if line], own
