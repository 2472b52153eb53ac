"""The file of this machine that an editor names: by its path, percent-encoded or not, or a URL."""

from __future__ import annotations

import os
import re
from urllib.parse import unquote

__all__ = ["local_file"]

_URL = re.compile(r"file:(?://(?:localhost)?)?(?=/)", re.IGNORECASE)  # RFC 8089, section 2


def local_file(name: str) -> str:
    """Return the path of the file that a program names; the name itself if there is none.

    A file of exactly this name comes first. Typora names an image as the document does, so that
    `my cat.jpg` can be `my%20cat.jpg`.

    Args:
        name: a path, or a `file:` URL without another host.
    """
    path = _URL.sub("", name, count=1) if _URL.match(name) else name
    spellings = (name, unquote(path, errors="surrogateescape"), path)
    return next((one for one in spellings if os.path.lexists(one)), name)
