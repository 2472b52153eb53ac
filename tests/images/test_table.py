"""What is accepted, with which size, and what is refused, with which words."""

from __future__ import annotations

import pytest

from pelican_imagehost.errors import CorruptImage, UnsupportedImage
from pelican_imagehost.images.identify import identify
from pelican_imagehost.images.image import IMAGE_TYPES, Limits
from tests.images.table import TABLE

LIMITS = Limits(10 * 1024**2, 10**8, frozenset(IMAGE_TYPES))


def test_there_are_files_enough() -> None:
    assert len(TABLE) >= 200


@pytest.mark.parametrize("name", TABLE)
def test_a_file_is_accepted_with_its_size_or_refused_with_words(name: str) -> None:
    data, expected = TABLE[name]
    if isinstance(expected, tuple):
        assert identify(data, LIMITS)[3:5] == expected
    else:
        with pytest.raises((CorruptImage, UnsupportedImage), match=expected):
            identify(data, LIMITS)
