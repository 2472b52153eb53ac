"""Host every local image of a Pelican site under a permanent address.

Pelican imports all plugins of its namespace, even if a site does not use them. To keep that
import fast, `register` imports the plugin only when Pelican calls it.
"""

from __future__ import annotations

__all__ = ["__version__", "register"]

__version__ = "0.1.0"


def register() -> None:
    """Connect the plugin to Pelican's signals (Pelican calls this)."""
    from pelican_imagehost.plugin import connect  # noqa: PLC0415  see above

    connect()
