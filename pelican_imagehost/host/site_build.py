"""Run Pelican, and fail if it leaves out a document.

Pelican logs an error, continues without the document and exits with 0; a published site must
be complete. Run as `python -m pelican_imagehost.host.site_build`, with Pelican's
own arguments.
"""

from __future__ import annotations

import logging
import sys

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
    pelican.main(sys.argv[1:])
    if log.errors:
        sys.stderr.write(f"Pelican reported errors: {log.errors:,}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
