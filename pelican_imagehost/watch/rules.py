"""Rules of a theme that work differently on images within `<picture>`, as browsers found them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pelican_imagehost.errors import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pelican_imagehost.report import Say

__all__ = ["Rules"]

_MOST = 5  # of a session
_LONGEST = 100  # characters


class Rules:
    """The rules that were found in a session, each reported once.

    Args:
        say: is called with a message for each.
    """

    def __init__(self, say: Say) -> None:
        self._say = say
        self._known: set[str] = set()

    def take(self, query: Mapping[str, list[str]]) -> None:
        """Take the rules of a page.

        Args:
            query: `rule` → the selectors; anything else is ignored.
        """
        for rule in query.get("rule", ()):
            if rule not in self._known and len(self._known) < _MOST:
                self._known.add(rule)
                shown = printable(rule, _LONGEST)
                self._say(
                    f"your theme's rule for {shown} works differently on images within <picture>; "
                    "write it for those too, or set "
                    'IMAGEHOST_FORMATS = ["webp"], which needs no <picture>'
                )
