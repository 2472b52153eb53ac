"""Time processes in alternating rounds, because the load of a machine varies."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Cost", "compare", "cpu_of", "median", "ratio", "run"]

_TICK = os.sysconf("SC_CLK_TCK")
_FAREWELL = 0.2  # seconds in which the processes of a server end


class Cost(NamedTuple):
    """The seconds that a process and its children took."""

    wall: float
    cpu: float


def run(command: Sequence[str], folder: Path, server: int | None = None) -> Cost:
    """Run a command, which must succeed, and measure it.

    Args:
        command: the command.
        folder: the folder in which it runs.
        server: a process whose CPU time counts too, with that of its children.
    """
    servers = [] if server is None else [server]
    at_start = cpu_of(*servers)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env=_environment()
    )
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if servers:
        time.sleep(_FAREWELL)
    return Cost(wall, cpu + cpu_of(*servers) - at_start)


def compare(
    commands: Mapping[str, Callable[[], Cost]], *, rounds: int, warm: bool = True
) -> dict[str, list[Cost]]:
    """Run each command in turn, round by round; with `warm`, ignore a first round."""
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for number in range(rounds + warm):
        for name, command in commands.items():
            cost = command()
            if number >= warm:
                costs[name].append(cost)
    return costs


def ratio(costs: dict[str, list[Cost]], name: str, base: str, figure: str = "cpu") -> float:
    """Return the median over rounds of the ratio of two commands."""
    pairs = zip(_figures(costs[name], figure), _figures(costs[base], figure), strict=True)
    return statistics.median(a / b for a, b in pairs)


def median(costs: list[Cost], figure: str = "cpu") -> float:
    """Return the median of a figure."""
    return statistics.median(_figures(costs, figure))


def cpu_of(*processes: int) -> float:
    """Return the CPU seconds of processes and their children that have ended (proc(5), stat)."""
    stats = [Path(f"/proc/{one}/stat").read_text().rpartition(")")[2] for one in processes]
    return sum(int(ticks) for stat in stats for ticks in stat.split()[11:15]) / _TICK


def _figures(costs: list[Cost], figure: str) -> list[float]:
    return [cost._asdict()[figure] for cost in costs]


def _environment() -> dict[str, str]:
    # Compiled modules are part of any installation; without them, compiling would be
    # measured.
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
