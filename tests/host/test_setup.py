from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from pelican_imagehost.cli.host import host as command
from pelican_imagehost.errors import PublishError
from pelican_imagehost.host.config import HostName
from pelican_imagehost.host.setup import Setup
from tests.host.hostkit import Author, Host, author, clean_environment, host, key_of, run
from tests.host.test_nginx import KEY, PNG, write_main_configuration

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Require

__all__ = ["author", "host"]

NAMES = [["--site", "blog.example.com"], ["--site", "b.example", "--images", "img.example"]]


def snapshot(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    found = {}
    for path in folder.rglob("*"):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        found[str(path)] = (status.st_mode, status.st_mtime_ns, content)
    return found


@pytest.mark.parametrize("names", NAMES)
def test_second_run_changes_nothing(tmp_path: Path, names: list[str]) -> None:
    folder = tmp_path / "srv/blog"
    first = CliRunner().invoke(command, ["init", str(folder), *names])
    assert first.exit_code == 0, first.output
    assert "created images.git/" in first.stderr
    assert f'command="{folder}/gate images.git site.git"' in first.stdout
    before = snapshot(folder)
    second = CliRunner().invoke(command, ["init", str(folder), *names])
    assert second.stderr == "pelican-imagehost: already set up\n"
    assert second.stdout == first.stdout
    assert snapshot(folder) == before


@pytest.mark.parametrize("names", NAMES)
def test_nginx_takes_the_configuration(tmp_path: Path, require: Require, names: list[str]) -> None:
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    require(nginx, "there is no nginx")
    CliRunner().invoke(command, ["init", str(tmp_path / "srv"), *names])
    main = write_main_configuration(tmp_path / "nginx", tmp_path / "srv/nginx.conf")
    checked = subprocess.run(
        [str(nginx), "-t", "-q", "-c", main], capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def test_what_an_administrator_changed_stays(tmp_path: Path) -> None:
    Setup(tmp_path / "srv", site="blog.example.com").run()
    nginx, config = tmp_path / "srv/nginx.conf", tmp_path / "srv/images.git"
    nginx.write_text(nginx.read_text() + "# certbot was here\n")
    run("git", "-C", config, "config", "imagehost.maxbytes", "99")
    hook = tmp_path / "srv/images.git/hooks/pre-receive"
    hook.write_text("an older version")
    setup = Setup(tmp_path / "srv", site="blog.example.com", images="img.example.com")
    done = setup.run()
    assert nginx.read_text().endswith("# certbot was here\n")
    assert (tmp_path / "srv/nginx.conf.new").read_text() == setup.nginx()
    assert "kept nginx.conf as it is; compare it with nginx.conf.new" in done
    assert "wrote images.git/hooks/pre-receive" in done
    assert "set imagehost.prefix in site.git/config" in done
    assert run("git", "-C", config, "config", "imagehost.maxbytes").strip() == "99"
    assert os.access(hook, os.X_OK)
    assert setup.run() == done  # the same list: nothing was added


def test_hooks_of_an_older_version_are_replaced(host: Host, author: Author) -> None:
    hooks = host.layout.images / "hooks"
    wanted = {path: path.read_text() for path in hooks.glob("p*-receive")}
    old = dict.fromkeys(wanted, f"#!{sys.executable} -IS\nimport moved_since\n")
    old[hooks / "update"] = '#!/bin/sh\ntouch "$GIT_DIR/theirs"\n'  # an administrator's own
    for path, text in old.items():
        path.write_text(text)
        path.chmod(0o755)
    assert len(wanted) == 2
    host.config("imagehost.maxbytes", 99)
    assert author.push(author.commit({KEY: PNG})).code != 0
    again = Setup(host.layout.root, site="http://127.0.0.1:8000").run()
    assert sorted(again) == [
        "wrote images.git/hooks/post-receive",
        "wrote images.git/hooks/pre-receive",
    ]
    assert {path: path.read_text() for path in wanted} == wanted
    small = b"small"
    first = author.commit({key_of(small): small})
    push = author.push(first)
    assert push.code == 0, push.output
    assert (host.layout.images / "theirs").exists()
    assert "at most 99" in author.push(author.commit({KEY: PNG}, first)).said[0]


def test_nginx_may_read_and_not_write(tmp_path: Path) -> None:
    Setup(tmp_path / "srv", site="blog.example.com").run()
    for path in (tmp_path / "srv").rglob("*"):
        assert path.is_symlink() or not path.stat().st_mode & stat.S_IWOTH
    for name in ("www", "www/images", "releases"):
        assert (tmp_path / "srv" / name).stat().st_mode & 0o777 == 0o755
    for name in ("images.git", "site.git"):
        assert (tmp_path / "srv" / name).stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["", "a b", "blog;x", "https://", "-x", "ftp://a", "a/b"])
def test_names_that_are_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(PublishError, match="is not a valid host name"):
        Setup(tmp_path, site=name)


def test_folder_that_would_need_quoting(tmp_path: Path) -> None:
    with pytest.raises(PublishError, match="cannot be used"):
        Setup(tmp_path / "a blog", site="blog.example.com")


def test_addresses() -> None:
    assert HostName.parse("Blog.example.com").url == "https://blog.example.com/"
    assert HostName.parse("http://localhost:8080/").url == "http://localhost:8080/"
    assert HostName.parse("http://a.example").listen.startswith("listen 80;")


def test_commands_say_what_is_wrong_in_a_line(tmp_path: Path) -> None:
    for name in ("republish", "rollback", "maintain", "gc"):
        result = CliRunner().invoke(command, [name, str(tmp_path)])
        assert result.exit_code == 1
        assert result.stderr.startswith(
            f"pelican-imagehost: error: {tmp_path} is not an image host; run: "
        )


def test_timer_runs_a_command_that_is_there(tmp_path: Path) -> None:
    Setup(tmp_path / "srv", site="blog.example.com").run()
    service = (tmp_path / "srv/pelican-imagehost.service").read_text()
    assert f"{sys.executable} -m pelican_imagehost host maintain {tmp_path}/srv\n" in service


GATE = {
    "git-upload-pack 'images.git'": 0,
    "git-upload-pack '/any/where/images.git'": 0,
    "git upload-pack '/srv/images'": 0,
    "git-upload-pack '/srv/images.git/'": 0,
    "git-upload-pack 'site.git'": 128,  # not this key's
    "git-upload-pack '/etc'": 128,
    "git-upload-pack 'notimages.git'": 128,
    "git-upload-archive 'images.git'": 128,
    "git-shell -c 'images.git'": 128,
    "cat '/etc/passwd' 'images.git'": 128,
    "": 128,
}


@pytest.mark.parametrize("asked", GATE)
def test_gate_opens_its_repositories_alone(tmp_path: Path, asked: str) -> None:
    Setup(tmp_path / "srv", site="blog.example.com").run()
    gate = subprocess.run(
        [tmp_path / "srv/gate", "images.git"],
        input=b"0000",
        env={**clean_environment(), "SSH_ORIGINAL_COMMAND": asked},
        capture_output=True,
        check=False,
    )
    assert gate.returncode == GATE[asked], gate.stderr
    assert gate.stderr.startswith(b"imagehost: ") is (GATE[asked] != 0)


def test_gate_runs_nothing_that_a_client_says(tmp_path: Path) -> None:
    Setup(tmp_path / "srv", site="blog.example.com").run()
    asked = f"git-upload-pack '$(touch {tmp_path}/x)'; touch {tmp_path}/x; 'images.git'"
    subprocess.run(
        [tmp_path / "srv/gate", "images.git"],
        input=b"0000",
        env={**clean_environment(), "SSH_ORIGINAL_COMMAND": asked},
        capture_output=True,
        check=False,
    )
    assert not (tmp_path / "x").exists()
