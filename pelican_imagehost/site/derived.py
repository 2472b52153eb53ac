"""Addresses that a theme made out of the address of an image, such as that of its thumbnail.

`{{ article.cover|replace('.jpg', '-small.jpg') }}` was made for paths. A name with the digest
of an image in it is such a one; with the path of the image instead of its address, it leads
to the file that the theme means.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pelican_imagehost.images.image import Image
    from pelican_imagehost.settings import Settings

__all__ = ["Derived", "is_derived"]

_STEM = re.compile(r"([0-9a-f]{2})/(\1[0-9a-f]{62})")


class Derived:
    """Finds the files that derived addresses mean.

    Args:
        settings: the settings of the site.
        images: manifest path → image, of all hosted images.
    """

    def __init__(self, settings: Settings, images: Mapping[str, Image]) -> None:
        self._settings = settings
        self._paths: dict[str, list[str]] = {}
        for path, image in images.items():
            source = os.path.normpath(os.path.join(settings.root, path))
            inside = os.path.relpath(source, settings.content).replace(os.sep, "/")
            self._paths.setdefault(image.sha256, []).append(os.path.splitext(inside)[0])

    def file(self, url: str, has: Callable[[str], bool]) -> str | None:
        """Return the file of the output that a derived address means, relative.

        Args:
            url: the address.
            has: returns whether a file of the output, relative, exists.
        """
        stem = _STEM.search(url)
        if stem is None:
            return None
        paths = self._paths.get(stem[2], ())
        files = (file for path in paths for file in self._candidates(url, stem[0], path))
        return next(filter(has, files), None)

    def _candidates(self, url: str, stem: str, path: str) -> Iterator[str]:
        """Yield the files that a URL may mean: the path, or its name, changed as the address was.

        Args:
            url: the URL.
            stem: the key of the image in it, without the suffix.
            path: the path of the image in the site, without the suffix.
        """
        name = path.rpartition("/")[2]
        for before, after in ((self._settings.address_prefix + stem, path), (stem, name)):
            if before in url:
                changed = url.replace(before, after)
                site = f"{self._settings.site_url}/"
                changed = changed.rpartition(site)[2] if len(site) > 1 else changed
                yield re.split(r"//|\A(?:\.{0,2}/)+", changed)[-1]


def is_derived(url: str) -> bool:
    """Return whether a URL contains the digest of an image; one that is as it was does not count.

    `Written` passes over those.
    """
    return _STEM.search(url) is not None
