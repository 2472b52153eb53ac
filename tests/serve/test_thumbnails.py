"""Thumbnails of hostile images: the service serves public images meanwhile."""

from __future__ import annotations

import select
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

from pelican_imagehost.serve.access import Access
from tests.gallery.hostile import endless_jpeg
from tests.serve.abuse import GIF
from tests.serve.serverkit import TOKEN, server, upload_site

if TYPE_CHECKING:
    from tests.serve.serverkit import Server

__all__ = ["server", "upload_site"]  # fixtures

WAITING = 60  # more than the threads that serve images


def test_public_images_do_not_wait_behind_thumbnails(server: Server) -> None:
    public = "/images/" + key_of(server, GIF, "a.gif")
    endless = "/thumbnails/" + key_of(server, endless_jpeg(), "a.jpg")
    session = Access({"environment": TOKEN}).open_session("environment")
    request = f"GET {endless} HTTP/1.1\r\nHost: a\r\nCookie: imagehost={session}\r\n\r\n".encode()
    with ExitStack() as stack:
        waiting = [
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            for _ in range(WAITING)
        ]
        for connection in waiting:
            connection.sendall(request)
        for _ in range(20):
            assert server.request("GET", public).body == GIF
            assert server.request("GET", "/login").status == 200
            assert server.upload(GIF).status == 200
        answered = select.select(waiting, [], [], 0)[0]
        assert answered == []  # public images overtake all of them
        # They are answered with the image itself, once the first attempt has been given up.
        assert {connection.recv(12) for connection in waiting} == {b"HTTP/1.1 200"}


def key_of(server: Server, content: bytes, name: str) -> str:
    return str(server.upload(content, name).json["url"]).removeprefix("https://img.example.com/")
