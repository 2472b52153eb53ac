"""Markdown and HTML for an image, to copy and paste."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pelican_imagehost.gallery.listing import ListedImage

__all__ = ["describe", "to_html", "to_markdown"]

_SPECIAL = re.compile(r"[\\`*_\[\]]")


def describe(name: str) -> str:
    """Make an alternative text from the name of a file, without its suffix, on one line."""
    return " ".join(re.sub(r"(?<=.)\.\w{1,5}$", "", name).split())


def to_markdown(image: ListedImage) -> str:
    """Write an image in Markdown, escaped for every dialect.

    Not every dialect supports a backslash before `<`; all support entities.
    """
    text = _SPECIAL.sub(r"\\\g<0>", escape(describe(image.name), quote=False))
    address = f"<{image.url}>" if re.search(r"[()]", image.url) else image.url
    return f"![{text}]({address})"


def to_html(image: ListedImage) -> str:
    """Write an image in HTML, with its size, so that the page does not jump when it loads."""
    return (
        f'<img src="{escape(image.url)}" alt="{escape(describe(image.name))}" '
        f'width="{image.width}" height="{image.height}">'
    )
