from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from pelican_imagehost.gallery import uses as mentions
from pelican_imagehost.gallery.uses import Mentions

if TYPE_CHECKING:
    import pytest

    from tests.conftest import Site

A, B = f"aa/{'a' * 64}.jpg", f"bb/{'b' * 64}.png"


def test_files_that_mention_a_key_are_found(site: Site) -> None:
    site.configure(OUTPUT_PATH="content/public")
    site.write("content/a.md", f"![x](https://img.example.com/{A}) <{B}> and {A}")
    site.write("content/deep/er/b.org", f"[[/images/{B}?x#y]]")
    site.write("content/latin.rst", f"caf\xe9 {A}".encode("latin-1"))
    site.write("content/none.md", f"ab/{'a' * 64}.jpg  aa/{'a' * 63}.jpg  aa/{'a' * 64}.exe")
    site.write("content/picture.png", B)
    site.write("content/.hidden/c.md", A)
    site.write("content/public/a.html", A)
    site.write("content/huge.txt", A + " " * 2_000_000)
    (site.root / "content/loop").symlink_to(site.root / "content")
    (site.root / "content/nowhere").symlink_to(site.root / "gone")
    site.write("../elsewhere/d.md", A)
    (site.root / "content/link").symlink_to(site.root.parent / "elsewhere")
    site.write("node_modules/a/index.js", A)
    site.write(".venv/pyvenv.cfg", "")
    site.write("python/pyvenv.cfg", "")
    site.write("python/lib/a.py", A)
    site.write("data/people.json", B)
    site.write("theme/templates/base.html", A)
    os.mkfifo(site.root / "content/pipe")
    site.configure(THEME="theme")
    assert Mentions(site.settings()).find() == {
        "content/a.md": {A, B},
        "content/huge.txt": {A},
        "content/deep/er/b.org": {B},
        "content/latin.rst": {A},
        "content/link/d.md": {A},
        "data/people.json": {B},
        "theme/templates/base.html": {A},
    }


def test_only_what_changed_is_read_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    keys_in = mentions.keys_in

    def watched(path: str) -> frozenset[str]:
        if path.endswith(".md"):
            read.append(path)
        return keys_in(path)

    monkeypatch.setattr(mentions, "keys_in", watched)
    for number in range(50):
        site.write(f"content/{number}.md", A)
    found = Mentions(site.settings())
    first = found.find()
    assert len(read) == len(first) == 50
    read.clear()
    assert found.find() == first
    assert read == []
    site.write("content/7.md", B)
    os.utime(site.root / "content/8.md", ns=(0, time.time_ns()))
    (site.root / "content/9.md").unlink()
    again = found.find()
    assert {os.path.basename(path) for path in read} == {"7.md", "8.md"}
    assert again["content/7.md"] == {B}
    assert "content/9.md" not in again
