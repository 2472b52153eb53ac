"""The errors of this package, and text that is safe to print; imports nothing."""

from __future__ import annotations

__all__ = [
    "CorruptImage",
    "ExportRefused",
    "ForbiddenUploads",
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
    "printable",
    "printable_lines",
]

_SPACES_AND_JOINERS = frozenset("\xa0\u202f\u3000\u200c\u200d")  # in honest names, and harmless
_BYTES = range(0xDC80, 0xDD00)  # of a name that is not UTF-8 (PEP 383)


def printable(text: str, longest: int | None = None) -> str:
    r"""Make any text one line that is safe to print: in a terminal, in a log, in UTF-8.

    Control characters, those that turn the direction of writing, and bytes that are not UTF-8
    are escaped as in Python: `\x1b`, `\n`, `\u202e`, `\xe9`.

    Args:
        text: the text, such as the name of a stranger's file.
        longest: the most characters to return; the end of a longer text is left out.
    """
    start = text if longest is None else text[: longest + 1]
    clean = start if start.isprintable() else "".join(map(_escape, start))
    return clean if longest is None or len(clean) <= longest else f"{clean[: longest - 3]}..."


def printable_lines(message: str) -> str:
    """Make a message safe to print; lines after the first stay indented, as they are made."""
    return "\n  ".join(map(printable, message.split("\n  ")))


def _escape(character: str) -> str:
    if character.isprintable() or character in _SPACES_AND_JOINERS:
        return character
    if ord(character) in _BYTES:
        return f"\\x{ord(character) - 0xDC00:02x}"
    return repr(character)[1:-1]


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


class ForbiddenUploads(ImageHostError):
    """Uploads were retracted, and must not be recorded.

    Args:
        digests: their digests.
    """

    def __init__(self, digests: frozenset[str]) -> None:
        super().__init__(f"retracted: {', '.join(sorted(digests))}")
        self.digests = digests


class ExportRefused(ImageHostError):
    """A document cannot be exported without changing more than image addresses."""


class PublishError(ImageHostError):
    """Images cannot be committed or pushed, or are not online."""


class TokenError(ImageHostError):
    """Tokens of the upload service are missing, too short, or readable by other users."""
