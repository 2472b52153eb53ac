"""Obsidian's way to embed an image: `![[cat.png]]`, `![[cat.png|300]]`, `![[cat.png|A cat]]`."""

from __future__ import annotations

import html
import re
from typing import Final, NamedTuple

from pelican_imagehost.documents.wanted import has_image_suffix

__all__ = ["EMBED", "Embed", "as_markdown", "read_embed", "target_of"]

EMBED: Final = r"!\[\[([^\[\]\n]+)\]\]"
_MARKED = re.compile(r"\[\[(.+)\]\]", re.DOTALL)
_SIZE = re.compile(r"\s*([0-9]+)(?:\s*x\s*([0-9]+))?\s*", re.ASCII)


class Embed(NamedTuple):
    """An image as Obsidian embeds it.

    Attributes:
        target: The name of the file, with folders or without.
        alt: The alternative text, "" if there is none.
        size: The attributes `width` and `height`, those that are given.
    """

    target: str
    alt: str
    size: dict[str, str]

    @property
    def url(self) -> str:
        """Return the target marked as one, for `Resolver`: it is searched for like that."""
        return f"[[{self.target}]]"


def as_markdown(embed: Embed, address: str) -> str:
    """Write an image as other programs read it too.

    Args:
        embed: The image.
        address: The address instead of its target.

    Returns:
        Markdown, which for an image with a size is HTML, with the attributes in the order
        of Python-Markdown.
    """
    if not embed.size:
        return f"![{embed.alt}]({address})"
    values = {"alt": embed.alt, "src": address, **embed.size}
    quoted = {name: html.escape(text, quote=False) for name, text in values.items()}
    attributes = (
        f'{name}="{text.replace(chr(34), "&quot;")}"' for name, text in sorted(quoted.items())
    )
    return f"<img {' '.join(attributes)}>"


def read_embed(inside: str) -> Embed | None:
    r"""Read what is between the brackets.

    Args:
        inside: The target, then, each after a `|` or a `\|`, an alternative text and a size.

    Returns:
        The image; None if the target does not have the suffix of one, as a note.
    """
    target, *rest = (part.strip() for part in inside.replace("\\|", "|").split("|"))
    if not has_image_suffix(target):
        return None
    size = _SIZE.fullmatch(rest[-1]) if rest else None
    if size is None:
        return Embed(target, "|".join(rest), {})
    given = {"width": size[1], "height": size[2]}
    return Embed(target, "|".join(rest[:-1]), {name: n for name, n in given.items() if n})


def target_of(url: str) -> str | None:
    """Return the target in the URL of an `Embed`; None if the URL is not one."""
    marked = _MARKED.fullmatch(url)
    return marked[1] if marked else None
