"""What is copied of an image: Markdown and HTML that show it, fit to paste."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pelican_imagehost.gallery.listing import ListedImage

__all__ = ["describe", "to_html", "to_markdown"]

_SPECIAL = re.compile(r"[\\`*_\[\]]")


def describe(name: str) -> str:
    """Make an alternative text of a file's name: without its suffix, in one line."""
    return " ".join(re.sub(r"(?<=.)\.\w{1,5}$", "", name).split())


def to_markdown(image: ListedImage) -> str:
    """Write an image in Markdown, so that its text stays text in every dialect.

    A backslash before `<` is not understood everywhere, an entity is.
    """
    text = _SPECIAL.sub(r"\\\g<0>", escape(describe(image.name), quote=False))
    address = f"<{image.url}>" if re.search(r"[()]", image.url) else image.url
    return f"![{text}]({address})"


def to_html(image: ListedImage) -> str:
    """Write an image in HTML, with its size, so that a page does not jump when it comes."""
    return (
        f'<img src="{escape(image.url)}" alt="{escape(describe(image.name))}" '
        f'width="{image.width}" height="{image.height}">'
    )
