"""The documentation is correct: links, commands, options, settings, and examples."""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import click
import pytest
import readme_renderer.markdown
from hatchling.metadata.core import ProjectMetadata
from hatchling.plugin.manager import PluginManager

from hatch_build import detach
from pelican_imagehost.cli import main
from pelican_imagehost.options import OPTIONS, PREFIX

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "sample_site/README.md"])
README = (ROOT / "README.md").read_text("utf-8")
FENCED = re.compile(
    r"(?:<!-- not run: ([^\n]+) -->\n)?^ *```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL
)
LINK = re.compile(r"!?\[[^\[\]]*\]\(([^()\s]+)\)")
ENVIRONMENT = {
    "IMAGEHOST_ALLOW_LOCAL_PATHS",
    "IMAGEHOST_SETTINGS",
    "IMAGEHOST_TOKEN",
    "IMAGEHOST_TOKENS",
    "IMAGEHOST_WAIT",
}
OF_TESTS = {"IMAGEHOST_TEST_PICGO", "IMAGEHOST_TEST_REQUIRE"}

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


class Block(NamedTuple):
    """A fenced block of code, and why it is not run."""

    reason: str
    language: str
    code: str


def blocks(page: Path, language: str) -> list[Block]:
    found = [Block(*match) for match in FENCED.findall(page.read_text("utf-8"))]
    return [block for block in found if block.language == language]


def prose(page: Path) -> str:
    return FENCED.sub("", page.read_text("utf-8"))


def links(page: Path) -> list[str]:
    return LINK.findall(re.sub("`[^`]+`", "code", prose(page)))


def anchors(page: Path) -> set[str]:
    """List the fragments that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pages
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        if re.match("[a-z]+:", link):
            continue
        path, _, fragment = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not fragment or fragment in anchors(target), link


def test_every_page_is_reached_from_the_readme() -> None:
    reached = {(ROOT / link).resolve() for link in links(ROOT / "README.md") if ":" not in link}
    assert set(PAGES) - {ROOT / "README.md"} <= reached


def commands(group: click.Group = main, name: str = "") -> dict[str, click.Command]:
    """List the commands for users, as they call them."""
    found: dict[str, click.Command] = {}
    context = click.Context(group)
    for own in group.list_commands(context):
        whole, command = f"{name} {own}".strip(), group.get_command(context, own)
        if isinstance(command, click.Group):
            found |= commands(command, whole)
        elif command is not None and not command.hidden:
            found[whole] = command
    return found


COMMANDS = commands()


def options(command: click.Command) -> set[str]:
    shown = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    return {option for parameter in shown for option in parameter.opts}


def check_call(call: str) -> None:
    """Check a call of the command line: its command and each option."""
    words = shlex.split(call.replace("…", ""), comments=True)[1:]
    if words in (["--version"], ["host"]):
        return
    name = next((n for n in (" ".join(words[:2]), words[0]) if n in COMMANDS), "")
    assert name, call
    for word in words[1:]:
        if word.startswith("-"):
            assert word.partition("=")[0] in options(COMMANDS[name]) | {"--help"}, call


@pages
def test_every_command_and_option_exists(page: Path) -> None:
    calls = re.findall(r"`(pelican-imagehost [^`\n]+)`", prose(page))
    for block in blocks(page, "sh"):
        calls += re.findall(r"(?:^|/)(pelican-imagehost .+)$", block.code, re.MULTILINE)
    for call in calls:
        check_call(call)
    every = set[str]().union(*map(options, COMMANDS.values()))
    for option in re.findall(r"`(--[\w-]+)[^`]*`", prose(page)):
        assert option in every | {"--help"}, option


def test_the_page_of_commands_has_every_command_and_option() -> None:
    text = (ROOT / "docs/commands.md").read_text("utf-8")
    rows = re.findall(
        r"^\| `pelican-imagehost ([a-z ]*[a-z])[^`]*` \| (.+) \|$", text, re.MULTILINE
    )
    assert {name for name, _ in rows} == COMMANDS.keys()
    for name, row in rows:
        named = set(re.findall(r"--[\w-]+", row))
        assert named == options(COMMANDS[name]) - {"-s", "--settings"}, name


@pages
def test_every_setting_exists(page: Path) -> None:
    known = {PREFIX + name for name in OPTIONS} | ENVIRONMENT | OF_TESTS
    assert set(re.findall(r"\bIMAGEHOST_[A-Z_]*[A-Z]", page.read_text("utf-8"))) <= known


def test_the_page_of_settings_has_every_setting_and_its_default() -> None:
    text = (ROOT / "docs/settings.md").read_text("utf-8")
    rows = re.findall(rf"^\| `{PREFIX}(\w+)` \| [^|]+ \| `([^`]+)` \|", text, re.MULTILINE)
    defaults = {name: ast.literal_eval(default) for name, default in rows}
    wanted = {name: option.default for name, option in OPTIONS.items()}
    assert defaults == {n: list(d) if isinstance(d, tuple) else d for n, d in wanted.items()}


@pages
def test_the_host_has_one_user(page: Path) -> None:
    users = re.findall(r"(\w+)@[\w.]+:(?:images|site)\.git", page.read_text("utf-8"))
    assert set(users) <= {"imagehost"}  # whom `host init` makes


@pages
def test_every_settings_example_is_python(page: Path) -> None:
    for block in blocks(page, "python"):
        compile(block.code, str(page), "exec")


def script_of(page: Path) -> str:
    """Join the blocks of a page that can be run anywhere."""
    return "".join(block.code for block in blocks(page, "sh") if not block.reason)


RUNNABLE = [page for page in sorted(ROOT.glob("docs/*.md")) if script_of(page)]


@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: page.stem)
def test_the_blocks_of_a_page_run_in_the_sample_site(page: Path, tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("images.git", "output", "cache", "__pycache__")
    site = shutil.copytree(ROOT / "sample_site", tmp_path / "site", ignore=ignored)
    shutil.rmtree(site / "images", ignore_errors=True)
    (tmp_path / "home").mkdir()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script_of(page)],
        cwd=site,
        env={
            "HOME": str(tmp_path / "home"),
            "TMPDIR": str(tmp_path),
            "PATH": path,
            "LANG": "C.UTF-8",
        },
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_readme_is_short() -> None:
    assert len(re.findall(r"\w+", README)) < 1000


def test_the_readme_installs_within_the_first_screen() -> None:
    assert "pip install pelican-imagehost" in README.splitlines()[:25]


@pytest.mark.parametrize("end", ["pelican content", "pytest -q -n auto"])
def test_the_readme_has_one_command_for_each_of_a_clones_uses(end: str) -> None:
    assert len(re.findall(rf"^python3 -m venv .*{end}$", README, re.MULTILINE)) == 1


def targets(markdown: str) -> list[str]:
    """List where links and images lead from PyPI, which renders with this library."""
    html = readme_renderer.markdown.render(markdown)
    assert html
    return re.findall(r'(?:href|src)="([^"#][^"]*)"', html)


def test_the_description_of_the_package_needs_no_file_beside_it() -> None:
    core = ProjectMetadata(str(ROOT), PluginManager()).core
    assert (core.readme_content_type, core.readme[:20]) == ("text/markdown", README[:20])
    found = targets(core.readme)
    assert "https://getpelican.com" in found
    assert [target for target in found if not target.startswith(("https://", "http://"))] == []
    assert README.partition("## Try it")[0] in core.readme  # no relative addresses
    assert "settings (`docs/settings.md`)" in core.readme or core.urls


def test_with_an_address_every_link_and_image_leads_into_the_repository() -> None:
    source = "https://git.example.com/you/pelican-imagehost"
    found = targets(detach(README, source))
    assert [target for target in found if not target.startswith(("https://", "http://"))] == []
    paths = [target[len(source) :] for target in found if target.startswith(source)]
    assert "/raw/HEAD/docs/gallery.png" in paths
    assert len(paths) == len([link for link in links(ROOT / "README.md") if ":" not in link])
    assert all((ROOT / path.split("/HEAD/")[1].partition("#")[0]).exists() for path in paths)


@pytest.mark.parametrize("source", [None, "https://git.example.com/a"])
def test_code_and_absolute_links_stay(source: str | None) -> None:
    code = (
        "```markdown\n![a](b.jpg) [c](d.md)\n```\n1. `![i](j.jpg)`\n\n   ```\n   [k](l)\n   ```\n"
    )
    text = f"{code}[e](https://f.example.com) [g](#h)\n"
    assert detach(text, source) == text


def test_a_link_without_an_address_becomes_text() -> None:
    text = "[`a`](b.md#c), ![d](e.png)[f](g)\n"
    assert detach(text, None) == "`a` (`b.md#c`), f (`g`)\n"
