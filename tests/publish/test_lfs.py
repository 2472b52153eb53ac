"""Sites that keep their images in Git LFS, with the real git-lfs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.conftest import Site
from tests.publish.test_end_to_end import Blogger, Machine, Reader, machine, programs, reader

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import PictureMaker, Require

__all__ = ["machine", "programs", "reader"]

URL = "https://img.example.com"


@pytest.fixture(autouse=True)
def _git_lfs(require: Require) -> None:
    require(shutil.which("git-lfs"), "git-lfs is not installed")


def git(folder: Path, *arguments: str | Path, **env: str) -> str:
    done = subprocess.run(
        ["git", "-C", folder, *arguments],
        env={**os.environ, **env},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def track(folder: Path) -> None:
    """Keep the images of a new repository in Git LFS."""
    git(folder, "init", "-q")
    git(folder, "lfs", "install", "--local", "--force")  # whatever hook is there
    git(folder, "lfs", "track", "*.png", "*.jpg")


@pytest.fixture
def original(site: Site, identity: Path) -> Site:  # noqa: ARG001  git's
    """A site of two images, committed with its manifest."""
    track(site.root)
    site.configure(CACHE_PATH="cache", IMAGEHOST_URL=URL)
    site.picture("content/cat.jpg")
    site.picture("content/dog.png", colour="blue")
    site.write("content/a.md", "Title: A\nDate: 2026-01-01\nCover: dog.png\n\n![c](cat.jpg)\n")
    site.write(".gitignore", "output/\nimages/\ncache/\n__pycache__/\n")
    site.build()
    commit(site)
    return site


def commit(site: Site) -> None:
    git(site.root, "add", "--all")
    git(site.root, "commit", "-qm", "x")


def clone(site: Site, folder: Path) -> Site:
    """Clone a site without the content of its images."""
    git(folder.parent, "clone", "-q", site.root, folder, GIT_LFS_SKIP_SMUDGE="1")
    copy = Site.__new__(Site)
    copy.root = folder
    return copy


def is_pointer(file: Path) -> bool:
    return file.read_bytes().startswith(b"version https://git-lfs.github.com/spec/v1\n")


def test_a_clone_without_content_builds_the_same_pages(original: Site, tmp_path: Path) -> None:
    copy = clone(original, tmp_path / "clone")
    assert is_pointer(copy.root / "content/cat.jpg")
    for _ in range(2):
        done = copy.build()
        assert "problem" not in done.stdout
        assert copy.output("a.html") == original.output("a.html")
    assert not git(copy.root, "status", "--porcelain")
    assert len(re.findall(URL, copy.output("a.html"))) == 1
    git(copy.root, "lfs", "install", "--local")
    git(copy.root, "lfs", "pull")
    copy.build()
    assert len(list((copy.root / "images").glob("??/*"))) == 2  # the images, no pointers
    assert not git(copy.root, "status", "--porcelain")


def test_a_renamed_image_is_known_by_its_digest(original: Site, tmp_path: Path) -> None:
    copy = clone(original, tmp_path / "clone")
    (copy.root / "content/cat.jpg").rename(copy.root / "content/tom.jpg")
    article = copy.root / "content/a.md"
    article.write_text(article.read_text().replace("cat.jpg", "tom.jpg"))
    copy.build()
    assert copy.output("a.html") == original.output("a.html")
    facts = {line["path"]: line["sha256"] for line in copy.manifest()}
    assert facts["content/tom.jpg"] == facts["content/cat.jpg"]


def test_the_store_knows_images_without_a_manifest(original: Site, tmp_path: Path) -> None:
    copy = clone(original, tmp_path / "clone")
    before = copy.manifest()
    (copy.root / "imagehost.jsonl").unlink()
    shutil.copytree(original.root / "images", copy.root / "images")
    copy.build()
    assert copy.output("a.html") == original.output("a.html")
    assert copy.manifest() == before


def test_embedded_images_come_from_the_store(original: Site, tmp_path: Path) -> None:
    copy = clone(original, tmp_path / "clone")
    copy.configure(IMAGEHOST_URL=None)
    lacking = copy.build().stdout
    assert re.search(r"content/a\.md:\d: cat\.jpg: .* the file is missing, also from", lacking)
    assert "run git lfs pull" in lacking.replace("`", "")
    shutil.copytree(original.root / "images", copy.root / "images", dirs_exist_ok=True)
    assert "problem" not in copy.build().stdout
    assert {is_pointer(file) for file in (copy.root / "output/images").glob("??/*")} == {False}


def test_a_new_image_that_was_not_fetched_is_a_problem(
    original: Site, tmp_path: Path, picture: PictureMaker
) -> None:
    picture(original.root / "content/cat.jpg", colour="green")  # committed without a build
    commit(original)
    copy = clone(original, tmp_path / "clone")
    said = copy.build().stdout
    assert re.search(r"content/a\.md:\d: cat\.jpg: is a Git LFS pointer to an image that", said)
    assert 'src="cat.jpg"' in copy.output("a.html")
    assert {line["path"] for line in copy.manifest()} == {"content/cat.jpg", "content/dog.png"}
    copy.configure(IMAGEHOST_FROZEN=True, IMAGEHOST_STRICT=True)
    done = copy.build(check=False)
    assert done.returncode == 1
    assert "cat.jpg: imagehost.jsonl lists another image for it; build" in done.stdout


def test_a_size_that_differs_is_not_believed(original: Site, tmp_path: Path) -> None:
    copy = clone(original, tmp_path / "clone")
    pointer = copy.root / "content/cat.jpg"
    pointer.write_text(re.sub("size [0-9]+", "size 7", pointer.read_text()))
    assert "cat.jpg: is a Git LFS pointer to an image that neither" in copy.build().stdout


def test_an_upload_of_a_pointer_is_not_believed(original: Site, tmp_path: Path) -> None:
    pointer = clone(original, tmp_path / "clone").root / "content/cat.jpg"
    outside = shutil.copy(pointer, tmp_path / "cat.jpg")
    done = original.cli("add", outside)
    assert done.returncode == 1
    assert b"is a Git LFS pointer, not the image; run `git lfs pull`" in done.stderr


@pytest.fixture
def blog(tmp_path: Path, machine: Machine) -> Blogger:
    """A site on a host of one's own whose git has pointers."""
    blog = Blogger.begin(tmp_path / "first/blog", machine)
    track(blog.root)
    blog.imagehost("init")  # beside the hook of git-lfs
    blog.git("lfs", "install", "--skip-repo")  # for the host too, where HOME is the same here
    blog.write(".gitignore", "__pycache__/\n/images/\n/output/\n/cache/\n")
    blog.picture("content/cat.jpg", size=(300, 200))
    blog.post("cat", "![a](cat.jpg)")
    return blog


def test_a_push_to_ones_own_host_says_how_it_passes(blog: Blogger, reader: Reader) -> None:
    blog.commit()
    assert b"git-lfs" in blog.git("show", "HEAD:content/cat.jpg").encode()
    refused = blog.start_push()
    said, _ = refused.communicate()
    assert refused.returncode != 0
    match = re.search(r"imagehost: run (.+), because Git LFS files are not stored here", said)
    assert match, said
    pushed = subprocess.run(
        ["sh", "-c", match[1]],
        cwd=blog.root,
        env={**os.environ, **blog.machine.environment()},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert pushed.returncode == 0, pushed.stdout + pushed.stderr
    seen = reader.look()
    assert (seen.broken, list(seen.pictures)) == ([], [blog.key("cat.jpg")])


def test_a_pointer_never_reaches_readers(blog: Blogger, reader: Reader) -> None:
    blog.configure(STATIC_PATHS=["files"])
    blog.picture("content/files/logo.png")
    blog.commit()
    os.environ["GIT_LFS_SKIP_PUSH"] = "1"
    try:
        refused = blog.start_push()
        said, _ = refused.communicate()
    finally:
        del os.environ["GIT_LFS_SKIP_PUSH"]
    assert refused.returncode != 0
    assert "files/logo.png is a Git LFS pointer, and the host does not have" in said
    assert reader.get("/")[0] == 404
