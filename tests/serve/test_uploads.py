from __future__ import annotations

import asyncio
import hashlib
import http.client
import json
import socket
from typing import TYPE_CHECKING, Any

import pytest
from starlette.routing import Route

from pelican_imagehost.serve.app import create
from pelican_imagehost.serve.service import Service
from pelican_imagehost.storage.records import Records
from tests.serve.serverkit import TOKEN, Server, server, upload_site

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request
    from starlette.responses import Response

    from tests.conftest import PictureMaker, Site

__all__ = ["server", "upload_site"]  # fixtures

PREFIX = "https://img.example.com/"


@pytest.fixture
def cat(tmp_path: Path, picture: PictureMaker) -> bytes:
    return picture(tmp_path / "cat.png").read_bytes()


def key_of(data: bytes, kind: str = "png") -> str:
    digest = hashlib.sha256(data).hexdigest()
    return f"{digest[:2]}/{digest}.{kind}"


def test_an_upload_is_stored_recorded_and_answered_with_its_address(
    server: Server, cat: bytes
) -> None:
    answer = server.upload(cat, "我的 猫.jpg")
    assert (answer.status, answer.json) == (200, {"url": PREFIX + key_of(cat)})
    file = server.site.root / "images" / key_of(cat)
    assert file.read_bytes() == cat
    assert file.stat().st_mode & 0o777 == 0o444
    records = Records(server.site.root / "imagehost-uploads.sqlite3", read_only=True)
    (record,) = records.all()
    records.close()
    assert (record.image.key, record.name, record.token) == (
        key_of(cat),
        "我的 猫.jpg",
        "environment",
    )
    assert server.leftovers() == []
    assert "我的 猫.jpg" in server.stop()


def test_the_same_bytes_again_answer_the_same_address(server: Server, cat: bytes) -> None:
    assert server.upload(cat, "a.png").json == server.upload(cat, "b.jpg").json
    assert len(list(server.site.root.glob("images/??/*"))) == 1
    records = Records(server.site.root / "imagehost-uploads.sqlite3", read_only=True)
    assert [(record.name, record.times) for record in records.all()] == [("a.png", 2)]
    records.close()


def test_a_stored_image_is_served(server: Server, cat: bytes) -> None:
    server.upload(cat)
    answer = server.request("GET", f"/images/{key_of(cat)}")
    assert answer.body == cat
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    for path in ("/images/../pelicanconf.py", "/images/%2e%2e/pelicanconf.py", "/images/x.png"):
        missing = server.request("GET", path)
        assert (missing.status, missing.headers["Content-Type"]) == (404, "application/json")


def test_picgo_uploads_a_form_of_several_files(server: Server, cat: bytes) -> None:
    dog = cat + b"more"
    answer = server.post("/upload", [("files", "a.png", cat), ("list", "b.png", dog)])
    assert answer.json == {"success": True, "result": [PREFIX + key_of(cat), PREFIX + key_of(dog)]}
    assert server.request("POST", "/heartbeat").json == {"success": True, "result": "alive"}


def test_picgo_names_files_of_this_machine(server: Server, cat: bytes, tmp_path: Path) -> None:
    path = tmp_path / "my cat.png"
    path.write_bytes(cat)
    headers = {"Content_Type": "application/json", "Authorization": f"Bearer {TOKEN}"}

    def send(*paths: str, **more: str) -> tuple[int, dict[str, object]]:
        body = json.dumps({"list": paths}).encode()
        answer = server.request("POST", "/upload", body, **headers, **more)
        return answer.status, answer.json

    assert send(str(path)) == (200, {"success": True, "result": [PREFIX + key_of(cat)]})
    assert send(path.as_uri())[0] == 200
    status, answer = send(str(path), "/etc/hostname")  # all or none
    assert (status, answer["success"]) == (415, False)
    assert send("https://example.com/cat.png")[0] == 400
    assert send("cat.png")[0] == 400
    assert send("/etc/hostname\0.png")[0] == 400
    assert send()[0] == 400
    assert send(str(path), X_Forwarded_For="203.0.113.9")[0] == 403
    assert send(str(path), Origin="https://example.com")[0] == 403


HERE = ["127.0.0.1", "127.0.0.1:80", "LOCALHOST:36677", "[::1]:36677", "127.8.8.8", "a.localhost"]
ELSEWHERE = ["", "up.example.com", "up.example.com:80", "localhost.example.com", "127.0.0.1.nip.io",
             "127.0.0.1@example.com", "192.168.1.2", "upstream", "[2001:db8::1]"]  # fmt: skip
PROXIES = ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded",
           "X-Real-IP", "Via", "X-Client-IP", "Client-IP", "True-Client-IP", "CF-Connecting-IP",
           "CF-Ray", "Fastly-Client-IP", "X-Cluster-Client-IP", "CDN-Loop", "X-Original-URL",
           "X-Envoy-External-Address", "X-Amzn-Trace-Id", "Fly-Client-IP", "X-ProxyUser-Ip",
           "Forwarded-For", "X-Azure-ClientIP", "X-Scheme"]  # fmt: skip


def send_path(server: Server, path: Path, version: str = "1.1", **headers: str) -> int:
    """Send a path as PicGo's clients do, with a chosen Host; return the status."""
    body = json.dumps({"list": [str(path)]}).encode()
    named = {"Host": "127.0.0.1", "Content-Type": "application/json",
             "Authorization": f"Bearer {TOKEN}", "Content-Length": str(len(body)),
             "Connection": "close", **headers}  # fmt: skip
    lines = [f"POST /upload HTTP/{version}", *[f"{name}: {named[name]}" for name in named], "", ""]
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall("\r\n".join(lines).encode() + body)
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status


def test_paths_are_accepted_from_programs_of_this_machine_alone(
    server: Server, cat: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(cat)
    assert [host for host in HERE if send_path(server, path, Host=host) != 200] == []
    assert [host for host in ELSEWHERE if send_path(server, path, Host=host) != 403] == []
    assert [name for name in PROXIES if send_path(server, path, **{name: "127.0.0.1"}) != 403] == []
    assert send_path(server, path, "1.0") == 403  # nginx, without more than `proxy_pass`


def test_paths_are_accepted_from_everywhere_when_asked_for(
    upload_site: Site, cat: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(cat)
    server = Server(upload_site, "--allow-local-paths", "--workers", "2")
    try:
        for headers in ({"Host": "up.example.com"}, {"X-Forwarded-For": "203.0.113.9"}):
            assert send_path(server, path, **headers) == 200
            assert send_path(server, path, **headers, Authorization="Bearer no") == 401
    finally:
        server.kill()


def test_lsky_and_chevereto_get_their_own_shapes(server: Server, cat: bytes) -> None:
    url = PREFIX + key_of(cat)
    lsky = server.post("/api/v1/upload", [("file", "a.png", cat)]).json
    assert (lsky["status"], lsky["data"]["links"]["url"]) == (True, url)
    body = server.post("/api/1/upload", [("source", "a.png", cat)], token=None, X_API_Key=TOKEN)
    assert (body.json["status_code"], body.json["image"]["url"]) == (200, url)
    wrong = server.post("/api/1/upload", [("source", "a.png", b"text")])
    assert (wrong.status, wrong.json["status_code"]) == (415, 415)
    assert server.post("/api/v1/upload", [("file", "a.png", b"text")]).json["status"] is False
    answer = server.post("/api/1/upload", [("source", None, b"https://example.com/a.png")])
    assert answer.status == 400


def test_sharex_gets_a_configuration_that_works(server: Server, cat: bytes) -> None:
    assert server.request("GET", "/pelican-imagehost.sxcu").status == 401
    answer = server.request("GET", "/pelican-imagehost.sxcu", Authorization=f"Bearer {TOKEN}")
    config = answer.json
    assert config["RequestURL"] == f"{server.url}/upload/image"
    headers = {name.replace("-", "_"): value for name, value in config["Headers"].items()}
    uploaded = server.post(
        "/upload/image", [(config["FileFormName"], "a.png", cat)], None, **headers
    )
    assert uploaded.json == {"url": PREFIX + key_of(cat)}


def test_what_was_answered_survives_a_crash_at_once(server: Server, cat: bytes) -> None:
    address = server.upload(cat).json["url"]
    server.kill()
    assert (server.site.root / "images" / address.removeprefix(PREFIX)).read_bytes() == cat
    server.start()
    assert server.upload(cat).json["url"] == address


def test_without_an_address_of_a_host_uploads_are_below_the_sites_own(
    site: Site, cat: bytes
) -> None:
    running = Server(site)
    assert running.upload(cat).json == {"url": f"/images/{key_of(cat)}"}
    assert "IMAGEHOST_URL is not set" in running.stop()
    site.write("content/a.md", f"Title: A\nDate: 2024-01-01\n\n![a](/images/{key_of(cat)})\n")
    site.build()
    assert (site.root / "output/images" / key_of(cat)).read_bytes() == cat


def test_an_unreadable_manifest_is_reported_in_json(server: Server) -> None:
    (server.site.root / "imagehost.jsonl").mkdir()
    entered = server.request("POST", "/login", f"token={TOKEN}".encode())
    session = entered.headers["Set-Cookie"].partition(";")[0]
    answer = server.request("GET", "/", Cookie=session)
    assert (answer.status, answer.json["error"]["code"]) == (500, "unreadable")


def test_an_internal_error_is_reported_in_json_and_raised_for_the_log(upload_site: Site) -> None:
    async def fail(_request: Request) -> Response:
        raise ZeroDivisionError

    service = Service(upload_site.settings(), {"t": TOKEN}, upload_site.root / "pelicanconf.py")
    app = create(service)
    app.router.routes.append(Route("/broken", fail))
    sent: list[dict[str, Any]] = []

    async def ask() -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:  # noqa: ANN401  ASGI's
            sent.append(message)

        scope = {"type": "http", "method": "GET", "path": "/broken", "headers": []}
        with pytest.raises(ZeroDivisionError):
            await app({**scope, "query_string": b"", "root_path": ""}, receive, send)

    asyncio.run(ask())
    service.close()
    assert sent[0]["status"] == 500
    assert json.loads(sent[1]["body"])["error"]["code"] == "internal"
