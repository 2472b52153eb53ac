"""One run of Pelican: host images, rewrite documents, copy images to the output."""

from __future__ import annotations

import logging
import os
import re
import unicodedata
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from pelican.log import console

from pelican_imagehost.errors import ImageHostError
from pelican_imagehost.hosting import ImageHost
from pelican_imagehost.images.image import KEY
from pelican_imagehost.report import Problem, Report
from pelican_imagehost.settings import Settings
from pelican_imagehost.site.contents import apply, contents_of, forget_rendered, to_document
from pelican_imagehost.site.mentions import mentioned_names, name_of, site_texts
from pelican_imagehost.site.progress import show_progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from pelican.contents import Content

__all__ = ["Build", "Follower", "builds", "followers"]

logger = logging.getLogger(__name__)


class Follower(NamedTuple):
    """A caller, such as `watch`, that continues to host images after a build has ended.

    Attributes:
        expect: called with the files of the output that are about to be written; some may
            already exist.
    """

    expect: Callable[[Iterable[str]], None]


class Build:
    """One run of Pelican; a follower of its output (`followers`) keeps it.

    Args:
        pelican_settings: the settings of Pelican.

    Attributes:
        failed: whether problems make the build fail.

    Raises:
        SettingsError: an `IMAGEHOST_*` setting is unknown or has an invalid value.
        ManifestError: the manifest cannot be read.
    """

    def __init__(self, pelican_settings: dict[str, Any]) -> None:
        self._follower = _follower_of(os.path.abspath(pelican_settings["OUTPUT_PATH"]))
        self.pelican_settings = pelican_settings
        self.settings = Settings.from_pelican(pelican_settings)
        self.image_host = ImageHost(self.settings, progress=partial(show_progress, console))
        self.report = Report()
        self.contents: list[Content] = []
        self.replaced_links: set[str] = set()
        self.failed = False

    def host(self, generator: Any) -> None:  # noqa: ANN401  of articles or pages
        """Host the images of all documents of a generator, and rewrite the documents."""
        contents = contents_of(generator)
        report = self._rewrite(contents, generator.context["static_links"])
        self.contents += contents
        self.report.add(report)
        self._release_links(generator.context["static_links"])

    def host_again(self, contents: list[Content]) -> Report:
        """Host the images of contents that were read after the build; see `resumed`."""
        report = self._rewrite(contents, set())
        self._deliver(report)
        return report

    @contextmanager
    def resumed(self) -> Iterator[None]:
        """Continue this build after its end, to host and write more documents."""
        output = self.pelican_settings["OUTPUT_PATH"]
        self.image_host.reopen()
        builds[output] = self
        try:
            yield
        finally:
            del builds[output]
            self.image_host.close()

    def _rewrite(self, contents: list[Content], links: set[str]) -> Report:
        documents = [to_document(content, self.settings) for content in contents]
        report = self.image_host.host(documents)
        changed = []
        for content, before, after in zip(contents, documents, report.documents, strict=True):
            if before != after:
                if links:
                    self.replaced_links |= _static_links(content)
                apply(after, content, self.settings)
                changed.append(content)
        forget_rendered(changed)
        report.documents.clear()  # kept objects would slow down every garbage collection
        return report

    def _release_links(self, links: set[str]) -> None:
        """Remove the files that documents no longer link to from Pelican's list."""
        for content in self.contents if self.replaced_links else ():
            self.replaced_links -= _static_links(content)
        links -= self.replaced_links

    def originals(self, static_files: list[Any]) -> set[str]:
        """Return the absolute paths of static files that need not be copied."""
        if not static_files:
            return set()
        root = str(self.settings.root)
        hosted = {os.path.normpath(os.path.join(root, path)) for path in self.report.images}
        paths = {str(file.source_path) for file in static_files}
        stored = {path for path in paths if path.startswith(f"{self.settings.store}{os.sep}")}
        candidates = {path for path in paths if unicodedata.normalize("NFC", path) in hosted}
        if not candidates or self.settings.keep_static:
            return stored
        texts = [text for content in self.contents for text in _texts(content)]
        texts += site_texts(self.pelican_settings, paths - candidates)
        mentioned = {name for text in texts for name in mentioned_names(text)}
        return stored | {path for path in candidates if name_of(path) not in mentioned}

    def conclude(self) -> None:
        """Copy the images to the output, before any page is written, and report the result."""
        self.report.problems += self.image_host.record_uses(self.report.uses)
        self._deliver(self.report)
        problems = sorted(self.report.problems, key=str)
        self.image_host.record_problems(problems)
        self.image_host.close()
        level = logging.ERROR if self.settings.strict else logging.WARNING
        for problem in problems:
            logger.log(level, "%s", problem)
        if logger.isEnabledFor(logging.WARNING):
            console.print(f"pelican-imagehost: {self.report}.", highlight=False, soft_wrap=True)
        self.failed = self.settings.strict and bool(self.report.problems)
        del self.contents  # see `_rewrite`
        if self._follower is None:
            del self.image_host, self.report

    def delivered(self) -> Iterator[str]:
        """Yield the files of the output that contain the images of the documents."""
        folder = self.settings.embedded
        if folder is not None:
            yield from _files(folder, self.report)

    def _deliver(self, report: Report) -> None:
        folder = self.settings.embedded
        if folder is not None and self._follower is not None:
            self._follower.expect(_files(folder, report))
        try:
            self.image_host.deliver(report.images.values())
        except ImageHostError as error:
            report.problems.append(Problem("", None, "", error))

    def make_relative(self, path: Path, site: str) -> None:
        """Make the addresses of images in a written page relative, also those from the theme.

        Args:
            path: the page.
            site: the relative path from the page to the top of the output, such as `..`.
        """
        if not self.settings.relative_urls or not self.settings.embedded:
            return
        prefix = self.settings.address_prefix
        text = path.read_bytes().decode()
        if prefix in text:
            folder = f"{site}/{prefix.rpartition('/')[0].rpartition('/')[2]}/"
            pattern = rf"(?<![\w.:/-]){re.escape(prefix)}(?={KEY.pattern})"
            path.write_bytes(re.sub(pattern, lambda _: folder, text).encode())


builds: dict[str, Build] = {}  # by OUTPUT_PATH: a plugin may run one Pelican within another
followers: dict[str, Follower] = {}  # by the absolute folder that contains the outputs


def _follower_of(output: str) -> Follower | None:
    below = (one for folder, one in followers.items() if f"{output}/".startswith(f"{folder}/"))
    return next(below, None)


def _files(folder: Path, report: Report) -> Iterator[str]:
    return (f"{folder}/{image.key}" for image in report.images.values())


def _static_links(content: Content) -> set[str]:
    text = content._content or ""  # noqa: SLF001  plugins of Pelican access the text this way
    return content.get_static_links() if "static" in text or "attach" in text else set()


def _texts(content: Content) -> Iterator[str]:
    yield content._content or ""  # noqa: SLF001  as above
    yield from (value for value in content.metadata.values() if isinstance(value, str))
