"""The attributes that may name an image, and how each is read."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

__all__ = [
    "ELEMENTS",
    "EVERYWHERE",
    "IMAGE_SUFFIXES",
    "Rule",
    "Syntax",
    "has_image_suffix",
    "rules_for",
]

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".webp", ".avif", ".svg")

Syntax = Literal["url", "srcset", "css", "either"]


class Rule(NamedTuple):
    """How to read an attribute.

    Attributes:
        syntax: `url`, a `srcset`, `css` with `url()`, or `either` a URL or such CSS.
        always: Whether it names nothing but images. If not, only a URL with the suffix of
            an image counts: the others lead to pages, films, fonts and so on.
    """

    syntax: Syntax
    always: bool


_IMAGE, _IMAGES = Rule("url", always=True), Rule("srcset", always=True)
_FILE, _FILES = Rule("url", always=False), Rule("srcset", always=False)
_CSS, _EITHER = Rule("css", always=False), Rule("either", always=False)

# The names that scripts for loading images late, and for enlarging them, use: those of
# lazysizes, vanilla-lazyload, lozad, jQuery Lazy Load, Unveil, Echo, Slick, WordPress' plugins,
# Swiper, reveal.js, parallax.js, PhotoSwipe, medium-zoom and lightGallery.
# fmt: off
_LATE_URLS = [
    "data-echo", "data-image-src", "data-lazy", "data-lazy-src", "data-lowsrc", "data-original",
    "data-poster", "data-pswp-src", "data-src", "data-src-retina", "data-thumb", "data-zoom-src",
]
_LATE_SETS = [
    "data-bgset", "data-lazy-srcset", "data-original-set", "data-pswp-srcset", "data-srcset",
]
_LATE_BACKGROUNDS = [
    "data-background", "data-background-image", "data-background-image-set", "data-bg",
    "data-bg-hidpi", "data-bg-multi", "data-bg-set", "data-echo-background",
    "data-lazy-background", "data-lazy-bg",
]
# fmt: on
EVERYWHERE: Final[dict[str, Rule]] = {
    "style": _CSS,
    **dict.fromkeys(_LATE_URLS, _FILE),
    **dict.fromkeys(_LATE_SETS, _FILES),
    **dict.fromkeys(_LATE_BACKGROUNDS, _EITHER),
}
ELEMENTS: Final[dict[str, dict[str, Rule]]] = {
    "a": {"href": _FILE},
    "amp-anim": {"src": _IMAGE, "srcset": _IMAGES},
    "amp-img": {"src": _IMAGE, "srcset": _IMAGES},
    "area": {"href": _FILE},
    "embed": {"src": _FILE},
    "iframe": {"src": _FILE},
    "image": {"href": _IMAGE, "xlink:href": _IMAGE},  # of SVG
    "img": {"src": _IMAGE, "srcset": _IMAGES},
    "input": {"src": _IMAGE},
    "link": {"href": _FILE, "imagesrcset": _FILES},
    "meta": {"content": _FILE},
    "object": {"data": _FILE},
    "source": {"src": _FILE, "srcset": _IMAGES},
    "style": {},
    "video": {"poster": _IMAGE},
}
# The elements whose obsolete `background` browsers paint (HTML, "Rendering").
_PAINTED = ("body", "table", "tbody", "td", "tfoot", "th", "thead", "tr")
_RULES = {element: EVERYWHERE | rules for element, rules in ELEMENTS.items()}
_RULES |= {element: EVERYWHERE | {"background": _FILE} for element in _PAINTED}


def rules_for(element: str) -> dict[str, Rule]:
    """Return how to read each attribute of an element that may name an image.

    Args:
        element: Its name, in lower case.

    Returns:
        The rules, by the names of the attributes, in lower case.
    """
    return _RULES.get(element, EVERYWHERE)


def has_image_suffix(url: str) -> bool:
    """Return whether the path of a URL has the suffix of an image, in upper or lower case.

    Args:
        url: A URL or a path; its query and fragment are ignored.

    Returns:
        True if the path ends in one of `IMAGE_SUFFIXES`.
    """
    return url.partition("#")[0].partition("?")[0].lower().endswith(IMAGE_SUFFIXES)
