"""Damaged files: identified or refused, at once, and never with a size that Chromium denies."""

from __future__ import annotations

import time
import warnings
from io import BytesIO
from random import Random
from typing import TYPE_CHECKING

import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelican_imagehost.errors import ImageHostError
from pelican_imagehost.images.clean import clean
from pelican_imagehost.images.identify import identify
from pelican_imagehost.images.image import IMAGE_TYPES, Limits
from pelican_imagehost.images.pieces import join
from tests.images.chromium import show
from tests.images.mutations import mutate
from tests.images.private import PRIVATE
from tests.images.table import TABLE

if TYPE_CHECKING:
    from tests.conftest import Require

LIMITS = Limits(10 * 1024**2, 10**8, frozenset(IMAGE_TYPES))
MOST_PIXELS = 100_000
KINDS = ("JPEG", "PNG", "GIF", "WebP", "AVIF")
FILES = {
    kind: [data for name, (data, _) in TABLE.items() if name.startswith(f"{kind}:")]
    for kind in KINDS
}

PRIVATE_FILES = {
    kind: [data for of, data in PRIVATE.values() if of == kind]
    for kind in ("jpg", "png", "gif", "webp", "avif")
}


def accept(data: bytes) -> tuple[int, int] | None:
    """Return the size of an accepted file, None for a refused one."""
    try:
        return identify(data, LIMITS)[3:]
    except ImageHostError:
        return None


def check_cleaning(data: bytes, kind: str) -> bool:
    """Check that cleaning changes no pixel of what Pillow decodes; return whether it cleaned."""
    try:
        pieces = clean(data, kind)
    except ImageHostError:
        return False
    if pieces is None:
        return False
    new = join(data, pieces)
    assert clean(new, kind) is None
    before, after = decode(data, kind), decode(new, kind)
    assert before is None or after is None or before == after
    return True


def decode(data: bytes, kind: str) -> list[bytes] | None:
    """Decode the frames, of a JPEG the first; None for what Pillow does not decode."""
    frames = []
    try:
        with warnings.catch_warnings(action="ignore"), PIL.Image.open(BytesIO(data)) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                return None
            for number in range(1 if kind == "jpg" else getattr(picture, "n_frames", 1)):
                picture.seek(number)
                frames.append(picture.convert("RGBA").tobytes())
    except Exception:  # noqa: BLE001  Pillow raises anything at damage
        return None
    return frames


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


@given(kind=st.sampled_from([*PRIVATE_FILES]), seed=st.integers(0, 2**32))
def test_damaged_files_are_cleaned_without_another_pixel(kind: str, seed: int) -> None:
    random = Random(seed)  # noqa: S311  to be the same each time
    for _ in range(5):
        check_cleaning(mutate(random.choice(PRIVATE_FILES[kind]), random), kind)


@pytest.mark.full
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kind", PRIVATE_FILES)
def test_many_damaged_files_are_cleaned_without_another_pixel(kind: str) -> None:
    random = Random(3)  # noqa: S311  to be the same each time
    cleaned = sum(
        check_cleaning(mutate(random.choice(PRIVATE_FILES[kind]), random), kind)
        for _ in range(100_000)
    )
    assert cleaned > 1000


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
