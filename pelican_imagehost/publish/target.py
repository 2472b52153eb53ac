"""Where the images of a site are published; chosen here, by IMAGEHOST_REMOTE, and nowhere else.

The hook imports this for every push, so the targets themselves are imported when opened.
"""

from __future__ import annotations

import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from pelican_imagehost.publish.bucket import GRACE, SCHEME
from pelican_imagehost.publish.git import Git, LeanGit
from pelican_imagehost.publish.served import PUSHED, Served
from pelican_imagehost.report import print_nothing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from collections.abc import Set as AbstractSet
    from contextlib import AbstractContextManager

    from pelican_imagehost.report import Say
    from pelican_imagehost.settings import Settings
    from pelican_imagehost.storage.store import Store

    # Takes the keys that are sent next, and yields a function to call with the bytes sent.
    Sending = Callable[[list[str]], AbstractContextManager[Callable[[int], None]]]
    Fetch = Callable[[str], bytes | None]  # returns the bytes of a key, None if there are none

__all__ = ["NONE", "Target", "in_groups", "open_served", "open_sources", "open_target"]


NONE: Mapping[str, str] = MappingProxyType({})


def in_groups(keys: Iterable[str], variants: Mapping[str, str]) -> list[list[str]]:
    """Group keys: an image, and the variants that are withdrawn and allowed again with it.

    Args:
        keys: the keys.
        variants: the key of a variant → that of its image.
    """
    groups: dict[str, list[str]] = {}
    for key in sorted(keys, key=lambda key: (key in variants, key)):
        groups.setdefault(variants.get(key, key), []).append(key)
    return list(groups.values())


class Target(Protocol):
    """A place that images are sent to; every method may raise PublishError.

    Attributes:
        store: the store of the site, whose images are sent.
        name: its name for messages.
        limit: the largest file that it accepts, in bytes; None if unknown.
        verb: what happens to images first, for progress: `Committing`.
    """

    store: Store
    name: str
    limit: int | None
    verb: str

    @property
    def is_ready(self) -> bool:
        """Return whether `prepare` has been done."""

    @property
    def is_prompt(self) -> bool:
        """Return whether an image is online as soon as it has been sent."""

    def prepare(self, clone: str | None) -> list[str]:
        """Prepare the store for sending; safe to repeat.

        Args:
            clone: a repository with images to begin with.

        Returns:
            A line for each step; empty if there was nothing to do.
        """

    def rules(self) -> list[str]:
        """Return the rules that the host must be given by hand, as lines fit to copy."""

    def connect(self) -> bool:
        """Return whether there is a host.

        Raises:
            PublishError: there is one, but nothing can be sent to it.
        """

    def refresh(self) -> None:
        """Learn what other authors have changed."""

    def keys(self) -> set[str]:
        """Return the keys of all published images."""

    def sizes(self) -> dict[str, int | None]:
        """Return the keys of all published images, with their sizes; None if unknown."""

    def retracted(self) -> AbstractSet[str]:
        """Return the digests that must not be published, as last learned."""

    def missing(self, keys: Collection[str]) -> set[str]:
        """Return which images are not published."""

    def due(self, keys: Collection[str]) -> set[str]:
        """Return which images must be sent, so that all of them stay published."""

    def elsewhere(self) -> set[str]:
        """Return keys that the store need not have, because they are fetched when needed."""

    def send(
        self,
        choose: Callable[[], list[str]],
        sending: Sending,
        fetch: Fetch | None = None,
        say: Say = print_nothing,
    ) -> list[str]:
        """Send images, until the target has all that are chosen.

        Args:
            choose: returns the keys to send; called again after others have changed something.
            sending: shows the progress.
            fetch: returns the bytes of images that are not in the store.
            say: called with a line if it takes long because of others.

        Returns:
            The keys that were sent, sorted.

        Raises:
            PublishError: an image is not in the store, or the host refuses it.
        """

    def read(self, key: str) -> bytes | None:
        """Return the bytes of a published image; None if it is not there."""

    def note_uploads(self, digests: Iterable[str]) -> None:
        """Mark images as uploads, which no manifest lists."""

    def withdraw(self, keys: Iterable[str], variants: Mapping[str, str] = NONE) -> None:
        """Remove images, and prevent that they are published again; the store is locked.

        Args:
            keys: the keys of images and variants.
            variants: the key of a variant → that of its image, which is allowed again with it.

        Raises:
            PublishError: the host refused it; nothing has changed.
        """

    def forbid(self, digests: Iterable[str]) -> None:
        """Prevent that images are published, which are not."""

    def restore(self, digests: Iterable[str]) -> None:
        """Allow images to be published again, with the variants that were withdrawn with them.

        Raises:
            PublishError: the host refused it; nothing has changed.
        """

    def unneeded(self, is_needed: Callable[[str], bool]) -> dict[str, int]:
        """Return the images that a gc on this machine may delete from the target, with sizes."""

    def remove(self, keys: Iterable[str]) -> None:
        """Delete such images, but not those that others have sent again."""

    def remains(self, key: str) -> list[str]:
        """Say where copies of a retracted image may remain."""

    def seen(self) -> set[str]:
        """Return the keys that were seen online, and that nobody has removed since."""

    def record_seen(self, keys: AbstractSet[str]) -> None:
        """Record the keys that were seen online, of those that are published."""

    def is_unchanged(self) -> bool:
        """Return whether nobody else has changed the target, so that `Served` still holds."""


def open_target(settings: Settings, remote: str | None = None, git: type[Git] = Git) -> Target:
    """Open the target of a site.

    Args:
        settings: the settings of the site.
        remote: its address; IMAGEHOST_REMOTE if None.
        git: runs git.
    """
    address = remote or settings.remote
    if address is not None and address.startswith(SCHEME):
        from pelican_imagehost.publish.s3_target import S3Target  # noqa: PLC0415  see above

        return S3Target(settings, address)
    from pelican_imagehost.publish.git_target import GitTarget  # noqa: PLC0415  see above

    return GitTarget(settings, address, git)


def open_served(settings: Settings) -> Served:
    """Open the list of manifests whose images were all seen online at the target of a site."""
    remote = settings.remote or ""
    if remote.startswith(SCHEME):
        import hashlib  # noqa: PLC0415  see above

        from pelican_imagehost.storage.store import Store  # noqa: PLC0415  as above

        # Void after a retraction, and before a gc may take an image that only this lists.
        retracted = hashlib.sha256(" ".join(sorted(Store(settings.store).retracted())).encode())
        state = f"{time.time() // (GRACE / 2):.0f} {retracted.hexdigest()}"
        file = settings.index.with_name("imagehost-served")
        file.parent.mkdir(parents=True, exist_ok=True)
    else:
        file = settings.store / ".git" / "imagehost-served"
        state = LeanGit(settings.store).commit_of(PUSHED) if file.parent.exists() else ""
    return Served(file, [settings.address_prefix, remote, state])


def open_sources(settings: Settings, remote: str | None) -> list[Target]:
    """Open what may have images that the store lacks, to copy all to a target.

    Args:
        settings: the settings of the site.
        remote: the address of that target; IMAGEHOST_REMOTE if None.
    """
    from pelican_imagehost.publish.git_target import GitTarget  # noqa: PLC0415  see above

    sources: list[Target] = [open_target(settings)] if remote else []
    repository = GitTarget(settings, None)
    return [*sources, repository] if repository.is_ready else sources
