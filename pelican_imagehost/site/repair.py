"""The repair of written texts: addresses of images with something before them.

A theme that was made for paths writes `{{ SITEURL }}/{{ article.cover }}`, and the cover is
now a complete address. The address of the site, or a path, directly before such an address
can never be meant, so it is removed. Everything else may be meant and stays: the address of
another site (an archive, a resizing proxy), options of a proxy, a query or a fragment.
"""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.images.image import KEY

if TYPE_CHECKING:
    from pelican_imagehost.settings import Settings

__all__ = ["Repair"]

_LONGEST = 500  # characters looked at before an address
_QUOTE = r"&(?:quot|apos|lt|gt|\#0*3[49]|\#[xX]0*2[27]);"
_DELIMITER = re.compile(r"[\s\"'`(<>]")  # no `)`: `format(webp)/` is an option of a proxy
# An attribute and its equals sign, a quote as a character reference, a candidate of a srcset.
_HEAD = rf"(?:[^/?]*(?:=|{_QUOTE})|[0-9.]+[wxh],)?"
_PATH = r"[^:?\#&=,;@(){}|\\]*"


class _Form(NamedTuple):
    r"""A way to write addresses: as they are, or with `\/` for a slash, as in JSON."""

    prefix: str
    key: re.Pattern[str]
    slash: str


class Repair:
    """Repairs the texts of one site.

    Args:
        settings: the settings of the site.
    """

    def __init__(self, settings: Settings) -> None:
        prefix = settings.address_prefix
        escaped = KEY.pattern.replace("/", r"\\/")
        self._forms = [
            _Form(prefix, KEY, "/"),
            _Form(prefix.replace("/", r"\/"), re.compile(escaped), r"\/"),
        ]
        # Without a slash at its end a path may be a word, or one path with `/images/…`.
        self._site = settings.site_url
        open_end = r"/.*|\.\.?(?:/\.\.)*|(?:https?:)?//.*" if "//" in prefix else "(?!)"
        self._junk = re.compile(rf".*/|{open_end}|{re.escape(self._site)}", re.DOTALL)
        site = re.sub(r"\Ahttps?:", "", self._site)
        own = rf"(?:https?:)?{re.escape(site)}(?=/|\Z)|" if site else ""
        self._before = re.compile(rf"{_HEAD}(?P<junk>(?:{own}(?!//[^/])){_PATH})", re.DOTALL)
        self._ignore = settings.ignore
        is_relative = settings.relative_urls and settings.embedded is not None
        self._folder = prefix.rstrip("/").rpartition("/")[2] if is_relative else ""

    def __call__(self, text: str, top: str = "") -> str:
        """Repair a text.

        Args:
            text: a page, a feed or another text that a browser will load.
            top: the relative path from the page to the top of the output, such as `..`, to
                make addresses relative if RELATIVE_URLS is set; "" to leave them complete.

        Returns:
            The text; if it contains no own address, it is unchanged.
        """
        for form in self._forms:
            if form.slash[0] in text and form.prefix in text:  # few texts have a backslash
                relative = f"{top}/{self._folder}/" if top and self._folder else ""
                text = self._repair(text, form, relative if form.slash == "/" else "")
        return text

    def _repair(self, text: str, form: _Form, relative: str) -> str:
        parts: list[str] = []
        done = limit = 0  # what is copied; and where the address before ends
        start = text.find(form.prefix)
        while start >= 0:
            after = start + len(form.prefix)
            if key := form.key.match(text, after):
                is_usual = text[start - 1 : start] in _USUAL
                first = start if is_usual else self._junk_start(text, limit, start, key[0], form)
                if first < start:
                    parts.append(text[done:first])
                    done = start
                if relative and not _WITHIN.match(text[first - 1 : first]):
                    parts += (text[done:start], relative)
                    done = after
                after = limit = key.end()
            start = text.find(form.prefix, after)
        return "".join((*parts, text[done:])) if parts else text

    def _junk_start(self, text: str, limit: int, start: int, key: str, form: _Form) -> int:
        """Return where the text begins that must not stand before the address at `start`."""
        limit = max(limit, start - _LONGEST)
        delimiter = _DELIMITER.search(text[limit:start][::-1])
        if delimiter is None and limit > 0:
            return start
        first = start - delimiter.start() if delimiter else 0
        written = text[first:start].replace(form.slash, "/")
        before = self._before.fullmatch(written)
        if before is None:
            return start
        junk = before["junk"]
        if not (junk and self._junk.fullmatch(junk)):
            return start
        url = f"{junk}{form.prefix}{key}".replace(form.slash, "/")
        if any(fnmatch.fnmatchcase(url, pattern) for pattern in self._ignore):
            return start
        return start - len(junk.replace("/", form.slash))


_USUAL = frozenset([*"\"'( =>", "\n"])
# As Pelican does with `src` and `href`: an address is made relative only where a URL begins.
_WITHIN = re.compile(r"[\w.:/-]")
