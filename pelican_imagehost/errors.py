"""What can go wrong with an image, a setting or the store; imports nothing."""

from __future__ import annotations

__all__ = [
    "CorruptImage",
    "ExportRefused",
    "ImageHostError",
    "ImageTooLarge",
    "ManifestConflict",
    "ManifestError",
    "MissingBytes",
    "MissingImage",
    "OutsideSite",
    "PublishError",
    "RecordsError",
    "SettingsError",
    "StoreError",
    "TokenError",
    "UnreadableImage",
    "UnsupportedImage",
]


class ImageHostError(Exception):
    """Anything this package reports to its user; the message is the whole explanation."""


class SettingsError(ImageHostError):
    """An `IMAGEHOST_*` setting is unknown or has a value it cannot have."""


class MissingImage(ImageHostError):
    """A document names a file that is not there."""


class MissingBytes(ImageHostError):
    """The manifest knows an image whose bytes are neither beside the document nor in the store."""


class OutsideSite(ImageHostError):
    """A reference leads, perhaps through a symbolic link, out of the folders of the site."""


class UnreadableImage(ImageHostError):
    """The file is there and cannot be read: a folder, a permission, a failing disk."""


class UnsupportedImage(ImageHostError):
    """The content is no image of an allowed type, whatever its name says."""


class ImageTooLarge(ImageHostError):
    """The image has more bytes or pixels than the settings allow."""


class CorruptImage(ImageHostError):
    """The content begins like an image and cannot be one: empty, cut off, an LFS pointer."""


class ManifestError(ImageHostError):
    """A line of the manifest is not what this version writes."""


class ManifestConflict(ManifestError):
    """Two lines of the manifest give one path two different images."""


class StoreError(ImageHostError):
    """The store cannot be written: full, read-only, or not a folder."""


class RecordsError(ImageHostError):
    """The record of uploads cannot be read or written."""


class ExportRefused(ImageHostError):
    """A document cannot be exported without changing more than its image addresses."""


class PublishError(ImageHostError):
    """Images cannot be committed, pushed, or seen online."""


class TokenError(ImageHostError):
    """The tokens of the upload service are missing, too short, or readable by others."""
