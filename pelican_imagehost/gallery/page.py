"""The gallery's pages as HTML: plain, whole without a script, safe with any name in it."""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

import jinja2

from pelican_imagehost.gallery.assets import load_assets
from pelican_imagehost.gallery.query import SORTS, day_of
from pelican_imagehost.gallery.snippets import describe, to_html, to_markdown
from pelican_imagehost.report import count, readable_size

if TYPE_CHECKING:
    from pelican_imagehost.gallery.listing import Deletion
    from pelican_imagehost.gallery.view import View
    from pelican_imagehost.settings import Settings

__all__ = ["Front", "headers", "render_deleted", "render_gallery", "render_login"]

_AROUND: Final = 2  # pages shown on each side of this one


class Front(NamedTuple):
    """Where a gallery's parts are, and what may be done in it.

    Attributes:
        base: what stands before `assets/`, `images/`, `thumbnails/`, `login` and so on; ends
            with a slash.
        home: the gallery itself.
        writable: whether images can be uploaded and deleted, and one logs in.
    """

    base: str = "/"
    home: str = "/"
    writable: bool = True


def render_gallery(view: View, settings: Settings, front: Front) -> str:
    """Write the page of images."""
    return _render("gallery.html", front, view=view, settings=settings, host=_host(settings))


def render_login(front: Front, error: str = "") -> str:
    """Write the page that asks for a token.

    Args:
        front: where the parts are.
        error: why the last one did not do; "" the first time.
    """
    return _render("login.html", front, error=error)


def render_deleted(deletions: list[Deletion], front: Front) -> str:
    """Write what became of images, for a browser without scripts."""
    return _render("deleted.html", front, deletions=deletions)


def headers(settings: Settings) -> dict[str, str]:
    """Give the headers of every page: no script, style, frame or form but its own."""
    host = _origin(settings)
    policy = (
        f"default-src 'none'; img-src 'self'{host and ' '}{host}; style-src 'self'; "
        "script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "same-origin",  # with none, a form's Origin would be `null`
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }


def _origin(settings: Settings) -> str:
    parts = urlsplit(settings.address_prefix)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def _host(settings: Settings) -> str:
    return urlsplit(settings.address_prefix).netloc


def _render(template: str, front: Front, **values: object) -> str:
    assets = {name: f"{front.base}assets/{asset.path}" for name, asset in load_assets().items()}
    return _environment().get_template(template).render(front=front, assets=assets, **values)


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "size": readable_size,
        "day": lambda seconds: day_of(seconds).isoformat(),
        "moment": _moment,
        "counted": count,
        "describe": describe,
        "markdown": to_markdown,
        "html": to_html,
    }
    environment.globals |= {"SORTS": SORTS, "near": _near}
    return environment


def _moment(seconds: int) -> str:
    """Write a moment as HTML does, in this machine's time zone."""
    return datetime.fromtimestamp(seconds, UTC).astimezone().isoformat()


def _near(page: int, pages: int) -> list[int]:
    """List the pages to offer, in order; 0 stands for those left out between."""
    shown = {1, pages, *range(max(1, page - _AROUND), min(pages, page + _AROUND) + 1)}
    offered: list[int] = []
    for number in sorted(shown):
        if offered and number - offered[-1] > 1:
            offered.append(0)
        offered.append(number)
    return offered
