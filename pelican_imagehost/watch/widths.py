"""How wide a theme shows pictures, as browsers measured it, and what to set for that."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pelican_imagehost.options import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pelican_imagehost.report import Say
    from pelican_imagehost.settings import Settings

__all__ = ["Widths", "suggest"]

_MOST = 5  # windows, and digits of a width
_WIDE = 1280  # pixels; windows that show how a theme goes on
_ALMOST_ALL = 0.85  # of a window; a little less is no reason to set anything


class Widths:
    """The widths of pictures in a session.

    Args:
        settings: the settings of the site.
        say: is called with a suggestion.
    """

    def __init__(self, settings: Settings, say: Say) -> None:
        self._is_set = settings.sizes != OPTIONS["SIZES"].default
        self._say = say
        self._widths: dict[int, int] = {}

    def take(self, query: Mapping[str, list[str]]) -> None:
        """Take the measures of a page, and suggest a setting for all that were taken.

        Args:
            query: the width of a window → that of its widest picture, in CSS pixels; anything
                else is ignored.
        """
        for window, values in list(query.items())[:_MOST]:
            if all(one.isdecimal() and len(one) <= _MOST for one in (window, values[0])):
                width = max(int(values[0]), self._widths.get(int(window), 0))
                self._widths[int(window)] = width
        sizes = suggest(self._widths)
        if sizes and not self._is_set:
            most = max(self._widths.values())
            self._say(
                f'your pictures are at most {most} px wide; with IMAGEHOST_SIZES = "{sizes}" '
                "browsers that cannot tell (Safari) load smaller ones"
            )


def suggest(widths: Mapping[int, int]) -> str:
    """Return a value for the attribute `sizes`; "" if pictures are about as wide as windows.

    Args:
        widths: the width of a window → that of its widest picture, in CSS pixels.
    """
    wide = sorted(window for window in widths if window >= _WIDE)
    if len(wide) < 2 or not all(map(widths.__getitem__, wide)):  # noqa: PLR2004  to see a trend
        return ""
    shares = {window: widths[window] / window for window in wide}
    if widths[wide[-1]] == widths[wide[-2]] and shares[wide[-1]] < _ALMOST_ALL:
        return f"min({widths[wide[-1]]}px, 100vw)"
    share = max(shares.values())
    return (
        "" if share >= _ALMOST_ALL else f"(max-width: {_WIDE}px) 100vw, {math.ceil(share * 100)}vw"
    )
