"""The `IMAGEHOST_*` settings as a user writes them: defaults, and what each accepts."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from pelican_imagehost.errors import SettingsError
from pelican_imagehost.images.image import IMAGE_TYPES, MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["OPTIONS", "PREFIX", "Option", "is_database", "read_options"]

PREFIX = "IMAGEHOST_"
# As browsers send them: in lower case (RFC 6454, section 6.2). "null" is any page at all.
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\sA-Z/?#@*]*")


class Option(NamedTuple):
    """An `IMAGEHOST_*` setting: its default, the expected value, and a check for it."""

    default: Any
    expected: str
    accepts: Callable[[Any], bool]


def _is_names(value: object) -> bool:
    return isinstance(value, list | tuple | set | frozenset) and all(
        isinstance(name, str) and name for name in value
    )


def _is_origins(value: object) -> bool:
    return isinstance(value, list | tuple | set | frozenset) and all(
        isinstance(one, str) and _ORIGIN.fullmatch(one) is not None for one in value
    )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_counts(value: object) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(map(_is_count, value))


def _is_host(value: object) -> bool:
    if value is None:
        return True
    if not isinstance(value, str) or re.search(r"[\s\"'<>?#]", value):
        return False
    try:
        parts = urlsplit(value)
    except ValueError:  # brackets without an IPv6 address
        return False
    # A name and a password would be in every page.
    return parts.scheme in {"http", "https"} and bool(parts.netloc) and "@" not in parts.netloc


def _is_path(value: object) -> bool:
    return isinstance(value, str | os.PathLike) and bool(os.fspath(value))


def is_database(value: object) -> bool:
    """Return whether IMAGEHOST_RECORDS is the address of a PostgreSQL database."""
    return isinstance(value, str) and value.startswith(("postgresql://", "postgres://"))


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


# Dotted as in dictionaries of Hugo's and Jekyll's themes.
_COVERS = (
    *("image", "cover", "thumbnail", "og_image", "featured_image", "banner", "cover.image"),
    *("hero.image", "header.image", "image.path", "image.src", "image.url"),
)

OPTIONS: dict[str, Option] = {
    "URL": Option(None, "an address such as 'https://img.example.com', or None", _is_host),
    "REMOTE": Option(
        None,
        "the address of a git repository or of a bucket, or None",
        lambda value: value is None or (_is_path(value) and not str(value).startswith("-")),
    ),
    "STORE": Option(
        None,
        "a folder, relative to the settings file, or None for 'images'",
        lambda value: value is None or _is_path(value),
    ),
    "MANIFEST": Option("imagehost.jsonl", "a file, relative to the settings file", _is_path),
    "RECORDS": Option(
        "imagehost-uploads.sqlite3",
        "a file, relative to the settings file, or a database 'postgresql://…'",
        lambda value: is_database(value) or (_is_path(value) and "://" not in str(value)),
    ),
    "ORIGINS": Option(
        (), "a list of origins without a path, such as 'app://obsidian.md'", _is_origins
    ),
    "MAX_BYTES": Option(MAX_BYTES, "a whole number of bytes above 0", _is_count),
    "MAX_PIXELS": Option(100_000_000, "a whole number of pixels above 0", _is_count),
    "TYPES": Option(
        IMAGE_TYPES,
        f"a list of types out of {', '.join(IMAGE_TYPES)}",
        lambda value: _is_names(value) and bool(value) and set(value) <= set(IMAGE_TYPES),
    ),
    "METADATA_FIELDS": Option(_COVERS, "a list of names of metadata fields", _is_names),
    "SEARCH_PATHS": Option(
        (), "a list of folders, relative to the settings file, even for a single one", _is_names
    ),
    "FORMATS": Option(
        ("avif",),
        "a list out of 'avif' and 'webp', or []",
        lambda value: _is_names(value) and set(value) <= {"avif", "webp"},
    ),
    "WIDTHS": Option((720, 1080, 1440), "a list of whole numbers of pixels above 0", _is_counts),
    "SIZES": Option(
        "100vw",
        "a text for the attribute sizes, such as '(min-width: 760px) 720px, 100vw'",
        lambda value: isinstance(value, str) and bool(value) and not set(value) & set("\"'<>&~"),
    ),
    "MAKE_VARIANTS": Option(True, "True or False", _is_flag),
    "KEEP_METADATA": Option(
        (),
        "[], ['copyright'] or ['all']",
        lambda value: _is_names(value) and set(value) <= {"copyright", "all"},
    ),
    "FIRST_IMAGE": Option(False, "True or False", _is_flag),
    "IGNORE": Option((), "a list of patterns of links, such as '/thumbs/*'", _is_names),
    "WIKILINKS": Option(
        None, "True, False or None", lambda value: value is None or _is_flag(value)
    ),
    "KEEP_STATIC": Option(True, "True or False", _is_flag),
    "REDIRECTS": Option(
        None, "'nginx', 'netlify' or None", lambda value: value in (None, "nginx", "netlify")
    ),
    "DECORATE": Option(True, "True or False", _is_flag),
    "STRICT": Option(False, "True or False", _is_flag),
    "FROZEN": Option(
        None, "True, False or None", lambda value: value is None or isinstance(value, bool)
    ),
}


def read_options(pelican: Mapping[str, Any]) -> dict[str, Any]:
    """Read the options of a site; those not set have their default.

    Args:
        pelican: the settings of Pelican.

    Raises:
        SettingsError: an `IMAGEHOST_*` setting is unknown or has an invalid value.
    """
    for name in pelican:
        if name.startswith(PREFIX) and name[len(PREFIX) :] not in OPTIONS:
            raise SettingsError(f"{name} is not a setting{_near_miss(name)}")
    return {name: _read_option(pelican, name, option) for name, option in OPTIONS.items()}


def _read_option(pelican: Mapping[str, Any], name: str, option: Option) -> Any:  # noqa: ANN401
    value = pelican.get(PREFIX + name, option.default)
    if not option.accepts(value):
        raise SettingsError(f"{PREFIX}{name} must be {option.expected}; found {value!r}")
    return value


def _near_miss(name: str) -> str:
    import difflib  # noqa: PLC0415  only for a mistake

    known = [PREFIX + option for option in OPTIONS]
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; the settings are {', '.join(known)}"
