"""Chromium shows what is accepted, in the size recorded, and nothing whole of what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import PIL.Image
import pytest

from pelican_imagehost.errors import ImageHostError
from pelican_imagehost.images.clean import clean
from pelican_imagehost.images.identify import identify
from pelican_imagehost.images.image import IMAGE_TYPES, Limits
from pelican_imagehost.images.pieces import join
from tests.images.chromium import show
from tests.images.parts import GIF, JPEG, LOSSLESS, LOSSY, PNG, SIZE, avif, encode
from tests.images.private import PRIVATE
from tests.images.table import TABLE

if TYPE_CHECKING:
    from tests.conftest import Require
    from tests.images.chromium import Shown

LIMITS = Limits(10 * 1024**2, 10**8, frozenset(IMAGE_TYPES))
BLANK = encode("PNG", PIL.Image.new("RGBA", SIZE))
WHOLE = {
    "jpg": JPEG,
    "progressive jpg": encode("JPEG", progressive=True),
    "png": PNG,
    "gif": GIF,
    "lossy webp": LOSSY,
    "lossless webp": LOSSLESS,
    "avif": avif(),
}
ENDS = {
    name: [*range(20, len(data), 17), *range(len(data) - 20, len(data))]
    for name, data in WHOLE.items()
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


@pytest.fixture(scope="module")
def shown(require: Require) -> dict[bytes, Shown]:
    """Load every file of this module in one page."""
    cuts = [data[:end] for name, data in WHOLE.items() for end in ENDS[name]]
    private = [one for pair in PRIVATE.values() for one in (pair[1], published(*pair))]
    files = [BLANK, *(data for data, _ in TABLE.values()), *WHOLE.values(), *cuts, *private]
    return dict(zip(files, show(files, require), strict=True))


def published(kind: str, data: bytes) -> bytes:
    pieces = clean(data, kind)
    return data if pieces is None else join(data, pieces)


def is_accepted(data: bytes) -> bool:
    try:
        identify(data, LIMITS)
    except ImageHostError:
        return False
    return True


def test_what_is_accepted_is_shown_in_that_size(shown: dict[bytes, Shown]) -> None:
    accepted = {n: (data, size) for n, (data, size) in TABLE.items() if isinstance(size, tuple)}
    sizes = {name: size for name, (_, size) in accepted.items()}
    assert {name: shown[data][:2] for name, (data, _) in accepted.items()} == sizes


def test_what_is_refused_is_not_shown(shown: dict[bytes, Shown]) -> None:
    refused = {name: shown[data] for name, (data, words) in TABLE.items() if isinstance(words, str)}
    pictures = {name for name, one in refused.items() if one.width and one != shown[BLANK]}
    assert pictures == SHOWN_THOUGH_REFUSED


@pytest.mark.parametrize("name", WHOLE)
def test_a_cut_file_is_accepted_if_it_is_shown_whole(name: str, shown: dict[bytes, Shown]) -> None:
    data = WHOLE[name]
    seen = {end for end in ENDS[name] if shown[data[:end]] == shown[data]}
    accepted = {end for end in ENDS[name] if is_accepted(data[:end])}
    assert accepted == seen - {*NOT_COUNTED.get(name, ())}


@pytest.mark.parametrize("name", PRIVATE)
def test_what_is_published_looks_as_before(name: str, shown: dict[bytes, Shown]) -> None:
    kind, data = PRIVATE[name]
    assert shown[data].width
    assert shown[published(kind, data)] == shown[data]
