"""The requests of clients, as their own code sends them, where that code cannot be installed."""

from __future__ import annotations

import base64
import http.client
import json
import socket
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import pytest

from pelican_imagehost.serve.access import Access
from pelican_imagehost.storage.records import Records
from tests.serve.abuse import GIF, check_refused, kept, serve
from tests.serve.serverkit import TOKEN, Answer, Server, encode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Site

ORIGINS = ["app://obsidian.md", "capacitor://localhost", "http://localhost", "file://"]
ADDRESS = "https://img.example.com/"
FORM = "application/x-www-form-urlencoded"
REMOTE = "remote server mode"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from serve(
        tmp_path_factory.mktemp("dialects") / "site",
        IMAGEHOST_ORIGINS=ORIGINS,
        IMAGEHOST_KEEP_METADATA=["all"],
    )


def gif(number: int) -> bytes:
    """Make an image that no other test uploads."""
    comment = b"%06d" % number
    return GIF[:-1] + b"!\xfe" + bytes([len(comment)]) + comment + b"\0;"


def stored(server: Server, url: str) -> bytes:
    assert url.startswith(ADDRESS)
    return (server.site.root / "images" / url.removeprefix(ADDRESS)).read_bytes()


def names(server: Server) -> list[str]:
    records = Records(server.site.root / "imagehost-uploads.sqlite3", read_only=True)
    found = [record.name for record in records.all()]
    records.close()
    return found


def chevereto(server: Server, body: bytes, kind: str = FORM, **headers: str) -> Answer:
    return server.request("POST", "/api/1/upload", body, Content_Type=kind, **headers)


# Chevereto: https://v4-docs.chevereto.com/developer/api/api-v1.html

ENCODINGS = {
    "plain": lambda data: base64.b64encode(data).decode(),
    "a data: URL": lambda data: "data:image/gif;base64," + base64.b64encode(data).decode(),
    "lines": lambda data: base64.encodebytes(data).decode(),
    "URL-safe": lambda data: base64.urlsafe_b64encode(data).decode(),
    "no padding": lambda data: base64.b64encode(data).decode().rstrip("="),
}


@pytest.mark.parametrize("size", [0, 1, 2, 3, 9, 200_000])
@pytest.mark.parametrize("name", ENCODINGS)
def test_an_image_comes_as_text_with_the_key_behind_it(
    server: Server, name: str, size: int
) -> None:
    data = gif(size) + bytes(range(256)) * (size // 256) + bytes(size % 256)
    text = ENCODINGS[name](data)
    escaped = urlencode({"source": text, "key": TOKEN, "format": "json"}).encode()
    unescaped = f"key={TOKEN}&source={text}".encode()
    form, kind = encode([("source", None, text.encode()), ("key", None, TOKEN.encode())])
    for body, encoding in ((escaped, FORM), (unescaped, FORM), (form, kind)):
        answer = chevereto(server, body, encoding)
        assert answer.status == 200, answer.body
        image = answer.json["image"]
        assert stored(server, image["url"]) == data
        assert image["size"] == len(data)
        assert image["thumb"]["url"] == image["medium"]["url"] == image["display_url"]


def test_the_key_of_a_form_is_checked_before_anything_is_stored(server: Server) -> None:
    before = kept(server)
    data = gif(1001)
    text = quote(base64.b64encode(data).decode(), safe="")
    for end, code in (("", "no_token"), ("&key=", "no_token"), ("&key=wrong", "wrong_token")):
        answer = chevereto(server, f"source={text}{end}".encode())
        assert (answer.status, answer.json["status_txt"]) == (401, code)
    form, kind = encode([("source", "a.gif", data), ("key", None, b"wrong")])
    assert chevereto(server, form, kind).status == 401
    foreign = {"Origin": "https://example.com"}
    assert chevereto(server, f"source={text}&key={TOKEN}".encode(), **foreign).status == 403
    assert kept(server) == before
    form, kind = encode([("source", "a.gif", data), ("key", None, TOKEN.encode())])
    assert stored(server, chevereto(server, form, kind).json["image"]["url"]) == data


def test_many_who_show_no_token_first_are_told_to_wait(server: Server) -> None:
    head = (
        f"POST /api/1/upload HTTP/1.1\r\nHost: a\r\nContent-Type: {FORM}\r\n"
        "Content-Length: 1000\r\n\r\nsource=R0lG"
    ).encode()
    waiting = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(8)]
    for connection in waiting:
        connection.sendall(head)
    body = f"source={quote(base64.b64encode(gif(1002)).decode(), safe='')}&key={TOKEN}".encode()
    while (answer := chevereto(server, body)).status == 200:
        continue  # not all of them have been received yet
    assert (answer.status, answer.json["status_txt"]) == (429, "too_many_strangers")
    assert chevereto(server, body, X_API_Key=TOKEN).status == 200
    for connection in waiting:
        connection.close()
    while chevereto(server, body).status == 429:
        continue


NOT_BASE64 = {
    "a URL": "https://example.com/a.png",
    "a URL without a scheme": "//example.com/a.png",
    "text": "!!!",
    "a data: URL of text": "data:text/plain,hello",
    "a single letter": "A",
    "padding within": base64.b64encode(b"a").decode() + base64.b64encode(GIF).decode(),
    "padding alone, for ever": "=" * 30_000,
    "something behind": base64.b64encode(GIF + b"a").decode() + "!",
    "not ASCII": "猫" * 100,
}


@pytest.mark.parametrize("name", NOT_BASE64)
def test_text_that_is_not_an_image_is_refused(server: Server, name: str) -> None:
    before = kept(server)
    body = urlencode({"key": TOKEN, "source": NOT_BASE64[name]}).encode()
    answer = chevereto(server, body)
    assert 400 <= answer.status < 500
    assert answer.json["error"]["message"]
    assert kept(server) == before
    assert server.leftovers() == []


def test_a_text_that_is_too_large_names_the_setting(server: Server) -> None:
    body = urlencode({"source": base64.b64encode(bytes(10_500_000)).decode()}).encode()
    answer = chevereto(server, body, X_API_Key=TOKEN)
    assert answer.status == 413
    assert "IMAGEHOST_MAX_BYTES allows 10,485,760" in answer.json["error"]["message"]


def test_a_request_that_is_too_large_names_the_setting(server: Server) -> None:
    headers = {
        "Authorization": f"Bearer {TOKEN}",
        "Content_Type": "multipart/form-data; boundary=b",
    }
    answer = server.request("POST", "/upload/image", b"", Content_Length="99999999999", **headers)
    message = check_refused(answer, 413, "too_large")
    assert "IMAGEHOST_MAX_BYTES allows 10,485,760" in message


# Lsky 1: a header with the token, a field `image`.


def test_lsky_1_has_an_endpoint_of_its_own(server: Server) -> None:
    parts = [("image", "a.gif", gif(1003)), ("ssl", None, b"true")]
    answer = server.post("/api/upload", [*parts], None, Token=TOKEN)
    assert (answer.status, answer.json["code"]) == (200, 200)
    assert stored(server, answer.json["data"]["url"]) == gif(1003)
    refused = server.post("/api/upload", [*parts], None, Token="wrong")  # noqa: S106  as it says
    assert (refused.status, refused.json["code"], refused.json["msg"]) == (
        401,
        401,
        "unknown token",
    )


# PicGo's server and Obsidian's plugin


@pytest.mark.parametrize(
    ("query", "headers"),
    [("", {"X_PicGo_Secret": TOKEN}), (f"?secret={TOKEN}", {}), (f"?key={TOKEN}", {})],
    ids=["header", "secret", "key"],  # without the token, which differs between processes
)
def test_picgos_own_secret_is_the_token(
    server: Server, query: str, headers: dict[str, str]
) -> None:
    answer = server.post(f"/upload{query}", [("files", "a.gif", GIF)], None, **headers)
    assert answer.json["success"] is True
    wrong = dict.fromkeys(headers, "wrong")
    asked = query.replace(TOKEN, "wrong")
    assert server.post(f"/upload{asked}", [("files", "a.gif", GIF)], None, **wrong).status == 401


def send_list(server: Server, paths: list[str], **headers: str) -> Answer:
    kind = {"Content_Type": "application/json", **headers}
    body = json.dumps({"list": paths}).encode()
    return server.request("POST", f"/upload?key={TOKEN}", body, **kind)


def test_obsidian_leaves_the_first_slash_out(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "my vault" / "图片"
    folder.mkdir(parents=True)
    (folder / "cat.gif").write_bytes(gif(1004))
    answer = send_list(server, [str(folder / "cat.gif").removeprefix("/")])
    assert stored(server, answer.json["result"][0]) == gif(1004)
    answer = send_list(server, ["vault/no such cat.gif"])
    assert (answer.status, REMOTE in answer.json["message"]) == (400, True)


def test_a_document_with_many_pictures_is_one_call(server: Server, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.gif" for number in range(100)]
    for number, file in enumerate(files):
        file.write_bytes(gif(2000 + number))
    answer = send_list(server, [str(file) for file in files])
    assert [stored(server, url) for url in answer.json["result"]] == [f.read_bytes() for f in files]
    parts = [("list", file.name, file.read_bytes() + b"\0") for file in files]
    answer = server.post("/upload", [*parts])
    assert [stored(server, url) for url in answer.json["result"]] == [part[2] for part in parts]
    answer = send_list(server, ["/a.gif"] * 101)
    assert (answer.status, "send 1 to 100 files" in answer.json["message"]) == (400, True)


@pytest.mark.parametrize("kind", [None, "application/json", "application/x-www-form-urlencoded"])
def test_nothing_means_the_clipboard_of_picgo(server: Server, kind: str | None) -> None:
    headers = {} if kind is None else {"Content_Type": kind}
    for body in (None, b""):
        answer = server.request("POST", f"/upload?key={TOKEN}", body, **headers)
        assert (answer.status, answer.json["success"]) == (400, False)
        assert "clipboard" in answer.json["message"]
        assert REMOTE in answer.json["message"]


def test_paths_of_another_machine_name_the_other_mode(server: Server) -> None:
    answer = send_list(server, ["/home/me/cat.gif"], Host="up.example.com")
    assert (answer.status, REMOTE in answer.json["message"]) == (403, True)


# Forms


def raw_part(server: Server, head: str, content: bytes) -> Answer:
    body = f"--b\r\n{head}\r\n\r\n".encode() + content + b"\r\n--b--\r\n"
    headers = {
        "Authorization": f"Bearer {TOKEN}",
        "Content_Type": "multipart/form-data; boundary=b",
    }
    return server.request("POST", "/upload/image", body, **headers)


PARTS = {
    "urllib3 1.24": ("filename*=utf-8''%E7%8B%97.gif", "", "狗.gif"),
    "upper case": ("filename*=UTF-8'zh'%e7%8b%97%20a.gif", "", "狗 a.gif"),
    "Latin-1": ("filename*=iso-8859-1''caf%E9.gif", "", "café.gif"),
    "invalid UTF-8": ("filename*=utf-8''%E7.gif", "", "\ufffd.gif"),
    "a path": ("filename*=utf-8''..%2F..%2Fetc%2Fcat.gif", "", "cat.gif"),
    "both": ("filename=\"cat 1.gif\"; filename*=utf-8''%E7%8B%97.gif", "", "cat 1.gif"),
    "a type alone": ("", "Content-Type: image/gif", ""),
    "a type in capitals": ("", "content-type: IMAGE/GIF", ""),
    "a type of bytes": ("", "Content-Type: application/octet-stream", ""),
}


@pytest.mark.parametrize("name", PARTS)
def test_a_file_is_a_file_however_its_part_says_so(server: Server, name: str) -> None:
    parameter, header, shown = PARTS[name]
    data = gif(3000 + list(PARTS).index(name))
    head = 'Content-Disposition: form-data; name="img"' + (parameter and f"; {parameter}")
    answer = raw_part(server, head + (header and f"\r\n{header}"), data)
    assert stored(server, answer.json["url"]) == data
    assert shown in names(server)


def test_a_part_of_text_is_still_no_file(server: Server) -> None:
    for kind in ("text/plain", "text/plain; charset=utf-8"):
        head = f'Content-Disposition: form-data; name="img"\r\nContent-Type: {kind}'
        check_refused(raw_part(server, head, GIF), 400, "no_file")


# Clients in a web view


def ask(server: Server, origin: str, path: str = "/upload/image", **headers: str) -> Answer:
    asks = {"Access_Control_Request_Method": "POST",
            "Access_Control_Request_Headers": "authorization,content-type"}  # fmt: skip
    return server.request("OPTIONS", path, None, Origin=origin, **asks, **headers)


def cors(answer: Answer) -> dict[str, str]:
    return {n.lower(): v for n, v in answer.headers.items() if n.lower().startswith("access-")}


PATHS = ["/upload/image", "/upload", "/api/upload", "/api/v1/upload", "/api/1/upload", "/heartbeat"]


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_page_of_an_allowed_origin_uploads_with_a_bearer_token(
    server: Server, origin: str
) -> None:
    for path in PATHS:
        answer = ask(server, origin, path, Access_Control_Request_Private_Network="true")
        found = cors(answer)
        assert (answer.status, answer.body) == (204, b"")
        assert found["access-control-allow-origin"] == origin
        assert found["access-control-allow-methods"] == "POST"
        allowed = found["access-control-allow-headers"].lower().replace(" ", "").split(",")
        assert {"authorization", "content-type"} <= set(allowed)
        assert found["access-control-allow-private-network"] == "true"
        assert "access-control-allow-credentials" not in found
        assert answer.headers["Vary"] == "Origin"
    page = {"Origin": origin, "Sec_Fetch_Site": "cross-site"}
    answer = server.post("/upload/image", [("img", "a.gif", GIF)], **page)
    assert (answer.status, cors(answer)["access-control-allow-origin"]) == (200, origin)
    answer = server.post("/upload/image", [("img", "a.gif", b"text")], **page)
    assert (answer.status, cors(answer)["access-control-allow-origin"]) == (415, origin)
    assert server.request("POST", "/heartbeat", None, **page).json["success"] is True


def test_a_page_of_an_allowed_origin_uses_no_cookie_and_no_other_token(server: Server) -> None:
    page = {"Origin": ORIGINS[0]}
    parts = [("img", "a.gif", GIF)]
    session = Access({"environment": TOKEN}).open_session("environment")
    for headers in ({"Cookie": f"imagehost={session}"}, {"X_API_Key": TOKEN}, {"Token": TOKEN}):
        answer = server.post("/upload/image", [*parts], None, **headers, **page)
        assert (answer.status, answer.json["error"]["code"]) == (401, "no_token")
        assert "access-control-allow-credentials" not in cors(answer)
    assert server.post(f"/upload/image?key={TOKEN}", [*parts], None, **page).status == 401
    form, kind = encode([("source", "a.gif", GIF), ("key", None, TOKEN.encode())])
    assert chevereto(server, form, kind, **page).status == 401
    cookie = {"Cookie": f"imagehost={session}", **page}
    body = json.dumps({"sha256": ["a" * 64]}).encode()
    answer = server.request("POST", "/delete", body, Content_Type="application/json", **cookie)
    check_refused(answer, 403, "foreign_origin")
    assert server.request("POST", "/logout", b"", **cookie).status == 403


@pytest.mark.parametrize(
    "origin",
    ["https://example.com", "null", "app://obsidian.md.example.com", "http://localhost:1",
     "https://localhost", "APP://obsidian.md", "app://", "", "*", "file:///home"],
)  # fmt: skip
def test_a_page_of_another_origin_gets_no_answer_of_cors(server: Server, origin: str) -> None:
    answer = ask(server, origin)
    assert (answer.status, cors(answer)) == (405, {})
    answer = server.post("/upload/image", [("img", "a.gif", GIF)], Origin=origin)
    message = check_refused(answer, 403, "foreign_origin")
    assert "IMAGEHOST_ORIGINS" in message


# The log


def test_refusals_are_logged_without_secrets(site: Site) -> None:
    server = Server(site)
    try:
        program = {"User_Agent": "Editor/1.0 \x9b31m"}
        secret = "secret-" * 4
        parts = [("img", "a.gif", b"text")]
        server.post(f"/upload/image?key={secret}", [*parts], None, **program)
        server.post("/upload/image", [*parts], secret, **program)
        server.post("/upload/image", [("img\x1b[2J", "a.gif", GIF)], **program)
        server.post("/upload/image", [*parts], Origin="app://notes.example.com", **program)
        server.request("POST", "/login", f"token={secret}".encode(), Content_Type=FORM, **program)
        server.request("GET", "/pelican-imagehost.sxcu", None, X_API_Key=secret, **program)
        said = server.stop()
        assert said.count("refused /upload/image from 127.0.0.1 (Editor/1.0 \\x9b31m): ") == 4
        for code in ("401 wrong_token", "400 no_file", "403 foreign_origin"):
            assert code in said
        assert "app://notes.example.com" in said
        assert "refused /login from 127.0.0.1" in said
        assert "refused /pelican-imagehost.sxcu from 127.0.0.1" in said
        assert [word for word in (secret, TOKEN, "\x1b", "\x9b") if word in said] == []
    finally:
        if server.process.poll() is None:
            server.kill()


def test_a_client_of_the_standard_library_works_without_a_type(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.putrequest("POST", "/upload/image")
    connection.putheader("Authorization", f"Bearer {TOKEN}")
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["error"]["code"]) == (400, "not_a_form")
    connection.close()
