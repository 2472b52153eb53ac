"""Delete images that somebody chose; images in use are kept, and the user is named."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.errors import MissingImage
from pelican_imagehost.gallery.listing import Deletion, Facts, list_images
from pelican_imagehost.images.image import digest_of
from pelican_imagehost.publish.publisher import Publisher
from pelican_imagehost.publish.retract import find_key, published_keys, withdraw
from pelican_imagehost.report import silent
from pelican_imagehost.storage.store import Store
from pelican_imagehost.upkeep.garbage import Garbage, collect
from pelican_imagehost.upkeep.keepers import Keepers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pelican_imagehost.report import Progress
    from pelican_imagehost.settings import Settings
    from pelican_imagehost.site.site import Site

__all__ = ["Chosen", "Plan", "carry_out", "plan", "retract"]


class Chosen(NamedTuple):
    """An image to delete: its key, its bytes and its name for a reader."""

    key: str
    size: int
    name: str


class Plan(NamedTuple):
    """What would be deleted, and what would not.

    Attributes:
        images: what is to be deleted.
        kept: what is not, and why.
        garbage: the same images, as `collect` takes them.
        uses_before: document → manifest paths, as the index had them.
    """

    images: list[Chosen]
    kept: list[Deletion]
    garbage: Garbage
    uses_before: Mapping[str, set[str]]


def plan(site: Site, names: Sequence[str], *, grace_days: int, progress: Progress = silent) -> Plan:
    """Find which of the chosen images may be deleted; nothing is written.

    Args:
        site: the site.
        names: each a SHA-256, an address, a file, or a path in the manifest.
        grace_days: keep images the committed manifest listed within this many days.
        progress: shows how far reading has come.

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
            kept.append(Deletion(name, name, deleted=False, message="no such image is known"))
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
    """Delete what a plan lists, from the host too; what came into use since is kept.

    Returns:
        The outcome for each image of the plan, those that were to be kept first.

    Raises:
        ImageHostError: it failed; the message says why.
    """
    if not chosen.images:
        return chosen.kept
    published = published_keys(settings)

    def retract(keys: list[str]) -> None:
        withdraw(settings, published & set(keys))

    gone = collect(settings, chosen.garbage, chosen.uses_before, before=retract).files
    deletions = list(chosen.kept)
    for image in chosen.images:
        message = "deleted" if image.key in gone else "was uploaded or used again, so it is kept"
        if image.key in gone and image.key in published:
            message = "deleted, and retracted from the host"
        digest = digest_of(image.key)
        deletions.append(Deletion(digest, image.name, image.key in gone, message))
    return deletions


def retract(settings: Settings, name: str) -> str:
    """Take an image offline now, whatever uses it, and forget it here.

    Args:
        settings: the site's.
        name: a SHA-256, an address, a file, or a path in the manifest.

    Returns:
        Its key.

    Raises:
        MissingImage: nothing of that name is known.
        PublishError: there is no host, or it refused; nothing has changed then.
    """
    facts = Facts.read(settings, {})
    Publisher(settings, Store(settings.store))  # there must be a host to take it from
    known = {*_known(settings, facts), *published_keys(settings)}
    key = find_key(settings, name, facts.paths, known)
    if key is None:
        raise MissingImage(f"{name}: no such image is in the manifest or the repository")
    garbage = _garbage(settings, facts, [key])
    collect(settings, garbage, None, before=partial(withdraw, settings))
    return key


def _known(settings: Settings, facts: Facts) -> dict[str, Chosen]:
    """Return every image that is listed, recorded or stored, by its key."""
    store = Store(settings.store)
    stored = {key: Chosen(key, store.path(key).stat().st_size, key) for key in store.keys()}  # noqa: SIM118  a method: the store is not a dict
    listed = list_images(settings, facts)
    return stored | {one.image.key: Chosen(one.image.key, one.size, one.name) for one in listed}


def _garbage(settings: Settings, facts: Facts, keys: Sequence[str]) -> Garbage:
    digests = {digest_of(key) for key in keys}
    store = Store(settings.store)
    there = {key: store.path(key) for key in keys}
    files = {key: path.stat().st_size if path.exists() else 0 for key, path in there.items()}
    return Garbage(
        {path: image for path, image in facts.paths.items() if image.sha256 in digests},
        files,
        {one.image.sha256: one for one in facts.records if one.image.sha256 in digests},
    )
