"""Several services that share a bucket and a database: what one does holds for all at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from pelican_imagehost.images.image import digest_of
from tests.conftest import Site
from tests.seaweed import get
from tests.serve.serverkit import TOKEN, Answer, Server
from tests.test_plugin import key_of, post

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import PictureMaker
    from tests.postgres import Postgres
    from tests.seaweed import Place, Seaweed


def machine(folder: Path, place: Place, database: str, **settings: object) -> Site:
    """Make a site as on a machine of its own, with the settings that all share."""
    root = folder / "site"
    root.mkdir(parents=True)
    site = Site(root)
    site.configure(
        IMAGEHOST_KEEP_METADATA=["all"],  # bytes behind an image tell files apart
        IMAGEHOST_URL=place.url,
        IMAGEHOST_REMOTE=place.remote,
        IMAGEHOST_RECORDS=database,
        **settings,
    )
    return site


@pytest.fixture
def servers(tmp_path: Path, bucket: Place, database: str) -> Iterator[tuple[Server, Server]]:
    running = [Server(machine(tmp_path / name, bucket, database)) for name in ("one", "two")]
    yield running[0], running[1]
    for server in running:
        if server.process.poll() is None:
            server.kill()


@pytest.fixture
def pictures(tmp_path: Path, picture: PictureMaker) -> dict[str, bytes]:
    files = [picture(tmp_path / f"{number}.png", seed=number) for number in range(1, 4)]
    return {key_of(file): file.read_bytes() for file in files}


def listed(site: Site) -> dict[str, dict[str, Any]]:
    """Return what is known about each image, by its digest."""
    completed = site.cli("list", "--json")
    assert completed.returncode == 0, completed.stderr
    return {one["sha256"]: one for one in json.loads(completed.stdout)}


def gallery(server: Server, path: str = "/") -> Answer:
    """Ask for a page of the gallery, logged in."""
    form = urlencode({"token": TOKEN}).encode()
    kind = "application/x-www-form-urlencoded"
    login = server.request("POST", "/login", form, Content_Type=kind, Origin=server.url)
    cookie = login.headers["Set-Cookie"].partition(";")[0]
    return server.request("GET", path, Cookie=cookie)


def test_an_answer_of_one_is_true_in_all_at_once(
    servers: tuple[Server, Server], bucket: Place, pictures: dict[str, bytes]
) -> None:
    one, two = servers
    for key, data in pictures.items():
        answer = one.upload(data, "cat.png")
        assert answer.json == {"url": f"{bucket.url}/{key}"}
        reply = get(f"{bucket.url}/{key}")  # by the other gateway
        assert (reply.body, reply.headers["Content-Type"]) == (data, "image/png")
        assert "immutable" in reply.headers["Cache-Control"]
        assert two.upload(data, "dog.png").json == answer.json
    marks = {f"uploads/{digest_of(key)}" for key in pictures}
    assert bucket.names() == pictures.keys() | marks
    known = listed(two.site)
    assert {digest: (one["name"], one["times"]) for digest, one in known.items()} == {
        digest_of(key): ("cat.png", 2) for key in pictures
    }
    for server in servers:
        assert not (server.site.root / "images").exists()
        assert not list((server.site.root / "cache/imagehost-uploads").iterdir())
        assert "Traceback" not in server.stop()


def test_a_retracted_image_is_refused_by_all_at_once_and_allowed_by_all_again(
    servers: tuple[Server, Server], bucket: Place, pictures: dict[str, bytes]
) -> None:
    one, two = servers
    (key, data), (other, more), _ = pictures.items()
    assert (one.upload(data).status, two.upload(more).status) == (200, 200)
    assert one.site.cli("retract", key).returncode == 0
    for server in servers:
        answer = server.upload(data)
        assert (answer.status, answer.json["error"]["code"]) == (409, "retracted")
        assert f"retract --undo {digest_of(key)}" in answer.json["error"]["message"]
        both = server.post("/upload", [("files", "b.png", more), ("files", "a.png", data)])
        assert both.status == 409  # all or none
    assert bucket.names() == {
        other,
        f"uploads/{digest_of(other)}",
        f"retracted/{digest_of(key)}",
    }
    assert {digest: one["times"] for digest, one in listed(two.site).items()} == {
        digest_of(other): 1
    }
    assert two.site.cli("retract", "--undo", digest_of(key)).returncode == 0
    for server in servers:
        assert server.upload(data).status == 200
    assert get(f"{bucket.url}/{key}").body == data


def test_what_an_author_without_the_database_retracted_is_refused_too(
    tmp_path: Path, bucket: Place, database: str, pictures: dict[str, bytes]
) -> None:
    key, data = next(iter(pictures.items()))
    bucket.objects.put(f"retracted/{digest_of(key)}", b"", {})
    server = Server(machine(tmp_path / "one", bucket, database))
    try:
        assert server.upload(data).status == 409
        assert key not in bucket.names()
    finally:
        server.kill()


def test_the_gallery_of_each_shows_and_deletes_the_uploads_of_all(
    servers: tuple[Server, Server], bucket: Place, pictures: dict[str, bytes], tmp_path: Path,
    picture: PictureMaker,
) -> None:  # fmt: skip
    one, two = servers
    large = picture(tmp_path / "large.jpg", size=(1600, 1200)).read_bytes() + bytes(60_000)
    large_key = one.upload(large, "large.jpg").json["url"].removeprefix(f"{bucket.url}/")
    assert "large.jpg" in gallery(two).body.decode()
    key, data = next(iter(pictures.items()))
    assert one.upload(data, "cat.png").status == 200
    page = gallery(two).body.decode()
    assert "cat.png" in page
    assert f'src="/thumbnails/{large_key}"' in page
    thumbnail = gallery(two, f"/thumbnails/{large_key}")
    assert (thumbnail.status, thumbnail.headers["Content-Type"]) == (200, "image/webp")
    assert len(thumbnail.body) < len(large)
    whole = two.request("GET", f"/images/{key}")
    assert (whole.status, whole.headers["Location"]) == (302, f"{bucket.url}/{key}")
    absent = f"00/{'0' * 64}.png"
    assert gallery(two, f"/thumbnails/{absent}").status == 404

    body = json.dumps({"sha256": [digest_of(key)]}).encode()
    deleted = two.request(
        "POST", "/delete", body, Content_Type="application/json", Authorization=f"Bearer {TOKEN}"
    )
    assert deleted.json["deletions"][0]["message"] == "deleted, and retracted from the host"
    assert "cat.png" not in gallery(one).body.decode()
    assert one.upload(data).status == 409
    assert get(f"{bucket.url}/{key}").status == 404


def test_gc_and_verify_know_the_uploads_of_all(
    servers: tuple[Server, Server], tmp_path: Path, bucket: Place, database: str,
    pictures: dict[str, bytes],
) -> None:  # fmt: skip
    one, _ = servers
    (key, data), (other, more), (third, last) = pictures.items()
    author = machine(tmp_path / "author", bucket, database)
    author.configure(PLUGINS=["pelican_imagehost"])
    (author.root / "content/cat.png").write_bytes(last)
    post(author, "a.md", "![a](cat.png)")
    author.build()
    assert author.cli("publish").returncode == 0
    for content in (data, more):
        assert one.upload(content).status == 200
    assert author.cli("gc", "--yes", "--grace-days", "0").returncode == 0
    assert {key, other, third} <= bucket.names()
    assert author.cli("verify").returncode == 0
    checked = author.cli("verify", "--published", "--deep")
    assert checked.returncode == 0
    assert b"3 images published, 0 missing or damaged" in checked.stdout + checked.stderr
    bucket.objects.delete([other])
    checked = author.cli("verify", "--published")
    assert checked.returncode == 1
    assert f"{other}: missing".encode() in checked.stdout + checked.stderr
    assert one.upload(more).status == 200  # and so it comes back
    assert author.cli("verify", "--published").returncode == 0


def test_a_database_that_does_not_answer_is_said_and_asked_again(
    servers: tuple[Server, Server], postgres: Postgres, pictures: dict[str, bytes]
) -> None:
    one, _ = servers
    first, second, third = pictures.values()
    assert one.upload(first).status == 200
    postgres.kill()
    try:
        answer = one.upload(second)
        assert (answer.status, answer.json["error"]["code"]) == (507, "records")
        assert "the database test" in answer.json["error"]["message"]
        assert gallery(one).status == 500
        completed = one.site.cli("list")
        assert completed.returncode == 1
        assert completed.stderr.count(b"\n") == 1
    finally:
        postgres.restart()
    assert one.upload(third).status == 200
    assert len(listed(one.site)) == 2
    assert "Traceback" not in one.stop()


def test_a_bucket_that_does_not_answer_is_said_and_asked_again(
    servers: tuple[Server, Server], seaweed: Seaweed, bucket: Place, pictures: dict[str, bytes]
) -> None:
    one, _ = servers
    (_, first), (key, second), _ = pictures.items()
    assert one.upload(first).status == 200
    seaweed.kill("s3a")
    try:
        answer = one.upload(second)
        assert (answer.status, answer.json["error"]["code"]) == (503, "bucket")
        assert digest_of(key) not in listed(one.site)
    finally:
        seaweed.restart("s3a")
    assert one.upload(second).status == 200
    assert get(f"{bucket.url}/{key}").body == second
    assert "Traceback" not in one.stop()


def test_the_uploads_of_one_machine_move_to_the_database(
    tmp_path: Path, bucket: Place, database: str, pictures: dict[str, bytes]
) -> None:
    root = tmp_path / "one/site"
    root.mkdir(parents=True)
    site = Site(root)
    site.configure(IMAGEHOST_URL="https://img.example.com", IMAGEHOST_KEEP_METADATA=["all"])
    server = Server(site)
    try:
        for data in [*pictures.values(), *pictures.values()]:
            assert server.upload(data, "cat.png").status == 200
        server.stop()
        before = listed(site)
        site.configure(IMAGEHOST_URL=bucket.url, IMAGEHOST_REMOTE=bucket.remote)
        site.configure(IMAGEHOST_RECORDS=database)
        refused = site.cli("init")
        assert refused.returncode == 1
        assert b"3 uploads not in the bucket yet; run `publish --all`" in refused.stderr
        assert site.cli("publish", "--all", bucket.remote).returncode == 0
        moved = site.cli("init")
        assert b"copied 3 records of uploads from imagehost-uploads.sqlite3" in moved.stderr
        assert b"copied" not in site.cli("init").stderr
        assert bucket.names() == pictures.keys() | {f"uploads/{digest_of(key)}" for key in pictures}
        facts = ("name", "created", "updated", "token", "times", "size")
        after = {digest: [one[fact] for fact in facts] for digest, one in listed(site).items()}
        assert after == {digest: [one[fact] for fact in facts] for digest, one in before.items()}
        server.start()
        assert server.upload(next(iter(pictures.values()))).status == 200
        assert sum(one["times"] for one in listed(site).values()) == 7
    finally:
        if server.process.poll() is None:
            server.kill()


@pytest.mark.parametrize("remote", [None, "me@img.example.com:blog"], ids=["none", "git"])
def test_a_database_without_a_bucket_is_refused(site: Site, remote: str | None) -> None:
    site.configure(
        IMAGEHOST_URL="https://img.example.com",
        IMAGEHOST_REMOTE=remote,
        IMAGEHOST_RECORDS="postgresql://me:secret@127.0.0.1/images",
    )
    completed = site.cli("list")
    assert completed.returncode != 0
    assert b"set IMAGEHOST_REMOTE to 's3://" in completed.stderr
    assert b"secret" not in completed.stderr
