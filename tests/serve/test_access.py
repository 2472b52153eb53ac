"""Who may upload, and who may not: tokens, sessions, pages of other sites."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING

import pytest

from pelican_imagehost.serve.access import Access
from tests.serve.abuse import GIF, check_refused, kept, serve
from tests.serve.serverkit import TOKEN, Answer, encode, server, upload_site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Site
    from tests.serve.serverkit import Part, Server

__all__ = ["server", "upload_site"]  # fixtures

PARTS: list[Part] = [("img", "a.gif", GIF)]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from serve(tmp_path_factory.mktemp("access") / "site")


def cookie(seconds: int = 3600) -> str:
    access = Access({"environment": TOKEN})
    return f"imagehost={access._seal('session', 'environment', seconds)}"  # noqa: SLF001  one that has ended too


def post_from(server: Server, source: str, token: str) -> Answer:
    """Upload from another address of this machine."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", server.port, timeout=20, source_address=(source, 0)
    )
    body, kind = encode(PARTS)
    headers = {"Content-Type": kind, "Authorization": f"Bearer {token}"}
    connection.request("POST", "/upload/image", body, headers)
    response = connection.getresponse()
    answer = Answer(response.status, response.headers, response.read())
    connection.close()
    return answer


WAYS: dict[str, tuple[str, dict[str, str]]] = {
    "Bearer": ("", {"Authorization": f"Bearer {TOKEN}"}),
    "bearer": ("", {"Authorization": f"bearer  {TOKEN} "}),
    "X-API-Key": ("", {"X_API_Key": TOKEN}),
    "query": (f"?key={TOKEN}", {}),
    "session": ("", {"Cookie": cookie()}),
}


@pytest.mark.parametrize("name", WAYS)
def test_a_token_comes_in_several_ways(shared: Server, name: str) -> None:
    query, headers = WAYS[name]
    assert shared.post(f"/upload/image{query}", PARTS, None, **headers).status == 200


def test_a_token_of_the_query_is_not_written_down(server: Server) -> None:
    assert server.post(f"/upload/image?key={TOKEN}", PARTS, None).status == 200
    assert server.post("/upload/image?key=guess-guess-guess", PARTS, None).status == 401
    said = server.stop()
    assert TOKEN not in said
    assert "guess" not in said


WRONG: dict[str, tuple[dict[str, str], int, str]] = {
    "none": ({}, 401, "no_token"),
    "empty": ({"Authorization": "Bearer "}, 401, "no_token"),
    "another scheme": ({"Authorization": f"Basic {TOKEN}"}, 401, "no_token"),
    "wrong": ({"Authorization": "Bearer wrong"}, 401, "wrong_token"),
    "its beginning": ({"Authorization": f"Bearer {TOKEN[:-1]}"}, 401, "wrong_token"),
    "more than it": ({"Authorization": f"Bearer {TOKEN}x"}, 401, "wrong_token"),
    "not ASCII": ({"Authorization": "Bearer tök€n".encode().decode("latin-1")}, 401, "wrong_token"),
    "a session not ASCII": ({"Cookie": f"imagehost={2**33}.é"}, 401, "no_token"),
    "a session of nobody": ({"Cookie": f"imagehost={2**33}.{'0' * 64}"}, 401, "no_token"),
    "a session that has ended": ({"Cookie": cookie(-1)}, 401, "no_token"),
    "a session without end": ({"Cookie": "imagehost=." + "0" * 64}, 401, "no_token"),
    "a session of digits": ({"Cookie": "imagehost=" + "9" * 5000}, 401, "no_token"),
}
FOREIGN = {
    "another site": {"Origin": "https://example.com"},
    "another port": {"Origin": "http://127.0.0.1:1"},
    "null": {"Origin": "null"},
    "brackets": {"Origin": "http://["},
    "a file": {"Origin": "file://"},
    "Sec-Fetch-Site": {"Sec_Fetch_Site": "cross-site"},
}


@pytest.mark.parametrize("name", WRONG)
def test_without_a_token_nothing_comes_in(shared: Server, name: str) -> None:
    headers, status, code = WRONG[name]
    before = kept(shared)
    answer = shared.post("/upload/image", PARTS, None, **headers)
    check_refused(answer, status, code)
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert kept(shared) == before
    assert shared.upload(GIF).status == 200


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("way", WAYS)
def test_pages_of_other_sites_are_refused_whatever_they_know(
    shared: Server, name: str, way: str
) -> None:
    query, headers = WAYS[way]
    before = kept(shared)
    headers = {**headers, **FOREIGN[name]}
    answer = shared.post(f"/upload/image{query}", PARTS, None, **headers)
    check_refused(answer, 403, "foreign_origin")
    assert kept(shared) == before


def test_the_services_own_pages_may_upload(shared: Server) -> None:
    own = {"Origin": shared.url, "Sec_Fetch_Site": "same-origin"}
    assert shared.post("/upload/image", PARTS, None, Cookie=cookie(), **own).status == 200


@pytest.mark.parametrize("path", ["/upload/image", "/upload", "/api/1/upload", "/heartbeat", "/"])
@pytest.mark.parametrize("method", ["OPTIONS", "GET", "POST", "HEAD"])
def test_no_answer_lets_other_sites_read_it(shared: Server, method: str, path: str) -> None:
    asks = {
        "Origin": "https://example.com",
        "Access_Control_Request_Method": "POST",
        "Access_Control_Request_Headers": "authorization",
        "Access_Control_Request_Private_Network": "true",
    }
    answer = shared.request(method, path, None, **asks)
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


def test_a_thousand_wrong_tokens_shut_their_address_out_and_nobody_else(server: Server) -> None:
    before = kept(server)
    answers = [server.post("/upload/image", PARTS, f"guess-{n}") for n in range(1000)]
    assert [answer.status for answer in answers] == [401] * 20 + [429] * 980
    check_refused(answers[-1], 429, "too_many_guesses")
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
    assert kept(server) == before
    assert server.upload(GIF).status == 429  # also for the right one, so that no guess is confirmed
    assert server.post("/upload/image", PARTS, None, Cookie=cookie()).status == 200
    assert post_from(server, "127.0.0.2", TOKEN).status == 200
    assert post_from(server, "127.0.0.2", "wrong").status == 401
    assert len(kept(server)[1]) == 1


REFUSED_TOKENS = {
    "too short": ("me short\n", "at least 16 ASCII characters"),
    "empty": ("", "does not contain a token"),
    "comments": ("# me secret\n", "does not contain a token"),
    "a word": ("0123456789abcdef0123456789\n", "expected a name and a secret"),
    "not ASCII": ("me töken-töken-töken-töken\n", "at least 16 ASCII characters"),
    "twice": ("me 0123456789abcdef0\nme 0123456789abcdef1\n", "duplicate token name me"),
    "no text": ("\udcff", "cannot read the token file"),
}


def check_start_refused(site: Site, message: str, *options: str | Path) -> None:
    """Check that `serve` exits at once with one line that contains no secret."""
    done = site.cli("serve", "--port", "0", *options)
    said = done.stderr.decode()
    assert (done.returncode, said.count("\n"), done.stdout) == (1, 1, b""), said
    assert said.startswith("pelican-imagehost: error: ")
    assert message in said
    assert "0123456789abcdef" not in said


@pytest.mark.parametrize("name", REFUSED_TOKENS)
def test_an_invalid_token_file_is_refused(
    upload_site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv("IMAGEHOST_TOKEN", raising=False)
    text, message = REFUSED_TOKENS[name]
    file = tmp_path / "tokens"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    file.chmod(0o600)
    check_start_refused(upload_site, message, "--tokens", file)


def test_a_file_of_tokens_that_others_read_or_git_publishes_is_refused(
    upload_site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("IMAGEHOST_TOKEN", raising=False)
    file = tmp_path / "tokens"
    file.write_text("me 0123456789abcdef0123456789\n")
    for mode in (0o640, 0o604, 0o620):
        file.chmod(mode)
        check_start_refused(upload_site, "chmod 600", "--tokens", file)
    file.chmod(0o600)
    inside = upload_site.root / "tokens"
    inside.symlink_to(file)
    (upload_site.root / "own").write_text("me 0123456789abcdef0123456789\n")
    (upload_site.root / "own").chmod(0o600)
    check_start_refused(upload_site, "is in the folder of the site", "--tokens", "own")
    check_start_refused(upload_site, "cannot read the token file", "--tokens", tmp_path)


@pytest.mark.parametrize("secret", ["", "short", "with spaces in its middle"])
def test_an_invalid_token_in_the_environment_is_refused(
    upload_site: Site, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setenv("IMAGEHOST_TOKEN", secret)
    check_start_refused(upload_site, "IMAGEHOST_TOKEN: a token must have at least 16")


def test_a_port_in_use_is_reported(shared: Server, upload_site: Site) -> None:
    command = ["serve", "--port", str(shared.port)]
    done = upload_site.cli(*command)
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1 port {shared.port}: ".encode() in done.stderr
