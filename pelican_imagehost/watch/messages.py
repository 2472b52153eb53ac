"""What the main process and its builders say to each other, pickled, over a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pelican_imagehost.settings import Settings

__all__ = ["Built", "Drafted", "Edit", "GiveUp", "Hello", "Leave", "New", "Problems", "Roots"]

Problems = tuple[str, ...]  # one sentence each, `file:line: reason` where that is known


class Edit(NamedTuple):
    """To a builder: files changed.

    Attributes:
        paths: absolute; what they are now, the disk says.
        generation: build the whole site under this number; None: not now.
        doubtful: files of the output that nobody may own any more.
        killed: processes that were killed, and may have left temporary files.
    """

    paths: frozenset[str]
    generation: int | None = None
    doubtful: frozenset[str] = frozenset()
    killed: frozenset[int] = frozenset()


class GiveUp(NamedTuple):
    """To a builder: a new process will build; end what you are building."""


class Leave(NamedTuple):
    """To a builder: end now."""


class Hello(NamedTuple):
    """From a builder, first of all."""

    process: int
    generation: int


class Roots(NamedTuple):
    """From a new process: what there is to watch, and where the output is.

    Attributes:
        recursive: folders.
        flat: folders of which only the files count.
        excluded: folders, and all in them.
        ignored: patterns of file names: IGNORE_FILES.
        output: OUTPUT_PATH.
        manifest: the manifest, which lies in one of the flat folders.
        site: the folder that its paths are relative to.
        settings: the site's.
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
    """From a builder, before it makes a file that no build has made before."""

    path: str


class Drafted(NamedTuple):
    """From a builder: the changed documents are written; what else they touch, is not.

    Attributes:
        changed: files of the output.
        problems: all that are wrong with the site now, as far as is known.
        notes: what Pelican warns of.
        seconds: how long it took.
    """

    changed: tuple[str, ...]
    problems: Problems
    notes: Problems
    seconds: float


class Built(NamedTuple):
    """From a builder: the whole site is written, or cannot be.

    Attributes:
        generation: the number it was asked for under.
        changed: files of the output that are not what they were, or are gone.
        problems: all that are wrong with the site now.
        notes: what Pelican warns of.
        produced: all files of the output.
        failed: whether the site cannot be built as it is; then no file counts.
        seconds: how long it took.
    """

    generation: int
    changed: tuple[str, ...]
    problems: Problems
    notes: Problems
    produced: frozenset[str]
    failed: bool
    seconds: float
