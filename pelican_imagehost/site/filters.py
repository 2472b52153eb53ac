"""What themes write to get smaller pictures: the filters `imagehost` and `picture` of Jinja.

    <img src="{{ article.image|imagehost(width=400) }}" alt="">
    {{ article.image|picture(widths=[400, 800], sizes="400px", alt=article.title) }}

Filters, because they work in macros and includes, need no import, and their names cannot hide a
variable of a theme.
"""

from __future__ import annotations

import logging
import os
import re
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateRuntimeError, Undefined, pass_context
from markupsafe import Markup, escape

from pelican_imagehost.documents.sources import shown_anywhere, sources_of
from pelican_imagehost.documents.wanted import has_image_suffix
from pelican_imagehost.images.image import KEY
from pelican_imagehost.images.variants.make import Asked, widths_to_make
from pelican_imagehost.site.asking import ask

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jinja2.runtime import Context

    from pelican_imagehost.images.image import Image
    from pelican_imagehost.site.build import Build

__all__ = ["add_filters"]

logger = logging.getLogger(__name__)
_AT_END = re.compile(rf"{KEY.pattern}\Z")


def add_filters(environment: Any, current: Callable[[], Build | None]) -> None:  # noqa: ANN401  of Jinja
    """Add the filters to an environment of Jinja.

    Args:
        environment: the environment; a filter `picture` of the site's own stays.
        current: returns the build that renders; None if there is none.
    """
    filters = _Filters(current)
    environment.filters["imagehost"] = filters.imagehost
    environment.filters.setdefault("picture", filters.picture)


class _Filters:
    """The filters; what a template gives them may be anything."""

    def __init__(self, current: Callable[[], Build | None]) -> None:
        self._current = current

    @pass_context
    def imagehost(self, context: Context, value: Any, width: Any) -> Any:  # noqa: ANN401  as above
        """Return the address of a picture of a width, or of the image's own if that is less."""
        _check("imagehost", [width])
        if isinstance(value, Undefined) or not value:
            return ""
        build = self._current()
        image = _find(build, value, context) if build else None
        return value if build is None or image is None else _address(build, image, width)

    @pass_context
    def picture(
        self,
        context: Context,
        value: Any,  # noqa: ANN401  as above
        widths: Sequence[Any] = (),
        sizes: str = "",
        alt: object = "",
        **attributes: object,
    ) -> Markup:
        """Return a `<picture>`, or an `<img>` for an image without variants."""
        _check("picture", widths)
        if isinstance(value, Undefined) or not value:
            return Markup("")
        build = self._current()
        image = _find(build, value, context) if build else None
        if build is None or image is None:
            return _tag({"src": value, "alt": alt, **attributes})
        widths = tuple(widths) or build.settings.widths
        tags = ""
        more: dict[str, Markup] = {}
        if build.settings.formats:
            tags, more = _choices(build, image, widths, sizes or build.settings.sizes)
        source = _address(build, image, max(widths))
        box = {} if attributes.keys() & {"width", "height"} else _box(image, max(widths))
        img = _tag({"src": source, **more, "alt": alt, **box, **attributes})
        return Markup(f"<picture>{tags}{img}</picture>") if tags else img  # noqa: S704  escaped


def _choices(
    build: Build, image: Image, widths: Sequence[int], sizes: str
) -> tuple[str, dict[str, Markup]]:
    """Return the `<source>`s for an image, or attributes that say the same."""
    settings = build.settings
    planned = widths_to_make(image.width, widths)
    asked = {Asked(width, kind) for width in planned for kind in settings.formats}
    image = ask(build, image, asked | _plain(image, max(widths)))
    escaped = str(escape(sizes)).replace("~", "&#126;")
    for some in (widths, settings.widths):  # while drafting there may only be the others
        sources = sources_of(image, settings.address_prefix, settings.formats, some, escaped)
        if sources is not None:
            more = {name: Markup(text) for name, text in sources.attributes.items()}  # noqa: S704  escaped
            return sources.tags.replace("~", '"'), more
    return "", {}


def _check(name: str, widths: Sequence[Any]) -> None:
    for width in widths:
        if type(width) is not int or width <= 0:
            raise TemplateRuntimeError(
                f"{name}: a width is a whole number of pixels above 0; found {width!r}"
            )


def _find(build: Build, value: object, context: Context) -> Image | None:
    """Find the image of an address, as a metadata field has it, with whatever before it."""
    text = str(value)
    match = _AT_END.search(text)
    image = build.written.images.get(match[2]) if match else None
    if match and image:
        before = build.written.repair(text)[: -len(match[0])]
        is_ours = before == build.settings.address_prefix or "//" not in before
        return image if is_ours else None
    if (context.name, text) not in build.warned and _is_local(build, text):
        build.warned.add((context.name, text))
        logger.warning(
            "%s: %s is not hosted, so it stays as it is; add its metadata field to "
            "IMAGEHOST_METADATA_FIELDS",
            context.name,
            text,
        )
    return None


def _is_local(build: Build, text: str) -> bool:
    """Return whether a path is that of an image that could be hosted."""
    settings = build.settings
    if not has_image_suffix(text) or "//" in text:
        return False
    link = settings.link_pattern.match(text)
    path = (text[link.end() :] if link else text).lstrip("/")
    if any(name == path or name.endswith(f"/{path}") for name in build.report.images):
        return True
    folders = [*settings.image_folders, *(os.path.dirname(c.source_path) for c in build.contents)]
    return any(os.path.isfile(os.path.join(folder, path)) for folder in dict.fromkeys(folders))


def _address(build: Build, image: Image, width: int) -> str:
    """Return the address of the picture for a width that every browser shows."""
    if build.settings.formats:
        image = shown_anywhere(ask(build, image, _plain(image, width)), width)
        build.written.know_variant(image)
    return build.settings.address_prefix + image.key


def _plain(image: Image, width: int) -> set[Asked]:
    """Return what to ask for, so that every browser shows an image in a width."""
    return {Asked(width)} if widths_to_make(image.width, [width]) == {width} else set()


def _box(image: Image, width: int) -> dict[str, object]:
    """Return the numbers for an image in a width; they do not depend on what was made."""
    if image.type == "svg":
        return {}
    width = min(width, image.width)
    return {"width": width, "height": max(1, round(image.height * width / image.width))}


def _tag(attributes: dict[str, Any]) -> Markup:
    """Return an `<img>`; attributes that are None or False are left out."""
    written = [
        f' {name.replace("_", "-")}="{escape("" if value is True else value)}"'
        for name, value in attributes.items()
        if value is not None and value is not False
    ]
    return Markup(f"<img{''.join(written)}>")  # noqa: S704  escaped
