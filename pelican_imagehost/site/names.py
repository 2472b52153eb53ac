"""The names of image files in a text of any kind."""

from __future__ import annotations

import html
import re
import unicodedata
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pelican_imagehost.images.image import IMAGE_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

__all__ = ["mentioned_names", "name_of", "urls_in"]

_NAMES = "|".join(suffix[1:] for suffix in IMAGE_SUFFIXES)
_FIRST = "".join(sorted({letter for s in IMAGE_SUFFIXES for letter in (s[1], s[1].upper())}))
# The lookahead halves the time: most dots end a sentence.
_SUFFIX = re.compile(rf"\.(?=[{_FIRST}])(?:{_NAMES})(?![a-z0-9])", re.ASCII | re.IGNORECASE)
_NAME_END = re.compile(r"[\s\"'()<>/\\=,;&{}|:]")
_URL_END = re.compile(r"[\s\"'()<>\\=,;{}|]")
_LONGEST = 260
_KEY_LENGTH = 67  # of the part before the suffix; see `Image.key`


def mentioned_names(text: str) -> Iterator[str]:
    """Yield the names of image files that a text may refer to, each folded by `name_of`."""
    return map(name_of, urls_in(text))


def name_of(path: str) -> str:
    """Return the part of a file name that every mention contains, in lower case.

    That is the part after the last space, quote or other character that may end a name.
    """
    name = unquote(path.rpartition("/")[2]) if "%" in path else path
    if not name.isascii():
        name = unicodedata.normalize("NFC", name)
    end = _NAME_END.search(name[::-1])
    return (name[len(name) - end.start() :] if end else name).casefold()


def urls_in(text: str, own: tuple[str, ...] = (), digests: Container[str] = ()) -> Iterator[str]:
    """Yield what may be the URL of an image file in a text, from its last delimiter on.

    Args:
        text: any text.
        own: what stands before the keys of hosted images, which are passed over.
        digests: the digests of those.
    """
    for match in _SUFFIX.finditer(text):
        start = match.start()
        first = start - _KEY_LENGTH
        if first > 0 and text.endswith(own, 0, first) and text[first + 3 : start] in digests:
            continue
        before = text[max(0, start - _LONGEST) : start]
        if ";" in before and "&" in before:
            before = html.unescape(before)
        delimiter = _URL_END.search(before[::-1])
        length = delimiter.start() if delimiter else len(before)
        yield before[len(before) - length :] + match[0]
