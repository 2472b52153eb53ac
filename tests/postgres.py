"""PostgreSQL, a real one, on 127.0.0.1 and in a folder of its own."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Postgres", "find_programs"]

_PATIENCE = 60.0  # seconds until it answers, on a busy machine
_NUMBERS = itertools.count()


def find_programs() -> Path | None:
    """Return the folder of initdb and postgres; Debian does not add it to PATH."""
    initdb = shutil.which("initdb")
    folders = [Path(initdb).parent] if initdb else Path("/usr/lib/postgresql").glob("*/bin")
    return max(folders, key=lambda folder: folder.stat().st_mtime, default=None)


class Postgres:
    """A server; its user is `postgres` if ours is root, whom it refuses.

    Args:
        programs: the folder of its programs.
    """

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._user = "postgres" if os.geteuid() == 0 else None
        # Not in pytest's folder, which only its owner may enter.
        self._folder = Path(tempfile.mkdtemp(prefix="imagehost-postgres-"))
        if self._user:
            shutil.chown(self._folder, self._user)
        with socket.socket() as trial:
            trial.bind(("127.0.0.1", 0))
            self._port = trial.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Make a cluster, start it, and wait until it answers."""
        data = str(self._folder / "data")
        options = ("--auth=trust", "--username=tester", "--encoding=UTF8", "--locale=C.UTF-8")
        subprocess.run(
            [self._programs / "initdb", "-D", data, *options, "--no-sync"],
            user=self._user, check=True, capture_output=True, cwd="/", env={"LANG": "C.UTF-8"},
        )  # fmt: skip
        self.restart()

    def restart(self) -> None:
        """Start a killed server again, and wait until it has recovered."""
        command = [str(self._programs / "postgres"), "-D", str(self._folder / "data")]
        command += ["-p", str(self._port), "-h", "127.0.0.1", "-k", "", "-c", "shared_buffers=16MB"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, user=self._user, stdout=log, stderr=log, cwd="/", env={"LANG": "C.UTF-8"},
            )  # fmt: skip
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                self.query("SELECT 1", "postgres")
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, (self._folder / "log").read_text()
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        """Kill it with all its processes, as a machine that loses its power."""
        assert self._process is not None
        for process in self.processes():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._process.wait()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop it for a while, as a machine that hangs: its connections stay."""
        stopped = self.processes()
        for process in stopped:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in stopped:
                os.kill(process, signal.SIGCONT)

    def processes(self) -> list[int]:
        """Return its processes: the first, and one for each connection and task."""
        assert self._process is not None
        first = self._process.pid
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        return [first, *map(int, children)]

    def close(self) -> None:
        """Kill it, and remove its folder."""
        if self._process is not None and self._process.poll() is None:
            self.kill()
        shutil.rmtree(self._folder)

    def make_database(self) -> str:
        """Make an empty database; return its address."""
        name = f"test{next(_NUMBERS)}"
        self.query(f"CREATE DATABASE {name}", "postgres")
        return self.address(name)

    def address(self, database: str) -> str:
        return f"postgresql://tester@127.0.0.1:{self._port}/{database}"

    def query(self, statement: str, database: str) -> list[tuple[Any, ...]]:
        """Execute a statement in a database; return its rows."""
        with psycopg.connect(self.address(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []
