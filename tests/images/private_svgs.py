"""SVG files that say more than they show: each holds SECRET, a home folder or a name."""

from __future__ import annotations

from tests.images.svgs import DOCTYPE, PNG, SVG, XHTML, XLINK

__all__ = ["CREDIT", "PRIVATE", "REFUSED", "SECRETS", "UNTOUCHED"]

SECRETS = ["Jane Doe", "jane", "Jane", "Mozilla", "2024", "payload", "KLUv"]
CREDIT = "© The Studio"
EDITORS = (
    f"{SVG} {XLINK} xmlns:svg='http://www.w3.org/2000/svg' "
    'xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape" '
    'xmlns:sodipodi="http://sodipodi.sourceforge.net/DTD/sodipodi-0.dtd" '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
    'xmlns:cc="http://creativecommons.org/ns#" xmlns:dc="http://purl.org/dc/elements/1.1/"'
)
RDF = (
    '<rdf:RDF><cc:Work rdf:about="file:///home/jane/plan.svg"><dc:title>Jane\'s plan</dc:title>'
    "<dc:date>2024-05-01</dc:date><dc:publisher><cc:Agent><dc:title>Jane Doe</dc:title></cc:Agent>"
    f"</dc:publisher><dc:rights><cc:Agent><dc:title>{CREDIT}</dc:title></cc:Agent></dc:rights>"
    '<cc:license rdf:resource="https://example.com/by/4.0/"/></cc:Work></rdf:RDF>'
)
XMP = (
    "<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?>"
    '<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Adobe XMP Core 5.6"><rdf:RDF '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmp:CreateDate="2024-05-01T12:00:00" xmp:CreatorTool="Jane\'s &gt; Tool">'
    f"<dc:rights><rdf:Alt><rdf:li>{CREDIT}</rdf:li></rdf:Alt></dc:rights>"
    "<xmp:Label>Jane Doe</xmp:Label></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end='w'?>"
)
DRAWN = '<rect width="60" height="40" fill="teal"/><circle cx="20" cy="20" r="9" fill="gold"/>'


def svg(inside: str, attributes: str = "", prolog: str = "") -> bytes:
    size = 'width="60" height="40"'
    return f"{prolog}<svg {EDITORS} {size} {attributes}>\n{inside}\n</svg>\n".encode()


PRIVATE = {
    "Inkscape": svg(
        "<sodipodi:namedview\n id='base' inkscape:window-width='1920' inkscape:zoom = '2'\n"
        ' inkscape:export-filename="/home/jane/a.png"><inkscape:grid id="g" '
        'type="/home/jane"/></sodipodi:namedview>'
        f'<metadata\n   id="metadata5">\n    {RDF}\n  </metadata>{DRAWN}'
        f'<image sodipodi:absref="/home/jane/scan.png" xlink:href="{PNG}" width="9" height="9"/>'
        '<g inkscape:export-filename="C:\\Users\\jane\\b.png" inkscape:export-xdpi = "2024" '
        'inkscape:label="Layer 1"/>',
        "sodipodi:docname='jane.svg'\n sodipodi:docbase='/home/jane' "
        'inkscape:version="1.2" inkscape:export-filename="/home/jane/a>b.png"',
    ),
    "Inkscape, in UTF-16": (
        svg(f"<metadata>{RDF}</metadata>{DRAWN}<desc>é</desc>").decode().encode("utf-16")
    ),
    "Illustrator": svg(
        f'{DRAWN}<metadata>{XMP}</metadata><switch><foreignObject requiredExtensions="&ns_ai;">'
        '<i:aipgfRef xlink:href="#pgf"/></foreignObject><g i:extraneous="self">'
        '<path d="M0 0h9v9z"/></g></switch><i:aipgf id="pgf" i:pgfVersion="24"><![CDATA[\nKLUv/QBY'
        "</i:aipgf>Jane Doe]]></i:aipgf>",
        'xmlns:i="&ns_ai;"',
        f'{DOCTYPE[:-1]} [<!ENTITY ns_ai "http://ns.adobe.com/AdobeIllustrator/10.0/">]>',
    ),
    "draw.io": svg(
        DRAWN,
        'content="&lt;mxfile host=&quot;jane.example.com&quot; modified=&quot;2024-05-01&quot; '
        "agent=&quot;Mozilla/5.0 (X11)&quot; etag=&quot;jane&quot; version=&quot;24&quot;&gt;"
        '&lt;diagram host=&quot;x&quot;&gt;&lt;/diagram&gt;&lt;/mxfile&gt;"',
    ),
    "Excalidraw": svg(f"<metadata><!-- start -->Jane<!-- end --></metadata>{DRAWN}"),
    "matplotlib": svg(f"<metadata>{RDF}</metadata>{DRAWN}"),
    "XMP in no metadata": svg(f"<defs>{XMP}</defs>{DRAWN}"),
    "a prefix": svg(f"<svg:metadata>{RDF}</svg:metadata><svg:g>{DRAWN}</svg:g>"),
    "nested": svg(f"<g><svg><metadata>{RDF}</metadata>{DRAWN}</svg></g><metadata>{RDF}</metadata>"),
    "text alone": svg(f"<metadata>By Jane Doe &amp; <![CDATA[</metadata>]]></metadata>{DRAWN}"),
    "elements without a prefix": svg(
        f"<metadata><creator>Jane Doe</creator><p xmlns='{XHTML}'>Jane</p></metadata>{DRAWN}"
    ),
    "a home folder in a comment": svg(f"<!-- /home/jane/plan.svg -->{DRAWN}<!---->"),
    "a folder of Windows in a comment": svg(f"<!-- Made of C:\\jane\\a.svg -->{DRAWN}"),
    "an address of a file in a comment": svg(
        DRAWN, prolog="<!-- file:///Users/jane/a -->\n<!DOCTYPE svg [<!-- ~/jane -->]>"
    ),
    "a mail address in a comment": svg(f"{DRAWN}<!-- ask jane@example.com -->"),
    "comments in a style": svg(
        f"<style><!-- /home/jane -->circle{{fill:red}}<!-- /tmp/jane --></style>{DRAWN}"
    ),
    "brackets around a comment": svg(f"<desc>]]<!-- /home/jane -->&gt;</desc>{DRAWN}"),
    "an editor's own attribute": svg(
        '<g xmlns:z="urn:z" z:source = \'/home/jane/x "y" > z\' z:name="n" fill="red">'
        f"{DRAWN}</g>"
    ),
    "what draws in metadata": svg(
        f"<metadata>{RDF}<g><path id='p' d='M0 0h30v9z'/><style>rect{{fill:red}}</style></g>"
        "<defs xmlns:z='urn:z' z:at='/home/jane'><circle id='c' r='9'/></defs>Jane</metadata>"
        f"{DRAWN}<use href='#p'/><use href='#c' x='20'/>"
    ),
    "children that are counted": svg(
        f"<style>svg > :nth-child(4){{fill:red}}metadata + rect{{stroke:blue}}</style>"
        f"<metadata>{RDF}</metadata>{DRAWN}<!-- /home/jane -->"
    ),
    "HTML": svg(
        f"<metadata>{RDF}</metadata>{DRAWN}<foreignObject width='60' height='40'><p "
        f"xmlns='{XHTML}' style='color:red'>text</p></foreignObject>"
    ),
}  # fmt: skip

# There is nothing to clean in these.
UNTOUCHED = {
    "plain": svg(DRAWN),
    "an empty metadata": svg(f"<metadata/><metadata></metadata><sodipodi:namedview/>{DRAWN}"),
    "a generator": svg(f"<!-- Generator: A Program 28.0.0 (https://example.com/home/) -->{DRAWN}"),
    "a notice": svg(f"<!--! Icons by @example, a@example.com - License: MIT -->{DRAWN}"),
    "words of its own": svg(f"<title>/home/jane</title><desc>Jane Doe</desc>{DRAWN}", "id='jane'"),
    "an editor's data for drawing": svg(
        f"<g inkscape:label='L' inkscape:groupmode='layer' sodipodi:nodetypes='cc'>{DRAWN}</g>"
    ),
    "a source without a machine": svg(DRAWN, 'content="&lt;mxfile version=&quot;1&quot;&gt;"'),
}

# Private data that cannot be cut out.
REFUSED = {
    "metadata in an entity": svg(
        "&m;", prolog="<!DOCTYPE svg [<!ENTITY m '<metadata>Jane</metadata>'>]>"
    ),
    "a comment in an entity": svg(
        "&m;", prolog="<!DOCTYPE svg [<!ENTITY m '<g><!-- jane@example.com --></g>'>]>"
    ),
    "a folder in an entity": svg(
        "", "sodipodi:docname='&f;'", "<!DOCTYPE svg [<!ENTITY f '/home/jane/a.svg'>]>"
    ),
}
