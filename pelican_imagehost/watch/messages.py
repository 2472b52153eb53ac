"""The messages between the main process and builders, pickled, over a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pelican_imagehost.settings import Settings

__all__ = ["Built", "Drafted", "Edit", "GiveUp", "Hello", "Leave", "New", "Problems", "Roots"]

Problems = tuple[str, ...]  # one message each, as `file:line: reason` if known


class Edit(NamedTuple):
    """To a builder: files changed.

    Attributes:
        paths: absolute paths.
        generation: the number of the whole build to start, or None.
        doubtful: files of the output that may be left over from unfinished builds.
        killed: killed processes, which may have left temporary files.
    """

    paths: frozenset[str]
    generation: int | None = None
    doubtful: frozenset[str] = frozenset()
    killed: frozenset[int] = frozenset()


class GiveUp(NamedTuple):
    """To a builder: abandon the current build; a new process will build."""


class Leave(NamedTuple):
    """To a builder: exit."""


class Hello(NamedTuple):
    """From a builder: the first message."""

    process: int
    generation: int


class Roots(NamedTuple):
    """From a new process: the folders to watch, and the output.

    Attributes:
        recursive: folders, with their subfolders.
        flat: folders, without their subfolders.
        excluded: folders to exclude, with their subfolders.
        ignored: patterns of file names, from IGNORE_FILES.
        output: OUTPUT_PATH.
        manifest: the manifest, in one of the flat folders.
        site: the folder of the relative paths in the manifest.
        settings: the settings of the site.
    """

    recursive: tuple[str, ...]
    flat: tuple[str, ...]
    excluded: tuple[str, ...]
    ignored: tuple[str, ...]
    output: str
    manifest: str = ""
    site: str = ""
    settings: Settings | None = None


class New(NamedTuple):
    """From a builder: it is about to create a file that is not in earlier builds."""

    path: str


class Drafted(NamedTuple):
    """From a builder: the pages of changed documents are written, but not pages that list them.

    Attributes:
        changed: files of the output.
        problems: all known problems of the site.
        notes: warnings of Pelican.
        seconds: the duration.
    """

    changed: tuple[str, ...]
    problems: Problems
    notes: Problems
    seconds: float


class Built(NamedTuple):
    """From a builder: the whole site is written, or the build failed.

    Attributes:
        generation: the number of the build.
        changed: files of the output that were changed or removed.
        problems: all problems of the site.
        notes: warnings of Pelican.
        produced: all files of the output.
        failed: whether the build failed; its files must then be ignored.
        seconds: the duration.
    """

    generation: int
    changed: tuple[str, ...]
    problems: Problems
    notes: Problems
    produced: frozenset[str]
    failed: bool
    seconds: float
