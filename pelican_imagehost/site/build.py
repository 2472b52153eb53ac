"""One run of Pelican: host images, rewrite documents, deliver images, look at what was written."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from pelican.log import console

from pelican_imagehost.errors import ImageHostError, MissingImage
from pelican_imagehost.hosting import ImageHost
from pelican_imagehost.report import Problem, Report, group
from pelican_imagehost.settings import Settings
from pelican_imagehost.site.contents import apply, contents_of, forget_rendered, to_document
from pelican_imagehost.site.first_image import give_first_image
from pelican_imagehost.site.last_look import LastLook
from pelican_imagehost.site.names import name_of
from pelican_imagehost.site.originals import Originals
from pelican_imagehost.site.progress import show_progress
from pelican_imagehost.site.redirects import redirects_of, write_redirects
from pelican_imagehost.site.written import Written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from pelican.contents import Content

    from pelican_imagehost.images.variants.make import Asked

__all__ = ["Build", "Follower", "builds", "followers", "look_at", "say"]

logger = logging.getLogger(__name__)


class Follower(NamedTuple):
    """A caller, such as `watch`, that continues to host images after a build has ended.

    Attributes:
        expect: called with files of the output that are about to be written, or that the build
            needs and that already exist.
        sweep: called when builds have written everything, before the look at it, with files that
            may have to stay although they were not written again.
        finish: called with each build that has ended, while it still has its contents.
    """

    expect: Callable[[Iterable[str]], None]
    sweep: Callable[[set[str]], None]
    finish: Callable[[Build], None]


class Build:
    """One run of Pelican; a follower of its output (`followers`) keeps it.

    Args:
        pelican_settings: the settings of Pelican.

    Attributes:
        contents: the documents, until the build has ended.
        follower: who continues after the end; None if nobody does.
        report: the outcome.
        nowhere: URL → the files of the output, relative, in which it leads nowhere.
        failed: whether problems make the build fail.
        makes_variants: whether variants are made; not while drafting, when pages must not wait.
        lacking: the digests of images that lack variants.
        asked: digest → the variants that the theme asked for and that were lacking.
        warned: what a warning was about, so that there is one.

    Raises:
        SettingsError: an `IMAGEHOST_*` setting is unknown or has an invalid value.
        ManifestError: the manifest cannot be read.
    """

    def __init__(self, pelican_settings: dict[str, Any]) -> None:
        self.follower = _follower_of(os.path.abspath(pelican_settings["OUTPUT_PATH"]))
        self.pelican_settings = pelican_settings
        self.settings = Settings.from_pelican(pelican_settings)
        self.image_host = ImageHost(self.settings, progress=partial(show_progress, console))
        self.report = Report()
        self.contents: list[Content] = []
        self.nowhere: dict[str, set[str]] = {}
        self.written = Written(self.settings)
        self.originals = Originals(
            self.settings,
            pelican_settings,
            self.image_host.catalogue.store,
            self.written.names,
            expect=self.follower.expect if self.follower is not None else None,
        )
        self.failed = False
        self.makes_variants = self.settings.make_variants and self.follower is None
        self.lacking: set[str] = set()
        self.asked: dict[str, set[Asked]] = {}
        self.warned: set[tuple[str | None, str]] = set()

    def missing_variants(self) -> Iterator[tuple[str, Asked | None]]:
        """Yield what is to be made when nobody waits: digests, each with what the theme asks for.

        None stands for the variants that the settings want.
        """
        if self.settings.make_variants:
            yield from ((digest, None) for digest in self.lacking)
            yield from ((digest, one) for digest, some in self.asked.items() for one in some)

    def host(self, generator: Any) -> None:  # noqa: ANN401  of articles or pages
        """Host the images of all documents of a generator, and rewrite the documents."""
        contents = contents_of(generator)
        report = self._rewrite(contents)
        self.contents += contents
        self.report.add(report)
        self.originals.release(generator.context["static_links"], report.images)

    def host_again(self, contents: list[Content]) -> None:
        """Host the images of contents that were read after the build; see `resumed`."""
        report = self._rewrite(contents)
        self._give_variants(report)
        self._deliver(report)
        self.report.add(report)

    def look_again(self, contents: list[Content]) -> None:
        """Look at the pages of contents that were written after the build; see `resumed`."""
        look = LastLook(self.settings, self.written, contents, self.image_host.catalogue.manifest)
        look.read_changed()
        self._settle(look, look.names())

    def forget_problems(self, document: str, pages: Iterable[str]) -> None:
        """Forget the problems of a document that is about to be written again.

        Args:
            document: the file, relative to the site.
            pages: its pages, relative to the output.
        """
        about = {document, *(self.settings.relative(self.settings.output / one) for one in pages)}
        problems = self.report.problems
        self.report.problems = [one for one in problems if one.document not in about]
        for names in self.nowhere.values():
            names.difference_update(pages)

    @contextmanager
    def resumed(self) -> Iterator[None]:
        """Continue this build after its end, to host and write more documents."""
        output = self.pelican_settings["OUTPUT_PATH"]
        self.written = Written(self.settings, self.written)
        builds[output] = self
        try:
            yield
        finally:
            del builds[output]
            self.image_host.close()

    def _rewrite(self, contents: list[Content]) -> Report:
        documents = [to_document(content, self.settings) for content in contents]
        report = self.image_host.host(documents)
        changed = []
        for content, before, after in zip(contents, documents, report.documents, strict=True):
            if before != after:
                apply(after, content, self.settings)
                self.originals.replaced(content, before.html)
                changed.append(content)
        forget_rendered(changed)
        if self.settings.first_image:
            for content in contents:
                give_first_image(content, self.settings)
        self.written.know(report.images.values())
        report.documents.clear()  # kept objects would slow down every garbage collection
        return report

    def conclude(self) -> None:
        """Copy the images to the output, before any page is written.

        What is certain to be a problem by now, and fails the build, is reported here.
        """
        self.originals.attach()
        report = self.report
        report.problems += self.image_host.record_uses(report.uses, report.images)
        self.lacking = self._give_variants(report)
        self._deliver(self.report)
        self.image_host.close()
        certain = (not isinstance(one.error, MissingImage) for one in self.report.problems)
        if self.settings.strict and any(certain):
            self._record()
            self.tell(set())

    def look(self, others: list[Build]) -> LastLook:
        """Look at everything that was written, when nothing more will be.

        Args:
            others: the builds that ended with this one, of sites that may be within this one.
        """
        manifest = self.image_host.catalogue.manifest
        look = LastLook(self.settings, self.written, self.contents, manifest)
        look.read_rest(other.settings.output for other in others if other is not self)
        return look

    def finish(self, look: LastLook, names: set[str]) -> None:
        """Put back the originals that were named, and record the problems that are left.

        Args:
            look: the look at what this build has written.
            names: every name in a text of this build, and of those that ended with it.
        """
        self._settle(look, names)
        self.report.problems += self.originals.copies.problems
        moved = self.originals.moved(self.report.images)
        redirects = write_redirects(self.settings, moved)
        if self.follower is not None:
            self.follower.expect(redirects)
        self._record()

    def tell(self, told: set[str]) -> None:
        """Print the result.

        Args:
            told: the places of problems that other builds have printed, to which those of this
                one are added: the sites of several languages read the same documents.
        """
        new = [one for one in self.report.problems if (one.place or str(one)) not in told]
        told.update(one.place or str(one) for one in new)
        self._print(replace(self.report, problems=new))
        self.failed = self.settings.strict and bool(self.report.problems)

    def close(self) -> None:
        """Free everything that only a build needs, unless a follower takes it."""
        if self.follower is None:
            del self.image_host, self.report
        else:
            self.follower.finish(self)
        self.contents = []

    def _give_variants(self, report: Report) -> set[str]:
        """Give images their variants, and make those that are lacking, but not while drafting.

        Returns:
            The digests of images that lack variants.
        """
        if not self.settings.formats:
            return set()
        lacking = self.image_host.give_variants(report.images, makes=self.makes_variants, say=say)
        self.written.know(report.images.values())
        return lacking

    def _settle(self, look: LastLook, names: set[str]) -> None:
        """Lead the names in written texts to what they mean, and report those that lead nowhere."""
        meant = look.replace_derived(self.report.images, self.originals.left_out)
        self.originals.put_back(names.union(map(name_of, meant)))
        self.report.problems = look.remaining(self.report.problems)
        self.report.problems += look.problems(self.report.problems)
        for url, pages in look.nowhere.items():
            self.nowhere.setdefault(url, set()).update(pages)

    def _record(self) -> None:
        self.report.problems.sort(key=lambda problem: problem.order)
        self.image_host.record_problems(self.report.problems)
        self.image_host.close()

    def _print(self, report: Report) -> None:
        is_verbose = logger.isEnabledFor(logging.INFO)
        lines = list(map(str, report.problems)) if is_verbose else group(report.problems)
        level = logging.ERROR if self.settings.strict else logging.WARNING
        for line in lines:
            logger.log(level, "%s", line)
        hint = "; pelican --verbose shows each" if len(lines) < len(report.problems) else ""
        if logger.isEnabledFor(logging.WARNING):
            text = f"pelican-imagehost: {report}{hint}."
            console.print(text, highlight=False, soft_wrap=True)

    def _deliver(self, report: Report) -> None:
        folder = self.settings.embedded
        if folder is not None and self.follower is not None:
            self.follower.expect(_files(folder, report))
        try:
            self.image_host.deliver(report.images.values(), report.new)
        except ImageHostError as error:
            report.problems.append(Problem("", None, "", error))


def look_at(ended: list[Build]) -> None:
    """Look at what builds have written, and report their results.

    Args:
        ended: the builds; a page of one may name an original of another.
    """
    kept = set().union(
        *(build.originals.targets() | redirects_of(build.settings) for build in ended)
    )
    for follower in {build.follower for build in ended}:
        if follower is not None:
            follower.sweep(kept)
    looks = [build.look(ended) for build in ended]
    names = set().union(*(look.names() for look in looks))
    for build, look in zip(ended, looks, strict=True):
        build.finish(look, names)
    told: set[str] = set()
    for build in reversed(ended):  # the outermost first
        build.tell(told)
        build.close()


def say(line: str) -> None:
    """Print a line of this package, unless Pelican is quiet."""
    if logger.isEnabledFor(logging.WARNING):
        console.print(f"pelican-imagehost: {line}.", highlight=False, soft_wrap=True)


builds: dict[str, Build] = {}  # by OUTPUT_PATH: a plugin may run one Pelican within another
followers: dict[str, Follower] = {}  # by the absolute folder that contains the outputs


def _follower_of(output: str) -> Follower | None:
    below = (one for folder, one in followers.items() if f"{output}/".startswith(f"{folder}/"))
    return next(below, None)


def _files(folder: Path, report: Report) -> Iterator[str]:
    return (f"{folder}/{one.key}" for image in report.images.values() for one in image.all)
