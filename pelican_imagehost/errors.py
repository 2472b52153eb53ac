"""The errors of this package; imports nothing."""

from __future__ import annotations

__all__ = [
    "CorruptImage",
    "ExportRefused",
    "ImageHostError",
    "ImageTooLarge",
    "ManifestConflict",
    "ManifestError",
    "MissingBytes",
    "MissingEncoder",
    "MissingImage",
    "OutsideSite",
    "PublishError",
    "RecordsError",
    "RetractedImage",
    "SettingsError",
    "StoreError",
    "TokenError",
    "UnlistedImage",
    "UnreadableImage",
    "UnsupportedImage",
]


class ImageHostError(Exception):
    """An error that is reported to the user; the message explains it completely."""


class SettingsError(ImageHostError):
    """An `IMAGEHOST_*` setting is unknown or has an invalid value."""


class MissingImage(ImageHostError):
    """A document refers to a file that does not exist."""


class MissingBytes(ImageHostError):
    """The file of an image in the manifest is missing, also from the store."""


class MissingEncoder(ImageHostError):
    """Pillow is not installed, or was built without a type that is to be made."""


class RetractedImage(ImageHostError):
    """The image was taken offline with `retract`."""


class OutsideSite(ImageHostError):
    """A reference, or a symbolic link, leads out of the folders of the site."""


class UnreadableImage(ImageHostError):
    """A file exists but cannot be read: a folder, a permission, a failing disk."""


class UnsupportedImage(ImageHostError):
    """The content is not an image of an allowed type, whatever the name of the file."""


class ImageTooLarge(ImageHostError):
    """The image has more bytes or pixels than the settings allow."""


class CorruptImage(ImageHostError):
    """The file is not a complete image: empty, truncated, damaged, or a Git LFS pointer."""


class ManifestError(ImageHostError):
    """A line of the manifest cannot be read by this version."""


class ManifestConflict(ManifestError):
    """Two lines of the manifest give one path different images."""


class UnlistedImage(ImageHostError):
    """The committed manifest does not list the image, and IMAGEHOST_FROZEN is on."""


class StoreError(ImageHostError):
    """The store cannot be written: full, read-only, or not a folder."""


class RecordsError(ImageHostError):
    """The record of uploads cannot be read or written."""


class ExportRefused(ImageHostError):
    """A document cannot be exported without changing more than image addresses."""


class PublishError(ImageHostError):
    """Images cannot be committed or pushed, or are not online."""


class TokenError(ImageHostError):
    """Tokens of the upload service are missing, too short, or readable by other users."""
