"""The `IMAGEHOST_*` settings, and those of Pelican that matter for images, read once."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pelican_imagehost.errors import SettingsError
from pelican_imagehost.images.image import Limits
from pelican_imagehost.options import OPTIONS, is_database, read_options

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CI_VARIABLES", "Settings", "find_root", "resolve_remote"]

STORE_FOLDERS = ("images", "imagehost")
# What CI services set; `CI=false` turns all off, as for npm.
CI_VARIABLES = ("CI", "CONTINUOUS_INTEGRATION", "TF_BUILD", "TEAMCITY_VERSION", "JENKINS_URL")
_OFF = frozenset(["", "0", "false", "no", "off"])


class Settings(NamedTuple):  # not a dataclass, whose import takes longer than all else here
    """The settings of a site for the core; every path is absolute.

    Attributes:
        root: folder of the settings file; manifest paths are relative to it.
        content: Pelican's PATH.
        text_folders: folders whose files may contain addresses of images: the site, its
            documents and its theme.
        static_paths: folders of STATIC_PATHS.
        search_paths: folders of IMAGEHOST_SEARCH_PATHS.
        theme_static: folders that Pelican copies to `theme_prefix` in the output.
        theme_prefix: THEME_STATIC_DIR.
        output_names: output path → file in `content`, from EXTRA_PATH_METADATA.
        output: Pelican's OUTPUT_PATH.
        site_url: SITEURL, without a trailing slash.
        relative_urls: RELATIVE_URLS.
        link_pattern: INTRASITE_LINK_REGEX, with a group `what`.
        formatted_fields: lower-case names of metadata fields with HTML.
        metadata_fields: lower-case names of metadata fields with images; with dots, of parts.
        first_image: whether the first image of a document is also its `image`.
        url: the address of the image host, without a trailing slash; None if embedded.
        remote: the git repository of the image host, or its bucket (`s3://…`).
        store: the content-addressed tree.
        manifest: the manifest file.
        index: the index file.
        records: the file with the record of uploads.
        database: the database that has the record instead, shared by several services; the
            bucket is then their store.
        origins: the origins of other sites whose pages may upload with a bearer token.
        limits: the limits on an image.
        formats: the types of the variants; none are made without one.
        widths: the widths of the variants in pixels, ascending.
        sizes: the attribute `sizes` of images with variants.
        make_variants: whether a build makes variants that are lacking.
        keep_metadata: the metadata that published images keep: `copyright` or `all`.
        ignore: shell patterns of links to leave unchanged.
        wikilinks: whether `![[…]]` embeds an image; None if no other plugin reads it.
        keep_static: whether hosted static files also stay at their old addresses.
        redirects: the host that redirects from old addresses: `nginx` or `netlify`.
        decorate: whether pictures in written pages get their sizes.
        strict: whether a problem makes the build fail.
        frozen: whether only images of the committed manifest may be used.
    """

    root: Path
    content: Path
    text_folders: tuple[Path, ...]
    static_paths: tuple[Path, ...]
    search_paths: tuple[Path, ...]
    theme_static: tuple[Path, ...]
    theme_prefix: str
    output_names: Mapping[str, Path]
    output: Path
    site_url: str
    relative_urls: bool
    link_pattern: re.Pattern[str]
    formatted_fields: frozenset[str]
    metadata_fields: frozenset[str]
    first_image: bool
    url: str | None
    remote: str | None
    store: Path
    manifest: Path
    index: Path  # type: ignore[assignment]  # nobody searches this tuple
    records: Path
    database: str | None
    origins: frozenset[str]
    limits: Limits
    formats: tuple[str, ...]
    widths: tuple[int, ...]
    sizes: str
    make_variants: bool
    keep_metadata: frozenset[str]
    ignore: tuple[str, ...]
    wikilinks: bool | None
    keep_static: bool
    redirects: str | None
    decorate: bool
    strict: bool
    frozen: bool

    @classmethod
    def from_pelican(cls, pelican: Mapping[str, Any], *, root: Path | None = None) -> Settings:
        """Read and validate the settings of a site.

        Args:
            pelican: the settings of Pelican, from `read_settings`.
            root: the folder of the settings file; detected if None.

        Returns:
            The settings, with defaults for those not set.

        Raises:
            SettingsError: an `IMAGEHOST_*` setting is unknown or has an invalid value.
        """
        own = read_options(pelican)
        _check_lists(pelican)
        root = Path(os.path.abspath(root or find_root(pelican)))
        main = _main_work_tree(root)
        content = root / os.path.abspath(pelican["PATH"])
        theme = Path(os.path.abspath(pelican["THEME"]))
        database = _database(own)
        values = {
            "root": root,
            "content": content,
            "text_folders": (root, content, theme, *_theme_overrides(pelican, root)),
            "static_paths": tuple(content / path for path in pelican["STATIC_PATHS"]),
            "search_paths": tuple(root / Path(p).expanduser() for p in own["SEARCH_PATHS"]),
            "theme_static": tuple(theme / path for path in pelican["THEME_STATIC_PATHS"]),
            "theme_prefix": pelican["THEME_STATIC_DIR"].strip("/"),
            "output_names": _output_names(pelican, content),
            "output": Path(os.path.abspath(pelican["OUTPUT_PATH"])),
            "site_url": pelican["SITEURL"].rstrip("/"),
            "relative_urls": bool(pelican["RELATIVE_URLS"]),
            "link_pattern": re.compile(pelican["INTRASITE_LINK_REGEX"]),
            "formatted_fields": frozenset(name.lower() for name in pelican["FORMATTED_FIELDS"]),
            "metadata_fields": frozenset(name.lower() for name in own["METADATA_FIELDS"]),
            "first_image": own["FIRST_IMAGE"],
            "url": own["URL"].rstrip("/") if own["URL"] else None,
            "remote": None if own["REMOTE"] is None else resolve_remote(str(own["REMOTE"]), root),
            "store": main / (own["STORE"] or _default_store(main)),
            "manifest": root / own["MANIFEST"],
            "index": root / pelican["CACHE_PATH"] / "imagehost.sqlite3",
            "records": main / (OPTIONS["RECORDS"].default if database else own["RECORDS"]),
            "database": database,
            "origins": frozenset(own["ORIGINS"]),
            "limits": Limits(own["MAX_BYTES"], own["MAX_PIXELS"], frozenset(own["TYPES"])),
            "formats": tuple(sorted(set(own["FORMATS"]))),
            "widths": tuple(sorted(set(own["WIDTHS"]))),
            "sizes": own["SIZES"],
            "make_variants": own["MAKE_VARIANTS"],
            "keep_metadata": frozenset(own["KEEP_METADATA"]),
            "ignore": tuple(own["IGNORE"]),
            "wikilinks": own["WIKILINKS"],
            "keep_static": own["KEEP_STATIC"],
            "redirects": own["REDIRECTS"],
            "decorate": own["DECORATE"],
            "strict": own["STRICT"],
            "frozen": bool(own["URL"]) and _is_ci() if own["FROZEN"] is None else own["FROZEN"],
        }
        assert values.keys() == set(cls._fields)  # noqa: S101  both are in this class
        return cls(**values)

    @property
    def address_prefix(self) -> str:
        """Return the prefix of the addresses of images; ends with a slash."""
        return f"{self.url}/" if self.url else f"{self.site_url}/{STORE_FOLDERS[0]}/"

    @property
    def embedded(self) -> Path | None:
        """Return the folder for images in the output; None if a host serves them."""
        return None if self.url else self.output / STORE_FOLDERS[0]

    @property
    def image_folders(self) -> tuple[Path, ...]:
        """Return the folders whose images documents may use, the first to look in first."""
        static = (path for path in self.static_paths if not path.is_file())
        return (self.content, *static, *self.search_paths)

    @property
    def stores(self) -> bool:
        """Return whether builds write the store: a frozen site needs no copy of a host's images."""
        return not self.frozen or self.embedded is not None

    def relative(self, path: str | os.PathLike[str]) -> str:
        """Return the path of a file for messages, relative to the site if it is inside."""
        absolute = os.path.abspath(path)
        prefix = os.path.join(self.root, "")
        inside = absolute.startswith(prefix)
        return absolute[len(prefix) :].replace(os.sep, "/") if inside else absolute


def find_root(pelican: Mapping[str, Any]) -> Path:
    """Find the folder of the settings file that `pelican` was read from.

    Pelican does not record the name of the file, but the module stays loaded, and it
    contains the same objects as the settings. On a tie the module loaded first is taken:
    publishconf.py before the pelicanconf.py that it imports.

    Args:
        pelican: the settings of Pelican.

    Returns:
        The folder; the working directory if no settings file was read.
    """
    best, best_count = Path.cwd(), 0
    for module in list(sys.modules.values()):
        names = getattr(module, "__dict__", {})
        file = names.get("__file__")
        if not file or not ("SITENAME" in names or "SITEURL" in names or "PATH" in names):
            continue
        count = sum(pelican.get(name) is value for name, value in names.items() if name.isupper())
        if count > best_count:
            best, best_count = Path(file).parent, count
    return best


def resolve_remote(remote: str, folder: Path) -> str:
    """Return the address of a git repository, with a path made absolute.

    A name without a slash may be the name of a remote in the repository of the store, and a
    colon before the first slash makes an address of ssh (git-clone(1), GIT URLS).

    Args:
        remote: the address, the name of a remote, or a path.
        folder: the folder that a path is relative to.
    """
    start, slash, _ = remote.partition("/")
    if ":" in start or not (slash or remote.startswith(".") or (folder / remote).is_dir()):
        return remote
    return os.path.abspath(folder / os.path.expanduser(remote))


def _main_work_tree(root: Path) -> Path:
    """Return the folder of the site in the main work tree, which has the store.

    In another work tree, `.git` is a file that points to a folder with the file `commondir`
    (gitrepository-layout(5)).
    """
    for top in (root, *root.parents):
        pointer = top / ".git"
        if pointer.is_file():
            folder = top / pointer.read_text("utf-8").removeprefix("gitdir:").strip()
            common = folder / "commondir"
            if not common.is_file():
                return root  # a submodule
            main = Path(os.path.abspath(folder / common.read_text("utf-8").strip()))
            is_bare = main.name != ".git"
            return root if is_bare else main.parent / root.relative_to(top)
        if pointer.is_dir():
            break
    return root


def _check_lists(pelican: Mapping[str, Any]) -> None:
    """Refuse settings of Pelican that it takes as they are and cannot use either."""
    for name in ("FORMATTED_FIELDS", "STATIC_PATHS", "THEME_STATIC_PATHS"):
        if not isinstance(pelican[name], list | tuple | set | frozenset):
            raise SettingsError(f"{name} must be a list; found {pelican[name]!r}")


def _database(own: Mapping[str, Any]) -> str | None:
    """Return the address of the database of uploads; None if they are recorded in a file."""
    if not is_database(own["RECORDS"]):
        return None
    if not own["URL"] or not str(own["REMOTE"]).startswith("s3://"):
        raise SettingsError(
            "IMAGEHOST_RECORDS is a database for services that share a bucket; set "
            "IMAGEHOST_REMOTE to 's3://…' and IMAGEHOST_URL to its address, or use a file"
        )
    return str(own["RECORDS"])


def _is_ci() -> bool:
    """Return whether the environment is that of a CI job."""
    values = {name: os.environ[name].lower() for name in CI_VARIABLES if name in os.environ}
    return values.get("CI") not in _OFF and any(value not in _OFF for value in values.values())


def _output_names(pelican: Mapping[str, Any], content: Path) -> dict[str, Path]:
    """Map the output paths in EXTRA_PATH_METADATA to their files."""
    return {
        str(metadata["path"]).strip("/"): content / source
        for source, metadata in pelican["EXTRA_PATH_METADATA"].items()
        if "path" in metadata
    }


def _theme_overrides(pelican: Mapping[str, Any], root: Path) -> list[Path]:
    folders = pelican.get("THEME_TEMPLATES_OVERRIDES", ())
    return [root / os.path.abspath(folder) for folder in folders]


def _default_store(root: Path) -> str:
    """Return `images`, unless a folder of that name already contains other files."""
    folder = root / STORE_FOLDERS[0]
    if not folder.is_dir():
        return STORE_FOLDERS[0]
    names = [name for name in os.listdir(folder) if not name.startswith(".")]
    ours = [name for name in names if re.fullmatch("[0-9a-f]{2}", name)]
    return STORE_FOLDERS[0] if ours or not names else STORE_FOLDERS[1]
