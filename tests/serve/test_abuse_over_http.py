"""Hostile connections: bodies with a wrong length, slow ones, and endless ones."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest
import uvicorn

from pelican_imagehost.serve.app import create
from pelican_imagehost.serve.body import Patience
from pelican_imagehost.serve.protocol import Protocol
from pelican_imagehost.serve.service import Service
from tests.serve.abuse import GIF, check_refused, picture, server, unharmed
from tests.serve.serverkit import TOKEN, Answer, encode, upload_site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Site
    from tests.serve.serverkit import Server

__all__ = ["server", "unharmed", "upload_site"]  # fixtures

PATIENCE = Patience(silence=1.0, start=2.0, slowest=10_000, lingering=1.0)


@contextmanager
def impatient(site: Site) -> Iterator[int]:
    """Run a service in this process with short time limits; yield its port."""
    service = Service(
        site.settings(), {"me": TOKEN}, site.root / "pelicanconf.py", patience=PATIENCE
    )
    config = uvicorn.Config(create(service), log_config=None, timeout_keep_alive=2, http=Impatient)
    running = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=running.run, args=[[listener]])
        thread.start()
        yield listener.getsockname()[1]
        running.should_exit = True
        thread.join()


def head(*lines: str) -> bytes:
    first = ["POST /upload/image HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {TOKEN}"]
    return "\r\n".join(
        [*first, "Content-Type: multipart/form-data; boundary=b", *lines, "", ""]
    ).encode()


START = b'--b\r\nContent-Disposition: form-data; name="img"; filename="a.gif"\r\n\r\n'
WHOLE = START + GIF + b"\r\n--b--\r\n"


def read_answer(connection: socket.socket) -> Answer:
    response = http.client.HTTPResponse(connection)
    response.begin()
    return Answer(response.status, response.headers, response.read())


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=60)


@pytest.mark.parametrize("expects", [False, True])
def test_a_body_of_gigabytes_is_answered_at_once_and_the_connection_ends(
    upload_site: Site, *, expects: bool
) -> None:
    more = ["Expect: 100-continue"] if expects else []
    with impatient(upload_site) as port, connect(port) as connection:
        connection.sendall(head("Content-Length: 5000000000", *more))
        if not expects:
            connection.sendall(START)
        answer = read_answer(connection)
        check_refused(answer, 413, "too_large")
        assert answer.headers["Connection"] == "close"
        assert connection.recv(1) == b""


def test_who_sends_on_for_gigabytes_is_cut_off_after_a_while(upload_site: Site) -> None:
    with impatient(upload_site) as port, connect(port) as connection:
        connection.sendall(head("Content-Length: 5000000000"))
        check_refused(read_answer(connection), 413, "too_large")
        with pytest.raises(ConnectionError):
            connection.sendall(bytes(1_000_000_000))


def test_who_sends_all_before_reading_sees_the_answer(unharmed: Server) -> None:
    body, kind = encode([("img", "a.gif", GIF + bytes(30_000_000))])
    answer = unharmed.request("POST", "/upload/image", body, Content_Type=kind)
    check_refused(answer, 401, "no_token")
    headers = {"Authorization": f"Bearer {TOKEN}", "Content_Type": kind}
    answer = unharmed.request("POST", "/upload/image", body, **headers)
    check_refused(answer, 413, "too_large")


def test_chunks_that_never_end_are_refused_when_there_are_too_many(unharmed: Server) -> None:
    with connect(unharmed.port) as connection:
        connection.sendall(head("Transfer-Encoding: chunked"))
        size = 500_000
        for part in [START + GIF, *[bytes(size)] * 24]:
            connection.sendall(b"%x\r\n%s\r\n" % (len(part), part))
        check_refused(read_answer(connection), 413, "too_large")


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_a_body_in_chunks_of_any_size_comes_through_whole(server: Server, size: int) -> None:
    image = picture(size, 250_000)
    body = WHOLE.replace(GIF, image)
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    with connect(server.port) as connection:
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
        connection.sendall(head("Transfer-Encoding: chunked") + chunks + b"0\r\n\r\n")
        assert read_answer(connection).status == 200
    (file,) = server.site.root.glob(f"images/??/{hashlib.sha256(image).hexdigest()}.png")
    assert file.read_bytes() == image


def test_a_length_that_says_too_little_cuts_the_form_off(unharmed: Server) -> None:
    with connect(unharmed.port) as connection:
        connection.sendall(head(f"Content-Length: {len(START) + 9}") + START + GIF[:9])
        check_refused(read_answer(connection), 400, "cut_off")
    with connect(unharmed.port) as connection:  # the rest must not be read as a request
        connection.sendall(head(f"Content-Length: {len(START) + 9}") + WHOLE)
        assert read_answer(connection).status == 400


@pytest.mark.parametrize("lengths", [["-1"], ["1e3"], ["9" * 400], ["5", "6"], ["٣"]])
def test_an_invalid_length_gets_an_answer_of_400(unharmed: Server, lengths: list[str]) -> None:
    with connect(unharmed.port) as connection:
        connection.sendall(head(*[f"Content-Length: {length}" for length in lengths]) + WHOLE)
        assert read_answer(connection).status == 400


def test_a_length_and_chunks_at_once_are_refused(unharmed: Server) -> None:
    with connect(unharmed.port) as connection:
        connection.sendall(head("Content-Length: 9", "Transfer-Encoding: chunked") + WHOLE)
        assert read_answer(connection).status == 400


def test_a_sender_who_falls_silent_is_told(upload_site: Site) -> None:
    with impatient(upload_site) as port, connect(port) as connection:
        connection.sendall(head(f"Content-Length: {len(WHOLE) + 99}") + WHOLE[:-4])
        check_refused(read_answer(connection), 408, "too_slow")
        assert connection.recv(1) == b""


def test_a_sender_who_crawls_is_told(upload_site: Site) -> None:
    with impatient(upload_site) as port, connect(port) as connection:
        connection.sendall(head("Content-Length: 100000") + START)
        connection.settimeout(0.1)
        answer = None
        while answer is None:
            connection.sendall(b"x")
            try:
                answer = read_answer(connection)
            except TimeoutError:
                continue
        check_refused(answer, 408, "too_slow")


def test_who_goes_away_leaves_nothing(unharmed: Server) -> None:
    with connect(unharmed.port) as connection:
        connection.sendall(head("Content-Length: 3000000") + START + GIF + bytes(2_000_000))
        while not unharmed.leftovers():
            time.sleep(0.01)
    while unharmed.leftovers():
        time.sleep(0.01)


def test_a_hundred_senders_who_wait_hold_nobody_up(upload_site: Site) -> None:
    with impatient(upload_site) as port:
        waiting = [connect(port) for _ in range(100)]
        for connection in waiting:
            connection.sendall(head("Content-Length: 100000") + START)
        with connect(port) as good:
            good.sendall(head(f"Content-Length: {len(WHOLE)}") + WHOLE)
            assert read_answer(good).status == 200
        for connection in waiting:
            check_refused(read_answer(connection), 408, "too_slow")
            connection.close()
    assert not list((upload_site.root / "images/.uploads").glob("*.part"))


class Impatient(Protocol):
    head_seconds = 1.0


HEADS = {
    "nothing": (b"", b""),
    "half a request line": (b"", b"GET /he"),
    "half a header": (b"", b"POST /heartbeat HTTP/1.1\r\nHost: a\r\nX-A: b"),
    "half a second request": (b"POST /heartbeat HTTP/1.1\r\nHost: a\r\n\r\n", b"GET / HTTP"),
}


@pytest.mark.parametrize("name", HEADS)
def test_a_connection_without_a_whole_head_is_closed(upload_site: Site, name: str) -> None:
    whole, part = HEADS[name]
    with impatient(upload_site) as port, connect(port) as connection:
        if whole:
            connection.sendall(whole)
            assert read_answer(connection).json["success"] is True
        connection.sendall(part)
        assert connection.recv(1) == b""


def test_a_head_that_trickles_in_does_not_keep_its_connection(upload_site: Site) -> None:
    with impatient(upload_site) as port, connect(port) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        connection.settimeout(0.1)
        while True:  # until the test's own time limit
            try:
                connection.sendall(b"X-A: b\r\n")
                if connection.recv(1) == b"":
                    return
            except TimeoutError:
                continue
            except ConnectionError:
                return


def test_a_head_without_end_is_refused(upload_site: Site) -> None:
    with impatient(upload_site) as port, connect(port) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        with suppress(ConnectionError):
            for _ in range(10_000):
                connection.sendall(b"X-A: " + b"b" * 1000 + b"\r\n")
        with suppress(ConnectionError):
            assert connection.recv(100).startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 "))


def test_a_body_may_take_longer_than_a_head(upload_site: Site) -> None:
    with impatient(upload_site) as port, connect(port) as connection:
        connection.sendall(head(f"Content-Length: {len(WHOLE)}"))
        time.sleep(1.5 * Impatient.head_seconds / 2)
        connection.sendall(WHOLE[:9])
        time.sleep(1.5 * Impatient.head_seconds / 2)
        connection.sendall(WHOLE[9:])
        assert read_answer(connection).status == 200


def test_the_service_uses_the_same_limits(server: Server) -> None:
    with connect(server.port) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX-A: " + b"b" * 200_000)
        with suppress(ConnectionError):
            assert connection.recv(100).startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 "))


def send_list(server: Server, body: bytes) -> Answer:
    headers = {"Content_Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
    return server.request("POST", "/upload", body, **headers)


LISTS = {
    "an address": b'{"list": ["https://example.com/a.png"]}',
    "an address without a scheme": b'{"list": ["//example.com/a.png"]}',
    "data": b'{"list": ["data:image/gif;base64,R0lGODlh"]}',
    "another machine's file": b'{"list": ["file://example.com//example.com/a.png"]}',
    "brackets": b'{"list": ["file://["]}',
    "relative": b'{"list": ["a.png"]}',
    "upwards": b'{"list": ["../../a.png"]}',
    "a folder": b'{"list": ["/"]}',
    "nothing": b'{"list": []}',
    "an empty name": b'{"list": [""]}',
    "not there": b'{"list": ["/no/such/file.png"]}',
    "a NUL": b'{"list": ["/etc/hostname\\u0000.png"]}',
    "half a character": b'{"list": ["/\\ud800.png"]}',
    "half a character of an address": b'{"list": ["\\ud800://a"]}',
    "a device": b'{"list": ["/dev/zero"]}',
    "10,000 paths": json.dumps({"list": ["/etc/hostname"] * 10_000}).encode(),
    "a long name": json.dumps({"list": ["/" + "x" * 100_000]}).encode(),
    "numbers": b'{"list": [1]}',
    "no list": b'{"list": "/etc/hostname"}',
    "a list alone": b"[]",
    "no JSON": b"list",
    "nothing at all": b"",
    "no text": b"\xff\xfe{",
    "depth": b'{"list":' + b"[" * 100_000,
    "depth of objects": b'{"list":' * 20_000,
    "a long number": b'{"list": ' + b"9" * 100_000 + b"}",
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_that_names_no_image_is_refused(unharmed: Server, name: str) -> None:
    answer = send_list(unharmed, LISTS[name])
    assert (answer.status, answer.json["success"]) == (400, False)
    assert answer.json["message"]
    assert len(answer.body) < 2000


def test_a_list_longer_than_any_is_refused(unharmed: Server) -> None:
    answer = send_list(unharmed, b'{"list": ["/a"]}' + b" " * 300_000)
    assert (answer.status, answer.json["success"]) == (413, False)


def test_a_list_names_neither_pipes_nor_links_to_text(unharmed: Server, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "text").write_text("secret\n")
    (tmp_path / "link.png").symlink_to(tmp_path / "text")
    answers = {"pipe.png": (400, "is not a regular file"), "link.png": (415, "is a text file")}
    for name, (status, message) in answers.items():
        answer = send_list(unharmed, json.dumps({"list": [str(tmp_path / name)]}).encode())
        assert answer.status == status
        assert message in answer.json["message"]
        assert "secret" not in answer.json["message"]
