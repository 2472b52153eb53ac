"""No edit is lost, and the command starts and stops correctly."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

import pytest

from tests.watch.saving import WAYS, save_with_vim
from tests.watch.watchkit import Desk, clean_build, prepare, tree, write_post

if TYPE_CHECKING:
    from tests.conftest import Require, Site

SEED = 20260101
COMMAND = "from pelican_imagehost.cli.watch import watch; watch()"


def git(folder: Path, *arguments: str) -> None:
    options = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "gc.auto=0"]
    command = ["git", *options, *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def save_at_random(site: Site, seed: int, count: int) -> None:
    """Save posts and images in every way, with pauses shorter and longer than a build."""
    chooser = random.Random(seed)  # noqa: S311  the same saves every time
    vim = bool(shutil.which("vim"))
    for number in range(count):
        post = site.root / f"content/post-{chooser.randrange(6)}.md"
        text = post.read_text("utf-8") + f"\nSave {number}.\n"
        way = chooser.choice([*WAYS, "real vim", "image"])
        if way == "image":
            site.picture(f"content/picture-{chooser.randrange(6)}.png", text_seed=100 + number)
        elif way == "real vim" and vim:
            save_with_vim(post, text)
        else:
            WAYS[way if way in WAYS else "vim"](post, text)
        time.sleep(chooser.choice([0, 0, 0.002, 0.02, 0.1, 0.4]))


def test_no_save_is_lost(site: Site) -> None:
    prepare(site)
    with Desk(site) as desk:
        for round_ in range(2):
            save_at_random(site, SEED + round_, 20)
            desk.check()


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_no_save_of_five_hundred_is_lost(site: Site, require: Require) -> None:
    require(shutil.which("vim"), "vim is not installed")
    prepare(site)
    with Desk(site) as desk:
        for round_ in range(20):
            save_at_random(site, SEED + round_, 25)
            desk.check()


def check_out(site: Site, files: int) -> None:
    git(site.root, "init", "-q", "-b", "main")
    for version in ("one", "two"):
        for number in range(files):
            write_post(site, f"many/post-{number + 100}", f"Version {version}.", Category="many")
        git(site.root, "add", "content", "theme")
        git(site.root, "commit", "-qm", version)
    with Desk(site) as desk:
        git(site.root, "checkout", "-q", "main~1")
        desk.check()
        git(site.root, "checkout", "-q", "main")
        desk.check()


def test_a_checkout_is_followed(site: Site) -> None:
    prepare(site)
    check_out(site, 60)


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_a_checkout_of_two_thousand_files_is_followed(site: Site) -> None:
    prepare(site)
    check_out(site, 2000)


def test_folders_moved_in_and_out_are_followed(site: Site, tmp_path: Path) -> None:
    prepare(site)
    for number in range(10, 14):
        site.picture(f"content/pack/deep/p-{number}.png", text_seed=number)
        write_post(site, f"pack/deep/post-{number}", f"![p](p-{number}.png)", Category="pack")
    outside = tmp_path / "outside"
    with Desk(site) as desk:
        (site.root / "content/pack").rename(outside)
        desk.check()
        outside.rename(site.root / "content/again")
        write_post(site, "again/deep/post-10", "Edited at once.", Category="pack")
        desk.check()
        (site.root / "content/again").rename(site.root / "content/within")
        desk.check()


class Command:
    """The command in a separate process, as a user runs it."""

    def __init__(self, site: Site, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", COMMAND, "--port", "0", *arguments],
            cwd=site.root,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.pid = self._process.pid
        self.said = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.end(signal.SIGTERM)
        self._stderr.close()

    @property
    def _stderr(self) -> IO[str]:
        assert self._process.stderr
        return self._process.stderr

    def await_line(self, pattern: str) -> str:
        """Read until a line matches."""
        for line in self._stderr:
            self.said += line
            if re.search(pattern, line):
                return line
        raise AssertionError(self.said)

    def end(self, number: signal.Signals) -> int:
        os.killpg(self.pid, number)  # as a terminal does
        self.said += self._stderr.read()
        return self._process.wait(20)


def test_a_full_event_queue_loses_nothing(site: Site) -> None:
    prepare(site)
    queue = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    with Command(site) as command:
        command.await_line("site built")
        os.kill(command.pid, signal.SIGSTOP)  # the events are not read
        for number in range(queue):
            (site.root / f"content/.junk-{number % 2}.tmp").write_text("x")
        write_post(site, "post-1", "After the flood.", Category="notes")
        site.write("content/extra/beat.txt", "after")
        os.kill(command.pid, signal.SIGCONT)
        while (site.root / "output/extra/beat.txt").read_text() != "after":
            command.await_line("site built")
        write_post(site, "post-2", "Later on.", Category="notes")
        command.await_line("site built")
        for number in range(2):
            (site.root / f"content/.junk-{number}.tmp").unlink()
    assert tree(site.root / "output") == clean_build(site)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly(site: Site, number: signal.Signals) -> None:
    prepare(site)
    with Command(site) as command:
        command.await_line("site built")
        write_post(site, "post-1", "While it ends.")
        command.await_line("1 page")  # a whole build is running
        children = processes_below(command.pid)
        assert children
        assert command.end(number) == 0
        assert "Traceback" not in command.said
        assert [process for process in children if exists(process)] == []
    assert not list(site.root.rglob("*.tmp"))


def test_it_ends_without_a_word_while_the_first_builder_starts(site: Site) -> None:
    prepare(site)
    with Command(site) as command:
        command.await_line("preview at")
        while not (children := processes_below(command.pid)):
            pass
        assert command.end(signal.SIGINT) == 0
        said = command.said.splitlines()
        assert said[0].startswith("pelican-imagehost: image gallery at http://127.0.0.1:")
        assert said[0].endswith("/.imagehost/images")
        assert said[2:] == ["pelican-imagehost: stopped"]
        assert [process for process in children if exists(process)] == []


def processes_below(process: int) -> list[int]:
    found: list[int] = []
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError, ValueError):
            with open(f"/proc/{int(entry)}/stat", encoding="ascii") as file:
                parent = int(file.read().rpartition(")")[2].split()[1])
            if parent == process:
                found += [int(entry), *processes_below(int(entry))]
    return found


def exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_many_builds_leave_no_process_behind(site: Site) -> None:
    prepare(site)
    with Desk(site) as desk:
        for number in range(5):
            write_post(site, "post-1", f"Words {number}.")
            desk.settle()
        desk.settle()
        numbers = desk.drafting.processes.numbers()
        desk.wait(lambda: len(desk.drafting.processes.numbers()) == 1, f"end of {numbers}")


def test_the_builder_that_takes_over_stays(site: Site) -> None:
    prepare(site)
    with Desk(site) as desk:
        for number in range(4):
            desk.drafts.clear()
            write_post(site, "post-1", f"Words {number}.")
            desk.wait(lambda: bool(desk.drafts), "page at once")
            desk.settle()
        assert desk.said == []  # that a builder has exited, or a warning of Pelican


def test_a_taken_port_is_one_clear_sentence(site: Site) -> None:
    prepare(site)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with Command(site, "--port", port) as command:
            line = command.await_line("error")
            assert f"error: cannot listen on port {port}: Address already in use" in line


def test_no_settings_file_is_one_clear_sentence(site: Site) -> None:
    with Command(site, "-s", "nowhere.py") as command:
        command.await_line("error: settings file nowhere.py not found; specify it with -s")
