"""The first image of a document as its `image`, as users of pelican-featured-image know it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pelican_imagehost.documents.references import find_references
from pelican_imagehost.images.image import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pelican.contents import Content

    from pelican_imagehost.settings import Settings

__all__ = ["give_first_image"]

_NAMES = ("image", "featured_image")


def give_first_image(content: Content, settings: Settings) -> None:
    """Set `image` and `featured_image` of a rewritten document where they are not set.

    Each is the other if that is set; otherwise it is the address of the first hosted image
    of the summary, if the author wrote one, or of the body. It is also written into the
    metadata, as if the author had. A document without an image has None.

    Args:
        content: the document.
        settings: the settings of the site.
    """
    own = (getattr(content, name, None) for name in _NAMES)
    chosen = next(filter(None, own), None) or next(_addresses(content, settings), None)
    for name in _NAMES:
        if not getattr(content, name, None):
            setattr(content, name, chosen)
            if chosen is not None:
                content.metadata[name] = chosen


def _addresses(content: Content, settings: Settings) -> Iterator[str]:
    """Yield the addresses of hosted images; others may be icons or count visitors."""
    prefix = settings.address_prefix
    for text in (getattr(content, "_summary", None), content._content):  # noqa: SLF001  plugins of Pelican access the text this way
        for reference in find_references(text) if isinstance(text, str) else ():
            is_image = reference.element == "img" and not reference.attribute.endswith("set")
            is_ours = reference.url.startswith(prefix)
            if is_image and is_ours and KEY.match(reference.url, len(prefix)):
                yield reference.url
