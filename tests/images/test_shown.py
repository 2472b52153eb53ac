"""What is accepted, with which size; what is refused, with which words; and what Chromium shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import PIL.Image
import pytest

from pelican_imagehost.errors import CorruptImage, ImageHostError, UnsupportedImage
from pelican_imagehost.images.identify import identify
from pelican_imagehost.images.image import IMAGE_TYPES, Limits
from tests.images.chromium import show
from tests.images.parts import GIF, JPEG, LOSSLESS, LOSSY, PNG, SIZE, avif, encode
from tests.images.table import TABLE

if TYPE_CHECKING:
    from tests.conftest import Require

LIMITS = Limits(10 * 1024**2, 10**10, frozenset(IMAGE_TYPES))
WHOLE = {
    "jpg": JPEG,
    "progressive jpg": encode("JPEG", progressive=True),
    "png": PNG,
    "gif": GIF,
    "lossy webp": LOSSY,
    "lossless webp": LOSSLESS,
    "avif": avif(),
}
# Types that not every browser shows alike, and animations of which the first frame is left.
SHOWN_THOUGH_REFUSED = {
    "other: BMP",
    "other: ICO",
    "other: CUR",
    "GIF: cut in the second frame",
    "GIF: cut where a frame is announced",
    "GIF: cut when a frame was announced",
}
# Without the end of its data, the rows of a GIF can only be counted by decoding them.
NOT_COUNTED = {"gif": range(len(GIF) - 5, len(GIF) - 1)}


def accept(data: bytes) -> tuple[int, int] | None:
    """Return the size of an accepted image, None for a refused one."""
    try:
        return identify(data, LIMITS)[3:5]
    except ImageHostError:
        return None


def test_there_are_files_enough() -> None:
    assert len(TABLE) >= 120


@pytest.mark.parametrize("name", TABLE)
def test_a_file_is_accepted_with_its_size_or_refused_with_words(name: str) -> None:
    data, expected = TABLE[name]
    if isinstance(expected, tuple):
        assert identify(data, LIMITS)[3:5] == expected
    else:
        with pytest.raises((CorruptImage, UnsupportedImage), match=expected):
            identify(data, LIMITS)


def test_chromium_shows_what_is_accepted_in_that_size(require: Require) -> None:
    accepted = {n: (d, size) for n, (d, size) in TABLE.items() if isinstance(size, tuple)}
    shown = show([data for data, _ in accepted.values()], require)
    sizes = {name: size for name, (_, size) in accepted.items()}
    assert {name: one[:2] for name, one in zip(accepted, shown, strict=True)} == sizes


def test_chromium_shows_nothing_of_what_is_refused(require: Require) -> None:
    refused = {name: data for name, (data, expected) in TABLE.items() if isinstance(expected, str)}
    empty = encode("PNG", PIL.Image.new("RGBA", SIZE))
    blank, *shown = show([empty, *refused.values()], require)
    pictures = zip(refused, shown, strict=True)
    assert {n for n, one in pictures if one.width and one != blank} == SHOWN_THOUGH_REFUSED


@pytest.mark.parametrize("name", WHOLE)
def test_a_cut_file_is_accepted_if_chromium_shows_it_whole(name: str, require: Require) -> None:
    data = WHOLE[name]
    ends = [*range(20, len(data), 17), *range(len(data) - 20, len(data))]
    whole, *shown = show([data, *(data[:end] for end in ends)], require)
    seen = {end for end, one in zip(ends, shown, strict=True) if one == whole}
    assert {end for end in ends if accept(data[:end])} == seen - {*NOT_COUNTED.get(name, ())}
