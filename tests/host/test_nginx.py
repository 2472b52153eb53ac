"""Real nginx with the rendered configuration, asked over real sockets."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.host.hostkit import SVG, Author, Content, Host, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Require

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20
KEY, SVG_KEY = key_of(PNG), key_of(SVG, "svg")
FOREVER = "public, max-age=31536000, immutable"
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; sandbox"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def write_main_configuration(folder: Path, included: Path) -> Path:
    """Write what Debian's nginx.conf is around a site's: paths of our own, the same `http`."""
    folder.mkdir()
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind}; "
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""  # test folders are closed to others
    file = folder / "main.conf"
    file.write_text(
        f"{user} daemon off; pid {folder}/pid; error_log {folder}/error.log;\n"
        "events { worker_connections 64; }\n"
        f"http {{ access_log off; {temporary}\n"
        "include /etc/nginx/mime.types; default_type application/octet-stream; gzip on;\n"
        f"include {included}; }}\n"
    )
    return file


class Server:
    """A running nginx."""

    def __init__(self, host: Host, port: int) -> None:
        self.host = host
        self.port = port
        self.author = Author(host.layout.root.parent / "author", host.layout.images)
        self.prefix = "" if host.setup.images else "/images"
        self.name = (host.setup.images or host.setup.site).name

    def ask(
        self, path: str, *, method: str = "GET", name: str = "", **headers: str
    ) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            named = {header.replace("_", "-"): value for header, value in headers.items()}
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", name or self.name)
            for header, value in named.items():
                connection.putheader(header, value)
            connection.endheaders()
            response = connection.getresponse()
            return response, response.read()

    def image(self, key: str, **options: str) -> tuple[http.client.HTTPResponse, bytes]:
        return self.ask(f"{self.prefix}/{key}", **options)

    def push(self, files: dict[str, Content], *parents: str) -> str:
        commit = self.author.commit(files, *parents)
        push = self.author.push(commit)
        assert push.code == 0, push.output
        return commit

    def show(self, files: dict[str, bytes]) -> None:
        """Make a release of ready-made files, as the site's hook does."""
        release = self.host.layout.releases / ("1" * 40)
        for name, content in files.items():
            (release / name).parent.mkdir(parents=True, exist_ok=True)
            (release / name).write_bytes(content)
        if not self.host.layout.current.is_symlink():
            self.host.layout.current.symlink_to(f"releases/{release.name}")


@pytest.fixture(params=["one name", "two names"])
def server(request: pytest.FixtureRequest, tmp_path: Path, require: Require) -> Iterator[Server]:
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    require(nginx, "there is no nginx")
    port = free_port()
    images = f"http://localhost:{port}" if request.param == "two names" else None
    host = Host(tmp_path / "host", f"http://127.0.0.1:{port}", images)
    main = write_main_configuration(tmp_path / "nginx", host.layout.root / "nginx.conf")
    process = subprocess.Popen(
        [str(nginx), "-c", main, "-e", tmp_path / "nginx/error.log"], stderr=subprocess.DEVNULL
    )
    try:
        wait_for(port)
        yield Server(host, port)
    finally:
        process.terminate()
        process.wait()


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, "nginx does not answer"
            time.sleep(0.02)
        else:
            return


def test_image_and_its_headers(server: Server) -> None:
    server.push({KEY: PNG})
    response, body = server.image(KEY)
    assert (response.status, body) == (200, PNG)
    assert response.headers["Content-Type"] == "image/png"
    assert response.headers["Cache-Control"] == FOREVER
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Security-Policy"] == POLICY
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert response.headers["Server"] == "nginx"  # and no version
    assert response.headers["Vary"] is None
    head, nothing = server.image(KEY, method="HEAD")
    assert (head.status, nothing) == (200, b"")
    assert head.headers["Content-Length"] == str(len(PNG))
    for kind, expected in {"avif": "avif", "gif": "gif", "jpg": "jpeg", "webp": "webp"}.items():
        (server.host.layout.served / KEY).with_suffix(f".{kind}").write_bytes(PNG)
        response, _ = server.image(KEY.replace("png", kind))
        assert response.headers["Content-Type"] == f"image/{expected}"


def test_validators_and_ranges(server: Server) -> None:
    server.push({KEY: PNG})
    response, _ = server.image(KEY)
    tag = response.headers["ETag"]
    same, body = server.image(KEY, If_None_Match=tag)
    assert (same.status, body) == (304, b"")
    assert same.headers["Cache-Control"] == FOREVER
    part, body = server.image(KEY, Range="bytes=8-15", If_Range=tag)
    assert (part.status, body) == (206, PNG[8:16])
    beyond, _ = server.image(KEY, Range="bytes=999999-")
    assert beyond.status == 416  # for ever true as well, so it matters not that nginx says so


def test_new_image_is_served_at_once_after_a_404(server: Server) -> None:
    for _ in range(5):  # more than open_file_cache_min_uses
        response, _ = server.image(KEY)
        assert response.status == 404
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    server.push({KEY: PNG})
    response, body = server.image(KEY)
    assert (response.status, body) == (200, PNG)


def test_retracted_image_is_gone_within_seconds(server: Server) -> None:
    first = server.push({KEY: PNG})
    for _ in range(5):
        assert server.image(KEY)[0].status == 200
    server.push({KEY: None, f"retracted/{KEY[3:67]}": b""}, first)
    time.sleep(2.1)
    assert server.image(KEY)[0].status == 404


def test_svg_runs_nothing_and_comes_compressed(server: Server) -> None:
    server.push({SVG_KEY: SVG})
    plain, body = server.image(SVG_KEY)
    assert (plain.status, body) == (200, SVG)
    assert plain.headers["Content-Type"] == "image/svg+xml"
    assert plain.headers["Content-Security-Policy"] == POLICY
    assert plain.headers["Cache-Control"] == FOREVER
    packed, body = server.image(SVG_KEY, Accept_Encoding="gzip")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert body == (server.host.layout.served / f"{SVG_KEY}.gz").read_bytes()
    for response in (plain, packed):
        assert response.headers["Vary"] == "Accept-Encoding"
    assert server.image(f"{SVG_KEY}.gz")[0].status == 404


def test_only_images_are_served(server: Server) -> None:
    server.push({KEY: PNG})
    served = server.host.layout.served
    secret = b"a secret"
    (served.parent / ".incoming/secret.png").write_bytes(secret)
    (served / KEY[:2] / "secret.png").write_bytes(secret)
    (served / KEY).with_suffix(".html").write_bytes(secret)
    (served / "secret.png").write_bytes(secret)
    digest = KEY[3:67]
    paths = [
        "/.incoming/secret.png",
        "/../.incoming/secret.png",
        "/%2e%2e/.incoming/secret.png",
        f"/{KEY[:2]}/../../.incoming/secret.png",
        f"/{KEY[:2]}/secret.png",
        f"/{KEY[:2]}/{digest}.html",
        f"/{KEY[:2]}/{digest}.png/",
        f"/{KEY[:2]}/{digest.upper()}.png",
        f"/{KEY}%0a",
        f"/{KEY}%00",
        f"/{KEY[:2]}/",
        "/secret.png",
        "//etc/passwd",
        "/../images.git/config",
        "/../../images.git/config",
    ]
    for path in paths:
        response, body = server.ask(server.prefix + path)
        assert response.status in {400, 404}, path
        assert secret not in body
        assert "immutable" not in str(response.headers["Cache-Control"])
    for method in ("POST", "PUT", "DELETE"):
        assert server.image(KEY, method=method)[0].status == 405


def test_no_symlink_is_followed(server: Server) -> None:
    served = server.host.layout.served
    outside = served.parent.parent / "outside.png"
    outside.write_bytes(PNG)
    (served / KEY[:2]).mkdir()
    (served / KEY).symlink_to(outside)
    response, body = server.image(KEY)
    assert (response.status, PNG in body) == (403, False)
    assert response.headers["Cache-Control"] is None


def test_pages_are_asked_for_again(server: Server) -> None:
    site = {"name": "127.0.0.1"}
    assert server.ask("/", **site)[0].status == 404  # nothing was pushed yet
    server.show(
        {
            "index.html": b"<p>home",
            "posts/a.html": b"<p>a",
            "images/logo.png": PNG,
            ".htaccess": b"secret",
            ".well-known/security.txt": b"write to us",
            "404.html": b"<p>not here",
        }
    )
    response, body = server.ask("/", **site)
    assert (response.status, body) == (200, b"<p>home")
    assert response.headers["Cache-Control"] == "no-cache"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert server.ask("/posts/a.html", **site)[1] == b"<p>a"
    assert server.ask("/images/logo.png", **site)[1] == PNG
    assert server.ask("/posts", **site)[0].headers["Location"] == "/posts/"
    assert server.ask("/.well-known/security.txt", **site)[1] == b"write to us"
    for path in ("/.htaccess", "/nothing", "/../current/index.html/x"):
        response, body = server.ask(path, **site)
        assert (response.status, b"secret" in body) == (404 if path[1:3] != ".." else 400, False)
    response, body = server.ask("/nothing", **site)
    assert (body, response.headers["Cache-Control"]) == (b"<p>not here", "no-cache")


def test_link_within_a_release_is_not_followed(server: Server) -> None:
    server.show({"index.html": b"<p>home"})
    (server.host.layout.current / "passwd").symlink_to("/etc/passwd")
    assert server.ask("/passwd", name="127.0.0.1")[0].status == 403
