"""Files with any name that a file system allows: bytes that are not UTF-8, escapes, line ends."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import pytest

from pelican_imagehost.errors import printable, printable_lines
from pelican_imagehost.watch.preview import Preview
from tests.host.hostkit import author
from tests.host.hostkit import host as own_host
from tests.host.test_site_hook import Blog
from tests.publish.test_author import Host, blog, commit, host, serving
from tests.serve.serverkit import TOKEN, Server, server, upload_site
from tests.test_plugin import key_of, post
from tests.watch.test_gallery import Stage
from tests.watch.test_preview import get
from tests.watch.watchkit import prepare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Site
    from tests.host.hostkit import Author
    from tests.host.hostkit import Host as OwnHost

__all__ = ["author", "blog", "host", "own_host", "server", "upload_site"]

HOST = "https://img.example.com"
NAMES = {
    "Latin-1": os.fsdecode(b"caf\xe9.png"),
    "Latin-1 in a folder": os.fsdecode(b"d\xefr/caf\xe9.png"),
    "a terminal's escapes": "\x1b]0;x\x07\x1b[2J.png",
    "a line end": "a\nb.png",
    "another direction": "a\u202egnp.b.png",
    "markup": "[/bold][red]x.png",
    "C1": "a\x9b2Jb.png",
}


@pytest.fixture(autouse=True)
def strict_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let programs print as in most languages' settings, where the output must be UTF-8."""
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8:strict")


@pytest.fixture
def strange(site: Site) -> Site:
    """A site with pictures of strange names, and a document of one that refers to them."""
    for seed, name in enumerate(NAMES.values(), 100):
        site.picture(f"content/{name}", text_seed=seed)
    post(site, os.fsdecode(b"p\xe9.md"), body(), Title="pe")
    site.configure(IMAGEHOST_URL=HOST)
    return site


def body(*, gone: bool = True) -> str:
    """Refer to each picture, and perhaps to as many that do not exist."""
    names = [*NAMES.values(), *(f"gone-{name}" for name in NAMES.values() if gone)]
    return "\n\n".join(f"![x]({quote(os.fsencode(name))})" for name in names)


def check_plain(text: str | bytes) -> str:
    """Check that an output is UTF-8, and that no name changed the terminal; return it."""
    shown = text.decode() if isinstance(text, bytes) else text
    assert "Traceback" not in shown
    unsafe = {one for one in shown if printable(one) != one} - {"\n"}
    assert not unsafe, (unsafe, shown)
    return shown


def run(site: Site, *arguments: str, code: int = 0) -> tuple[str, str]:
    done = site.cli(*arguments)
    output, messages = check_plain(done.stdout), check_plain(done.stderr)
    assert done.returncode == code, messages
    return output, messages


def test_text_is_made_printable_on_one_line() -> None:
    odd = "é猫\u200d\xa0" + os.fsdecode(b"\xe9\xff") + "\ud800\x1b\x9b\0\n\r\u202e\u2028\\"
    assert printable(odd) == r"é猫" "\u200d\xa0" r"\xe9\xff\ud800\x1b\x9b\x00\n\r\u202e\u2028" "\\"
    assert printable(printable(odd)) == printable(odd)
    assert printable(odd).encode()
    assert printable("a" * 9, 8) == "aaaaa..."
    assert printable("\n" * 9, 8) == r"\n\n" "\\..."
    assert printable_lines("a\n  b\nc\x07") == "a\n  b\\nc\\x07"


def test_a_site_with_strange_names_is_built(strange: Site) -> None:
    for _ in range(2):  # the second from the index
        done = strange.build(check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        messages = check_plain(done.stdout + done.stderr)
        assert f"{len(NAMES)} images hosted" in messages
        assert r"p\xe9.md:" in messages
    keys = [key_of(strange.root / "content" / name) for name in NAMES.values()]
    page = strange.output("pe.html")
    assert all(f"{HOST}/{key}" in page for key in keys)
    assert {line["path"] for line in strange.manifest()} == {f"content/{n}" for n in NAMES.values()}
    assert all((strange.root / "images" / key).exists() for key in keys)


def test_a_site_without_its_strange_files_is_built_from_the_manifest(strange: Site) -> None:
    before = strange.build() and strange.output("pe.html")
    for name in NAMES.values():
        (strange.root / "content" / name).unlink()
    strange.build()
    assert strange.output("pe.html") == before


@pytest.mark.parametrize("redirects", ["nginx", "netlify"])
def test_old_addresses_with_strange_names_go_on_working(strange: Site, redirects: str) -> None:
    strange.configure(STATIC_PATHS=["."])
    post(strange, os.fsdecode(b"p\xe9.md"), body(gone=False), Title="pe")
    strange.build()
    files = {f"output/{name}" for name in NAMES.values()}
    assert all((strange.root / file).exists() for file in files)
    strange.configure(IMAGEHOST_KEEP_STATIC=False, IMAGEHOST_REDIRECTS=redirects)
    strange.build("--delete-output-directory")
    assert not any((strange.root / file).exists() for file in files)
    written = {"nginx": "imagehost-redirects.map", "netlify": "_redirects"}[redirects]
    text = (strange.root / "output" / written).read_bytes()
    assert (b"/caf\xe9.png" if redirects == "nginx" else b"/caf%E9.png") in text


def test_commands_show_strange_names_and_work(strange: Site) -> None:
    strange.build()
    shown = {printable(f"content/{name}") for name in NAMES.values()}
    table, _ = run(strange, "list")
    assert all(name in table for name in shown)
    listed = json.loads(run(strange, "list", "--json")[0])
    assert {path for one in listed for path in one["paths"]} == {
        f"content/{name}" for name in NAMES.values()
    }
    problems, _ = run(strange, "check", "--all", code=1)
    assert problems.count(r"content/p\xe9.md:") == len(NAMES)
    assert f"{len(NAMES)} intact" in run(strange, "verify")[1]
    for name in NAMES.values():
        file = str(strange.root / "content" / name)
        assert run(strange, "add", file)[0] == f"{HOST}/{key_of(strange.root / file)}\n"
    run(strange, "export", os.fsdecode(b"content/p\xe9.md"), code=1)
    post(strange, os.fsdecode(b"p\xe9.md"), body(gone=False), Title="pe")
    assert HOST in run(strange, "export", os.fsdecode(b"content/p\xe9.md"))[0]


def test_strange_names_are_deleted_and_restored(strange: Site) -> None:
    strange.build()
    for key in [key_of(strange.root / "content" / name) for name in NAMES.values()]:
        (strange.root / "images" / key).unlink()
    missing, _ = run(strange, "verify", code=1)
    assert all(f"missing ({printable('content/' + name)})" in missing for name in NAMES.values())
    assert missing.count("\n") == len(NAMES)
    run(strange, "verify", "--repair")
    post(strange, os.fsdecode(b"p\xe9.md"), "nothing", Title="pe")
    strange.build()
    unused, _ = run(strange, "gc", "--dry-run")
    assert all(printable(f"content/{name}") in unused for name in NAMES.values())
    kept = [str(strange.root / "content" / name) for name in NAMES.values()]
    run(strange, "gc", "--yes", "--grace-days", "0", *kept[:2])
    run(strange, "gc", "--yes", "--grace-days", "0")
    assert strange.manifest() == []


def test_a_problem_of_a_build_is_one_line_in_the_gallery(strange: Site) -> None:
    strange.build()
    service = Server(strange)
    try:
        cookie = service.request(
            "POST", "/login", urlencode({"token": TOKEN}).encode(),
            Content_Type="application/x-www-form-urlencoded",
        ).headers["Set-Cookie"]  # fmt: skip
        answer = service.request("GET", "/", Cookie=cookie.partition(";")[0])
        assert answer.status == 200
        page = check_plain(answer.body)
        assert page.count('class="card"') == len(NAMES)
        assert page.count(r"p\xe9.md</code>") >= len(NAMES)
        digests = [line["sha256"] for line in strange.manifest()]
        answer = service.request(
            "POST", "/delete", json.dumps({"sha256": digests}).encode(),
            Content_Type="application/json", Authorization=f"Bearer {TOKEN}",
        )  # fmt: skip
        kept = answer.json["deletions"]
        assert [one["deleted"] for one in kept] == [False] * len(NAMES)
        assert all(r"p\xe9.md" in printable(one["message"]) == one["message"] for one in kept)
    finally:
        check_plain(service.stop())


@pytest.fixture
def preview(site: Site) -> Iterator[Preview]:
    served = Preview(0)
    served.root = str(site.root / "output")
    served.start()
    yield served
    served.close()


def test_a_site_with_strange_names_is_drafted(strange: Site, preview: Preview) -> None:
    prepare(strange, posts=1)
    strange.configure(STATIC_PATHS=["."])
    with Stage(strange, preview) as stage:
        stage.wait(lambda: bool(stage.builds), "a build")
        assert len(stage.wrong) == len(NAMES)
        stage.drafts.clear()
        post(strange, os.fsdecode(b"p\xe9.md"), body() + " more", Title="pe")
        stage.wait(lambda: bool(stage.drafts), "a draft")
        stage.settle()
        assert get(preview, "/pe.html")[0] == 200
        for name in NAMES.values():
            assert get_bytes(preview, quote(os.fsencode(f"/{name}"))) == 200
        page = get(preview, "/.imagehost/images")[2]
    check_plain(page)
    check_plain("\n".join((*stage.wrong, *stage.said)))
    assert page.count('class="card"') == len(NAMES) + 1


def get_bytes(preview: Preview, path: str) -> int:
    import http.client  # noqa: PLC0415  pictures are no text, so `get` cannot read them

    connection = http.client.HTTPConnection(preview.address.split("/")[2], timeout=10)
    connection.request("GET", path)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status


@pytest.mark.usefixtures("identity")
def test_strange_names_are_pushed_with_their_site(blog: Site, host: Host) -> None:
    for seed, name in enumerate(NAMES.values(), 100):
        blog.picture(f"content/{name}", text_seed=seed)
    whole = body(gone=False)
    post(blog, os.fsdecode(b"p\xe9.md"), whole, Title="pe")
    commit(blog)
    with serving(host, after=0):
        done = push_bytes(blog)
    assert done.returncode == 0, done.stderr
    assert host.names() >= {key_of(blog.root / "content" / name) for name in NAMES.values()}
    (blog.root / "content" / NAMES["Latin-1"]).write_bytes(b"not an image")
    subprocess.run(["git", "commit", "-qam", "x"], cwd=blog.root, check=True)
    done = push_bytes(blog)
    assert done.returncode != 0
    assert r"content/p\xe9.md:" in check_plain(done.stderr)


def push_bytes(site: Site) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["git", "push", "-q", "origin", "main"], cwd=site.root, capture_output=True, check=False
    )


def test_a_host_builds_a_site_with_strange_names(
    site: Site, own_host: OwnHost, tmp_path: Path
) -> None:
    from tests.host.hostkit import Author as Pusher  # noqa: PLC0415  a fixture has its name

    images: Author = Pusher(tmp_path / "images-author", own_host.layout.images)
    pushed = Blog(site, own_host, images)
    for seed, name in enumerate(NAMES.values(), 100):
        site.picture(f"content/{name}", text_seed=seed)
    post(site, os.fsdecode(b"p\xe9.md"), body(gone=False), Title="pe")
    pushed.commit()
    refused: Any = pushed.push()
    assert refused.code != 0
    pushed.push_images()
    done = pushed.push()
    assert done.code == 0, done.output
    assert "all served" in check_plain(done.output.replace("\x1b[K", ""))
    current = own_host.layout.current / "pe.html"
    assert all(
        key_of(site.root / "content" / name) in current.read_text() for name in NAMES.values()
    )
    post(site, os.fsdecode(b"p\xe9.md"), body(), Title="pe")
    pushed.git("add", "-A")
    pushed.git("commit", "-q", "-m", "x")
    assert r"p\xe9.md:" in check_plain(pushed.push().output.replace("\x1b[K", ""))
