"""A progress bar for what takes longer than a glance; nothing where no person watches."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

__all__ = ["show_progress"]

logger = logging.getLogger(__name__)


@contextmanager
def show_progress(console: Console, label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar while the block runs.

    Args:
        console: where; silent unless it is a terminal.
        label: what is being done.
        total: bytes in all.

    Yields:
        A function that is told each number of bytes done.
    """
    from rich.errors import LiveError  # noqa: PLC0415  few builds have enough to wait for
    from rich.progress import (  # noqa: PLC0415  likewise
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn(label), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    task = bar.add_task(label, total=total)
    try:
        bar.start()
    except LiveError:
        logger.debug("another live display is shown on this terminal; no bar")
    try:
        yield lambda advance: bar.advance(task, advance)
    finally:
        bar.stop()
