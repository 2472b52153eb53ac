"""The preview over real sockets."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING

import pytest

from pelican_imagehost.watch.hub import Hub
from pelican_imagehost.watch.messages import PageProblem
from pelican_imagehost.watch.preview import Preview

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def preview(tmp_path: Path) -> Iterator[Preview]:
    output = tmp_path / "output"
    (output / "blog").mkdir(parents=True)
    (output / "index.html").write_text("<html><body>top</BODY></html>")
    (output / "blog/index.html").write_text("no end tag")
    (output / "about.html").write_text("<body>about</body>")
    (output / "style.css").write_text("body {}")
    (output / "ä b.txt").write_text("named")
    (tmp_path / "secret.txt").write_text("secret")
    (output / "link.txt").symlink_to(tmp_path / "secret.txt")
    served = Preview(0)
    served.root = str(output)
    served.start()
    yield served
    served.close()


def connect(preview: Preview) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(preview.address.split("/")[2], timeout=10)


def get(
    preview: Preview, path: str, method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], str]:
    connection = connect(preview)
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    answer = response.status, dict(response.headers), response.read().decode()
    connection.close()
    return answer


def test_a_page_has_the_script_and_the_file_has_not(preview: Preview, tmp_path: Path) -> None:
    status, headers, body = get(preview, "/")
    assert status == 200
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    script = (
        f'<script src="/.imagehost/client.js" data-after="{preview.hub.number}" defer></script>'
    )
    assert body == f"<html><body>top{script}</BODY></html>"
    assert (tmp_path / "output/index.html").read_text() == "<html><body>top</BODY></html>"
    assert get(preview, "/blog/")[2].startswith("no end tag<script ")


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/about", "about"),
        ("/about.html", "about"),
        ("/style.css?v=1", "body {}"),
        ("/%C3%A4%20b.txt", "named"),
    ],
)
def test_addresses_are_found_as_web_servers_find_them(
    preview: Preview, path: str, answer: str
) -> None:
    assert answer in get(preview, path)[2]


def test_a_folder_without_its_slash_is_redirected(preview: Preview) -> None:
    status, headers, _ = get(preview, "/blog?a=b")
    assert (status, headers["Location"]) == (302, "/blog/?a=b")
    status, headers, _ = get(preview, "//blog")
    assert headers["Location"].startswith("/blog")


@pytest.mark.parametrize(
    "path",
    ["/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/blog/../../secret.txt",
     "/link.txt", "/a%00b", "/nowhere"],
)  # fmt: skip
def test_nothing_outside_the_output_is_served(preview: Preview, path: str) -> None:
    status, _, body = get(preview, path)
    assert status == 404
    assert "secret" not in body


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "", "127.0.0.1.evil.example"]
)
def test_a_foreign_name_is_refused(preview: Preview, host: str) -> None:
    for path in ("/", "/.imagehost/events"):
        assert get(preview, path, Host=host)[0] == 403


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:80", "[::1]:80"])
def test_a_name_of_this_machine_is_answered_to(preview: Preview, host: str) -> None:
    assert get(preview, "/", Host=host)[0] == 200


def test_a_head_has_no_body(preview: Preview) -> None:
    status, headers, body = get(preview, "/", "HEAD")
    assert (status, body) == (200, "")
    assert int(headers["Content-Length"]) > 50


def test_the_script_brings_its_library(preview: Preview) -> None:
    _, headers, body = get(preview, "/.imagehost/client.js")
    assert headers["Content-Type"].startswith("text/javascript")
    assert "Idiomorph" in body
    assert "EventSource" in body


def test_a_missing_page_follows_too(preview: Preview, tmp_path: Path) -> None:
    status, _, body = get(preview, "/soon.html")
    assert status == 404
    assert "client.js" in body
    (tmp_path / "output/404.html").write_text("<body>own 404</body>")
    assert "own 404" in get(preview, "/soon.html")[2]


def events(response: http.client.HTTPResponse, count: int) -> list[dict[str, str]]:
    """Read some events from a stream."""
    found: list[dict[str, str]] = []
    event: dict[str, str] = {}
    while len(found) < count:
        line = response.readline().decode().rstrip("\n")
        if line:
            name, _, value = line.partition(": ")
            event[name] = value
        elif event:
            found.append(event)
            event = {}
    return found


def test_news_arrive_and_are_told_again_to_those_who_come_late(
    preview: Preview, tmp_path: Path
) -> None:
    start = preview.hub.number
    connection = connect(preview)
    connection.request("GET", f"/.imagehost/events?after={start}")
    response = connection.getresponse()
    assert response.headers["Content-Type"] == "text/event-stream"
    assert json.loads(events(response, 1)[0]["data"]) == {"problems": []}
    preview.changed([str(tmp_path / "output/a b.html")])
    (first,) = events(response, 1)
    assert json.loads(first["data"]) == {"changed": ["/a%20b.html"]}
    top = str(tmp_path / "output")
    preview.wrong(
        (
            PageProblem("x.md:1: no", frozenset({f"{top}/ä.html", "/elsewhere/x.html"})),
            PageProblem("no theme"),
        )
    )
    response.close()
    connection.close()
    late = connect(preview)
    late.request("GET", "/.imagehost/events", headers={"Last-Event-ID": first["id"]})
    response = late.getresponse()
    state, second = events(response, 2)
    problems = [
        {"text": "x.md:1: no", "pages": ["/%C3%A4.html"]},
        {"text": "no theme", "pages": None},
    ]
    assert json.loads(state["data"]) == json.loads(second["data"]) == {"problems": problems}
    assert int(second["id"]) == int(first["id"]) + 1
    response.close()
    late.close()


def test_who_comes_too_late_is_told_to_look_at_all() -> None:
    hub = Hub()
    start = hub.number
    assert hub.after(start, 0) == []
    for number in range(300):
        hub.changed([f"/{number}"])
    for number in (start, start - 10**6, hub.number + 5):
        assert [json.loads(news.data) for news in hub.after(number, 0) or ()] == [{"changed": None}]
    assert len(hub.after(hub.number - 3, 0) or ()) == 3
    hub.close()
    assert hub.after(start, 1) is None


def test_a_taken_port_is_an_error(preview: Preview) -> None:
    port = int(preview.address.rpartition(":")[2].strip("/"))
    with pytest.raises(OSError, match="in use"):
        Preview(port)
