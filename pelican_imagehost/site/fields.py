"""The metadata that names images: plain fields, and those within lists and dictionaries."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pelican_imagehost.settings import Settings

__all__ = ["Field", "find_fields", "with_value"]


class Field(NamedTuple):
    """A string in the metadata of a document.

    Attributes:
        name: the name of the metadata field.
        path: the keys and positions that lead to the string within the field.
        value: the string.
    """

    name: str
    path: tuple[Any, ...]
    value: str


def find_fields(metadata: Mapping[str, Any], settings: Settings) -> Iterator[Field]:
    """Find the strings that IMAGEHOST_METADATA_FIELDS names.

    Each part of a dotted name is a key, in upper or lower case, or `*` for every key of a
    dictionary and every item of a list. At the end there may also be a list of strings.

    Args:
        metadata: the metadata of a document, from any reader.
        settings: the settings of the site.

    Yields:
        Each string once.
    """
    patterns = _patterns(settings.metadata_fields)
    for name, value in metadata.items():
        lower = name.lower()
        rests = [*patterns.get(lower, ()), *patterns.get("*", ())]
        if lower in settings.metadata_fields:  # perhaps with a dot in it
            rests.append(())
        if rests and lower not in settings.formatted_fields:  # those are HTML
            paths = (path for rest in rests for path in _paths(value, rest))
            for path in dict.fromkeys(paths):
                yield Field(name, path, _at(value, path))


def with_value(value: Any, path: tuple[Any, ...], new: str) -> Any:  # noqa: ANN401  any metadata
    """Return a value with another string in it; the value itself, which others share, stays.

    Args:
        value: the value of a metadata field.
        path: where the string is, as in `Field`.
        new: the string.
    """
    if not path:
        return new
    first, *rest = path
    inner = with_value(value[first], tuple(rest), new)
    if isinstance(value, tuple):
        return (*value[:first], inner, *value[first + 1 :])
    changed = copy.copy(value)
    changed[first] = inner
    return changed


@cache
def _patterns(names: frozenset[str]) -> dict[str, list[tuple[str, ...]]]:
    """Map the first part of each dotted name to its other parts."""
    patterns: dict[str, list[tuple[str, ...]]] = {}
    for name in sorted(names):
        first, *rest = name.split(".")
        patterns.setdefault(first, []).append(tuple(rest))
    return patterns


def _paths(value: Any, parts: Sequence[str]) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401
    if not parts:
        if isinstance(value, str):
            yield ()
        elif isinstance(value, list | tuple):
            yield from ((n,) for n, item in enumerate(value) if isinstance(item, str))
        return
    part, *rest = parts
    for key, item in _items(value):
        is_key = isinstance(value, Mapping) and str(key).lower() == part
        if part == "*" or is_key:
            yield from ((key, *path) for path in _paths(item, rest))


def _items(value: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401  any metadata
    if isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, list | tuple):
        yield from enumerate(value)


def _at(value: Any, path: tuple[Any, ...]) -> str:  # noqa: ANN401  any metadata
    for key in path:
        value = value[key]
    assert isinstance(value, str)  # noqa: S101  `_paths` leads to nothing else
    return value
