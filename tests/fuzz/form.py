"""What must hold for a form of any bytes: it is answered, and leaves nothing behind."""

from __future__ import annotations

import tempfile
from pathlib import Path

from pelican_imagehost.images.image import IMAGE_TYPES, Limits
from pelican_imagehost.serve.spool import Spool
from pelican_imagehost.storage.store import Store
from tests.serve.test_form_fuzz import FORM, MEMORY, MOST, MULTIPART, check_harmless, multipart

_FOLDER = tempfile.TemporaryDirectory()  # the spool's, as long as this process
SPOOL = Spool(
    Store(Path(_FOLDER.name, "images")).uploads,
    Limits(MOST, 10**6, frozenset(IMAGE_TYPES)),
    memory=MEMORY,
)
SPOOL.prepare()
SEEDS = (
    b"\x00\x10" + multipart([b"GIF89a", b""], "key"),
    b"\x00\x07--b\r\nContent-Disposition: form-data; name=img; filename*=utf-8''%E7%8B%97\r\n\r\n",
    b"\x01\x05source=R0lGODlh&key=a%20b",
    b"\x01\x20source=data:image/png;base64,R0lG%0AODlh",
)


def check(data: bytes) -> None:
    """Receive a form: the first two bytes say of which type, and where it is cut."""
    kind = FORM if data[:1] > b"\x7f" or data[:1] == b"\x01" else MULTIPART
    step = 1 + sum(data[1:2])
    check_harmless(SPOOL, kind, data[2:], list(range(step, len(data), step)))
