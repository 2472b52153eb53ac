"""Publish the images of a site: commit them, push them, and check that they are online."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.errors import CorruptImage, PublishError
from pelican_imagehost.images.image import digest_of
from pelican_imagehost.publish.git import Git, LeanGit
from pelican_imagehost.publish.target import open_target
from pelican_imagehost.report import count, group, readable_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pelican_imagehost.images.image import Image
    from pelican_imagehost.publish.target import Fetch
    from pelican_imagehost.report import Progress, Say
    from pelican_imagehost.settings import Settings
    from pelican_imagehost.site.settings_file import SettingsFile
    from pelican_imagehost.site.site import Site

__all__ = ["Publisher", "Wanted", "publish"]


class Wanted(NamedTuple):
    """The images that must be online.

    Attributes:
        sizes: key → size in bytes, None for an image that is not in the store or manifest.
        sources: key → a path in the manifest, or a file that contains the address.
    """

    sizes: dict[str, int | None]
    sources: dict[str, str]

    @classmethod
    def of(cls, images: Mapping[str, Image]) -> Wanted:
        """Return the images of a manifest: path → image."""
        every = [(path, one) for path, image in images.items() for one in image.all]
        return cls({one.key: one.size for _, one in every}, {one.key: path for path, one in every})

    def size_of(self, keys: Iterable[str]) -> int:
        """Return the total size of images in bytes."""
        return sum(self.sizes[key] or 0 for key in keys)


def publish(  # noqa: PLR0913  one for each option
    site: SettingsFile,
    open_site: Callable[[], Site],
    *,
    remote: str | None,
    dry_run: bool,
    patience: float | None,
    progress: Progress,
    say: Say,
) -> dict[str, int]:
    """Publish the images of a site, without building it.

    Args:
        site: the settings of the site.
        open_site: opens the site with Pelican, which most documents do not need.
        remote: the repository to push to; IMAGEHOST_REMOTE if None.
        dry_run: write and send nothing.
        patience: seconds to wait until new addresses are online; None: do not check.
        progress: shows the progress of reading and sending.
        say: called with each step.

    Returns:
        Key → size in bytes, for the images that were sent, or would be.

    Raises:
        PublishError: the images cannot be published.
    """
    from pelican_imagehost.hosting import ImageHost  # noqa: PLC0415  the hook needs neither
    from pelican_imagehost.site.reading import read_documents  # noqa: PLC0415

    with ImageHost(site.settings, dry_run=dry_run, progress=progress) as image_host:
        publisher = Publisher(site.settings, remote, LeanGit)
        documents = read_documents(site, open_site, image_host.catalogue.manifest.images)
        report = image_host.host(documents)
    if report.problems:
        for line in group(report.problems):
            say(line)
        raise PublishError(f"{count(len(report.problems), 'problem')}; nothing was published")
    wanted = Wanted.of(report.images)
    if dry_run:
        new = publisher.plan(wanted)
    else:
        new = publisher.run(wanted, patience=patience, progress=progress, say=say)
    return {key: wanted.sizes[key] or 0 for key in new}


class Publisher:
    """Publishes the images of one site.

    Args:
        settings: the settings of the site.
        remote: the address, or the name of a remote, to push to; IMAGEHOST_REMOTE if None.
        git: runs git.

    Raises:
        PublishError: the host is not set, or the store is not a git repository.
    """

    def __init__(self, settings: Settings, remote: str | None = None, git: type[Git] = Git) -> None:
        if settings.url is None:
            raise PublishError(
                "IMAGEHOST_URL is not set, so images are part of the output and not published "
                "separately; try -s publishconf.py"
            )
        self.settings = settings
        self.target = open_target(settings, remote, git)
        self.store = self.target.store
        if not self.target.connect():
            raise PublishError(
                "IMAGEHOST_REMOTE is not set; set it to the git repository of the image host"
            )

    def plan(self, wanted: Wanted) -> list[str]:
        """Find the images that must be sent, sorted by key.

        Raises:
            PublishError: an image was retracted, is too large for the host, or says where it
                was taken.
        """
        due = self.target.due(wanted.sizes)
        retracted = self.target.retracted()
        for key, source in wanted.sources.items():
            if digest_of(key) in retracted:
                raise PublishError(
                    f"{source} was retracted; remove it from the documents, or allow it again: "
                    f"pelican-imagehost retract --undo {digest_of(key)}"
                )
        new = sorted(key for key in due if wanted.sizes[key] is not None)
        self._check_limit(wanted, new)
        self._check_private(wanted, new)
        return new

    def run(
        self, wanted: Wanted, *, patience: float | None, progress: Progress, say: Say
    ) -> list[str]:
        """Send images and wait until they are online.

        Args:
            wanted: the images.
            patience: seconds to wait; None: do not check.
            progress: shows the progress of sending.
            say: called with each step.

        Returns:
            The keys of the images that were sent.

        Raises:
            PublishError: the images cannot be sent or are not online; run it again.
        """
        sent = self.send(wanted, progress, say)
        if patience is not None:
            seen = self.confirm(wanted, patience=patience, say=say)
            if seen:
                say(f"{count(seen, 'image')} online at {self.settings.address_prefix}")
        return sent

    def send(
        self, wanted: Wanted, progress: Progress, say: Say, fetch: Fetch | None = None
    ) -> list[str]:
        """Send new images, until the host has all that are wanted.

        What is new is found again after others have changed the host: they may have removed
        images.

        Args:
            wanted: the images.
            progress: shows the progress of sending.
            say: called with each step.
            fetch: returns the bytes of images that are not in the store.

        Returns:
            The keys of the images that were sent.

        Raises:
            PublishError: an image is not in the store, or the host refused it.
        """

        @contextmanager
        def sending(new: list[str]) -> Iterator[Callable[[int], None]]:
            size = wanted.size_of(new)
            say(f"publishing {count(len(new), 'image')}, {readable_size(size)}")
            with progress(self.target.verb, size) as advance:
                yield advance

        return self.target.send(lambda: self.plan(wanted), sending, fetch, say)

    def confirm(self, wanted: Wanted, *, patience: float, say: Say) -> int:
        """Check that images are online that nobody has seen there since they were sent.

        Args:
            wanted: the images.
            patience: seconds to wait until they are.
            say: called with a message before each pause.

        Returns:
            The number of images that were checked.

        Raises:
            PublishError: an image is not online, or is not complete there.
        """
        known = self.target.seen()
        keys = sorted(wanted.sizes.keys() - known)
        if not keys:
            return 0
        from pelican_imagehost.publish.confirm import Expected, find_absent  # noqa: PLC0415  slow

        prefix = self.settings.address_prefix
        expected = [Expected(prefix + key, wanted.sizes[key]) for key in keys]
        ours = self.target.is_prompt
        absent = find_absent(expected, patience=patience, say=say, ours=ours)
        if absent.answers:
            url, answer = next(iter(absent.answers.items()))
            source = wanted.sources[url.removeprefix(prefix)]
            after = "" if absent.is_final else f" after {patience:.0f} s"
            raise PublishError(
                f"{len(absent.answers):,} of {len(keys):,} images are not online{after}: {url} "
                f"({source}): {answer}; check IMAGEHOST_URL and the image host"
            )
        self.target.record_seen(known | set(keys))
        return len(keys)

    def _check_private(self, wanted: Wanted, keys: Iterable[str]) -> None:
        """Refuse images that an earlier version has stored with the place in them."""
        keys = [key for key in keys if self.store.path(key).exists()]
        if not keys or "all" in self.settings.keep_metadata:
            return
        from pelican_imagehost.images.clean import has_location  # noqa: PLC0415  only for new images

        for key in keys:
            try:
                tells = has_location(self.store.path(key).read_bytes(), key.rpartition(".")[2])
            except CorruptImage as error:
                if not self.store.is_intact(key):
                    continue  # committing it says so
                raise PublishError(f"{wanted.sources[key]} {error}; nothing was sent") from error
            if tells:
                raise PublishError(
                    f"{wanted.sources[key]} says where it was taken; nothing was sent; run: "
                    "pelican-imagehost clean"
                )

    def _check_limit(self, wanted: Wanted, keys: Iterable[str]) -> None:
        limit = self.target.limit
        for key in keys:
            size = wanted.sizes[key] or 0
            if limit is not None and size > limit:
                raise PublishError(
                    f"{key} has {readable_size(size)}, but {self.target.name} accepts at most "
                    f"{readable_size(limit)} per file; make the image smaller; nothing was sent"
                )
