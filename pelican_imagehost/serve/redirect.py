"""A private page that leads the browser to an address.

The arguments of a process can be read by every user of the machine, so an address that logs
in must not be among those of the browser.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["redirect_file"]

_PAGE = """\
<!DOCTYPE html>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={0}">
<title>Images</title>
<a href="{0}">Open the gallery</a>
"""


@contextmanager
def redirect_file(address: str) -> Iterator[Path]:
    """Write a page that leads to an address, readable by this user only; remove it at the end."""
    descriptor, name = tempfile.mkstemp(prefix="pelican-imagehost-", suffix=".html")  # mode 0600
    file = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(_PAGE.format(escape(address)))
        yield file
    finally:
        file.unlink(missing_ok=True)
