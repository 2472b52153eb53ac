"""Damaged files: identified or refused, at once, and never with a size that Chromium denies."""

from __future__ import annotations

import time
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelican_imagehost.errors import ImageHostError
from pelican_imagehost.images.identify import identify
from pelican_imagehost.images.image import IMAGE_TYPES, Limits
from tests.images.chromium import show
from tests.images.mutations import mutate
from tests.images.table import TABLE

if TYPE_CHECKING:
    from tests.conftest import Require

LIMITS = Limits(10 * 1024**2, 10**8, frozenset(IMAGE_TYPES))
KINDS = ("JPEG", "PNG", "GIF", "WebP", "AVIF")
FILES = {
    kind: [data for name, (data, _) in TABLE.items() if name.startswith(f"{kind}:")]
    for kind in KINDS
}


def accept(data: bytes) -> tuple[int, int] | None:
    """Return the size of an accepted file, None for a refused one."""
    try:
        return identify(data, LIMITS)[3:5]
    except ImageHostError:
        return None


@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 2**32))
def test_damaged_files_are_identified_or_refused(kind: str, seed: int) -> None:
    random = Random(seed)  # noqa: S311  to be the same each time
    for _ in range(20):
        accept(mutate(random.choice(FILES[kind]), random))


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", KINDS)
def test_many_damaged_files_are_identified_or_refused_within_a_second(kind: str) -> None:
    random = Random(1)  # noqa: S311  to be the same each time
    longest = 0.0
    accepted = 0
    for _ in range(100_000):
        data = mutate(random.choice(FILES[kind]), random)
        start = time.process_time()
        accepted += accept(data) is not None
        longest = max(longest, time.process_time() - start)
    assert longest < 1
    assert 1000 < accepted < 99_000


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_never_has_a_size_that_chromium_denies(kind: str, require: Require) -> None:
    random = Random(2)  # noqa: S311  to be the same each time
    files = [mutate(random.choice(FILES[kind]), random) for _ in range(4000)]
    sizes = {data: size for data in files if (size := accept(data))}
    shown = zip(sizes.items(), show([*sizes], require), strict=True)
    denied = {data: (size, one) for (data, size), one in shown if one.width and one[:2] != size}
    assert denied == {}
