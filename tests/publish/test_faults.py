"""Publishing under faults: readers fetch everything all the time, and nothing is ever broken.

Each test ends with a line of counts; `pytest -m full -n 0 -rP` prints the table.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Self

import pytest

from tests.benchmarks.sites import make_picture
from tests.host.hostkit import run
from tests.host.test_images_hook import find_process
from tests.publish.test_end_to_end import Blogger, Machine, Reader, machine, programs

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["machine", "programs"]

POSTS = 5  # these are rewritten in turn, so that the site stays small and every push changes it
SIZE = 60_000  # bytes per picture
LARGE = 12_000_000
FULL = [pytest.mark.full, pytest.mark.timeout(1800)]


def few_or_fifty(few: int) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("rounds", [few, pytest.param(50, marks=FULL)])


class Poller:
    """A reader who fetches all the time, and counts.

    During a push its pictures may be missing, but never incomplete.
    """

    def __init__(self, url: str) -> None:
        self.fetches = self.early = 0
        self.broken: list[str] = []
        self.awaited: list[str] = []
        self._url = url
        self._done = threading.Event()
        self._threads = [
            threading.Thread(target=work) for work in (self._look, self._await_pictures)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _look(self) -> None:
        with contextlib.closing(Reader(self._url)) as reader:
            while not self._done.wait(0.05):
                seen = reader.look()
                self.fetches += len(seen.pages) + len(seen.pictures)
                self.broken += seen.broken

    def _await_pictures(self) -> None:
        with contextlib.closing(Reader(self._url)) as reader:
            while not self._done.wait(0.02):
                for key in self.awaited:
                    wrong, _ = reader.picture(key)
                    self.early += 1
                    if wrong and not wrong.startswith(f"{key}: 404 "):
                        self.broken.append(wrong)


class Story:
    """Rounds of a fault: an author who writes and pushes, a reader, and the counts."""

    def __init__(self, machine: Machine, blog: Blogger, poller: Poller, seed: int) -> None:
        self.machine, self.blog, self.poller = machine, blog, poller
        self.chooser = random.Random(seed)  # noqa: S311  the same story every time
        self.counts: dict[str, int] = {}
        self.usual = 0.0  # the seconds that a push takes
        self._pictures = 0

    def count(self, what: str, number: int = 1) -> None:
        self.counts[what] = self.counts.get(what, 0) + number

    def until(self, what: str, number: int) -> Iterator[int]:
        """Run rounds until something has happened a number of times."""
        for done in range(20 * number):  # not every kill hits
            if self.counts.get(what, 0) == number:
                return
            yield done
        assert self.counts.get(what, 0) == number

    def write(self, blog: Blogger, post: str, *, size: int = SIZE, pictures: int = 3) -> None:
        """Rewrite a post with new pictures, and commit."""
        self.draft(blog, post, size=size, pictures=pictures)
        blog.commit()

    def draft(self, blog: Blogger, post: str, *, size: int = SIZE, pictures: int = 3) -> None:
        """Rewrite a post with new pictures."""
        keys, names = [], []
        for _ in range(pictures):
            self._pictures += 1
            names.append(f"{post}-{self._pictures}.png")
            blog.write(f"content/{names[-1]}", make_picture(self._pictures, size))
            keys.append(blog.key(names[-1]))
        blog.post(post, " ".join(f"![a]({name})" for name in names))
        self.poller.awaited = [*self.poller.awaited, *keys][-9:]

    def finish(self, process: subprocess.Popen[str]) -> tuple[bool, str]:
        output, _ = process.communicate()
        self.count("pushed" if process.returncode == 0 else "refused")
        return process.returncode == 0, output

    def push_until_done(self, blog: Blogger) -> None:
        """Push as an author would, who follows the messages."""
        for _ in range(4):
            done, output = self.finish(blog.start_push())
            if done:
                return
            if "cannot lock ref" in output:  # a killed push went on at the host, and came first
                self.count("overtaken by a killed push")
                continue
            lock = output.partition("if none runs any more, remove ")[2].partition("\n")[0]
            assert lock, output
            os.unlink(lock)
            self.count("locks removed by hand")
        pytest.fail(output)

    def all_is_well(self) -> None:
        """Push completely; readers see everything, and nothing remains on the host."""
        self.write(self.blog, "end")
        self.push_until_done(self.blog)
        with contextlib.closing(Reader(self.machine.url)) as reader:
            seen = reader.look()
        named = {self.blog.key(file.name) for file in self.named_files()}
        assert (seen.broken, set(seen.pictures)) == ([], named)
        assert [file.name for file in (self.machine.root / "www/.incoming").iterdir()] == ["lock"]
        assert not (self.machine.root / "releases/.building").exists()
        run("git", "-C", self.machine.root / "images.git", "fsck", "--strict")

    def named_files(self) -> list[Path]:
        posts = "".join(file.read_text() for file in self.blog.root.glob("content/*.md"))
        return [f for f in self.blog.root.glob("content/*.png") if f"({f.name})" in posts]


@contextlib.contextmanager
def story(name: str, machine: Machine, folder: Path, seed: int) -> Iterator[Story]:
    """Start with a site that is online; end with the counts, none of them broken."""
    blog = Blogger.begin(folder / "first" / "blog", machine)
    blog.configure(IMAGEHOST_FORMATS=[])  # no pictures but those that are counted
    with Poller(machine.url) as poller:
        story = Story(machine, blog, poller, seed)
        for number in range(POSTS):
            story.draft(blog, f"post-{number}", pictures=1)
        blog.commit()
        start = time.monotonic()
        blog.push()
        story.usual = time.monotonic() - start
        yield story
        story.all_is_well()
    counts = ", ".join(f"{number} {what}" for what, number in story.counts.items())
    fetches = f"{poller.fetches:,} fetches of pages and their pictures"
    sys.stdout.write(
        f"{name}: {counts}; {fetches}, {poller.early:,} of pictures on their way; "
        f"{len(poller.broken)} broken\n"
    )
    assert poller.broken == []
    assert poller.fetches


@few_or_fifty(3)
def test_client_killed_at_random_moments(machine: Machine, tmp_path: Path, rounds: int) -> None:
    with story("client killed", machine, tmp_path, 1) as tale:
        for number in tale.until("killed", rounds):
            tale.write(tale.blog, f"post-{number % POSTS}")
            process = tale.blog.start_push()
            time.sleep(tale.chooser.uniform(0, tale.usual))
            killed = process.poll() is None
            # All processes of the author at once, as after a power failure.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            tale.count("killed" if killed else "done before")
            with contextlib.suppress(FileNotFoundError):
                os.unlink(tale.blog.root / ".git/index.lock")


@few_or_fifty(3)
def test_hook_killed_at_random_moments(machine: Machine, tmp_path: Path, rounds: int) -> None:
    repositories = {machine.root / "images.git": 0.12, machine.root / "site.git": 0.8}
    with story("hook killed", machine, tmp_path, 2) as tale:
        for number in tale.until("killed", rounds):
            tale.write(tale.blog, f"post-{number % POSTS}")
            repository = tale.chooser.choice([*repositories])
            delay = tale.chooser.uniform(0, repositories[repository])
            process = tale.blog.start_push()
            while process.poll() is None:
                pid = find_process(repository, "-receive\0")
                if pid is not None:
                    time.sleep(delay)
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                        tale.count("killed")
                    break
                time.sleep(0.005)
            tale.finish(process)


@few_or_fifty(1)
def test_two_authors_at_once(machine: Machine, tmp_path: Path, rounds: int) -> None:
    with story("two authors at once", machine, tmp_path, 3) as tale:
        blogs = [tale.blog, Blogger.join(tmp_path / "second" / "blog", machine)]
        for number in range(rounds):
            for who, blog in enumerate(blogs):
                tale.write(blog, f"author-{who}-{number % POSTS}")
            processes = [blog.start_push() for blog in blogs]
            ends = [tale.finish(process) for process in processes]
            assert any(done for done, _ in ends), ends
            for blog, (done, output) in zip(blogs, ends, strict=True):
                if not done:
                    assert "fetch first" in output or "remote rejected" in output, output
                    join(blog)
                    tale.push_until_done(blog)
            for blog in blogs:
                join(blog)
        for file in blogs[1].root.glob("content/author-1-*.png"):  # git has text only
            shutil.copy(file, tale.blog.root / "content")
        tale.count("rounds", rounds)


def join(blog: Blogger) -> None:
    blog.git("pull", "--quiet", "--no-rebase", "--no-edit", "live", "main")


@pytest.fixture
def small_machine(
    tmp_path: Path,
    small_disk: Path,
    programs: None,  # noqa: ARG001  a condition
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Machine]:
    """A host on a disk that can be filled."""
    run("mount", "-o", "remount,size=64m", small_disk)
    machine = Machine(tmp_path / "machine", small_disk / "host")
    for name, value in machine.environment().items():
        monkeypatch.setenv(name, value)
    with machine.running():
        yield machine


@few_or_fifty(3)
def test_disk_full_at_the_host(small_machine: Machine, tmp_path: Path, rounds: int) -> None:
    ballast = small_machine.root.parent / "ballast"
    with story("disk full", small_machine, tmp_path, 4) as tale:
        waiting = 0
        for number in range(rounds):
            tale.write(tale.blog, f"post-{number % POSTS}")
            waiting += 3 * SIZE
            disk = os.statvfs(small_machine.root)
            # The quarantine and the served tree each take the size of the pictures.
            left = int(tale.chooser.uniform(0, 2.4 * waiting))
            ballast.write_bytes(bytes(max(disk.f_bavail * disk.f_frsize - left, 0)))
            done, output = tale.finish(tale.blog.start_push())
            ballast.unlink()
            if done:
                waiting = 0
            elif "host's disk is full" in output:
                tale.count("by our hook")
            else:
                assert re.search("disk is full|No space left|Out of diskspace", output), output
                tale.count("by git")
        assert tale.counts.get("refused")


@pytest.mark.parametrize("pushes", [1, pytest.param(10, marks=FULL)])
def test_large_files_are_polled_while_they_come(
    machine: Machine, tmp_path: Path, pushes: int
) -> None:
    run("git", "-C", machine.root / "images.git", "config", "imagehost.maxbytes", str(2 * LARGE))
    with story("12 MB files", machine, tmp_path, 5) as tale:
        tale.blog.configure(IMAGEHOST_MAX_BYTES=2 * LARGE)
        for number in range(pushes):
            tale.write(tale.blog, f"post-{number % POSTS}", size=LARGE)
            tale.push_until_done(tale.blog)
