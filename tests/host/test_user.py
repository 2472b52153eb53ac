"""The user of the host: with real users, where the tests run as root."""

from __future__ import annotations

import os
import shutil
import site as packages
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.host.hostkit import clean_environment, key_of, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Require

NOBODY = 65534
NAME = ("--site", "http://127.0.0.1:8000")
PICTURE = b"a picture"


@pytest.fixture
def machine() -> Iterator[Path]:
    """Provide a folder that every user can enter, unlike pytest's."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def python(machine: Path, require: Require) -> Path:
    """Provide a Python that every user can run."""
    require(os.geteuid() == 0, "only root can run programs as another user")
    python = install(machine / "opt")
    command: list[str | Path] = [python, "-I", "-c", "import pelican_imagehost, pelican"]
    answer = subprocess.run(command, user=NOBODY, cwd="/", capture_output=True, check=False)
    require(answer.returncode == 0, f"nobody cannot read the tested package: {answer.stderr!r}")
    return python


def install(folder: Path) -> Path:
    """Make an environment of the distribution's Python with the packages of this one."""
    run("/usr/bin/python3", "-m", "venv", "--without-pip", folder)
    own = next(folder.glob("lib/python3*/site-packages"))
    # `addsitedir` also reads the .pth file of an editable installation.
    lines = [f"import site; site.addsitedir({path!r})\n" for path in packages.getsitepackages()]
    (own / "tested.pth").write_text("".join(lines))
    return folder / "bin/python"


def init(python: Path, root: Path) -> subprocess.CompletedProcess[str]:
    return call(python, "init", root, *NAME)


def call(python: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, "-m", "pelican_imagehost", "host", *arguments],
        env=clean_environment(),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def give(folder: Path) -> None:
    run("chown", "-R", f"{NOBODY}:{NOBODY}", folder)


def push(folder: Path, remote: Path) -> subprocess.CompletedProcess[str]:
    """Commit a picture in a new repository, and push it, as nobody."""
    key = key_of(PICTURE)
    (folder / key).parent.mkdir(parents=True)
    (folder / key).write_bytes(PICTURE)
    give(folder)
    identity = "-c user.name=A -c user.email=a@example.com"
    script = (
        f"git init -qb main && git add . && git {identity} commit -qm x && git push {remote} main"
    )
    return subprocess.run(
        ["sh", "-c", script],
        cwd=folder,
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        env=clean_environment(),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def owners(folder: Path) -> set[int]:
    return {path.lstat().st_uid for path in (folder, *folder.rglob("*"))}


def test_root_sets_up_again_after_the_printed_chown(machine: Path, python: Path) -> None:
    root = machine / "srv/blog"
    first = init(python, root)
    assert first.returncode == 0, first.stderr
    assert f"chown -R imagehost: {root}" in first.stdout
    give(root)
    again = init(python, root)
    assert again.returncode == 0, again.stderr
    assert "kept pelican-imagehost.service as it is" in again.stderr  # it has the user's name
    assert init(python, root).stderr == "pelican-imagehost: already set up\n"
    assert f"chown -R nobody: {root}" in again.stdout
    assert 'IMAGEHOST_REMOTE = "nobody@' in again.stdout
    (root / "images.git/hooks/pre-receive").unlink()
    shutil.rmtree(root / "site.git")
    assert init(python, root).returncode == 0
    assert owners(root) == {NOBODY}
    pushed = push(machine / "author", root / "images.git")
    assert pushed.returncode == 0, pushed.stderr
    assert (root / "www/images" / key_of(PICTURE)).read_bytes() == PICTURE


def test_roots_commands_leave_no_file_of_root(machine: Path, python: Path) -> None:
    root = machine / "blog"
    init(python, root)
    give(root)
    assert push(machine / "author", root / "images.git").returncode == 0
    (root / "www/images" / key_of(PICTURE)).unlink()
    for command in ("republish", "maintain"):
        done = call(python, command, root)
        assert done.returncode == 0, done.stderr
    assert (root / "www/images" / key_of(PICTURE)).read_bytes() == PICTURE
    assert owners(root) == {NOBODY}


def test_a_folder_that_is_partly_roots_is_explained(machine: Path, python: Path) -> None:
    root = machine / "blog"
    init(python, root)
    give(root / "images.git")
    (root / "gate").unlink()
    done = init(python, root)
    assert done.returncode == 1
    assert done.stderr.endswith(
        f"cannot be written: Permission denied; as root, run: chown -R nobody: {root}\n"
    )


@pytest.mark.parametrize("is_given", [False, True])
def test_a_python_that_the_user_cannot_run_is_refused(
    machine: Path, python: Path, *, is_given: bool
) -> None:
    root = machine / "blog"
    if is_given:
        init(python, root)
        give(root)
    hidden = install(machine / "private/venv")
    (machine / "private").chmod(0o700)
    done = init(hidden, root)
    assert done.returncode == 1
    user = "nobody" if is_given else "imagehost"
    assert done.stderr == (
        f"pelican-imagehost: error: the user {user} cannot run {hidden}, which the hooks need: "
        "Permission denied; install pelican-imagehost where that user can read it, such as "
        "/opt/imagehost\n"
    )
    assert root.exists() is is_given
    if is_given:
        assert str(hidden) not in (root / "images.git/hooks/pre-receive").read_text()


def test_a_python_without_the_package_for_others_is_refused(machine: Path, python: Path) -> None:
    users = next((machine / "opt").glob("lib/python3*/site-packages"))
    (users / "tested.pth").chmod(0o600)
    done = init(python, machine / "blog")
    assert done.returncode == 1
    assert "which the hooks need: ModuleNotFoundError: No module named" in done.stderr
    assert not (machine / "blog").exists()


@pytest.mark.parametrize("name", ["a b", "été", "a;b&c"])
def test_a_python_with_a_space_in_its_path_works(machine: Path, name: str) -> None:
    python = install(machine / name)
    root = machine / "blog"
    run(python, "-m", "pelican_imagehost", "host", "init", root, *NAME)
    hook = root / "images.git/hooks/post-receive"
    done = subprocess.run(
        [hook], input="", cwd=hook.parent, capture_output=True, encoding="utf-8", check=False
    )
    assert "imagehost: the push was accepted, but" in done.stderr


@pytest.mark.parametrize("name", ["it's", 'a"b', "$HOME", "100%"])
def test_a_python_that_cannot_be_quoted_is_refused(machine: Path, name: str) -> None:
    python = install(machine / name)
    done = init(python, machine / "blog")
    assert done.returncode == 1
    assert "hooks and systemd need a path without quotes" in done.stderr
    assert not (machine / "blog").exists()
