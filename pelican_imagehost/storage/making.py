"""Make the variants that images lack: into the store, then into their lines.

A line says which variants its image has, and with which settings somebody looked for them, so
that nothing is made twice: not after the output was deleted, nor in another clone, nor by a
later version with a better recipe.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.errors import MissingEncoder
from pelican_imagehost.images.image import Image
from pelican_imagehost.images.variants.make import Wanted, is_worthwhile
from pelican_imagehost.report import count

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pelican_imagehost.images.variants.batch import Done
    from pelican_imagehost.report import Say
    from pelican_imagehost.settings import Settings
    from pelican_imagehost.storage.catalogue import Catalogue

__all__ = ["Lacking", "can_make", "find_lacking", "make_variants", "without_lost"]

RECIPE = 1  # raising it makes nothing again by itself
_WORTH_A_LINE = 5.0  # seconds of CPU
_WORKERS = os.cpu_count() or 1


class Lacking(NamedTuple):
    """Images that lack variants, by digest.

    Attributes:
        new: those that nobody has looked at with these settings.
        lost: those with variants that have to be in the output, but are not in the store.
    """

    new: dict[str, Image]
    lost: dict[str, Image]


def can_make(settings: Settings) -> bool:
    """Return whether a site may make variants: pages must not name what nobody publishes."""
    return bool(settings.formats) and settings.stores and not settings.frozen


def find_lacking(catalogue: Catalogue, images: Mapping[str, Image]) -> Lacking:
    """Find the images that lack variants.

    Args:
        catalogue: the catalogue of the site.
        images: manifest path → image.
    """
    settings, names = catalogue.settings, catalogue.store.names()
    done = f' {_wanted(settings)}"'
    lacking = Lacking({}, {})
    for image in images.values():
        is_new = is_worthwhile(image.size, image.type) and not image.forms.endswith(done)
        if is_new and can_make(settings) and image.name in names:
            lacking.new[image.sha256] = image
        elif (
            image.forms
            and settings.embedded is not None
            and not names.issuperset(one.name for one in image.variants)
        ):
            lacking.lost[image.sha256] = image
    return lacking


def make_variants(
    catalogue: Catalogue, images: Iterable[Image], say: Say, *, workers: int = _WORKERS
) -> dict[str, Image]:
    """Make variants, and write them to the store and the manifest, some images at a time.

    Args:
        catalogue: the catalogue of the site.
        images: the images; those whose bytes are not in the store are left out.
        say: is called with a line for the user: at once if it takes long, and for what cannot
            be made.
        workers: the number of threads.

    Returns:
        Digest → image with its variants, maybe none, for each that was looked at.

    Raises:
        StoreError: the store cannot be written; what was written before is kept.
    """
    images = {image.sha256: image for image in images if catalogue.store.has(image)}.values()
    if not (images and can_make(catalogue.settings)):
        return {}
    from pelican_imagehost.images.variants.batch import (  # noqa: PLC0415  only if needed
        Job,
        estimate,
        make_all,
    )

    settings, store = catalogue.settings, catalogue.store
    wanted = Wanted(settings.formats, settings.widths, fallback=False)
    jobs = (Job(image, store.path(image.key).read_bytes, wanted) for image in images)
    seconds = estimate(images) / workers
    if seconds > _WORTH_A_LINE:
        say(
            f"making smaller variants of {count(len(images), 'image')}, once, in about "
            f"{_duration(seconds)}; to make them later, set IMAGEHOST_MAKE_VARIANTS = False and "
            "run pelican-imagehost variants; to make none, set IMAGEHOST_FORMATS = []"
        )
    made: dict[str, Image] = {}
    try:
        with catalogue.progress("Making variants", sum(one.size for one in images)) as advance:
            for batch in make_all(jobs, workers, advance):
                made |= _write(catalogue, batch)
                _explain(catalogue, batch, say)
    except MissingEncoder as error:
        say(f"no variants were made: {error}")
    return made


def without_lost(catalogue: Catalogue, image: Image) -> Image:
    """Return an image with those of its variants that the store has."""
    present = [one for one in image.variants if catalogue.store.has(one)]
    return image.with_variants(present, image.recipe)


def _wanted(settings: Settings) -> str:
    return " ".join(map(str, (*settings.formats, *settings.widths)))


def _write(catalogue: Catalogue, batch: list[Done]) -> dict[str, Image]:
    """Write what was made: bytes, then lines; also that nothing can be made of an image."""
    recipe = f"{RECIPE} {_wanted(catalogue.settings)}"
    found = {}
    with catalogue.store.locked():
        with catalogue.store.batch() as files:
            for done in batch:
                variants = []
                for made in done.made:
                    digest = hashlib.sha256(made.data).hexdigest()
                    size = len(made.data)
                    variants.append(Image(digest, made.type, size, made.width, made.height))
                    files.add(variants[-1], made.data)
                found[done.image.sha256] = done.image.with_variants(variants, recipe)
        listed = catalogue.manifest.images.items()
        catalogue.list_images(
            {
                path: image._replace(forms=found[image.sha256].forms)
                for path, image in listed
                if image.sha256 in found
            }
        )
    return found


def _explain(catalogue: Catalogue, batch: list[Done], say: Say) -> None:
    for done in batch:
        if done.error is not None:
            listed = catalogue.manifest.images.items()
            names = (path for path, one in listed if one.sha256 == done.image.sha256)
            say(f"{next(names, done.image.key)}: has no smaller variants, because it {done.error}")


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return count(minutes, "minute") if minutes else f"{seconds:.0f} seconds"
