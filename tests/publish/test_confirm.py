"""What real servers answer, and what it means: each answer that is not the whole image."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import ssl
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from pelican_imagehost.publish.confirm import Expected, find_absent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Require

BODY = b"the bytes of an image" * 20
DIGEST = hashlib.sha256(BODY).hexdigest()
KEY = f"{DIGEST[:2]}/{DIGEST}.png"


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as the test wants it, over connections that stay open, and counts."""

    protocol_version = "HTTP/1.1"
    answer: Callable[[Handler], None]
    connections = 0
    methods: list[str]

    def setup(self) -> None:
        super().setup()
        type(self).connections += 1

    def do_GET(self) -> None:
        self.methods.append(self.command)
        type(self).answer(self)

    do_HEAD = do_GET  # noqa: N815  the base's names

    def reply(self, status: int = 200, body: bytes = BODY, **headers: Any) -> None:  # noqa: ANN401
        self.send_response(status)
        headers = {"Content_Type": "image/png", "Content_Length": len(body), **headers}
        for name, value in headers.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base's name
        pass


@contextlib.contextmanager
def running(answer: Callable[[Handler], None], wrap: Any = None) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    handler = type("One", (Handler,), {"answer": answer, "methods": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if wrap:
        server.socket = wrap.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        scheme = "https" if wrap else "http"
        yield f"{scheme}://127.0.0.1:{server.server_address[1]}/", handler
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def ask(url: str, *, size: int | None = len(BODY), **options: Any) -> tuple[str, bool, list[str]]:  # noqa: ANN401
    """Return the answer for the image, whether it is final, and the messages."""
    said: list[str] = []
    options = {"patience": 0.6, **options}
    absent = find_absent([Expected(url + KEY, size)], say=said.append, **options)
    return next(iter(absent.answers.values()), ""), absent.is_final, said


def page(handler: Handler) -> None:
    handler.reply(body=b"<!doctype html>", Content_Type="text/html; charset=utf-8")


def page_of_the_same_length(handler: Handler) -> None:
    handler.reply(Content_Type="text/html")


def short(handler: Handler) -> None:
    handler.reply(body=BODY[:-1])


def broken(handler: Handler) -> None:
    handler.reply(body=BODY[:-1] + b"?", Content_Length=None, Connection="close")
    handler.close_connection = True


def busy(handler: Handler) -> None:
    handler.reply(503, body=b"")


def missing(handler: Handler) -> None:
    handler.reply(404, body=b"no")


def to_a_page(handler: Handler) -> None:
    if handler.path == "/login":
        page(handler)
    else:
        handler.reply(302, body=b"", Location="/login")


def round_and_round(handler: Handler) -> None:
    handler.reply(301, body=b"", Location=handler.path)


def hangs_up(handler: Handler) -> None:
    handler.close_connection = True


WRONG: dict[Callable[[Handler], None], tuple[str, bool]] = {
    page: ("text/html instead of image/png", False),
    page_of_the_same_length: ("text/html instead of image/png", False),
    short: (f"{len(BODY) - 1} bytes instead of {len(BODY)}", False),
    broken: ("other bytes", False),
    busy: ("503 Service Unavailable", False),
    missing: ("404 Not Found", False),
    to_a_page: ("text/html instead of image/png", True),
    round_and_round: ("301 Moved Permanently", False),
    hangs_up: ("Remote end closed connection", False),
}


class SaidError(Exception):
    """What is said before the first pause; nobody waits for its end."""


def raise_said(message: str) -> None:
    raise SaidError(message)


@pytest.mark.parametrize("answer", WRONG, ids=lambda answer: answer.__name__)
def test_any_other_answer_is_not_the_image(answer: Callable[[Handler], None]) -> None:
    text, expected = WRONG[answer]
    with running(answer) as (url, _):
        found, is_final, _ = ask(url, patience=0)
        assert text in found
        assert is_final == expected
        if not is_final:  # the first message has the address and the answer already
            with pytest.raises(SaidError) as said:
                find_absent([Expected(url + KEY, len(BODY))], patience=300, say=raise_said)
            assert url + KEY in str(said.value)
            assert found in str(said.value)


def plain(handler: Handler) -> None:
    handler.reply()


def no_head(handler: Handler) -> None:
    if handler.command == "HEAD":
        handler.reply(405, body=b"")
    else:
        handler.reply()


def no_length(handler: Handler) -> None:
    handler.reply(Content_Length=None, Connection="close")
    handler.close_connection = True


def no_type(handler: Handler) -> None:
    handler.reply(Content_Type=None)


def octets(handler: Handler) -> None:
    handler.reply(Content_Type="application/octet-stream")


def elsewhere(handler: Handler) -> None:
    if handler.path.startswith("/cdn/"):
        handler.reply()
    else:
        handler.reply(307, body=b"", Location=f"/cdn{handler.path}")


@pytest.mark.parametrize("answer", [plain, no_head, no_length, no_type, octets, elsewhere])
def test_the_whole_image_is_recognised(answer: Callable[[Handler], None]) -> None:
    with running(answer) as (url, handler):
        assert ask(url) == ("", False, [])
        assert ("GET" in handler.methods) == (answer not in {plain, elsewhere})
        assert ask(url, size=None)[0] == ""


def test_waiting_ends_when_the_image_is_there() -> None:
    answers = iter([busy, missing, page, plain])

    def in_turn(handler: Handler) -> None:
        next(answers)(handler)

    with running(in_turn) as (url, _):
        found, _, said = ask(url, patience=30)
    assert found == ""
    assert ["503" in said[0], "404" in said[1], "text/html" in said[2]] == [True] * 3


def test_a_missing_image_on_a_host_of_ours_ends_the_wait() -> None:
    with running(missing) as (url, _):
        start = time.monotonic()
        found, is_final, _ = ask(url, patience=300, ours=True)
    assert (found, is_final) == ("404 Not Found", True)
    assert time.monotonic() - start < 150


def test_a_certificate_that_does_not_fit_ends_the_wait(tmp_path: Path, require: Require) -> None:
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    options = ["-subj", "/CN=other.example.com", "-keyout", "key.pem", "-out", "cert.pem"]
    try:
        subprocess.run([*command, *options], cwd=tmp_path, check=True, capture_output=True)
    except FileNotFoundError:
        require(False, "openssl is not installed")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with running(plain, context) as (url, _):
        found, is_final, said = ask(url, patience=300)
    assert "its certificate is not valid" in found
    assert (is_final, said) == (True, [])


def test_nobody_listens() -> None:
    with running(plain) as (url, _):
        pass
    found, is_final, said = ask(url, patience=2)
    assert "Connection refused" in found
    assert not is_final
    assert "Connection refused" in said[0]


def test_many_addresses_share_a_few_connections() -> None:
    with running(plain) as (url, handler):
        many = [Expected(f"{url}{number}/{KEY}", len(BODY)) for number in range(500)]
        assert find_absent(many, patience=0, say=print).answers == {}
        assert len(handler.methods) == 500
        assert handler.connections <= 8


def test_a_connection_that_the_server_closed_is_opened_again() -> None:
    def impatient(handler: Handler) -> None:
        handler.reply()
        handler.close_connection = True

    with running(impatient) as (url, _):
        many = [Expected(f"{url}{number}/{KEY}", len(BODY)) for number in range(50)]
        assert find_absent(many, patience=0, say=print).answers == {}
