"""What plugins remember from one document to the next.

Some gather all that a whole build reads or writes, and clear it away when the build has
ended: a sitemap does. A page that is written between builds must leave no trace there,
nor a build that failed half-way.
"""

from __future__ import annotations

import copy
import sys
from typing import TYPE_CHECKING, Any

from blinker import ANY, Signal
from pelican import signals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["note_memories"]


def note_memories() -> Callable[[], None]:
    """Take note of what plugins remember now.

    Returns:
        What brings that back, as far as lists, sets and dictionaries go, and plain values.
    """
    owners = list(_owners())
    names = [_names(owner) for owner in owners]
    held = [value for before in names for value in before.values()]
    collections = [(one, copy.copy(one)) for one in held if isinstance(one, list | set | dict)]

    def bring_back() -> None:
        for owner, before in zip(owners, names, strict=True):
            for name in [name for name in before if vars(owner).get(name) is not before[name]]:
                setattr(owner, name, before[name])
        for collection, content in collections:
            collection.clear()
            (collection.extend if isinstance(collection, list) else collection.update)(content)

    return bring_back


def _owners() -> Iterable[object]:
    """List what may remember: the modules and objects that hear Pelican's signals."""
    owners: dict[int, object] = {}
    for receiver in _receivers():
        if not receiver.__module__.startswith("pelican_imagehost."):
            for owner in (
                sys.modules.get(receiver.__module__),
                getattr(receiver, "__self__", None),
            ):
                owners[id(owner)] = owner
    return [owner for owner in owners.values() if hasattr(owner, "__dict__")]


def _names(owner: object) -> dict[str, Any]:
    return {name: value for name, value in vars(owner).items() if not name.startswith("__")}


def _receivers() -> Iterator[Any]:
    for signal in vars(signals).values():
        if isinstance(signal, Signal):
            yield from signal.receivers_for(ANY)
