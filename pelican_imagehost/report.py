"""The types that plugin and commands pass to ImageHost and get from it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pelican_imagehost.errors import ImageHostError
    from pelican_imagehost.images.image import Image

__all__ = [
    "Document",
    "HostedImage",
    "Problem",
    "Progress",
    "Report",
    "Say",
    "count",
    "readable_size",
    "silent",
]

# Takes a label and a total in bytes, and yields a function to call with the bytes processed.
Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
Say = Callable[[str], None]  # prints a line for the user


def silent(_label: str, _total: int) -> AbstractContextManager[Callable[[int], None]]:
    """Show no progress."""
    return nullcontext(lambda _advance: None)


class Document(NamedTuple):
    """The parts of a document that may refer to images.

    Attributes:
        source: the absolute path of the source.
        page: returns the folder of the page in the output, relative, "" for the top; called
            only if a reference is not found relative to the source.
        html: pieces of HTML: the body, the summary and other formatted fields.
        fields: the values of metadata fields, each a single reference.
    """

    source: str
    page: Callable[[], str]
    html: tuple[str, ...]
    fields: tuple[str, ...]


class HostedImage(NamedTuple):
    """An image and its address.

    Attributes:
        image: the image.
        name: the name of its file, without folders.
        url: its address.
    """

    image: Image
    name: str
    url: str


class Problem(NamedTuple):
    """A problem and its place.

    Attributes:
        document: the file, relative to the site if it is inside; "" if it is not about one.
        line: the line, from 1; None if unknown.
        url: the reference as written; "" if it is not about one.
        error: the reason.
    """

    document: str
    line: int | None
    url: str
    error: ImageHostError

    def __str__(self) -> str:
        """Format the problem as compilers do: `document:line: reference: reason`."""
        where = f"{self.document}:{self.line}" if self.line else self.document
        return ": ".join(part for part in (where, self.url, str(self.error)) if part)


@dataclass
class Report:
    """The outcome of a build or a command, or of a part of it.

    Attributes:
        dry_run: whether nothing was written.
        documents: the rewritten documents, in the given order.
        images: manifest path → image, for all images that the documents use.
        uses: document → the manifest paths of the images that it uses.
        new: keys of images that were added to the store.
        problems: the problems, in the order of the documents.
    """

    dry_run: bool = False
    documents: list[Document] = field(default_factory=list)
    images: dict[str, Image] = field(default_factory=dict)
    uses: dict[str, set[str]] = field(default_factory=dict)
    new: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)

    def add(self, other: Report) -> None:
        """Add another report; problems in both are kept once."""
        self.documents += other.documents
        self.images |= other.images
        self.uses |= other.uses
        self.new |= other.new
        known = {str(problem) for problem in self.problems}
        self.problems += [problem for problem in other.problems if str(problem) not in known]

    @property
    def saved(self) -> int:
        """Return the number of bytes saved by storing images with several paths once."""
        unique = {image.sha256: image.size for image in self.images.values()}
        return sum(image.size for image in self.images.values()) - sum(unique.values())

    def __str__(self) -> str:
        """Format the closing line."""
        unique = {image.sha256 for image in self.images.values()}
        done, new = ("", "not hosted yet") if self.dry_run else (" hosted", "new")
        parts = [f"{count(len(unique), 'image')}{done}", f"{len(self.new):,} {new}"]
        if self.saved:
            parts.append(f"{readable_size(self.saved)} saved by storing once")
        if self.problems:
            parts.append(count(len(self.problems), "problem"))
        return ", ".join(parts)


def count(number: int, noun: str) -> str:
    """Format a number with a noun: `1 image`, `2,500 images`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def readable_size(size: int) -> str:
    """Format a number of bytes in decimal units: `1.2 MB`."""
    amount = float(size)
    for unit in ("bytes", "kB", "MB"):
        if amount < 1000:  # noqa: PLR2004  decimal units
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"
