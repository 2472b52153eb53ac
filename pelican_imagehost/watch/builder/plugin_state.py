"""The state that plugins keep between documents.

Some plugins, such as sitemaps, collect data during a whole build and clear it at the end.
A page written between builds must not change that state, nor a build that failed.
"""

from __future__ import annotations

import copy
import sys
from typing import TYPE_CHECKING, Any

from blinker import ANY, Signal
from pelican import signals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["save_state"]


def save_state() -> Callable[[], None]:
    """Save the state of plugins.

    Returns:
        A function that restores lists, sets, dictionaries and plain values.
    """
    owners = list(_owners())
    names = [_names(owner) for owner in owners]
    held = [value for before in names for value in before.values()]
    collections = [(one, copy.copy(one)) for one in held if isinstance(one, list | set | dict)]

    def restore() -> None:
        for owner, before in zip(owners, names, strict=True):
            for name in [name for name in before if vars(owner).get(name) is not before[name]]:
                setattr(owner, name, before[name])
        for collection, content in collections:
            collection.clear()
            (collection.extend if isinstance(collection, list) else collection.update)(content)

    return restore


def _owners() -> Iterable[object]:
    """List the modules and objects that receive signals of Pelican."""
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
