"""The HTML pages of the gallery: complete without scripts, safe with any file name."""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

import jinja2

from pelican_imagehost.errors import printable
from pelican_imagehost.gallery.assets import load_assets
from pelican_imagehost.gallery.query import SORTS, day_of
from pelican_imagehost.gallery.snippets import describe, to_html, to_markdown
from pelican_imagehost.report import count, readable_size

if TYPE_CHECKING:
    from pelican_imagehost.gallery.listing import Deletion
    from pelican_imagehost.gallery.view import View
    from pelican_imagehost.settings import Settings

__all__ = ["Front", "headers", "render_again", "render_deleted", "render_gallery", "render_login"]

_AROUND: Final = 2  # pages shown on each side of the current one


class Front(NamedTuple):
    """The addresses of a gallery, and whether it can be changed.

    Attributes:
        base: the prefix of `assets/`, `images/`, `thumbnails/`, `login` and so on; ends with
            a slash.
        home: the address of the gallery itself.
        writable: whether users log in, and upload and delete images.
    """

    base: str = "/"
    home: str = "/"
    writable: bool = True


def render_gallery(view: View, settings: Settings, front: Front) -> str:
    """Render the page of images."""
    return _render("gallery.html", front, view=view, settings=settings, host=_host(settings))


def render_login(front: Front, error: str = "") -> str:
    """Render the page that asks for a token.

    Args:
        front: the addresses.
        error: the reason why the last token was refused; "" the first time.
    """
    return _render("login.html", front, error=error)


def render_again(front: Front) -> str:
    """Render a page that loads the gallery."""
    return _render("again.html", front)


def render_deleted(deletions: list[Deletion], front: Front) -> str:
    """Render the outcome of a deletion, for browsers without scripts."""
    return _render("deleted.html", front, deletions=deletions)


def headers(settings: Settings) -> dict[str, str]:
    """Return the headers of every page; they allow only its own scripts, styles and forms."""
    host = _origin(settings)
    policy = (
        f"default-src 'none'; img-src 'self'{host and ' '}{host}; style-src 'self'; "
        "script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "same-origin",  # without it, the Origin of a form would be `null`
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
        finalize=_printable,
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


def _printable(value: object) -> object:
    """Make texts safe to show: names are what strangers made them."""
    return printable(value) if type(value) is str else value


def _moment(seconds: int) -> str:
    """Format a time for HTML, in the time zone of this machine."""
    return datetime.fromtimestamp(seconds, UTC).astimezone().isoformat()


def _near(page: int, pages: int) -> list[int]:
    """List the pages to link to, in order; 0 stands for a gap."""
    shown = {1, pages, *range(max(1, page - _AROUND), min(pages, page + _AROUND) + 1)}
    offered: list[int] = []
    for number in sorted(shown):
        if offered and number - offered[-1] > 1:
            offered.append(0)
        offered.append(number)
    return offered
