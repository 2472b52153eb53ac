from __future__ import annotations

import random
from io import BytesIO
from typing import TYPE_CHECKING

import PIL.Image
import pytest
from PIL.PngImagePlugin import PngInfo

from pelican_imagehost.images.identify import identify
from pelican_imagehost.images.image import IMAGE_TYPES, Limits
from pelican_imagehost.images.prepare import prepare, prepare_file

if TYPE_CHECKING:
    from pathlib import Path

LIMITS = Limits(10**7, 10**8, frozenset(IMAGE_TYPES))


def noise(side: int, **texts: str) -> bytes:
    """Return a picture that cannot be compressed: about as many bytes as pixels."""
    info = PngInfo()
    for keyword, text in texts.items():
        info.add_text(keyword, text)
    pixels = random.Random(side).randbytes(side * side)  # noqa: S311  a test
    buffer = BytesIO()
    PIL.Image.frombytes("L", (side, side), pixels).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


@pytest.mark.parametrize("side", [20, 1100])
@pytest.mark.parametrize("keep", [frozenset[str](), frozenset(["all"])])
def test_a_file_of_any_size_is_cleaned_in_place_as_its_bytes_are(
    tmp_path: Path, side: int, keep: frozenset[str]
) -> None:
    data = noise(side, Author="someone")
    published, image = prepare(data, identify(data, LIMITS), keep)
    assert (b"someone" in published) == bool(keep)
    file = tmp_path / "a.part"
    file.write_bytes(data)
    assert prepare_file(str(file), LIMITS, keep) == image
    assert file.read_bytes() == published
    assert list(tmp_path.iterdir()) == [file]
