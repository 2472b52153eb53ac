"""Running git, by GitPython, and saying in a sentence what went wrong and what to do.

GitPython finds and starts git; its index and remote objects are not used. They change
the process's working directory, read the user's configuration in their own way, and
swallow what a remote hook says.
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

# Signing would ask for a key, and a user's hooks are not for a repository of images.
_ALWAYS = ("-c", "commit.gpgsign=false", "-c", f"core.hooksPath={os.devnull}")
_QUIET = {"GIT_TERMINAL_PROMPT": "0"}
_KEPT_IN_HOOKS = ("GIT_SSH", "GIT_ASKPASS", "GIT_TRACE", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM")

# What git says → what to do. The first that matches counts.
_ADVICE = [
    (
        r"empty ident|identity unknown|no email was given|no name was given",
        (
            "git does not know who you are; tell it: git config --global user.name 'Your Name' and "
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
        "another git is at work, or one was killed; if none runs any more, remove {0}",
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
        "the host does not answer; is its address right, and are you online?",
    ),
    (
        r"does not appear to be a git repository|[Rr]epository not found|not found: did you",
        "there is no repository at that address; is IMAGEHOST_REMOTE right?",
    ),
    (r"No space left on device|Out of diskspace", "a disk is full, here or at the host"),
    (
        r"not a git repository",
        "the store is no git repository yet; run: pelican-imagehost init",
    ),
]


class Answer(NamedTuple):
    """What a git command ended with."""

    code: int
    output: str
    errors: str


class Git:
    """git in one folder.

    Args:
        folder: where it runs; with `-C`, so that it need not be a repository yet.
        hooks: whether the user's hooks and signing apply: in the site's repository, not
            in the store's.
    """

    def __init__(self, folder: Path, *, hooks: bool = False) -> None:
        self.folder = folder
        self._options = () if hooks else _ALWAYS
        self._git = git.Git()

    def run(
        self, *arguments: str, env: Mapping[str, str] | None = None, check: bool = True
    ) -> Answer:
        """Run a command to its end.

        Args:
            arguments: the command and its arguments; no user's text as an option.
            env: more environment.
            check: whether a failure is an error.

        Returns:
            What it ended with.

        Raises:
            PublishError: it failed; the message says what to do.
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
        """Read a file of a commit; None where it is not there."""
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
        """Run a command that reads a stream.

        Raises:
            PublishError: it failed; the message says what to do.
        """
        started = self._git.execute(
            self._command(arguments), env=_QUIET, istream=subprocess.PIPE, as_process=True
        )
        process = cast("subprocess.Popen[bytes]", started.proc)
        stdin = cast("IO[bytes]", process.stdin)
        try:
            with contextlib.suppress(BrokenPipeError):  # it says why on its standard error
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
        """Read a configuration value; "" where it is not set."""
        return self.run("config", "--get", name, check=False).output.strip()

    def set_config(self, name: str, value: str) -> bool:
        """Set a configuration value; True where it was another."""
        if self.config(name) == value:
            return False
        self.run("config", "--replace-all", name, value)
        return True

    def commit_of(self, revision: str) -> str:
        """The commit that a revision names; "" where there is none."""
        answer = self.run("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", check=False)
        return answer.output.strip()

    def names(self, revision: str) -> set[str]:
        """Every path in a commit's tree."""
        output = self.run("ls-tree", "-r", "-z", "--name-only", "--full-tree", revision).output
        return set(output.split("\0")) - {""}

    def _command(self, arguments: Iterable[str]) -> list[str]:
        return ["git", "-C", str(self.folder), *self._options, *arguments]


def explain(what: str, answer: Answer) -> PublishError:
    """Make an error of what git said: the cause, what to do, and the host's own words."""
    said = answer.errors.strip()
    remote = [line.strip() for line in re.findall(r"^remote: (.*)$", said, re.MULTILINE)]
    host = "".join(f"\n  the host says: {line}" for line in remote if line)
    for pattern, advice in _ADVICE:
        match = re.search(pattern, said)
        if match is not None:
            return PublishError(advice.format(*match.groups()) + host)
    if host:
        return PublishError(f"the host refused the push{host}")
    last = said.splitlines()[-1] if said else f"exit code {answer.code}"
    return PublishError(f"git {what} failed: {last}")


def leave_hook() -> None:
    """Forget the repository of the hook that started us; ours is another.

    A leaked GIT_INDEX_FILE would stage into the site's repository (githooks(5)).
    """
    for name in list(os.environ):
        if name.startswith("GIT_") and not name.startswith(_KEPT_IN_HOOKS):
            del os.environ[name]
