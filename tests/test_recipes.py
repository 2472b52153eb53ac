"""The recipes of the documentation, as far as a machine without the services can try them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.host.hostkit import run
from tests.publish.test_end_to_end import Blogger, Machine, Reader, machine, programs, reader
from tests.test_docs import ROOT, Block, blocks

if TYPE_CHECKING:
    from tests.conftest import Require, Site

__all__ = ["machine", "programs", "reader"]

PAGE = ROOT / "docs/recipes.md"
URL = "https://img.example.com"
ADDRESS = r'src="{}/([0-9a-f]{{2}}/[0-9a-f]{{64}}\.jpg)"'
QUICKSTART = [  # its questions in order, without FTP, Dropbox and the like
    *("site", "Test", "An Author", "en", "y", "https://blog.example.com", "n", "UTC", "y"),
    *("n", "y", "blog.example.com", "22", "you", "{target}", "n", "n", "n", "y", "n"),
]
# Runs what ssh would run on the host, and writes the command down.
SSH = """#!/bin/sh
while [ "$1" != blog.example.com ]; do shift; done
shift
echo "$*" >>"$SSH_LOG"
exec "$@"
"""


def section(title: str, language: str) -> list[Block]:
    """List the blocks below a heading."""
    _, _, rest = PAGE.read_text("utf-8").partition(f"\n## {title}\n")
    assert rest, title
    code = re.split(r"^## ", rest, maxsplit=1, flags=re.MULTILINE)[0]
    whole = [block for block in blocks(PAGE, language) if block.code in code]
    assert whole, title
    return whole


def steps(number: int) -> list[dict[str, Any]]:
    """Return the steps of a GitHub workflow: 0 the whole file, then those that differ."""
    found = yaml.safe_load(section("GitHub Actions to GitHub Pages", "yaml")[number].code)
    if number == 0:
        found = found["jobs"]["pages"]["steps"]
    assert all({"uses", "run"} & step.keys() for step in found)
    return list(found)


def commands(number: int) -> list[str]:
    return [step["run"] for step in steps(number) if "run" in step]


def the_command(title: str) -> list[str]:
    return section(title, "sh")[0].code.strip().splitlines()


SERVICES = {
    "GitHub": (commands(0), "output"),
    "GitLab": (
        yaml.safe_load(section("GitLab Pages", "yaml")[0].code)["pages"]["script"],
        "public",
    ),
    "Netlify": (
        [tomllib.loads(section("Netlify", "toml")[0].code)["build"]["command"]],
        "output",
    ),
    "Cloudflare": (the_command("Cloudflare Pages"), "output"),
}


class Job:
    """A clone in which a service runs commands, with a home of its own that is empty."""

    def __init__(self, source: Path, folder: Path, **variables: str) -> None:
        self.root = folder / "clone"
        self.env = {
            "HOME": str(folder),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "COLUMNS": "300",
            **variables,
        }
        folder.mkdir()
        self.run(f"git clone --quiet {source} {self.root}", at=folder)

    def run(self, *commands: str, at: Path | None = None) -> str:
        done = self.start(*commands, at=at)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def start(self, *commands: str, at: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run commands as services do: each must succeed."""
        return subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", "\n".join(commands)],
            cwd=at or self.root,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        )

    def images(self, output: str, prefix: str = URL) -> list[str]:
        """List the images that the page names."""
        page = (self.root / output / "a.html").read_text("utf-8")
        return re.findall(ADDRESS.format(re.escape(prefix)), page)

    def hosted(self, output: str) -> set[str]:
        folder = self.root / output / "images"
        return {str(file.relative_to(folder)) for file in folder.glob("??/*")}


def commit(site: Site) -> None:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    run("git", "-C", site.root, "add", "--all")
    run("git", "-C", site.root, *identity, "commit", "--quiet", "-m", "x")


@pytest.fixture
def blog(site: Site) -> Site:
    """A site as its author leaves it, with the originals in its repository."""
    site.configure(THEME="simple", CACHE_PATH="cache")
    site.publishconf(SITEURL="https://blog.example.com", IMAGEHOST_URL=URL, IMAGEHOST_STRICT=True)
    site.write(".gitignore", "/output/\n/public/\n/images/\n/cache/\n__pycache__/\n")
    site.write("requirements.txt", "")  # all is installed
    site.write("content/a.md", "Title: A\nDate: 2026-01-01\nSlug: a\n\n![a](cat.jpg)\n")
    site.picture("content/cat.jpg")
    run("git", "init", "--quiet", site.root)
    site.build(settings="publishconf.py")
    commit(site)
    return site


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("has_files", [True, False])
def test_a_service_builds_with_an_image_host(
    blog: Site, tmp_path: Path, service: str, *, has_files: bool
) -> None:
    script, output = SERVICES[service]
    if not has_files:
        (blog.root / "content/cat.jpg").unlink()
        commit(blog)
    job = Job(blog.root, tmp_path / "job", CI="true")
    job.run(*script)
    assert len(job.images(output)) == 1
    assert not job.hosted(output)
    assert not (job.root / "images").exists()


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_refuses_an_edit_in_a_web_page(blog: Site, tmp_path: Path, service: str) -> None:
    script, output = SERVICES[service]
    blog.picture("content/cat.jpg", colour="blue")
    commit(blog)
    job = Job(blog.root, tmp_path / "job", CI="true")
    done = job.start(*script)
    assert done.returncode != 0
    assert "content/a.md:5: cat.jpg: imagehost.jsonl lists another image for it" in done.stdout
    assert not (job.root / output / "a.html").exists()


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_builds_images_into_the_output(blog: Site, tmp_path: Path, service: str) -> None:
    script, output = SERVICES[service]
    blog.publishconf(SITEURL="https://blog.example.com", IMAGEHOST_STRICT=True)
    commit(blog)
    job = Job(blog.root, tmp_path / "job", CI="true")
    job.run(*script)
    assert set(job.images(output, "https://blog.example.com/images")) == job.hosted(output) != set()


def test_the_workflow_does_what_pages_needs() -> None:
    workflow = yaml.safe_load(section("GitHub Actions to GitHub Pages", "yaml")[0].code)
    assert workflow["permissions"] == {"contents": "read", "pages": "write", "id-token": "write"}
    used = [step["uses"].partition("@")[0] for step in steps(0) if "uses" in step]
    assert used == [
        "actions/checkout",
        "actions/setup-python",
        "actions/upload-pages-artifact",
        "actions/deploy-pages",
    ]


def test_the_cached_store_saves_git_lfs(blog: Site, tmp_path: Path, require: Require) -> None:
    require(shutil.which("git-lfs"), "git-lfs is not installed")
    cache, fetch, *rest = steps(1)
    assert (cache["with"]["path"], cache["id"]) == ("images", "store")
    assert fetch["if"] == "steps.store.outputs.cache-hit != 'true'"
    build = [step["run"] for step in rest]
    blog.publishconf(SITEURL="https://blog.example.com", IMAGEHOST_STRICT=True)
    for arguments in (("install", "--local"), ("track", "*.jpg")):
        run("git", "-C", blog.root, "lfs", *arguments)
    run("git", "-C", blog.root, "rm", "--quiet", "--cached", "content/cat.jpg")
    commit(blog)
    missed = Job(blog.root, tmp_path / "missed", CI="true", GIT_LFS_SKIP_SMUDGE="1")
    missed.run("git lfs install --local --skip-smudge", fetch["run"], *build)
    hit = Job(blog.root, tmp_path / "hit", CI="true", GIT_LFS_SKIP_SMUDGE="1")
    assert (hit.root / "content/cat.jpg").read_bytes().startswith(b"version https://git-lfs")
    shutil.copytree(missed.root / "images", hit.root / "images")
    hit.run(*build)
    named = hit.images("output", "https://blog.example.com/images")
    assert set(named) == hit.hosted("output") == missed.hosted("output") != set()
    image = hit.root / "output/images" / named[0]
    assert image.read_bytes() == (blog.root / "content/cat.jpg").read_bytes()


def test_images_come_from_a_repository_of_the_store(
    blog: Site, tmp_path: Path, identity: Path
) -> None:
    clone, *rest = steps(2)
    store = tmp_path / "store.git"
    run("git", "init", "--quiet", "--bare", "--initial-branch=main", store)
    with (blog.root / "publishconf.py").open("a") as file:
        file.write(f"IMAGEHOST_REMOTE = {str(store)!r}\n")
    assert blog.cli("init", "-s", "publishconf.py").returncode == 0
    publish, push = section("GitHub Actions to GitHub Pages", "sh")[0].code.splitlines()
    assert push == "git push --no-verify"
    author = Job(blog.root, tmp_path / "author")
    author.env["HOME"] = str(identity)
    author.run(publish, at=blog.root)
    run("git", "-C", blog.root, "rm", "--quiet", "content/cat.jpg")
    commit(blog)
    assert clone["env"].keys() == {"STORE"}
    job = Job(blog.root, tmp_path / "job", CI="true", STORE=store.as_uri())
    job.run(clone["run"], *(step["run"] for step in rest))
    named = job.images("output", "https://blog.example.com/images")
    assert set(named) == job.hosted("output") != set()


@pytest.fixture
def published(tmp_path: Path, machine: Machine) -> Blogger:
    """A site with an image host, that is not a repository of the host's, and an origin."""
    blogger = Blogger.begin(tmp_path / "author/blog", machine)
    blogger.picture("content/cat.jpg")
    blogger.write("content/a.md", "Title: A\nDate: 2026-01-01\nSlug: a\n\n![a](cat.jpg)\n")
    run("git", "init", "--quiet", "--bare", tmp_path / "origin.git")
    blogger.git("remote", "add", "origin", str(tmp_path / "origin.git"))
    return blogger


class Author(Job):
    """An author who runs commands beside the sources."""

    def __init__(self, blogger: Blogger, **variables: str) -> None:
        self.root = blogger.root
        self.env = {
            **blogger.machine.environment(),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            **variables,
        }


def assert_online(blogger: Blogger, reader: Reader) -> None:
    """Check that a page of gh-pages names an image that the host serves."""
    origin = blogger.root.parent.parent / "origin.git"
    page = run("git", "-C", origin, "show", "gh-pages:a.html")
    key = blogger.key("cat.jpg")
    assert f"{reader.url}images/{key}" in page
    assert reader.picture(key)[0] == ""


def test_ghp_import_pushes_pages_after_their_images(published: Blogger, reader: Reader) -> None:
    Author(published).run(*the_command("ghp-import"))
    assert_online(published, reader)


def quickstart(folder: Path, target: Path) -> Path:
    """Run pelican-quickstart; return the folder of its site."""
    folder.mkdir()
    target.mkdir(parents=True)
    answers = "".join(f"{answer.format(target=target)}\n" for answer in QUICKSTART)
    command = [sys.executable, "-m", "pelican.tools.pelican_quickstart"]
    run(*command, stdin=answers.encode(), cwd=folder)
    return folder / "site"


def append(made: Path, name: str, language: str, number: int, root: Path) -> None:
    """Copy a file of the quickstart to a site, with the lines of a recipe."""
    title = f"The {name} of pelican-quickstart"
    text = (made / name).read_text() + "\n" + section(title, language)[number].code
    (root / name).write_text(text)


@pytest.mark.parametrize("tool", ["make github", "invoke gh-pages"])
def test_the_quickstarts_tools_publish_images_first(
    published: Blogger, reader: Reader, tmp_path: Path, require: Require, tool: str
) -> None:
    require(shutil.which("make"), "make is not installed")
    made = quickstart(tmp_path / "made", tmp_path / "www")
    append(made, "Makefile", "make", 0, published.root)
    append(made, "tasks.py", "python", 0, published.root)
    (published.root / "images/ab").mkdir(exist_ok=True)  # a folder like the target
    Author(published).run(tool)
    assert_online(published, reader)


@pytest.mark.parametrize("tool", ["make rsync_upload", "invoke publish"])
@pytest.mark.parametrize("has_host", [True, False])
def test_the_quickstarts_uploads_send_images_first(
    published: Blogger, tmp_path: Path, require: Require, tool: str, *, has_host: bool
) -> None:
    require(shutil.which("make") and shutil.which("rsync"), "make or rsync is not installed")
    target = tmp_path / "www"
    made = quickstart(tmp_path / "made", target)
    append(made, "Makefile", "make", 0 if has_host else 1, published.root)
    append(made, "tasks.py", "python", 0 if has_host else 1, published.root)
    if not has_host:
        published.publishconf(SITEURL="https://blog.example.com")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "ssh").write_text(SSH)
    (programs / "ssh").chmod(0o755)
    author = Author(published, SSH_LOG=str(tmp_path / "log"))
    author.env["PATH"] = f"{programs}{os.pathsep}{author.env['PATH']}"
    real = str(shutil.which("ssh"))  # for git, which sends the images
    author.env["GIT_SSH_COMMAND"] = author.env["GIT_SSH_COMMAND"].replace("ssh", real, 1)
    author.run(tool)
    key = published.key("cat.jpg")
    assert key in (target / "a.html").read_text()
    sent = [line.rpartition(" ")[2] for line in (tmp_path / "log").read_text().splitlines()]
    if has_host:
        assert published.machine.served(key).exists()
        assert sent == [str(target)]
    else:
        assert sent == [f"{target}/images/", str(target)]
        assert (target / "images" / key).exists()


def test_rsync_sends_images_first(blog: Site, tmp_path: Path, require: Require) -> None:
    require(shutil.which("rsync"), "rsync is not installed")
    found = [block.code for block in blocks(ROOT / "docs/publishing.md", "sh")]
    scripts = [code for code in found if "rsync" in code]
    assert len(scripts) == 2
    author = Job(blog.root, tmp_path / "author")
    for name in ("var/www/blog/images", "var/www/img"):
        (tmp_path / name).mkdir(parents=True)
    for script, url in zip(scripts, ("None", repr(URL)), strict=True):
        local = re.sub(r"you@(?:blog|img)\.example\.com:", str(tmp_path), script)
        with (author.root / "publishconf.py").open("a") as file:
            file.write(f"IMAGEHOST_URL = {url}\n")
        author.run("pelican content -s publishconf.py", local)
        assert (tmp_path / "var/www/blog/a.html").exists()
        served = tmp_path / ("var/www/blog/images" if url == "None" else "var/www/img")
        assert len(list(served.glob("??/*.jpg"))) == 1
