"""A progress bar for long steps, shown only on a terminal."""

from __future__ import annotations

import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from pelican_imagehost.report import silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from rich.console import Console

__all__ = ["show_on_terminal", "show_progress"]


@contextmanager
def show_progress(console: Console, label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar while the block runs.

    Args:
        console: the terminal; if it is not one, nothing is shown.
        label: the text before the bar.
        total: the number of bytes to process.

    Yields:
        A function to call with each number of bytes processed.
    """
    from rich.errors import LiveError  # noqa: PLC0415  not needed by most builds
    from rich.progress import (  # noqa: PLC0415  as above
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn(label), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    task = bar.add_task(label, total=total)
    with suppress(LiveError):  # this terminal already shows another live display
        bar.start()
    try:
        yield lambda advance: bar.advance(task, advance)
    finally:
        bar.stop()


def show_on_terminal(label: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
    """Show a progress bar on standard error, if that is a terminal.

    Args:
        label: the text before the bar.
        total: the number of bytes to process.
    """
    if not sys.stderr.isatty():
        return silent(label, total)
    from rich.console import Console  # noqa: PLC0415  slow

    return show_progress(Console(stderr=True), label, total)
