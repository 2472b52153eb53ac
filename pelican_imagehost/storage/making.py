"""Make the variants that images lack: into the store, then into their lines.

A line says which variants its image has, and with which settings somebody looked for them, so
that nothing is made twice: not after the output was deleted, nor in another clone, nor by a
later version with a better recipe.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.images.image import Image
from pelican_imagehost.images.variants.make import Wanted, is_worthwhile
from pelican_imagehost.report import count, silent
from pelican_imagehost.storage.store import names_in

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from pelican_imagehost.images.variants.batch import Done
    from pelican_imagehost.images.variants.make import Asked
    from pelican_imagehost.report import Say
    from pelican_imagehost.settings import Settings
    from pelican_imagehost.storage.catalogue import Catalogue
    from pelican_imagehost.storage.store import Batch, Store

__all__ = [
    "Lacking",
    "can_make",
    "find_lacking",
    "find_unmet",
    "make_asked",
    "make_variants",
    "without_lost",
]

RECIPE = 1  # raising it makes nothing again by itself
_WORTH_A_LINE = 5.0  # seconds of CPU
_WORKERS = os.cpu_count() or 1


class Lacking(NamedTuple):
    """Images that lack variants, by digest.

    Attributes:
        new: those that nobody has looked at with these settings.
        lost: those with variants that have to be in the output, but are not there or in the store.
        absent: those with variants that are not in the output, if they have to be.
    """

    new: dict[str, Image]
    lost: dict[str, Image]
    absent: dict[str, Image]


def can_make(settings: Settings) -> bool:
    """Return whether a site may make variants: pages must not name what nobody publishes."""
    return bool(settings.formats) and settings.stores and not settings.frozen


def find_lacking(catalogue: Catalogue, images: Mapping[str, Image]) -> Lacking:
    """Find the images that lack variants.

    Args:
        catalogue: the catalogue of the site.
        images: manifest path → image.
    """
    settings, has = catalogue.settings, catalogue.store.has
    embedded = settings.embedded
    named = [(image, () if embedded is None else image.variant_names) for image in images.values()]
    # Listing folders takes a third of the time of looking for each file.
    folders = {name[:2] for _, names in named for name in names}
    delivered = None if embedded is None else names_in(os.path.join(embedded, ""), folders)
    done, makes = f' {_wanted(settings)}"', can_make(settings)
    lacking = Lacking({}, {}, {})
    for image, names in named:
        is_done = image.forms.endswith(done) or not is_worthwhile(image.size, image.type)
        if makes and not is_done and has(image):
            lacking.new[image.sha256] = image
        if image.forms and delivered is not None and not delivered.issuperset(names):
            lacking.absent[image.sha256] = image
            if not all(one.name in delivered or has(one) for one in image.variants):
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
        MissingEncoder: Pillow is missing, or cannot write a type.
    """
    settings = catalogue.settings
    images = _makeable(catalogue, images)
    if not images:
        return {}
    from pelican_imagehost.images.variants.batch import estimate  # noqa: PLC0415  only if needed

    seconds = estimate(images) / workers
    if seconds > _WORTH_A_LINE:
        say(
            f"making smaller variants of {count(len(images), 'image')}, once, in about "
            f"{_duration(seconds)}; to make them later, set IMAGEHOST_MAKE_VARIANTS = False and "
            "run pelican-imagehost variants; to make none, set IMAGEHOST_FORMATS = []"
        )
    wanted = Wanted(settings.formats, settings.widths)
    recipe = f"{RECIPE} {_wanted(settings)}"
    return _make(
        catalogue,
        [(image, wanted) for image in images],
        lambda image, made: image.with_variants(made, recipe),
        say,
        workers,
    )


def make_asked(
    catalogue: Catalogue,
    images: Iterable[Image],
    asked: Mapping[str, Collection[Asked]],
    say: Say,
    *,
    workers: int = _WORKERS,
) -> dict[str, Image]:
    """Make variants that a theme asks for, beside those that images have.

    Args:
        catalogue: the catalogue of the site.
        images: images that may be among them.
        asked: digest → what is asked of it; what there is already, or cannot be made here, is
            left out.
        say: as for `make_variants`.
        workers: the number of threads.

    Returns:
        As `make_variants`.

    Raises:
        ImageHostError: as `make_variants`.
    """
    unmet = [
        (image, Wanted(asked=rest))
        for image in _makeable(catalogue, images)
        if (rest := find_unmet(image, asked.get(image.sha256, ())))
    ]
    return _make(catalogue, unmet, _with_more, say, workers) if unmet else {}


def find_unmet(image: Image, asked: Iterable[Asked]) -> set[Asked]:
    """Return what is asked for and is not among the variants of an image."""
    have = [(one.width, one.type) for one in image.variants]
    return {one for one in asked if not any(one.is_met(*other) for other in have)}


def without_lost(catalogue: Catalogue, image: Image) -> Image:
    """Return an image with those of its variants that the store has."""
    present = [one for one in image.variants if catalogue.store.has(one)]
    return image.with_variants(present, image.recipe)


def _wanted(settings: Settings) -> str:
    return " ".join(map(str, (*settings.formats, *settings.widths)))


def _makeable(catalogue: Catalogue, images: Iterable[Image]) -> list[Image]:
    """Return the images of which something can be made, each once."""
    if not can_make(catalogue.settings):
        return []
    unique = {image.sha256: image for image in images}.values()
    has = catalogue.store.has
    return [one for one in unique if is_worthwhile(one.size, one.type) and has(one)]


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
    workers: int,
) -> dict[str, Image]:
    """Make variants, and write them to the store and the manifest.

    Args:
        catalogue: the catalogue of the site.
        wanted: the images, and what is to be made of each.
        give: gives an image what was made.
        say: as for `make_variants`.
        workers: the number of threads.
    """
    from pelican_imagehost.images.variants.batch import (  # noqa: PLC0415  only if needed
        Job,
        make_all,
    )

    path = catalogue.store.path
    jobs = (Job(image, path(image.key).read_bytes, one) for image, one in wanted)
    size = sum(image.size for image, _ in wanted)
    bar = catalogue.progress if len(wanted) > 1 else silent
    made: dict[str, Image] = {}
    with bar("Making variants", size) as advance:
        for batch in make_all(jobs, workers, advance):
            made |= _write(catalogue, batch, give)
            _explain(catalogue, batch, say)
    return made


def _write(
    catalogue: Catalogue, batch: list[Done], give: Callable[[Image, list[Image]], Image]
) -> dict[str, Image]:
    """Write what was made: bytes, then lines; also that nothing can be made of an image."""
    found: dict[str, list[Image]] = {}
    with catalogue.store.locked():
        catalogue.manifest.refresh()  # `gc` may have dropped lines since
        with catalogue.store.batch() as files:
            batch = [done for done in batch if catalogue.store.has(done.image)]
            for done in batch:
                found[done.image.sha256] = _keep(catalogue.store, files, done)
        listed = catalogue.manifest.images.items()
        catalogue.list_images(
            {
                path: give(image, found[image.sha256])
                for path, image in listed
                if image.sha256 in found
            }
        )
    return {done.image.sha256: give(done.image, found[done.image.sha256]) for done in batch}


def _keep(store: Store, files: Batch, done: Done) -> list[Image]:
    """Store what was made, but for what is there already: that stays."""
    there = {(one.type, one.width): one for one in done.image.variants if store.has(one)}
    variants = []
    for made in done.made:
        digest = hashlib.sha256(made.data).hexdigest()
        image = Image(digest, made.type, len(made.data), made.width, made.height)
        if (made.type, made.width) not in there:
            files.add(image, made.data)
        variants.append(there.get((made.type, made.width), image))
    return variants


def _explain(catalogue: Catalogue, batch: list[Done], say: Say) -> None:
    for done in batch:
        if done.error is not None:
            listed = catalogue.manifest.images.items()
            names = (path for path, one in listed if one.sha256 == done.image.sha256)
            say(f"{next(names, done.image.key)}: has no smaller variants, because it {done.error}")


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return count(minutes, "minute") if minutes else f"{seconds:.0f} seconds"
