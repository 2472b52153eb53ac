"""A queue between threads whose items are prepared on their way."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Sluice"]

T = TypeVar("T")


class Sluice(Generic[T]):
    """A queue with a thread that prepares each item, while others are being used up.

    Args:
        prepare: called with each item, in order; raises nothing.
    """

    def __init__(self, prepare: Callable[[T], None]) -> None:
        self._prepare = prepare
        self._before: queue.SimpleQueue[T | None] = queue.SimpleQueue()
        self._after: queue.SimpleQueue[T | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="sluice", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, item: T | None) -> None:
        """Add an item; None is the last one."""
        self._before.put(item)

    def get(self) -> T | None:
        """Wait for the next prepared item."""
        return self._after.get()

    def get_nowait(self) -> T | None:
        """Return the next prepared item.

        Raises:
            queue.Empty: none is prepared.
        """
        return self._after.get_nowait()

    def _work(self) -> None:
        while (item := self._before.get()) is not None:
            self._prepare(item)
            self._after.put(item)
        self._after.put(None)
