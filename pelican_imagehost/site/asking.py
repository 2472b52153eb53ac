"""Make the variants that a theme asks for while a page is rendered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pelican_imagehost.errors import ImageHostError
from pelican_imagehost.images.variants.make import is_worthwhile
from pelican_imagehost.site.build import say
from pelican_imagehost.storage.making import find_unmet, make_asked

if TYPE_CHECKING:
    from pelican_imagehost.images.image import Image
    from pelican_imagehost.images.variants.make import Asked
    from pelican_imagehost.site.build import Build

__all__ = ["ask"]


def ask(build: Build, image: Image, asked: set[Asked]) -> Image:
    """Return an image with the variants that a theme asks for, as far as they can be made.

    What is lacking is made at once, because the page is about to name it; and remembered, so
    that it is tried once, and can be made later if this build makes none.

    Args:
        build: the build that renders.
        image: the image.
        asked: the variants.
    """
    image = build.written.images[image.sha256]
    known = build.asked.get(image.sha256, set())
    lacking = find_unmet(image, asked) - known
    if not lacking or not is_worthwhile(image.size, image.type):
        return image
    build.asked[image.sha256] = known | lacking
    if not build.makes_variants:
        return image
    try:
        made = make_asked(build.image_host.catalogue, [image], {image.sha256: lacking}, say)
        build.image_host.deliver(made.values())
        image = made.get(image.sha256, image)
    except ImageHostError as error:  # the page names what is there
        build.makes_variants = False
        say(f"no variants were made: {error}")
    for path, one in build.report.images.items():
        if one.sha256 == image.sha256:
            build.report.images[path] = one._replace(forms=image.forms)
    build.written.know([image])
    return image
