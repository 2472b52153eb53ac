"""The preview: the output over HTTP, for this machine only, with a script that updates pages.

The script is inserted when a page is served, never on disk. Nothing is cached. Pages of
other sites must not read the drafts, so only requests for names of this machine are
answered (another name that resolves to 127.0.0.1 is DNS rebinding), and only files in the
output are served, links followed.
"""

from __future__ import annotations

import functools
import http.server
import importlib.resources
import json
import mimetypes
import os
import shutil
import socket
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, BinaryIO, Final
from urllib.parse import parse_qs, quote, unquote, urlsplit

from pelican_imagehost.watch.hub import Hub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pelican_imagehost.watch.gallery import Images
    from pelican_imagehost.watch.messages import Problems

    Take = Callable[[Mapping[str, list[str]]], None]

__all__ = ["Preview"]

_OWN: Final = "/.imagehost/"
_NAMES: Final = frozenset({"127.0.0.1", "localhost", "[::1]", "::1"})
_MANY = 500  # pages
_PULSE = 15.0  # seconds between keep-alive messages
_WAITING = b"<!DOCTYPE html><title>Page not found</title><p>Page not found, or not built yet."
_TYPES: Final = {".webp": "image/webp", ".avif": "image/avif", ".js": "text/javascript",
                 ".woff2": "font/woff2", ".xml": "application/xml"}  # fmt: skip


class Preview:
    """A web server for the output folder, which is set later.

    Args:
        port: the port to listen on; 0 picks a free one.

    Raises:
        OSError: the port is in use, or not permitted.
    """

    def __init__(self, port: int) -> None:
        self.hub = Hub()
        self.root: str | None = None
        self.images: Images | None = None
        self.takers: Mapping[str, Take] = {}
        handler = functools.partial(_Handler, self)
        self._server = _Server(("127.0.0.1", port), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="preview")

    @property
    def address(self) -> str:
        """Return the address of the preview."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def start(self) -> None:
        """Start to serve, in threads."""
        self._thread.start()

    def close(self) -> None:
        """End all threads."""
        self.hub.close()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def changed(self, paths: Iterable[str]) -> None:
        """Notify browsers of changed files of the output, absolute."""
        addresses = self._addresses(paths)
        if addresses:
            self.hub.changed(addresses)

    def wrong(self, problems: Problems) -> None:
        """Notify browsers of all problems: a text, and the addresses of the pages that have it."""
        self.hub.wrong([{"text": text, "pages": self._places(pages)} for text, pages in problems])

    def _places(self, pages: frozenset[str] | None) -> list[str] | None:
        """Return the addresses of pages; None for all of them, or for very many."""
        return None if pages is None or len(pages) > _MANY else self._addresses(sorted(pages))

    def _addresses(self, paths: Iterable[str]) -> list[str]:
        top = f"{self.root}{os.sep}"
        inside = (path[len(top) - 1 :] for path in paths if path.startswith(top))
        return [quote(path.replace(os.sep, "/"), errors="surrogateescape") for path in inside]

    def find(self, address: str) -> str | None:
        """Find the file at an address, as web servers do.

        Args:
            address: the path of a URL, unquoted.

        Returns:
            The file; None if the output does not contain it.
        """
        if self.root is None or "\0" in address:
            return None
        base = f"{self.root}/{address.lstrip('/')}"
        names = (base, f"{base}.html") if not address.endswith("/") else (f"{base}index.html",)
        top = os.path.realpath(self.root) + os.sep
        for name in names:
            if os.path.isfile(name) and os.path.realpath(name).startswith(top):
                return name
        return None

    def is_folder(self, address: str) -> bool:
        """Return whether only the trailing slash is missing from an address."""
        return not address.endswith("/") and self.find(f"{address}/") is not None


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    # Otherwise the port stays in use for a minute; on Windows, the option would share it.
    allow_reuse_address = os.name != "nt"

    def handle_error(self, *_: object) -> None:
        """Ignore errors, because browsers close connections at any time."""


class _Handler(http.server.BaseHTTPRequestHandler):
    """A connection."""

    protocol_version = "HTTP/1.1"
    server_version = "pelican-imagehost"
    sys_version = ""

    def __init__(self, preview: Preview, *arguments: object) -> None:
        self._preview = preview
        super().__init__(*arguments)  # type: ignore[arg-type]

    def setup(self) -> None:
        """Disable buffering, so that each event is sent at once."""
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def do_HEAD(self) -> None:
        """Answer a HEAD request, without a body."""
        self.do_GET()

    def do_GET(self) -> None:
        """Answer a GET request."""
        parts = urlsplit(self.path)
        address = unquote(parts.path, errors="surrogateescape")
        if not self._is_ours():
            self._reply(
                HTTPStatus.FORBIDDEN, b"This preview is only available on the local machine.\n"
            )
        elif address == f"{_OWN}client.js":
            self._reply(HTTPStatus.OK, _client(), "text/javascript; charset=utf-8")
        elif take := self._preview.takers.get(address.removeprefix(_OWN)):
            take(parse_qs(parts.query))
            self._reply(HTTPStatus.OK, b"")
        elif address == f"{_OWN}events":
            self._stream(parse_qs(parts.query))
        elif (own := self._preview.images) and (answer := own.answer(address, parts.query)):
            self._reply(HTTPStatus.OK, answer.body, answer.type, answer.policy)
        elif self._preview.is_folder(address):
            self._redirect(f"{parts.path}/{parts.query and '?'}{parts.query}")
        else:
            self._serve(address)

    def _is_ours(self) -> bool:
        """Return whether the request is for a name of the local machine."""
        host = self.headers.get("Host", "")
        name, colon, port = host.rpartition(":")
        if not colon or not port.isdigit():
            name = host
        return name.lower() in _NAMES

    def _serve(self, address: str) -> None:
        number = self._preview.hub.number  # before the file is read, so that later changes are sent
        file = self._preview.find(address)
        status = HTTPStatus.OK if file else HTTPStatus.NOT_FOUND
        file = file or self._preview.find("/404.html")
        if file is None:
            self._reply_page(status, _WAITING, number)
            return
        try:
            with open(file, "rb") as opened:
                self._send(status, file, opened, number)
        except FileNotFoundError:
            self._reply_page(HTTPStatus.NOT_FOUND, _WAITING, number)

    def _send(self, status: HTTPStatus, file: str, opened: BinaryIO, number: int) -> None:
        suffix = os.path.splitext(file)[1].lower()
        kind = _TYPES.get(suffix) or mimetypes.guess_type(file)[0] or "application/octet-stream"
        if kind == "text/html":
            self._reply_page(status, opened.read(), number)
            return
        if kind.startswith("text/") or kind.endswith(("xml", "json")):
            kind += "; charset=utf-8"
        self._head(status, kind, os.fstat(opened.fileno()).st_size)
        if self.command != "HEAD":
            shutil.copyfileobj(opened, self.wfile)

    def _reply_page(self, status: HTTPStatus, page: bytes, number: int) -> None:
        script = f'<script src="{_OWN}client.js" data-after="{number}" defer></script>'.encode()
        end = page.lower().rfind(b"</body>")
        end = len(page) if end < 0 else end
        page = page[:end] + script + page[end:]
        self._reply(status, page, "text/html; charset=utf-8")

    def _reply(
        self, status: HTTPStatus, body: bytes, kind: str = "text/plain", policy: str = ""
    ) -> None:
        self._head(status, kind, len(body), policy)
        if self.command != "HEAD":
            self.wfile.write(body)

    def _head(self, status: HTTPStatus, kind: str, length: int | None, policy: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        if policy:
            self.send_header("Content-Security-Policy", policy)
        self.end_headers()

    def _redirect(self, address: str) -> None:
        self.send_response(HTTPStatus.FOUND)
        self.send_header("Location", "/" + address.lstrip("/"))  # `//host` would be another site
        self.send_header("Content-Length", "0")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()

    def _stream(self, query: dict[str, list[str]]) -> None:
        """Send messages as they arrive (server-sent events, HTML standard, section 9.2)."""
        self.close_connection = True
        hub = self._preview.hub
        last = self.headers.get("Last-Event-ID") or query.get("after", [""])[0]
        number = int(last) if last.isdecimal() else hub.number
        self._head(HTTPStatus.OK, "text/event-stream", None)
        try:
            state = json.dumps({"problems": hub.problems})
            self._write(f"retry: 500\ndata: {state}\n\n")
            while (news := hub.after(number, _PULSE)) is not None:
                lines = [f"id: {one.number}\ndata: {one.data}\n\n" for one in news]
                self._write("".join(lines) or ": alive\n\n")
                number = news[-1].number if news else number
        except OSError:  # the browser has disconnected
            return

    def _write(self, text: str) -> None:
        self.wfile.write(text.encode())
        self.wfile.flush()


@functools.cache
def _client() -> bytes:
    """Return the scripts, with their library."""
    folder = importlib.resources.files(__package__)
    names = ("idiomorph.min.js", "banner.js", "measure.js", "client.js")
    return b"\n".join(folder.joinpath(name).read_bytes() for name in names)
