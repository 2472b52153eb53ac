"""The entrance to the core: host the images of documents, or single files.

Many documents are processed together: find their references, resolve each to a file,
identify and store new images, rewrite the documents. References with a problem stay
unchanged, and the others are still processed.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Self

from pelican_imagehost.documents.local import local_file
from pelican_imagehost.documents.location import Location
from pelican_imagehost.errors import ImageHostError, MissingImage, StoreError, printable
from pelican_imagehost.report import (
    Document,
    HostedImage,
    Problem,
    Progress,
    Report,
    Say,
    count,
    silent,
)
from pelican_imagehost.storage.catalogue import Catalogue
from pelican_imagehost.storage.durable import clone

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from pelican_imagehost.images.image import Image
    from pelican_imagehost.settings import Settings

__all__ = ["ImageHost"]


class ImageHost:
    """The image host of one site. Close it, or use it as a context manager.

    Args:
        settings: the settings of the site.
        dry_run: read everything, but write nothing.
        progress: shows the progress of reading.

    Attributes:
        hosted: manifest path → its file and image, for all images of the documents.

    Raises:
        ManifestError: the manifest cannot be read.
    """

    def __init__(
        self, settings: Settings, *, dry_run: bool = False, progress: Progress = silent
    ) -> None:
        self.settings = settings
        self.catalogue = Catalogue(settings, dry_run=dry_run, progress=progress)
        self.hosted: dict[str, tuple[Location, Image]] = {}
        # The digests of images whose variants may not be in the output; None if that is not known.
        self._undelivered: AbstractSet[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the index; it is opened again when it is needed."""
        self.catalogue.index.close()

    def address(self, image: Image) -> str:
        """Return the address of an image: on the host, or below SITEURL."""
        return self.settings.address_prefix + image.key

    def host(self, documents: Iterable[Document]) -> Report:
        """Host every image that documents refer to, and rewrite the documents.

        Args:
            documents: the documents, as the readers of the site give them.

        Returns:
            The rewritten documents, in the same order, and the outcome.
        """
        # Imported here, because `add` does not need them.
        from pelican_imagehost.documents.resolve import Resolver  # noqa: PLC0415
        from pelican_imagehost.documents.rewrite import Rewrite  # noqa: PLC0415

        resolver = Resolver(self.settings, self.catalogue.manifest)
        rewrites = [Rewrite(document) for document in documents]
        found = (location for rewrite in rewrites for location in rewrite.resolve(resolver))
        locations = {location.path: location for location in found}
        entries = self.catalogue.enter(locations)
        self.hosted |= {p: (locations[p], image) for p, image in entries.images.items()}
        report = Report(self.catalogue.dry_run, images=entries.images, new=entries.new)
        report.problems = [*self._manifest_problems(), *entries.problems]
        addresses = {path: self.address(image) for path, image in entries.images.items()}
        for rewrite in rewrites:
            name = self.settings.relative(rewrite.document.source)
            report.documents.append(rewrite.apply(addresses))
            report.uses[name] = rewrite.uses()
            report.problems += rewrite.problems(entries.errors, self.settings.relative)
        return report

    def record_uses(self, uses: Mapping[str, set[str]], images: dict[str, Image]) -> list[Problem]:
        """Record the paths that each document uses; from then on `gc` keeps them.

        Images that `gc` has removed since `host` ran are stored again; their variants are gone.

        Args:
            uses: document → manifest paths, for all documents of the site.
            images: manifest path → image; those that have lost their variants are replaced in it.

        Returns:
            Problems with storing them again.
        """
        index = self.catalogue.index
        if not index.would_change(uses):
            return []
        if not self.settings.stores:  # so gc has nothing to remove
            index.record_uses(uses)
            return []
        try:
            with self.catalogue.store.locked():
                index.record_uses(uses)
        except StoreError:  # the store is read-only, so gc cannot remove anything either
            index.record_uses(uses)
            return []
        has = self.catalogue.store.has
        lost = {path: found for path, (found, image) in self.hosted.items() if not has(image)}
        if not lost:
            return []
        problems = self.catalogue.enter(lost).problems
        listed = self.catalogue.manifest.images
        for path in lost.keys() & images.keys() & listed.keys():
            if images[path].sha256 == listed[path].sha256:
                images[path] = images[path]._replace(forms=listed[path].forms)
        return problems

    def record_problems(self, problems: Iterable[Problem]) -> None:
        """Record the problems of a build, for the gallery."""
        rows = [
            (printable(document), line, printable(url), printable(str(error)))
            for document, line, url, error in problems
        ]
        self.catalogue.index.record_problems(rows)

    def add(self, names: Sequence[str]) -> list[HostedImage]:
        """Host single files.

        Args:
            names: image files, as `local_file` finds them; those outside the site get their
                path in the store as manifest path.

        Returns:
            One hosted image per file, in the same order.

        Raises:
            ImageHostError: files cannot be hosted; the message names each of them.
        """
        found = [self._locate(name) for name in names]
        locations = [one for one in found if isinstance(one, Location)]
        entries = self.catalogue.enter({one.path: one for one in locations}, afresh=True)
        for problem in entries.problems:
            raise problem.error
        errors = [
            type(error)(f"{name}: {error}")
            for name, one in zip(names, found, strict=True)
            if (error := entries.errors.get(one.path) if isinstance(one, Location) else one)
        ]
        if len(errors) == 1:
            raise errors[0]
        if errors:
            lines = [printable(str(error)) for error in errors]
            raise ImageHostError("\n  ".join([f"{count(len(lines), 'file')} failed", *lines]))
        return [
            HostedImage(image, os.path.basename(one.file), self.address(image))
            for one in locations
            for image in [entries.images[one.path]]
        ]

    def give_variants(self, images: dict[str, Image], *, makes: bool, say: Say) -> set[str]:
        """Give images the variants that are there, and make those that are lacking.

        Args:
            images: manifest path → image; those with other variants are replaced in it.
            makes: whether any are made.
            say: is called with a line for the user.

        Returns:
            The digests of images that lack some, and could have them.
        """
        # Imported here, because a site without variants needs nothing of it.
        from pelican_imagehost.storage.making import (  # noqa: PLC0415
            can_make,
            find_lacking,
            make_variants,
            without_lost,
        )

        lacking = find_lacking(self.catalogue, images)
        both = lacking.new | lacking.lost if can_make(self.settings) else {}
        made = {}
        if makes:
            try:
                made = make_variants(self.catalogue, both.values(), say)
            except ImageHostError as error:  # the pages show what is there
                say(f"no variants were made: {error}")
        present = {
            digest: without_lost(self.catalogue, image) for digest, image in lacking.lost.items()
        }
        given = present | made
        for path, image in images.items() if given else ():
            if image.sha256 in given:
                images[path] = image._replace(forms=given[image.sha256].forms)
        self._undelivered = lacking.absent.keys() | made.keys()
        return both.keys() - made.keys()

    def deliver(self, images: Iterable[Image], new: Container[str] = ()) -> None:
        """Copy images to the output, unless they are there or a host serves them.

        Args:
            images: the images.
            new: the keys of those that are new in the store; a copy of one may be damaged.

        Raises:
            StoreError: the output cannot be written, or a stored image is damaged.
        """
        folder = self.settings.embedded
        if folder is None:
            return
        wanted = {image.sha256: image for image in images}.values()
        missing = [
            image
            for image in wanted
            if image.key in new or not _has_size(f"{folder}/{image.key}", image.size)
        ]
        if self.settings.formats:
            missing += [
                one
                for image in wanted
                if self._undelivered is None or image.sha256 in self._undelivered
                for one in image.variants
                if not _has_size(f"{folder}/{one.key}", one.size)
            ]
            self._undelivered = None
        incoming = folder / ".incoming"
        if not missing and not os.path.isdir(incoming):
            return
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(StoreError):  # a read-only store needs no lock
                stack.enter_context(self.catalogue.store.locked())
            try:
                self._copy([image for image in missing if self.catalogue.store.has(image)], folder)
            except OSError as error:
                reason = error.strerror or error
                raise StoreError(f"{folder} cannot be written: {reason}") from error
        for image in missing:
            damaged = self.catalogue.store.path(image.key)
            if damaged.exists() and not self.catalogue.store.has(image):
                raise StoreError(f"{damaged} is damaged; run: pelican-imagehost verify --repair")

    def _copy(self, images: list[Image], folder: Path) -> None:
        """Copy images by way of one folder, where files of a killed build are found."""
        incoming = folder / ".incoming"
        incoming.mkdir(parents=True, exist_ok=True)
        for stale in incoming.iterdir():
            stale.unlink()
        for image in images:
            target = folder / image.key
            target.parent.mkdir(exist_ok=True)
            clone(self.catalogue.store.path(image.key), target, folder=incoming)
        incoming.rmdir()

    def _locate(self, wanted: str) -> Location | ImageHostError:
        absolute = os.path.abspath(local_file(wanted))
        try:
            status = os.stat(absolute)
            name = self.settings.relative(absolute)
            if os.path.isabs(name):
                _, image, status = self.catalogue.read(absolute)
                name = self.settings.relative(self.catalogue.store.path(image.key))
        except OSError as error:
            return MissingImage(str(error.strerror))
        except ValueError:  # a NUL
            return MissingImage("no file can have this name")
        except ImageHostError as error:
            return error
        return Location(name, absolute, status, "")

    def _manifest_problems(self) -> list[Problem]:
        manifest = self.catalogue.manifest
        name = self.settings.relative(manifest.file)
        return [Problem(name, line, "", error) for line, error in manifest.errors]


def _has_size(path: str, size: int) -> bool:
    try:
        return os.stat(path).st_size == size
    except OSError:
        return False
