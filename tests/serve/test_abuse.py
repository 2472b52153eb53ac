"""Contents, names and forms that the service must refuse or identify correctly."""

from __future__ import annotations

import struct
import zipfile
import zlib
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING

import pytest

from pelican_imagehost.storage.records import Records
from tests.serve.abuse import GIF, check_refused, picture, server, unharmed
from tests.serve.serverkit import TOKEN, encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.serve.serverkit import Part, Server

__all__ = ["server", "unharmed"]  # fixtures

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">%s</svg>'
PNG = b"\x89PNG\r\n\x1a\n"
JPEG = (
    b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(11) + b"\xff\xc0\0\x0b\x08\0\x01\0\x01\x01\x01\x11\0"
    b"\xff\xda\0\x08\x01\x01\0\0\x3f\0\0\xff\xd9"
)
ROW = zlib.compress(b"\0\0")
SCRIPT = b"<html><script>alert(document.domain)</script></html>"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"".join([PNG, chunk(b"IHDR", header), *chunks, chunk(b"IEND", b"")])


@cache
def bomb() -> bytes:
    """Make a PNG of 60,000 × 60,000 pixels, for which a decoder would need 450 MB."""
    packer = zlib.compressobj(9)
    rows = bytes(100 * (1 + 60_000 // 8))
    packed = b"".join([*(packer.compress(rows) for _ in range(600)), packer.flush()])
    return png(60_000, 60_000, chunk(b"IDAT", packed))


def archive() -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("a.txt", "hidden")
    return buffer.getvalue()


CONTENTS: dict[str, tuple[Callable[[], bytes], int, str]] = {
    "text called .png": (lambda: b"just text\n", 415, "unsupported"),
    "HTML": (lambda: SCRIPT, 415, "unsupported"),
    "PHP": (lambda: b"<?php system($_GET['c']); ?>", 415, "unsupported"),
    "an empty file": (lambda: b"", 415, "corrupt"),
    "a bomb": (bomb, 413, "too_large"),
    "more than IMAGEHOST_MAX_BYTES": (lambda: png(1, 1) + bytes(10 * 1024**2), 413, "too_large"),
    "a PNG that ends in its header": (lambda: png(1, 1)[:20], 415, "corrupt"),
    "a PNG without pixels": (lambda: png(0, 0), 415, "corrupt"),
    "a TIFF": (lambda: b"II*\0\x08\0\0\0" + bytes(64), 415, "unsupported"),
    "a ZIP with an image behind": (lambda: archive() + GIF, 415, "unsupported"),
    "a PDF with an image within": (lambda: b"%PDF-1.7\n" + GIF, 415, "unsupported"),
    "HTML with an image behind": (lambda: SCRIPT + GIF, 415, "unsupported"),
    "zeros": (lambda: bytes(5000), 415, "unsupported"),
    "a pointer of Git LFS": (
        lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        415,
        "corrupt",
    ),
    "SVG: script": (lambda: SVG % b"<script>alert(1)</script>", 415, "unsupported"),
    "SVG: handler": (lambda: SVG % b'<rect onload="alert(1)"/>', 415, "unsupported"),
    "SVG: javascript:": (lambda: SVG % b'<a href="javascript:alert(1)"/>', 415, "unsupported"),
    "SVG: external image": (
        lambda: SVG % b'<image href="https://example.com/a.png"/>',
        415,
        "unsupported",
    ),
    "SVG: external style": (
        lambda: SVG % b"<style>@import 'https://example.com/a.css';</style>",
        415,
        "unsupported",
    ),
    "SVG: HTML within": (
        lambda: SVG % b'<iframe xmlns="http://www.w3.org/1999/xhtml" srcdoc="a"/>',
        415,
        "unsupported",
    ),
    "SVG: a billion laughs": (
        lambda: b'<!DOCTYPE svg [<!ENTITY a "haha"><!ENTITY b "&a;&a;">]>' + SVG % b"&b;",
        415,
        "unsupported",
    ),
    "SVG: depth": (lambda: SVG % (b"<g>" * 100_000), 415, "unsupported"),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTENTS)
def test_a_file_that_is_not_an_allowed_image_is_refused_by_its_bytes(
    unharmed: Server, name: str
) -> None:
    content, status, code = CONTENTS[name]
    message = check_refused(unharmed.upload(content(), "cat.png"), status, code)
    assert message.startswith(("cat.png: ", "has "))


def test_the_bomb_is_a_small_file() -> None:
    assert 400_000 < len(bomb()) < 500_000


POLYGLOTS = {
    "GIF and HTML": (GIF + SCRIPT, "gif"),
    "GIF and JavaScript": (b"GIF89a/*" + GIF[8:] + b"*/=1;alert(1)", "gif"),
    "GIF and ZIP": (GIF + archive(), "gif"),
    "PNG and PHP": (
        png(1, 1, chunk(b"tEXt", b"<?php system($_GET['c']); ?>"), chunk(b"IDAT", ROW)),
        "png",
    ),
    "JPEG and HTML": (JPEG + SCRIPT, "jpg"),
}


@pytest.mark.parametrize("name", POLYGLOTS)
@pytest.mark.parametrize("called", ["cat.html", "cat.php", "cat.svg"])
def test_of_a_polyglot_that_is_an_image_the_image_is_stored_and_served_and_nothing_else(
    server: Server, name: str, called: str
) -> None:
    content, kind = POLYGLOTS[name]
    answer = server.upload(content, called)
    assert answer.status == 200
    path = answer.json["url"].removeprefix("https://img.example.com/")
    assert path.endswith(f".{kind}")
    served = server.request("GET", f"/images/{path}")
    types = {"gif": "image/gif", "png": "image/png", "jpg": "image/jpeg"}
    assert served.headers["Content-Type"] == types[kind]
    assert served.body[:6] == content[:6]
    assert not any(part in served.body for part in (SCRIPT, b"<?php", b"PK\3\4", b"alert(1)"))
    assert served.headers["X-Content-Type-Options"] == "nosniff"
    assert served.headers["Content-Security-Policy"].startswith("default-src 'none';")


NAMES = {
    "../../../etc/cron.d/cat.gif": "cat.gif",
    "..\\..\\cat.gif": "cat.gif",
    "/etc/passwd": "passwd",
    "C:\\cat.gif": "cat.gif",
    "..": "..",
    "a\0b.gif": "ab.gif",
    "a%00.gif": "a%00.gif",
    "\x1b[2Ja\x07.gif": "[2Ja.gif",
    "a%0D%0AX: y.gif": "a  X: y.gif",
    "\u202egpj.exe": "gpj.exe",
    "x" * 3000: "x" * 255,
    " ": "",
    "": "",
    "<img src=x onerror=alert(1)>.gif": "<img src=x onerror=alert(1)>.gif",
    "'; DROP TABLE uploads; --": "'; DROP TABLE uploads; --",
}


def test_a_name_is_never_a_path_and_always_printable(server: Server) -> None:
    outside = {file for file in server.site.root.rglob("*") if "images" not in file.parts}
    for number, name in enumerate(NAMES):
        assert server.upload(picture(number), name).status == 200
    records = Records(server.site.root / "imagehost-uploads.sqlite3", read_only=True)
    found = {record.name for record in records.all()}
    records.close()
    assert set(NAMES.values()) <= found
    assert outside == {file for file in server.site.root.rglob("*") if "images" not in file.parts}
    assert server.leftovers() == []


def form(*parts: Part) -> tuple[bytes, str]:
    return encode(list(parts))


def raw(body: bytes, boundary: str = "b") -> tuple[bytes, str]:
    return body.replace(b"\n", b"\r\n"), f"multipart/form-data; boundary={boundary}"


HEAD = b'Content-Disposition: form-data; name="'
FILE = b'Content-Disposition: form-data; name="img"; filename="a.gif"\n'
FORMS: dict[str, tuple[tuple[bytes, str], int, str, str]] = {
    "no part": (raw(b"--b--\n"), 400, "no_file", "found nothing"),
    "the field as text": (form(("img", None, GIF)), 400, "no_file", "found img"),
    "an address": (form(("img", None, b"https://example.com/a")), 400, "no_file", "found img"),
    "another field": (form(("file", "a.gif", GIF)), 400, "no_file", "field img; found file"),
    "two files": (form(*[("img", "a.gif", GIF)] * 2), 400, "too_many_files", "at most 1 file"),
    "10,000 fields": (form(*[("a", None, b"b")] * 10_000), 400, "too_many_parts", "at most 100"),
    "10,000 files": (form(*[("x", "a", GIF)] * 10_000), 400, "too_many_parts", "at most 100"),
    "a huge field": (form(("a", None, bytes(10**6))), 400, "field_too_long", "too long"),
    "a huge name": (raw(b"--b\n" + HEAD + b"x" * 10**6 + b'"\n\n'), 400, "not_a_form", "header"),
    "many headers": (raw(b"--b\n" + b"X-A: b\n" * 10_000), 400, "not_a_form", "header"),
    "a boundary of 1,000": (encode([], "x" * 1000), 400, "not_a_form", "Boundary"),
    "cut off in a file": (raw(b"--b\n" + FILE + b"\nGIF89a"), 400, "cut_off", "incomplete"),
    "cut off in a header": (raw(b"--b\nContent-Dispo"), 400, "cut_off", "incomplete"),
    "no end": (raw(b"--b\n" + FILE + b"\nGIF89a\n--b"), 400, "cut_off", "incomplete"),
    "empty": (raw(b""), 400, "cut_off", "incomplete"),
    "garbage before": (raw(b"garbage\n--b--"), 400, "not_a_form", "boundary"),
    "garbage between": (raw(b"--b\n" + FILE + b"\n\n--b\na\n--b--"), 400, "not_a_form", "header"),
    "another boundary": (raw(b"--b\n" + FILE + b"\n\n--b--", "c"), 400, "not_a_form", "boundary"),
    "no disposition": (raw(b"--b\nX-A: b\n\nGIF89a\n--b--"), 400, "no_file", "found"),
    "no boundary": ((b"--b--", "multipart/form-data"), 400, "not_a_form", "multipart/form-data"),
    "the image alone": ((GIF, "image/gif"), 400, "not_a_form", "multipart/form-data"),
    "JSON": ((b"{}", "application/json"), 400, "not_a_form", "multipart/form-data"),
    "a form of text": ((b"img=a", "application/x-www-form-urlencoded"), 400, "not_a_form", "img"),
    "no type": ((GIF, ""), 400, "not_a_form", "multipart/form-data"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_an_invalid_form_is_refused_in_a_sentence(unharmed: Server, name: str) -> None:
    (body, kind), status, code, word = FORMS[name]
    headers = {"Authorization": f"Bearer {TOKEN}", "Content_Type": kind}
    answer = unharmed.request("POST", "/upload/image", body, **headers)
    message = check_refused(answer, status, code)
    assert word in message
    assert len(message) < 700


def test_many_bad_files_among_good_ones_leave_nothing(unharmed: Server) -> None:
    parts: list[Part] = [("files", f"{n}.png", picture(n)) for n in range(1, 20)]
    answer = unharmed.post("/upload", [*parts, ("files", "bad.gif", b"text")])
    assert (answer.status, answer.json["success"]) == (415, False)
    answer = unharmed.post("/upload", parts * 6)
    assert (answer.status, answer.json["success"]) == (400, False)
