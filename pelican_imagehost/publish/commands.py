"""The commands of publishing, as the command line runs them: say what is done, in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pelican_imagehost.errors import MissingImage, PublishError
from pelican_imagehost.hosting import ImageHost
from pelican_imagehost.images.image import KEY, Image, digest_of
from pelican_imagehost.publish.pre_push import examine, read_updates
from pelican_imagehost.publish.publisher import Publisher
from pelican_imagehost.publish.repository import TOMBSTONES
from pelican_imagehost.report import count, readable_size
from pelican_imagehost.storage.manifest import Manifest
from pelican_imagehost.storage.store import Store

if TYPE_CHECKING:
    from pelican_imagehost.report import Progress
    from pelican_imagehost.site.site import Site

__all__ = ["Say", "hook", "publish", "retract"]

Say = Callable[[str], None]


def publish(  # noqa: PLR0913  each is a choice of the user's
    site: Site,
    *,
    remote: str | None,
    dry_run: bool,
    patience: float | None,
    progress: Progress,
    say: Say,
) -> list[Image]:
    """Publish what a site names; a build is not needed.

    Args:
        site: the site.
        remote: where to push; IMAGEHOST_REMOTE when None.
        dry_run: say what would go; write and send nothing.
        patience: seconds to ask the host for new addresses; None asks not at all.
        progress: shows how far it has come.
        say: told each step.

    Returns:
        The images that went out, or would.

    Raises:
        PublishError: it cannot be; the message says why and what to do.
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
    sent = [wanted.images[key] for key in wanted.new]
    if not dry_run:
        _send(publisher, wanted.images, wanted.new, patience, progress, say)
    return sent


def hook(site: Site, stdin: str, *, patience: float, progress: Progress, say: Say) -> None:
    """Publish what a push of the site names, before git pushes it.

    Raises:
        PublishError: the push must not go on.
    """
    if site.settings.url is None or site.settings.remote is None:
        say(f"{site.file.name} sets no IMAGEHOST_URL and IMAGEHOST_REMOTE: no image is published")
        return
    pushed = examine(site, read_updates(stdin))
    if pushed.problems:
        for line in pushed.problems:
            say(line)
        raise PublishError(
            "the push is refused: the pushed commit names images that its "
            f"{site.settings.manifest.name} cannot answer for; build, commit that file, push again"
        )
    publisher = Publisher(site.settings, Store(site.settings.store))
    wanted = publisher.plan(pushed.images)
    _send(publisher, wanted.images, wanted.new, patience, progress, say)


def retract(site: Site, name: str, *, undo: bool, say: Say) -> None:
    """Take an image offline now, on purpose, or allow it again.

    Args:
        site: the site.
        name: the image: a file, its path in the manifest, an address, or its SHA-256.
        undo: remove the tombstone.
        say: told each step.

    Raises:
        MissingImage: nothing of that name is known.
        PublishError: the host refused.
    """
    store = Store(site.settings.store)
    manifest = Manifest.load(site.settings.manifest)
    publisher = Publisher(site.settings, store)
    repository = publisher.repository
    repository.join()
    key = _find(site, manifest, repository.names(), name)
    with store.locked():
        if undo:
            repository.restore(key)
        else:
            repository.retract(key)
        repository.push()
        if undo:
            say(f"{key} may be published again")
            return
        paths = [path for path, image in manifest.images.items() if image.key == key]
        manifest.update({}, drop=paths)
        if store.path(key).exists():
            store.remove(key)
    say(f"{key} is offline at the host, and out of the store and the manifest")
    say("the repository's history, caches, and copies that readers made may still hold it")


def _find(site: Site, manifest: Manifest, names: set[str], name: str) -> str:
    path = site.settings.relative(name)
    image = manifest.images.get(path) or manifest.images.get(name)
    if image is not None:
        return image.key
    match = KEY.search(name)
    if match is not None:
        return match[0]
    digest = name.lower()
    keys = [key for key in names if digest_of(key) == digest or key == f"{TOMBSTONES}{digest}"]
    keys += [image.key for image in manifest.images.values() if image.sha256 == digest]
    keys = [key for key in keys if KEY.fullmatch(key)]
    if not keys:
        raise MissingImage(f"{name}: no image of that name is in the manifest or the repository")
    return keys[0]


def _send(  # noqa: PLR0913, PLR0917  what publish and hook share
    publisher: Publisher,
    images: dict[str, Image],
    new: list[str],
    patience: float | None,
    progress: Progress,
    say: Say,
) -> None:
    total = sum(images[key].size for key in new)
    if new:
        say(f"publishing {count(len(new), 'image')}, {readable_size(total)}")
    publisher.send(new, images, progress)
    if patience is not None:
        seen = publisher.confirm(images, patience=patience, say=say)
        if seen:
            say(f"{count(seen, 'image')} online at {publisher.settings.address_prefix}")
