"""The types that plugin and commands pass to ImageHost and get from it, and their messages."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from os.path import commonpath
from typing import TYPE_CHECKING, NamedTuple, Self

from pelican_imagehost.errors import ImageHostError, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pelican_imagehost.images.image import Image

__all__ = [
    "Document",
    "HostedImage",
    "Problem",
    "Progress",
    "Report",
    "Say",
    "count",
    "group",
    "print_nothing",
    "readable_size",
    "silent",
]

# Takes a label and a total in bytes, and yields a function to call with the bytes processed.
Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
Say = Callable[[str], None]  # prints a line for the user


_FORMATTED = re.compile(
    r"(?P<document>[^:\n]+)(?::(?P<line>[1-9]\d*))?: (?P<url>.+?): (?P<error>.+)", re.DOTALL
)
_HANDFUL = 5  # problems with one cause; more are one line
_EXAMPLES = 3
_MISSING = "no such file"
_VARYING = re.compile(r"\S*[/\d]\S*")  # paths and numbers
_UP = re.compile(r"\A(?:\{\w+\}|\|\w+\||[a-z]+://[^/]*|[/.\[])*", re.IGNORECASE)


def print_nothing(_line: str) -> None:
    """Print no line, where nobody reads it; a `Say`."""


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

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a problem that was formatted, also by another program; any text is one."""
        found = _FORMATTED.fullmatch(text)
        if found is None:
            return cls("", None, "", ImageHostError(text))
        line = int(found["line"]) if found["line"] else None
        return cls(found["document"], line, found["url"], ImageHostError(found["error"]))

    def __str__(self) -> str:
        """Format the problem as compilers do: `document:line: reference: reason`; on one line."""
        return ": ".join(part for part in (self.place, printable(str(self.error))) if part)

    @property
    def order(self) -> tuple[str, int, str, str]:
        """Return a key that sorts problems by document and line."""
        return self.document, self.line or 0, self.url, str(self.error)

    @property
    def place(self) -> str:
        """Return the place: `document:line: reference`."""
        where = f"{self.document}:{self.line}" if self.line else self.document
        return printable(": ".join(part for part in (where, self.url) if part))


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


def group(problems: Iterable[Problem], noun: str = "problem") -> list[str]:
    """Format problems for people: many with the same cause are one line.

    A cause is a reason; for files that do not exist it is a name in many folders, then the folder
    in the references, then the document. Up to a handful of problems with the same cause are a
    line each.

    Args:
        problems: the problems, in the order of the lines.
        noun: the word for one of them.

    Returns:
        The lines; each group is in the place of its first problem.
    """
    lines: dict[int, str] = {}
    rest = dict(enumerate(problems))
    for key, size, label in _CAUSES:
        groups: dict[object, list[int]] = {}
        for number, problem in rest.items():
            groups.setdefault(key(problem), []).append(number)
        for cause, numbers in groups.items():
            members = [rest[number] for number in numbers]
            if cause is not None and size(members) > _HANDFUL:
                for number in numbers:
                    del rest[number]
                lines[numbers[0]] = _summarize(members, noun, label(members))
    lines |= {number: str(problem) for number, problem in rest.items()}
    return [lines[number] for number in sorted(lines)]


def _summarize(problems: Sequence[Problem], noun: str, label: str) -> str:
    reasons = {printable(str(problem.error)) for problem in problems}
    reason = reasons.pop() if len(reasons) == 1 else _pattern(problems[0])
    examples = "; ".join(problem.place for problem in problems[:_EXAMPLES])
    return printable(f"{count(len(problems), noun)}{label}: {reason}; for example {examples}")


def _pattern(problem: Problem) -> str:
    """Return the reason without its details: paths, numbers, parentheses and advice."""
    return _VARYING.sub("…", re.split(r" \(|[;:] ", str(problem.error))[0])


def _reason(problem: Problem) -> str | None:
    pattern = _pattern(problem)
    return None if pattern.startswith(_MISSING) else pattern


def _folders(problem: Problem) -> list[str]:
    """Return the folders in a reference, without those that lead up."""
    return re.split(r"[/\\]", _UP.sub("", problem.url))[:-1]


def _top_folder(problem: Problem) -> tuple[str, str] | None:
    return next(((_pattern(problem), folder) for folder in _folders(problem)), None)


def _name(problem: Problem) -> tuple[str, str]:
    return _pattern(problem), re.split(r"[/\\]", problem.url)[-1]


def _named(problems: Sequence[Problem]) -> str:
    return f" with {_name(problems[0])[1]}"


def _count_top_folders(problems: Sequence[Problem]) -> int:
    return len(set(map(_top_folder, problems)))


def _below(problems: Sequence[Problem]) -> str:
    return f" below {commonpath(['/'.join(_folders(problem)) for problem in problems])}/"


# The causes, from the narrowest to the widest: a key, how much it explains, the words for the line.
_CAUSES: tuple[
    tuple[
        Callable[[Problem], object],
        Callable[[Sequence[Problem]], int],
        Callable[[Sequence[Problem]], str],
    ],
    ...,
] = (
    (_reason, len, lambda _: ""),
    (_name, _count_top_folders, _named),  # a theme looks for it beside every page
    (_top_folder, len, _below),
    (lambda one: (one.document, _pattern(one)), len, lambda group: f" in {group[0].document}"),
    (_pattern, len, lambda _: ""),
)


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
