"""IMAGEHOST_FROZEN: a build uses only what the committed manifest lists."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from pelican_imagehost.settings import CI_VARIABLES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Site

URL = "https://img.example.com"
ADVICE = "build where the images are, and commit imagehost.jsonl"
LACKING = rf"content/a\.md:6: dog\.png: imagehost\.jsonl does not list it; {ADVICE}"


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout


def commit(site: Site) -> None:
    git(site.root, "add", "--all")
    git(site.root, "commit", "-qm", "x", "--allow-empty")


def write(site: Site, *names: str) -> None:
    links = "\n".join(f"![a]({name})" for name in names)
    site.write("content/a.md", f"Title: A\nDate: 2026-01-01\nSlug: a\n\n{links}\n")


@pytest.fixture
def published(site: Site, identity: Path) -> Site:  # noqa: ARG001  git's
    """A site whose commit has its image and its manifest, as an author leaves it."""
    site.configure(CACHE_PATH="cache", IMAGEHOST_URL=URL, THEME="simple")
    site.write(".gitignore", "output/\nimages/\ncache/\n__pycache__/\n")
    site.picture("content/cat.png")
    write(site, "cat.png")
    site.build("-e", "IMAGEHOST_FROZEN=false")
    git(site.root, "init", "-q")
    commit(site)
    return site


def clone(site: Site, name: str = "clone") -> Site:
    copy = type(site).__new__(type(site))
    copy.root = site.root.parent / name
    git(site.root.parent, "clone", "-q", str(site.root), name)
    return copy


def lag(site: Site) -> None:
    """Edit the site in a web page, where no hook runs and nothing builds."""
    site.picture("content/dog.png", colour="blue")
    write(site, "cat.png", "dog.png")
    commit(site)


def state(site: Site) -> tuple[bytes, set[str]]:
    manifest = site.root / "imagehost.jsonl"
    found = {str(path) for path in (site.root / "images").rglob("*")}
    return manifest.read_bytes() if manifest.exists() else b"", found


@pytest.fixture
def ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")


@pytest.mark.usefixtures("ci")
@pytest.mark.parametrize("is_strict", [False, True])
def test_a_manifest_that_lags_is_a_problem_in_ci(published: Site, *, is_strict: bool) -> None:
    lag(published)
    copy = clone(published)
    copy.configure(IMAGEHOST_STRICT=is_strict)
    before = state(copy)
    for _ in range(2):  # the second time with an index
        done = copy.build(check=False)
        assert re.search(LACKING, done.stdout), done.stdout
        assert done.returncode == is_strict
        assert state(copy) == before == (before[0], set())
    if not is_strict:
        page = copy.output("a.html")
        assert (page.count(URL), page.count('src="dog.png"')) == (1, 1)


@pytest.mark.usefixtures("ci")
def test_an_image_that_was_replaced_is_a_problem_in_ci(published: Site) -> None:
    published.picture("content/cat.png", colour="green")
    commit(published)
    copy = clone(published)
    copy.configure(IMAGEHOST_STRICT=True)
    done = copy.build(check=False)
    assert done.returncode == 1
    assert f"a.md:5: cat.png: imagehost.jsonl lists another image for it; {ADVICE}" in done.stdout


@pytest.mark.usefixtures("ci")
def test_two_lines_for_a_file_are_a_problem_in_ci(published: Site) -> None:
    manifest = published.root / "imagehost.jsonl"
    line = manifest.read_text()
    manifest.write_text(line + re.sub('"sha256": "..', '"sha256": "00', line))
    commit(published)
    done = clone(published).build()
    assert f"cat.png: imagehost.jsonl lists two images for it; {ADVICE}" in done.stdout


@pytest.mark.usefixtures("ci")
@pytest.mark.parametrize("has_files", [True, False])
def test_what_is_listed_builds_as_ever(published: Site, *, has_files: bool) -> None:
    copy = clone(published)
    copy.configure(IMAGEHOST_STRICT=True)
    if not has_files:
        (copy.root / "content/cat.png").unlink()
    before = state(copy)
    for _ in range(2):
        said = copy.build().stdout
        assert "1 image hosted, 0 new" in said
        assert copy.output("a.html") == published.output("a.html")
        assert state(copy) == before


@pytest.mark.usefixtures("ci")
def test_lines_that_are_not_committed_do_not_count(published: Site) -> None:
    copy = clone(published)
    manifest = copy.root / "imagehost.jsonl"
    manifest.write_text(manifest.read_text().replace("content/cat.png", "content/dog.png"))
    assert "problem" not in copy.build().stdout
    git(copy.root, "config", "user.name", "A")
    git(copy.root, "rm", "-q", "--cached", "imagehost.jsonl")
    commit_without = git(copy.root, "commit", "-qm", "x")
    assert not commit_without
    assert "cat.png: imagehost.jsonl does not list it" in copy.build().stdout


@pytest.mark.usefixtures("ci")
@pytest.mark.parametrize("kind", ["no repository", "no commit", "no git"])
def test_without_a_commit_the_file_counts(
    published: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    lag(published)
    shutil.rmtree(published.root / ".git")
    if kind == "no commit":
        git(published.root, "init", "-q")
    if kind == "no git":
        monkeypatch.setenv("PATH", str(tmp_path))
    done = published.build()
    assert re.search(LACKING, done.stdout)
    assert "1 problem" in done.stdout


@pytest.mark.usefixtures("ci")
def test_a_hook_of_another_repository_does_not_mislead(
    published: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    git(tmp_path, "init", "-q", "other")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other/.git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path / "other"))
    assert "problem" not in published.build().stdout


@pytest.mark.usefixtures("ci")
def test_a_site_in_a_subfolder_of_its_repository(published: Site) -> None:
    shutil.rmtree(published.root / ".git")
    git(published.root.parent, "init", "-q")
    git(published.root.parent, "add", "site")
    git(published.root.parent, "commit", "-qm", "x")
    assert "problem" not in published.build().stdout


@pytest.mark.usefixtures("ci")
def test_embedded_images_of_a_frozen_site_reach_the_output(published: Site) -> None:
    lag(published)
    copy = clone(published)
    copy.configure(IMAGEHOST_URL=None, IMAGEHOST_FROZEN=True)
    before = state(copy)[0]
    assert re.search(LACKING, copy.build().stdout)
    assert state(copy)[0] == before
    assert len(list((copy.root / "output/images").glob("??/*"))) == 1
    assert len(list((copy.root / "images").glob("??/*"))) == 1


@pytest.mark.usefixtures("ci")
def test_the_commands_agree(published: Site) -> None:
    lag(published)
    copy = clone(published)
    checked = copy.cli("check")
    assert checked.returncode == 1
    assert re.search(LACKING, checked.stdout.decode())
    added = copy.cli("add", "content/dog.png")
    assert added.returncode == 1
    assert b"dog.png: imagehost.jsonl does not list it" in added.stderr


ON = [{name: "true"} for name in CI_VARIABLES] + [{"CI": "1"}, {"CI": "True"}, {"CI": "woodpecker"}]
OFF = [{}, {"CI": ""}, {"CI": "0"}, {"CI": "false"}, {"CI": "False", "TF_BUILD": "True"}]


@pytest.mark.parametrize(
    ("variables", "settings", "expected"),
    [
        *((variables, {}, True) for variables in ON),
        *((variables, {}, False) for variables in OFF),
        ({"CI": "true"}, {"IMAGEHOST_FROZEN": False}, False),
        ({"CI": "true"}, {"IMAGEHOST_URL": None}, False),
        ({}, {"IMAGEHOST_FROZEN": True}, True),
        ({}, {"IMAGEHOST_FROZEN": True, "IMAGEHOST_URL": None}, True),
    ],
)
def test_when_a_site_is_frozen(
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    settings: dict[str, object],
    *,
    expected: bool,
) -> None:
    assert not set(CI_VARIABLES) & os.environ.keys()
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    site.configure(**({"IMAGEHOST_URL": URL} | settings))
    assert site.settings().frozen is expected
