"""What is accepted and refused; test_svg_in_chromium shows that the browser agrees."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pelican_imagehost.errors import CorruptImage, ImageHostError, UnsupportedImage
from pelican_imagehost.images.identify import identify
from pelican_imagehost.images.image import IMAGE_TYPES, Limits
from pelican_imagehost.images.svg import inspect, looks_like_svg
from tests.images.svg_exports import HONEST
from tests.images.svgs import (
    HARMLESS,
    HOSTILE,
    HOSTILE_PROLOGS,
    INVISIBLE,
    SIZES,
    SVG,
    wrap,
)

LIMITS = Limits(20 * 1024**2, 100_000_000, frozenset(IMAGE_TYPES))


@pytest.mark.parametrize("name", HONEST)
def test_what_a_program_exports_is_accepted_and_measured(name: str) -> None:
    image = identify(HONEST[name].data, LIMITS)
    assert (image.type, image.width, image.height) == ("svg", *HONEST[name].size)


@pytest.mark.parametrize("attributes", SIZES)
def test_an_svg_is_measured(attributes: str) -> None:
    assert inspect(wrap("", attributes=attributes)) == SIZES[attributes]


@pytest.mark.parametrize("name", HARMLESS)
def test_what_neither_runs_nor_fetches_is_accepted(name: str) -> None:
    assert inspect(wrap(HARMLESS[name])) == (300, 150)


@pytest.mark.parametrize("name", HOSTILE)
def test_what_runs_or_fetches_is_refused_with_its_line(name: str) -> None:
    with pytest.raises(
        UnsupportedImage, match=r"^is an SVG with .* in line 3; .* to host the file$"
    ):
        identify(wrap(HOSTILE[name]), LIMITS)


@pytest.mark.parametrize("name", HOSTILE_PROLOGS)
def test_a_prolog_that_calls_out_is_refused_with_its_line(name: str) -> None:
    with pytest.raises(
        UnsupportedImage, match=r"^is an SVG with .* in line 1; .* to host the file$"
    ):
        identify(wrap("", prolog=HOSTILE_PROLOGS[name]), LIMITS)


@pytest.mark.parametrize("name", INVISIBLE)
def test_what_browsers_do_not_show_is_refused_with_the_reason(name: str) -> None:
    data, message = INVISIBLE[name]
    with pytest.raises(CorruptImage, match=message) as refused:
        inspect(data)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a script link with tabs", r"a script as an address \(java\?scr\?ipt\?:ran\(\)\)"),
        ("an external image", r"another file \(BASE/t\.png\) .*; embed that file as a data: addr"),
        ("an imported sheet", r"an imported style sheet \(BASE/a\.css\) .*; copy its rules into"),
        ("an image set of a variable", r"an address that is computed \(var\(\)\)"),
        ("an HTML redirect", r'with <meta http-equiv="refresh"> in'),
        ("an HTML frame", r"with <iframe> in line 3; remove it to host the file"),
        ("an event handler", r"with an event handler \(onerror\) in"),
    ],
)
def test_a_message_names_what_is_refused(name: str, message: str) -> None:
    with pytest.raises(UnsupportedImage, match=message):
        inspect(wrap(HOSTILE[name]))


def test_a_message_has_the_line_of_an_address_within_a_style() -> None:
    style = "<style>\na{b:c}<!--\n-->\n<![CDATA[\n]]>&#10;&#10;d{fill:url(x.svg)}</style>"
    with pytest.raises(UnsupportedImage, match="in line 7;"):
        inspect(wrap(style))


def test_a_message_is_one_short_line_that_is_safe_to_print() -> None:
    with pytest.raises(UnsupportedImage) as refused:
        inspect(wrap(f'<image href="https://example.com/&#10;\x9b31m\u202e{"x" * 5000}"/>'))
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    "subset",
    [
        '<!ATTLIST svg onload CDATA "alert(1)">',
        '<!ENTITY x "<script>alert(1)</script>">',
        '<!ENTITY x "&#60;script>alert(1)&#60;/script>">',
        "<!ENTITY x '<a href=\"javascript:alert(1)\"/>'>",
        "<!ENTITY x '<style>@import \"x\";</style>'>",
    ],
)
def test_a_document_type_does_not_smuggle(subset: str) -> None:
    data = wrap("&x;" if "ENTITY" in subset else "", prolog=f"<!DOCTYPE svg [{subset}]>")
    with pytest.raises(UnsupportedImage, match="is an SVG with"):
        identify(data, LIMITS)


def declare(encoding: str) -> str:
    return f'<?xml version="1.0" encoding="{encoding}"?><svg {SVG} width="4" id="é"/>'


ENCODED = {
    "UTF-16": declare("utf-16").encode("utf-16"),
    "UTF-16, big end first": f"\ufeff{declare('utf-16')}".encode("utf-16-be"),
    "UTF-16 that declares another": declare("utf-8").encode("utf-16"),
    "UTF-8 with a mark": declare("utf-8").encode("utf-8-sig"),
    "ASCII that declares Chinese": declare("gb2312").replace("é", "e").encode(),
    "ASCII that declares nothing known": declare("cp037").replace("é", "e").encode(),
}


@pytest.mark.parametrize("name", ENCODED)
def test_an_encoding_that_browsers_read_is_read(name: str) -> None:
    assert identify(ENCODED[name], LIMITS)[3:5] == (4, 150)


def test_a_declared_encoding_does_not_hide_an_address() -> None:
    # Opened alone, the file is read as it declares: there the backslash is half of a letter.
    style = '<style>a{b:"€\\";fill:url(x)}"}</style>'
    text = f'<?xml version="1.0" encoding="gbk"?><svg {SVG}>{style}</svg>'
    assert "url(x)" in text.encode().decode("gbk", "replace")
    with pytest.raises(CorruptImage, match="declares encoding='gbk'; as an image"):
        inspect(text.encode())


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


@pytest.mark.parametrize(
    "start",
    [b"<svg>", b"<svg\n", b"<svg/>", b"<x-1:svg a='b'>", b"\n<svg ", b"<!-- a -->" * 30 + b"<svg>"],
)
def test_what_begins_as_an_svg_is_one(start: bytes) -> None:
    assert looks_like_svg(start)


def nest(depth: int) -> bytes:
    return wrap("<g>" * depth + "</g>" * depth)


def test_depth_is_limited_with_a_message() -> None:
    assert inspect(nest(999)) == (300, 150)
    with pytest.raises(
        UnsupportedImage, match="with elements nested 1,000 deep in line 3; ungroup"
    ):
        inspect(nest(1000))


@pytest.mark.parametrize(
    "data",
    [
        b"<!-- -->" * 1000 + b"<html/>",
        b"<?x?>" * 1000 + b"<html/>",
        b"<!DOCTYPE svg []>" * 1000 + b"<html/>",
    ],
    ids=["comments", "instructions", "document types"],
)
def test_a_long_beginning_takes_no_longer_than_its_length(data: bytes) -> None:
    # So long that a pattern that tries again from each place does not end before the time limit.
    assert not looks_like_svg(data)


SEEDS = [
    *(export.data for export in HONEST.values()),
    *(wrap(part) for part in [*HARMLESS.values(), *HOSTILE.values()]),
    *(data for data, _ in INVISIBLE.values()),
]
SCRAPS = [
    b"<",
    b">",
    b"</",
    b"/>",
    b'"',
    b"&",
    b"&amp;",
    b"]]>",
    b"<![CDATA[",
    b"<!--",
    b"-->",
    b"\\",
]
SCRAPS += [
    b"\xff\xfe",
    b"\0",
    b"\xe9",
    b" on",
    b"xmlns",
    b"url(",
    b"@import",
    b"1e999",
    b"\r\n",
    b":",
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.sampled_from([0, 0, 1, 1, 5, 50])))
        data[start:end] = draw(st.sampled_from(SCRAPS) | st.binary(max_size=3))
    return bytes(data)


def inspect_or_refuse(data: bytes) -> None:
    try:
        width, height = inspect(data)
    except ImageHostError as error:
        assert str(error).isprintable()  # noqa: PT017  either is right
        assert len(str(error)) < 400  # noqa: PT017  likewise
    else:
        assert 0 < width < 2**25
        assert 0 < height < 2**25


@given(damaged())
def test_any_damaged_svg_is_measured_or_refused(data: bytes) -> None:
    inspect_or_refuse(data)


@pytest.mark.full
@pytest.mark.timeout(3600)
@given(damaged())
@settings(max_examples=100_000, suppress_health_check=list(HealthCheck))
def test_a_great_many_damaged_svgs_are_measured_or_refused(data: bytes) -> None:
    inspect_or_refuse(data)
