"""Delete chosen images; images in use are kept, and the documents that use them reported."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.errors import MissingImage
from pelican_imagehost.gallery.listing import Deletion, list_images
from pelican_imagehost.gallery.sources import Facts
from pelican_imagehost.images.image import digest_of
from pelican_imagehost.publish.history import former_variants
from pelican_imagehost.publish.publisher import Publisher
from pelican_imagehost.publish.retract import find_key, published_keys
from pelican_imagehost.publish.target import open_target
from pelican_imagehost.report import silent
from pelican_imagehost.storage.store import Store
from pelican_imagehost.upkeep.garbage import Garbage, collect
from pelican_imagehost.upkeep.keepers import Keepers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pelican_imagehost.report import Progress
    from pelican_imagehost.settings import Settings
    from pelican_imagehost.site.site import Site

__all__ = ["Chosen", "Plan", "carry_out", "delete_now", "plan", "retract"]


class Chosen(NamedTuple):
    """An image to delete: its key, its size in bytes, and its name for messages."""

    key: str
    size: int
    name: str


class Plan(NamedTuple):
    """The images to delete and to keep.

    Attributes:
        images: the images to delete.
        kept: the other images, with the reasons.
        garbage: the images to delete, for `collect`.
        uses_before: document → manifest paths, from the index at the time of planning.
    """

    images: list[Chosen]
    kept: list[Deletion]
    garbage: Garbage
    uses_before: Mapping[str, set[str]]


def plan(site: Site, names: Sequence[str], *, grace_days: int, progress: Progress = silent) -> Plan:
    """Find the chosen images that may be deleted; nothing is written.

    Args:
        site: the site.
        names: each a SHA-256, an address, a file, or a path in the manifest.
        grace_days: keep images the committed manifest listed within this many days.
        progress: shows the progress of reading.

    Raises:
        ImageHostError: the site cannot be read.
    """
    settings = site.settings
    keepers = Keepers.read(site, grace_days, progress)
    facts = keepers.facts
    known = _known(settings, facts)
    images, kept = [], []
    for name in dict.fromkeys(names):
        image = known.get(find_key(settings, name, facts.paths, known) or "")
        if image is None:
            kept.append(Deletion(name, name, deleted=False, message="no such image"))
            continue
        paths = [path for path, one in facts.paths.items() if one.key == image.key]
        reason = keepers.reason(image.key, paths)
        if reason:
            kept.append(Deletion(digest_of(image.key), image.name, deleted=False, message=reason))
        else:
            images.append(image)
    garbage = _garbage(settings, facts, [image.key for image in images])
    return Plan(images, kept, garbage, keepers.uses_before)


def carry_out(settings: Settings, chosen: Plan) -> list[Deletion]:
    """Delete the images of a plan, here and on the host, unless they were used since.

    Returns:
        The outcome for each image of the plan, first for those to keep.

    Raises:
        ImageHostError: an image cannot be deleted, here or on the host.
    """
    if not chosen.images:
        return chosen.kept
    published = published_keys(settings)

    def retract(keys: list[str]) -> None:
        open_target(settings).withdraw(published & set(keys), chosen.garbage.variants)

    gone = collect(settings, chosen.garbage, chosen.uses_before, before=retract).files
    deletions = list(chosen.kept)
    for image in chosen.images:
        message = "deleted" if image.key in gone else "kept, because it was uploaded or used again"
        if image.key in gone and image.key in published:
            message = "deleted, and retracted from the host"
        digest = digest_of(image.key)
        deletions.append(Deletion(digest, image.name, image.key in gone, message))
    return deletions


def retract(settings: Settings, name: str) -> str:
    """Delete an image here and on the host, even if it is used.

    Args:
        settings: the settings of the site.
        name: a SHA-256, an address, a file, or a path in the manifest.

    Returns:
        The key of the image.

    Raises:
        MissingImage: the image does not exist.
        PublishError: the host is not set, or refused the push; nothing was deleted.
    """
    facts = Facts.read(settings, {})
    target = Publisher(settings).target  # raises an error if there is no host
    known = {*_known(settings, facts), *published_keys(settings)}
    key = find_key(settings, name, facts.paths, known)
    if key is None:
        raise MissingImage(f"{name}: no such image in the manifest or the repository")
    garbage = _garbage(settings, facts, [key])
    take_offline = partial(target.withdraw, variants=garbage.variants)
    collect(settings, garbage, None, before=take_offline)
    return key


def delete_now(settings: Settings, keys: Sequence[str]) -> None:
    """Delete images here and on the host, even if they are used.

    Raises:
        PublishError: the host refused the push; nothing was deleted.
    """
    published = published_keys(settings)

    def take_offline(gone: list[str]) -> None:
        open_target(settings).withdraw(published & set(gone), garbage.variants)

    garbage = _garbage(settings, Facts.read(settings, {}), keys)
    collect(settings, garbage, None, before=take_offline)


def _known(settings: Settings, facts: Facts) -> dict[str, Chosen]:
    """Return every listed, recorded or stored image, by key."""
    store = Store(settings.store)
    stored = {key: Chosen(key, store.path(key).stat().st_size, key) for key in store.keys()}  # noqa: SIM118  a method: the store is not a dict
    listed = list_images(settings, facts)
    return stored | {one.image.key: Chosen(one.image.key, one.size, one.name) for one in listed}


def _garbage(settings: Settings, facts: Facts, keys: Sequence[str]) -> Garbage:
    wanted = {digest_of(key): key for key in keys}
    lines = {path: image for path, image in facts.paths.items() if image.sha256 in wanted}
    variants = former_variants(settings.manifest, wanted)
    variants |= {one.key: image.sha256 for image in lines.values() for one in image.variants}
    others = (image for path, image in facts.paths.items() if path not in lines)
    kept = {one.key for image in others for one in image.all}
    deleted = {key: wanted[digest] for key, digest in variants.items() if key not in kept}
    store = Store(settings.store)
    there = {key: store.path(key) for key in [*keys, *sorted(deleted)]}
    files = {key: path.stat().st_size if path.exists() else 0 for key, path in there.items()}
    records = {digest: one for digest, one in facts.records.items() if digest in wanted}
    return Garbage(lines, files, records, deleted)
