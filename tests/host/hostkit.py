"""A host that `host init` made, and authors who push to it with real git."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path  # noqa: TC003  pytest reads fixtures' annotations
from typing import TYPE_CHECKING

import pytest

from pelican_imagehost.host.layout import Layout
from pelican_imagehost.host.setup import Setup

if TYPE_CHECKING:
    from collections.abc import Mapping

Content = bytes | tuple[str, bytes] | None  # a plain file, one of another mode, or a removal
EMPTY = b""
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">' + b"<g/>" * 200 + b"</svg>"


def key_of(data: bytes, kind: str = "png") -> str:
    digest = hashlib.sha256(data).hexdigest()
    return f"{digest[:2]}/{digest}.{kind}"


def tombstone(key: str) -> str:
    return f"retracted/{key[3:67]}"


def pictures(count: int, size: int = 100, start: int = 0) -> dict[str, Content]:
    blobs = [f"picture {n} ".encode() * (size // 10) for n in range(start, start + count)]
    return {key_of(blob): blob for blob in blobs}


def clean_environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {**kept, "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"}


def run(*command: str | Path, stdin: bytes = b"", cwd: Path | None = None) -> str:
    completed = subprocess.run(
        command, input=stdin, cwd=cwd, env=clean_environment(), capture_output=True, check=False
    )
    assert completed.returncode == 0, completed.stderr.decode()
    return completed.stdout.decode()


class Push:
    """How a push ended, and what the pusher's terminal showed of the host's words."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def wait(self) -> Push:
        output = self._process.communicate()[0].decode()
        self.code = self._process.returncode
        self.output = output
        lines = [line.removeprefix("remote: ").rstrip() for line in output.splitlines()]
        self.said = [line for line in lines if line.startswith("imagehost: ")]
        return self

    @property
    def pid(self) -> int:
        return self._process.pid


class Author:
    """A repository that commits to any tree and pushes it, whatever the host thinks of it."""

    def __init__(self, folder: Path, remote: Path) -> None:
        self.folder = folder
        self.remote = remote
        run("git", "init", "-q", "--bare", "-b", "main", folder)

    def commit(self, files: Mapping[str, Content], *parents: str, when: int = 1_700_000_000) -> str:
        """Commit changes to the first parent's tree; returns the commit."""
        lines = [
            b"commit refs/heads/work",
            b"committer A <a@example.com> %d +0000" % when,
            b"data 1\nx",
        ]
        for word, parent in zip(("from", *["merge"] * len(parents)), parents, strict=False):
            lines.append(f"{word} {parent}".encode())
        for path, content in files.items():
            lines += _change(path.encode(), content)
        run(
            "git",
            *("-C", self.folder, "update-ref", "-d", "refs/heads/work"),
        )
        run(
            "git",
            *("-C", self.folder, "fast-import", "--quiet", "--force"),
            stdin=b"\n".join(lines) + b"\n",
        )
        return self.git("rev-parse", "refs/heads/work").strip()

    def push(self, commit: str, ref: str = "refs/heads/main", *options: str) -> Push:
        return self.start_push(commit, ref, *options).wait()

    def start_push(self, commit: str, ref: str = "refs/heads/main", *options: str) -> Push:
        return Push(
            subprocess.Popen(
                ["git", "-C", self.folder, "push", *options, self.remote, f"{commit}:{ref}"],
                env=clean_environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        )

    def git(self, *arguments: str) -> str:
        return run("git", "-C", self.folder, *arguments)


def _change(path: bytes, content: Content) -> list[bytes]:
    if content is None:
        return [b"D " + path]
    mode, data = content if isinstance(content, tuple) else ("100644", content)
    if mode == "160000":
        return [b"M 160000 " + data + b" " + path]
    return [b"M " + mode.encode() + b" inline " + path, b"data %d" % len(data), data]


class Host:
    """A host of one or two names."""

    def __init__(self, root: Path, site: str, images: str | None = None) -> None:
        self.setup = Setup(root, site=site, images=images)
        self.setup.run()
        self.layout = Layout(root)

    def served(self) -> set[str]:
        """Every file of the served tree, each checked against its name."""
        folder = self.layout.served
        files = [file for file in folder.rglob("*") if file.is_file()]
        for file in files:
            if file.suffix != ".gz":
                assert hashlib.sha256(file.read_bytes()).hexdigest() == file.stem
            assert file.stat().st_mode & 0o777 == 0o444
        assert all(sub.stat().st_mode & 0o777 == 0o755 for sub in folder.iterdir())
        return {file.relative_to(folder).as_posix() for file in files}

    def leftovers(self) -> list[str]:
        folders = [self.layout.www / ".incoming", self.layout.releases / ".building"]
        found = [file for folder in folders if folder.exists() for file in folder.iterdir()]
        found += (self.layout.images / "objects").glob("tmp_objdir*")
        found += (self.layout.site / "objects").glob("tmp_objdir*")
        return [str(file) for file in found if file.name != "lock"]

    def branch(self, repository: str = "images.git") -> str:
        """The commit of main, or nothing."""
        listed = run("git", "-C", self.layout.root / repository, "for-each-ref")
        return listed.split()[0] if listed else ""

    def tree(self) -> set[str]:
        listed = run("git", "-C", self.layout.images, "ls-tree", "-r", "--name-only", "main")
        return set(listed.split())

    def config(self, name: str, value: object, repository: str = "images.git") -> None:
        run("git", "-C", self.layout.root / repository, "config", name, str(value))


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path / "host", "http://127.0.0.1:8000")


@pytest.fixture
def author(tmp_path: Path, host: Host) -> Author:
    return Author(tmp_path / "author", host.layout.images)
