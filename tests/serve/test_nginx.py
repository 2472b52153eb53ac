"""Real nginx in front of the service, with the output of `serve --sample nginx`."""

from __future__ import annotations

import configparser
import contextlib
import http.client
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from pelican_imagehost.storage.records import Records
from tests.host.hostkit import key_of
from tests.host.test_nginx import (
    FOREVER,
    POLICY,
    free_port,
    wait_for,
    write_main_configuration,
)
from tests.serve.serverkit import TOKEN, Answer, Server, encode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import PictureMaker, Require, Site

BURST = 41  # one, and the burst of the configuration


class Front:
    """nginx, with the service behind it.

    Args:
        server: the service.
        port: the port of nginx.
        images: the address before a key, with the port of nginx.
    """

    def __init__(self, server: Server, port: int, images: str) -> None:
        self.server = server
        self.port = port
        self.images = images

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with contextlib.closing(connection):
            connection.request(method, path, body, named)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())

    def upload(self, content: bytes, token: str = TOKEN) -> Answer:
        body, kind = encode([("img", "a.png", content)])
        return self.ask(
            "POST", "/upload/image", body, Content_Type=kind, Authorization=f"Bearer {token}"
        )


@pytest.fixture(params=["one name", "two names"])
def front(
    request: pytest.FixtureRequest, site: Site, tmp_path: Path, require: Require
) -> Iterator[Front]:
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    require(nginx, "there is no nginx")
    port = free_port()
    one = f"http://127.0.0.1:{port}/images"
    images = one if request.param == "one name" else f"http://localhost:{port}"
    site.configure(IMAGEHOST_URL=images, IMAGEHOST_MAX_BYTES=300_000)
    server = Server(site)
    options = ("--sample", "nginx", "--name", f"http://127.0.0.1:{port}")
    printed = site.cli("serve", *options, "--port", str(server.port))
    assert printed.returncode == 0, printed.stderr
    written = site.write("nginx.conf", printed.stdout)
    main = write_main_configuration(tmp_path / "nginx", written)
    process = subprocess.Popen(
        [str(nginx), "-c", main, "-e", tmp_path / "nginx/error.log"], stderr=subprocess.DEVNULL
    )
    try:
        wait_for(port)
        yield Front(server, port, images)
    finally:
        process.terminate()
        process.wait()
        if server.process.poll() is None:
            server.kill()


@pytest.fixture
def cat(tmp_path: Path, picture: PictureMaker) -> bytes:
    return picture(tmp_path / "cat.png").read_bytes()


def test_an_upload_goes_through_and_nginx_serves_it_for_ever(front: Front, cat: bytes) -> None:
    answer = front.upload(cat)
    assert (answer.status, answer.json) == (200, {"url": f"{front.images}/{key_of(cat)}"})
    front.server.kill()  # nginx serves images itself
    name = front.images.split("/")[2]
    path = front.images.partition(name)[2] + f"/{key_of(cat)}"
    image = front.ask("GET", path, Host=name)
    assert (image.status, image.body) == (200, cat)
    assert image.headers["Content-Type"] == "image/png"
    assert image.headers["Cache-Control"] == FOREVER
    assert image.headers["X-Content-Type-Options"] == "nosniff"
    assert image.headers["Content-Security-Policy"] == POLICY
    assert front.ask("GET", "/images/.uploads/outbox.lock").status in {404, 503}
    assert front.ask("GET", "/imagehost-uploads.sqlite3", Host=name).status in {404, 503}


def test_what_nginx_cuts_off_it_explains_in_json(front: Front, cat: bytes) -> None:
    answer = front.upload(cat + b"\0" * 2_000_000)
    assert (answer.status, answer.headers["Content-Type"]) == (413, "application/json")
    assert answer.json["error"]["code"] == "too_large"
    assert "300,000 bytes" in answer.json["message"]
    assert answer.json["success"] is answer.json["status"] is False
    assert (
        front.upload(cat + b"\0" * 400_000).json["error"]["code"] == "too_large"
    )  # from the service
    assert front.upload(cat).status == 200


def test_too_many_uploads_at_once_are_told_to_wait(front: Front, cat: bytes) -> None:
    answers = [front.upload(cat) for _ in range(2 * BURST)]
    refused = [answer for answer in answers if answer.status == 429]
    assert len([answer for answer in answers if answer.status == 200]) >= BURST
    assert refused, "nothing was refused"
    assert refused[0].json["error"]["code"] == "too_many"
    assert refused[0].headers["Retry-After"] == "1"
    assert front.ask("GET", "/nothing").status == 404  # only uploads are counted


def test_a_service_that_is_away_is_said_in_json(front: Front, cat: bytes) -> None:
    front.server.kill()
    answer = front.upload(cat)
    assert (answer.status, answer.json["error"]["code"]) == (503, "away")


def test_who_comes_through_nginx_is_not_of_this_machine(front: Front, cat: bytes) -> None:
    file = front.server.site.write("cat.png", cat)
    body = f'{{"list": ["{file}"]}}'.encode()
    for spoofed in ({}, {"X_Forwarded_For": "127.0.0.1"}):
        answer = front.ask(
            "POST",
            "/upload",
            body,
            Content_Type="application/json",
            Authorization=f"Bearer {TOKEN}",
            **spoofed,
        )
        assert (answer.status, answer.json["success"]) == (403, False)


def test_wrong_tokens_are_counted_by_the_clients_own_address(front: Front, cat: bytes) -> None:
    statuses = {front.upload(cat, token="w" * 24).status for _ in range(25)}
    assert statuses == {401, 429}
    body, kind = encode([("img", "a.png", cat)])
    headers = {"Content-Type": kind, "Authorization": f"Bearer {TOKEN}"}
    connection = http.client.HTTPConnection(
        "127.0.0.1", front.port, timeout=10, source_address=("127.0.0.2", 0)
    )
    with contextlib.closing(connection):
        connection.request("POST", "/upload/image", body, headers)
        assert connection.getresponse().status == 200
    records = Records(front.server.site.settings().records, read_only=True)
    assert len(records.all()) == 1
    records.close()


def test_an_address_that_nginx_cannot_serve_is_said(site: Site) -> None:
    site.configure(IMAGEHOST_URL="https://img.example.com/a/b")
    printed = site.cli("serve", "--sample", "nginx")
    assert printed.returncode == 1
    assert b"IMAGEHOST_URL ends in /a/b" in printed.stderr
    site.configure(IMAGEHOST_URL=None)
    assert b"IMAGEHOST_URL is not set" in site.cli("serve", "--sample", "nginx").stderr
    site.configure(IMAGEHOST_REMOTE="img@example.com:images.git")  # another machine serves them
    assert b"proxy_pass" in site.cli("serve", "--sample", "nginx").stdout


def test_the_samples_run_what_runs_here(site: Site) -> None:
    printed = site.cli("serve", "--sample", "supervisor", "--name", "up.example.com").stdout
    parser = configparser.RawConfigParser(interpolation=None)
    parser.read_string(printed.decode())
    command = parser["program:pelican-imagehost"]["command"]
    assert f"-s {site.root / 'pelicanconf.py'} " in command
    unit = site.write("pelican-imagehost.service", site.cli("serve", "--sample", "systemd").stdout)
    assert f"ExecStart={command}\n" in unit.read_text()
    systemd = shutil.which("systemd-analyze")
    if systemd:  # checked by nginx; the rest applies to both
        unit.write_text(unit.read_text().replace("User=imagehost", "User=root"))
        done = subprocess.run([systemd, "verify", unit], capture_output=True, check=False)
        assert done.stderr == b""
