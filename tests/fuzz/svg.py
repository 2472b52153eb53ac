"""What must hold for an SVG of any bytes: it is measured or refused, and runs no script."""

from __future__ import annotations

import re
from contextlib import suppress
from xml.parsers import expat

from pelican_imagehost.errors import CorruptImage, UnsupportedImage
from pelican_imagehost.images import svg

_START = b'<svg xmlns="http://www.w3.org/2000/svg" xmlns:x="http://www.w3.org/1999/xlink" '
SEEDS = tuple(
    _START + rest
    for rest in (
        b'width="4cm" height="3em" viewBox="0 0 4 3"><path d="M0 0h9"/></svg>',
        b'onload="alert(1)"/>',
        b"><script>alert(1)</script></svg>",
        b'><a x:href="java&#10;script:alert(1)"><text>a</text></a></svg>',
        b"><style>@import url(//example.com/a.css);</style></svg>",
        b'><set attributeName="href" to="javascript:alert(1)"/></svg>',
        b'><foreignObject><p xmlns="http://www.w3.org/1999/xhtml">a</p></foreignObject></svg>',
        b'><image href="data:image/png;base64,iVBORw0KGgo="/></svg>',
    )
)
_NAMESPACES = ("http://www.w3.org/2000/svg", "http://www.w3.org/1999/xhtml")
_IGNORED = re.compile(r"[\x00-\x20]+")  # as browsers do before and in a scheme
_MOST = 10**9


def check(data: bytes) -> None:
    """Inspect a document; if it is accepted, look for scripts with another parser."""
    try:
        width, height = svg.inspect(data)
    except (CorruptImage, UnsupportedImage):
        return
    assert 0 < width <= _MOST
    assert 0 < height <= _MOST
    parser = expat.ParserCreate(namespace_separator="}")
    parser.StartElementHandler = check_element
    with suppress(expat.ExpatError):  # browsers run what stands before the error
        parser.Parse(data, True)


def check_element(tag: str, attributes: dict[str, str]) -> None:
    """Check that an element is no script, and has none in its attributes."""
    namespace, _, name = tag.rpartition("}")
    if namespace not in _NAMESPACES:
        return
    assert name.lower() not in {"script", "iframe", "embed", "object"}, tag
    for attribute, value in attributes.items():
        assert attribute not in {"onload", "onclick", "onbegin"}, attribute
        scheme = _IGNORED.sub("", value).lower()
        if attribute.rpartition("}")[2] in {"href", "to", "from", "src"}:
            assert not scheme.startswith("javascript:"), value
