"""Deleting images that somebody chose: what uses one keeps it, and is named."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.errors import PublishError
from pelican_imagehost.gallery.listing import Deletion, Facts, ListedImage, list_images
from pelican_imagehost.gallery.uses import Mentions
from pelican_imagehost.hosting import ImageHost
from pelican_imagehost.images.image import KEY
from pelican_imagehost.publish.history import recently_named
from pelican_imagehost.publish.repository import BRANCH, StoreRepository
from pelican_imagehost.report import Progress, silent
from pelican_imagehost.site.mentions import mentioned_names, name_of, site_texts
from pelican_imagehost.storage.manifest import Manifest
from pelican_imagehost.storage.records import Records
from pelican_imagehost.storage.store import Store
from pelican_imagehost.upkeep.check import look
from pelican_imagehost.upkeep.garbage import Garbage, collect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pelican_imagehost.settings import Settings
    from pelican_imagehost.site.site import Site

__all__ = ["Plan", "carry_out", "plan"]


class Plan(NamedTuple):
    """What would be deleted, and what would not.

    Attributes:
        images: what is to go.
        kept: what stays, and why.
        garbage: what is to go, as `collect` takes it.
        uses: document → manifest paths, as the index had them.
    """

    images: list[ListedImage]
    kept: list[Deletion]
    garbage: Garbage
    uses: dict[str, set[str]]


def plan(site: Site, names: Sequence[str], *, grace_days: int, progress: Progress = silent) -> Plan:
    """Look which of the chosen images may go.

    Args:
        site: the site.
        names: each a SHA-256, an address, a file, or a path in the manifest.
        grace_days: keep what the committed manifest named this lately.
        progress: shows how far reading has come.

    Raises:
        ImageHostError: the site cannot be read.
    """
    settings = site.settings
    before = Facts.read(settings, {})  # what a build names from here on, `collect` sees
    report, unread = look(site, progress=progress)
    facts = Facts.read(settings, Mentions(settings).find())._replace(uses=report.uses)
    listed = {image.sha256: image for image in list_images(settings, facts)}
    keepers = _Keepers.of(site, unread, grace_days)
    images, kept = [], []
    for name in dict.fromkeys(names):
        image = listed.get(_digest(settings, facts, name))
        reason = keepers.reason(image) if image else "no image of that name is known"
        if image is not None and not reason:
            images.append(image)
        else:
            known = (image.sha256, image.name) if image else (name, name)
            kept.append(Deletion(*known, deleted=False, message=reason))
    uses = {document: set(paths) for document, paths in before.uses.items()}
    return Plan(images, kept, _garbage(settings, facts, images), uses)


def carry_out(site: Site, chosen: Plan) -> list[Deletion]:
    """Delete what a plan says: from the host first; what came into use since stays.

    Returns:
        What became of each image of the plan, what was to stay first.

    Raises:
        ImageHostError: it cannot be; the message says why.
    """
    settings = site.settings
    retracted: set[str] = set()
    with ImageHost(settings) as image_host, closing(Records(settings.records)) as records:

        def retract(keys: list[str]) -> None:
            retracted.update(_retract(settings, image_host.catalogue.store, keys))

        gone = collect(image_host.catalogue, chosen.garbage, chosen.uses, records, before=retract)
    stayed = chosen.garbage.files.keys() - gone.files.keys()
    deletions = list(chosen.kept)
    for image in chosen.images:
        key = image.image.key
        message = "was uploaded again, or used, meanwhile" if key in stayed else "deleted"
        if key in retracted:
            message = "deleted, and retracted from the host"
        deletions.append(Deletion(image.sha256, image.name, key not in stayed, message))
    return deletions


class _Keepers(NamedTuple):
    """What may keep an image though no document that was read uses it."""

    elsewhere: frozenset[str]  # keys
    unread: frozenset[str]  # folded names
    recent: frozenset[str]  # digests
    unsettled: str  # lines of the manifest
    grace_days: int

    @classmethod
    def of(cls, site: Site, unread: list[str], grace_days: int) -> _Keepers:
        texts = site_texts(site.pelican_settings, ())
        skipped = site.sources(only=unread)
        manifest = site.settings.manifest
        return cls(
            frozenset(match[0] for text in texts for match in KEY.finditer(text)),
            frozenset(name for text in skipped for name in mentioned_names(text)),
            frozenset(recently_named(manifest, grace_days)),
            Manifest.load(manifest).unsettled_text(),
            grace_days,
        )

    def reason(self, image: ListedImage) -> str:
        """Say why an image stays; "" where nothing keeps it."""
        if image.documents:
            return f"is used in {', '.join(image.documents)}"
        if image.image.key in self.elsewhere:
            return "the theme or the settings name it"
        if any(name_of(path) in self.unread for path in image.paths):
            return "a document that Pelican skips or cannot read names such a file"
        if image.sha256 in self.unsettled:
            return "lines of the manifest that are not settled name it"
        if image.sha256 in self.recent:
            return (
                f"the site named it in the last {self.grace_days} days, "
                "and copies of its pages may show it"
            )
        return ""


def _garbage(settings: Settings, facts: Facts, images: list[ListedImage]) -> Garbage:
    chosen = {image.sha256 for image in images}
    store = Store(settings.store)
    return Garbage(
        {path: image for path, image in facts.paths.items() if image.sha256 in chosen},
        {
            image.image.key: store.path(image.image.key).stat().st_size
            for image in images
            if store.path(image.image.key).exists()
        },
        {one.image.sha256: one for one in facts.records if one.image.sha256 in chosen},
    )


def _retract(settings: Settings, store: Store, keys: list[str]) -> set[str]:
    """Take images out of the store's repository and off the host; hold the store's lock."""
    repository = StoreRepository(store)
    if not repository.exists:
        return set()
    if settings.remote:
        repository.use_remote(settings.remote)
        repository.join()
    held = set(keys) & repository.names()
    tip = repository.git.commit_of(BRANCH)
    try:
        for key in held:
            repository.retract(key)
        if held and settings.remote:
            repository.push()
    except PublishError:
        repository.git.run("update-ref", BRANCH, tip)  # or it would go with the next push
        raise
    return held


def _digest(settings: Settings, facts: Facts, name: str) -> str:
    match = KEY.search(name)
    if match is not None:
        return match[2]
    image = facts.paths.get(settings.relative(name)) or facts.paths.get(name)
    return image.sha256 if image else name.lower()
