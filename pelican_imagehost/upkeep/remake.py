"""Make variants again that the store has lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pelican_imagehost.errors import MissingEncoder
from pelican_imagehost.storage.making import make_variants

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from pelican_imagehost.images.image import Image
    from pelican_imagehost.report import Say
    from pelican_imagehost.storage.catalogue import Catalogue

__all__ = ["remake"]

Ends = dict[str, str]


def remake(catalogue: Catalogue, gone: AbstractSet[str], say: Say) -> tuple[Ends, Ends]:
    """Make lost variants again from their images.

    Another Pillow may make other bytes, which have another address; the line is renewed then.

    Args:
        catalogue: the catalogue of the site, whose manifest is not frozen.
        gone: the keys that are not in the store.
        say: is called with a line for the user.

    Returns:
        Key → what became of the variant: for those that are not lost any more, and for those
        that are.

    Raises:
        ImageHostError: the store or the manifest cannot be written.
    """
    has = catalogue.store.has
    lacking = {
        path: image
        for path, image in catalogue.manifest.images.items()
        if any(one.key in gone for one in image.variants)
    }
    able = {image.sha256: image for image in lacking.values() if has(image)}
    made = able
    if catalogue.settings.formats:
        try:
            made = make_variants(catalogue, able.values(), say)
        except MissingEncoder as error:
            say(f"no variants were made: {error}")
            made = {}
    else:
        _forget(catalogue, able)
    well, lost = Ends(), Ends()
    for image in lacking.values():
        for key in gone & {one.key for one in image.variants}:
            if image.sha256 in made:
                again = catalogue.store.path(key).exists()
                well[key] = "made again" if again else "its line is renewed"
            elif image.sha256 not in able:
                lost[key] = "its image is missing too"
            else:
                lost[key] = "it cannot be made here"
    return well, lost


def _forget(catalogue: Catalogue, images: Mapping[str, Image]) -> None:
    """Take lost variants out of lines; a build that wants some will look for them."""
    has = catalogue.store.has
    with catalogue.store.locked():
        catalogue.manifest.refresh()
        catalogue.list_images(
            {
                path: image.with_variants(filter(has, image.variants), "")
                for path, image in catalogue.manifest.images.items()
                if image.sha256 in images
            }
        )
