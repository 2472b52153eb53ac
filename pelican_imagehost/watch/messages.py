"""The messages between the main process and builders, pickled, over a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pelican_imagehost.images.variants.make import Asked
    from pelican_imagehost.settings import Settings
    from pelican_imagehost.storage.index import Stamp

__all__ = [
    "Built",
    "Drafted",
    "Edit",
    "GiveUp",
    "Hello",
    "Lacking",
    "Leave",
    "New",
    "PageProblem",
    "Problems",
    "Roots",
    "each_once",
]


class PageProblem(NamedTuple):
    """A problem and the pages that have it.

    Attributes:
        text: the message, as `file:line: reason` if known.
        pages: files of the output, absolute; None if it concerns all of them.
    """

    text: str
    pages: frozenset[str] | None = None


Problems = tuple[PageProblem, ...]


def each_once(problems: Iterable[PageProblem]) -> Problems:
    """Merge problems with the same text, such as those of several languages."""
    merged: dict[str, frozenset[str] | None] = {}
    for text, pages in problems:
        before = merged.setdefault(text, pages)
        merged[text] = None if before is None or pages is None else before | pages
    return tuple(PageProblem(text, pages) for text, pages in merged.items())


class Edit(NamedTuple):
    """To a builder: files changed.

    Attributes:
        paths: absolute paths.
        generation: the number of the whole build to start, or None.
        doubtful: files of the output that may be left over from unfinished builds.
        killed: killed processes, which may have left temporary files.
        outputs: the folders that earlier builds wrote to; this one removes what it does not
            write there.
    """

    paths: frozenset[str]
    generation: int | None = None
    doubtful: frozenset[str] = frozenset()
    killed: frozenset[int] = frozenset()
    outputs: frozenset[str] = frozenset()


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
        files: more files to watch, in any folder.
    """

    recursive: tuple[str, ...]
    flat: tuple[str, ...]
    excluded: tuple[str, ...]
    ignored: tuple[str, ...]
    output: str
    manifest: str = ""
    site: str = ""
    settings: Settings | None = None
    files: frozenset[str] = frozenset()


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
    notes: tuple[str, ...]
    seconds: float


# The SHA-256 of an image, and a variant that the theme asks for; None for those of the settings.
Lacking = tuple[str, "Asked | None"]


class Built(NamedTuple):
    """From a builder: the whole site is written, or the build failed.

    Attributes:
        generation: the number of the build.
        changed: files of the output that were changed or removed.
        problems: all problems of the site.
        notes: warnings of Pelican.
        produced: all files of the output.
        outputs: the folders of the output: OUTPUT_PATH, and those of subsites beside it.
        included: the files outside the watched folders that documents are made of, with the
            stamps of those that were read; None if one does not exist.
        failed: whether the build failed; its files must then be ignored.
        seconds: the duration.
        lacking: the variants to make when it is quiet.
    """

    generation: int
    changed: tuple[str, ...]
    problems: Problems
    notes: tuple[str, ...]
    produced: frozenset[str]
    outputs: frozenset[str]
    included: dict[str, Stamp | None]
    failed: bool
    seconds: float
    lacking: frozenset[Lacking] = frozenset()
