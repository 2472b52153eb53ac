"""Changed files are reported, however editors and people change them."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from typing import TYPE_CHECKING, Self

import pytest

from pelican_imagehost.watch.events import Watcher
from pelican_imagehost.watch.messages import Roots
from pelican_imagehost.watch.snapshot import Snapshot, _kind, _mount
from tests.watch.saving import WAYS, save_with_vim

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Require


class Ear:
    """Collects the events of a watcher."""

    def __init__(self, folder: Path, *, poll: bool = False) -> None:
        self.folder = folder
        excluded = (str(folder / "output"),)
        roots = Roots((str(folder),), (), excluded, ("*.ignored",), str(folder / "output"))
        self._heard: set[str] = set()
        self._news = threading.Condition()
        self._watcher = Watcher(roots, self._hear, poll=poll)

    def __enter__(self) -> Self:
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._watcher.stop()

    def _hear(self, paths: set[str]) -> None:
        with self._news:
            self._heard |= paths
            self._news.notify_all()

    def expect(self, *names: str) -> set[str]:
        """Wait until all of these are reported; return the others."""
        expected = {str(self.folder / name) for name in names}
        with self._news:
            assert self._news.wait_for(lambda: expected <= self._heard, 60), (names, self._heard)
            rest, self._heard = self._heard - expected, set()
        return rest


def test_what_changed_in_the_last_moment_can_be_asked_for(folder: Path) -> None:
    with Ear(folder) as ear:
        (folder / "a.md").write_text("told")
        ear.expect("a.md")
    (folder / "a.md").write_text("not told")
    assert ear._watcher.unreported() == {str(folder / "a.md")}  # noqa: SLF001
    assert ear._watcher.unreported() == set()  # noqa: SLF001


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    content = tmp_path / "content"
    (content / "sub").mkdir(parents=True)
    (content / "a.md").write_text("old")
    return content


@pytest.mark.parametrize("way", WAYS)
def test_a_save_in_each_editors_way_is_one_change(folder: Path, way: str) -> None:
    with Ear(folder) as ear:
        WAYS[way](folder / "a.md", "new")
        assert ear.expect("a.md") == set()


def test_a_save_with_vim_itself(folder: Path, require: Require) -> None:
    require(shutil.which("vim"), "vim is not installed")
    with Ear(folder) as ear:
        save_with_vim(folder / "a.md", "new\n")
        assert ear.expect("a.md") == set()


def test_two_saves_within_the_clocks_grain_are_both_seen(folder: Path) -> None:
    file = folder / "a.md"
    snapshot = Snapshot(Roots((str(folder),), (), (), (), ""))
    snapshot.compare()
    for text in ("one", "two", "six"):
        with file.open("r+") as opened:  # the same inode and length, perhaps the same time
            opened.write(text)
        os.utime(file, ns=(10**18, 10**18))
        assert snapshot.look(str(file))
        assert not snapshot.look(str(file))


def test_folders_made_moved_and_removed(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "pack/x").mkdir(parents=True)
    names = [f"pack/x/{number}.md" for number in range(5)]
    for name in names:
        (outside / name).write_text("text")
    with Ear(folder) as ear:
        (folder / "new/deep").mkdir(parents=True)
        (folder / "new/deep/b.md").write_text("b")
        ear.expect("new/deep/b.md")
        (outside / "pack").rename(folder / "pack")
        ear.expect(*names)
        (folder / names[0]).write_text("edited within")
        ear.expect(names[0])
        (folder / "pack").rename(folder / "sub/pack")
        moved = [f"sub/{name}" for name in names]
        ear.expect(*names, *moved)
        (folder / moved[1]).write_text("edited after the move")
        ear.expect(moved[1])
        (folder / "sub/pack").rename(outside / "pack")
        ear.expect(*moved)
        (outside / names[2]).write_text("nobody's concern")
        shutil.rmtree(folder / "new")
        assert ear.expect("new/deep/b.md") == set()


def test_a_root_that_is_replaced_is_watched_again(folder: Path) -> None:
    with Ear(folder) as ear:
        shutil.rmtree(folder)
        ear.expect("a.md")
        folder.mkdir()
        (folder / "a.md").write_text("back")
        ear._watcher.rescan()  # noqa: SLF001  what a minute brings
        ear.expect("a.md")
        (folder / "a.md").write_text("again")
        ear.expect("a.md")


def test_a_flood_is_seen_whole(folder: Path) -> None:
    names = [f"sub/{number}.md" for number in range(500)]
    with Ear(folder) as ear:
        for name in names:
            (folder / name).write_text("text")
        ear.expect(*names)


def test_paths_that_are_not_watched(folder: Path) -> None:
    (folder / "output").mkdir()
    (folder / ".git").mkdir()
    with Ear(folder) as ear:
        for name in ("output/a.html", ".git/index", ".a.md.swp", "b.ignored", "a.md~", "4913"):
            (folder / name).write_text("x")
        (folder / "last.md").write_text("x")
        assert ear.expect("last.md") == set()


def test_links_to_folders_are_followed(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.mkdir()
    (folder / "linked").symlink_to(target)
    with Ear(folder) as ear:
        (target / "b.md").write_text("b")
        others = ear.expect("linked/b.md")
    assert {os.path.basename(path) for path in others} <= {"b.md"}


def test_a_link_made_later_is_followed_until_it_is_gone(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.mkdir()
    (target / "b.md").write_text("b")
    with Ear(folder) as ear:
        (folder / "linked").symlink_to(target)
        ear.expect("linked/b.md")
        (target / "b.md").write_text("again")
        ear.expect("linked/b.md")
        (folder / "linked").unlink()
        ear.expect("linked/b.md")
        (target / "b.md").write_text("nobody's concern")
        (folder / "a.md").write_text("new")
        assert ear.expect("a.md") == set()


def link_in_circles(folder: Path) -> None:
    for name in "xy":
        (folder / f"sub/{name}").mkdir()
        (folder / f"sub/{name}/up").symlink_to("../..")
        (folder / f"sub/{name}/out").symlink_to("../../..")
    (folder / "sub/x/y").symlink_to("../y")
    (folder / "sub/y/x").symlink_to("../x")
    (folder / "here").symlink_to(".")
    (folder / "output").mkdir()
    (folder / "sub/results").symlink_to("../output")
    (folder / "itself").symlink_to("itself")
    (folder / "nothing").symlink_to("nowhere")


@pytest.mark.parametrize("poll", [False, True])
def test_links_in_circles_are_walked_once(folder: Path, *, poll: bool) -> None:
    link_in_circles(folder)
    with Ear(folder, poll=poll) as ear:
        (folder / "output/page.html").write_text("no concern")
        (folder.parent / "beside.md").write_text("nor this")
        (folder / "sub/x/b.md").write_text("new")
        (folder / "a.md").write_text("new")
        assert ear.expect("a.md", "sub/x/b.md") == set()


def test_a_folder_of_the_site_goes_by_its_own_name(folder: Path) -> None:
    (folder / "a-link").symlink_to("sub")
    (folder / "sub/b.md").write_text("b")
    snapshot = Snapshot(Roots((str(folder),), (), (), (), ""))
    assert snapshot.compare() == {str(folder / name) for name in ("a.md", "a-link", "sub/b.md")}
    (folder / "a-link").unlink()
    assert snapshot.compare() == {str(folder / "a-link")}


def test_a_root_that_is_a_link(folder: Path) -> None:
    linked = folder.with_name("linked")
    linked.symlink_to(folder)
    with Ear(linked) as ear:
        (folder / "sub/b.md").write_text("b")
        assert ear.expect("sub/b.md") == set()


def test_without_events(folder: Path) -> None:
    with Ear(folder, poll=True) as ear:
        (folder / "a.md").write_text("new")
        (folder / "sub/b.md").write_text("new")
        ear.expect("a.md", "sub/b.md")
        (folder / "a.md").unlink()
        ear.expect("a.md")


def test_network_mounts_are_known_from_mountinfo() -> None:
    lines = [
        "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw",
        r"31 22 0:40 / /home/me/my\040site rw shared:9 - nfs4 server:/x rw",
    ]
    mounts = dict(_mount(line) for line in lines)
    assert _kind("/home/me/my site/content", mounts)
    assert not _kind("/home/me", mounts)


def test_git_checkouts_are_seen(folder: Path) -> None:
    def git(*arguments: str) -> None:
        options = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "gc.auto=0"]
        subprocess.run(["git", *options, *arguments], cwd=folder, check=True, capture_output=True)

    names = [f"sub/{number}.md" for number in range(40)]
    git("init", "-q", "-b", "main")
    for text in ("one", "two"):
        for name in names:
            (folder / name).write_text(text)
        git("add", ".")
        git("commit", "-qm", text)
    with Ear(folder) as ear:
        git("checkout", "-q", "main~1")
        ear.expect(*names)


@pytest.mark.timeout(20)
def test_a_pipe_and_a_device_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.md")
    (tmp_path / "zero.md").symlink_to("/dev/zero")
    snapshot = Snapshot(Roots((str(tmp_path),), (), (), (), ""))
    assert snapshot.compare() == {str(tmp_path / name) for name in ("pipe.md", "zero.md")}
    assert snapshot.compare() == set()
