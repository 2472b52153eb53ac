"""What Pelican says while it works, as sentences."""

from __future__ import annotations

import logging
import os
import sys
import traceback

__all__ = ["Log", "explain"]


class Log(logging.Handler):
    """Keeps what is logged in this process.

    Attributes:
        errors: what is wrong.
        notes: what Pelican warns of.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.errors: list[str] = []
        self.notes: list[str] = []
        logging.getLogger().addHandler(self)
        logging.getLogger().setLevel(logging.WARNING)
        # Its word on settings concerns SITEURL, which is ours here.
        logging.getLogger("pelican.settings").setLevel(logging.ERROR)

    def clear(self) -> None:
        """Forget all that was said."""
        self.errors = []
        self.notes = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record; an error that is being handled is its reason."""
        if record.name == "pelican_imagehost.site.build":
            return  # its report says the same
        message = record.getMessage()
        reason = sys.exc_info()[1]
        if isinstance(reason, Exception) and str(reason) not in message:
            message = f"{message}: {explain(reason)}"
        (self.errors if record.levelno >= logging.ERROR else self.notes).append(message)


def explain(error: BaseException) -> str:
    """Say what went wrong, and in which line of a template if it was one."""
    message = f"{type(error).__name__}: {error}"
    name, line = getattr(error, "filename", None), getattr(error, "lineno", None)
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename.endswith((".html", ".xml", ".txt", ".jinja", ".j2")):
            name, line = frame.filename, frame.lineno
    return f"{os.path.relpath(name)}:{line}: {message}" if name and line else message
