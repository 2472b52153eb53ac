"""Check over HTTP that images are online and complete."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.publish.http import Answer, Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["Absent", "Expected", "find_absent"]

_WORKERS = 8
_LONGEST_PAUSE = 30.0
_PAUSE_GROWTH = 1.5
_NOT_FOUND = 404
_SETTLING = 3.0  # seconds in which a host of ours may still answer from a cache


class Expected(NamedTuple):
    """An address that ends in a key, and its expected size in bytes; None if unknown."""

    url: str
    size: int | None


class Absent(NamedTuple):
    """The addresses that are not online.

    Attributes:
        answers: address → answer or error.
        is_final: whether waiting longer cannot help.
    """

    answers: dict[str, str]
    is_final: bool = False


def find_absent(
    expected: Iterable[Expected],
    *,
    patience: float,
    say: Callable[[str], None],
    ours: bool = False,
) -> Absent:
    """Request addresses until all are online and complete, or the time is over.

    Caches may store a 404, so addresses are only requested after the push, and with
    `Cache-Control: no-cache` (RFC 9111, section 5.2.1.4).

    Args:
        expected: the addresses.
        patience: seconds to repeat the requests; 0: request once.
        say: called with a message before each pause.
        ours: whether `host init` set up the host, which serves an image before the push ends.

    Returns:
        The addresses that are not online.
    """
    waiting = list(expected)
    start, pause = time.monotonic(), 0.25
    while waiting:
        answers = _ask_all(waiting)
        waiting = [image for image in waiting if answers.get(image.url, True)]
        absent = {url: answer for url, answer in answers.items() if answer}
        passed = time.monotonic() - start
        late = ours and passed > _SETTLING
        if any(a.is_final or (late and a.status == _NOT_FOUND) for a in absent.values()):
            return Absent({url: answer.text for url, answer in absent.items()}, is_final=True)
        if not waiting or passed + pause > patience:
            return Absent({url: answer.text for url, answer in absent.items()})
        url, answer = next(iter(absent.items()))
        say(
            f"{len(waiting):,} not online yet ({url}: {answer.text}); checking again in "
            f"{pause:.1f} s"
        )
        time.sleep(pause)
        pause = min(pause * _PAUSE_GROWTH, _LONGEST_PAUSE)
    return Absent({})


def _ask_all(images: Sequence[Expected]) -> dict[str, Answer]:
    """Request addresses; if the first is hopeless, only that one."""
    clients = [Client() for _ in range(min(_WORKERS, len(images)))]
    try:
        first = clients[0].check(*images[0])
        if first.is_final:
            return {images[0].url: first}
        answers = {images[0].url: first}
        shares = [images[1:][number :: len(clients)] for number in range(len(clients))]
        with ThreadPoolExecutor(len(clients)) as pool:
            for share in pool.map(_ask_share, clients, shares):
                answers |= share
        return answers
    finally:
        for client in clients:
            client.close()


def _ask_share(client: Client, images: Sequence[Expected]) -> dict[str, Answer]:
    return {image.url: client.check(*image) for image in images}
