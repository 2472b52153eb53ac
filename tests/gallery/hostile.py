"""Images that are small and valid, and cost much to decode."""

from __future__ import annotations

from functools import cache
from io import BytesIO

import PIL.Image

SCANS = 5000


@cache
def endless_jpeg(seed: int = 0) -> bytes:
    """Make a progressive JPEG whose last scan is repeated thousands of times.

    Each scan refines all coefficients of the image once more (ITU-T T.81, annex G).
    """
    picture = PIL.Image.new("RGB", (4000, 4000), (seed, 99, 99))
    buffer = BytesIO()
    picture.save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * SCANS + data[-2:]
