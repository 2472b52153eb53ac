"""Workers killed at any moment: answered uploads are stored, and no file is incomplete."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import signal
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from pelican_imagehost.storage.records import Records
from tests.benchmarks.sites import make_picture
from tests.serve.serverkit import Server, attempt, upload_site

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Site

__all__ = ["upload_site"]  # a fixture

CLIENTS = 8


class Plan(NamedTuple):
    """The number of uploads, and of killed workers."""

    uploads: int
    size: int
    kills: int


def workers(server: Server) -> list[int]:
    """List the worker processes; the supervisor of uvicorn has other children too."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == server.process.pid and b"spawn_main" in command:
            found.append(int(folder.name))
    return found


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110  of what no event tells
        await asyncio.sleep(random.uniform(0.001, 0.01))  # noqa: S311  at any moment


class Load:
    """Clients that upload each number of a list until it is answered."""

    def __init__(self, server: Server, plan: Plan) -> None:
        self.server = server
        self.plan = plan
        distinct = plan.uploads * 7 // 10
        chooser = random.Random(1)  # noqa: S311  the same uploads every time
        again = chooser.choices(range(distinct), k=plan.uploads - distinct)
        self.numbers = [*range(distinct), *again]
        chooser.shuffle(self.numbers)
        self.waiting = list(self.numbers)
        self.answered: Counter[str] = Counter()
        self.unanswered = 0
        self.kills = 0

    def run(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        killer = asyncio.create_task(self._kill())
        await asyncio.gather(*[self._upload() for _ in range(CLIENTS)])
        await killer

    async def _upload(self) -> None:
        while self.waiting:
            number = self.waiting.pop()
            status, url = 0, ""
            while not status:
                status, url = await attempt(self.server.port, make_picture(number, self.plan.size))
                self.unanswered += not status
            assert status == 200
            self.answered[url.rpartition("/")[2]] += 1

    async def _kill(self) -> None:
        """Kill a random worker each time that another part of the uploads has been answered."""
        chooser = random.Random()  # noqa: S311  no two runs alike
        for number in range(self.plan.kills):
            share = (number + chooser.random()) * 0.9 / self.plan.kills
            await until(partial(self._has_answered, share))
            await until(partial(workers, self.server))
            os.kill(chooser.choice(workers(self.server)), signal.SIGKILL)
            self.kills += 1

    def _has_answered(self, share: float) -> bool:
        return self.answered.total() >= share * self.plan.uploads


def check(load: Load) -> None:
    """Check that all answered uploads are stored, and that no file is wrong."""
    site = load.server.site.root
    pictures = {hashlib.sha256(make_picture(n, load.plan.size)).hexdigest() for n in load.numbers}
    assert {name.removesuffix(".png") for name in load.answered} == pictures
    assert load.answered.total() == load.plan.uploads
    files = list((site / "images").glob("??/*"))
    for file in files:
        assert hashlib.sha256(file.read_bytes()).hexdigest() == file.stem
    assert {file.name for file in files} == set(load.answered)
    records = Records(site / "imagehost-uploads.sqlite3", read_only=True)
    times = {f"{record.image.sha256}.png": record.times for record in records.all()}
    records.close()
    assert set(times) == set(load.answered)
    for name, count in load.answered.items():
        assert times[name] >= count
    # A worker may have been killed after recording an upload, before answering.
    assert sum(times.values()) <= load.plan.uploads + load.unanswered


def check_swept(server: Server) -> None:
    """Check that old files of killed workers are removed."""
    folder = server.site.root / "images/.uploads"
    young = folder / "young.part"
    young.write_bytes(b"still arriving")
    old = [*folder.glob("*-*.part"), folder / "old.part"]
    for file in old:
        file.touch()
        os.utime(file, times=(time.time() - 7200,) * 2)
    server.start()
    assert list(folder.glob("*.part")) == [young]
    assert not list((server.site.root / "images/.incoming").iterdir())
    server.stop()


def crash(site: Site, plan: Plan) -> Load:
    server = Server(site, "--workers", "2")
    try:
        load = Load(server, plan)
        load.run()
        assert load.kills == plan.kills
        while len(workers(server)) < 2:
            time.sleep(0.05)  # the supervisor starts the last worker again
        server.kill()
        check(load)
        check_swept(server)
    finally:
        if server.process.poll() is None:
            server.kill()
    return load


def test_what_was_answered_is_there_though_workers_are_killed(upload_site: Site) -> None:
    crash(upload_site, Plan(uploads=400, size=20_000, kills=5))


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_ten_thousand_uploads_and_fifty_kills_lose_nothing(upload_site: Site) -> None:
    crash(upload_site, Plan(uploads=10_000, size=100_000, kills=50))
