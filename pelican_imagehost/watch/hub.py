"""Messages to browsers, numbered, and kept for browsers that connect later."""

from __future__ import annotations

import json
import threading
import time
from typing import Any, NamedTuple

__all__ = ["Hub", "News"]

_KEPT = 200
_MANY = 500  # paths; with more, pages reload


class News(NamedTuple):
    """A message.

    Attributes:
        number: increases, also from one session to the next.
        data: JSON.
    """

    number: int
    data: str


class Hub:
    """Distributes messages to any number of waiting threads."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._kept: list[News] = []
        self._number = time.time_ns() // 1_000_000  # higher than in an earlier session
        self._closed = False
        self.problems: list[dict[str, Any]] = []

    @property
    def number(self) -> int:
        """Return the number of the latest message."""
        return self._number

    def changed(self, addresses: list[str]) -> None:
        """Send a list of changed addresses."""
        self._send({"changed": addresses if len(addresses) <= _MANY else None})

    def wrong(self, problems: list[dict[str, Any]]) -> None:
        """Send all current problems, if they have changed; see `Preview.wrong`."""
        if problems != self.problems:
            self.problems = problems
            self._send({"problems": problems})

    def after(self, number: int, seconds: float) -> list[News] | None:
        """Wait for new messages.

        Args:
            number: the number of the last message received.
            seconds: the longest time to wait.

        Returns:
            The messages after that; an empty list after a timeout; None if the hub is closed.
        """
        with self._condition:
            self._condition.wait_for(lambda: self._closed or self._number != number, seconds)
            if self._closed:
                return None
            if self._number == number:
                return []
            if not self._kept or not self._kept[0].number - 1 <= number < self._number:
                # From an earlier session, or some messages are no longer kept: reload.
                return [News(self._number, json.dumps({"changed": None}))]
            return [news for news in self._kept if news.number > number]

    def close(self) -> None:
        """Release all waiting threads."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    def _send(self, message: dict[str, Any]) -> None:
        with self._condition:
            self._number += 1
            self._kept.append(News(self._number, json.dumps(message)))
            del self._kept[:-_KEPT]
            self._condition.notify_all()
