"""The types that front doors give to ImageHost and get from it."""

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

# Shows progress: given a label and a total in bytes, yields a function for each part done.
Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
Say = Callable[[str], None]  # shows a person one line


def silent(_label: str, _total: int) -> AbstractContextManager[Callable[[int], None]]:
    """Show no progress."""
    return nullcontext(lambda _advance: None)


class Document(NamedTuple):
    """The parts of a document that may name images.

    Attributes:
        source: the absolute file that the author wrote.
        page: gives the folder of its page in the output, relative, "" for the top; called
            only where a reference is not found beside the source.
        html: pieces of HTML: the body, a summary, and so on.
        fields: bare references, one each: what a metadata field holds.
    """

    source: str
    page: Callable[[], str]
    html: tuple[str, ...]
    fields: tuple[str, ...]


class HostedImage(NamedTuple):
    """An image and its address.

    Attributes:
        image: what it is.
        name: the name of the file that it came from, without folders.
        url: its address.
    """

    image: Image
    name: str
    url: str


class Problem(NamedTuple):
    """What went wrong, and where.

    Attributes:
        document: the file, as a reader would look for it; "" where it is none's.
        line: its line, from 1; None where it is not known.
        url: the reference as the author wrote it; "" where it is none's.
        error: the reason.
    """

    document: str
    line: int | None
    url: str
    error: ImageHostError

    def __str__(self) -> str:
        """Write it as compilers do: `document:line: reference: reason`."""
        where = f"{self.document}:{self.line}" if self.line else self.document
        return ": ".join(part for part in (where, self.url, str(self.error)) if part)


@dataclass
class Report:
    """The outcome of a build or a command; reports of parts add up.

    Attributes:
        dry_run: whether nothing was written.
        documents: the documents rewritten, in the order given.
        images: manifest path → image, for all that the documents name.
        uses: document → the manifest paths that it names.
        new: keys that the store did not have before.
        problems: in the order of the documents.
    """

    dry_run: bool = False
    documents: list[Document] = field(default_factory=list)
    images: dict[str, Image] = field(default_factory=dict)
    uses: dict[str, set[str]] = field(default_factory=dict)
    new: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)

    def add(self, other: Report) -> None:
        """Take in another report; what both say is said once."""
        self.documents += other.documents
        self.images |= other.images
        self.uses |= other.uses
        self.new |= other.new
        known = {str(problem) for problem in self.problems}
        self.problems += [problem for problem in other.problems if str(problem) not in known]

    @property
    def saved(self) -> int:
        """Bytes that are stored once and would be stored again under each other path."""
        unique = {image.sha256: image.size for image in self.images.values()}
        return sum(image.size for image in self.images.values()) - sum(unique.values())

    def __str__(self) -> str:
        """Write the closing line."""
        unique = {image.sha256 for image in self.images.values()}
        done, new = ("", "not hosted yet") if self.dry_run else (" hosted", "new")
        parts = [f"{count(len(unique), 'image')}{done}", f"{len(self.new):,} {new}"]
        if self.saved:
            parts.append(f"{readable_size(self.saved)} saved by storing once")
        if self.problems:
            parts.append(count(len(self.problems), "problem"))
        return ", ".join(parts)


def count(number: int, noun: str) -> str:
    """Write a number of things: `1 image`, `2,500 images`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def readable_size(size: int) -> str:
    """Write a number of bytes for people, in decimal units: `1.2 MB`."""
    amount = float(size)
    for unit in ("bytes", "kB", "MB"):
        if amount < 1000:  # noqa: PLR2004  decimal units
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"
