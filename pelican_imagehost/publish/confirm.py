"""Check over HTTP that images are online and complete."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Expected", "find_absent"]

_WORKERS = 8
_TIMEOUT = 20  # seconds for one answer
_LONGEST_PAUSE = 30.0
_PAUSE_GROWTH = 1.5


class Expected(NamedTuple):
    """An address, and its expected size in bytes; None if unknown."""

    url: str
    size: int | None


def find_absent(
    expected: Iterable[Expected], *, patience: float, say: Callable[[str], None]
) -> dict[str, str]:
    """Request addresses until all are online with the right size, or the time is over.

    Caches may store a 404, so addresses are only requested after the push, and with
    `Cache-Control: no-cache` (RFC 9111, section 5.2.1.4).

    Args:
        expected: the addresses.
        patience: seconds to repeat the requests; 0: request once.
        say: called with a message before each pause.

    Returns:
        Address → answer or error, for those that are not online.
    """
    waiting, absent = list(expected), {}
    end, pause = time.monotonic() + patience, 0.25
    while waiting:
        with ThreadPoolExecutor(_WORKERS) as pool:
            answers = list(pool.map(_ask, waiting))
        pairs = zip(waiting, answers, strict=True)
        absent = {image.url: answer for image, answer in pairs if answer}
        waiting = [image for image in waiting if image.url in absent]
        if not waiting or time.monotonic() + pause > end:
            break
        say(f"{len(waiting):,} not online yet; checking again in {pause:.0f} s")
        time.sleep(pause)
        pause = min(pause * _PAUSE_GROWTH, _LONGEST_PAUSE)
    return absent


def _ask(image: Expected) -> str:
    """Return the error for an address; "" if it is online."""
    headers = {"Cache-Control": "no-cache", "User-Agent": "pelican-imagehost"}
    request = urllib.request.Request(image.url, headers=headers, method="HEAD")  # noqa: S310  below
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310  http(s), by settings
            length = answer.headers.get("Content-Length")
    except urllib.error.HTTPError as error:
        error.close()
        return f"{error.code} {error.reason}"
    except (OSError, http.client.HTTPException) as error:
        return str(getattr(error, "reason", error))
    if image.size is not None and length is not None and int(length) != image.size:
        return f"{length} bytes instead of {image.size}"
    return ""
