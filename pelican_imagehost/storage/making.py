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
from pelican_imagehost.report import Problem, count, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from pelican_imagehost.images.variants.batch import Done
    from pelican_imagehost.images.variants.make import Asked
    from pelican_imagehost.report import Say
    from pelican_imagehost.storage.catalogue import Catalogue

__all__ = [
    "Making",
    "find_lacking",
    "find_unmet",
    "make_asked",
    "make_variants",
    "with_present",
]

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
    has = catalogue.store.has
    wanted = _recipe(catalogue).partition(" ")[2]
    needs_bytes = catalogue.settings.embedded is not None
    lacking = (
        image
        for image in images.values()
        if image.recipe.partition(" ")[2] != wanted
        or (needs_bytes and not all(map(has, image.variants)))
    )
    return {image.sha256: image for image in lacking if _can_make(catalogue, image)}


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
    if not lacking:
        return Making({}, [])
    from pelican_imagehost.images.variants.batch import estimate  # noqa: PLC0415  only if needed

    seconds = estimate(lacking.values()) / _WORKERS
    if seconds > _WORTH_A_LINE:
        say(
            f"making smaller variants of {count(len(lacking), 'image')}, once, in about "
            f"{_duration(seconds)}; to make them later, set IMAGEHOST_MAKE_VARIANTS = False and "
            "run pelican-imagehost variants; to make none, set IMAGEHOST_FORMATS = []"
        )
    wanted = Wanted(catalogue.settings.formats, catalogue.settings.widths)
    recipe = _recipe(catalogue)
    return _make(
        catalogue,
        [(image, wanted) for image in lacking.values()],
        lambda image, made: image.with_variants(made, recipe),
        say,
    )


def make_asked(
    catalogue: Catalogue, images: Iterable[Image], asked: Mapping[str, set[Asked]], say: Say
) -> Making:
    """Make variants that a theme asks for, beside those that images have.

    Args:
        catalogue: the catalogue of the site.
        images: images that may be among them.
        asked: digest → what is asked of it; what there is already, or cannot be made here, is
            left out.
        say: is called with a line for the user if nothing can be made.

    Raises:
        StoreError: the store cannot be written; what was written before is kept.
    """
    lacking = {
        image.sha256: (image, Wanted(asked=rest))
        for image in images
        if (rest := find_unmet(image, asked.get(image.sha256, ()))) and _can_make(catalogue, image)
    }
    return _make(catalogue, lacking.values(), _with_more, say) if lacking else Making({}, [])


def find_unmet(image: Image, asked: Iterable[Asked]) -> set[Asked]:
    """Return what is asked for and is not among the variants of an image."""
    have = [(one.width, one.type) for one in image.variants]
    return {one for one in asked if not any(one.is_met(*other) for other in have)}


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


def _can_make(catalogue: Catalogue, image: Image) -> bool:
    settings = catalogue.settings
    may_write = settings.formats and not settings.frozen and settings.stores
    return bool(may_write) and is_worthwhile(image.size, image.type) and catalogue.store.has(image)


def _with_more(image: Image, made: list[Image]) -> Image:
    """Return an image with more variants, in an order that does not depend on which came first."""
    variants = {one.sha256: one for one in (*image.variants, *made)}.values()
    ordered = sorted(variants, key=lambda one: (-one.width, one.type, one.sha256))
    return image.with_variants(ordered, image.recipe)


def _make(
    catalogue: Catalogue,
    wanted: Collection[tuple[Image, Wanted]],
    give: Callable[[Image, list[Image]], Image],
    say: Say,
) -> Making:
    """Make variants, and write them to the store and the manifest.

    Args:
        catalogue: the catalogue of the site.
        wanted: the images, and what is to be made of each.
        give: gives an image what was made.
        say: as for `make_variants`.
    """
    from pelican_imagehost.images.variants.batch import (  # noqa: PLC0415  only if needed
        Job,
        make_all,
    )

    making = Making({}, [])
    path = catalogue.store.path
    jobs = (Job(image, path(image.key).read_bytes, one) for image, one in wanted)
    size = sum(image.size for image, _ in wanted)
    bar = catalogue.progress if len(wanted) > 1 else silent
    try:
        with bar("Making variants", size) as advance:
            for batch in make_all(jobs, _WORKERS, advance):
                _write(catalogue, batch, give, making)
    except MissingEncoder as error:
        say(f"no variants were made: {error}")
    return making


def _write(
    catalogue: Catalogue,
    batch: list[Done],
    give: Callable[[Image, list[Image]], Image],
    making: Making,
) -> None:
    found: dict[str, list[Image]] = {}
    with catalogue.store.locked():
        with catalogue.store.batch() as files:
            for done in batch:
                if done.error is not None:
                    making.problems.append(_problem(catalogue, done))
                    continue
                variants = found[done.image.sha256] = []
                for made in done.made:
                    digest = hashlib.sha256(made.data).hexdigest()
                    size = len(made.data)
                    variants.append(Image(digest, made.type, size, made.width, made.height))
                    files.add(variants[-1], made.data)
                making.images[done.image.sha256] = give(done.image, variants)
        listed = catalogue.manifest.images.items()
        catalogue.list_images(
            {
                path: give(image, found[image.sha256])
                for path, image in listed
                if image.sha256 in found
            }
        )


def _problem(catalogue: Catalogue, done: Done) -> Problem:
    listed = catalogue.manifest.images.items()
    path = next((path for path, one in listed if one.sha256 == done.image.sha256), done.image.key)
    assert done.error is not None  # noqa: S101  as the caller has seen
    return Problem("", None, path, done.error)


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return count(minutes, "minute") if minutes else f"{seconds:.0f} seconds"
