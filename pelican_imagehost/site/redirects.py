"""Redirects from the old addresses of images to the new ones, for hosts that read such a file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pelican_imagehost.images.image import Image
    from pelican_imagehost.settings import Settings

__all__ = ["redirects_of", "write_redirects"]

_START, _END = "# pelican-imagehost: old addresses of images\n", "# pelican-imagehost: end\n"
_FILES = {"nginx": "imagehost-redirects.map", "netlify": "_redirects"}
_BLOCK = re.compile(rf"\n?{_START}.*?{_END}", re.DOTALL)


def redirects_of(settings: Settings) -> set[str]:
    """Return the file for redirects, absolute, if IMAGEHOST_REDIRECTS asks for one."""
    kind = settings.redirects
    return set() if kind is None else {f"{settings.output}/{_FILES[kind]}"}


def write_redirects(settings: Settings, moved: Mapping[str, Image]) -> list[str]:
    """Write the file that IMAGEHOST_REDIRECTS asks for.

    Args:
        settings: the settings of the site.
        moved: file of the output, relative → the image that was there.

    Returns:
        The file, absolute, unless nothing needs to be in it.

    Raises:
        OSError: the output cannot be written.
    """
    if settings.redirects is None:
        return []
    site = urlsplit(settings.site_url).path
    pairs = [
        (f"{site}/{name}", settings.address_prefix + image.key)
        for name, image in sorted(moved.items())
    ]
    if settings.redirects == "nginx":
        lines = [f'"{_quoted(old)}" "{new}";\n' for old, new in pairs]
        return _write(settings.output / _FILES["nginx"], "".join(lines))
    file = settings.output / _FILES["netlify"]
    before = file.read_text("utf-8", "surrogateescape") if file.is_file() else ""
    kept = _BLOCK.sub("", before)
    lines = [f"{quote(old, errors='surrogateescape')} {new} 301\n" for old, new in pairs]
    block = "".join((_START, *lines, _END)) if lines else ""
    gap = "\n" if block and kept and not kept.endswith("\n") else ""
    return _write(file, f"{kept}{gap}{block}")


def _quoted(path: str) -> str:
    """Write a path in quotes for nginx, where a leading `~` would begin a pattern."""
    return path.replace("\\", r"\\").replace('"', r"\"")


def _write(file: Path, text: str) -> list[str]:
    if text != (file.read_text("utf-8", "surrogateescape") if file.exists() else ""):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8", "surrogateescape")
    return [str(file)] if text else []
