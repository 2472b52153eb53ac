from __future__ import annotations

import gzip
import itertools
import os
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.host.hostkit import (
    EMPTY,
    SVG,
    Author,
    Content,
    Host,
    author,
    clean_environment,
    host,
    key_of,
    pictures,
    run,
    tombstone,
)

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["author", "host"]

OLD = b"an old picture"
NEW = b"a new picture"
EVIL = SVG.replace(b"<g/>", b"<script/>", 1)
LOADS = SVG.replace(b"<g/>", b'<image href="//x.example/a"/>', 1)
KEY, NEW_KEY = key_of(OLD), key_of(NEW)
DIGEST = NEW_KEY[3:67]
FULL = [pytest.mark.full, pytest.mark.timeout(600)]

# name → (what the tree gets, what the one line must say)
REFUSED: dict[str, tuple[dict[str, Content], str]] = {
    "forged name": ({KEY.replace(KEY[3:6], KEY[3:5] + "0"): NEW}, "not named by its content"),
    "changed file": ({KEY: NEW}, f"{KEY} is changed"),
    "changed mode": ({KEY: ("100755", OLD)}, f"{KEY} is changed"),
    "deleted file": ({KEY: None}, f"{KEY} is deleted; to take an image offline, retract it"),
    "submodule": ({"theme": ("160000", b"1" * 40)}, "theme is a submodule"),
    "symlink": ({NEW_KEY: ("120000", b"/etc/passwd")}, "is a symbolic link"),
    "executable": ({NEW_KEY: ("100755", NEW)}, "is executable"),
    "oversized blob": ({key_of(b"x" * 5000): b"x" * 5000}, "has 5,000 bytes; at most 4,096"),
    "wrong type": ({key_of(NEW, "exe"): NEW}, "has a type that is not served here"),
    "type switched off": ({key_of(NEW, "gif"): NEW}, "not served here: png, svg"),
    "no type": ({NEW_KEY.removesuffix(".png"): NEW}, "is not an image path"),
    "other path": ({"index.html": NEW}, "index.html is not an image path"),
    "no folder": ({NEW_KEY[3:]: NEW}, "is not an image path"),
    "wrong folder": ({f"00/{NEW_KEY[3:]}": NEW}, "is not an image path"),
    "nested path": ({f"more/{NEW_KEY}": NEW}, "is not an image path"),
    "upper case": ({f"{NEW_KEY[:3]}{DIGEST.upper()}.png": NEW}, "is not an image path"),
    "line feed": ({f'"{NEW_KEY}\\n"': NEW}, "is not an image path"),
    "compressed copy": ({f"{key_of(NEW, 'svg')}.gz": NEW}, "is not an image path"),
    "not an SVG": ({key_of(b"<p/>", "svg"): b"<p/>"}, "is not an SVG"),
    "SVG with a script": ({key_of(EVIL, "svg"): EVIL}, "is an SVG with <script> in line 1"),
    "half an SVG": ({key_of(SVG[:-9], "svg"): SVG[:-9]}, "is not a well-formed SVG"),
    "SVG that loads": (
        {key_of(LOADS, "svg"): LOADS},
        "a reference to another file (//x.example/a)",
    ),
    "full tombstone": ({tombstone(NEW_KEY): b"x"}, "is a tombstone and must be empty"),
    "odd tombstone": ({"retracted/x": EMPTY}, "retracted/x is not an image path"),
    "image that stays": (
        {tombstone(KEY): EMPTY},
        f"{KEY} has a tombstone and is still in the commit",
    ),
    "image with its tombstone": ({tombstone(NEW_KEY): EMPTY, NEW_KEY: NEW}, "was retracted"),
}


@pytest.fixture
def base(host: Host, author: Author) -> str:
    """The commit that is published before the test."""
    host.config("imagehost.maxbytes", 4096)
    host.config("imagehost.types", "png svg")
    commit = author.commit({KEY: OLD})
    push = author.push(commit)
    assert push.code == 0, push.output
    assert push.said == ["imagehost: 1 published, 0 already there"]
    return commit


def assert_refused(host: Host, author: Author, commit: str, expected: str, base: str) -> None:
    push = author.push(commit)
    assert push.code != 0
    assert len(push.said) == 1, push.output
    assert push.said[0].startswith("imagehost: refused: ")
    assert expected in push.said[0]
    assert "Traceback" not in push.output
    assert host.branch() == base
    assert host.served() == ({KEY} if base else set())
    assert host.leftovers() == []


@pytest.mark.parametrize("case", REFUSED)
def test_refused(host: Host, author: Author, base: str, case: str) -> None:
    files, expected = REFUSED[case]
    assert_refused(host, author, author.commit(files, base), expected, base)


@pytest.mark.parametrize("case", ["forged name", "oversized blob", "symlink", "other path"])
def test_refused_in_an_earlier_commit(host: Host, author: Author, base: str, case: str) -> None:
    files, expected = REFUSED[case]
    first = author.commit({**files, NEW_KEY: NEW} if case != "symlink" else files, base)
    last = author.commit(dict.fromkeys(files), first)
    assert_refused(host, author, last, expected, base)


def test_refused_in_the_first_push(host: Host, author: Author) -> None:
    first = author.commit({"secret.txt": b"x"})
    last = author.commit({"secret.txt": None, KEY: OLD}, first)
    assert_refused(host, author, last, "secret.txt is not an image path", "")


def test_refused_in_a_merge(host: Host, author: Author, base: str) -> None:
    one, two = author.commit({NEW_KEY: NEW}, base), author.commit(pictures(1), base)
    merge = author.commit({**pictures(1), "notes.txt": b"x"}, one, two)
    assert_refused(host, author, merge, "notes.txt is not an image path", base)


def test_other_references_are_refused(host: Host, author: Author, base: str) -> None:
    commit = author.commit({NEW_KEY: NEW}, base)
    for ref in ("refs/heads/other", "refs/tags/v1", "refs/notes/commits"):
        push = author.push(commit, ref)
        assert push.code != 0
        assert len(push.said) == 1
        assert push.said[0].startswith(f"imagehost: refused: only main can be pushed, not {ref}")
    assert (host.served(), host.branch(), host.leftovers()) == ({KEY}, base, [])


def test_one_bad_reference_refuses_all(host: Host, author: Author, base: str) -> None:
    commit = author.commit({NEW_KEY: NEW}, base)
    author.git("update-ref", "refs/tags/v1", commit)
    push = author.push(commit, "refs/heads/main", "--tags")
    assert push.code != 0
    assert (host.served(), host.branch(), host.leftovers()) == ({KEY}, base, [])


def test_main_is_not_rewound_or_deleted(host: Host, author: Author, base: str) -> None:
    other = author.commit({NEW_KEY: NEW})
    push = author.push(other, "refs/heads/main", "--force")
    assert push.code != 0
    assert push.said == [
        "imagehost: refused: main would lose commits; fetch, merge, and push again"
    ]
    host.config("receive.denyDeletes", "false")  # git says it before the hook can
    push = author.push("", "refs/heads/main")
    assert push.code != 0
    assert "main cannot be deleted" in push.said[0]
    assert (host.served(), host.branch(), host.leftovers()) == ({KEY}, base, [])


def test_images_are_served_before_the_push_is_answered(
    host: Host, author: Author, base: str
) -> None:
    new = pictures(30)
    push = author.push(author.commit(new, base))
    assert push.code == 0
    assert push.said == ["imagehost: 30 published, 0 already there"]
    assert host.served() == {KEY, *new} == host.tree()
    assert host.leftovers() == []
    host.setup.run()
    assert not list((host.layout.images / "objects").glob("??"))  # all in packs


def test_svg_gets_a_compressed_copy(host: Host, author: Author, base: str) -> None:
    key, tiny = key_of(SVG, "svg"), b'<svg xmlns="http://www.w3.org/2000/svg"/>'
    assert author.push(author.commit({key: SVG, key_of(tiny, "svg"): tiny}, base)).code == 0
    assert host.served() == {KEY, key, f"{key}.gz", key_of(tiny, "svg")}
    assert gzip.decompress((host.layout.served / f"{key}.gz").read_bytes()) == SVG


def test_joined_additions_are_accepted(host: Host, author: Author, base: str) -> None:
    one = author.commit({NEW_KEY: NEW}, base)
    two = author.commit(pictures(3), base)
    assert author.push(one).code == 0
    overtaken = author.push(two)
    assert overtaken.code != 0
    merge = author.commit({NEW_KEY: NEW}, two, one)
    push = author.push(merge)
    assert push.said == ["imagehost: 3 published, 0 already there"], push.output
    assert host.served() == {KEY, NEW_KEY, *pictures(3)} == host.tree()


def test_what_a_later_commit_drops_is_not_served(host: Host, author: Author, base: str) -> None:
    first = author.commit({NEW_KEY: NEW}, base)
    last = author.commit({NEW_KEY: None, **pictures(1)}, first)
    push = author.push(last)
    assert push.said == ["imagehost: 1 published, 0 already there"], push.output
    assert host.served() == {KEY, *pictures(1)}


def test_retract_and_back(host: Host, author: Author, base: str) -> None:
    svg = key_of(SVG, "svg")
    drawn = author.commit({svg: SVG}, base)
    assert author.push(drawn).code == 0
    gone = author.commit(
        {KEY: None, tombstone(KEY): EMPTY, svg: None, tombstone(svg): EMPTY, NEW_KEY: NEW}, drawn
    )
    push = author.push(gone)
    assert push.code == 0, push.output
    assert sorted(push.said[1:]) == sorted(
        f"imagehost: {key[3:67]} is offline" for key in (KEY, svg)
    )
    assert host.served() == {NEW_KEY}
    again = author.push(author.commit({KEY: OLD}, gone))
    assert again.code != 0
    assert again.said == [
        f"imagehost: refused: {KEY} was retracted; remove its tombstone to allow it"
    ]
    assert author.push(author.commit({tombstone(KEY): None, KEY: OLD}, gone)).code == 0
    assert host.served() == {NEW_KEY, KEY}


def test_retracting_a_stranger_is_accepted(host: Host, author: Author, base: str) -> None:
    assert author.push(author.commit({tombstone(NEW_KEY): EMPTY}, base)).code == 0
    assert host.served() == {KEY}


def test_corrupt_file_in_the_served_tree_is_replaced(host: Host, author: Author, base: str) -> None:
    target = host.layout.served / NEW_KEY
    target.parent.mkdir(mode=0o755, exist_ok=True)
    target.write_bytes(NEW[:3])
    assert author.push(author.commit({NEW_KEY: NEW}, base)).code == 0
    assert host.served() == {KEY, NEW_KEY}


def test_host_that_is_not_set_up(host: Host, author: Author, base: str) -> None:
    subprocess.run(
        ["git", "-C", host.layout.images, "config", "--remove-section", "imagehost"], check=True
    )
    commit = author.commit({NEW_KEY: NEW}, base)
    assert_refused(host, author, commit, "pelican-imagehost host init", base)


def test_full_disk_is_one_line(host: Host, author: Author, base: str, small_disk: Path) -> None:
    host.config("imagehost.served", small_disk / "images")
    many = pictures(40, size=3000)
    commit = author.commit(many, base)
    push = author.push(commit)
    assert push.code != 0
    assert push.said == [
        "imagehost: refused: the host's disk is full; free some space there and push again"
    ], push.output
    assert host.branch() == base
    assert [file for file in small_disk.rglob("*") if file.is_file()] == [
        small_disk / ".incoming/lock"
    ]
    subprocess.run(["mount", "-o", "remount,size=8m", small_disk], check=True)
    assert author.push(commit).code == 0
    assert host.served() == {*many}


def find_process(cwd: Path, word: str) -> int | None:
    """Find the process that runs a hook in a repository."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                if os.readlink(f"/proc/{entry}/cwd") != str(cwd):
                    continue
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    if word.encode() in file.read():
                        return int(entry)
            except OSError:
                continue
    return None


def kill_hook(host: Host, delay: float) -> bool:
    """Kill the hook some time after it has started."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        pid = find_process(host.layout.images, "pre-receive")
        if pid is not None:
            time.sleep(delay)
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                return False
            return True
    return False


@pytest.mark.parametrize("rounds", [6, pytest.param(50, marks=FULL)])
def test_killed_hook_leaves_staging_that_the_next_clears(
    host: Host, author: Author, base: str, rounds: int
) -> None:
    chooser = random.Random(5)  # noqa: S311  the same story every time
    tip, killed = base, 0
    for number in itertools.count():
        if killed == rounds:
            break
        new = pictures(60, size=3000, start=100 * number)
        commit = author.commit(new, tip)
        started = author.start_push(commit)
        killed += kill_hook(host, chooser.uniform(0, 0.05))
        if started.wait().code:
            assert host.branch() == tip
            assert host.tree() <= host.served()  # every file is whole; some may be early
            assert author.push(commit).code == 0
        tip = commit
        assert host.tree() == host.served()
        assert host.leftovers() == []


@pytest.mark.parametrize("rounds", [4, pytest.param(50, marks=FULL)])
def test_killed_client_breaks_nothing(host: Host, author: Author, base: str, rounds: int) -> None:
    chooser = random.Random(6)  # noqa: S311  the same story every time
    tip = base
    for number in range(rounds):
        commit = author.commit(pictures(60, size=3000, start=100 * number), tip)
        started = author.start_push(commit)
        time.sleep(chooser.uniform(0, 0.1))
        os.kill(started.pid, signal.SIGKILL)
        started.wait()
        assert author.push(commit).code == 0
        tip = commit
        assert host.tree() <= host.served()
    assert host.tree() == host.served()


@pytest.mark.parametrize("rounds", [3, pytest.param(50, marks=FULL)])
def test_two_pushes_at_once(
    host: Host, author: Author, base: str, tmp_path: Path, rounds: int
) -> None:
    other = Author(tmp_path / "other", host.layout.images)
    assert other.git("fetch", "-q", str(host.layout.images), "main") == ""
    tip = base
    for number in range(rounds):
        mine = author.commit(pictures(40, start=100 * number), tip)
        theirs = other.commit(pictures(40, start=100 * number + 20), tip)
        pushes = [author.start_push(mine).wait, other.start_push(theirs).wait]
        ends = [wait() for wait in pushes]
        assert sorted(end.code for end in ends) == [0, 1], ends[0].output + ends[1].output
        late, early = (other, mine) if ends[1].code else (author, theirs)
        late_commit = theirs if late is other else mine
        late.git("fetch", "-q", str(host.layout.images), "main")
        union = pictures(60, start=100 * number)
        tip = late.commit(union, late_commit, early)
        assert late.push(tip).code == 0
        for one in (author, other):
            one.git("fetch", "-q", str(host.layout.images), "main")
        assert host.tree() == host.served()
        assert host.leftovers() == []


def test_a_hook_starts_without_what_takes_long() -> None:
    code = (
        "import sys, pelican_imagehost.host.hooks, pelican_imagehost.host.images_hook;"
        "print(*sys.modules)"
    )
    loaded = set(run(sys.executable, "-I", "-c", code).split())
    assert "pelican_imagehost.host.served" in loaded
    slow = {"click", "git", "pelican", "jinja2", "dataclasses", "ctypes", "shutil", "pathlib"}
    assert loaded & slow == set()


@pytest.mark.parametrize(
    "arguments", [[], ["images"], ["images", "update"], ["pages", "pre-receive"], ["site"] * 3]
)
def test_hook_command_that_does_not_exist(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pelican_imagehost", "hook", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: python -m pelican_imagehost hook ")


ZEROS = "0" * 40
FORWARD = f"{ZEROS} {'1' * 40} refs/heads/main\n"


@pytest.mark.parametrize("repository", ["images", "site"])
@pytest.mark.parametrize("hook", ["pre-receive", "post-receive"])
@pytest.mark.parametrize(
    ("updates", "message"),
    [
        ("", "main must be pushed exactly once, not 0 times"),
        (FORWARD * 2, "main must be pushed exactly once, not 2 times"),
        (f"{FORWARD}{ZEROS} {'2' * 40} refs/tags/v1\n", "not refs/tags/v1"),
        (f"{FORWARD}x y\n", "in a way that is unknown here"),
    ],
)
def test_hooks_take_exactly_one_update(
    host: Host, repository: str, hook: str, updates: str, message: str
) -> None:
    folder = host.layout.root / f"{repository}.git"
    done = subprocess.run(
        [folder / "hooks" / hook],
        input=updates,
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr
