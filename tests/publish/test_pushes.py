"""Every kind of push of a site: what must pass, and what must be online before it."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pelican_imagehost.images.image import digest_of
from tests.publish.test_author import Host, Quiet, blog, commit, git, host, push, serving
from tests.test_plugin import key_of, post

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Site

__all__ = ["blog", "host"]

pytestmark = pytest.mark.usefixtures("identity")


def try_push(site: Site, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", "push", *arguments],
        cwd=site.root,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **env},
    )


def publish_all(site: Site, host: Host) -> None:
    """Push the site once, with its images."""
    commit(site)
    with serving(host, after=0):
        done = push(site)
    assert done.returncode == 0, done.stderr


def key(site: Site, name: str) -> str:
    return key_of(site.root / "content" / name)


def pushed(site: Site) -> str:
    return git("ls-remote", "origin", folder=site.root)


def test_the_first_push_of_a_site_without_images(blog: Site, host: Host) -> None:
    for name in ("one", "two"):
        post(blog, f"{name}.md", "no image yet")
    commit(blog)
    done = push(blog)
    assert done.returncode == 0, done.stderr
    assert not list(host.repository.glob("refs/heads/*"))
    publish = blog.cli("publish", "-s", "publishconf.py")
    assert publish.returncode == 0, publish.stderr


def orphan(site: Site, files: dict[str, str], branch: str) -> None:
    """Commit files to a branch of their own, as ghp-import does."""
    lines = [f"commit refs/heads/{branch}", "committer A <a@example.com> 1 +0000", "data 1", "x"]
    for name, text in files.items():
        lines += [f"M 644 inline {name}", f"data {len(text.encode())}", text]
    subprocess.run(
        ["git", "fast-import", "--quiet", "--force"],
        cwd=site.root,
        input="\n".join([*lines, ""]).encode(),
        check=True,
    )


def test_other_refs_of_the_repository_pass(blog: Site, host: Host) -> None:
    """A blog that used git before this package, with tags and branches of that time."""
    orphan(blog, {"content/a.md": "Title: A\n\n![a](a.png)\n", "pelicanconf.py": "X = 1\n"}, "old")
    orphan(blog, {"index.html": "<p>built</p>"}, "gh-pages")
    git("tag", "v1", "old", folder=blog.root)
    git("tag", "-a", "-m", "x", "v2", "old", folder=blog.root)
    blob = git("hash-object", "-w", "pelicanconf.py", folder=blog.root).strip()
    git("tag", "key", blob, folder=blog.root)
    git("tag", "tree", "old^{tree}", folder=blog.root)
    commit(blog)
    for arguments in (["gh-pages"], ["key"], ["tree"], ["--tags"], ["old"]):
        done = try_push(blog, "origin", *arguments)
        assert done.returncode == 0, done.stderr
    with serving(host, after=0):
        for arguments in (["--all"], ["--mirror"]):
            done = try_push(blog, "origin", *arguments)
            assert done.returncode == 0, done.stderr
    assert host.names() == {key(blog, "one.png"), key(blog, "two.png")}
    done = try_push(blog, "origin", ":old")
    assert done.returncode == 0, done.stderr


def test_an_old_tag_whose_images_are_gone_passes(blog: Site, host: Host) -> None:
    publish_all(blog, host)
    git("tag", "v1", folder=blog.root)
    post(blog, "one.md", "nothing")
    (blog.root / "content/one.png").unlink()
    assert blog.cli("gc", "-s", "publishconf.py", "--yes", "--grace-days", "0").returncode == 0
    assert blog.cli("retract", "-s", "publishconf.py", git_key(host, "one", blog)).returncode == 0
    commit(blog)
    with serving(host, after=0):
        assert push(blog).returncode == 0
    done = try_push(blog, "origin", "--tags")
    assert done.returncode == 0, done.stderr


def git_key(host: Host, name: str, site: Site) -> str:
    """Return a key that is not that of the remaining image."""
    del name
    return next(iter(host.names() - {key(site, "two.png")}))


PAGES = {
    "page": "<img src='{url}'>",
    "style sheet": "a {{ background: url({url}) }}",
    "feed": '{{"image": "{json}"}}',
    "without its scheme": "<img src='{bare}'>",
}


@pytest.mark.parametrize("kind", PAGES)
def test_built_pages_wait_for_their_images(blog: Site, host: Host, kind: str) -> None:
    blog.build(settings="publishconf.py")
    url = f"{host.url}/{key(blog, 'one.png')}"
    text = PAGES[kind].format(url=url, json=url.replace("/", r"\/"), bare=url[len("http:") :])
    orphan(blog, {"posts/one.html": text}, "gh-pages")
    with serving(host, after=0.3):
        done = try_push(blog, "origin", "gh-pages")
    assert done.returncode == 0, done.stderr
    assert "1 image online" in done.stderr
    assert host.names() == {key(blog, "one.png")}


def test_built_pages_with_an_image_that_nobody_has_are_refused(blog: Site, host: Host) -> None:
    lost = f"ab/ab{'0' * 62}.png"
    orphan(blog, {"posts/one.html": f"<img src='{host.url}/{lost}'>"}, "gh-pages")
    done = try_push(blog, "origin", "gh-pages", IMAGEHOST_WAIT="1")
    assert done.returncode != 0
    assert lost in done.stderr
    assert "posts/one.html" in done.stderr
    assert pushed(blog) == ""


def remove(host: Host, name: str, *, tombstone: bool) -> None:
    """Remove an image from the branch of the host, as `host gc` or another author does."""
    lines = [
        "commit refs/heads/main",
        "committer B <b@example.com> 2000000000 +0000",
        "data 1",
        "x",
        "from refs/heads/main^0",
        f"D {name}",
    ]
    if tombstone:
        lines += [f"M 644 inline retracted/{digest_of(name)}", "data 0", ""]
    subprocess.run(
        ["git", "fast-import", "--quiet"],
        cwd=host.repository,
        input="\n".join([*lines, ""]).encode(),
        check=True,
    )
    (host.served / name).unlink()


@pytest.mark.parametrize("change", ["new post", "text only"])
def test_an_image_that_the_host_removed_is_sent_again(blog: Site, host: Host, change: str) -> None:
    publish_all(blog, host)
    one = key(blog, "one.png")
    remove(host, one, tombstone=False)
    post(blog, "three.md" if change == "new post" else "two.md", "![a](one.png) ![b](two.png)")
    commit(blog)
    with serving(host, after=0.3):
        done = push(blog)
    assert done.returncode == 0, done.stderr
    assert "1 image online" in done.stderr
    assert (host.served / one).exists()
    assert one in host.names()


@pytest.mark.parametrize("change", ["new image", "text only"])
def test_an_image_that_another_author_retracted_refuses_the_push(
    blog: Site, host: Host, change: str
) -> None:
    publish_all(blog, host)
    before = pushed(blog)
    remove(host, key(blog, "one.png"), tombstone=True)
    if change == "new image":
        blog.picture("content/three.png", colour="blue")
        post(blog, "three.md", "![a](three.png)")
    else:
        post(blog, "two.md", "other words ![a](one.png)")
    commit(blog)
    done = push(blog)
    assert done.returncode != 0
    assert "content/one.png was retracted" in done.stderr
    assert pushed(blog) == before
    built = blog.build(settings="publishconf.py").stdout
    assert "content/one.png was retracted" in built


def test_what_was_removed_and_sent_again_is_asked_again(blog: Site, host: Host) -> None:
    publish_all(blog, host)
    one = key(blog, "one.png")
    remove(host, one, tombstone=False)
    post(blog, "two.md", "![a](one.png)")
    commit(blog)
    done = push(blog, IMAGEHOST_WAIT="1")  # nobody serves what is pushed
    assert done.returncode != 0
    assert f"{one} (content/one.png): 404" in done.stderr
    with serving(host, after=0):
        assert push(blog).returncode == 0


def test_a_retraction_undone_and_nothing_to_push(blog: Site, host: Host) -> None:
    publish_all(blog, host)
    one = key(blog, "one.png")
    assert blog.cli("retract", "-s", "publishconf.py", one).returncode == 0
    git("checkout", "--quiet", "imagehost.jsonl", folder=blog.root)
    assert blog.cli("retract", "-s", "publishconf.py", "--undo", one).returncode == 0
    done = push(blog)
    assert "Everything up-to-date" in done.stderr
    assert "1 image in imagehost.jsonl not published" in done.stderr
    assert "run: pelican-imagehost publish -s publishconf.py" in done.stderr
    with serving(host, after=0):
        assert blog.cli("publish", "-s", "publishconf.py").returncode == 0
    assert "not published" not in push(blog).stderr


def test_a_retracted_image_that_a_post_uses_is_a_problem_of_the_build(
    blog: Site, host: Host
) -> None:
    publish_all(blog, host)
    one = blog.root / "content/one.png"
    assert blog.cli("retract", "-s", "publishconf.py", "content/one.png").returncode == 0
    for _ in range(2):
        built = blog.build(settings="publishconf.py")
        assert (
            "content/one.md:4: one.png: content/one.png was retracted"
            in built.stdout + built.stderr
        )
        assert not (blog.root / "images" / key_of(one)).exists()
        assert [line["path"] for line in blog.manifest()] == ["content/two.png"]
    assert blog.cli("add", "-s", "publishconf.py", one).returncode == 1
    assert blog.cli("retract", "-s", "publishconf.py", "--undo", one).returncode == 0
    assert "retracted" not in blog.build(settings="publishconf.py").stdout
    assert len(blog.manifest()) == 2


def test_no_image_is_unpacked(blog: Site, host: Host, small_disk: Path) -> None:
    noise = "".join(f"<!--{number}-->" for number in range(60_000))
    for name in ("large.svg", "unused.svg", "stray.svg"):
        svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">{noise}</svg>'
        blog.write(f"content/{name}", svg)
    post(blog, "large.md", "<img src='large.svg'> &amp; more")
    commit(blog)
    subprocess.run(["mount", "-o", "remount,size=400k", small_disk], check=True)
    with serving(host, after=0):
        done = push(blog, TMPDIR=str(small_disk))
        assert done.returncode == 0, done.stderr
        post(blog, "large.md", "<img src='large.svg'> &amp; other words")
        commit(blog)
        done = push(blog, TMPDIR=str(small_disk))
    assert done.returncode == 0, done.stderr
    assert list(small_disk.iterdir()) == []


CHANGES: dict[str, tuple[Callable[[Site], object], str]] = {
    "a new image, not listed": (
        lambda blog: (blog.picture("content/new.png"), post(blog, "one.md", "![a](new.png)")),
        "content/one.md: content/new.png: not listed in imagehost.jsonl",
    ),
    "an edited image": (
        lambda blog: blog.picture("content/one.png", colour="green"),
        "content/one.md: content/one.png: not listed in imagehost.jsonl",
    ),
    "an image that is not there": (
        lambda blog: post(blog, "one.md", "![a](none.png)"),
        "content/one.md:4: none.png: no such file",
    ),
    "a reference of another form": (
        lambda blog: post(blog, "one.md", "![a][b]\n\n[b]: none.png"),
        "content/one.md",
    ),
    "an image in HTML": (
        lambda blog: post(blog, "one.md", '<img alt="" src="none.png">'),
        "content/one.md:4: none.png: no such file",
    ),
    "a cover": (
        lambda blog: blog.write(
            "content/one.md", "Title: A\nDate: 2026-01-01\nCover: none.png\n\nx"
        ),
        "none.png",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_commit_without_its_build_is_refused(blog: Site, host: Host, name: str) -> None:
    publish_all(blog, host)
    before = pushed(blog)
    change, expected = CHANGES[name]
    change(blog)
    git("add", "--all", folder=blog.root)
    git("commit", "--quiet", "-m", "No build", folder=blog.root)
    done = push(blog)
    assert done.returncode != 0, done.stderr
    assert expected in done.stderr
    assert pushed(blog) == before


def test_a_change_of_words_passes_without_pelican(blog: Site, host: Host, tmp_path: Path) -> None:
    blog.configure(PLUGINS=["imagehost"])
    publish_all(blog, host)
    post(blog, "one.md", "Other words, a [link](https://example.com/a), and ![a](one.png).")
    git("add", "--all", folder=blog.root)
    git("commit", "--quiet", "-m", "Words", folder=blog.root)
    empty = tmp_path / "no-pelican"
    (empty / "pelican").mkdir(parents=True)
    (empty / "pelican/__init__.py").write_text("raise ImportError\n")
    themes = empty / "pelican/themes/notmyidea"
    themes.mkdir(parents=True)
    done = push(blog, PYTHONPATH=str(empty))
    assert done.returncode == 0, done.stderr


def test_an_empty_or_unrelated_commit_contacts_nobody(blog: Site, host: Host) -> None:
    publish_all(blog, host)
    shutil.rmtree(host.repository)
    git("commit", "--quiet", "--allow-empty", "-m", "Empty", folder=blog.root)
    blog.write("README.md", "About this blog")
    git("add", "README.md", folder=blog.root)
    git("commit", "--quiet", "-m", "Unrelated", folder=blog.root)
    done = push(blog)
    assert done.returncode == 0, done.stderr
    post(blog, "one.md", "other words ![a](one.png)")
    commit(blog)
    assert push(blog).returncode != 0


def move_to_submodule(site: Site, folder: str, away: Path) -> None:
    """Move the files of a folder into a repository of their own, and add that as a submodule."""
    (site.root / folder).rename(away)
    git("init", "--quiet", folder=away)
    git("add", "--all", folder=away)
    git("commit", "--quiet", "-m", "x", folder=away)
    allow = ("-c", "protocol.file.allow=always")
    git(*allow, "submodule", "--quiet", "add", away, folder, folder=site.root)


def test_documents_in_a_submodule_are_reported_and_their_images_published(
    blog: Site, host: Host, tmp_path: Path
) -> None:
    move_to_submodule(blog, "content", tmp_path / "texts")
    commit(blog)
    with serving(host, after=0):
        done = push(blog)
    assert done.returncode == 0, done.stderr
    assert "content is a submodule; its documents are not checked" in done.stderr
    assert "2 images online" in done.stderr
    assert host.names() == {key(blog, "one.png"), key(blog, "two.png")}
    # A change that is in the manifest, and one that is not.
    blog.picture("content/three.png", colour="blue")
    post(blog, "three.md", "![a](three.png)")
    for is_built in (False, True):
        git("add", "--all", folder=blog.root / "content")
        git("commit", "--quiet", "--allow-empty", "-m", "x", folder=blog.root / "content")
        if is_built:
            blog.build(settings="publishconf.py")
        git("commit", "--quiet", "--all", "-m", "x", folder=blog.root)
        with serving(host, after=0):
            done = push(blog)
        assert done.returncode == 0, done.stderr
        assert "content is a submodule" in done.stderr
        assert (key(blog, "three.png") in host.names()) is is_built


def test_images_in_a_submodule_are_checked_by_the_manifest(
    blog: Site, host: Host, tmp_path: Path
) -> None:
    blog.picture("content/images/a.png", colour="blue")
    move_to_submodule(blog, "content/images", tmp_path / "pictures")
    post(blog, "three.md", "![a](images/a.png)")
    git("add", "--all", folder=blog.root)
    git("commit", "--quiet", "-m", "No build", folder=blog.root)
    done = push(blog)
    assert done.returncode != 0
    assert "images/a.png" in done.stderr
    commit(blog)
    with serving(host, after=0):
        done = push(blog)
    assert done.returncode == 0, done.stderr
    assert "3 images online" in done.stderr


def test_a_manifest_in_a_submodule_refuses_the_push(blog: Site, host: Host, tmp_path: Path) -> None:
    with (blog.root / "publishconf.py").open("a") as file:
        file.write("IMAGEHOST_MANIFEST = 'content/imagehost.jsonl'\n")
    blog.build(settings="publishconf.py")
    move_to_submodule(blog, "content", tmp_path / "texts")
    git("add", "--all", folder=blog.root)
    git("commit", "--quiet", "-m", "x", folder=blog.root)
    done = push(blog)
    assert done.returncode != 0
    assert "content/imagehost.jsonl cannot be read: content is a submodule" in done.stderr
    assert pushed(blog) == ""
    del host


def keep(site: Site, text: str, name: str = "pre-push") -> Path:
    hook = site.root / ".git/hooks" / name
    hook.write_text(f"#!/bin/sh\n{text}\n")
    hook.chmod(0o755)
    return hook


def test_a_hook_of_the_user_survives_every_other_tool(blog: Site, host: Host) -> None:
    """The user's hook is kept; another tool overwrites ours; `init` runs again."""
    keep(blog, "echo mine >&2")
    assert blog.cli("init", "-s", "publishconf.py").returncode == 0
    keep(blog, "cat > /dev/null; echo theirs >&2")
    assert blog.cli("init", "-s", "publishconf.py").returncode == 0
    commit(blog)
    with serving(host, after=0):
        done = push(blog)
    assert done.returncode == 0, done.stderr
    assert ["mine" in done.stderr, "theirs" in done.stderr] == [True, True]
    assert "2 images online" in done.stderr
    assert "everything is in place" in blog.cli("init", "-s", "publishconf.py").stderr.decode()


def test_a_tool_that_runs_our_hook_from_its_own(blog: Site, host: Host) -> None:
    """pre-commit renames an existing hook to `pre-push.legacy`, and runs it."""
    hooks = blog.root / ".git/hooks"
    (hooks / "pre-push").rename(hooks / "pre-push.legacy")
    keep(blog, 'exec "${0%/*}/pre-push.legacy" "$@"')
    assert blog.cli("init", "-s", "publishconf.py").returncode == 0
    commit(blog)
    with serving(host, after=0):
        done = push(blog)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("publishing 2 images") == 1


def test_a_hook_that_loops_back_runs_once(blog: Site, host: Host) -> None:
    keep(blog, 'exec "${0%/*}/pre-push" "$@"', "pre-push.before-imagehost")
    commit(blog)
    with serving(host, after=0):
        done = push(blog)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("publishing 2 images") == 1


def test_the_hook_does_not_obey_cdpath(blog: Site, host: Host, tmp_path: Path) -> None:
    inner = blog.root / "blog"
    shutil.rmtree(blog.root / ".git")
    for item in [*blog.root.iterdir()]:
        inner.mkdir(exist_ok=True)
        item.rename(inner / item.name)
    git("init", "--quiet", folder=blog.root)
    git("remote", "add", "origin", tmp_path / "site.git", folder=blog.root)
    elsewhere = tmp_path / "elsewhere/blog"
    elsewhere.mkdir(parents=True)
    (elsewhere / "publishconf.py").write_text("PATH = '.'\n")
    blog.root = inner
    assert blog.cli("init", "-s", "publishconf.py").returncode == 0
    commit(blog)
    with serving(host, after=0):
        done = push(blog, CDPATH=str(elsewhere.parent))
    assert "2 images online" in done.stderr, done.stderr


@pytest.mark.parametrize("tool", ["hooksPath", "husky 9"])
def test_a_hook_in_the_repository_names_nothing_of_this_machine(
    blog: Site, host: Host, tool: str
) -> None:
    (blog.root / ".git/hooks/pre-push").unlink()
    tracked = blog.root / ".husky/pre-push"
    blog.write(".husky/pre-push", "echo tests passed >&2\n")
    path = ".husky"
    if tool == "husky 9":
        path = ".husky/_"
        blog.write(".husky/_/.gitignore", "*")
        blog.write(
            ".husky/_/h", 's=$(dirname "$(dirname "$0")")/$(basename "$0")\nsh -e "$s" "$@"\n'
        )
        blog.write(".husky/_/pre-push", '#!/usr/bin/env sh\n. "$(dirname "$0")/h"\n').chmod(0o755)
    git("config", "core.hooksPath", path, folder=blog.root)
    assert blog.cli("init", "-s", "publishconf.py").returncode == 0
    assert sys.executable not in tracked.read_text()
    commit(blog)
    with serving(host, after=0):
        done = push(blog)
    assert "2 images online" in done.stderr, done.stderr
    assert "tests passed" in done.stderr
    # A colleague who has not run `init` is not stopped.
    git("config", "--unset", "imagehost.python", folder=blog.root)
    git("commit", "--quiet", "--allow-empty", "-m", "x", folder=blog.root)
    assert push(blog).returncode == 0


def test_a_python_that_is_gone_is_reported(blog: Site) -> None:
    git("config", "imagehost.python", "/no/such/python", folder=blog.root)
    commit(blog)
    done = push(blog)
    assert done.returncode != 0
    assert (
        "/no/such/python is missing; run: pelican-imagehost init -s publishconf.py" in done.stderr
    )


def test_store_and_cache_ignore_themselves(site: Site) -> None:
    site.picture("content/one.png")
    post(site, "one.md", "![a](one.png)")
    git("init", "--quiet", folder=site.root)
    site.build()
    git("add", "--all", folder=site.root)
    staged = git("diff", "--cached", "--name-only", folder=site.root)
    assert "imagehost.jsonl" in staged
    assert [line for line in staged.splitlines() if line.startswith(("images/", "cache/"))] == []


@pytest.mark.parametrize("folder", ["mine", "."])
def test_a_cache_among_other_files_is_not_ignored(site: Site, folder: str) -> None:
    site.write("mine/notes.txt", "kept")
    site.configure(CACHE_PATH=folder)
    site.picture("content/one.png")
    post(site, "one.md", "![a](one.png)")
    site.build()
    assert not (site.root / folder / ".gitignore").exists()


def test_a_store_that_is_a_symbolic_link_is_not_committed(blog: Site, tmp_path: Path) -> None:
    (blog.root / "images").rename(tmp_path / "store")
    (blog.root / "images").symlink_to(tmp_path / "store")
    blog.write(".gitignore", "/images/\n/output\n")  # as an older version wrote it
    assert blog.cli("init", "-s", "publishconf.py").returncode == 0
    commit(blog)
    assert "images" not in git("ls-files", folder=blog.root).split()


def test_a_work_tree_uses_the_store_of_the_main_one(blog: Site, host: Host, tmp_path: Path) -> None:
    publish_all(blog, host)
    other = blog.__class__.__new__(blog.__class__)
    other.root = tmp_path / "other"
    git("worktree", "add", "--quiet", other.root, "-b", "other", folder=blog.root)
    other.picture("content/new.png", colour="blue")
    post(other, "new.md", "![a](new.png)")
    commit(other)
    assert not (other.root / "images").exists()
    with serving(host, after=0):
        done = try_push(other, "origin", "other")
    assert done.returncode == 0, done.stderr
    assert key(other, "new.png") in host.names()
    # What another work tree lists is used, too.
    assert blog.cli("gc", "-s", "publishconf.py", "--yes", "--grace-days", "0").returncode == 0
    assert (blog.root / "images" / key(other, "new.png")).exists()


def test_a_store_with_images_is_cloned_into(blog: Site, host: Host, tmp_path: Path) -> None:
    git("config", "uploadpack.allowFilter", "true", folder=host.repository)
    publish_all(blog, host)
    other = blog.__class__.__new__(blog.__class__)
    other.root = tmp_path / "second"
    git("clone", "--quiet", tmp_path / "site.git", other.root, folder=tmp_path)
    git("checkout", "--quiet", "main", folder=other.root)
    other.picture("content/new.png", colour="blue")
    post(other, "new.md", "![a](new.png)")
    other.build(settings="publishconf.py")
    options = ("-s", "publishconf.py", "--clone", f"file://{host.repository}")
    done = other.cli("init", *options)
    assert done.returncode == 0, done.stderr
    assert not list((other.root / "images").glob(".clone-*"))
    assert other.cli("publish", "-s", "publishconf.py", "--no-confirm").returncode == 0
    assert host.names() == {key(other, name) for name in ("one.png", "two.png", "new.png")}
    (other.root / "images" / key(other, "one.png")).unlink()  # as if it had never been here
    verified = other.cli("verify", "-s", "publishconf.py")
    assert (verified.returncode, "1 not fetched" in verified.stderr.decode()) == (0, True)


def test_a_folder_with_other_files_is_not_cloned_into(blog: Site, host: Host) -> None:
    shutil.rmtree(blog.root / "images")
    blog.write("images/holiday.txt", "mine")
    blog.publishconf(
        IMAGEHOST_URL=host.url, IMAGEHOST_REMOTE=str(host.repository), IMAGEHOST_STORE="images"
    )
    done = blog.cli("init", "-s", "publishconf.py", "--clone", str(host.repository))
    assert done.returncode == 1
    assert "holiday.txt is not part of a store" in done.stderr.decode()


def test_the_identity_of_the_site_is_used(blog: Site, host: Host, identity: Path) -> None:
    (identity / ".gitconfig").write_text("[user]\nuseConfigOnly = true\n")
    git("config", "user.name", "Site Author", folder=blog.root)
    git("config", "user.email", "site@example.com", folder=blog.root)
    done = blog.cli("publish", "-s", "publishconf.py", "--no-confirm")
    assert done.returncode == 0, done.stderr
    assert "Site Author <site@example.com>" in git(
        "log", "-1", "--format=%an <%ae> %cn", "main", folder=host.repository
    )


@pytest.mark.parametrize("remote", ["../host/images.git", "./../host/images.git"])
def test_a_relative_remote_starts_at_the_settings_file(blog: Site, host: Host, remote: str) -> None:
    blog.publishconf(IMAGEHOST_URL=host.url, IMAGEHOST_REMOTE=remote)
    done = blog.cli("publish", "-s", "publishconf.py", "--no-confirm")
    assert done.returncode == 0, done.stderr
    assert len(host.names()) == 2


class _OnePage(Quiet):
    def translate_path(self, path: str) -> str:
        del path
        return super().translate_path("/index.html")


def test_a_host_that_shows_a_page_for_everything(
    blog: Site, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    (host.served / "index.html").write_text("<!doctype html>")
    commit(blog)
    with monkeypatch.context() as patch:
        one_page = functools.partial(_OnePage, directory=str(host.served))
        patch.setattr(host.server, "RequestHandlerClass", one_page)
        done = push(blog, IMAGEHOST_WAIT="1")
    assert done.returncode != 0
    assert "text/html instead of image/png" in done.stderr.splitlines()[1]
    assert pushed(blog) == ""
    with serving(host, after=0):
        assert push(blog).returncode == 0
