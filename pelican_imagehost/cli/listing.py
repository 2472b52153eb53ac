"""The list of images as a person reads it on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from pelican_imagehost.gallery.query import day_of
from pelican_imagehost.report import count, readable_size

if TYPE_CHECKING:
    from pelican_imagehost.gallery.listing import ListedImage

__all__ = ["show_images"]

_WIDE = 10_000  # columns where no terminal sets a limit


def show_images(images: list[ListedImage]) -> None:
    """Print a table and a closing line."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDE)
    table = Table("path", "type", "size", "pixels", "date", "used in", "address", box=None)
    for image in images:
        table.add_row(
            "\n".join(image.paths) or image.name,
            image.type,
            readable_size(image.size),
            f"{image.width} × {image.height}",
            "–" if image.created is None else day_of(image.created).isoformat(),
            "\n".join(image.documents) or "–",
            image.url,
        )
    console.print(table)
    total, saved = sum(image.size for image in images), sum(image.saved for image in images)
    line = f"{count(len(images), 'image')}, {readable_size(total)}"
    console.print(f"{line}; {readable_size(saved)} saved by storing once", highlight=False)
