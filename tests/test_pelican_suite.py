"""Pelican's own tests, with the plugin installed: only addresses and sizes of images differ.

Each version has an environment of its own, with the tests of its source distribution put
beside the installed package, where Pelican finds plugins by itself.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from tests.comparison import undecorate

if TYPE_CHECKING:
    from tests.conftest import Require

pytestmark = [pytest.mark.pelican_suite, pytest.mark.timeout(3600)]
ROOT = Path(__file__).parent.parent
# What Pelican's tests need; the versions matter little, as both runs have the same.
NEEDED = ("beautifulsoup4", "lxml", "typogrify", "pytest")
# These compare a whole output, which has addresses of images.
WHOLE_OUTPUT = re.compile(r"TestPelican\.test_\w*generation_works")
IMAGE = re.compile(r"""[^\s"'<>()=;]*\.(?:png|jpe?g|gif|svg|webp|avif)\b""", re.IGNORECASE)


def oldest() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    bounds = [re.match(r"pelican\S*>=([\d.]+)", text) for text in project["dependencies"]]
    bound = next(bound[1] for bound in bounds if bound)
    return bound if bound.count(".") > 1 else f"{bound}.0"


VERSIONS = sorted({oldest(), version("pelican")})


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def succeed(*command: str | Path, cwd: Path) -> str:
    completed = run(*command, cwd=cwd)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed.stdout


def prepare(folder: Path, wanted: str, require: Require) -> tuple[Path, Path]:
    """Make the environment of a version; returns its Python and its folder of packages."""
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    completed = run(*download, "--no-binary", "pelican", f"pelican=={wanted}", cwd=folder)
    require(completed.returncode == 0, f"pelican {wanted} cannot be downloaded: {completed.stderr}")
    with tarfile.open(next(folder.glob("pelican-*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    succeed(sys.executable, "-m", "venv", "venv", cwd=folder)
    python = folder / "venv/bin/python"
    install = ("-m", "pip", "install", "--quiet", f"pelican[markdown]=={wanted}")
    succeed(python, *install, *NEEDED, cwd=folder)
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(succeed(python, "-c", where, cwd=folder).strip())
    source = next(path for path in folder.glob("pelican-*") if path.is_dir())
    shutil.copytree(source / "pelican/tests", packages / "pelican/tests", dirs_exist_ok=True)
    shutil.copytree(source / "samples", packages / "samples", dirs_exist_ok=True)
    return python, packages


def failures(python: Path, packages: Path, report: Path) -> dict[str, str]:
    """Run the tests; returns the names of those that fail, with their messages."""
    options = ["-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
    completed = run(python, "-m", "pytest", *options, "pelican/tests", cwd=packages)
    assert completed.returncode in {0, 1}, completed.stdout + completed.stderr
    found = {}
    for case in ET.parse(report).iter("testcase"):  # noqa: S314  pytest's own
        problem = next((e for e in case if e.tag in {"failure", "error"}), None)
        if problem is not None:
            name = f"{case.get('classname', '').rpartition('.')[2]}.{case.get('name')}"
            found[name] = problem.text or ""
    return found


def differences(message: str) -> list[str]:
    """List the lines of a diff, in pytest's message, that differ in more than images."""
    sides = {"-": Counter[str](), "+": Counter[str]()}
    for sign, line in re.findall(r"^E {3,}([-+])(?!--|\+\+)(.*)$", message, re.MULTILINE):
        sides[sign][IMAGE.sub("IMAGE", undecorate(line.strip()))] += (
            1  # as Pelican's test: `diff -w`
        )
    gone, new = sides["-"] - sides["+"], sides["+"] - sides["-"]
    return sorted(
        [f"-{line}" for line in gone.elements()] + [f"+{line}" for line in new.elements()]
    )


def test_the_reader_of_diffs() -> None:
    head = "    source\n-code\nE    --- a\nE    +++ b\nE    @@ x\n"
    same = f'{head}E    -<img src="/images/a.png" alt="a">\nE    +\t<img src="/i/b.png" alt="a">'
    assert differences(same) == []
    sized = same.replace('<img src="/i', '<img width="4" height="3" data-imagehost="4x3" src="/i')
    assert differences(sized) == []
    source = '<picture data-imagehost><source type="image/avif" srcset="/i/c.avif">'
    varied = f"{same}</picture>".replace("+\t<img", f"+\t{source}<img")
    assert differences(varied) == []
    assert differences(f"{same}\nE    +more") == ["+more"]
    assert differences("E    -<b>a</b>\nE    +<b>b</b>") == ["+<b>b</b>", "-<b>a</b>"]


@pytest.mark.parametrize("wanted", VERSIONS)
def test_pelicans_own_tests_pass_as_without_the_plugin(
    tmp_path: Path, require: Require, wanted: str
) -> None:
    python, packages = prepare(tmp_path, wanted, require)
    without = failures(python, packages, tmp_path / "without.xml")
    succeed(python, "-m", "pip", "install", "--quiet", ROOT, cwd=tmp_path)
    assert version_in(python, tmp_path) == wanted
    with_plugin = failures(python, packages, tmp_path / "with.xml")
    whole = {name for name in with_plugin if WHOLE_OUTPUT.search(name)}
    assert sorted(with_plugin.keys() - without.keys() - whole) == []
    for name in whole:  # a newer docutils makes them fail with an old Pelican anyway
        before = differences(without.get(name, ""))
        assert differences(with_plugin[name]) == before, name


def version_in(python: Path, folder: Path) -> str:
    code = "from importlib.metadata import version; print(version('pelican'))"
    return succeed(python, "-c", code, cwd=folder).strip()
