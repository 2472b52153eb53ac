"""An SVG without what editors write into it about its author: names, folders and dates.

Parts of the file are cut out; the rest keeps its bytes. Elements that hold such data are emptied
and stay, because a style sheet may count the children of an element. What draws stays in them,
too: a `<style>` in `<metadata>` works, and a path in it can be used elsewhere.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.parsers import expat

from pelican_imagehost.errors import UnsupportedImage
from pelican_imagehost.images.pieces import join
from pelican_imagehost.images.svg import parse, to_utf8
from pelican_imagehost.images.svg_rules import MATHML, SEPARATOR, SVG, XHTML, XLINK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pelican_imagehost.images.pieces import Piece

__all__ = ["clean_svg"]

_Edit = tuple[int, int, bytes]  # a half-open range, and what replaces it

_SODIPODI = "http://sodipodi.sourceforge.net/DTD/sodipodi-0.dtd"
_INKSCAPE = "http://www.inkscape.org/namespaces/inkscape"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_RIGHTS = "http://ns.adobe.com/xap/1.0/rights/"
_DUBLIN_CORE = "http://purl.org/dc/"
_COMMONS = ("http://creativecommons.org/ns", "http://web.resource.org/cc/")
# Beginnings of namespaces of metadata, and of what programs keep for themselves.
_METADATA = (_RDF, _DUBLIN_CORE, *_COMMONS, "http://ns.adobe.com/", "adobe:ns:meta/")
_PLAIN = frozenset([SVG, XHTML, MATHML, XLINK, "http://www.w3.org/XML/1998/namespace"])
_DRAWING = """a animate animateMotion animateTransform circle clipPath defs ellipse filter g image
    line foreignObject linearGradient marker mask path pattern polygon polyline radialGradient rect
    set style svg switch symbol text textPath tspan use view"""
_DRAWN = frozenset(_DRAWING.split())
_FOLDER = re.compile(
    r"file:/|(?<![\w.:/-])(?:~|/(?:Users|Volumes|home|media|mnt|opt|private|root|run|srv|tmp|var))/"
    r"|(?<!\w)[A-Za-z]:[\\/]|\\\\\w"
)
_MAIL = re.compile(r"[\w.+-]@[\w-]+\.\w")
_NOTICE = re.compile(r"copyright|©|\(c\)|licen[cs]e", re.IGNORECASE)
_EMPTY_COMMENT = b"<!---->"  # the comment itself stays, so that `]]` and `>` around it never meet
_VALUE = rb"""\s*=\s*(?:"[^"]*"|'[^']*')"""
_TAG = re.compile(rb"<[^\s/>]+((?:\s+[^\s=/>]+" + _VALUE + rb")*)\s*(/?)>")
_ATTRIBUTE = re.compile(rb"\s+([^\s=/>]+)" + _VALUE)
# Of the machine and the program, in the source that draw.io keeps in the root's `content`.
_DRAWIO = re.compile(rb" (?:agent|etag|host|modified)=&quot;[^&]*&quot;")


def clean_svg(data: bytes, keep: frozenset[str] = frozenset()) -> list[Piece] | None:
    """Find what to publish of an SVG: all that draws, and nothing about its author.

    Args:
        data: a whole document that `svg.inspect` accepts.
        keep: what else to keep: `copyright`, or `all` for the file as it is.

    Returns:
        The pieces of the published file, in order; None if it is the file as it is.

    Raises:
        UnsupportedImage: there is such data where it cannot be cut out, in an entity.
    """
    if "all" in keep:
        return None
    text = to_utf8(data)
    cleaner = _Cleaner(text, credit="copyright" in keep)
    parse(cleaner.parser, text)
    if not cleaner.edits:
        return None
    pieces = _to_pieces(cleaner.edits, len(text))
    if text is data:
        return pieces
    cleaned = join(text, pieces).decode()
    return [f"\ufeff{cleaned}".encode("utf-16-le" if data[:1] == b"\xff" else "utf-16-be")]


def _to_pieces(edits: list[_Edit], size: int) -> list[Piece]:
    pieces: list[Piece] = []
    position = 0
    for start, end, new in sorted(edits):  # they never overlap
        pieces += [(position, start)] if position < start else []
        pieces += [new] if new else []
        position = end
    return [*pieces, (position, size)] if position < size else pieces


class _Node:
    """An open element.

    Attributes:
        start: where its tag begins; -1 where that does not matter.
        goes: whether its content goes, but for what is kept in it.
        is_credit: whether it is kept as a credit, with all that is in it.
        cursor: the end of its tag, or of the last thing that is kept in it.
        keeps: whether something in it is kept.
        is_empty: whether its tag is its end, too.
        edits: what to do to its attributes, if it stays.
    """

    __slots__ = ("cursor", "edits", "goes", "is_credit", "is_empty", "keeps", "start")

    def __init__(self, *, goes: bool, is_credit: bool = False) -> None:
        self.start = self.cursor = -1
        self.goes = goes
        self.is_credit = is_credit
        self.keeps = self.is_empty = False
        self.edits: list[_Edit] = []


class _Cleaner:
    """Expat handlers that collect the parts to cut out."""

    def __init__(self, text: bytes, *, credit: bool) -> None:
        self.edits: list[_Edit] = []
        self._text = text
        self._credit = credit
        self._open = [_Node(goes=False)]  # the document
        self.parser = parser = expat.ParserCreate("utf-8", SEPARATOR)
        parser.namespace_prefixes = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CommentHandler = self._comment
        parser.EntityDeclHandler = self._entity

    def _start(self, tag: str, attributes: Mapping[str, str]) -> None:
        namespace, name, _ = _split_name(tag)
        parent = self._open[-1]
        is_credit = parent.is_credit or (
            self._credit and parent.goes and _is_credit(namespace, name)
        )
        kept = is_credit or (parent.goes and _is_drawn(namespace, name))
        node = _Node(
            goes=not kept and (parent.goes or _holds(namespace, name)), is_credit=is_credit
        )
        private = set() if is_credit else _private_names(attributes)
        if node.goes and (parent.goes or namespace == _SODIPODI):
            private = {written for _, _, written in map(_split_name, attributes)} - {"id"}
            private -= {*_credits(attributes)}
        is_source = len(self._open) == 1 and attributes.get("content", "").startswith("<mxfile ")
        if parent.goes or node.goes or private or is_source:
            self._locate(node, private)
        if not parent.goes:
            self.edits += node.edits
        self._open.append(node)

    def _locate(self, node: _Node, private: set[str]) -> None:
        """Find the tag in the text, and the attributes to cut out."""
        node.start = self.parser.CurrentByteIndex
        tag = _TAG.match(self._text, node.start)
        if tag is None:
            raise self._refuse()
        node.cursor, node.is_empty = tag.end(), bool(tag[2])
        for attribute in _ATTRIBUTE.finditer(self._text, *tag.span(1)):
            name = attribute[1].decode()
            if name in private:
                node.edits.append((*attribute.span(), b""))
            elif name == "content" and len(self._open) == 1:
                end = self._text.find(b"&gt;", *attribute.span())
                found = _DRAWIO.finditer(self._text, attribute.start(), max(end, 0))
                node.edits += [(*each.span(), b"") for each in found]

    def _end(self, _: str) -> None:
        node, parent = self._open.pop(), self._open[-1]
        if not (node.goes or parent.goes):
            return
        last = node.cursor if node.is_empty else self.parser.CurrentByteIndex
        end = last if node.is_empty else self._text.index(b">", last) + 1
        if node.goes and (node.keeps or not parent.goes) and node.cursor < last:
            self.edits.append((node.cursor, last, b""))
        if parent.goes and (node.keeps or not node.goes):
            self.edits += [(parent.cursor, node.start, b"")] if parent.cursor < node.start else []
            self.edits += node.edits
            parent.keeps, parent.cursor = True, end

    def _comment(self, comment: str) -> None:
        is_private = _MAIL.search(comment) and not _NOTICE.search(comment)
        if (_FOLDER.search(comment) or is_private) and not self._open[-1].goes:
            start = self.parser.CurrentByteIndex
            if not self._text.startswith(b"<!--", start):
                raise self._refuse()
            end = self._text.index(b"-->", start) + 3
            self.edits.append((start, end, _EMPTY_COMMENT))

    def _entity(self, _name: str, _is_parameter: bool, value: str | None, *_: object) -> None:  # noqa: FBT001  expat's signature
        if _FOLDER.search(value or ""):
            raise self._refuse()

    def _refuse(self) -> UnsupportedImage:
        line = self.parser.CurrentLineNumber
        return UnsupportedImage(
            f"is an SVG with metadata in an entity in line {line}; replace the entity by its text"
        )


def _split_name(name: str) -> tuple[str, str, str]:
    """Return the namespace, the local name, and the name as it is written."""
    namespace, _, rest = name.partition(SEPARATOR)
    if not rest:
        return "", namespace, namespace
    local, _, prefix = rest.partition(SEPARATOR)
    return namespace, local, f"{prefix}:{local}" if prefix else local


def _private_names(attributes: Mapping[str, str]) -> set[str]:
    """Return the attributes that name folders, as they are written."""
    private = set()
    for name, value in attributes.items():
        if SEPARATOR in name:
            namespace, local, written = _split_name(name)
            exported = namespace == _INKSCAPE and local.startswith("export-")
            named = namespace == _SODIPODI and local in {"absref", "docbase", "docname"}
            if exported or named or (namespace not in _PLAIN and _FOLDER.search(value)):
                private.add(written)
    return private


def _credits(attributes: Mapping[str, str]) -> Iterator[str]:
    """Yield the attributes, as written, that a kept part of RDF needs."""
    for name, value in attributes.items():
        namespace, local, written = _split_name(name)
        if (namespace == _RDF or _is_credit(namespace, local)) and not _FOLDER.search(value):
            yield written


def _holds(namespace: str, name: str) -> bool:
    """Return whether an element holds metadata, or what an editor keeps for itself."""
    if namespace.startswith(_METADATA):
        return True
    return (namespace, name) in {(SVG, "metadata"), (_SODIPODI, "namedview")}


def _is_drawn(namespace: str, name: str) -> bool:
    return (namespace == SVG and name in _DRAWN) or (namespace, name) == (XHTML, "style")


def _is_credit(namespace: str, name: str) -> bool:
    if namespace.startswith(_DUBLIN_CORE):
        return name in {"creator", "rights"}
    return namespace == _RIGHTS or (namespace.startswith(_COMMONS) and name.lower() == "license")
