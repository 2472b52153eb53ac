"""Run git without GitPython, whose import takes longer than a whole hook.

For the hooks, which run in the repository that is pushed to, and for what `host` commands
share with them; everything else of the host uses `publish/git`.
"""

from __future__ import annotations

import subprocess
from typing import IO, TYPE_CHECKING

from pelican_imagehost.errors import PublishError

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["git", "read_blobs", "read_config"]


def git(*arguments: str, stdin: str | None = None) -> bytes:
    """Run a git command and return its standard output.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    data = None if stdin is None else stdin.encode()
    return subprocess.run(["git", *arguments], input=data, check=True, capture_output=True).stdout  # noqa: S603, S607  no pushed text is an option


def read_config() -> dict[str, str]:
    """Read `imagehost.*` of the repository, as name → value.

    Raises:
        PublishError: the repository was not set up.
    """
    lines = git("config", "-z", "--list").decode().split("\0")
    known = dict(line.split("\n", 1) for line in lines if line.startswith("imagehost."))
    config = {name.partition(".")[2]: value for name, value in known.items()}
    if "served" not in config:
        raise PublishError("the host is not set up; on the host, run: pelican-imagehost host init")
    return config


def read_blobs(
    images: list[tuple[str, str]], oids: IO[str], cwd: str | None = None
) -> Generator[tuple[str, IO[bytes], int]]:
    """Read objects with one `git cat-file`, in order.

    Args:
        images: paths and object names.
        oids: a new file for the object names, so that neither process waits for the other.
        cwd: the repository; the current folder, as in a hook, when None.

    Yields:
        Each path, a stream, and its length in bytes; read exactly that before the next.

    Raises:
        PublishError: an object is missing.
    """
    oids.writelines(f"{oid}\n" for _, oid in images)
    oids.flush()
    oids.seek(0)
    command = ["git", "cat-file", "--batch", "--buffer"]
    with subprocess.Popen(command, stdin=oids, stdout=subprocess.PIPE, cwd=cwd) as process:  # noqa: S603  a fixed command
        try:
            for path, _ in images:
                header = process.stdout.readline().split()  # type: ignore[union-attr]  # a pipe
                if header[1:2] != [b"blob"]:
                    raise PublishError(f"{path} has no content in the push; fetch it, push again")
                yield path, process.stdout, int(header[2])  # type: ignore[misc]  # a pipe
                process.stdout.read(1)  # type: ignore[union-attr]  # the line feed after it
        finally:
            process.kill()
