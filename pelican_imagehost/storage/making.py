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
from pelican_imagehost.images.variants.make import SMALL, Wanted
from pelican_imagehost.report import Problem, count

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pelican_imagehost.images.variants.batch import Done
    from pelican_imagehost.report import Say
    from pelican_imagehost.storage.catalogue import Catalogue
    from pelican_imagehost.storage.store import Batch, Store

__all__ = ["Making", "find_lacking", "make_variants", "with_present"]

RECIPE = 1  # raising it makes nothing again by itself
_WORTH_A_LINE = 5.0  # seconds of CPU
_WORKERS = os.cpu_count() or 1


class Making(NamedTuple):
    """What was made.

    Attributes:
        images: digest → image with its variants, for each that was looked at.
        problems: the images that could not be decoded.
    """

    images: dict[str, Image]
    problems: list[Problem]


def find_lacking(catalogue: Catalogue, images: Mapping[str, Image]) -> dict[str, Image]:
    """Find the images whose variants are to be made, by digest.

    Args:
        catalogue: the catalogue of the site.
        images: manifest path → image.

    Returns:
        Those that nobody has looked at with these settings, and those whose variants are lost
        and have to be in the output. A site that only reads makes none, because its pages must
        not name what nobody publishes.
    """
    settings, has = catalogue.settings, catalogue.store.has
    if not settings.formats or settings.frozen or not settings.stores:
        return {}
    wanted = _recipe(catalogue).partition(" ")[2]
    needs_bytes = settings.embedded is not None
    return {
        image.sha256: image
        for image in images.values()
        if image.type != "svg"
        and image.size >= SMALL
        and (
            image.recipe.partition(" ")[2] != wanted
            or (needs_bytes and not all(map(has, image.variants)))
        )
        and has(image)
    }


def make_variants(catalogue: Catalogue, lacking: Mapping[str, Image], say: Say) -> Making:
    """Make variants, and write them to the store and the manifest, some images at a time.

    Args:
        catalogue: the catalogue of the site.
        lacking: digest → image, from `find_lacking`.
        say: is called with a line for the user: at once if it takes long, and if nothing can
            be made.

    Raises:
        StoreError: the store cannot be written; what was written before is kept.
    """
    making = Making({}, [])
    if not lacking:
        return making
    from pelican_imagehost.images.variants.batch import (  # noqa: PLC0415  only if needed
        Job,
        estimate,
        make_all,
    )

    settings, store = catalogue.settings, catalogue.store
    wanted = Wanted(settings.formats, settings.widths, fallback=False)
    jobs = (Job(image, store.path(image.key).read_bytes, wanted) for image in lacking.values())
    seconds = estimate(lacking.values()) / _WORKERS
    if seconds > _WORTH_A_LINE:
        say(
            f"making smaller variants of {count(len(lacking), 'image')}, once, in about "
            f"{_duration(seconds)}; to make them later, set IMAGEHOST_MAKE_VARIANTS = False and "
            "run pelican-imagehost variants; to make none, set IMAGEHOST_FORMATS = []"
        )
    try:
        with catalogue.progress(
            "Making variants", sum(one.size for one in lacking.values())
        ) as advance:
            for batch in make_all(jobs, _WORKERS, advance):
                _write(catalogue, batch, making)
    except MissingEncoder as error:
        say(f"no variants were made: {error}")
    return making


def with_present(catalogue: Catalogue, images: Iterable[Image]) -> dict[str, str]:
    """Return the forms of images that are in the output: without variants that are lost.

    Returns:
        Digest → forms, for images that lack some.
    """
    has, found = catalogue.store.has, {}
    for image in images:
        if image.forms:
            present = [one for one in image.variants if has(one)]
            if len(present) < len(image.variants):
                found[image.sha256] = image.with_variants(present, image.recipe).forms
    return found


def _recipe(catalogue: Catalogue) -> str:
    settings = catalogue.settings
    return " ".join(map(str, (RECIPE, *settings.formats, *settings.widths)))


def _write(catalogue: Catalogue, batch: list[Done], making: Making) -> None:
    recipe = _recipe(catalogue)
    found = {}
    with catalogue.store.locked():
        catalogue.manifest.refresh()  # `gc` may have dropped lines since
        with catalogue.store.batch() as files:
            for done in batch:
                if done.error is not None:
                    making.problems.append(_problem(catalogue, done))
                elif catalogue.store.has(done.image):
                    variants = _keep(catalogue.store, files, done, recipe)
                    found[done.image.sha256] = done.image.with_variants(variants, recipe)
        listed = catalogue.manifest.images.items()
        catalogue.list_images(
            {
                path: image._replace(forms=found[image.sha256].forms)
                for path, image in listed
                if image.sha256 in found
            }
        )
    making.images.update(found)


def _keep(store: Store, files: Batch, done: Done, recipe: str) -> list[Image]:
    """Store what was made, but for what is there already by the same recipe: that stays."""
    before = done.image.variants if done.image.recipe == recipe else []
    there = {(one.type, one.width): one for one in before if store.has(one)}
    variants = []
    for made in done.made:
        digest = hashlib.sha256(made.data).hexdigest()
        image = Image(digest, made.type, len(made.data), made.width, made.height)
        if (made.type, made.width) not in there:
            files.add(image, made.data)
        variants.append(there.get((made.type, made.width), image))
    return variants


def _problem(catalogue: Catalogue, done: Done) -> Problem:
    listed = catalogue.manifest.images.items()
    path = next((path for path, one in listed if one.sha256 == done.image.sha256), done.image.key)
    assert done.error is not None  # noqa: S101  as the caller has seen
    return Problem("", None, path, done.error)


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return count(minutes, "minute") if minutes else f"{seconds:.0f} seconds"
