"""Publish the images of a site: commit them, push them, and check that they are online."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from pelican_imagehost.errors import PublishError
from pelican_imagehost.hosting import ImageHost
from pelican_imagehost.publish.confirm import Expected, find_absent
from pelican_imagehost.publish.repository import TOMBSTONES, StoreRepository
from pelican_imagehost.report import count, readable_size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pelican_imagehost.images.image import Image
    from pelican_imagehost.report import Progress, Say
    from pelican_imagehost.settings import Settings
    from pelican_imagehost.site.site import Site
    from pelican_imagehost.storage.store import Store

__all__ = ["Publisher", "Wanted", "publish"]

# The largest files that public hosts accept, in bytes; checked before anything is sent.
_HOST_LIMITS = {"github.com": 100 * 1024**2, "gitlab.com": 100 * 1024**2}


class Wanted(NamedTuple):
    """The images to publish.

    Attributes:
        images: key → image, for all images of the site.
        new: the keys that are not in the branch yet.
    """

    images: dict[str, Image]
    new: list[str]


def publish(  # noqa: PLR0913  one for each option
    site: Site,
    *,
    remote: str | None,
    dry_run: bool,
    patience: float | None,
    progress: Progress,
    say: Say,
) -> list[Image]:
    """Publish the images of a site, without building it.

    Args:
        site: the site.
        remote: the repository to push to; IMAGEHOST_REMOTE if None.
        dry_run: write and send nothing.
        patience: seconds to wait until new addresses are online; None: do not check.
        progress: shows the progress of reading and sending.
        say: called with each step.

    Returns:
        The images that were sent, or would be.

    Raises:
        PublishError: the images cannot be published.
    """
    documents, _ = site.documents()
    with ImageHost(site.settings, dry_run=dry_run, progress=progress) as image_host:
        publisher = Publisher(site.settings, image_host.catalogue.store, remote)
        report = image_host.host(documents)
    if report.problems:
        for problem in report.problems:
            say(str(problem))
        raise PublishError(f"{count(len(report.problems), 'problem')}; nothing was published")
    wanted = publisher.plan(report.images)
    if not dry_run:
        publisher.run(wanted, patience=patience, progress=progress, say=say)
    return [wanted.images[key] for key in wanted.new]


class Publisher:
    """Publishes the images of one site.

    Args:
        settings: the settings of the site.
        store: the store of the site.
        remote: the address, or the name of a remote, to push to; IMAGEHOST_REMOTE if None.

    Raises:
        PublishError: the host is not set, or the store is not a git repository.
    """

    def __init__(self, settings: Settings, store: Store, remote: str | None = None) -> None:
        if settings.url is None:
            raise PublishError(
                "IMAGEHOST_URL is not set, so images are part of the output and not published "
                "separately; try -s publishconf.py"
            )
        self.settings = settings
        self.store = store
        self.remote = remote or settings.remote
        if self.remote is None:
            raise PublishError(
                "IMAGEHOST_REMOTE is not set; set it to the git repository of the image host"
            )
        self.repository = StoreRepository(store)
        if not self.repository.exists:
            raise PublishError(f"{store.root} is not a git repository; run: pelican-imagehost init")
        self.repository.use_remote(self.remote)

    def plan(self, images: Mapping[str, Image]) -> Wanted:
        """Find the images that must be sent.

        Args:
            images: manifest path → image.

        Raises:
            PublishError: an image was retracted, or is too large for the host.
        """
        wanted = {image.key: image for image in images.values()}
        names = self.repository.names()
        if any(not self.store.has(wanted[key]) for key in wanted.keys() - names):
            self.repository.join()  # another author may have published the missing images
            names = self.repository.names()
        for path, image in images.items():
            if f"{TOMBSTONES}{image.sha256}" in names:
                raise PublishError(
                    f"{path} was retracted; remove it from the documents, or allow it again: "
                    f"pelican-imagehost retract --undo {path}"
                )
        new = sorted(wanted.keys() - names)
        self._check_limit([wanted[key] for key in new])
        return Wanted(wanted, new)

    def run(self, wanted: Wanted, *, patience: float | None, progress: Progress, say: Say) -> None:
        """Send images and wait until they are online.

        Args:
            wanted: the result of `plan`.
            patience: seconds to wait; None: do not check.
            progress: shows the progress of sending.
            say: called with each step.

        Raises:
            PublishError: the images cannot be sent or are not online; run it again.
        """
        if wanted.new:
            size = readable_size(sum(wanted.images[key].size for key in wanted.new))
            say(f"publishing {count(len(wanted.new), 'image')}, {size}")
        self.send(wanted.new, wanted.images, progress)
        if patience is not None:
            seen = self.confirm(wanted.images, patience=patience, say=say)
            if seen:
                say(f"{count(seen, 'image')} online at {self.settings.address_prefix}")

    def send(self, new: list[str], sizes: Mapping[str, Image], progress: Progress) -> None:
        """Commit new images and push.

        Raises:
            PublishError: an image is not in the store, or the host refused the push.
        """
        with self.store.locked():
            if new:
                total = sum(sizes[key].size for key in new)
                with progress("Committing", total) as advance:
                    self.repository.add(new, advance)
            self.repository.push()

    def confirm(self, images: Mapping[str, Image], *, patience: float, say: Say) -> int:
        """Check that all pushed images are online.

        Args:
            images: key → image, for their sizes.
            patience: seconds to wait until they are.
            say: called with a message before each pause.

        Returns:
            The number of images that were checked.

        Raises:
            PublishError: an image is not online, or has another size there.
        """
        keys = self.repository.unconfirmed()
        prefix = self.settings.address_prefix
        sizes = {key: image.size for key, image in images.items()}
        expected = [Expected(prefix + key, sizes.get(key)) for key in keys]
        absent = find_absent(expected, patience=patience, say=say)
        if absent:
            url, answer = next(iter(absent.items()))
            raise PublishError(
                f"{len(absent):,} of {len(keys):,} images are not online after {patience:.0f} s: "
                f"{url}: {answer}; check IMAGEHOST_URL and the image host"
            )
        self.repository.confirm()
        return len(keys)

    def _check_limit(self, images: list[Image]) -> None:
        host = urlsplit(self.remote or "").hostname or (self.remote or "").partition(":")[0]
        limit = _HOST_LIMITS.get(host.rpartition("@")[2])
        for image in images:
            if limit is not None and image.size > limit:
                raise PublishError(
                    f"{image.key} has {readable_size(image.size)}, but {host} accepts at most "
                    f"{readable_size(limit)} per file; make the image smaller; nothing was sent"
                )
