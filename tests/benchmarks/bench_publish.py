"""Compare publishing with plain git.

    python -m tests.benchmarks.bench_publish [--images 10000] [--stores 1000 10000 100000]

First: the first commit and push of a folder of images, CPU of client and server together,
against `git add -A && git commit && git push` with git's defaults (but without the
background maintenance of git, which would distort the result). Then: ten new images into a
store that has many, from `pelican-imagehost publish` to the tenth HTTP 200, against a bare
`git push` of the same commit over the same ssh to a repository without a hook; CPU of all
processes, those of sshd too. Then: ordinary pushes of that site, against
`git push --no-verify`. Last: checking that addresses are online, and how many connections that
takes. It needs what the tests of publishing need: git, ssh, sshd and nginx.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pelican_imagehost.publish.repository import StoreRepository
from pelican_imagehost.storage.store import Store
from tests.benchmarks.sites import make_picture
from tests.benchmarks.timing import Cost, compare, median, ratio, run
from tests.host.hostkit import key_of
from tests.publish.test_end_to_end import Blogger, Machine, Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_OURS = """
import sys
from pathlib import Path
from pelican_imagehost.publish.create import create
from pelican_imagehost.publish.repository import StoreRepository
from pelican_imagehost.storage.store import Store
store = Store(Path(sys.argv[1]))
repository = StoreRepository(store)
create(repository)
repository.use_remote(sys.argv[2])
with store.locked():
    repository.add(set(store.keys()), lambda _: None)
    repository.push()
"""
_THEIRS = """
git init -q . && git add -A && git -c maintenance.auto=false commit -q -m x &&
git push -q "$1" HEAD:refs/heads/main
"""
# A server that only answers HEAD, as fast as it can, over connections that stay open.
_SERVER = """
import asyncio, sys
count = 0

class Answers(asyncio.Protocol):
    def connection_made(self, transport):
        global count
        count += 1
        self.transport = transport

    def data_received(self, data):
        kind = b"text/plain" if b" /count " in data else b"image/png"
        body = b"%d" % count if b" /count " in data else b""
        length = len(body) or 2000
        self.transport.write(
            b"HTTP/1.1 200 OK\\r\\nContent-Type: %b\\r\\nContent-Length: %d\\r\\n\\r\\n%b"
            % (kind, length, body)
        )

async def serve():
    server = await asyncio.get_running_loop().create_server(Answers, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(serve())
"""
_ASK = """
import hashlib, sys
from pelican_imagehost.publish.confirm import Expected, find_absent
digests = (hashlib.sha256(b"%d" % number).hexdigest() for number in range(int(sys.argv[2])))
images = [Expected(f"{sys.argv[1]}/{d[:2]}/{d}.png", 2000) for d in digests]
sys.exit(bool(find_absent(images, patience=0, say=print).answers))
"""
_NEW = 10
_NEW_SIZE = 100_000


def main() -> None:
    """Measure and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000, help="of the first push")
    parser.add_argument("--size", type=int, default=100_000, help="bytes of each of these")
    parser.add_argument("--rounds", type=int, default=1, help="of the first push")
    parser.add_argument("--stores", type=int, nargs="*", default=[1_000, 10_000, 100_000])
    parser.add_argument("--pushes", type=int, default=9, help="of ten new images")
    parser.add_argument("--addresses", type=int, default=10_000, help="to check over HTTP")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(Path(folder, "machine"))
        os.environ.update(machine.environment())
        with machine.running():
            if options.images:
                _first_push(Path(folder), machine, options)
    for size in options.stores:
        with tempfile.TemporaryDirectory() as folder:
            _ten_more(Path(folder), size, options.pushes)
    if options.addresses:
        _check_addresses(options.addresses)


def _first_push(folder: Path, machine: Machine, options: argparse.Namespace) -> None:
    store = Store(folder / "images")
    _fill(store, range(options.images), options.size)
    plain, hooked = folder / "plain.git", machine.root / "images.git"
    ours = [sys.executable, "-c", _OURS, str(store.root)]
    theirs = ["sh", "-ec", _THEIRS, "sh", str(plain)]

    def measure(command: list[str], remote: Path) -> Cost:
        shutil.rmtree(store.root / ".git", ignore_errors=True)
        shutil.rmtree(machine.served("."), ignore_errors=True)
        if remote == plain:
            shutil.rmtree(plain, ignore_errors=True)
            _git("init", "--quiet", "--bare", plain)
        elif _git("-C", hooked, "for-each-ref"):
            _git("-C", hooked, "update-ref", "-d", "refs/heads/main")
            _git("-C", hooked, "prune-packed")
            for pack in (hooked / "objects/pack").iterdir():
                pack.unlink()
        machine.served(".").mkdir(exist_ok=True)
        return run(command, store.root)

    commands = {
        "git add, commit, push": partial(measure, theirs, plain),
        "ours, no hook": partial(measure, [*ours, str(plain)], plain),
        "ours, our hook": partial(measure, [*ours, str(hooked)], hooked),
    }
    costs = compare(commands, rounds=options.rounds, warm=False)
    print(f"first commit and push of {options.images:,} images of {options.size:,} bytes:")
    _table(costs, "git add, commit, push", "cpu")


def _ten_more(folder: Path, size: int, pushes: int) -> None:
    machine = Machine(folder / "machine")
    os.environ.update(machine.environment())
    with machine.running():
        site = Blogger.begin(folder / "author" / "blog", machine)
        store = Store(site.root / "images")
        keys = _fill(store, range(size), 2_000)
        _publish_all(store, str(machine.root / "images.git"), keys)
        (site.root / "imagehost.jsonl").write_text("".join(_lines(keys)))
        plain = machine.root / "plain.git"
        _git("clone", "--quiet", "--bare", machine.root / "images.git", plain)
        _let_in(machine, plain.name)
        reader = Reader(machine.url)
        ours = [sys.executable, "-m", "pelican_imagehost", "publish", "-s", "publishconf.py"]
        bare = ["git", "push", "--quiet", f"{machine.user}@127.0.0.1:{plain.name}", "main"]
        numbers = iter(range(size, size + 1_000_000))

        def publish() -> Cost:
            names = [f"{number}.png" for number, _ in zip(numbers, range(_NEW), strict=False)]
            for name in names:
                data = make_picture(int(name[:-4]), _NEW_SIZE)
                site.write(f"content/{name}", data)
            site.post("new", " ".join(f"![a]({name})" for name in names))
            cost = run(ours, site.root, machine.sshd)
            for name in names:
                wrong, _ = reader.picture(site.key(name))
                if wrong:
                    sys.exit(wrong)
            return cost

        commands: dict[str, Callable[[], Cost]] = {
            "publish, to the tenth 200": publish,  # this one creates the commit
            "git push, no hook": partial(run, bare, store.root, machine.sshd),
            "publish with nothing new": partial(run, ours, site.root, machine.sshd),
            "pelican-imagehost --version": partial(run, [*ours[:3], "--version"], site.root),
            "our git push again, no news": partial(
                run, ["git", "push", "--quiet", "imagehost", "main"], store.root, machine.sshd
            ),
        }
        costs = compare(commands, rounds=pushes)
        ordinary = _ordinary_pushes(site, machine, pushes)
        reader.close()
    print(f"{_NEW} new images of {_NEW_SIZE:,} bytes into a store of {size:,}:")
    for figure in ("cpu", "wall"):
        _table(costs, "git push, no hook", figure)
    print(f"pushes of the site, whose manifest lists {size:,}:")
    least = median(ordinary["git push --no-verify"])
    for name, measured in ordinary.items():
        spent = median(measured)
        print(f"  {name:28} {spent * 1000:7.0f} ms CPU, {(spent - least) * 1000:+.0f} ms")


def _ordinary_pushes(site: Blogger, machine: Machine, pushes: int) -> dict[str, list[Cost]]:
    """Push the site to a repository without hooks, with the pre-push hook and without."""
    _git("init", "--quiet", "--bare", machine.root / "pages.git")
    _let_in(machine, "pages.git")
    site.git("remote", "add", "pages", f"{machine.user}@127.0.0.1:pages.git")
    site.post("words", "No picture.")
    site.commit()
    site.git("push", "--quiet", "pages", "main")
    numbers = iter(range(1_000_000))

    def push(name: str, *options: str) -> Cost:
        site.write(name, f"Title: Words\nDate: 2026-01-01\n\nWord {next(numbers)}.\n")
        site.git("add", name)
        site.git("commit", "--quiet", "--message", "Write")
        return run(["git", "push", "--quiet", *options, "pages", "main"], site.root)

    commands = {
        "git push --no-verify": partial(push, "README.md", "--no-verify"),
        "nothing new": partial(push, "README.md"),
        "one changed post": partial(push, "content/words.md"),
        "up to date": partial(run, ["git", "push", "--quiet", "pages", "main"], site.root),
    }
    return compare(commands, rounds=pushes)


def _check_addresses(count: int) -> None:
    """Check that addresses are online, against starting Python and checking none."""
    server = subprocess.Popen([sys.executable, "-c", _SERVER], stdout=subprocess.PIPE, text=True)
    try:
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}"  # type: ignore[union-attr]  # a pipe
        ask = [sys.executable, "-c", _ASK, url]
        none, all_ = run([*ask, "0"], Path.cwd()), run([*ask, str(count)], Path.cwd())
        with contextlib.closing(http.client.HTTPConnection(url.partition("//")[2])) as client:
            client.request("GET", "/count")
            connections = int(client.getresponse().read()) - 1
    finally:
        server.kill()
        server.communicate()
    print(f"checking that {count:,} addresses are online, over {connections} connections:")
    print(f"  {all_.cpu - none.cpu:.2f} s CPU, {all_.wall - none.wall:.2f} s")


def _table(costs: dict[str, list[Cost]], base: str, figure: str) -> None:
    for name, measured in costs.items():
        spent = f"{median(measured):7.2f} s CPU, {median(measured, 'wall'):7.2f} s"
        print(f"  {name:28} {spent}, {ratio(costs, name, base, figure):.2f} of {base} ({figure})")
    sys.stdout.flush()


def _fill(store: Store, numbers: Iterable[int], size: int) -> list[str]:
    """Write pictures to the paths of a store; return their keys."""
    keys = []
    for number in numbers:
        data = make_picture(number, size)
        keys.append(key_of(data))
        path = store.path(keys[-1])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return keys


def _publish_all(store: Store, remote: str, keys: list[str]) -> None:
    repository = StoreRepository(store)
    repository.use_remote(remote)
    with store.locked():
        repository.add(keys, lambda _: None)
        repository.push()
    repository.seen.record(set(keys))


def _lines(keys: list[str]) -> list[str]:
    """Write a manifest that lists these, as after years of posts."""
    paths = [f"content/old/{hashlib.md5(key.encode()).hexdigest()}.png" for key in keys]  # noqa: S324  only a name
    facts = {"type": "png", "size": 2_000, "width": 64, "height": 48}
    return [
        json.dumps({"path": path, "sha256": key[3:67], **facts}) + "\n"
        for path, key in sorted(zip(paths, keys, strict=True))
    ]


def _let_in(machine: Machine, repository: str) -> None:
    """Let the key of the author access another repository."""
    keys = machine.folder / "ssh/authorized_keys"
    keys.write_text(keys.read_text().replace("site.git", f"site.git {repository}"))


def _git(*arguments: str | Path) -> str:
    return subprocess.run(
        ["git", *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


if __name__ == "__main__":
    main()
