"""Run git: with GitPython, or without it where its import would take longer than the work.

GitPython finds and starts git; its index and remote objects are not used. They change
the process's working directory, read the user's configuration in their own way, and
hide the messages of the host's hooks. Hooks, `publish` and the host use `LeanGit`.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from typing import IO, TYPE_CHECKING, NamedTuple, cast

from pelican_imagehost.publish.explain import explain

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence
    from pathlib import Path

__all__ = ["Answer", "Git", "LeanGit", "Object", "leave_hook"]

# Signing would ask for a key, and a user's hooks do not apply to a repository of images.
_ALWAYS = ("-c", "commit.gpgsign=false", "-c", f"core.hooksPath={os.devnull}")
# Messages are matched in English.
_QUIET = {"GIT_TERMINAL_PROMPT": "0", "LANGUAGE": "C", "LC_ALL": "C"}
_AT_ONCE = 500  # object names that fit into a pipe, so that neither side waits for the other
_KEPT_IN_HOOKS = ("GIT_SSH", "GIT_ASKPASS", "GIT_TRACE", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM")


class Answer(NamedTuple):
    """The exit code and the output of a git command."""

    code: int
    output: str
    errors: str


class Object(NamedTuple):
    """An object in a repository: its name, kind and size; `oid` is "" if it is missing."""

    oid: str
    kind: str
    size: int


class Git:
    """git in one folder.

    Args:
        folder: where it runs; with `-C`, so that it need not be a repository yet.
        hooks: whether the user's hooks and signing apply: they do in the site's
            repository, and do not in the store's.
    """

    def __init__(self, folder: Path | str, *, hooks: bool = False) -> None:
        self._start_of_command = ["git", "-C", str(folder), *(() if hooks else _ALWAYS)]
        self._config: dict[str, str] | None = None

    def run(
        self,
        *arguments: str,
        stdin: str | None = None,
        env: Mapping[str, str] | None = None,
        check: bool = True,
    ) -> Answer:
        """Run a command and wait for it.

        Args:
            arguments: the command and its arguments; no user's text as an option.
            stdin: its standard input.
            env: variables to add to the environment.
            check: whether a failure is an error.

        Returns:
            Its exit code and output.

        Raises:
            PublishError: it failed.
        """
        data = None if stdin is None else stdin.encode(errors="surrogateescape")
        code, output, errors = self._execute(self._command(arguments), env or {}, data)
        text = output.decode(errors="surrogateescape")
        answer = Answer(code, text, errors.decode(errors="surrogateescape"))
        if check and code:
            raise explain(arguments[0], answer)
        return answer

    def read(self, revision: str, path: str) -> bytes | None:
        """Return the content of a file in a commit; None if it does not exist."""
        command = self._command(["cat-file", "blob", f"{revision}:{path}"])
        code, output, _ = self._execute(command, {}, None)
        return output if code == 0 else None

    def feed(self, *arguments: str, chunks: Iterable[bytes]) -> Answer:
        """Run a command that reads a long stream from standard input, and writes little.

        Args:
            arguments: the command and its arguments; no user's text as an option.
            chunks: the stream.

        Raises:
            PublishError: it failed.
        """
        process = self._start(self._command(arguments), {})
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
        text = output.decode(errors="surrogateescape")
        answer = Answer(process.returncode, text, errors.decode(errors="replace"))
        if answer.code:
            raise explain(arguments[0], answer)
        return answer

    def facts(self, names: Iterable[str]) -> list[Object]:
        """Look up objects by name, without their content, with one process."""
        lines = "".join(f"{name}\n" for name in names)
        output = self.run("cat-file", "--batch-check", stdin=lines).output if lines else ""
        return [_object(line) for line in output.splitlines()]

    def stream(self, names: Sequence[str]) -> Generator[tuple[Object, IO[bytes]]]:
        """Read objects, in order, with one process.

        Args:
            names: their names; close the generator if you do not read all.

        Yields:
            Each object and a stream; read exactly its size before the next.
        """
        if not names:
            return
        process = self._start(self._command(["cat-file", "--batch"]), {})
        stdin, stdout = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
        try:
            for start in range(0, len(names), _AT_ONCE):
                part = names[start : start + _AT_ONCE]
                stdin.write("".join(f"{name}\n" for name in part).encode())
                stdin.flush()
                for _ in part:
                    found = _object(stdout.readline().decode(errors="surrogateescape"))
                    yield found, stdout
                    if found.oid:
                        stdout.read(1)  # the line feed after it
        finally:
            process.kill()
            process.communicate()

    def contents(self, names: Sequence[str]) -> Generator[bytes]:
        """Read the content of objects, in order, with one process; b"" for one that is missing."""
        with contextlib.closing(self.stream(names)) as found:
            for item, stream in found:
                yield stream.read(item.size)

    def config(self, name: str) -> str:
        """Return a configuration value as it was first read; "" if it is not set."""
        if self._config is None:
            self.read_config()
        return (self._config or {}).get(name.lower(), "")

    def read_config(self) -> dict[str, str]:
        """Read the configuration, names in lower case; from now on `config` returns it."""
        listed = self.run("config", "--null", "--list", check=False).output.split("\0")
        pairs = (entry.partition("\n") for entry in listed)
        self._config = {name: value for name, _, value in pairs}
        return self._config

    def set_config(self, name: str, value: str) -> bool:
        """Set a configuration value; return whether it changed."""
        if self.config(name) == value:
            return False
        self.run("config", "--replace-all", name, value)
        self._config = None
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
        return [*self._start_of_command, *arguments]

    def _execute(
        self, command: list[str], env: Mapping[str, str], stdin: bytes | None
    ) -> tuple[int, bytes, bytes]:
        process = self._start(command, env)
        try:
            output, errors = process.communicate(stdin)
        except BaseException:
            process.kill()
            process.wait()
            raise
        return process.returncode, output, errors

    def _start(self, command: list[str], env: Mapping[str, str]) -> subprocess.Popen[bytes]:
        import git  # noqa: PLC0415  slow

        added = {**_QUIET, **env}
        started = git.Git().execute(command, env=added, istream=subprocess.PIPE, as_process=True)
        process = cast("subprocess.Popen[bytes]", started.proc)
        started.proc = None  # else it would end the process when it is collected
        return process


class LeanGit(Git):
    """git in one folder, started without GitPython."""

    def _start(self, command: list[str], env: Mapping[str, str]) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        return subprocess.Popen(  # noqa: S603  no user's text as an option
            command, env={**os.environ, **_QUIET, **env}, stdin=pipe, stdout=pipe, stderr=pipe
        )


def _object(line: str) -> Object:
    """Parse a line of `git cat-file --batch-check` (git-cat-file(1), BATCH OUTPUT)."""
    fields = line.split()
    known = len(fields) == 3 and fields[2].isdigit()  # noqa: PLR2004  name, type, size
    return Object(fields[0], fields[1], int(fields[2])) if known else Object("", "", 0)


def leave_hook() -> None:
    """Remove the variables that git sets for a hook; the store is another repository.

    A leaked GIT_INDEX_FILE would stage into the site's repository (githooks(5)).
    """
    for name in list(os.environ):
        if name.startswith("GIT_") and not name.startswith(_KEPT_IN_HOOKS):
            del os.environ[name]
