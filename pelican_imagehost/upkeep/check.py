"""Check a site as a build would, without changing anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.hosting import ImageHost
from pelican_imagehost.report import Progress, silent
from pelican_imagehost.site.makers import Maker, Makers
from pelican_imagehost.storage.manifest import Manifest

if TYPE_CHECKING:
    from pelican_imagehost.report import Problem, Report
    from pelican_imagehost.site.site import Site

__all__ = ["Findings", "count_ended", "find", "look", "unlisted", "unpublished"]


def look(
    site: Site, *, only: set[str] | None = None, progress: Progress = silent
) -> tuple[Report, list[str]]:
    """Do a dry run of hosting the images of a site.

    Args:
        site: the site.
        only: sources to read, relative to PATH; all if None.
        progress: shows the progress of reading.

    Returns:
        The report, and the sources without a document, relative to PATH: Pelican could not
        process them or skips them.

    Raises:
        ManifestError: the manifest cannot be read.
    """
    documents, unread = site.documents(only)
    with ImageHost(site.settings, dry_run=True, progress=progress) as image_host:
        return image_host.host(documents), unread


class Findings(NamedTuple):
    """The lines that `look` leads to, each sorted.

    Attributes:
        problems: the problems, then the documents that Pelican could not read.
        questions: files that are missing now and that another plugin may make in a build.
    """

    problems: list[str]
    questions: list[str]


def find(site: Site, report: Report, unread: list[str]) -> Findings:
    """Sort out what `look` found; a file that a plugin is known to make is not a problem."""
    makers = Makers(site.settings, site.pelican_settings)
    found: dict[Maker, list[Problem]] = {maker: [] for maker in Maker}
    for problem in report.problems:
        found[makers.maker_of(problem)].append(problem)
    report.problems = found[Maker.NOBODY]
    failed = [source for source in unread if not _is_skipped(site, source)]
    lines = [f"{source}: Pelican cannot read this document" for source in failed]
    questions = [f"{problem}; made by another plugin?" for problem in found[Maker.UNKNOWN]]
    return Findings(sorted(map(str, report.problems)) + lines, sorted(questions))


def count_ended(site: Site, report: Report) -> int:
    """Return how many hosted images of STATIC_PATHS leave their old addresses, at most."""
    if site.settings.keep_static:
        return 0
    static = tuple(f"{site.settings.relative(path)}/" for path in site.settings.static_paths)
    return sum(path.startswith(static) for path in report.images)


def unlisted(site: Site, report: Report) -> list[str]:
    """Return the images that documents use and the manifest does not list, as lines."""
    manifest = Manifest.load(site.settings.manifest)
    name = manifest.file.name
    return [
        f"{document}: {path}: not listed in {name}; build the site and commit {name}"
        for document, paths in report.uses.items()
        for path in sorted(paths)
        if path in report.images and manifest.images.get(path) != report.images[path]
    ]


def unpublished(site: Site, report: Report) -> list[str]:
    """Request every address of the site's images; return those that are not online, as lines."""
    from pelican_imagehost.publish.confirm import (  # noqa: PLC0415  not needed by the other functions
        Expected,
        find_absent,
    )

    prefix = site.settings.address_prefix
    sizes = {prefix + image.key: image.size for image in report.images.values()}
    expected = [Expected(url, size) for url, size in sizes.items()]
    absent = find_absent(expected, patience=0, say=lambda _: None)
    return [f"{url}: not online: {answer}" for url, answer in sorted(absent.items())]


def _is_skipped(site: Site, source: str) -> bool:
    """Return whether a document has the status "skip"."""
    try:
        return str(site.read(site.settings.content / source)[1].get("status", "")) == "skip"
    except Exception:  # noqa: BLE001  readers may raise any; Pelican has reported it
        return False
