"""The log of Pelican, as messages for the user."""

from __future__ import annotations

import logging
import os
import sys
import traceback

__all__ = ["Log", "explain"]


class Log(logging.Handler):
    """Collects the log of this process.

    Attributes:
        errors: the errors.
        notes: the warnings.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.errors: list[str] = []
        self.notes: list[str] = []
        logging.getLogger().addHandler(self)
        logging.getLogger().setLevel(logging.WARNING)
        # Its warnings about settings concern SITEURL, which is overridden here.
        logging.getLogger("pelican.settings").setLevel(logging.ERROR)

    def clear(self) -> None:
        """Discard all messages."""
        self.errors = []
        self.notes = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record, with the exception being handled as the reason."""
        if record.name == "pelican_imagehost.site.build":
            return  # the report of the build contains the same
        message = record.getMessage()
        reason = sys.exc_info()[1]
        if isinstance(reason, Exception) and str(reason) not in message:
            message = f"{message}: {explain(reason)}"
        (self.errors if record.levelno >= logging.ERROR else self.notes).append(message)


def explain(error: BaseException) -> str:
    """Describe an exception, with the line of the template if it came from one."""
    message = f"{type(error).__name__}: {error}"
    name, line = getattr(error, "filename", None), getattr(error, "lineno", None)
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename.endswith((".html", ".xml", ".txt", ".jinja", ".j2")):
            name, line = frame.filename, frame.lineno
    return f"{os.path.relpath(name)}:{line}: {message}" if name and line else message
