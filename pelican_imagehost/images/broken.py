"""What is said of an image whose structure does not lead to its end, or not in browsers."""

from __future__ import annotations

from pelican_imagehost.errors import CorruptImage, UnsupportedImage

__all__ = ["MAX_PARTS", "cut_off", "damaged", "exotic"]

MAX_PARTS = 100_000  # of a file; an honest one has fewer, and each takes some microseconds


def cut_off(name: str) -> CorruptImage:
    """Return the error for a file that ends before its picture does.

    Args:
        name: the name of the type, with its article: `a JPEG`.
    """
    return CorruptImage(
        f"begins like {name} image but its end is missing; copy or download it again"
    )


def damaged(name: str, reason: str) -> CorruptImage:
    """Return the error for a file that breaks the rules of its type.

    Args:
        name: the name of the type, with its article: `a JPEG`.
        reason: what is wrong.
    """
    return CorruptImage(
        f"begins like {name} image but is damaged ({reason}); "
        "export it again, or open it in an image editor and save it"
    )


def exotic(name: str, reason: str) -> UnsupportedImage:
    """Return the error for a file that its type allows and browsers do not show.

    Args:
        name: the name of the type, with its article: `a JPEG`.
        reason: what they lack.
    """
    return UnsupportedImage(
        f"is {name} image of a kind that browsers do not show ({reason}); export it again as usual"
    )
