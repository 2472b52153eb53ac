"""Recall images without reading their files: from the index, the manifest or a Git LFS pointer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from pelican_imagehost.errors import (
    CorruptImage,
    ImageHostError,
    MissingBytes,
    RetractedImage,
    UnlistedImage,
)
from pelican_imagehost.images.image import IMAGE_TYPES, Image
from pelican_imagehost.images.lfs import MAX_SIZE, Pointer, read_pointer

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Container

    from pelican_imagehost.documents.location import Location
    from pelican_imagehost.settings import Settings
    from pelican_imagehost.storage.manifest import Manifest
    from pelican_imagehost.storage.store import Store

__all__ = ["Known", "Recall", "Recalled", "standing_as"]

Known = Mapping[str, tuple[tuple[int, ...] | None, tuple[Any, ...]]]  # see `Recall`
_MANY = 1000
_Found = tuple[Image | None, ImageHostError | None]
_NOTHING: _Found = (None, None)


class Recalled(NamedTuple):
    """The images that are known, by path, and the files that must be read.

    Attributes:
        images: manifest path → image.
        errors: manifest path → the reason why it cannot be used; also if only its bytes are
            missing, and the image is known.
        unread: the locations of the other files.
    """

    images: dict[str, Image]
    errors: dict[str, ImageHostError]
    unread: list[Location]


def standing_as(listed: Image, image: Image) -> Image:
    """Return the image that the manifest lists for a file, with facts that have been read.

    Args:
        listed: the image of the line; it stands, even if the file would be cleaned otherwise.
        image: the image of the file, as it was read.
    """
    if listed.sha256 != image.sha256 or listed[:5] == image[:5]:
        return listed
    return Image(*image[:5], listed.source, listed.forms)  # the line is wrong about it


class Recall:
    """Knows the images of a site.

    Args:
        settings: the settings of the site.
        store: its store.
        manifest: its manifest; the committed one if it is frozen.
        files: file → (stamp, fields of the image), from the index.
        retracted: the digests of images that must not be published again.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        manifest: Manifest,
        files: Known,
        retracted: Container[str] = (),
    ) -> None:
        self._settings = settings
        self._store = store
        self._manifest = manifest
        self._files = files
        self._retracted = retracted

    def all(self, locations: dict[str, Location]) -> Recalled:
        """Recall the images of some locations, by manifest path."""
        recalled = Recalled({}, {}, [])
        has = self._presence(len(locations))
        for path, location in locations.items():
            image, error = self._find(location, has)
            if image is None and error is None:
                recalled.unread.append(location)
            if image is not None and image.sha256 in self._retracted:
                error, image = self.refusal(path, image), None
            if image is not None:
                recalled.images[path] = image
            if error is not None:
                recalled.errors[path] = error
        return recalled

    def refusal(self, path: str, image: Image) -> ImageHostError | None:
        """Return the reason why an image may not be used here; None if it may."""
        if image.sha256 in self._retracted:
            return RetractedImage(
                f"{path} was retracted; remove it from the document, or allow it again: "
                f"pelican-imagehost retract --undo {image.sha256}"
            )
        return self.unlisted(path, image)

    def standing(self, digest: str) -> Image | None:
        """Return the image that the manifest lists for the bytes of a file.

        Later rules for cleaning do not move the address of what is published (issue 13).

        Args:
            digest: the SHA-256 of the author's file.
        """
        return self._by_original.get(digest)

    def unlisted(self, path: str, image: Image | None) -> UnlistedImage | None:
        """Return the error of an image that a frozen manifest does not list; None if it may."""
        listed = self._manifest.images.get(path)
        if not self._settings.frozen or (image is not None and image == listed):
            return None
        name = self._manifest.file.name
        lists = "does not list it" if listed is None else "lists another image for it"
        if path in self._manifest.conflicts:
            lists = "lists two images for it"
        return UnlistedImage(f"{name} {lists}; build where the images are, and commit {name}")

    def _presence(self, images: int) -> Callable[[Image], bool]:
        """Return a check for images in the store; for many it lists each folder just once.

        Listing is five times faster and ignores the length of files: the store contains
        complete files only, and `verify` finds later damage.
        """
        if not self._settings.stores:
            return lambda _: True
        if images < _MANY:
            return self._store.has
        names = self._store.names()
        return lambda image: f"{image.sha256}.{image.type}" in names

    def _find(self, location: Location, has: Callable[[Image], bool]) -> _Found:
        path, status = location.path, location.status
        if status is None:
            conflict = self._manifest.conflicts.get(path)
            return (None, conflict) if conflict else self._embeddable(path, "fetch the file")
        image = self._indexed(location, status)
        listed = self._manifest.images.get(path)
        if image is not None and listed is not None and listed.original == image.original:
            image = standing_as(listed, image)
        if image is None or not has(image):
            return self._pointed(location) if status.st_size <= MAX_SIZE else _NOTHING
        error = self.unlisted(path, image)
        return (None, error) if error else (image, None)

    def _indexed(self, location: Location, status: os.stat_result) -> Image | None:
        """Return an image from the index; None if the file must be read."""
        stamp, fields = self._files.get(location.file, (None, ()))
        # Not `Stamp.of`, which would double the time; there may be 100,000 files.
        if stamp != (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino):
            return None
        image = Image._make(fields)
        return image if self._settings.limits.allow(image) else None

    def _pointed(self, location: Location) -> _Found:
        """Return the image of a pointer, if the manifest or the store has it."""
        pointer = read_pointer(location.file)
        if pointer is None:
            return _NOTHING
        path = location.path
        image = self._behind(path, pointer)
        error: ImageHostError | None = self.unlisted(path, image)
        if image is None and error is None:
            error = CorruptImage(
                f"is a Git LFS pointer to an image that neither {self._manifest.file.name} nor the "
                "store has; run `git lfs pull`"
            )
        return (None, error) if error else self._embeddable(path, "run `git lfs pull`", image)

    def _embeddable(self, path: str, advice: str, image: Image | None = None) -> _Found:
        """Return an image without a file, by default that of the manifest, and what it lacks."""
        image = image or self._manifest.images[path]
        if self._settings.embedded is None or self._store.has(image):
            return image, None
        return image, MissingBytes(
            f"{path} is listed in {self._manifest.file.name}, but the file is missing, also "
            f"from the store; {advice}, or set IMAGEHOST_URL to let the host serve it"
        )

    def _behind(self, path: str, pointer: Pointer) -> Image | None:
        known = self._manifest.images.get(path)
        if known is None or known.original != pointer.sha256:
            known = self.standing(pointer.sha256) or self._stored(pointer.sha256)
        is_whole = known is not None and (known.source or known.size == pointer.size)
        return known if is_whole else None

    @cached_property
    def _by_original(self) -> dict[str, Image]:
        images = self._manifest.images.values()
        return {image.sha256: image for image in images} | {one.original: one for one in images}

    def _stored(self, digest: str) -> Image | None:
        """Identify a file of the store, whatever its type."""
        # Imported here, because a build without pointers does not need it.
        from pelican_imagehost.images.identify import read  # noqa: PLC0415

        for kind in IMAGE_TYPES:
            file = self._store.path(f"{digest[:2]}/{digest}.{kind}")
            if file.exists():
                try:
                    image = read(str(file), self._settings.limits).image
                except ImageHostError:  # damaged; `verify` reports it
                    continue
                if image.sha256 == digest:
                    return image
        return None
