"""The form reader, fuzzed: valid forms come through whole, and nothing else does harm."""

from __future__ import annotations

import asyncio
import base64
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from pelican_imagehost.errors import ImageTooLarge
from pelican_imagehost.images.image import IMAGE_TYPES, Limits
from pelican_imagehost.serve.body import PATIENCE
from pelican_imagehost.serve.form import Accepted, Form, receive_form
from pelican_imagehost.serve.refusal import Refusal
from pelican_imagehost.serve.spool import Spool
from pelican_imagehost.storage.store import Store

MOST = 2000  # bytes of a file
MEMORY = 0  # so that files are on the disk, where tests read them
FORM = "application/x-www-form-urlencoded"
fuzzed = settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
full = settings(max_examples=100_000, suppress_health_check=list(HealthCheck))

cuts = st.lists(st.integers(0, 3000), max_size=8)
contents = st.binary(max_size=300)
# Fragments of forms, so that random bytes reach the inner states of the parsers.
WORDS = [b"--b", b"--b\r\n", b"--b--", b"\r\n", b"\r\n\r\n", b"\r", b"\n", b"--", b"-", b"b", b": ",
         b"Content-Disposition: form-data", b'; name="img"', b'; filename="a.png"', b"; name=img",
         b"; filename*=utf-8''%E7%8B%97", b"; filename*=utf-8''%", b"Content-Type: image/png",
         b'"', b"\\", b"\0", b"\xff", b"=", b"&", b"%", b"%4", b"%41", b"+", b"source=", b"key=",
         b"data:image/png;base64,", b"QUJD", b"==", b"=" * 300, b"&" * 300, b"a" * 300]  # fmt: skip
soup = st.lists(st.one_of(st.sampled_from(WORDS), st.binary(max_size=9)), max_size=40)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    made = Spool(
        Store(tmp_path / "images").uploads,
        Limits(MOST, 10**6, frozenset(IMAGE_TYPES)),
        memory=MEMORY,
    )
    made.prepare()
    return made


def receive(
    spool: Spool, kind: str, body: bytes, at: list[int], *, as_text: bool = True
) -> Form | Refusal | ImageTooLarge:
    """Receive a body in chunks that end at these places; check that a failure leaves nothing."""
    ends = sorted({min(end, len(body)) for end in at} | {len(body)})
    chunks = [body[a:b] for a, b in zip([0, *ends], ends, strict=False)]
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks
    ]
    messages.append({"type": "http.request", "body": b"", "more_body": False})

    async def next_message() -> Any:  # noqa: ANN401  ASGI's
        return messages.pop(0)

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", kind.encode())]}
    accepted = Accepted(("img", "source"), 2, as_text=as_text)
    result: Form | Refusal | ImageTooLarge
    try:
        result = asyncio.run(receive_form(Request(scope, next_message), spool, accepted, PATIENCE))
    except (Refusal, ImageTooLarge) as refusal:
        result = refusal
    if not isinstance(result, Form):
        assert len(str(result)) < 1000
        assert list(spool.folder.glob("*.part")) == []
    return result


def contents_of(form: Form | Refusal | ImageTooLarge) -> list[bytes]:
    """Return the files of a form that must be valid, and remove them."""
    assert isinstance(form, Form), form
    found = [Path(file.path).read_bytes() if file.size else b"" for file in form.files]
    form.discard()
    return found


def check_harmless(spool: Spool, kind: str, body: bytes, at: list[int]) -> None:
    for as_text in (False, True):
        form = receive(spool, kind, body, at, as_text=as_text)
        if isinstance(form, Form):
            assert len(form.files) <= 2
            assert all(file.size <= MOST for file in form.files)
            assert all(file.name.isprintable() for file in form.files)
            form.discard()
        assert list(spool.folder.glob("*.part")) == []


def multipart(files: list[bytes], key: str) -> bytes:
    head = b'--b\r\nContent-Disposition: form-data; name="'
    parts = [head + b'img"; filename="a.png"\r\n\r\n' + data + b"\r\n" for data in files]
    return b"".join([*parts, head + b'key"\r\n\r\n' + key.encode() + b"\r\n", b"--b--\r\n"])


def escape(data: bytes, variant: int) -> bytes:
    """Escape for a form: everything necessary, everything, or everything but the plus signs."""
    if variant == 1:
        return b"".join(b"%%%02x" % byte for byte in data)
    return quote_from_bytes(data, safe="+" if variant else "").encode()


MULTIPART = "multipart/form-data; boundary=b"


@fuzzed
@given(st.lists(contents, max_size=2), st.text(max_size=50), cuts)
def test_a_valid_form_comes_through_however_it_is_cut(
    spool: Spool, files: list[bytes], key: str, at: list[int]
) -> None:
    if re.search(rb"\r\n--b", b"\0".join([b"\r\n" + data for data in (*files, key.encode())])):
        return  # the boundary occurs in a part
    form = receive(spool, MULTIPART, multipart(files, key), at)
    assert isinstance(form, Form)
    assert form.fields == {"key": key}
    assert contents_of(form) == files


@fuzzed
@given(contents, st.text(max_size=50), st.integers(0, 2), cuts)
def test_a_file_as_text_comes_through_however_it_is_cut_and_escaped(
    spool: Spool, data: bytes, key: str, variant: int, at: list[int]
) -> None:
    text = base64.b64encode(data, b"-_" if len(key) % 2 else b"+/")
    body = b"source=" + escape(text, variant) + b"&key=" + escape(key.encode(), min(variant, 1))
    form = receive(spool, FORM, body, at)
    assert isinstance(form, Form)
    assert form.fields == {"key": key}
    assert contents_of(form) == [data]


@fuzzed
@given(soup, cuts)
@example([b"--b\r\n", b"Content-Disposition: form-data; name=\"img\"; filename*=utf-8''%"], [])
def test_a_soup_of_a_form_does_no_harm(spool: Spool, words: list[bytes], at: list[int]) -> None:
    check_harmless(spool, MULTIPART, b"--b\r\n" + b"".join(words), at)
    check_harmless(spool, FORM, b"".join(words), at)


@pytest.mark.full
@pytest.mark.timeout(3600)
@full
@given(soup, cuts, st.binary(max_size=60))
def test_a_great_deal_of_soup_does_no_harm(
    spool: Spool, words: list[bytes], at: list[int], start: bytes
) -> None:
    check_harmless(spool, MULTIPART, b"--b\r\n" + b"".join(words), at)
    check_harmless(spool, FORM, start + b"".join(words), at)


@fuzzed
@given(st.text(max_size=80))
def test_any_type_of_a_body_is_answered(spool: Spool, kind: str) -> None:
    plain = kind.encode("latin-1", "ignore").decode("latin-1")
    for start in ("", "multipart/form-data; boundary=", FORM):
        form = receive(spool, start + plain, b"--b\r\n\r\nsource=QUJD", [])
        if isinstance(form, Form):
            form.discard()
