from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
PACKAGE = "pelican_imagehost"
FOREIGN = {"pelican", "click", "git", "starlette", "rich"}
CORE = [
    "settings",
    "errors",
    "report",
    "catalogue",
    "hosting",
    "mentions",
    "maintenance",
    "garbage",
    "gallery",
]
STEPS = ["documents", "images", "storage"]
FRONT_DOORS = ["plugin", "cli"]
ENTRANCES = {"__init__": {"plugin"}, "__main__": {"cli"}, "namespace": {"__init__"}}


def name_of(file: Path) -> str:
    """Name a module as CONTRIBUTING.md does: `documents/resolve`."""
    return file.relative_to(ROOT / PACKAGE).with_suffix("").as_posix()


FILES = {name_of(file): file for file in (ROOT / PACKAGE).rglob("*.py")}
MODULES = sorted(name for name in FILES if name not in ENTRANCES)


def statements(node: ast.AST, *, types: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield import statements; with `types`, those that only a type checker follows too."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif types or not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)):
            yield from statements(child, types=types)


def imports(name: str, *, types: bool = True) -> set[str]:
    """List what a module imports, as dotted names."""
    found = set()
    for statement in statements(ast.parse(FILES[name].read_text("utf-8")), types=types):
        if isinstance(statement, ast.Import):
            found |= {alias.name for alias in statement.names}
        else:
            assert statement.level == 0, f"{name} has a relative import"
            assert statement.module
            found |= {f"{statement.module}.{alias.name}" for alias in statement.names}
    return found


def own_imports(name: str, *, types: bool = True) -> set[str]:
    """List the modules of this package that a module imports."""
    found = set()
    for dotted in imports(name, types=types):
        parts = dotted.split(".")
        if parts[0] == PACKAGE:
            candidates = ["/".join(parts[1:end]) for end in (len(parts), len(parts) - 1)]
            found.add(next((known for known in candidates if known in FILES), "__init__"))
    return found


def is_below(name: str, folders: list[str]) -> bool:
    return any(name == folder or name.startswith(f"{folder}/") for folder in folders)


def test_the_reader_of_imports_sees_them() -> None:
    assert own_imports("__main__") == {"cli"}
    assert own_imports("__init__") == {"plugin"}  # within a function
    assert "images/svg" in own_imports("images/identify")  # a module of a package
    assert "settings" in own_imports("images/identify")  # for types alone
    assert "settings" not in own_imports("images/identify", types=False)
    assert "click" in imports("cli")


@pytest.mark.parametrize("name", [name for name in MODULES if is_below(name, [*CORE, *STEPS])])
def test_the_core_knows_no_pelican_terminal_git_or_server(name: str) -> None:
    assert {dotted.partition(".")[0] for dotted in imports(name)} & FOREIGN == set()


@pytest.mark.parametrize("name", [name for name in MODULES if is_below(name, STEPS)])
def test_the_steps_know_nothing_of_who_uses_them(name: str) -> None:
    users = {"hosting", "plugin", "cli", "site", "catalogue", "maintenance", "contents", "__init__"}
    assert own_imports(name) & users == set()


@pytest.mark.parametrize("name", FRONT_DOORS)
def test_front_doors_do_not_know_each_other(name: str) -> None:
    assert own_imports(name) & {door for door in FRONT_DOORS if door != name} == set()


@pytest.mark.parametrize("name", [name for name in MODULES if name not in FRONT_DOORS])
def test_nothing_but_the_entrances_opens_a_front_door(name: str) -> None:
    assert own_imports(name) & set(FRONT_DOORS) == set()


@pytest.mark.parametrize("name", ENTRANCES)
def test_an_entrance_leads_to_one_front_door(name: str) -> None:
    assert own_imports(name) == ENTRANCES[name]


def read_map() -> dict[str, str]:
    """Take the module map out of CONTRIBUTING.md: module → what it may import."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    rows = re.findall(r"^\| (`.+?) \| .+? \| (.+?) \|$", text, re.MULTILINE)
    return {name: allowed for names, allowed in rows for name in re.findall("`(.+?)`", names)}


def allowed_by_map(name: str) -> set[str]:
    """List the modules that the map lets a module import."""
    known = read_map()
    above = list(known)[: list(known).index(name)]
    allowed = known[name]
    if allowed.startswith("all"):
        return set(known) if allowed.startswith("all,") else set(above)
    folders = re.findall("`(.+?)`", allowed)
    if "the core" in allowed:
        folders += list(known)[: list(known).index("contents")]
    row = [other for other in known if "/" in name and known[other] is allowed]
    return {other for other in known if is_below(other, folders)} | set(row)


def test_every_module_is_on_the_map() -> None:
    assert sorted(read_map()) == [name for name in MODULES if not name.endswith("__init__")]


@pytest.mark.parametrize("name", [name for name in MODULES if name in read_map()])
def test_the_module_map_holds(name: str) -> None:
    taken = own_imports(name, types=False) - {"__init__"}
    assert taken <= allowed_by_map(name)


def test_importing_the_package_costs_next_to_nothing() -> None:
    code = f"import sys, {PACKAGE}; print(*sys.modules)"
    # Without site-packages' start-up files, which may import anything.
    completed = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(completed.stdout.split())
    assert PACKAGE in loaded
    assert {name for name in loaded if name.startswith(f"{PACKAGE}.")} == set()
    assert loaded & {"pelican", "sqlite3", "filetype", "imagesize", "click", "json"} == set()
