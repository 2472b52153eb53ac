"""The check of an SVG takes work and memory in proportion to the file, whatever is in it."""

from __future__ import annotations

import contextlib
import sys
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from pelican_imagehost.errors import ImageHostError
from pelican_imagehost.images.svg import inspect
from tests.images.svgs import DOCTYPE, wrap

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


def declare(entity: str) -> str:
    return f'<!DOCTYPE svg [<!ENTITY a "{entity}">]>'


def repeat(form: str, count: int) -> str:
    return " ".join(form % number for number in range(count))


# Each grows with its number; the work must grow no faster.
GROWING: dict[str, Callable[[int], bytes]] = {
    "nested styles": lambda n: wrap("<style>" * 900 + "x" * n * 10 + "</style>" * 900),
    "elements": lambda n: wrap("<g/>" * n),
    "attributes": lambda n: wrap("<g {}/>".format(repeat('a%d=""', n))),
    "prefixes": lambda n: wrap("<g {}/>".format(repeat('xmlns:a%d="u"', n))),
    "lines of a style": lambda n: wrap("<style>" + "a{fill:url(#a)}\n" * n + "</style>"),
    "escapes in a style": lambda n: wrap("<style>(" + r"\61 " * n + "</style>"),
    "backslashes in a style": lambda n: wrap("<style>(" + "\\" * n + "</style>"),
    "quotes in a style": lambda n: wrap("<style>(" + "'\n" * n + "</style>"),
    "brackets in a style": lambda n: wrap("<style>image-set(" + "(" * n + "</style>"),
    "comments in a style": lambda n: wrap("<style>(" + "/*" * n + "</style>"),
    "ends in an attribute": lambda n: wrap(f'<g id="{">" * n}"/>'),
    "breaks in an address": lambda n: wrap(f'<image href="#{"&#10;" * n}"/>'),
    "values": lambda n: wrap(f'<set attributeName="href" values="{"#;" * n}"/>'),
    "sources": lambda n: wrap(f'<h:img srcset="{"#a 1x, " * n}"/>'),
    "references": lambda n: wrap("&amp;" * n, prolog=DOCTYPE.replace("\n", " ")),
    "a default of a DTD": lambda n: wrap(
        "<a/>" * n, prolog=f'<!DOCTYPE svg [<!ATTLIST a b CDATA "{"x" * n}">]>'
    ),
    "types of attributes": lambda n: wrap(
        "<a/>" * n,
        prolog=f"<!DOCTYPE svg [<!ATTLIST a {repeat('a%d CDATA #IMPLIED', n)}>]>",
    ),
    "a namespace": lambda n: wrap("<a:a/>" * n, attributes=f'xmlns:a="{"u" * n}"'),
    "short entities": lambda n: wrap(f"<style>{'&a;' * n}</style>", prolog=declare("x" * 8)),
    "long entities": lambda n: wrap(f"<style>{'&a;' * n}</style>", prolog=declare("x" * n)),
    "entities outside of styles": lambda n: wrap("&a;" * n, prolog=declare("x" * n)),
    "entities in attributes": lambda n: wrap("<g id='&a;'/>" * n, prolog=declare("x" * n)),
    "box": lambda n: wrap("", attributes=f'viewBox="{"1 " * n}"'),
    "digits": lambda n: wrap("", attributes=f'width="{"1" * n}x"'),
    "blanks": lambda n: wrap("", attributes=f'width="{" " * n}x" style="{"font-size:" * n}"'),
}  # fmt: skip


def count_calls(data: bytes) -> int:
    """Count the calls of Python and C functions that the check makes."""
    count = 0

    def trace(_frame: FrameType, event: str, _function: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    previous = sys.getprofile()
    sys.setprofile(trace)
    try:
        with contextlib.suppress(ImageHostError):
            inspect(data)
    finally:
        sys.setprofile(previous)
    return count


@pytest.mark.parametrize("name", GROWING)
def test_the_work_grows_with_the_file(name: str) -> None:
    small, large = (count_calls(GROWING[name](n)) for n in (1000, 8000))
    assert large <= 8 * small + 1000


@pytest.mark.parametrize("name", GROWING)
def test_the_memory_grows_with_the_file(name: str) -> None:
    data = GROWING[name](30_000)
    tracemalloc.start()
    try:
        with contextlib.suppress(ImageHostError):
            inspect(data)
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 60 * len(data) + 5_000_000


@pytest.mark.full
@pytest.mark.parametrize("name", GROWING)
def test_a_large_file_is_done_before_the_time_limit(name: str) -> None:
    # Expat's own work is not counted above. Quadratic, any of these would take hours.
    data = GROWING[name](1_000_000)
    with contextlib.suppress(ImageHostError):
        inspect(data)
