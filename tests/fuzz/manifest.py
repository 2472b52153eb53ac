"""What must hold for a manifest of any bytes; used by the tests, and by `python -m tests.fuzz`."""

from __future__ import annotations

import json
from pathlib import Path

from pelican_imagehost.images.image import Image
from pelican_imagehost.storage.manifest import Manifest

FILE = Path("imagehost.jsonl")
PATH = "the line of another.png"
GOOD = json.dumps({"path": PATH, **Image("0" * 64, "png", 1, 1, 1)._asdict()}).encode()
_LINE = (
    '{"path": "%s", "sha256": "' + "a" * 64 + '", "type": "jpg", "size": 1, "width": 2, "height": 3'
)
SEEDS = (
    (
        _LINE % "cat.jpg" + "}\n" + _LINE % "dog.jpg" + ', "alt": [{"a": null}], "format": 1}\n'
    ).encode(),
    (
        _LINE % "cat.jpg"
        + "}\n<<<<<<< HEAD\n"
        + _LINE.replace("a" * 64, "b" * 64) % "cat.jpg"
        + "}"
    ).encode(),
    (_LINE % r"caf\udce9 \u0000 \ud800.jpg" + "}\r\n").encode(),
    "\ufeff{}\n[1e999, -0, NaN]\n".encode(),
)


def check(data: bytes) -> None:
    """Read a manifest, and check that it comes through its own writing unchanged."""
    manifest = Manifest.parse(FILE, data)
    for _, error in manifest.errors:
        assert str(error).isprintable(), str(error)
        assert len(str(error)) < 400
    text = manifest.text().encode(errors="surrogateescape")
    again = Manifest.parse(FILE, text)
    assert again.images == manifest.images
    assert again.conflicts.keys() == manifest.conflicts.keys()
    assert [str(error) for _, error in again.errors] == [str(e) for _, e in manifest.errors]
    assert again.text() == manifest.text()
    lines = data.decode(errors="surrogateescape").split("\n")
    broken = [lines[number - 1].lstrip("\ufeff") for number, _ in manifest.errors]
    if broken:
        assert manifest.unsettled_text().split("\n")[-len(broken) :] == broken
    check_others(data)


def check_others(data: bytes) -> None:
    """Check that a good line is read, whatever stands before and after it."""
    if PATH.encode() not in data and b"\\u" not in data:  # the path itself, escaped or not
        manifest = Manifest.parse(FILE, b"\n".join([data, GOOD, data]))
        assert manifest.images[PATH] == Image("0" * 64, "png", 1, 1, 1)
