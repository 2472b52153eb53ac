"""The list of images as a person or a program reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console
from rich.table import Table

from pelican_imagehost.images.image import readable_size
from pelican_imagehost.report import count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pelican_imagehost.hosting import ImageHost
    from pelican_imagehost.images.image import Image

__all__ = ["ListedImage", "list_images", "show_images"]

_WIDE = 10_000  # columns where no terminal sets a limit


class ListedImage(NamedTuple):
    """One image, however many files hold it; sizes in bytes and pixels."""

    sha256: str
    type: str
    size: int
    width: int
    height: int
    url: str
    paths: list[str]
    documents: list[str]


def list_images(image_host: ImageHost, uses: Mapping[str, set[str]]) -> list[ListedImage]:
    """List what the manifest knows, by the first of each image's paths.

    Args:
        image_host: the site's.
        uses: document → manifest paths.
    """
    paths: dict[Image, list[str]] = {}
    for path, image in sorted(image_host.catalogue.manifest.images.items()):
        paths.setdefault(image, []).append(path)
    documents: dict[str, set[str]] = {}
    for document, used in uses.items():
        for path in used:
            documents.setdefault(path, set()).add(document)
    return [
        ListedImage(
            *image,
            image_host.address(image),
            names,
            sorted(set().union(*(documents.get(name, ()) for name in names))),
        )
        for image, names in paths.items()
    ]


def show_images(images: list[ListedImage]) -> None:
    """Print a table and a closing line."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDE)
    table = Table("path", "type", "size", "pixels", "used in", "address", box=None)
    for image in images:
        table.add_row(
            "\n".join(image.paths),
            image.type,
            readable_size(image.size),
            f"{image.width} × {image.height}",
            "\n".join(image.documents) or "–",
            image.url,
        )
    console.print(table)
    total = sum(image.size for image in images)
    saved = sum(image.size * (len(image.paths) - 1) for image in images)
    line = f"{count(len(images), 'image')}, {readable_size(total)}"
    console.print(f"{line}; {readable_size(saved)} saved by storing once", highlight=False)
