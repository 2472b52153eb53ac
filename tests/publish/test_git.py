"""What git reports when it fails, as the user reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pelican_imagehost.errors import PublishError
from pelican_imagehost.publish.explain import explain
from pelican_imagehost.publish.git import Answer, Git, LeanGit
from tests.host.hostkit import run

if TYPE_CHECKING:
    from pathlib import Path

DECLINED = "! [remote rejected] {} (pre-receive hook declined)"
ZEROS = "0" * 40


@pytest.fixture
def work(tmp_path: Path) -> Git:
    """A repository with two commits, beside a bare one that has the first."""
    run("git", "init", "-q", "--bare", "-b", "main", tmp_path / "host.git")
    run("git", "init", "-q", "-b", "main", tmp_path / "work")
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    for number in range(2):
        run("git", *identity, "-C", tmp_path / "work", "commit", "-q", "--allow-empty", "-m", "x")
        if number == 0:
            run("git", "-C", tmp_path / "work", "push", "-q", "../host.git", "main")
    return Git(tmp_path / "work")


def failure(git: Git, *arguments: str) -> list[str]:
    with pytest.raises(PublishError) as caught:
        git.run(*arguments)
    return str(caught.value).split("\n  ")


def install(folder: Path, hook: str, body: str) -> None:
    file = folder / "host.git/hooks" / hook
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o755)


def test_a_hook_that_refuses_in_silence(work: Git, tmp_path: Path) -> None:
    install(tmp_path, "pre-receive", "exit 1")
    summary = "the host refused the push"
    plain = failure(work, "push", "../host.git", "main")
    assert plain == [summary, DECLINED.format("main -> main")]
    porcelain = failure(work, "push", "--porcelain", "../host.git", "main")
    assert porcelain == [summary, DECLINED.format("main")]


def test_a_hook_that_gives_a_reason(work: Git, tmp_path: Path) -> None:
    install(tmp_path, "pre-receive", "echo the quota is used up >&2; echo >&2; exit 1")
    assert failure(work, "push", "--porcelain", "../host.git", "main") == [
        "the host refused the push",
        "the host says: the quota is used up",
        DECLINED.format("main"),
    ]


def test_a_hook_of_one_branch(work: Git, tmp_path: Path) -> None:
    install(tmp_path, "update", 'case "$1" in */main) exit 1; esac')
    said = failure(work, "push", "--porcelain", "../host.git", "main", "main:refs/heads/other")
    assert said[0] == "the host refused the push"
    assert said[-1] == "! [remote rejected] main (hook declined)"


def test_a_push_that_git_itself_stops(work: Git, tmp_path: Path) -> None:
    lease = f"--force-with-lease=main:{'1' * 40}"
    stopped = "git push failed: ! [rejected] main"
    assert failure(work, "push", "--porcelain", lease, "../host.git", "main") == [
        f"{stopped} (stale info)"
    ]
    run("git", "-C", tmp_path / "work", "push", "-q", "../host.git", "main")
    run("git", "-C", tmp_path / "work", "reset", "-q", "--hard", "HEAD~1")
    # Its last lines are hints; the reason is in the line above them.
    assert failure(work, "push", "../host.git", "main") == [f"{stopped} -> main (non-fast-forward)"]


@pytest.mark.usefixtures("work")
def test_a_shallow_clone(tmp_path: Path) -> None:
    url = f"file://{tmp_path}/work"
    run("git", "clone", "-q", "--depth=1", url, tmp_path / "shallow")
    run("git", "init", "-q", "--bare", tmp_path / "empty.git")
    said = failure(Git(tmp_path / "shallow"), "push", "--porcelain", "../empty.git", "main")
    assert "git fetch --unshallow" in said[0]
    assert said[1:] == ["! [remote rejected] main (shallow update not allowed)"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["fetch", "../host.git", "none"],
            "git fetch failed: fatal: couldn't find remote ref none",
        ),
        (
            ["clone", "--branch=none", "../host.git", "new"],
            "git clone failed: fatal: Remote branch none not found in upstream origin",
        ),
        (["clone", "../nothing", "new"], "git clone failed: fatal: repository '../nothing'"),
        (["fetch", "../nothing"], "there is no repository at that address"),
        (["rev-parse", "--verify", "--quiet", "none"], "git rev-parse failed with exit code 1"),
    ],
)
def test_other_commands(work: Git, arguments: list[str], expected: str) -> None:
    said = failure(work, *arguments)
    assert len(said) == 1
    assert said[0].startswith(expected)


def test_what_other_hosts_report() -> None:
    """GitHub's protected branch, and an ssh that is cut off: neither host is at hand."""
    protected = Answer(
        1,
        f"To github.com:a/b.git\n!\t{ZEROS}:refs/heads/main\t[remote rejected]"
        " (protected branch hook declined)\nDone\n",
        "remote: error: GH006: Protected branch update failed for refs/heads/main.        \n"
        "remote: \nremote: - Changes must be made through a pull request.        \n"
        "error: failed to push some refs to 'github.com:a/b.git'\n",
    )
    assert str(explain("push", protected)).split("\n  ") == [
        "the host protects this branch; allow pushes to it in the host's settings",
        "the host says: error: GH006: Protected branch update failed for refs/heads/main.",
        "the host says: - Changes must be made through a pull request.",
        "! [remote rejected] main (protected branch hook declined)",
    ]
    cut_off = Answer(
        128,
        "",
        "Connection closed by 192.0.2.1 port 22\nfatal: Could not read from remote repository.\n\n"
        "Please make sure you have the correct access rights\nand the repository exists.\n",
    )
    assert str(explain("fetch", cut_off)) == (
        "git fetch failed: Connection closed by 192.0.2.1 port 22"
    )
    bare = Answer(128, "", "fatal: Could not read from remote repository.\n")
    assert str(explain("fetch", bare)).endswith(": fatal: Could not read from remote repository.")


@pytest.mark.parametrize("kind", [Git, LeanGit])
def test_more_names_and_answers_than_a_pipe_holds(
    work: Git, tmp_path: Path, kind: type[Git]
) -> None:
    commit = work.commit_of("main")
    names = ["main", "none"] * 4000
    git = kind(tmp_path / "work")
    assert [found.oid for found in git.facts(names)] == [commit, ""] * 4000
    assert [data[:5] for data in git.contents(names)] == [b"tree ", b""] * 4000
