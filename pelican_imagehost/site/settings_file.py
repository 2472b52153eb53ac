"""Read a settings file as Pelican does, without importing Pelican where that is possible.

Importing Pelican takes longer than all the rest of a push or of `add`. The few settings that
matter for images are completed here as `pelican.settings.read_settings` would; a file with
anything unusual is left to Pelican.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

from pelican_imagehost.errors import SettingsError
from pelican_imagehost.settings import Settings

__all__ = ["DEFAULT_FILE", "SettingsFile", "find_file", "read_settings"]

DEFAULT_FILE = Path("pelicanconf.py")
# The defaults of Pelican (pelican/settings.py, DEFAULT_CONFIG) for the settings in use here.
_DEFAULTS: dict[str, Any] = {
    "PATH": os.curdir,
    "OUTPUT_PATH": "output",
    "CACHE_PATH": "cache",
    "STATIC_PATHS": ["images"],
    "THEME_STATIC_DIR": "theme",
    "THEME_STATIC_PATHS": ["static"],
    "THEME_TEMPLATES_OVERRIDES": [],
    "SITEURL": "",
    "RELATIVE_URLS": False,
    "INTRASITE_LINK_REGEX": "[{|](?P<what>.*?)[|}]",
    "FORMATTED_FIELDS": ["summary"],
    "EXTRA_PATH_METADATA": {},
}
_THEME = "notmyidea"
_FOLDERS = ("PATH", "OUTPUT_PATH", "CACHE_PATH", "THEME")
# Pelican renames these to others, or changes others by them.
_OBSOLETE = frozenset({"EXTRA_TEMPLATES_PATHS", "JINJA_EXTENSIONS", "FILES_TO_COPY"})


class SettingsFile(NamedTuple):
    """A settings file as read: its path, the settings of Pelican, and those of this package."""

    file: Path
    pelican: dict[str, Any]
    settings: Settings


def find_file(file: Path | None) -> Path:
    """Return the settings file to read; `pelicanconf.py` in this folder if None.

    Raises:
        SettingsError: the file does not exist.
    """
    file = file or DEFAULT_FILE
    if not file.is_file():
        raise SettingsError(
            f"no settings file {file}; run this in the folder of the site, or use -s FILE"
        )
    return file


def read_settings(file: Path) -> SettingsFile:
    """Read the settings in a file, and nothing else of the site.

    Raises:
        SettingsError: the file is missing, raises an error or has an invalid value.
    """
    pelican = _read(find_file(file))
    return SettingsFile(file, pelican, Settings.from_pelican(pelican, root=file.absolute().parent))


def _read(file: Path) -> dict[str, Any]:
    """Return the settings in a file, and the defaults that `Settings.from_pelican` needs."""
    # publishconf.py imports pelicanconf.py, which Pelican only supports in the same folder.
    sys.path.insert(0, str(file.absolute().parent))
    try:
        mapping = _complete(_execute(str(file)), str(file))
        if mapping is None:
            # Only here: it takes longer than everything else.
            from pelican.settings import read_settings  # noqa: PLC0415

            mapping = read_settings(str(file), override={"CACHE_CONTENT": False})
    except Exception as error:
        raise SettingsError(f"{file} cannot be read: {type(error).__name__}: {error}") from error
    return mapping


def _execute(file: str) -> dict[str, Any]:
    """Run a settings file as a module (pelican/settings.py, load_source)."""
    name = os.path.splitext(os.path.basename(file))[0]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        return {}  # not `.py`: Pelican reports it
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return {name: value for name, value in vars(module).items() if name.isupper()}


def _complete(found: dict[str, Any], file: str) -> dict[str, Any] | None:
    """Complete settings as Pelican does; None if that is left to Pelican."""
    theme = _default_theme()
    mapping = {**_DEFAULTS, "THEME": theme, **found}
    if theme is None or not found or _OBSOLETE & found.keys() or not _is_usual(mapping):
        return None
    for name in _FOLDERS:
        absolute = os.path.abspath(os.path.join(os.path.dirname(file), mapping[name]))
        # THEME may be a name rather than a path; a default is relative to this folder.
        if name in found and (name != "THEME" or os.path.exists(absolute)):
            mapping[name] = absolute
    if not os.path.isdir(mapping["THEME"]):
        mapping["THEME"] = os.path.join(os.path.dirname(theme), mapping["THEME"])
    if not os.path.isdir(mapping["PATH"]) or not os.path.isdir(mapping["THEME"]):
        return None
    mapping["SITEURL"] = mapping["SITEURL"].removesuffix("/")
    return mapping


def _is_usual(mapping: dict[str, Any]) -> bool:
    """Return whether every value has the type that Pelican leaves as it is."""
    if not isinstance(mapping["THEME"], str):
        return False
    texts = ("PATH", "OUTPUT_PATH", "CACHE_PATH", "THEME_STATIC_DIR", "SITEURL")
    lists = ("STATIC_PATHS", "THEME_STATIC_PATHS", "THEME_TEMPLATES_OVERRIDES")
    return (
        all(isinstance(mapping[name], str) for name in (*texts, "INTRASITE_LINK_REGEX"))
        and all(isinstance(mapping[name], list | tuple) for name in (*lists, "FORMATTED_FIELDS"))
        and isinstance(mapping["EXTRA_PATH_METADATA"], dict)
    )


def _default_theme() -> str | None:
    spec = importlib.util.find_spec("pelican")  # which does not import it
    folders = list(spec.submodule_search_locations or ()) if spec else []
    return os.path.join(folders[0], "themes", _THEME) if folders else None
