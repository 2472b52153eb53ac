from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
PACKAGE = "pelican_imagehost"
LIBRARIES = {  # name in the table → name in imports
    "Pelican": "pelican",
    "Click": "click",
    "Rich": "rich",
    "GitPython": "git",
    "Starlette": "starlette",
    "Pillow": "PIL",
    "obstore": "obstore",
    "psycopg": "psycopg",
}
ENTRANCES = {
    "__init__": {"plugin"},
    "__main__": {"cli/__init__", "host/hooks", "publish/pre_push"},
    "namespace": {"__init__"},
}


def name_of(file: Path) -> str:
    """Return the name of a module as in CONTRIBUTING.md: `documents/resolve`."""
    return file.relative_to(ROOT / PACKAGE).with_suffix("").as_posix()


FILES = {name_of(file): file for file in (ROOT / PACKAGE).rglob("*.py")}
MODULES = sorted(
    name
    for name in FILES
    if name not in ENTRANCES and (name == "cli/__init__" or not name.endswith("/__init__"))
)


def statements(node: ast.AST, *, types: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield import statements; with `types`, also those for type checkers only."""
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
            ends = ["/".join(parts[1:end]) for end in (len(parts), len(parts) - 1)]
            candidates = [name for end in ends for name in (end, f"{end}/__init__".lstrip("/"))]
            found.add(next(known for known in candidates if known in FILES))
    return found


def room_of(name: str) -> str:
    """Return the room of a module: its folder, or the module itself at the top level."""
    return name.rpartition("/")[0] or name


class Rule(NamedTuple):
    """A row of the table: modules or rooms that a room may import, and its libraries."""

    allowed: list[str]
    libraries: dict[str, str]  # library → the one module or room that may use it, "" for all


def read_rules() -> dict[str, Rule]:
    """Read the import rules from CONTRIBUTING.md, in order."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    rows = re.findall(r"^\| \d+ \| (.+?) \| (.+?) \| (.*?) ?\|$", text, re.MULTILINE)
    core = re.findall("`(.+?)`", rows[0][0])
    libraries = read_libraries(rows[0][2])
    rules = {room: Rule(core[: core.index(room)], libraries) for room in core}
    for rooms, allowed, alone in rows[1:]:
        names = re.findall("`(.+?)`", allowed)
        if "the core" in allowed:
            but = names.pop(0) if "but" in allowed else ""
            names += [name for name in core if name != but]
        if "everything" in allowed:
            names = [name for name in {room_of(name) for name in FILES} if name != "plugin"]
        rules[re.findall("`(.+?)`", rooms)[0]] = Rule(names, read_libraries(alone))
    return rules


def read_libraries(cell: str) -> dict[str, str]:
    parts = [part.partition(": ") for part in cell.split(", ") if part]
    return {name: module.strip("`") for name, _, module in parts}


RULES = read_rules()


def test_the_reader_of_imports_sees_them() -> None:
    assert own_imports("__main__") == {"cli/__init__", "host/hooks", "publish/pre_push"}
    assert own_imports("__init__") == {"plugin"}  # within a function
    assert "images/svg" in own_imports("images/identify")  # a module of a package
    assert "images/image" in own_imports("report")  # only for types
    assert "images/image" not in own_imports("report", types=False)
    assert "click" in imports("cli/__init__")


def test_every_room_has_a_rule() -> None:
    assert {room_of(name) for name in MODULES} == RULES.keys() - {"__init__"}


@pytest.mark.parametrize("name", MODULES)
def test_a_room_imports_what_its_rule_allows(name: str) -> None:
    room = room_of(name)
    taken = own_imports(name, types=False) - {"__init__"}
    above = {other for other in taken if room_of(other) != room}
    allowed = RULES[room].allowed
    assert {o for o in above if o not in allowed and room_of(o) not in allowed} == set()


@pytest.mark.parametrize("name", MODULES)
def test_a_library_stays_in_its_room(name: str) -> None:
    used = {dotted.partition(".")[0] for dotted in imports(name, types=False)}
    own = RULES[room_of(name)].libraries
    places = {"", name, room_of(name)}
    free = {LIBRARIES[library] for library, only in own.items() if only in places}
    assert used & (set(LIBRARIES.values()) - free) == set()


@pytest.mark.parametrize("name", [name for name in MODULES if name != "cli/__init__"])
def test_nothing_but_the_entrances_opens_a_front_door(name: str) -> None:
    doors = {"plugin"} if room_of(name) == "cli" else {"plugin", "cli"}
    assert {other for other in own_imports(name) if room_of(other) in doors} == set()


@pytest.mark.parametrize("name", ENTRANCES)
def test_an_entrance_leads_to_its_front_doors(name: str) -> None:
    assert own_imports(name) == ENTRANCES[name]


@pytest.mark.parametrize("name", [n for n in FILES if n.endswith("/__init__") and n[:4] != "cli/"])
def test_a_folder_says_in_a_docstring_what_it_is(name: str) -> None:
    (only,) = ast.parse(FILES[name].read_text("utf-8")).body
    assert isinstance(only, ast.Expr)


def test_importing_the_package_costs_next_to_nothing() -> None:
    code = f"import sys, {PACKAGE}; print(*sys.modules)"
    # Without the start-up files of site-packages, which may import anything.
    completed = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(completed.stdout.split())
    assert PACKAGE in loaded
    assert {name for name in loaded if name.startswith(f"{PACKAGE}.")} == set()
    assert loaded & {"pelican", "sqlite3", "filetype", "click", "json"} == set()
