"""The manifest, fuzzed: whatever a stranger writes into it, other lines are read and none lost."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.fuzz.manifest import GOOD, check

fuzzed = settings(max_examples=300)
full = settings(max_examples=100_000, suppress_health_check=list(HealthCheck))

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(10**15, 10**400),
    st.floats(),
    st.text(st.characters(), max_size=20),  # halves of surrogate pairs too
    st.sampled_from(["jpg", "svg", "../x", "0" * 64, "a" * 64, "/etc/x.png", "../" * 9, "\0"]),
)
values = st.recursive(
    scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=5), v, max_size=3)
)
IMAGE = {"path": "cat.jpg", "sha256": "a" * 64, "type": "jpg", "size": 1, "width": 2, "height": 3}
records = st.builds(
    lambda path, changes: IMAGE | path | changes,
    st.fixed_dictionaries({}, optional={"path": scalars}),
    st.dictionaries(st.sampled_from([*IMAGE, "format", "alt"]), values, max_size=2),
)
record_lines = st.builds(
    lambda r, ascii_: json.dumps(r, ensure_ascii=ascii_), records, st.booleans()
)
PIECES = [b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\\u", b"d800", b"0000", b"\n", b"\r",
          b" ", b"\xef\xbb\xbf", b"\xff", b"\xe9", b"<<<<<<< HEAD", b"9" * 5000, b"[" * 2000,
          b'{"a":' * 300, b"1e999", b"NaN", b"-0", b'"path"', b'"sha256"', b'"size"', b"null",
          b"},{", b"}]}", b'"x":[{}', b"{}]}", GOOD, GOOD[:60], GOOD[60:]]  # fmt: skip
soup = st.lists(st.sampled_from(PIECES) | st.binary(max_size=6), max_size=12).map(b"".join)
lines = record_lines.map(lambda line: line.encode(errors="surrogatepass")) | soup
manifests = st.lists(lines, max_size=6).map(b"\n".join)


@fuzzed
@given(manifests)
@example(b'{"x":[{}\n{}]}\n{"a":1}, 5, {"a":1}\n5')
def test_any_manifest_is_read_and_comes_through_its_own_writing(data: bytes) -> None:
    check(data)


@pytest.mark.full
@pytest.mark.timeout(3600)
@full
@given(manifests)
def test_very_many_manifests_are_read_and_come_through_their_own_writing(data: bytes) -> None:
    check(data)
