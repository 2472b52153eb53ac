"""Request images over HTTP, with connections that stay open."""

from __future__ import annotations

import hashlib
import http.client
import os
import socket
import ssl
from typing import NamedTuple
from urllib.parse import quote, urljoin, urlsplit

from pelican_imagehost.images.image import KEY, MEDIA_TYPES, digest_of

__all__ = ["Answer", "Client"]

_TIMEOUT = 20  # seconds for one answer
_HOPS = 5  # redirects
_CHUNK = 64 * 1024
_HEADERS = {
    "Cache-Control": "no-cache",
    "Accept-Encoding": "identity",
    "User-Agent": "pelican-imagehost",
}
_RESERVED = "%:/?#[]@!$&'()*+,;="  # what an address means stays (RFC 3986, section 2.2)
_NO_HEAD = {405, 501}
_REDIRECTS = {301, 302, 303, 307, 308}
_UNKNOWN_TYPES = {"", "application/octet-stream", "binary/octet-stream"}  # of plain servers
_OK = 200


class Answer(NamedTuple):
    """The problem with an address; false if the image is online.

    Attributes:
        text: the answer or error; "" if the image is online and complete.
        status: the status code; 0 without an answer.
        is_final: whether waiting cannot help.
    """

    text: str
    status: int = 0
    is_final: bool = False

    def __bool__(self) -> bool:
        """Return whether there is a problem."""
        return bool(self.text)


class _Reply(NamedTuple):
    """An answer without its body: the headers, and for GET the length and SHA-256 of the body."""

    url: str
    status: int
    reason: str
    headers: http.client.HTTPMessage
    length: int
    digest: str

    @property
    def type(self) -> str:
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()


class Client:
    """A client that keeps a connection open to each host; for one thread."""

    def __init__(self) -> None:
        self._connections: dict[tuple[str, str], http.client.HTTPConnection] = {}

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections.values():
            connection.close()

    def check(self, url: str, size: int | None) -> Answer:
        """Check that an image is online: its type, and its length or, if unknown, its bytes.

        Args:
            url: the address, which ends in the key.
            size: the expected size in bytes, None if unknown.
        """
        try:
            reply = self._follow("HEAD", url)
            if reply.status in _NO_HEAD:
                reply = self._follow("GET", url)
            problem = _judge(reply, url, size)
            if problem is None:  # the headers do not prove it
                problem = _judge(self._follow("GET", url), url, size)
        except ssl.SSLCertVerificationError as error:
            reason = f"its certificate is not valid: {error.verify_message}"
            return Answer(reason, is_final=True)
        except socket.gaierror as error:
            unknown = error.errno == socket.EAI_NONAME
            host = urlsplit(url).hostname
            return Answer(f"no host named {host}: {error.strerror}", is_final=unknown)
        except (OSError, http.client.HTTPException, ValueError) as error:
            return Answer(getattr(error, "strerror", None) or str(error) or type(error).__name__)
        return problem or Answer("")

    def _follow(self, method: str, url: str) -> _Reply:
        for _ in range(_HOPS):
            reply = self._ask(method, url)
            target = reply.headers.get("Location")
            if reply.status not in _REDIRECTS or not target:
                break
            url = urljoin(url, target)
        return reply

    def _ask(self, method: str, url: str) -> _Reply:
        parts = urlsplit(url)
        place = (parts.scheme, parts.netloc)
        if place in self._connections:
            try:
                return self._exchange(self._connections[place], method, url)
            except (http.client.HTTPException, ConnectionError):
                self._connections.pop(place).close()  # the server had closed it
        connection = self._connections[place] = _connect(*place)
        return self._exchange(connection, method, url)

    def _exchange(self, connection: http.client.HTTPConnection, method: str, url: str) -> _Reply:
        parts = urlsplit(url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        absolute = getattr(connection, "takes_whole_urls", False)
        target = quote(url if absolute else path, safe=_RESERVED)
        try:
            connection.request(method, target, headers=_HEADERS)
            with connection.getresponse() as answer:
                length, digest = 0, hashlib.sha256()
                while chunk := answer.read(_CHUNK):
                    length += len(chunk)
                    digest.update(chunk)
        except BaseException:
            connection.close()
            raise
        found = digest.hexdigest() if method == "GET" else ""
        return _Reply(url, answer.status, answer.reason, answer.headers, length, found)


def _judge(reply: _Reply, url: str, size: int | None) -> Answer | None:
    """Return the problem that an answer shows; None if a HEAD leaves it open."""
    match = KEY.search(url, max(url.rfind("/") - 2, 0))
    kind = MEDIA_TYPES[match[3]] if match else ""
    is_image = reply.type == kind or (reply.type.startswith("image/") and kind != "image/svg+xml")
    moved = f"redirects to {reply.url}: " if reply.url != url else ""
    if reply.status != _OK:
        return Answer(f"{moved}{reply.status} {reply.reason}", 0 if moved else reply.status)
    if not is_image and (reply.type not in _UNKNOWN_TYPES or kind == "image/svg+xml"):
        what = f"{moved}{reply.type or 'no type'} instead of {kind}"
        return Answer(what, reply.status, is_final=bool(moved))
    if reply.digest:
        if match and reply.digest == digest_of(match[0]):
            return Answer("")
        wrong = f"{reply.length} bytes instead of {size}"
        return Answer(wrong if reply.length != size and size is not None else "other bytes")
    length = reply.headers.get("Content-Length", "")
    if not is_image or size is None or not length.isdigit() or "Content-Encoding" in reply.headers:
        return None
    return Answer("" if int(length) == size else f"{moved}{length} bytes instead of {size}")


class _ByProxy(http.client.HTTPConnection):
    """A connection to a proxy, which wants whole URLs (RFC 9112, section 3.2.2)."""

    takes_whole_urls = True


def _connect(scheme: str, netloc: str) -> http.client.HTTPConnection:
    proxy = _proxy(scheme, netloc)
    if scheme == "http":
        return (_ByProxy if proxy else http.client.HTTPConnection)(
            proxy or netloc, timeout=_TIMEOUT
        )
    if scheme != "https":
        raise ValueError(f"{scheme}: is not supported")
    context = ssl.create_default_context()
    connection = http.client.HTTPSConnection(proxy or netloc, timeout=_TIMEOUT, context=context)
    if proxy:
        connection.set_tunnel(netloc)
    return connection


def _proxy(scheme: str, netloc: str) -> str:
    """Return the host of the proxy for an address, from `http_proxy` and the like."""
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return ""
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415  seldom needed

    if proxy_bypass(netloc):
        return ""
    proxy = getproxies().get(scheme, "")
    return urlsplit(proxy).netloc.rpartition("@")[2] or proxy
