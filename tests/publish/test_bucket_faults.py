"""Publishing to a bucket while something fails: servers, authors, and others who change it."""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, NamedTuple

import pytest

from pelican_imagehost.errors import PublishError
from pelican_imagehost.images.image import KEY, digest_of
from pelican_imagehost.publish import collecting, objects
from pelican_imagehost.publish.s3_target import S3Target
from tests.conftest import Site
from tests.seaweed import Place, Seaweed, get, relay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from pelican_imagehost.publish.target import Sending
    from pelican_imagehost.settings import Settings
    from tests.conftest import Require


def silent(_keys: list[str]) -> nullcontext[Callable[[int], None]]:
    return nullcontext(lambda _size: None)


class Author(NamedTuple):
    """An author with a store of their own."""

    settings: Settings
    keys: list[str]

    def target(self, remote: str, grace: float | None = None) -> S3Target:
        return S3Target(self.settings, remote, grace)


def author(folder: Path, number: int = 0, images: Iterable[bytes] = ()) -> Author:
    """Make an author; the images need not be pictures, because nothing looks at them here."""
    root = folder / f"author{number}"
    root.mkdir(parents=True)
    settings = Site(root).settings()._replace(url="http://127.0.0.1:9")
    keys = []
    for data in images:
        digest = hashlib.sha256(data).hexdigest()
        keys.append(f"{digest[:2]}/{digest}.png")
        file = settings.store / keys[-1]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return Author(settings, keys)


def send(target: S3Target, keys: list[str]) -> list[str]:
    return target.send(lambda: sorted(target.due(keys)), silent)


def images(number: int, size: int = 20_000) -> list[bytes]:
    return [b"%d " % one + bytes(size) for one in range(number)]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up soon where a service does not answer."""
    monkeypatch.setattr(objects, "RETRIES", 3)


def assert_intact(place: Place) -> set[str]:
    """Check that everything that readers can get is right; return the keys."""
    keys = {name for name in place.names() if KEY.fullmatch(name)}
    for key in keys:
        answer = get(f"{place.url}/{key}")
        assert answer.status == 200
        assert hashlib.sha256(answer.body).hexdigest() == digest_of(key)
    return keys


def killing(seaweed: Seaweed, name: str, answered: list[int]) -> Sending:
    """Return what shows progress: it notes each answered image, and kills a program at the 40th."""

    @contextmanager
    def sending(_keys: list[str]) -> Iterator[Callable[[int], None]]:
        def advance(size: int) -> None:
            answered.append(size)
            if len(answered) == 40:
                seaweed.kill(name)

        yield advance

    return sending


def test_a_volume_server_that_dies_loses_no_answered_image(
    seaweed: Seaweed, bucket: Place, tmp_path: Path
) -> None:
    one = author(tmp_path, images=images(150))
    target = one.target(bucket.remote)
    answered: list[int] = []
    try:
        with suppress(PublishError):  # two of three servers may or may not be enough
            sending = killing(seaweed, "volume2", answered)
            target.send(lambda: sorted(target.due(one.keys)), sending)
    finally:
        seaweed.restart("volume2")
    assert len(assert_intact(bucket)) >= len(answered) >= 40
    send(target, one.keys)
    assert assert_intact(bucket) == set(one.keys)


@pytest.mark.usefixtures("impatient")
def test_a_gateway_that_dies_is_reported_and_the_rest_sent_later(
    seaweed: Seaweed, bucket: Place, tmp_path: Path
) -> None:
    one = author(tmp_path, images=images(150))
    target = one.target(bucket.remote)
    answered: list[int] = []
    sending = killing(seaweed, "s3a", answered)
    try:
        with pytest.raises(PublishError, match="does not answer"):
            target.send(lambda: sorted(target.due(one.keys)), sending)
    finally:
        seaweed.restart("s3a")
    assert 150 > len(assert_intact(bucket)) >= len(answered)
    rest = send(target, one.keys)
    assert len(rest) <= 150 - len(answered)
    assert assert_intact(bucket) == set(one.keys)


def test_a_storm_of_503_is_outlasted(seaweed: Seaweed, bucket: Place, tmp_path: Path) -> None:
    one = author(tmp_path, images=images(30))
    with relay(seaweed, lambda number: 503 if number % 2 else None) as server:
        send(one.target(bucket.remote_at(server.endpoint)), one.keys)
        assert server.count > 60
    assert assert_intact(bucket) == set(one.keys)


@pytest.mark.usefixtures("impatient")
def test_a_service_that_only_answers_503_is_reported(
    seaweed: Seaweed, bucket: Place, tmp_path: Path
) -> None:
    one = author(tmp_path, images=images(1))
    with (
        relay(seaweed, lambda _number: 503) as server,
        pytest.raises(PublishError, match="overloaded or broken"),
    ):
        send(one.target(bucket.remote_at(server.endpoint)), one.keys)


# What an author does, in a process of its own: settings are those of `author`.
_AUTHOR = """
import sys
from contextlib import nullcontext
from pathlib import Path
from pelican.settings import read_settings
from pelican_imagehost.publish.s3_target import S3Target
from pelican_imagehost.settings import Settings

root, remote, grace, what, *keys = sys.argv[1:]
settings = Settings.from_pelican(read_settings(f"{root}/pelicanconf.py"), root=Path(root))
settings = settings._replace(url="http://127.0.0.1:9")
target = S3Target(settings, remote, float(grace))
if what == "send":
    target.send(lambda: sorted(target.due(keys)), lambda _: nullcontext(lambda _: None))
elif what == "withdraw":
    with target.store.locked():
        target.withdraw(keys)
else:
    target.remove(keys)
"""


def run_until(
    last: int, seaweed: Seaweed, bucket: Place, one: Author, what: str
) -> tuple[int, str]:
    """Do something in another process, which is killed when it makes its last request."""
    processes: list[subprocess.Popen[bytes]] = []

    def answer(number: int) -> int | None:
        if number == last:
            os.kill(processes[0].pid, signal.SIGKILL)
        return None

    with relay(seaweed, answer) as server:
        grace = "0" if what == "remove" else "1"
        arguments = [str(one.settings.root), bucket.remote_at(server.endpoint), grace, what]
        command = [sys.executable, "-c", _AUTHOR, *arguments, *one.keys]
        processes.append(subprocess.Popen(command, stderr=subprocess.PIPE))
        _, errors = processes[0].communicate()
    return processes[0].returncode, errors.decode()


@pytest.mark.parametrize("what", ["send", "withdraw", "remove"])
def test_a_process_killed_at_any_request_leaves_a_state_to_go_on_from(
    seaweed: Seaweed, bucket: Place, tmp_path: Path, what: str
) -> None:
    one = author(tmp_path, images=images(3))
    grace = 0.0 if what == "remove" else 1.0
    target = one.target(bucket.remote, grace)
    steps = 0
    while True:
        steps += 1
        for name in bucket.names():
            bucket.objects.delete([name])
        if what != "send":
            send(target, one.keys)
        if what == "remove":
            time.sleep(1.1)  # times of objects are whole seconds
        code, errors = run_until(steps, seaweed, bucket, one, what)
        if code == 0:
            break
        assert code == -signal.SIGKILL, errors
        there = assert_intact(bucket)
        tombstones = {name for name in bucket.names() if name.startswith("retracted/")}
        if what == "withdraw":  # never offline without the tombstone that keeps it there
            gone = set(one.keys) - there
            assert {f"retracted/{digest_of(key)}" for key in gone} <= tombstones
            with target.store.locked():
                target.withdraw(one.keys)
            assert assert_intact(bucket) == set()
            target.restore(map(digest_of, one.keys))
        else:
            signs = [*bucket.objects.list("collecting")]
            bucket.objects.delete(sign.name for sign in signs)  # else an author waits 20 minutes
            send(target, one.keys)
            assert assert_intact(bucket) == set(one.keys)
    assert steps > 3


@pytest.mark.parametrize("offset", ["-1h", "+1h"])
def test_a_wrong_clock_is_named(
    bucket: Place, tmp_path: Path, require: Require, offset: str
) -> None:
    require(shutil.which("faketime"), "faketime is not installed")
    one = author(tmp_path, images=images(1))
    arguments = [str(one.settings.root), bucket.remote, "1", "send", *one.keys]
    command = ["faketime", "-f", offset, sys.executable, "-c", _AUTHOR, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "the clock of this machine is wrong" in done.stderr
    assert "The difference between the request time and the server's time" in done.stderr
    assert bucket.names() == set()


def test_an_old_image_that_is_sent_while_a_gc_deletes_it_stays(
    bucket: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gc has listed the image as old; the author finds it, old, and sends it again."""
    one, other = author(tmp_path, 1, images(1)), author(tmp_path, 2)
    sender, collector = one.target(bucket.remote, 1.0), other.target(bucket.remote, 1.0)
    send(sender, one.keys)
    time.sleep(2.1)
    (key,) = one.keys
    before = bucket.objects.head(key)
    assert before
    listed, go = threading.Event(), threading.Event()
    held = collector._objects  # noqa: SLF001  where it can be held up
    delete = held.delete

    def late(names: Iterable[str]) -> None:
        wanted = [*names]
        if key in wanted:
            listed.set()
            assert go.wait(60)
        delete(wanted)

    monkeypatch.setattr(held, "delete", late)
    gc = threading.Thread(target=collector.remove, args=(one.keys,))
    gc.start()
    assert listed.wait(60)
    sending = threading.Thread(target=send, args=(sender, one.keys))
    sending.start()
    while (now := bucket.objects.head(key)) is None or now.modified == before.modified:
        time.sleep(0.05)
    sending.join(1.0)
    assert sending.is_alive()  # it waits for the gc
    go.set()
    gc.join()
    sending.join()
    assert assert_intact(bucket) == {key}
    assert not [*bucket.objects.list("collecting")]


def test_two_authors_and_a_gc_that_trusts_nobody(bucket: Place, tmp_path: Path) -> None:
    """The gc takes whatever is old; what an author has just sent is there when it returns."""
    grace = 6.0  # with times in whole seconds, what is younger than 3 is safe for 2 more
    authors = [author(tmp_path, number, images(6)) for number in (1, 2)]
    end = time.monotonic() + 14
    lost: list[str] = []
    collected: set[str] = set()

    def publish(one: Author) -> None:
        target = one.target(bucket.remote, grace)
        for pause in itertools.cycle((0.5, grace + 0.2)):  # young, and just at the limit
            start = time.monotonic()
            send(target, one.keys)
            missing = target.missing(one.keys)
            if time.monotonic() < start + 2:  # else the machine was too busy to tell
                lost.extend(missing)
            if time.monotonic() + pause > end:
                return
            time.sleep(pause)

    def collect() -> None:
        target = author(tmp_path, 3).target(bucket.remote, grace)
        while time.monotonic() < end:
            old = target.unneeded(lambda _key: False)
            target.remove(old)
            collected.update(old)

    extra = author(tmp_path, 4, [b"stray"])
    send(extra.target(bucket.remote, grace), extra.keys)
    threads = [threading.Thread(target=publish, args=(one,)) for one in authors]
    threads.append(threading.Thread(target=collect))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lost == []
    assert set(extra.keys) <= collected
    send(authors[0].target(bucket.remote), authors[0].keys)
    assert assert_intact(bucket) == set(authors[0].keys)


def test_an_image_retracted_while_it_is_sent_goes_again(bucket: Place, tmp_path: Path) -> None:
    one, other = author(tmp_path, 1, images(3)), author(tmp_path, 2)
    target = one.target(bucket.remote)
    calls = []

    @contextmanager
    def sending(_keys: list[str]) -> Iterator[Callable[[int], None]]:
        second = other.target(bucket.remote)
        with second.store.locked():
            second.withdraw(one.keys[:1])
        yield lambda _size: None

    def choose() -> list[str]:
        calls.append(1)
        due = target.due(one.keys)
        return sorted(key for key in due if digest_of(key) not in target.retracted())

    target.send(choose, sending)
    assert len(calls) == 2
    assert assert_intact(bucket) == set(one.keys[1:])


def test_a_dead_gc_does_not_stop_authors_for_ever(
    bucket: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "DEAD", 3.0)
    one = author(tmp_path, images=images(1))
    target = one.target(bucket.remote, 1.0)
    send(target, one.keys)
    bucket.objects.put("collecting/dead", b"", {})
    time.sleep(2.1)
    said: list[str] = []
    sent = target.send(lambda: sorted(target.due(one.keys)), silent, say=said.append)
    assert sent == one.keys  # which ends
    assert len(said) == 1
    assert said[0].startswith(f"a gc is at work in {target.name}; waiting for its end")


@pytest.fixture
def full_disk(tmp_path: Path, require: Require) -> Iterator[Path]:
    """Provide a file system of 24 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    require(done.returncode == 0, f"mounting is not permitted: {done.stderr}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.full
@pytest.mark.usefixtures("impatient", "bucket")  # for the keys
def test_a_full_disk_damages_nothing(seaweed: Seaweed, full_disk: Path, tmp_path: Path) -> None:
    one = author(tmp_path, images=images(200, 200_000))
    (tmp_path / "weed").mkdir()
    small = Seaweed(seaweed.program, tmp_path / "weed", full_disk)
    try:
        small.start()
        place = Place(small, "full")
        with pytest.raises(PublishError) as caught:
            send(one.target(place.remote), one.keys)
        there = assert_intact(place)
    finally:
        small.close()
    assert "overloaded or broken" in str(caught.value)
    assert 0 < len(there) < 200
