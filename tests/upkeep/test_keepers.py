"""No command deletes an image that `list` shows as used, with or without git."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Site

USES = {  # file → the text with which it refers to an image
    "content/extra/custom.css": "body{{background:url({url})}}",
    "content/extra/app.js": "const logo = '{url}';",
    "content/extra/old.html": "<img src='{url}'>",
    "content/data/people.json": '{{"avatar": "{url}"}}',
    "content/draft.org": "[[{url}]]",  # without a reader
    "data/people.yml": "avatar: {url}",
    "theme/templates/base.html": "<img src='{url}'>",
    "theme/static/style.css": "body{{background:url({url})}}",
    "overrides/index.html": "<img src='{url}'>",
    "pelicanconf.py": "SOCIAL = [({{'icon': {url!r}}},)]",
    "the settings": "LOGO = '/'.join({parts!r})",
}


@pytest.fixture(params=[False, True], ids=["without git", "with git"])
def blog(request: pytest.FixtureRequest, site: Site) -> Site:
    if request.param:
        subprocess.run(["git", "init", "-q", site.root], check=True)
    site.write("content/a.md", "Title: A\nDate: 2024-01-01\n\ntext")
    site.configure(
        THEME="theme", STATIC_PATHS=["extra", "data"], THEME_TEMPLATES_OVERRIDES=["overrides"]
    )
    (site.root / "theme/templates").mkdir(parents=True)
    return site


def add_images(site: Site, number: int) -> list[str]:
    """Add images from outside the site; return their addresses."""
    files = [
        site.picture(f"../elsewhere/{index}.jpg", text_seed=index + 1) for index in range(number)
    ]
    return site.cli("add", *files).stdout.decode().split()


def test_what_list_calls_used_no_command_deletes(blog: Site) -> None:
    urls = add_images(blog, len(USES))
    for (path, text), url in zip(USES.items(), urls, strict=True):
        file = blog.root / ("pelicanconf.py" if path == "the settings" else path)
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a") as opened:
            opened.write(text.format(url=url, parts=url.split("/")) + "\n")
    listed = {one["url"]: one["documents"] for one in json.loads(blog.cli("list", "--json").stdout)}
    assert [listed[url] for url in urls[:-1]] == [[path] for path in list(USES)[:-1]]
    refused = blog.cli("gc", *urls, "--yes", "--grace-days", "0")
    assert refused.returncode == 1
    for path in USES:
        assert f"is used in {path}\n" in refused.stderr.decode()
    chosen = json.loads(blog.cli("delete-chosen", *urls).stdout)
    assert [one["deleted"] for one in chosen] == [False] * len(urls)
    assert blog.cli("gc", "--yes", "--grace-days", "0").returncode == 0
    assert all((blog.root / url.removeprefix("/")).exists() for url in urls)
    assert len(blog.manifest()) == len(urls)


def test_an_image_that_nothing_names_is_deleted(blog: Site) -> None:
    site, (url,) = blog, add_images(blog, 1)
    completed = site.cli("gc", "--yes", "--grace-days", "0")
    assert b"deleted 1 image" in completed.stderr
    assert b"imagehost.jsonl has changed; commit it" in completed.stderr
    assert not (site.root / url.removeprefix("/")).exists()
    assert site.manifest() == []


@pytest.mark.parametrize("blog", [True], indirect=True, ids=["with git"])
def test_a_committed_line_keeps_its_image_and_says_what_to_do(blog: Site) -> None:
    site, (url,) = blog, add_images(blog, 1)
    git = ["git", "-C", str(site.root), "-c", "user.name=A", "-c", "user.email=a@example.com"]
    subprocess.run([*git, "add", "imagehost.jsonl"], check=True)
    subprocess.run([*git, "commit", "-qm", "Add it"], check=True)
    refused = site.cli("gc", url, "--yes", "--grace-days", "0")
    assert refused.returncode == 1
    assert (
        "is listed in the committed imagehost.jsonl; run `pelican-imagehost gc`, commit "
        "imagehost.jsonl, then repeat this"
    ) in refused.stderr.decode()
    dropped = site.cli("gc", "--yes").stderr.decode()
    assert "0 unused images, 0 bytes; 1 unused line of imagehost.jsonl" in dropped
    assert "kept for now: 1, listed by a commit of the last 30 days" in dropped
    assert "deleted 0 images, 0 bytes; 1 line of imagehost.jsonl" in dropped
    subprocess.run([*git, "commit", "-qam", "Drop it"], check=True)
    waiting = site.cli("gc", url, "--yes")
    assert "was listed in imagehost.jsonl in the last 30 days" in waiting.stderr.decode()
    assert site.cli("gc", url, "--yes", "--grace-days", "0").returncode == 0
    assert not (site.root / url.removeprefix("/")).exists()


def test_a_manifest_that_cannot_be_written_is_one_line_and_nothing_is_deleted(site: Site) -> None:
    site.picture("content/cat.jpg")
    site.write("content/a.md", "Title: A\nDate: 2024-01-01\n\n![c](cat.jpg)")
    site.build()
    (site.root / "content/a.md").unlink()
    site.build()
    (site.root / ".imagehost.jsonl.tmp").mkdir()
    before = sorted((site.root / "images").rglob("*"))
    done = site.cli("gc", "--yes", "--grace-days", "0")
    assert done.returncode == 1
    assert b"imagehost.jsonl cannot be written: " in done.stderr
    assert b"Traceback" not in done.stderr
    assert sorted((site.root / "images").rglob("*")) == before
