"""Remove images from the repository of the store and from the host, and allow them again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pelican_imagehost.errors import ImageHostError, MissingImage
from pelican_imagehost.images.identify import read
from pelican_imagehost.images.image import KEY, digest_of
from pelican_imagehost.images.prepare import prepare
from pelican_imagehost.publish.publisher import Publisher
from pelican_imagehost.publish.repository import TOMBSTONES, StoreRepository
from pelican_imagehost.storage.manifest import Manifest
from pelican_imagehost.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pelican_imagehost.images.image import Image
    from pelican_imagehost.settings import Settings

__all__ = ["find_key", "published_keys", "restore", "withdraw"]


def find_key(
    settings: Settings, name: str, paths: Mapping[str, Image], keys: Iterable[str]
) -> str | None:
    """Find the image that the user refers to.

    Args:
        settings: the settings of the site.
        name: a file, a path in the manifest, an address, a key, or a SHA-256.
        paths: manifest path → image.
        keys: keys of other images; anything else in it is ignored.

    Returns:
        The key; None if the image does not exist. A variant means its image.
    """
    image = paths.get(settings.relative(name)) or paths.get(name)
    if image is not None:
        return image.key
    match = KEY.search(name)
    digest = digest_of(match[0]) if match else name.lower()
    owners = (one for one in paths.values() if digest in one.forms)
    owner = next((one.key for one in owners if digest in {v.sha256 for v in one.variants}), None)
    if owner is not None:
        return owner
    if match is not None:
        return match[0]
    known = filter(KEY.fullmatch, [*(image.key for image in paths.values()), *keys])
    return next((key for key in known if digest_of(key) == digest), None)


def published_keys(settings: Settings, *, join: bool = True) -> set[str]:
    """Return the keys in the repository of the store.

    Args:
        settings: the settings of the site.
        join: fetch and merge the branch of the host first, if there is one.

    Raises:
        PublishError: the host does not answer.
    """
    repository = StoreRepository.of(settings)
    if not repository.exists:
        return set()
    if join and settings.remote:
        repository.use_remote(settings.remote)
        repository.join()
    return {name for name in repository.names() if KEY.fullmatch(name)}


def withdraw(settings: Settings, keys: Iterable[str], variants: Mapping[str, str]) -> None:
    """Remove images from the repository and the host, and add tombstones.

    The caller holds the lock of the store.

    Args:
        settings: the settings of the site.
        keys: the keys of images and variants.
        variants: the key of a variant → that of its image, which is allowed again with it.

    Raises:
        PublishError: the host refused the push; nothing has changed.
    """
    repository = StoreRepository.of(settings)
    together: dict[str, list[str]] = {}
    for key in sorted(keys, key=lambda key: (key in variants, key)):
        together.setdefault(variants.get(key, key), []).append(key)
    with repository.undone_on_failure():
        for group in together.values():
            repository.retract(group)
        if settings.remote:
            repository.push()


def restore(settings: Settings, name: str) -> str:
    """Allow a retracted image to be published again.

    Args:
        settings: the settings of the site.
        name: a file, a path in the manifest, an address, a key, or a SHA-256.

    Returns:
        Its key, or its SHA-256 if the key is unknown.

    Raises:
        MissingImage: no such image was retracted.
        PublishError: the host refused the push; nothing has changed.
    """
    store = Store(settings.store)
    repository = Publisher(settings, store).repository
    repository.join()
    paths = Manifest.load(settings.manifest).images
    key = find_key(settings, name, paths, published_keys(settings, join=False))
    digests = [digest_of(key)] if key else _digests(settings, name)
    retracted = [one for one in digests if f"{TOMBSTONES}{one}" in repository.names()]
    if not retracted:
        raise MissingImage(f"{name}: no such image was retracted")
    with store.locked(), repository.undone_on_failure():
        for digest in retracted:
            repository.restore(digest)
        repository.push()
    return key or retracted[0]


def _digests(settings: Settings, name: str) -> list[str]:
    """Return the digests of a file that is not listed any more, or the name as a digest.

    The last is that of the published bytes, the first that of the file, which an earlier version
    has published.
    """
    try:
        found = read(name, settings.limits)
        published = prepare(found.data, found.image, settings.keep_metadata)[1]
    except ImageHostError:
        return [name.lower()]
    return list({found.image.sha256: None, published.sha256: None})
