"""What an SVG may not hold: whatever runs or fetches when the file itself is opened.

In `<img>` a browser neither runs scripts nor loads files, but a reader may open the address of
the image, and not every server sends the policy that would keep it quiet. So text, styles, and
fonts and images within the file are fine, in SVG and in the HTML of a `<foreignObject>`; what
acts, and addresses that lead elsewhere, are not (SVG 2, section 2.2, "secure static mode").
A link is followed by the reader's own click alone. The namespace of an element decides which of
its attributes mean something; elements of namespaces that browsers do not know do nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.images.css import find_requests

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MATHML", "SEPARATOR", "STYLES", "SVG", "XHTML", "XLINK", "Danger", "find_danger"]
__all__ += ["find_style_danger", "shown"]

SEPARATOR = "\x1f"  # between a namespace and a name; XML cannot contain it
SVG = "http://www.w3.org/2000/svg"
XHTML = "http://www.w3.org/1999/xhtml"
MATHML = "http://www.w3.org/1998/Math/MathML"
XLINK = "http://www.w3.org/1999/xlink"
_XLINK_HREF = f"{XLINK}{SEPARATOR}href"
STYLES = frozenset([f"{SVG}{SEPARATOR}style", f"{XHTML}{SEPARATOR}style"])

_FRAMES = frozenset(["applet", "embed", "fencedframe", "frame", "iframe", "object", "portal"])
_ACTIVE = {
    SVG: frozenset(["script", "handler", "listener"]),
    XHTML: _FRAMES | frozenset(["audio", "base", "link", "script", "video"]),
}
_ANIMATIONS = frozenset(["animate", "animatecolor", "animatemotion", "animatetransform", "set"])
_PICTURES = frozenset(["image", "feimage"])
_HARMLESS_META = frozenset(["content-language", "content-type", "x-ua-compatible"])
_HANDLER = re.compile(r"on[a-z]{3,}", re.IGNORECASE)  # `one`, `once` and `only` are shorter
# Words that begin like the name of a handler, and are not one.
_WORDS = frozenset(["ongoing", "onion", "online", "onset", "ontology", "onward", "onwards"])

_SCRIPT = re.compile(r"(?:javascript|vbscript):", re.IGNORECASE)
_NOTHING = re.compile(r"(?!)")
# Opened on its own, and not as a picture, each of these runs scripts.
_DOCUMENT = re.compile(r"data:[^,;]*(?:html|xml)", re.IGNORECASE)
# A picture or a font, whatever type a program gave it.
_DATA = re.compile(r"data:(?:image/|(?!text/)(?![^,;]*(?:html|xml)))", re.IGNORECASE)
_PIXELS = re.compile(r"data:image/(?!svg)[\w.-]+[;,]", re.IGNORECASE)
# What a browser takes out of an address (WHATWG URL, section 4.4): the ends, and line breaks.
_ENDS = "".join(map(chr, range(0x21)))
_BREAKS = dict.fromkeys(map(ord, "\t\n\r"))
_DESCRIPTOR = re.compile(r"[\d.]+[wxh]")  # of a candidate in a `srcset`
_LONGEST = 80

_REMOVE = "remove it"
_EMBED = "embed that file as a data: address, or remove the reference,"


class Danger(NamedTuple):
    """Something that runs or fetches.

    Attributes:
        part: what it is, for a message: `<script>`.
        remedy: what to do about it.
        offset: where it is in a style sheet, in characters.
    """

    part: str
    remedy: str
    offset: int = 0


def find_danger(tag: str, attributes: Mapping[str, str]) -> Danger | None:
    """Find what an element runs or fetches, its text aside.

    Args:
        tag: its namespace, `SEPARATOR`, and its name; without a namespace the name alone.
        attributes: their names, written in the same way, and their values.
    """
    namespace, _, local = tag.rpartition(SEPARATOR)
    name = local.lower()
    if name in _ACTIVE.get(namespace, ()):
        return Danger(f"<{local}>", _REMOVE)
    checks = _CHECKS.get(namespace, _INERT)
    for attribute, value in attributes.items():
        if attribute[0] in "oO" and _is_handler(attribute):
            return Danger(f"an event handler ({attribute})", _REMOVE)
        check = checks.get(attribute)
        danger = check(name, value) if check else None
        if danger:
            return danger
    is_animation = namespace == SVG and name in _ANIMATIONS
    return _find_in_animation(attributes) if is_animation else None


def find_style_danger(css: str) -> Danger | None:
    """Find what a style sheet or a list of declarations fetches."""
    if "(" not in css and "@" not in css:
        return None
    for found in find_requests(css):
        where = f"({shown(found.text)})"
        if found.rule == "import":
            remedy = "copy its rules into the file, or remove it,"
            return Danger(f"an imported style sheet {where}", remedy, found.start)
        if found.text.endswith("()"):
            return Danger(f"an address that is computed {where}", "write the address", found.start)
        if not _is_within(found.text, _DATA):
            return Danger(f"a style that refers to another file {where}", _EMBED, found.start)
    return None


def shown(text: str) -> str:
    """Make any text of the file one short line that is safe to print."""
    short = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return "".join(letter if letter.isprintable() else "?" for letter in short)


def _is_handler(attribute: str) -> bool:
    return bool(_HANDLER.fullmatch(attribute)) and attribute.lower() not in _WORDS


def _is_within(address: str, allowed: re.Pattern[str]) -> bool:
    """Return whether an address is empty, a place in the file, or allowed data."""
    bare = _bare(address)
    return not bare or bare[0] == "#" or bool(allowed.match(bare))


def _bare(address: str) -> str:
    return address.strip(_ENDS).translate(_BREAKS)


def _check_link(_: str, value: str) -> Danger | None:
    bare = _bare(value)
    if _SCRIPT.match(bare):
        return Danger(f"a script as an address ({shown(value)})", _REMOVE)
    if _DOCUMENT.match(bare):
        return Danger(f"a link to a document within ({shown(value)})", _REMOVE)
    return None


def _check_script(_: str, value: str) -> Danger | None:
    return _check_link("", value) if _SCRIPT.match(_bare(value)) else None


def _check_source(name: str, value: str, allowed: re.Pattern[str] = _DATA) -> Danger | None:
    if _is_within(value, allowed):
        return None
    reference = Danger(f"a reference to another file ({shown(value)})", _EMBED)
    return _check_script(name, value) or reference


def _check_request(name: str, value: str) -> Danger | None:
    if _is_within(value, _NOTHING):
        return None
    return _check_script(name, value) or Danger(f"a request to a server ({shown(value)})", _REMOVE)


def _check_sources(_: str, value: str) -> Danger | None:
    """Check a `srcset`: a candidate's address ends at white space (HTML, "srcset attributes")."""
    for part in value.split():
        danger = None if _DESCRIPTOR.fullmatch(part.strip(",")) else _check_source("", part)
        if danger:
            return danger
    return None


def _check_svg_href(name: str, value: str) -> Danger | None:
    if name == "a":
        return _check_link(name, value)
    return _check_source(name, value, _DATA if name in _PICTURES else _NOTHING)


def _check_meta(_: str, value: str) -> Danger | None:
    if value.strip().lower() in _HARMLESS_META:
        return None
    return Danger(f'<meta http-equiv="{shown(value)}">', _REMOVE)


def _check_style(_: str, value: str) -> Danger | None:
    return find_style_danger(value)


def _find_in_animation(attributes: Mapping[str, str]) -> Danger | None:
    """Find a danger in the values that an animation gives to an attribute."""
    target = attributes.get("attributeName", "").rpartition(":")[2].strip().lower()
    values = [attributes[name] for name in ("from", "to", "by") if name in attributes]
    values += attributes.get("values", "").split(";")
    for value in values:
        href = target == "href"
        danger = _check_source("", value, _PIXELS) if href else find_style_danger(value)
        if danger:
            return danger
    return None


# Presentation attributes with an address (SVG 2, "Attribute index"), and `style`.
_STYLED = "clip-path cursor fill filter marker marker-end marker-mid marker-start mask stroke style"
_FETCHED = "background dynsrc lowsrc poster src"
_SENT = "action attributionsrc formaction ping"
_Checks = dict[str, Callable[[str, str], Danger | None]]
_INERT: _Checks = dict.fromkeys(["href", _XLINK_HREF], _check_script)
_CHECKS: dict[str, _Checks] = {
    SVG: {
        **dict.fromkeys(["href", _XLINK_HREF], _check_svg_href),
        **dict.fromkeys(_STYLED.split(), _check_style),
        **dict.fromkeys(["attributionsrc", "ping"], _check_request),
        "src": _check_source,
    },
    XHTML: {
        **dict.fromkeys(_FETCHED.split(), _check_source),
        **dict.fromkeys(["srcset", "imagesrcset"], _check_sources),
        **dict.fromkeys(_SENT.split(), _check_request),
        "href": _check_link,
        "http-equiv": _check_meta,
        "style": _check_style,
    },
    MATHML: {
        **dict.fromkeys(["href", _XLINK_HREF], _check_link),
        "src": _check_source,
        "style": _check_style,
    },
}
