"""A running service, as `pelican-imagehost serve` starts it, and a plain client."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import secrets
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.client import HTTPMessage

    from tests.conftest import Site

TOKEN = secrets.token_urlsafe(24)
Part = tuple[str, str | None, bytes]  # field, file name or none, content


class Answer(NamedTuple):
    """An answer of the service."""

    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401  whatever JSON holds
        return json.loads(self.body)


def encode(parts: list[Part], boundary: str = "---boundary---") -> tuple[bytes, str]:
    """Encode a form, as browsers do; return its body and its content type."""
    lines: list[bytes] = []
    for field, filename, content in parts:
        disposition = f'form-data; name="{field}"'
        if filename is not None:
            disposition += f'; filename="{filename}"'
        lines += [f"--{boundary}".encode(), f"Content-Disposition: {disposition}".encode()]
        lines += [b"", content]
    body = b"\r\n".join([*lines, f"--{boundary}--".encode(), b""])
    return body, f"multipart/form-data; boundary={boundary}"


class Server:
    """The service in a separate process.

    Args:
        site: the site.
        options: the options of `serve`.
        environment: more environment variables.
    """

    def __init__(self, site: Site, *options: str, **environment: str) -> None:
        self.site = site
        self._command = [sys.executable, "-m", "pelican_imagehost", "serve", "--port", "0"]
        self._command += options
        self._environment = {**os.environ, "IMAGEHOST_TOKEN": TOKEN, **environment}
        self.start()

    def start(self) -> None:
        self.log = self.site.root.parent / "serve.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self._command,
                cwd=self.site.root,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        while True:
            match = re.search(r"http://127\.0\.0\.1:([0-9]+)/", self.log.read_text("utf-8"))
            if match and self._is_alive(int(match[1])):
                self.port = int(match[1])
                return
            assert self.process.poll() is None, self.log.read_text("utf-8")

    def _is_alive(self, port: int) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("POST", "/heartbeat")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> str:
        """Stop it as Ctrl-C does; return its output."""
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(60) == 0, self.log.read_text("utf-8")
        return self.log.read_text("utf-8")

    def kill(self) -> None:
        """Kill it and its workers."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Send a request; underscores in names of headers are dashes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body, named)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def post(
        self, path: str, parts: list[Part], token: str | None = TOKEN, **headers: str
    ) -> Answer:
        """Send a form with the token."""
        body, kind = encode(parts)
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return self.request("POST", path, body, Content_Type=kind, **headers)

    def upload(self, content: bytes, name: str = "a.png") -> Answer:
        return self.post("/upload/image", [("img", name, content)])

    def leftovers(self) -> list[str]:
        """List the temporary files of uploads."""
        return [file.name for file in (self.site.root / "images/.uploads").glob("*.part")]


async def attempt(port: int, content: bytes) -> tuple[int, str]:
    """Upload once; return the status, 0 if there was no answer, and the address."""
    body, kind = encode([("img", "a.png", content)])
    head = (
        f"POST /upload/image HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(head.encode() + body)
            answer = await reader.read()
        finally:
            writer.close()
    except OSError:
        return 0, ""
    headers, _, said = answer.partition(b"\r\n\r\n")
    if not said:
        return 0, ""
    status = int(headers.split()[1])
    return status, json.loads(said)["url"] if status == 200 else ""


@pytest.fixture
def upload_site(site: Site) -> Site:
    """A site that keeps files as they are: tests tell them apart by bytes behind the image."""
    site.configure(IMAGEHOST_URL="https://img.example.com", IMAGEHOST_KEEP_METADATA=["all"])
    return site


@pytest.fixture
def server(upload_site: Site) -> Iterator[Server]:
    running = Server(upload_site)
    yield running
    if running.process.poll() is None:
        running.kill()
