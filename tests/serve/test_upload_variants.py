"""Uploads get variants from the next build that names them, and lose them with it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.publish.test_author import Host, blog, commit, host
from tests.serve.serverkit import TOKEN, Server
from tests.site.test_variants import WIDTHS, photo, stored
from tests.test_plugin import post

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Site

__all__ = ["blog", "host"]

pytestmark = pytest.mark.usefixtures("identity")
PUBLISH = ("-s", "publishconf.py")


@pytest.fixture
def service(blog: Site) -> Iterator[Server]:
    blog.configure(IMAGEHOST_FORMATS=["avif"], IMAGEHOST_WIDTHS=WIDTHS)
    running = Server(blog, *PUBLISH)
    yield running
    running.kill()


def use_upload(site: Site, service: Server) -> tuple[str, list[str]]:
    """Upload a photograph, name it in a document, build and publish; return its keys."""
    address = service.upload(photo(), "IMG_1.jpg").json["url"]
    key = address[-71:].rpartition("/")[0][-2:] + "/" + address.rpartition("/")[2]
    assert len(stored(site.root / "images")) == 1
    post(site, "a.md", f"![A cat]({address})")
    commit(site)
    (line,) = [one for one in site.manifest() if one["path"] == f"images/{key}"]
    keys = [f"{digest[:2]}/{digest}.{kind}" for _, _, digest, kind, _ in line["variants"]]
    assert len(keys) == len(WIDTHS)
    page = site.output("a.html")
    assert page.count("<picture data-imagehost>") == 1
    assert all(name in page for name in (key, *keys))
    done = site.cli("publish", *PUBLISH, "--no-confirm")
    assert done.returncode == 0, done.stderr
    return key, keys


def delete_by_command(site: Site, _service: Server, key: str) -> None:
    done = site.cli("gc", *PUBLISH, "--yes", "--grace-days", "0", key[3:67])
    assert done.returncode == 0, done.stderr


def delete_in_gallery(_site: Site, service: Server, key: str) -> None:
    form = {"Content_Type": "application/x-www-form-urlencoded", "Origin": service.url}
    login = service.request("POST", "/login", f"token={TOKEN}".encode(), **form)
    cookie = login.headers["Set-Cookie"].partition(";")[0]
    answer = service.request(
        "POST", "/delete", f"sha256={key[3:67]}".encode(), Cookie=cookie, **form
    )
    assert re.search(r"1 image\s+deleted", answer.body.decode()), answer.body.decode()


@pytest.mark.parametrize("delete", [delete_by_command, delete_in_gallery], ids=["gc", "gallery"])
def test_an_upload_has_variants_until_it_is_deleted(
    blog: Site, host: Host, service: Server, delete: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(delete)
    key, keys = use_upload(blog, service)
    assert {key, *keys} <= host.names()
    post(blog, "a.md", "nothing")
    commit(blog, "Forget")
    assert blog.cli("gc", *PUBLISH, "--yes", "--grace-days", "0").returncode == 0
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2020-01-01T00:00:00Z")  # before the grace period
    commit(blog, "Collect")
    delete(blog, service, key)
    assert host.names().isdisjoint({key, *keys})
    assert stored(blog.root / "images").isdisjoint(one[3:] for one in (key, *keys))


def test_an_image_that_is_allowed_again_has_its_variants_too(blog: Site, host: Host) -> None:
    blog.configure(IMAGEHOST_FORMATS=["avif"], IMAGEHOST_WIDTHS=WIDTHS)
    blog.write("content/cat.jpg", photo())
    blog.write("content/dog.jpg", photo(2))
    post(blog, "a.md", "![A cat](cat.jpg) ![A dog](dog.jpg)")
    commit(blog)
    assert blog.cli("publish", *PUBLISH, "--no-confirm").returncode == 0
    before = host.names()
    assert len([name for name in before if name.endswith(".avif")]) == 4
    for name in ("cat", "dog"):
        assert blog.cli("retract", *PUBLISH, f"content/{name}.jpg").returncode == 0
    assert not [name for name in host.names() if name.endswith((".avif", ".jpg"))]
    assert len([name for name in host.names() if name.startswith("retracted/")]) == 6
    done = blog.cli("retract", *PUBLISH, "--undo", "content/cat.jpg")
    assert done.returncode == 0, done.stderr
    assert len([name for name in host.names() if name.startswith("retracted/")]) == 3
    post(blog, "a.md", "![A cat](cat.jpg)")
    commit(blog, "Again")
    done = blog.cli("publish", *PUBLISH, "--no-confirm")
    assert done.returncode == 0, done.stderr
    assert len([name for name in host.names() & before if name.endswith((".avif", ".jpg"))]) == 3
