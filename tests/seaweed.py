"""SeaweedFS, a real object store: one master, three volume servers, a filer, two S3 gateways.

Everything listens on 127.0.0.1 only. Each image is kept by two of the three volume servers.
"""

from __future__ import annotations

import http.client
import http.server
import json
import os
import signal
import socket
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from pelican_imagehost.publish.bucket import Bucket
from pelican_imagehost.publish.objects import Objects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["BUCKET", "KEYS", "NEWCOMER", "Place", "Seaweed", "get", "relay"]

BUCKET = "pictures"
KEYS = {
    "AWS_ACCESS_KEY_ID": "tester",
    "AWS_SECRET_ACCESS_KEY": "not-a-secret",
    "AWS_EC2_METADATA_DISABLED": "true",  # no test may ask a metadata address
}
NEWCOMER = {  # may do what the policy of a bucket says
    "AWS_ACCESS_KEY_ID": "newcomer",
    "AWS_SECRET_ACCESS_KEY": "not-a-secret-at-all",
}
_PATIENCE = 60.0  # seconds until a server answers, on a busy machine
# Each volume server may hold this many volumes, which are files that grow: 19 GB for all three.
# The three rounds of bench_bucket need 12.
_VOLUMES = "100"


class Reply(NamedTuple):
    """What a reader gets."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


def get(url: str, **headers: str) -> Reply:
    """Ask for an address, as a reader does."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    try:
        connection.request("GET", parts.path, headers=headers)
        answer = connection.getresponse()
        return Reply(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


class Seaweed:
    """The servers, each with a folder of its own.

    Args:
        program: `weed`.
        folder: an empty folder.
        disk: a folder for the volumes; `folder` if None.
    """

    def __init__(self, program: str, folder: Path, disk: Path | None = None) -> None:
        self.program, self._folder, self._disk = program, folder, disk or folder
        self._commands: dict[str, list[str]] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.ports: dict[str, int] = {}
        (folder / "s3.json").write_text(json.dumps(_identities()))

    @property
    def gateways(self) -> list[str]:
        """Return the addresses of the S3 gateways."""
        return [f"http://127.0.0.1:{self.ports[name]}" for name in ("s3a", "s3b")]

    def start(self) -> None:
        """Start everything, and wait until both gateways answer."""
        self._add("master", "master", "-volumeSizeLimitMB=64", "-mdir={folder}")
        self._wait("master")
        master = f"-master={self.address('master')}"
        for name in ("volume1", "volume2", "volume3"):
            place = self._disk / f"{name}-volumes"
            place.mkdir()
            options = (f"-dir={place}", f"-max={_VOLUMES}", "-minFreeSpace=1MiB", "-index=memory")
            self._add(name, "volume", master, *options)
        for name in ("volume1", "volume2", "volume3"):
            self._wait(name)
        self._add(
            "filer", "filer", master, "-defaultStoreDir={folder}", "-defaultReplicaPlacement=001"
        )
        self._wait("filer")
        self._make_bucket()
        for name in ("s3a", "s3b"):
            gateway = ("-port.lance=0", "-port.iceberg=0", "-iam=false")
            filer = f"-filer={self.address('filer')}"
            self._add(name, "s3", filer, f"-config={self._folder}/s3.json", *gateway)
        for name in ("s3a", "s3b"):
            self._wait(name)

    def address(self, name: str) -> str:
        """Return where a server listens: host, port and port of gRPC."""
        return f"127.0.0.1:{self.ports[name]}.{self.ports[name + '.grpc']}"

    def kill(self, name: str) -> None:
        """Kill a server, as a machine that loses its power."""
        process = self._processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def restart(self, name: str) -> None:
        """Start a killed server again, and wait until it answers."""
        self._launch(name)
        self._wait(name)

    def processes(self) -> list[int]:
        """Return the processes of all servers."""
        return [process.pid for process in self._processes.values()]

    def close(self) -> None:
        """Kill all servers."""
        for name in [*self._processes]:
            self.kill(name)

    def _make_bucket(self) -> None:
        """Make the bucket, which is a folder of the filer, before the gateways look."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["filer"], timeout=60)
        connection.request("POST", f"/buckets/{BUCKET}/")
        assert connection.getresponse().status == 201
        connection.close()

    def _add(self, name: str, kind: str, *options: str) -> None:
        folder = self._folder / name
        folder.mkdir()
        self.ports[name], self.ports[f"{name}.grpc"] = _free_ports(2)
        ports = (f"-port={self.ports[name]}", f"-port.grpc={self.ports[f'{name}.grpc']}")
        local = ("-ip.bind=127.0.0.1", *(() if kind == "s3" else ("-ip=127.0.0.1",)))
        options = tuple(option.format(folder=folder) for option in options)
        self._commands[name] = [self.program, kind, *ports, *local, *options]
        self._launch(name)

    def _launch(self, name: str) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                self._commands[name],
                cwd=self._folder / name,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"HOME": str(self._folder), "PATH": os.environ["PATH"]},
            )

    def _wait(self, name: str) -> None:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            assert self._processes[name].poll() is None, self._log(name)
            path = "/status" if name.startswith("s3") else "/"
            with suppress(OSError, http.client.HTTPException):
                if get(f"http://127.0.0.1:{self.ports[name]}{path}").status < 500:
                    return
            time.sleep(0.05)
        raise AssertionError(f"{name} does not answer: {self._log(name)}")

    def _log(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text(errors="replace")[-3000:]


class Relay(http.server.ThreadingHTTPServer):
    """Stands before a gateway, and may do something at each request.

    Attributes:
        answer: called with the number of a request, from 1; returns a status to answer at once.
    """

    daemon_threads = True

    def __init__(self, gateway: str, answer: Callable[[int], int | None]) -> None:
        super().__init__(("127.0.0.1", 0), _Forward)
        self.gateway, self.answer = gateway.removeprefix("http://"), answer
        self.endpoint = f"http://127.0.0.1:{self.server_address[1]}"
        self.count = self.active = 0
        self.lock = threading.Lock()


class _Forward(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Relay

    def handle_any(self) -> None:
        with self.server.lock:
            self.server.active += 1
        try:
            self._forward()
        except ConnectionError:  # the author was killed
            self.close_connection = True
        finally:
            with self.server.lock:
                self.server.active -= 1

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.server.lock:
            self.server.count += 1
            status = self.server.answer(self.server.count)
        if status is not None:
            self._reply(status, b"<Error><Code>SlowDown</Code></Error>", [])
            return
        connection = http.client.HTTPConnection(self.server.gateway, timeout=60)
        try:  # with the same Host, which is signed
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            self._reply(answer.status, answer.read(), answer.getheaders())
        finally:
            connection.close()

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any  # noqa: N815  the base's names

    def _reply(self, status: int, body: bytes, headers: list[tuple[str, str]]) -> None:
        self.send_response_only(status)
        dropped = {"connection", "transfer-encoding"}
        names = {name.lower() for name, _ in headers}
        for name, value in headers:
            if name.lower() not in dropped:
                self.send_header(name, value)
        if "content-length" not in names:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if self.command != "HEAD" else b"")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base's name
        pass


@contextmanager
def relay(seaweed: Seaweed, answer: Callable[[int], int | None]) -> Iterator[Relay]:
    """Run a relay before the first gateway."""
    with Relay(seaweed.gateways[0], answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
            while server.active:  # what a killed author has asked for is still done
                time.sleep(0.01)


class Place:
    """A prefix of the bucket, with nothing in it yet.

    Args:
        seaweed: the servers.
        prefix: its name.

    Attributes:
        remote: its address, as in IMAGEHOST_REMOTE, at the first gateway.
        url: where readers find it, at the second gateway.
        objects: its objects.
    """

    def __init__(self, seaweed: Seaweed, prefix: str) -> None:
        self._seaweed, self._prefix = seaweed, prefix
        first, second = seaweed.gateways
        self.remote = self.remote_at(first)
        self.url = f"{second}/{BUCKET}/{prefix}"
        self.objects = Objects(Bucket.parse(self.remote))

    def remote_at(self, endpoint: str, *options: str) -> str:
        """Return the address of the place at another gateway, or with more options."""
        query = "&".join((f"endpoint={endpoint}", "region=us-east-1", *options))
        return f"s3://{BUCKET}/{self._prefix}?{query}"

    def names(self) -> set[str]:
        """Return the names of all objects."""
        return {one.name for one in self.objects.list()}

    def beside(self, name: str) -> Place:
        """Return another place."""
        return Place(self._seaweed, f"{self._prefix}-{name}")


def _identities() -> object:
    """Return the users: who may do everything, only read, and nothing by themselves."""
    author, newcomer = (
        {"accessKey": keys["AWS_ACCESS_KEY_ID"], "secretKey": keys["AWS_SECRET_ACCESS_KEY"]}
        for keys in (KEYS, NEWCOMER)
    )
    reader = {"accessKey": "reader", "secretKey": "not-a-secret-either"}
    rights = ["Admin", "Read", "Write", "List", "Tagging"]
    return {
        "identities": [
            {"name": "author", "credentials": [author], "actions": rights},
            {"name": "newcomer", "credentials": [newcomer], "actions": []},
            {
                "name": "reader",
                "credentials": [reader],
                "actions": [f"List:{BUCKET}", f"Read:{BUCKET}"],
            },
            {"name": "anonymous", "actions": [f"Read:{BUCKET}"]},
        ]
    }


def _free_ports(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
