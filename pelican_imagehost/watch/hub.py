"""News for browsers: numbered, kept for those who come late."""

from __future__ import annotations

import json
import threading
import time
from typing import Any, NamedTuple

__all__ = ["Hub", "News"]

_KEPT = 200
_MANY = 500  # paths; more, and a page had better look for itself


class News(NamedTuple):
    """One message.

    Attributes:
        number: grows, also from one session to the next.
        data: JSON.
    """

    number: int
    data: str


class Hub:
    """Takes news from one side and hands them to any number of waiting threads."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._kept: list[News] = []
        self._number = time.time_ns() // 1_000_000  # above those of an earlier session
        self._closed = False
        self.problems: tuple[str, ...] = ()

    @property
    def number(self) -> int:
        """The number of the latest news."""
        return self._number

    def changed(self, addresses: list[str]) -> None:
        """Tell which addresses show something else now."""
        self._tell({"changed": addresses if len(addresses) <= _MANY else None})

    def wrong(self, problems: tuple[str, ...]) -> None:
        """Tell what is wrong now, if that is news."""
        if problems != self.problems:
            self.problems = problems
            self._tell({"problems": problems})

    def after(self, number: int, seconds: float) -> list[News] | None:
        """Wait for news.

        Args:
            number: that of the last one known.
            seconds: how long to wait.

        Returns:
            What came after it; nothing when the time is over; None when there will be no more.
        """
        with self._condition:
            self._condition.wait_for(lambda: self._closed or self._number != number, seconds)
            if self._closed:
                return None
            if self._number == number:
                return []
            if not self._kept or not self._kept[0].number - 1 <= number < self._number:
                # Of an earlier session, or too late for some of it: look at everything.
                return [News(self._number, json.dumps({"changed": None}))]
            return [news for news in self._kept if news.number > number]

    def close(self) -> None:
        """Let all that wait go."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    def _tell(self, message: dict[str, Any]) -> None:
        with self._condition:
            self._number += 1
            self._kept.append(News(self._number, json.dumps(message)))
            del self._kept[:-_KEPT]
            self._condition.notify_all()
