"""Check a site as a build would, without changing anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.documents.alternatives import find_lacking
from pelican_imagehost.errors import ImageHostError, ManifestError, PublishError
from pelican_imagehost.hosting import ImageHost
from pelican_imagehost.report import Document, Problem, Progress, silent
from pelican_imagehost.site.makers import Maker, Makers
from pelican_imagehost.storage.manifest import Manifest

if TYPE_CHECKING:
    from pelican_imagehost.report import Report
    from pelican_imagehost.site.site import Site

__all__ = [
    "Seen",
    "count_ended",
    "lacking_text",
    "look",
    "take_questions",
    "unlisted",
    "unpublished",
]


_QUESTIONS = {
    Maker.UNKNOWN: "made by another plugin?",
    Maker.THEME: "does the theme write a folder before it?",
}


class Seen(NamedTuple):
    """What a build would find.

    Attributes:
        documents: the documents, as the readers of the site give them.
        report: the report of a dry run; documents that Pelican cannot read are problems.
        unread: sources without a document, relative to PATH.
    """

    documents: list[Document]
    report: Report
    unread: list[str]


def look(site: Site, *, only: set[str] | None = None, progress: Progress = silent) -> Seen:
    """Do a dry run of hosting the images of a site.

    Args:
        site: the site.
        only: sources to read, relative to PATH; all if None.
        progress: shows the progress of reading.

    Raises:
        ManifestError: the manifest cannot be read.
    """
    documents, unread = site.documents(only)
    with ImageHost(site.settings, dry_run=True, progress=progress) as image_host:
        report = image_host.host(documents)
    content, relative = site.settings.content, site.settings.relative
    failed = (source for source in unread if not _is_skipped(site, source))
    error = ImageHostError("Pelican cannot read this document")
    report.problems += [Problem(relative(content / source), None, "", error) for source in failed]
    return Seen(documents, report, unread)


def take_questions(site: Site, seen: Seen) -> dict[str, list[Problem]]:
    """Take the problems out of a report that a build may not have.

    Args:
        site: the site.
        seen: what `look` returned; a file that a plugin is known to make is not a problem.

    Returns:
        Question → the files that are missing now and that a build may have, sorted.
    """
    makers = Makers(site.settings, site.pelican_settings, seen.documents)
    found: dict[Maker, list[Problem]] = {maker: [] for maker in Maker}
    for problem in seen.report.problems:
        found[makers.maker_of(problem)].append(problem)
    seen.report.problems = found[Maker.NOBODY]
    return {
        question: sorted(found[maker], key=lambda problem: problem.order)
        for maker, question in _QUESTIONS.items()
    }


def lacking_text(site: Site, documents: list[Document]) -> list[Problem]:
    """Return the images without alternative text, as problems."""
    relative = site.settings.relative
    return [problem for document in documents for problem in find_lacking(document, relative)]


def count_ended(site: Site, report: Report) -> int:
    """Return how many hosted images of STATIC_PATHS leave their old addresses, at most."""
    if site.settings.keep_static:
        return 0
    static = tuple(f"{site.settings.relative(path)}/" for path in site.settings.static_paths)
    return sum(path.startswith(static) for path in report.images)


def unlisted(site: Site, report: Report) -> list[Problem]:
    """Return the images that documents use and the manifest does not list, as problems."""
    manifest = Manifest.load(site.settings.manifest)
    name = manifest.file.name
    error = ManifestError(f"not listed in {name}; build the site and commit {name}")
    return [
        Problem(document, None, path, error)
        for document, paths in report.uses.items()
        for path in sorted(paths)
        if path in report.images and manifest.images.get(path) != report.images[path]
    ]


def unpublished(site: Site, report: Report) -> list[Problem]:
    """Request every address of the site's images; return those not online, as problems."""
    from pelican_imagehost.publish.confirm import (  # noqa: PLC0415  not needed by the other functions
        Expected,
        find_absent,
    )

    prefix = site.settings.address_prefix
    sizes = {prefix + one.key: one.size for image in report.images.values() for one in image.all}
    expected = [Expected(url, size) for url, size in sizes.items()]
    absent = find_absent(expected, patience=0, say=lambda _: None).answers
    return [
        Problem("", None, url, PublishError(f"not online: {answer}"))
        for url, answer in sorted(absent.items())
    ]


def _is_skipped(site: Site, source: str) -> bool:
    """Return whether a document has the status "skip"."""
    try:
        return str(site.read(site.settings.content / source)[1].get("status", "")) == "skip"
    except Exception:  # noqa: BLE001  readers may raise any; Pelican has reported it
        return False
