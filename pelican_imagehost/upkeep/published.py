"""Compare what is published with the manifest and the records: sizes and, if asked, bytes."""

from __future__ import annotations

import hashlib
from contextlib import closing
from typing import TYPE_CHECKING

from pelican_imagehost.images.image import digest_of
from pelican_imagehost.publish.publisher import Publisher
from pelican_imagehost.report import count, silent
from pelican_imagehost.storage.book import has_records, open_records
from pelican_imagehost.storage.manifest import Manifest
from pelican_imagehost.upkeep.verify import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pelican_imagehost.images.image import Image
    from pelican_imagehost.publish.target import Target
    from pelican_imagehost.report import Progress
    from pelican_imagehost.settings import Settings

__all__ = ["verify_published"]


def verify_published(settings: Settings, *, deep: bool, progress: Progress = silent) -> Verdict:
    """Find images that the site needs and that are missing or damaged where they are published.

    Args:
        settings: the settings of the site.
        deep: also fetch every published image, and hash its bytes.
        progress: shows the progress of fetching.

    Raises:
        ImageHostError: the manifest or the records cannot be read, or the host does not answer.
    """
    target = Publisher(settings).target
    target.refresh()
    there = target.sizes()
    wanted = _wanted(settings)
    bad = {}
    for key, image in wanted.items():
        if key not in there:
            bad[key] = "missing"
        elif (size := there[key]) is not None and size != image.size:
            bad[key] = f"has {size:,} bytes instead of {image.size:,}"
    if deep:
        rest = {key: size or 0 for key, size in there.items() if key not in bad}
        bad |= dict.fromkeys(_find_damaged(target, rest, progress), "has other bytes")
    parts = [f"{count(len(there), 'image')} published", f"{len(bad):,} missing or damaged"]
    if unlisted := there.keys() - wanted.keys():
        parts.append(f"{len(unlisted):,} not listed here")
    lines = [f"{key}: {problem}" for key, problem in sorted(bad.items())]
    return Verdict(lines, ", ".join(parts), not bad)


def _wanted(settings: Settings) -> dict[str, Image]:
    """Return the images of the manifest, and the uploads that have been sent."""
    images = Manifest.load(settings.manifest).images.values()
    wanted = {one.key: one for image in images for one in image.all}
    if has_records(settings):
        with closing(open_records(settings, read_only=True)) as records:
            wanted |= {one.image.key: one.image for one in records.all() if one.pushed}
    return wanted


def _find_damaged(target: Target, sizes: Mapping[str, int], progress: Progress) -> Iterator[str]:
    """Yield the keys of images whose bytes are not those in their names."""
    with progress("Fetching", sum(sizes.values())) as advance:
        for key, size in sizes.items():
            data = target.read(key) or b""
            if hashlib.sha256(data).hexdigest() != digest_of(key):
                yield key
            advance(size)
