"""Export a document for pasting elsewhere: its source, with hosted addresses, verified."""

from __future__ import annotations

import html
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pelican_imagehost.documents.markdown import rewrite_markdown
from pelican_imagehost.documents.references import find_references
from pelican_imagehost.errors import ExportRefused
from pelican_imagehost.report import Document, Problem
from pelican_imagehost.site.fields import find_fields, with_value

if TYPE_CHECKING:
    from pelican_imagehost.hosting import ImageHost
    from pelican_imagehost.site.site import Site

__all__ = ["export_document"]

_SUFFIXES = frozenset([".md", ".markdown", ".mkd", ".mdown", ".html", ".htm"])
_BOM = "\ufeff"


def export_document(site: Site, image_host: ImageHost, source: Path) -> tuple[bytes, list[Problem]]:
    """Replace the addresses of images in the source of a document.

    Args:
        site: the site of the document.
        image_host: hosts the images of the document.
        source: a Markdown or HTML file.

    Returns:
        The new source, with line ends and byte order mark unchanged, and the problems with
        its images; the source is empty if there are any.

    Raises:
        ExportRefused: the file has another type, or cannot be exported without changing more
            than image addresses.
    """
    _check(site, source)
    text = _decode(source)
    rendered = _render(site, source, text)
    urls = list(dict.fromkeys(reference.url for reference in find_references(rendered)))
    document = Document(
        str(source.absolute()), str, tuple(f'<img src="{html.escape(u)}">' for u in urls), ()
    )
    report = image_host.host([document])
    if report.problems:
        return b"", report.problems
    images = (find_references(text)[0].url for text in report.documents[0].html)
    addresses = {url: new for url, new in zip(urls, images, strict=True) if url != new}
    result = rewrite_markdown(text, lambda new: _render(site, source, new), addresses.get)
    return result.encode(), []


def _check(site: Site, source: Path) -> None:
    if source.suffix.lower() not in _SUFFIXES:
        raise ExportRefused(f"{source}: only Markdown and HTML documents can be exported")
    if not (site.settings.url or site.settings.site_url):
        raise ExportRefused(
            "IMAGEHOST_URL and SITEURL are not set, so images have no address; "
            "try -s publishconf.py"
        )


def _decode(source: Path) -> str:
    try:
        return source.read_bytes().decode()
    except OSError as error:
        raise ExportRefused(f"{source}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ExportRefused(
            f"{source}: is not UTF-8 (byte {error.start}); save it as UTF-8"
        ) from error


def _render(site: Site, source: Path, text: str) -> str:
    """Render a source as the site would: the body, then the metadata fields."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, source.name)
        file.write_bytes(text.encode())
        body, metadata = site.read(file)
    parts = [body]
    fields = list(find_fields(metadata, site.settings))
    for field in fields:
        parts.append(f'<a href="{html.escape(field.value)}"></a>')  # recognised by its suffix
        metadata[field.name] = with_value(metadata[field.name], field.path, "")
    parts += [f"{name}: {value}" for name, value in sorted(metadata.items())]
    return "\n".join(parts)
