"""Every local image that a Pelican site names becomes a hosted one, under an address of its own.

Pelican imports the plugins of its namespace even where they are not used, so importing
this package costs next to nothing: `register` imports the plugin when Pelican calls it.
"""

from __future__ import annotations

__all__ = ["__version__", "register"]

__version__ = "0.1.0"


def register() -> None:
    """Connect the plugin to Pelican's signals (Pelican calls this)."""
    from pelican_imagehost.plugin import connect  # noqa: PLC0415  see above

    connect()
