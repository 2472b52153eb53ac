"""Two services on one bucket and one database, while any of them is killed at any moment."""

from __future__ import annotations

import asyncio
import hashlib
import random
import threading
import time
from collections import Counter
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, NamedTuple, Self

import pytest

from pelican_imagehost.storage.postgres import PostgresRecords
from tests.benchmarks.sites import make_picture
from tests.seaweed import get, relay
from tests.serve.serverkit import Server, attempt
from tests.serve.test_shared import machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.postgres import Postgres
    from tests.seaweed import Place, Seaweed

CLIENTS = 8
SIZE = 3000  # bytes of an image


class Plan(NamedTuple):
    """The number of uploads, and of what is killed."""

    uploads: int
    kills: int


SMALL = Plan(200, 4)
LARGE = Plan(10_000, 20)
PLANS = [pytest.param(SMALL, id="small"), pytest.param(LARGE, id="large", marks=pytest.mark.full)]


class Load:
    """Clients that upload each number of a list, to one service or the other, until answered.

    Args:
        servers: the services.
        plan: how much.
        kill: kills something, and starts it again; called with the number of the kill, in a
            thread, each time that another part of the uploads has been answered.
    """

    def __init__(
        self, servers: tuple[Server, Server], plan: Plan, kill: Callable[[int], None]
    ) -> None:
        self._servers, self._plan, self._kill = servers, plan, kill
        self._chooser = random.Random(1)  # noqa: S311  the same uploads every time
        distinct = plan.uploads * 7 // 10
        again = self._chooser.choices(range(distinct), k=plan.uploads - distinct)
        self._waiting = [*range(distinct), *again]
        self._chooser.shuffle(self._waiting)
        self.answered: dict[int, list[str]] = {}
        self.failed: Counter[int] = Counter()
        self._done = threading.Semaphore(0)

    def run(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        killer = asyncio.create_task(asyncio.to_thread(self._kill_all))
        await asyncio.gather(*[self._upload() for _ in range(CLIENTS)])
        await killer

    async def _upload(self) -> None:
        while self._waiting:
            number = self._waiting.pop()
            content = make_picture(number, SIZE)
            while True:
                status, url = await attempt(self._chooser.choice(self._servers).port, content)
                if status == 200:
                    break
                assert status in (0, 503, 507), status
                self.failed[status] += 1
                await asyncio.sleep(0.02)
            self.answered.setdefault(number, []).append(url)
            self._done.release()

    def _kill_all(self) -> None:
        for number in range(self._plan.kills):
            for _ in range(self._plan.uploads * 9 // 10 // self._plan.kills):
                self._done.acquire()
            self._kill(number)


def check(load: Load, plan: Plan, bucket: Place, database: str) -> None:
    """Check that every answer was true, that each digest is there once, and the counts."""
    expected = {}
    for number, urls in load.answered.items():
        content = make_picture(number, SIZE)
        digest = hashlib.sha256(content).hexdigest()
        expected[digest] = len(urls)
        assert {*urls} == {f"{bucket.url}/{digest[:2]}/{digest}.png"}
        assert get(urls[0]).body == content
    assert sum(expected.values()) == plan.uploads
    names = {name.rpartition("/")[2].removesuffix(".png") for name in bucket.names()}
    keys = [name for name in bucket.names() if name.endswith(".png")]
    assert len(keys) == len(names) == len(expected)
    with closing(PostgresRecords(database)) as records:
        times = {one.image.sha256: one.times for one in records.all()}
    assert times.keys() == expected.keys()
    assert all(times[digest] >= count for digest, count in expected.items())
    # A service may have been killed after recording an upload, before answering.
    assert sum(times.values()) <= plan.uploads + load.failed.total()


@contextmanager
def services(
    folder: Path, bucket: Place, database: str, remote: str | None = None
) -> Iterator[tuple[Server, Server]]:
    """Run two services, the second with another way to the bucket if one is given."""
    site = machine(folder / "two", bucket, database)
    site.configure(IMAGEHOST_REMOTE=remote or bucket.remote)
    running = Server(machine(folder / "one", bucket, database)), Server(site)
    try:
        yield running
    finally:
        for server in running:
            if server.process.poll() is None:
                server.kill()


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("plan", PLANS)
def test_services_killed_at_any_moment(
    tmp_path: Path, bucket: Place, database: str, plan: Plan
) -> None:
    def kill(number: int) -> None:
        servers[number % 2].kill()
        servers[number % 2].start()

    with services(tmp_path, bucket, database) as servers:
        load = Load(servers, plan, kill)
        load.run()
    assert load.failed[0]  # something was killed while it worked
    check(load, plan, bucket, database)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("plan", PLANS)
def test_a_database_killed_under_load(
    tmp_path: Path, bucket: Place, database: str, postgres: Postgres, plan: Plan
) -> None:
    def kill(_number: int) -> None:
        postgres.kill()
        postgres.restart()

    with services(tmp_path, bucket, database) as servers:
        load = Load(servers, plan, kill)
        load.run()
    assert load.failed[507]
    check(load, plan, bucket, database)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("volume1"),
        pytest.param("volume2", marks=pytest.mark.full),
        pytest.param("volume3", marks=pytest.mark.full),
        pytest.param("s3a", marks=pytest.mark.full),
        pytest.param("s3b"),
    ],
)
def test_a_part_of_the_object_store_killed_under_load(
    tmp_path: Path, bucket: Place, seaweed: Seaweed, database: str, name: str
) -> None:
    """The first service writes by the first gateway, the second by the second."""

    def kill(_number: int) -> None:
        seaweed.kill(name)
        threading.Event().wait(1)
        seaweed.restart(name)

    plan = Plan(SMALL.uploads, 2)
    with services(tmp_path, bucket, database, bucket.remote_at(seaweed.gateways[1])) as servers:
        load = Load(servers, plan, kill)
        load.run()
    check(load, plan, bucket, database)


@pytest.mark.timeout(600)
def test_a_storm_of_answers_503(
    tmp_path: Path, bucket: Place, seaweed: Seaweed, database: str
) -> None:
    storm = False

    def answer(number: int) -> int | None:
        return 503 if storm and number % 3 else None

    def change(_number: int) -> None:
        nonlocal storm
        storm = not storm

    plan = Plan(60, 2)
    with (
        relay(seaweed, answer) as stormy,
        services(tmp_path, bucket, database, bucket.remote_at(stormy.endpoint)) as servers,
    ):
        load = Load(servers, plan, change)
        load.run()
    check(load, plan, bucket, database)


class Repeated:
    """Clients that upload one image to both services again and again."""

    def __init__(self, servers: tuple[Server, Server], content: bytes) -> None:
        self._servers, self._content = servers, content
        self._ends = threading.Event()
        self.answers: list[tuple[float, int]] = []  # when the request began, and its status
        self._threads = [threading.Thread(target=self._upload, args=(one,)) for one in servers * 2]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join()

    def _upload(self, server: Server) -> None:
        while not self._ends.is_set():
            begun = time.monotonic()
            self.answers.append((begun, server.upload(self._content).status))

    def wait_for(self, number: int) -> None:
        """Wait until so many more have been answered."""
        enough = len(self.answers) + number
        while len(self.answers) < enough:
            time.sleep(0.01)


@pytest.mark.parametrize("command", [("retract",), ("gc", "--yes")], ids=["retract", "gc"])
def test_an_image_that_is_removed_while_all_upload_it_is_there_or_refused(
    tmp_path: Path, bucket: Place, database: str, command: tuple[str, ...]
) -> None:
    content = make_picture(1, SIZE)
    digest = hashlib.sha256(content).hexdigest()
    key = f"{digest[:2]}/{digest}.png"
    with services(tmp_path, bucket, database) as servers:
        assert servers[0].upload(content).status == 200
        with Repeated(servers, content) as repeated:
            repeated.wait_for(20)
            completed = servers[0].site.cli(*command, key)
            ended = time.monotonic()
            repeated.wait_for(20)
    later = {status for begun, status in repeated.answers if begun > ended}
    with closing(PostgresRecords(database)) as records:
        known = records.known([digest])
    if b"used again" in completed.stdout + completed.stderr:  # which only gc says
        assert command[0] == "gc"
        assert (later, known) == ({200}, {digest})
        assert get(f"{bucket.url}/{key}").body == content
    else:
        assert completed.returncode == 0, completed.stderr
        assert (later, known) == ({409}, set())
        assert bucket.names() == {f"retracted/{digest}"}
    assert {status for _, status in repeated.answers} <= {200, 409}
