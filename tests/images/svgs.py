"""SVG files for the tests: sizes, harmless ones, hostile ones, and ones that are not shown.

`BASE` in a file stands for an address that must not be requested, and the scripts of hostile
files call `ran()`, which says so on the console.
"""

from __future__ import annotations

__all__ = ["DOCTYPE", "FONT", "HARMLESS", "HOSTILE", "HOSTILE_PROLOGS", "INVISIBLE", "PNG", "SIZES"]
__all__ += ["SVG", "XHTML", "XLINK", "wrap"]

SVG = 'xmlns="http://www.w3.org/2000/svg"'
XLINK = 'xmlns:xlink="http://www.w3.org/1999/xlink"'
XHTML = "http://www.w3.org/1999/xhtml"
NAMESPACES = f'{SVG} {XLINK} xmlns:h="{XHTML}" xmlns:m="http://www.w3.org/1998/Math/MathML"'
PNG = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP4"
    "z8DQAAAEgQGA8wvcoAAAAABJRU5ErkJggg=="
)
FONT = "data:font/woff2;base64,d09GMgABAAAAAAAA"  # damaged, and within the file all the same
DOCTYPE = (
    '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN"\n'
    ' "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">'
)


def wrap(inside: str, *, attributes: str = "", prolog: str = "") -> bytes:
    """Put elements on line 3 of an SVG whose prolog is one line."""
    return f"{prolog}\n<svg {NAMESPACES} {attributes}>\n{inside}\n</svg>\n".encode()


# Sizes that Chromium 156 shows, by the attributes of the root.
SIZES = {
    'width="40" height="30"': (40, 30),
    'width="40px" height="30PX"': (40, 30),
    'width="30pt" height="15pt"': (40, 20),
    'width="2pc" height="1pc"': (32, 16),
    'width="1in" height=".5in"': (96, 48),
    'width="2.54cm" height="50.8mm"': (96, 192),
    'width="40Q" height="80q"': (38, 76),
    'width="40.4" height="29.5"': (40, 30),
    'width="40.5" height="0.5"': (41, 1),
    'width="4e1" height="3E+1"': (40, 30),
    'width="+40" height=" 30 "': (40, 30),
    'width="1e400" height="30"': (33_554_428, 30),
    'width="40." height="30"': (300, 30),
    'width="40 px" height="30"': (300, 30),
    'width="30,5" height="30"': (300, 30),
    'width="2em" height="3em"': (32, 48),
    'width="12.5ex" height="10ex"': (92, 73),
    'width="10ch" height="2rem"': (80, 32),
    'width="10rex" height="10rch"': (73, 80),
    'width="10ic" height="10cap"': (160, 105),
    'width="10lh" height="10rlh"': (180, 180),
    'width="1e1em" height="10e"': (160, 150),
    'width="10em" height="10rem" style="fill:red;font-size: 20px"': (200, 200),
    'width="10em" height="1em" font-size="8pt"': (107, 11),
    'width="10em" height="1em" font-size="150%"': (240, 24),
    'width="10em" height="1em" style="font-size:large" font-size="9"': (180, 18),
    'width="10em" height="1em" style="font-size:huge" font-size="9"': (90, 9),
    "": (300, 150),
    'width="40"': (40, 150),
    'height="40"': (300, 40),
    'width="" height="auto"': (300, 150),
    'width="100%" height="100%"': (300, 150),
    'width="100%" height="30"': (300, 30),
    'width="-10%" height="30"': (300, 30),
    'viewBox="0 0 400 300"': (200, 150),
    'viewBox="-5,-5, 30 ,40"': (113, 150),
    'viewBox="0 0 1000 10"': (300, 3),
    'viewBox="0-0+4.5.5"': (300, 33),
    'viewBox="0 0 1e2 5e1"': (300, 150),
    'viewBox="0 0 400"': (300, 150),
    'viewBox="0 0 4 3 2"': (300, 150),
    'viewBox="0 0 0 3"': (300, 150),
    'viewBox="0 0 -4 3"': (300, 150),
    'viewBox="0 0 1e39 3"': (300, 150),
    'viewBox="-1e39 0 4 3"': (300, 150),
    'viewBox="0,,0 4 3"': (300, 150),
    'viewbox="0 0 4 3"': (300, 150),
    'width="200" viewBox="0 0 4 3"': (200, 150),
    'width="30" height="100%" viewBox="0 0 4 3"': (30, 23),
    'height="30" viewBox="0 0 4 3"': (40, 30),
    'width="0%" height="30" viewBox="0 0 4 3"': (40, 30),
    'width="40" viewBox="0 0 4 3" preserveAspectRatio="none"': (300, 150),
    'width="40" height="30" viewBox="0 0 1 1" preserveAspectRatio="none"': (40, 30),
    'viewBox="0 0 1 1" preserveAspectRatio=" none slice "': (300, 150),
    'viewBox="0 0 1 1" preserveAspectRatio="xMinYMin slice"': (150, 150),
    'width="40" height="30" style="width:4px;height:3px"': (40, 30),
    'width="100%" style="max-width: 482.3px;" viewBox="0 0 482 300"': (241, 150),
}

# Elements that look like trouble; in each, nothing runs and nothing is fetched.
HARMLESS = {
    "words about scripts": "<text>script onload= javascript: url(x) @import</text>",
    "a label": '<g aria-label="JavaScript: 45 %" id="javascript:x" class="url(x)"/>',
    "a name like a function": '<g data-name="src()" data-on="x" label="url(//example.com/a)"/>',
    "other namespaces' handlers": (
        '<g xmlns:serif="http://www.serif.com/" serif:on="1" serif:onload="ran()"/>'
        '<g xmlns:s="http://www.w3.org/2000/svg" s:onload="ran()" xlink:onclick="ran()"/>'
    ),
    "words with on": '<g one="1" once="2" only="3" on="4" onset="5" online="6"/>',
    "a namespace's address": (
        '<style>@namespace svg url("BASE/ns"); @namespace h "BASE/ns"; @namespace url(BASE/ns);'
        "@n\\61 mespace/**/x/**/url( BASE/ns );</style>"
    ),
    "a style's comment": "<style>/* url(BASE/c) @import 'BASE/c'; */</style>",
    "a style's strings": """<style>a{content:"url(BASE/s)" '@import "BASE/s"'}</style>""",
    "names like functions": "<style>a{b:xurl(BASE/n);c:1url(BASE/n);d:#url(BASE/n)}</style>",
    "an attribute's comment": '<rect fill="/* url(BASE/c) */ red"/>',
    "an unused prefix": '<g xmlns:xhtml="http://www.w3.org/1999/xhtml"/>',
    "links": (
        '<a href="https://example.com/"><text>go</text></a><a xlink:href="../b.html" '
        'target="_blank"/><h:a href="mailto:a@example.com"/><m:mi href="#a">x</m:mi>'
        '<a href="data:text/csv,a"/>'
    ),
    "embedded images": (
        f'<image href="{PNG}"/><image xlink:href=" {PNG} "/><filter id="f"><feImage '
        f'href="{PNG}"/></filter><h:img src="{PNG}" srcset="{PNG} 1x, {PNG} 2x"/><h:input '
        f'type="image" src="{PNG}"/><h:td background="{PNG}"/>'
    ),
    "data of another type": (
        '<image href="data:;base64,x"/><image href="data:img/png;base64,x"/><h:img '
        'src="data:application/octet-stream;base64,x"/><rect fill="url(data:font/ttf;base64,x)"/>'
    ),
    # An image within an image runs no script and loads nothing (SVG 2, section 2.2).
    "an embedded SVG": (
        '<image href="data:image/svg+xml,%3Csvg xmlns=%27http://www.w3.org/2000/svg%27 '
        'onload=%27ran()%27%3E%3Cimage href=%27BASE/i%27/%3E%3C/svg%3E"/>'
    ),
    "an embedded SVG as a mask": (
        "<rect mask=\"url('data:image/svg+xml,%3Csvg xmlns=%22http://www.w3.org/2000/svg%22%3E"
        "%3Cmask id=%22m%22%3E%3Cimage href=%22BASE/m%22/%3E%3C/mask%3E%3C/svg%3E#m')\" "
        'width="9" height="9"/>'
    ),
    "references into itself": (
        '<use href="#a"/><use xlink:href=" #a "/><textPath href="#a"/><use href=""/>'
        '<image href=""/>'
        '<rect style="fill:url(#a)" stroke="url( \'#b\' )" filter=\'url("#c")\' mask="url()"/>'
    ),
    "fonts": (
        f"<style>@font-face{{font-family:a;src:url({FONT}),url(data:application/x-font-woff;base64,x),"
        'url("data:application/vnd.ms-fontobject,x"),url(data:;base64,x)}text{font-family:a}</style>'
        "<text>a</text>"
    ),
    "a data image set": f"""<style>a{{cursor:image-set("{PNG}" type("image/png") 1x)}}</style>""",
    "media queries": "<style>@media (min-width:1px){a{b:c}} @charset 'x';</style>",
    "animations": (
        '<rect><animate attributeName="fill" values="red;url(#a)" dur="1s"/><set '
        'attributeName="y" to="javascript:ran()"/></rect><use><animate attributeName="href" '
        'values="#a;#b" dur="1s"/></use><animateTransform attributeName="transform" from="0 1 2"/>'
        f'<image><set attributeName="xlink:href" to="{PNG}"/></image>'
    ),
    "elements that browsers do not know": (
        '<q:script xmlns:q="urn:q">ran()</q:script><q:img xmlns:q="urn:q" src="BASE/q" '
        'href="BASE/q" style="background:url(BASE/q)" xlink:href="BASE/q"/><q:style '
        'xmlns:q="urn:q">@import "BASE/q";</q:style>'
    ),
    "HTML": (
        '<foreignObject width="90" height="90"><h:body><h:meta charset="utf-8"/><h:h1>a</h:h1>'
        '<h:form><h:input type="checkbox"/><h:button>b</h:button></h:form><h:details open="">'
        "<h:summary>c</h:summary>d</h:details><h:ruby>e<h:rt>f</h:rt></h:ruby><h:canvas/>"
        '<h:svg/><h:meta http-equiv="Content-Type" content="text/html"/></h:body></foreignObject>'
    ),
    "characters": "<text>&amp;&lt;&#38;&#x1F408;</text><desc><![CDATA[<script>&nbsp;]]></desc>",
    "a handler in a comment": "<!-- <script>ran()</script> --><?note onload=ran()?>",
}

# In each, the part that offends is on line 3. Not all of it acts in every browser of today.
HOSTILE = {
    "a script": "<script>ran()</script>",
    "a script elsewhere": '<script href="BASE/x.js"/>',
    "a prefixed script": '<s:script xmlns:s="http://www.w3.org/2000/svg">ran()</s:script>',
    "a script in capitals": "<SCRIPT>ran()</SCRIPT>",
    "an HTML script": "<h:script>ran()</h:script>",
    "an SVG Tiny handler": '<handler type="application/ecmascript">ran()</handler>',
    "an event handler": '<image href="data:image/png,x" onerror="ran()"/>',
    "an event handler in capitals": '<rect ONLOAD="ran()"/>',
    "an animation's event handler": '<animate onbegin="ran()" attributeName="x" dur="1s"/>',
    "a handler in HTML": '<h:img src="data:image/png,x" onerror="ran()"/>',
    "a handler in MathML": '<m:mi onclick="ran()">x</m:mi>',
    "a handler of the future": '<rect onsomethingnew="ran()"/>',
    "a script link": '<a href="javascript:ran()"><text>go</text></a>',
    "a script xlink": '<a xlink:href="javascript:ran()"/>',
    "a script link in odd case": '<a href="JaVaScRiPt:ran()"/>',
    "a script link after spaces": '<a href="&#1;  javascript:ran()"/>'.replace("&#1;", ""),
    "a script link with tabs": '<a href="java&#9;scr&#10;ipt&#13;:ran()"/>',
    "a script link with characters by number": '<a href="java&#115;cript:ran()"/>',
    "a script link in HTML": '<h:a href="javascript:ran()">go</h:a>',
    "a script link of an area": '<h:area href="vbscript:ran()"/>',
    "a script link in MathML": '<m:mi href="javascript:ran()">go</m:mi>',
    "a script link of no element": '<q:a xmlns:q="urn:q" xlink:href="javascript:ran()"/>',
    "a script link set by animation": '<a><set attributeName="href" to="javascript:ran()"/></a>',
    "a script link among values": (
        '<a><animate attributeName="xlink:href" values="#;javascript:ran()"/></a>'
    ),
    "a script link by another prefix": (
        '<a xmlns:x="http://www.w3.org/1999/xlink"><animate attributeName="x:href" '
        'by="javascript:ran()"/></a>'
    ),
    "an HTML data link": '<a href="data:text/html,&lt;script>ran()&lt;/script>"/>',
    "an SVG data link": '<a href="data:image/svg+xml,&lt;svg/>"/>',
    "an external image": '<image href="BASE/t.png"/>',
    "an external image with spaces": '<image xlink:href=" BASE/t.png"/>',
    "a neighbouring image": '<image href="neighbour.png"/>',
    "an image of no scheme": '<image href="//example.com/t.png"/>',
    "two addresses": f'<image href="{PNG}" xlink:href="BASE/t.png"/>',
    "an external use": '<use href="icons.svg#a"/>',
    "an external feImage": '<feImage href="BASE/t.png"/>',
    "an external gradient": '<linearGradient xlink:href="BASE/g.svg#a"/>',
    # Browsers cloned it into the page, handlers included, until 2023.
    "a document used from data": '<use href="data:image/svg+xml;base64,PHN2Zy8+#a"/>',
    "a text as an image": '<image href="data:text/html,x"/>',
    "an external fill": '<rect fill="url(BASE/g.svg#a)" width="9" height="9"/>',
    "an external cursor": '<rect cursor="url(BASE/c.cur), auto"/>',
    "an external style": "<rect style=\"fill:url( 'BASE/g.svg' )\"/>",
    "an external style in capitals": '<rect style="fill:URL(BASE/g.svg)"/>',
    "an external style with escapes": r'<rect style="fill:\75\72 l(BASE/g.svg)"/>',
    "an external style with a long escape": r'<rect style="fill:\000075rl(BASE/g)"/>',
    "an external style with an escape and a line end": (
        r'<rect style="fill:ur\6c&#13;&#10;(BASE/g.svg)" width="9" height="9"/>'
    ),
    "an external style after a comment": '<rect style="fill:/* ( */url(BASE/g.svg)"/>',
    "an external style in HTML": '<h:p style="background:url(BASE/g.png)">x</h:p>',
    "an external style in MathML": '<m:mi style="background:url(BASE/g.png)">x</m:mi>',
    "an imported sheet": '<style>@import "BASE/a.css";</style>',
    "an imported sheet with escapes": r'<style>@\69mport/**/"BASE/a.css";</style>',
    "an imported sheet in capitals": "<style>@IMPORT URL(BASE/a.css);</style>",
    "an imported sheet as data": "<style><![CDATA[@import 'a.css';]]></style>",
    "an imported sheet of data": (
        "<style>@import 'data:text/css,*{background:url(BASE/a.png)}';</style>"
    ),
    "an imported sheet split by an element": "<style>@im<g>X</g>port 'BASE/a.css';</style>",
    "an imported sheet split by a comment": "<style>@im<!--X-->port 'BASE/a.css';</style>",
    "an imported sheet in a sheet of HTML": "<h:style>@import 'BASE/a.css';</h:style>",
    "a sheet hidden by a sheet within": '<style>@import "BASE/a.css";<style/></style>',
    "a sheet's external image": "<style>*{fill:url(BASE/g.svg)}</style>",
    "a sheet's image split by an element": "<style>*{fill:ur<g/>l(BASE/g.svg)}</style>",
    "a sheet's image after <!--": "<style>&lt;!--*{fill:url(BASE/g.svg)}--&gt;</style>",
    "a sheet's image hidden by strings": (
        """<style>a{quotes:"/*"} *{fill:url(BASE/g.svg)} c{quotes:"*/"}</style>"""
    ),
    "a sheet's image after a bad string": (
        """<style>a{quotes:"&#10;} *{fill:url(BASE/g.svg)} c{quotes:"}</style>"""
    ),
    "a sheet's image after a lone sign": "<style>a{b:#\\&#10;} *{fill:url(BASE/g.svg)}</style>",
    "an address after a namespace": "<style>@namespace a; *{fill:url(BASE/g.svg)}</style>",
    "an address after a namespace's": (
        "<style>@namespace x url(a) ; *{fill:url(BASE/g.svg)}</style>"
    ),
    "a font": (
        "<text>f</text><style>@font-face{font-family:f;src:url(BASE/f.woff)}*{font-family:f}</style>"
    ),
    "an image set": "<rect style=\"cursor:image-set('BASE/c.png' 1x), auto\"/>",
    "an image set of a variable": (
        "<style>*{--u:'BASE/c.png';cursor:image-set(var(--u) 1x),auto}</style>"
    ),
    "an image set of a condition": (
        "<style>*{cursor:image-set(if(media(print):'a';else:'BASE/c.png') 1x),auto}</style>"
    ),
    "an image set of a function": (
        "<style>@function --f(){result:'BASE/c.png'} *{cursor:image-set(--f() 1x),auto}</style>"
    ),
    "an image function": "<style>*{background:image('BASE/c.png')}</style>",
    "a source function": "<style>*{background:src('BASE/c.png')}</style>",
    "an address set by animation": '<a><set attributeName="href" to="x"/></a>',
    "an address animated": '<a><animate attributeName="xlink:href" values="a;b"/></a>',
    "a cursor set by animation": '<g><set attributeName="cursor" to="url(BASE/c),auto"/></g>',
    "an HTML frame": '<h:iframe src="#"/>',
    "an HTML frame's text": '<h:iframe srcdoc="&lt;script>ran()&lt;/script>"/>',
    "an HTML object": '<h:object data="data:image/svg+xml,x"/>',
    "an HTML embed": '<h:embed src="BASE/e"/>',
    "an HTML link": '<h:link rel="stylesheet" href="BASE/a.css"/>',
    "an HTML base": '<h:base href="BASE/"/>',
    "an HTML redirect": '<h:meta http-equiv="refresh" content="0;url=BASE/"/>',
    "an HTML image": '<h:img src="BASE/t.png"/>',
    "an HTML image set": '<h:img srcset="BASE/t.png 1x"/>',
    "an HTML image set after data": f'<h:img srcset="{PNG} 1x,BASE/t.png 2x"/>',
    "an HTML source": '<h:picture><h:source srcset="BASE/t.png"/><h:img/></h:picture>',
    "an HTML image button": '<h:input type="image" src="BASE/t.png"/>',
    "an HTML background": '<h:td background="BASE/t.png">x</h:td>',
    "an HTML video": '<h:video poster="BASE/t.png"/>',
    "an HTML audio": '<h:audio src="BASE/t.mp3"/>',
    "an HTML form": '<h:form action="BASE/"/>',
    "an HTML button": '<h:button formaction="javascript:ran()">x</h:button>',
    "a ping": '<h:a href="#" ping="BASE/p">x</h:a>',
}  # fmt: skip

# In the prolog, on line 1.
HOSTILE_PROLOGS = {
    "a style sheet": '<?xml-stylesheet href="BASE/a.css"?>',
    "an XSLT style sheet": '<?xml-stylesheet type="text/xsl" href="#x"?>',
    "an external entity": '<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    "an external public entity": '<!DOCTYPE svg [<!ENTITY x PUBLIC "x" "BASE/">]>',
    "a parameter entity": '<!DOCTYPE svg [<!ENTITY % x "y">]>',
    "billions of laughs": (
        '<!DOCTYPE svg [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'
    ),
    "an XHTML document type": (
        '<!DOCTYPE svg PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" '
        '"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">'
    ),
}

_BODY = '<rect width="9" height="9"/>'
# What browsers show nothing of as an image → what the message says.
INVISIBLE = {
    "no namespace": (b'<svg width="4" height="3"/>', 'without xmlns="http://www.w3.org/2000/svg"'),
    "https": (b'<svg xmlns="https://www.w3.org/2000/svg"/>', 'xmlns="https://www.w3.org/2000/svg"'),
    "a slash": (b'<svg xmlns="http://www.w3.org/2000/svg/"/>', "browsers show nothing of it"),
    "capitals": (f"<SVG {SVG}/>".encode(), "its root is <SVG>"),
    "another root": (f"<g {SVG}/>".encode(), "its root is <g>"),
    "an undeclared prefix": (f"<svg {SVG}>\n<x:g/></svg>".encode(), "a prefix without .* line 2"),
    "an undeclared prefix of an attribute": (
        f'<svg {SVG}>\n<use xlink:href="#a"/></svg>'.encode(), "a prefix without .* line 2"
    ),
    "an attribute twice by its namespace": (
        f'<svg {SVG} xmlns:a="u" xmlns:b="u"><g a:x="" b:x=""/></svg>'.encode(), "duplicate"
    ),
    "Latin-1": (f"<svg {SVG}>\n<text>caf\xe9</text></svg>".encode("latin-1"), "line 2.*UTF-8"),
    "declared Latin-1": (
        f'<?xml version="1.0" encoding="iso-8859-1"?><svg {SVG}><text>\xe9</text></svg>'.encode(
            "latin-1"
        ),
        "save it as UTF-8",
    ),
    "half an UTF-16": (f"<svg {SVG}/>".encode("utf-16")[:-1], "save it as UTF-8"),
    "an undeclared entity": (f"<svg {SVG}>\n&nbsp;</svg>".encode(), "undefined entity.* line 2"),
    "an undeclared entity of a DTD": (
        f"{DOCTYPE}<svg {SVG}>\n<text>&nbsp;</text></svg>".encode(), r"\(&nbsp;\) in line 3"
    ),
    "an undeclared entity in an attribute": (
        f'{DOCTYPE}<svg {SVG}>\n<!-- &a; --><g id="&nbsp;"/></svg>'.encode(), "&nbsp;.* line 3"
    ),
    "an odd document type": (
        f'<!DOCTYPE svg SYSTEM "a?b&c"><svg {SVG}/>'.encode(), "document type has an odd address"
    ),
    "XML 2": (f'<?xml version="2.0"?><svg {SVG}/>'.encode(), "XML 2.0"),
    "a bare ampersand": (f"<svg {SVG}>\n<text>a & b</text></svg>".encode(), "line 2"),
    "an attribute without quotes": (f"<svg {SVG} width=4/>".encode(), "line 1"),
    "an open element": (f"<svg {SVG}>\n<g>\n</svg>".encode(), "mismatched tag, line 3"),
    "half a file": (f"<svg {SVG}>\n".encode(), "no element found, line 2"),
    "a NUL": (f"<svg {SVG}>\0</svg>".encode(), "not a well-formed SVG"),
    "more behind": (f"<svg {SVG}/><svg/>".encode(), "junk after document element"),
    "a width of 0": (f'<svg {SVG} width="0" height="9">{_BODY}</svg>'.encode(), 'width="0"'),
    "a negative height": (f'<svg {SVG} width="9" height="-1"/>'.encode(), 'height="-1"'),
    "parts of the window": (f'<svg {SVG} width="10vw" height="50vh"/>'.encode(), 'width="10vw"'),
    "a part of a container": (f'<svg {SVG} width="1cqw" height="9"/>'.encode(), 'width="1cqw"'),
}  # fmt: skip
