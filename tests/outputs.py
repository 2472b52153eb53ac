"""An independent judge of a built output: where does every name of an image in it lead?

It shares no code with the package: HTML is read by `html.parser`, feeds by `xml.etree`, CSS
by its own reader of `url()`, data by `json`. `look_up` lists each name with the file that it
leads to; `worse` compares a build with the plugin to one without it.
"""

from __future__ import annotations

import enum
import hashlib
import json
import os
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urljoin, urlsplit
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["Found", "Lead", "look_up", "media_files", "vanished", "worse"]

_MEDIA = re.compile(r"\.(?:svg|png|jpe?g|gif|webp|avif)\Z", re.IGNORECASE)
_KEY = re.compile(r"([0-9a-f]{2})/(\1[0-9a-f]{62})\.\w+")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_CSS_URL = re.compile(r"""url\(\s*(?:"([^"]*)"|'([^']*)'|([^"')]*?))\s*\)""", re.IGNORECASE)
_QUOTED = re.compile(r""""([^"\n]*)"|'([^'\n]*)'""")
_CANDIDATE = re.compile(r"[\s,]*(\S*[^\s,])(?:,|[^,]*,?)")
# Attributes with words for people or programs, which may look like a file's name.
_WORDS = frozenset(
    ["alt", "class", "download", "id", "label", "name", "placeholder", "property", "title",
     "type", "value"]
)  # fmt: skip
_RAW = frozenset(["noembed", "noframes", "script", "style", "textarea", "title", "xmp"])
_EXISTS = "example.org"  # hosts of this domain exist; no other does but the site and its images


class Lead(enum.Enum):
    """Where a name leads."""

    FILE = "a file of the output"
    HOST = "the image host"
    EXTERNAL = "another site"
    NOWHERE = "nowhere"


class Found(NamedTuple):
    """A name of an image in an output.

    Attributes:
        file: the file that has it, relative to the output.
        where: its place there: `img src`, `style`, `json`.
        url: the name as written, character references resolved.
        lead: where it leads.
        digest: the SHA-256 of the bytes that it leads to; "" if it leads elsewhere.
    """

    file: str
    where: str
    url: str
    lead: Lead
    digest: str

    def __str__(self) -> str:
        return f"{self.file}: {self.where}: {self.url} leads to {self.lead.value}"


def look_up(
    output: Path, *, site_url: str = "", host_url: str = "", store: Path | None = None
) -> list[Found]:
    """Find every name of an image in an output, and where it leads.

    Args:
        output: the folder, served at `site_url`.
        site_url: SITEURL; "" for the top of any host.
        host_url: the address below which `store` is served; "" if it is not.
        store: the content-addressed tree.

    Returns:
        The names, by file and in its order.
    """
    net = _Net(output, site_url or "http://localhost", host_url, store)
    found = []
    for path in sorted(path for path in output.rglob("*") if path.is_file()):
        file = path.relative_to(output).as_posix()
        for where, url, base in _names_in(path):
            found.append(Found(file, where, url, *net.lead(url, file, base, where)))
    return found


def worse(plain: list[Found], hosted: list[Found]) -> list[str]:
    """List each name that led to an image without the plugin, and with it does not.

    Names are matched by their place: the second `img src` of a page is the same one in both.
    Where the two have different numbers of them, they are matched by their text.

    Returns:
        The differences for people; none if nothing is worse.
    """
    before, after = _by_place(plain), _by_place(hosted)
    faults = []
    for place, names in after.items():
        old = before.get(place, [])
        if len(old) == len(names):
            pairs = zip(old, names, strict=True)
            faults += [f"{b} ({a.url} without)" for a, b in pairs if not _as_good(a, b)]
        else:
            known = {name.url for name in old if name.lead is Lead.NOWHERE}
            faults += [str(n) for n in names if n.lead is Lead.NOWHERE and n.url not in known]
    faults += [f"{name}: not there" for place in before.keys() - after for name in before[place]]
    return faults


def vanished(plain: Path, hosted: Path) -> list[str]:
    """List the images of an output that another does not have, or has with other bytes."""
    return [
        f"{file}: no longer at its old address"
        for file, digest in media_files(plain).items()
        if not (hosted / file).is_file() or _digest(hosted / file) != digest
    ]


def media_files(folder: Path) -> dict[str, str]:
    """Map the images of a folder, relative to it, to their SHA-256."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {f.relative_to(folder).as_posix(): _digest(f) for f in files if _MEDIA.search(f.name)}


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _by_place(names: Iterable[Found]) -> dict[tuple[str, str], list[Found]]:
    places: dict[tuple[str, str], list[Found]] = {}
    for name in names:
        places.setdefault((name.file, name.where), []).append(name)
    return places


def _as_good(before: Found, after: Found) -> bool:
    if before.lead is Lead.FILE:
        return before.digest == after.digest
    return before.lead is Lead.NOWHERE or before.url == after.url


class _Net:
    """The web, as far as there is one: a site, its image host, and example.org."""

    def __init__(self, output: Path, site: str, host: str, store: Path | None) -> None:
        self._output, self._site, self._store = output, urlsplit(site.rstrip("/") + "/"), store
        self._host = urlsplit(host.rstrip("/") + "/") if host else None

    def lead(self, url: str, file: str, base: str, where: str) -> tuple[Lead, str]:
        """Follow a name as a browser does; one of data, of which a script makes an address,
        may also be relative to the site.
        """
        result = self._follow(urljoin(urljoin(self._site.geturl() + file, base), url))
        if result[0] is Lead.NOWHERE and where in {"json", "script"}:
            return self._follow(urljoin(self._site.geturl(), url))
        return result

    def _follow(self, address: str) -> tuple[Lead, str]:
        parts = urlsplit(address)
        if self._host and parts.netloc == self._host.netloc:
            key = _KEY.fullmatch(parts.path.removeprefix(self._host.path))
            file = self._store and key and self._store / key[0]
            if key and file and file.is_file() and _digest(file) == key[2]:
                return Lead.HOST, key[2]
        elif parts.netloc == self._site.netloc and parts.path.startswith(self._site.path):
            target = self._output / unquote(parts.path[len(self._site.path) :]).lstrip("/")
            if _inside(target, self._output) and target.is_file():
                return Lead.FILE, _digest(target)
        elif parts.scheme == "data" or f".{parts.hostname}".endswith(f".{_EXISTS}"):
            return Lead.EXTERNAL, ""
        return Lead.NOWHERE, ""


def _inside(path: Path, folder: Path) -> bool:
    return os.path.abspath(path).startswith(f"{os.path.abspath(folder)}{os.sep}")


def _names_in(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the place and text of each name in a file, and the page's own base for it."""
    suffix = path.suffix.lower()
    if suffix in {".html", ".htm"}:
        page = _Page()
        page.feed(path.read_text("utf-8"))
        page.close()
        yield from ((where, url, page.base) for where, url in page.names)
    elif suffix in {".xml", ".rss", ".atom"}:
        yield from ((where, url, "") for where, url in _in_xml(path.read_text("utf-8")))
    elif suffix == ".css":
        yield from (("style", url, "") for url in _in_css(path.read_text("utf-8")))
    elif suffix in {".json", ".webmanifest"}:
        yield from ((where, url, "") for where, url in _in_json(json.loads(path.read_bytes())))
    elif suffix in {".js", ".mjs"}:
        yield from (("script", url, "") for url in _in_quotes(path.read_text("utf-8")))


def _is_media(url: str) -> bool:
    return bool(_MEDIA.search(unquote(url.strip().partition("#")[0].partition("?")[0])))


class _Page(HTMLParser):
    """A page; collects names from attributes, styles and scripts."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.names: list[tuple[str, str]] = []
        self.base = ""
        self._raw: tuple[str, str] = ("", "")  # the element of raw text that is open, its type

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._raw[0]:  # older versions of html.parser look for tags in a textarea
            return
        for attribute, value in attrs:
            self.names += [(f"{tag} {attribute}", url) for url in _in_value(attribute, value or "")]
        attributes = dict(attrs)
        if tag == "base" and not self.base:
            self.base = attributes.get("href") or ""
        if tag in _RAW:
            self._raw = tag, attributes.get("type") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == self._raw[0]:
            self._raw = "", ""

    def handle_data(self, data: str) -> None:
        element, kind = self._raw
        if element == "style":
            self.names += [("style", url) for url in _in_css(data)]
        elif "json" in kind:
            self.names += _in_json(json.loads(data))
        elif element == "script":
            self.names += [("script", url) for url in _in_quotes(data)]


def _in_value(attribute: str, value: str) -> Iterator[str]:
    value = value.strip()
    if attribute.endswith("srcset"):
        yield from (url for url in _CANDIDATE.findall(value) if _is_media(url))
    elif attribute == "style" or "url(" in value:
        yield from _in_css(value)
    elif attribute.startswith("data-") and (data := _data(value)) is not None:
        yield from (url for _, url in _in_json(data))
    elif attribute not in _WORDS and not attribute.startswith("aria-") and _is_media(value):
        yield value


def _data(value: str) -> object:
    """Read an attribute as JSON; None where it is not, as `{static}a.png`."""
    try:
        return json.loads(value) if value.startswith(("[", "{")) else None
    except ValueError:
        return None


def _in_css(text: str) -> Iterator[str]:
    """Yield the addresses of `url()`, and strings that name an image, as in `image-set()`."""
    text = _COMMENT.sub("", text)
    urls = ("".join(groups) for groups in _CSS_URL.findall(text))
    yield from (url for url in urls if _is_media(url))
    yield from _in_quotes(_CSS_URL.sub("", text))


def _in_quotes(text: str) -> Iterator[str]:
    yield from (url for pair in _QUOTED.findall(text) if _is_media(url := "".join(pair)))


def _in_json(value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield from _in_text("json", value)
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _in_json(item)


def _in_xml(text: str) -> Iterator[tuple[str, str]]:
    for element in ET.fromstring(text).iter():  # noqa: S314  our own build
        tag = element.tag.rpartition("}")[2]
        yield from ((f"{tag} {n}", v) for n, v in element.attrib.items() if _is_media(v))
        yield from _in_text(tag, element.text or "")


def _in_text(where: str, text: str) -> Iterator[tuple[str, str]]:
    """Yield names of a text that is HTML, or is one name."""
    if "<" in text:
        page = _Page()
        page.feed(text)
        page.close()
        yield from page.names
    elif _is_media(text):
        yield where, text.strip()
