"""Run Pelican, and fail if it leaves out a document.

Pelican logs an error, continues without the document and exits with 0; a published site must
be complete. Run as `python -m pelican_imagehost.host.site_build`, with a JSON list of folders
whose files are not here, and Pelican's own arguments.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pelican import Pelican

__all__ = ["main"]


class _Log(logging.StreamHandler):  # type: ignore[type-arg]  # not subscriptable
    """Write a line per message, for an unknown terminal, and count errors."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
        self.errors = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.errors += record.levelno >= logging.ERROR
        super().emit(record)


def main() -> None:
    """Build, and exit with 1 if an error was logged."""
    import pelican  # noqa: PLC0415  it sets the class of all loggers

    log = _Log()
    logging.getLogger().addHandler(log)  # and Pelican adds none of its own
    check = partial(_check_folders, json.loads(sys.argv[1]))
    pelican.signals.initialized.connect(check)
    pelican.main(sys.argv[2:])
    if log.errors:
        sys.stderr.write(f"Pelican reported errors: {log.errors:,}\n")
        sys.exit(1)


def _check_folders(lacking: list[str], site: Pelican) -> None:
    """Exit if the documents are not here: readers would see an empty site."""
    settings = site.settings
    for name in {*settings["ARTICLE_PATHS"], *settings["PAGE_PATHS"]}:
        folder = os.path.join(settings["PATH"], name)
        for path in lacking:
            if os.path.join(folder, "").startswith(os.path.join(path, "")):
                sys.stderr.write(
                    f"ERROR: {os.path.relpath(folder)} is in a submodule, whose documents are not "
                    "part of the push; move them into this repository, or push built output\n"
                )
                sys.exit(1)


if __name__ == "__main__":
    main()
