"""Compare uploads with four endpoints that do less, on a quiet and on a busy disk.

    python -m tests.benchmarks.bench_upload [--uploads 500] [--size 300000] [--rounds 5]

The floors, in `floor.py`, write the body of a request to a file, and parse, check and record
nothing. `plain` does no more; `sha256` also hashes what it writes; `sync` also makes the bytes and
the name durable before it answers, with one sync for all that has arrived; `both` does both. All
run under the same uvicorn with the same settings and get the same forms from the same client, a
separate process, in alternating rounds; what a round has left to write is synced after it, which
is not timed. The disk is then kept busy by a process that writes and syncs steadily.

Files are only removed at the end, because ext4 is slow to find new inodes just after others were
freed. The folder must be on a disk, because syncing costs nothing on a tmpfs.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from tests.benchmarks.floor import FLOORS
from tests.benchmarks.sites import configure, make_picture
from tests.benchmarks.timing import cpu_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = "a-token-for-the-benchmark-alone"  # noqa: S105  as it says
_NUMBER = 16  # bytes among the pixels that make each picture different
_OURS = "ours"
_DISTURBANCE = 2**20  # bytes
_PAUSE = 0.02  # seconds between two disturbances


class Server(NamedTuple):
    """A running server."""

    process: subprocess.Popen[bytes]
    port: int

    def cpu(self) -> float:
        """Return the CPU seconds of the server."""
        return cpu_of(self.process.pid)

    def memory(self) -> float:
        """Return the memory of the server, in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1000


class Round(NamedTuple):
    """The result of some uploads."""

    rate: float  # uploads per second
    cpu: float  # CPU seconds of the server per upload


def main() -> None:
    """Measure and print the results, or run as the client or the disturber."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uploads", type=int, default=500, help="of a round")
    parser.add_argument("--size", type=int, default=300_000, help="bytes of an image")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--in-all", type=int, default=10_000, help="uploads, to look at memory")
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder else")
    parser.add_argument("--client", nargs=2, type=int, help=argparse.SUPPRESS)
    parser.add_argument("--disturb", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.client:
        print(json.dumps(_send(options.client[0], options.client[1], options)))
    elif options.disturb:
        _disturb(options.disturb)
    else:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            _measure(Path(folder), options)


def _measure(root: Path, options: argparse.Namespace) -> None:
    configure(root, "pelicanconf", plugins=[], layout="beside")
    (root / "content").mkdir()
    numbers = itertools.count(0, options.uploads)
    print(f"{options.size:,} bytes, {options.concurrency} at once, {options.rounds} rounds")
    with ExitStack() as stack:
        ours = [sys.executable, "-m", "pelican_imagehost", "serve", "--port"]
        servers = {_OURS: stack.enter_context(_running(ours, root))}
        for kind in FLOORS:
            (root / kind).mkdir()
            command = [sys.executable, "-m", "tests.benchmarks.floor", kind]
            servers[kind] = stack.enter_context(_running(command, root / kind))
        print("on a quiet disk:")
        done = _compare(servers, numbers, root, options)
        with _disturbed(root):
            print("on a busy disk:")
            done += _compare(servers, numbers, root, options)
        _watch_memory(servers[_OURS], done, numbers, root, options)


def _compare(
    servers: dict[str, Server], numbers: Iterator[int], root: Path, options: argparse.Namespace
) -> int:
    """Print the results of rounds in turns; return the number of uploads to each server."""
    results: dict[str, list[Round]] = {name: [] for name in servers}
    for number in range(options.rounds + 1):
        for name in sorted(servers, reverse=bool(number % 2)):
            result = _round(servers[name], next(numbers), root, options)
            if number:  # the first warms up
                results[name].append(result)
    for name in servers:
        print(f"  {name:7}{_describe(results, name)}")
    return int(options.uploads * (options.rounds + 1))


def _describe(results: dict[str, list[Round]], name: str) -> str:
    rate = statistics.median(one.rate for one in results[name])
    cpu = statistics.median(one.cpu for one in results[name]) * 1000
    text = f"{rate:6.0f} uploads/s, {cpu:.2f} ms of the server's CPU each"
    if name == _OURS:
        return text
    pairs = list(zip(results[_OURS], results[name], strict=True))
    rates = sorted(a.rate / b.rate for a, b in pairs)
    cpus = statistics.median(a.cpu / b.cpu for a, b in pairs)
    spread = f"({rates[0]:.2f} to {rates[-1]:.2f})"
    return (
        f"{text}; ours: {statistics.median(rates):.2f} of its rate {spread}, {cpus:.2f} of its CPU"
    )


def _watch_memory(
    server: Server, done: int, numbers: Iterator[int], root: Path, options: argparse.Namespace
) -> None:
    print(f"ours: {server.memory():.0f} MB after {done:,} uploads", end="")
    while done < options.in_all:
        _round(server, next(numbers), root, options)
        done += options.uploads
    print(f", {server.memory():.0f} MB after {done:,}")


def _round(server: Server, first: int, root: Path, options: argparse.Namespace) -> Round:
    command = [sys.executable, "-m", "tests.benchmarks.bench_upload"]
    command += ["--client", str(server.port), str(first)]
    for name in ("uploads", "size", "concurrency"):
        command += [f"--{name}", str(getattr(options, name))]
    before = server.cpu()
    done = subprocess.run(command, check=True, capture_output=True)
    result = Round(json.loads(done.stdout), (server.cpu() - before) / options.uploads)
    subprocess.run(["sync", "--file-system", root], check=True)  # not in the next round
    return result


@contextmanager
def _running(command: list[str], folder: Path) -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as trial:
        port = trial.getsockname()[1]
    environment = {**os.environ, "IMAGEHOST_TOKEN": _TOKEN, "PYTHONPATH": os.getcwd()}
    process = subprocess.Popen(
        [*command, str(port)], cwd=folder, env=environment, stderr=subprocess.DEVNULL
    )
    try:
        while not _answers(port):
            if process.poll() is not None:
                sys.exit(f"{' '.join(command)} has ended")
            time.sleep(0.05)
        yield Server(process, port)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


@contextmanager
def _disturbed(root: Path) -> Iterator[None]:
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.bench_upload",
        "--disturb",
        str(root / "noise"),
    ]
    process = subprocess.Popen(command)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _disturb(file: Path) -> None:
    """Write and sync steadily, until killed."""
    noise = os.urandom(_DISTURBANCE)
    with file.open("wb", buffering=0) as target:
        while True:
            target.seek(0)
            target.write(noise)
            os.fsync(target.fileno())
            time.sleep(_PAUSE)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        return bool(connection.getresponse().status)
    except OSError:
        return False
    finally:
        connection.close()


def _send(port: int, first: int, options: argparse.Namespace) -> float:
    """Upload from several threads with persistent connections; return uploads per second."""
    start_of_body, end_of_body = _form(options.size, port)
    numbers = iter(range(first, first + options.uploads))
    lock = threading.Lock()

    def work(_number: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            answers = connection.makefile("rb")
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                _send_all(connection, [start_of_body, b"%0*d" % (_NUMBER, number), end_of_body])
                _read_answer(answers)

    with ThreadPoolExecutor(options.concurrency) as pool:
        start = time.perf_counter()
        list(pool.map(work, range(options.concurrency)))  # raises what a thread raised
    return float(options.uploads / (time.perf_counter() - start))


def _form(size: int, port: int) -> tuple[bytes, bytes]:
    """Return what stands before and behind the number in a request."""
    picture = make_picture(0, size)
    at = size // 2
    boundary = "-" * 24 + "b" * 22  # as sent by curl
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="img"; filename="a.png"\r\n\r\n'
    tail = f"\r\n--{boundary}--\r\n"
    lines = [
        "POST /upload/image HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        f"Authorization: Bearer {_TOKEN}",
        f"Content-Type: multipart/form-data; boundary={boundary}",
        f"Content-Length: {len(head) + size + len(tail)}",
    ]
    before = "\r\n".join([*lines, "", ""]) + head
    return before.encode() + picture[:at], picture[at + _NUMBER :] + tail.encode()


def _send_all(connection: socket.socket, parts: list[bytes]) -> None:
    sent = connection.sendmsg(parts)
    if sent < sum(map(len, parts)):
        connection.sendall(memoryview(b"".join(parts))[sent:])


def _read_answer(answers: BinaryIO) -> None:
    status = answers.readline()
    length = 0
    while (line := answers.readline()) != b"\r\n":
        if line.lower().startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    body = answers.read(length)
    if b" 200 " not in status:
        raise RuntimeError(f"{status!r} {body!r}")


if __name__ == "__main__":
    main()
