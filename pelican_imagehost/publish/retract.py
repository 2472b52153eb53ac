"""Find published images, and allow retracted ones to be published again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pelican_imagehost.errors import ImageHostError, MissingImage
from pelican_imagehost.images.identify import read
from pelican_imagehost.images.image import KEY, digest_of
from pelican_imagehost.images.prepare import prepare
from pelican_imagehost.publish.publisher import Publisher
from pelican_imagehost.publish.target import open_target
from pelican_imagehost.storage.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pelican_imagehost.images.image import Image
    from pelican_imagehost.settings import Settings

__all__ = ["find_key", "published_keys", "restore"]


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


def published_keys(settings: Settings, *, refresh: bool = True) -> set[str]:
    """Return the keys of all published images.

    Args:
        settings: the settings of the site.
        refresh: learn first what others have published.

    Raises:
        PublishError: the host does not answer.
    """
    target = open_target(settings)
    if refresh:
        target.refresh()
    return target.keys()


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
    target = Publisher(settings).target
    target.refresh()
    paths = Manifest.load(settings.manifest).images
    key = find_key(settings, name, paths, target.keys())
    digests = [digest_of(key)] if key else _digests(settings, name)
    retracted = [one for one in digests if one in target.retracted()]
    if not retracted:
        raise MissingImage(f"{name}: no such image was retracted")
    target.restore(retracted)
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
