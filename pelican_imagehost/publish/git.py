"""Run git with GitPython, and report in a sentence what went wrong and what to do.

GitPython finds and starts git; its index and remote objects are not used. They change
the process's working directory, read the user's configuration in their own way, and
hide the messages of the host's hooks.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from typing import IO, TYPE_CHECKING, NamedTuple, cast

import git

from pelican_imagehost.errors import PublishError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["Answer", "Git", "explain", "leave_hook"]

# Signing would ask for a key, and a user's hooks do not apply to a repository of images.
_ALWAYS = ("-c", "commit.gpgsign=false", "-c", f"core.hooksPath={os.devnull}")
_QUIET = {"GIT_TERMINAL_PROMPT": "0"}
_KEPT_IN_HOOKS = ("GIT_SSH", "GIT_ASKPASS", "GIT_TRACE", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM")

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

# Lines that repeat what others report, or explain git in general.
_NOISE = re.compile(
    r"remote:|hint:|Cloning into|To |From | [ *=+t-] |error: failed to push some refs"
    r"|fatal: Could not read from remote|fatal: [Tt]he remote end hung up|Please make sure you"
    r"|and the repository exists"
)
_REJECTED = re.compile(r"^!\t[^\t]*:(?:refs/heads/)?(\S+)\t(\[.+?\]) (.+)$", re.MULTILINE)


class Answer(NamedTuple):
    """The exit code and the output of a git command."""

    code: int
    output: str
    errors: str


class Git:
    """git in one folder.

    Args:
        folder: where it runs; with `-C`, so that it need not be a repository yet.
        hooks: whether the user's hooks and signing apply: they do in the site's
            repository, and do not in the store's.
    """

    def __init__(self, folder: Path, *, hooks: bool = False) -> None:
        self.folder = folder
        self._options = () if hooks else _ALWAYS
        self._git = git.Git()

    def run(
        self, *arguments: str, env: Mapping[str, str] | None = None, check: bool = True
    ) -> Answer:
        """Run a command and wait for it.

        Args:
            arguments: the command and its arguments; no user's text as an option.
            env: variables to add to the environment.
            check: whether a failure is an error.

        Returns:
            Its exit code and output.

        Raises:
            PublishError: it failed.
        """
        code, output, errors = self._git.execute(
            self._command(arguments),
            env={**_QUIET, **(env or {})},
            with_extended_output=True,
            with_exceptions=False,
            strip_newline_in_stdout=False,
        )
        answer = Answer(code, str(output), errors)
        if check and code:
            raise explain(arguments[0], answer)
        return answer

    def read(self, revision: str, path: str) -> bytes | None:
        """Return the content of a file in a commit; None if it does not exist."""
        code, output, _ = self._git.execute(
            self._command(["cat-file", "blob", f"{revision}:{path}"]),
            env=_QUIET,
            with_exceptions=False,
            with_extended_output=True,
            stdout_as_string=False,
            strip_newline_in_stdout=False,
        )
        return output if code == 0 else None

    def feed(self, *arguments: str, chunks: Iterable[bytes]) -> Answer:
        """Run a command that reads a stream from standard input.

        Raises:
            PublishError: it failed.
        """
        started = self._git.execute(
            self._command(arguments), env=_QUIET, istream=subprocess.PIPE, as_process=True
        )
        process = cast("subprocess.Popen[bytes]", started.proc)
        stdin = cast("IO[bytes]", process.stdin)
        try:
            with contextlib.suppress(BrokenPipeError):  # its standard error has the reason
                for chunk in chunks:
                    stdin.write(chunk)
        except BaseException:
            process.kill()
            process.communicate()
            raise
        output, errors = process.communicate()
        answer = Answer(process.returncode, output.decode(), errors.decode(errors="replace"))
        if answer.code:
            raise explain(arguments[0], answer)
        return answer

    def config(self, name: str) -> str:
        """Return a configuration value; "" if it is not set."""
        return self.run("config", "--get", name, check=False).output.strip()

    def set_config(self, name: str, value: str) -> bool:
        """Set a configuration value; return whether it changed."""
        if self.config(name) == value:
            return False
        self.run("config", "--replace-all", name, value)
        return True

    def commit_of(self, revision: str) -> str:
        """Return the commit of a revision; "" if there is none."""
        answer = self.run("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", check=False)
        return answer.output.strip()

    def names(self, revision: str) -> set[str]:
        """Return every path in a commit's tree."""
        output = self.run("ls-tree", "-r", "-z", "--name-only", "--full-tree", revision).output
        return set(output.split("\0")) - {""}

    def _command(self, arguments: Iterable[str]) -> list[str]:
        return ["git", "-C", str(self.folder), *self._options, *arguments]


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
    own = [" ".join(line.split()) for line in lines if not _NOISE.match(line)]
    own += [f"! {state} {ref} {reason}" for ref, state, reason in _REJECTED.findall(answer.output)]
    if lines and not (host or own):
        own = [lines[-1].strip()]
    return [line for line in host if line], own


def leave_hook() -> None:
    """Remove the variables that git sets for a hook; the store is another repository.

    A leaked GIT_INDEX_FILE would stage into the site's repository (githooks(5)).
    """
    for name in list(os.environ):
        if name.startswith("GIT_") and not name.startswith(_KEPT_IN_HOOKS):
            del os.environ[name]
