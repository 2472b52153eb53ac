"""From an empty server to readers: real git over real ssh, a real build, real nginx."""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urljoin, urlsplit

import pytest

from pelican_imagehost.images.image import KEY
from tests.conftest import Site
from tests.host.hostkit import run
from tests.host.test_nginx import free_port, wait_for, write_main_configuration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.conftest import Require

_PROGRAMS = ("git", "ssh", "ssh-keygen", "nginx", "sshd")
_WAIT = 60  # seconds; far more than any answer takes, even on a busy machine


def find_programs() -> dict[str, str | None]:
    """Find the programs that a host needs; return None if one is missing."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    return {name: shutil.which(name, path=path) for name in _PROGRAMS}


class Machine:
    """A server that `host init` has set up, with its own sshd and nginx on loopback.

    Args:
        folder: the folder in which the server is created.
        root: the folder for `host init`, if it must be elsewhere.
    """

    def __init__(self, folder: Path, root: Path | None = None) -> None:
        self.folder = folder
        self.root = root or folder / "host"
        self.home = folder / "home"
        self.port, self.ssh_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.user = getpass.getuser()
        self.home.mkdir(parents=True)
        (self.home / ".gitconfig").write_text(
            "[user]\nname = An Author\nemail = author@example.com\n[init]\ndefaultBranch = main\n"
        )
        self.printed = ""
        self.sshd = 0  # its process

    def environment(self) -> dict[str, str]:
        """Return the environment of an author: an identity, a key, no other configuration."""
        ssh = self.folder / "ssh"
        return {
            "HOME": str(self.home),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_SSH_COMMAND": f"ssh -F {ssh}/config",
            "LC_ALL": "C.UTF-8",
        }

    @contextlib.contextmanager
    def running(self) -> Iterator[Machine]:
        """Set up the host as in docs/publishing.md, and serve."""
        command = (sys.executable, "-m", "pelican_imagehost", "host", "init", self.root)
        self.printed = run(*command, "--site", self.url)
        # Here the user who runs the tests owns the host.
        self.printed = self.printed.replace("imagehost@", f"{self.user}@")
        with contextlib.ExitStack() as held:
            self.sshd = held.enter_context(_server(self._ssh(), self.ssh_port))
            held.enter_context(_server(self._nginx(), self.port))
            yield self

    def printed_line(self, pattern: str) -> str:
        """Return a line that `host init` printed."""
        match = re.search(pattern, self.printed)
        assert match is not None, self.printed
        return match[0].strip()

    def served(self, key: str) -> Path:
        return self.root / "www/images" / key

    def _ssh(self) -> list[str]:
        """Write keys and the configuration of author and sshd; return the command for ssh."""
        folder = self.folder / "ssh"
        folder.mkdir()
        for name in ("host", "author"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name)
        line = self.printed_line(r"restrict,command=.* ssh-ed25519 AAAA\.\.\. author")
        public = (folder / "author.pub").read_text()
        keys = line.replace("ssh-ed25519 AAAA... author", public)
        (folder / "authorized_keys").write_text(keys)
        (folder / "config").write_text(
            f"Host 127.0.0.1\n Port {self.ssh_port}\n IdentityFile {folder}/author\n"
            f" IdentitiesOnly yes\n UserKnownHostsFile {folder}/known\n LogLevel ERROR\n"
            " StrictHostKeyChecking accept-new\n BatchMode yes\n"
        )
        (folder / "sshd_config").write_text(
            f"Port {self.ssh_port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\n"
            f"AuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nPidFile none\n"
            "UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            f"SetEnv HOME={self.home} GIT_CONFIG_NOSYSTEM=1\nLogLevel ERROR\n"
            "MaxStartups 100\n"
        )
        if os.geteuid() == 0:
            # sshd of root does not start without this folder, which Debian's service creates.
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        sshd = str(find_programs()["sshd"])
        return [sshd, "-D", "-f", f"{folder}/sshd_config", "-E", f"{folder}/log"]

    def _nginx(self) -> list[str]:
        folder = self.folder / "nginx"
        main = write_main_configuration(folder, self.root / "nginx.conf")
        return [str(find_programs()["nginx"]), "-c", str(main), "-e", f"{folder}/error.log"]


@contextlib.contextmanager
def _server(command: list[str], port: int) -> Iterator[int]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(_WAIT)


class Blogger(Site):
    """An author with a separate machine, who pushes to a host."""

    machine: Machine

    @classmethod
    def begin(cls, root: Path, machine: Machine) -> Blogger:
        """Create a new site with the settings that `host init` printed."""
        root.mkdir(parents=True)
        blogger = cls(root)
        blogger.machine = machine
        blogger.configure(THEME="simple", CACHE_PATH="cache", DEFAULT_PAGINATION=False)
        blogger.publishconf(SITEURL=machine.url.rstrip("/"), IMAGEHOST_STRICT=True)
        with (root / "publishconf.py").open("a") as file:
            for name in ("URL", "REMOTE"):
                file.write(machine.printed_line(rf" IMAGEHOST_{name} = .*") + "\n")
        # git has text only: the originals are neither on the host nor on other machines.
        blogger.write(".gitignore", "*.png\n*.jpg\n*.svg\n__pycache__/\n")
        blogger.git("init", "--quiet")
        blogger.imagehost("init")
        remote, push = machine.printed_line(r" git remote add live .*").split(" && ")
        assert push == "git push live main"
        blogger.git(*remote.split()[1:])
        return blogger

    @classmethod
    def join(cls, root: Path, machine: Machine) -> Blogger:
        """Clone a site from the host on another machine."""
        blogger = cls.__new__(cls)
        blogger.root, blogger.machine = root, machine
        root.parent.mkdir(parents=True, exist_ok=True)
        base = f"{machine.user}@127.0.0.1"
        blogger.git("clone", "--quiet", "--origin=live", f"{base}:site.git", str(root), at=".")
        blogger.imagehost("init", "--clone", f"{base}:images.git")
        return blogger

    def post(self, name: str, text: str) -> None:
        self.write(f"content/{name}.md", f"Title: {name}\nDate: 2026-01-01\n\n{text}\n")

    def git(self, *arguments: str, at: str = "") -> str:
        cwd = self.root if not at else self.root.parent
        return _checked(["git", *arguments], cwd, self.machine.environment())

    def imagehost(self, *arguments: str) -> str:
        """Run `pelican-imagehost`; return its output."""
        command = [sys.executable, "-m", "pelican_imagehost", *arguments, "-s", "publishconf.py"]
        return _checked(command, self.root, self.machine.environment())

    def commit(self) -> str:
        """Build, which writes the manifest, and commit everything; return the commit."""
        self.build(settings="publishconf.py")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "Write")
        return self.git("rev-parse", "HEAD").strip()

    def start_push(self, *options: str) -> subprocess.Popen[str]:
        """Start a command in a separate process group, so that all of it can be killed."""
        return subprocess.Popen(
            ["git", "push", *options, "live", "main"],
            cwd=self.root,
            env={**os.environ, **self.machine.environment()},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def push(self, *options: str) -> str:
        """Push the site, which must succeed; return what the terminal shows."""
        process = self.start_push(*options)
        output, _ = process.communicate()
        assert process.returncode == 0, output
        return output

    def key(self, name: str) -> str:
        """Return the key of a picture beside the posts."""
        path = self.root / "content" / name
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return f"{digest[:2]}/{digest}{path.suffix}"


def _checked(command: list[str], cwd: Path, env: Mapping[str, str]) -> str:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


class Seen(NamedTuple):
    """The result of reading the whole site.

    Attributes:
        pages: address → its bytes.
        pictures: key → its bytes.
        broken: missing, truncated or wrong files, as lines.
    """

    pages: dict[str, bytes]
    pictures: dict[str, bytes]
    broken: list[str]


class Reader:
    """A reader of a site over HTTP, who fetches every page and its pictures at once."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=_WAIT)

    def close(self) -> None:
        self._connection.close()

    def get(self, path: str) -> tuple[int, bytes]:
        """Fetch an address; a truncated answer has the status 0."""
        try:
            self._connection.request("GET", path)
            answer = self._connection.getresponse()
            return answer.status, answer.read()
        except (http.client.HTTPException, OSError) as error:
            self._connection.close()
            return 0, repr(error).encode()

    def picture(self, key: str) -> tuple[str, bytes]:
        """Fetch a picture; return the problem with it, "" if it is complete."""
        status, body = self.get(f"/images/{key}")
        if status != 200:
            return f"{key}: {status} {body[:80]!r}", body
        if hashlib.sha256(body).hexdigest() != key[3:67]:
            return f"{key}: {len(body):,} bytes that are not its own", body
        return "", body

    def look(self) -> Seen:
        """Follow every link from the front page."""
        seen = Seen({}, {}, [])
        waiting = ["/"]
        while waiting:
            path = waiting.pop()
            status, page = self.get(path)
            if status != 200:
                if path != "/" or status != 404:
                    seen.broken.append(f"{path}: {status} {page[:80]!r}")
                continue
            seen.pages[path] = page
            text = page.decode()
            for match in KEY.finditer(text):
                wrong, seen.pictures[match[0]] = self.picture(match[0])
                if wrong:
                    seen.broken.append(f"{path} names {wrong}")
            for href in re.findall(r'href="([^"#]*)', text):
                address = urljoin(urljoin(self.url, path), href)
                known = {*seen.pages, *waiting}
                inside = address.startswith(self.url) and address.endswith((".html", "/"))
                if inside and urlsplit(address).path not in known:
                    waiting.append(urlsplit(address).path)
        return seen


@pytest.fixture
def programs(require: Require) -> None:
    missing = [name for name, path in find_programs().items() if path is None]
    require(not missing, f"not installed: {', '.join(missing)}")


@pytest.fixture
def machine(
    tmp_path: Path,
    programs: None,  # noqa: ARG001  a condition
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Machine]:
    machine = Machine(tmp_path / "machine")
    for name, value in machine.environment().items():
        monkeypatch.setenv(name, value)
    with machine.running():
        yield machine


@pytest.fixture
def reader(machine: Machine) -> Iterator[Reader]:
    with contextlib.closing(Reader(machine.url)) as reader:
        yield reader


@pytest.fixture
def blog(tmp_path: Path, machine: Machine) -> Blogger:
    """A new site with three posts and as many kinds of picture, pushed once."""
    blog = Blogger.begin(tmp_path / "first" / "blog", machine)
    blog.picture("content/harbour.jpg", size=(300, 200))
    blog.picture("content/my cat.png", colour="blue")
    blog.picture("content/plan.svg", size=(2000, 1000))
    blog.post("harbour", "![a](harbour.jpg) ![b](<my cat.png>)")
    blog.post("cat", '<img alt="c" src="my cat.png" srcset="my%20cat.png 1x, harbour.jpg 2x">')
    blog.post("plan", "![d](plan.svg)")
    blog.commit()
    return blog


PICTURES = ("harbour.jpg", "my cat.png", "plan.svg")


def bytes_of(blog: Blogger, *names: str) -> dict[str, bytes]:
    return {blog.key(name): (blog.root / "content" / name).read_bytes() for name in names}


def test_one_push_from_an_empty_server_to_readers(blog: Blogger, reader: Reader) -> None:
    assert reader.look() == ({}, {}, [])
    said = blog.push()
    assert "publishing 3 images" in said
    assert f"3 images online at {reader.url}images/" in said
    assert "remote: imagehost: images in use: 3, all served" in said
    seen = reader.look()
    assert seen.broken == []
    assert {"/harbour.html", "/cat.html", "/plan.html"} <= seen.pages.keys()
    assert seen.pictures == bytes_of(blog, *PICTURES)
    harbour = seen.pages["/harbour.html"].decode()
    assert f'src="{reader.url}images/{blog.key("my cat.png")}"' in harbour
    assert not list((blog.root / "output").rglob("*.jpg"))
    assert "3 images, 0 not hosted yet" in blog.imagehost("check", "--published")
    assert "Everything up-to-date" in blog.push()


def test_key_is_for_these_repositories_alone(blog: Blogger, machine: Machine) -> None:
    target = f"{machine.user}@127.0.0.1"
    for asked, said in {
        f"{target}:{machine.root}/www.git": "no such repository for this key",
        f"{target}:../../etc": "no such repository for this key",
    }.items():
        done = subprocess.run(
            ["git", "ls-remote", asked], cwd=blog.root, capture_output=True, text=True, check=False
        )
        assert (done.returncode != 0, said in done.stderr) == (True, True), done.stderr
    shell = [*os.environ["GIT_SSH_COMMAND"].split(), target, "id"]
    done = subprocess.run(shell, capture_output=True, text=True, check=False)
    assert "this key allows only git push and git fetch" in done.stderr
    assert done.stdout == ""


def test_a_second_author_on_a_machine_without_old_bytes(
    blog: Blogger, machine: Machine, reader: Reader, tmp_path: Path
) -> None:
    blog.push()
    other = Blogger.join(tmp_path / "second" / "blog", machine)
    assert not list(other.root.rglob("*.jpg"))
    other.picture("content/new.png", colour="green")
    other.post("new", "![e](new.png) ![f](harbour.jpg)")
    other.commit()
    assert "publishing 1 image," in other.push()
    missing = Blogger.git(
        other, "-C", "images", "rev-list", "--objects", "--all", "--missing=print"
    )
    assert missing.count("?") == 3
    seen = reader.look()
    assert seen.broken == []
    everything = bytes_of(blog, *PICTURES) | bytes_of(other, "new.png")
    assert seen.pictures == everything

    # The first author has not fetched that yet; git alone merges text and manifest.
    blog.picture("content/mine.png", colour="yellow")
    blog.post("mine", "![g](mine.png)")
    blog.commit()
    process = blog.start_push()
    output, _ = process.communicate()
    assert process.returncode != 0, output
    assert reader.look() == seen
    blog.git("pull", "--quiet", "--no-rebase", "--no-edit", "live", "main")
    blog.push()
    seen = reader.look()
    assert (seen.broken, "/new.html" in seen.pages) == ([], True)
    assert seen.pictures == everything | bytes_of(blog, "mine.png")

    # The second author gets a manifest with pictures that this machine has never had.
    other.git("pull", "--quiet", "--no-rebase", "--no-edit", "live", "main")
    other.post("words", "no picture")
    other.commit()
    assert "publishing" not in other.push()
    seen_later = reader.look()
    assert (seen_later.broken, seen_later.pictures) == ([], seen.pictures)


def test_edit_rename_and_the_way_back(blog: Blogger, machine: Machine, reader: Reader) -> None:
    blog.push()
    before = reader.look()
    old = blog.key("my cat.png")

    blog.picture("content/my cat.png", colour="purple")  # as an editor replaces it
    blog.commit()
    assert "publishing 1 image," in blog.push()
    edited = reader.look()
    assert (edited.broken, old in edited.pictures) == ([], False)
    assert edited.pictures == bytes_of(blog, *PICTURES)
    assert reader.picture(old) == ("", before.pictures[old])  # for cached pages

    (blog.root / "content/harbour.jpg").rename(blog.root / "content/port.jpg")
    for name in ("harbour", "cat"):
        file = blog.root / f"content/{name}.md"
        file.write_text(file.read_text().replace("harbour.jpg", "port.jpg"))
    blog.commit()
    assert "publishing" not in blog.push()  # the same bytes, so nothing is sent
    renamed = reader.look()
    assert (renamed.broken, renamed.pictures) == ([], edited.pictures)

    host = (sys.executable, "-m", "pelican_imagehost", "host")
    for _ in range(2):
        run(*host, "rollback", machine.root)
    assert reader.look() == before


def test_retracted_picture_leaves_and_no_page_keeps_it(
    blog: Blogger, machine: Machine, reader: Reader
) -> None:
    blog.push()
    cat = blog.key("my cat.png")
    listed = (blog.root / "imagehost.jsonl").read_bytes()
    blog.post("harbour", "![a](harbour.jpg)")
    blog.post("cat", "no picture any more")
    blog.commit()
    blog.push()
    assert f"removed {cat} from the host" in blog.imagehost("retract", cat)
    assert not machine.served(cat).exists()
    time.sleep(1.1)  # nginx checks an open file again after a second
    assert reader.get(f"/images/{cat}")[0] == 404
    assert reader.look().broken == []

    blog.post("cat", "![again](<my cat.png>)")
    built = blog.build(settings="publishconf.py", check=False)
    assert (built.returncode != 0, "my cat.png was retracted" in built.stdout) == (True, True)
    blog.write("imagehost.jsonl", listed)  # as after a merge with a colleague's work
    blog.git("add", "--all")
    blog.git("commit", "--quiet", "--message", "Again")
    process = blog.start_push()
    output, _ = process.communicate()
    assert (process.returncode != 0, "was retracted" in output) == (True, True), output
    seen = reader.look()
    assert (seen.broken, cat in seen.pictures) == ([], False)


def test_several_sites_on_one_repository_lose_no_picture(
    blog: Blogger, machine: Machine, reader: Reader, tmp_path: Path
) -> None:
    other = Blogger.begin(tmp_path / "other" / "blog", machine)
    other.picture("content/other.png", colour="green")
    other.post("other", "![a](other.png)")
    other.commit()
    other.imagehost("publish")
    blog.push()
    host = (sys.executable, "-m", "pelican_imagehost", "host", "gc", str(machine.root))
    done = subprocess.run(
        [*host, "--yes", "--grace-days", "0"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, "2 sites publish to" in done.stderr) == (1, True), done.stderr
    assert reader.picture(other.key("other.png"))[0] == ""
    run("git", "-C", machine.root / "images.git", "config", "imagehost.onesite", "true")
    assert "removed 1 image" in _checked([*host, "--yes", "--grace-days", "0"], tmp_path, {})


def test_pages_that_were_built_here_wait_for_their_pictures(
    blog: Blogger, machine: Machine, reader: Reader, tmp_path: Path
) -> None:
    """Built output goes to another host, as with ghp-import, and its pictures to ours."""
    blog.build(settings="publishconf.py")
    pages = tmp_path / "pages.git"
    run("git", "init", "-q", "--bare", pages)
    for command in (
        ["checkout", "--quiet", "--orphan", "gh-pages"],
        ["add", "--force", "output"],
        ["commit", "--quiet", "--message", "Pages"],
        ["remote", "add", "pages", str(pages)],
    ):
        blog.git(*command)
    said = blog.git("push", "pages", "gh-pages")
    assert "3 images online" in said
    keys = [blog.key(name) for name in PICTURES]
    assert [reader.picture(key)[0] for key in keys] == ["", "", ""]
    machine.served(keys[0]).unlink()  # what the host lost is found by a new machine
    time.sleep(1.1)  # nginx checks an open file again after a second
    blog.git("-C", "images", "update-ref", "-d", "refs/imagehost/confirmed")
    blog.write("output/new.html", f"<img src='{reader.url}images/{keys[0]}'>")
    blog.git("add", "--force", "output/new.html")
    blog.git("commit", "--quiet", "--message", "More")
    start = time.monotonic()
    done = subprocess.run(
        ["git", "push", "pages", "gh-pages"],
        cwd=blog.root,
        env={**os.environ, **machine.environment()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode != 0, "404 Not Found" in done.stderr) == (True, True), done.stderr
    assert time.monotonic() - start < 200  # it does not wait for 300 seconds on our own host


def test_host_gc_and_a_later_post(blog: Blogger, machine: Machine, reader: Reader) -> None:
    blog.push()
    blog.picture("content/early.png", colour="green")
    blog.post("early", "![a](early.png)")
    blog.imagehost("publish")  # and the post is pushed much later
    early = blog.key("early.png")
    host = (sys.executable, "-m", "pelican_imagehost", "host", "gc", machine.root)
    run(*host, "--yes", "--grace-days", "0")
    assert not machine.served(early).exists()
    time.sleep(1.1)  # nginx checks an open file again after a second
    assert reader.get(f"/images/{early}")[0] == 404
    blog.commit()
    assert "publishing 1 image" in blog.push()
    seen = reader.look()
    assert (seen.broken, early in seen.pictures) == ([], True)
