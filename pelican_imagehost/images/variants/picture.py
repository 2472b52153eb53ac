"""Pictures, opened, decoded, scaled and encoded by Pillow."""

from __future__ import annotations

import struct
import warnings
import zlib
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING

from PIL import (
    AvifImagePlugin,
    GifImagePlugin,
    Image,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
)

from pelican_imagehost.errors import CorruptImage, ImageTooLarge
from pelican_imagehost.images.variants import animation, colour

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import IO

    from PIL.ImageFile import ImageFile

__all__ = ["Picture", "Source", "can_encode", "decode_in_one_thread", "open_picture"]

# The decoder of a type alone, whatever the bytes pretend to be. `Image.open` would read a JPEG
# with several pictures (MPO) as another type, and warn of sizes that are limited here.
_DECODERS: dict[str, Callable[[IO[bytes]], ImageFile]] = {
    "avif": AvifImagePlugin.AvifImageFile,
    "gif": GifImagePlugin.GifImageFile,
    "jpg": JpegImagePlugin.JpegImageFile,
    "png": PngImagePlugin.PngImageFile,
    "webp": WebPImagePlugin.WebPImageFile,
}
_ENCODERS = {"avif": "AVIF", "jpg": "JPEG", "png": "PNG", "webp": "WEBP"}
_RECIPES: dict[str, dict[str, object]] = {
    "avif": {"quality": 63, "speed": 9, "max_threads": 1},
    "jpg": {"quality": 82, "progressive": True, "subsampling": "4:2:0"},
    "png": {},
    "webp": {"quality": 80, "method": 4},
}
_MOST_PIXELS = 60_000_000  # decoded: 240 MB of memory
_COEFFICIENTS = 0.75  # of the memory of a decoded pixel: 3 bytes to 4
_ORIENTATION = 0x0112  # EXIF
_TURNED = range(5, 9)  # orientations that swap width and height
# Browsers read no orientation from these, nor from the EXIF of a WebP.
_IGNORED = ("xmp", "XML:com.adobe.xmp", "Raw profile type exif")
_FAILURES = (  # what decoders raise on broken files
    ArithmeticError,
    AssertionError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    UserWarning,  # where warnings are errors
    ValueError,
    struct.error,
    zlib.error,
)
# Pillow warns of damage that it, and browsers, pass over; nobody could tell which file it means.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def can_encode(image_type: str) -> bool:
    """Return whether this Pillow was built with the encoder of a type."""
    Image.preinit()
    return _ENCODERS[image_type] in Image.SAVE


def decode_in_one_thread() -> None:
    """Let this process decode an AVIF in one thread, not in one a core."""
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1


@contextmanager
def open_picture(data: bytes, image_type: str, *, most: int = _MOST_PIXELS) -> Iterator[Source]:
    """Open a picture; nothing is decoded yet.

    Args:
        data: the file.
        image_type: its type; the file is not read as any other.
        most: the most pixels to decode.

    Yields:
        The picture.

    Raises:
        CorruptImage: the file cannot be decoded, now or by what is done with the picture.
        ImageTooLarge: the picture has too many pixels for this, or for the memory that there is.
    """
    try:
        with _DECODERS[image_type](BytesIO(data)) as picture:
            yield Source(picture, data, image_type, most)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError) as error:
        raise ImageTooLarge("is too large to decode") from error
    except _FAILURES as error:
        raise CorruptImage(f"cannot be decoded ({error or type(error).__name__})") from error


class Source:
    """A picture that can be decoded.

    Args:
        picture: the picture, as Pillow opened it.
        data: the file.
        image_type: its type.
        most: the most pixels to decode.
    """

    def __init__(self, picture: ImageFile, data: bytes, image_type: str, most: int) -> None:
        self._picture = picture
        self._data = data
        self._type = image_type
        self._most = most
        self._full = picture.size
        for name in (*_IGNORED, "exif") if image_type == "webp" else _IGNORED:
            picture.info.pop(name, None)

    @property
    def size(self) -> tuple[int, int]:
        """Return the width and height as shown, at full size."""
        width, height = self._full
        return (height, width) if self._orientation in _TURNED else (width, height)

    @property
    def frames(self) -> int:
        """Return the number of frames."""
        return animation.frames_of(self._picture)

    @property
    def weight(self) -> int:
        """Return the memory that decoding takes, in pixels."""
        coefficients = 0
        if self._picture.info.get("progressive"):  # libjpeg keeps those of all pixels
            coefficients = int(self._full[0] * self._full[1] * _COEFFICIENTS)
        return self._picture.width * self._picture.height + coefficients

    def reduce(self, width: int) -> None:
        """Decode a JPEG only to the eighths that a width needs; has no effect on other types."""
        if isinstance(self._picture, JpegImagePlugin.JpegImageFile):
            shown_width, shown_height = self.size
            least = (width, max(1, width * shown_height // shown_width))
            self._picture.draft(None, least[::-1] if self._orientation in _TURNED else least)

    def decode(self, *, faithful: bool = True) -> Picture | None:
        """Decode the picture, upright.

        Args:
            faithful: whether nearly right colours are not good enough.

        Returns:
            The picture; None if its colours cannot be kept.
        """
        if faithful and not colour.are_known(self._data, self._type):
            return None
        self._load()
        turned = self._orientation != 1
        upright = ImageOps.exif_transpose(self._picture) if turned else self._picture
        pixels = colour.normalize(upright, faithful=faithful)
        return Picture(pixels) if pixels else None

    def encode_animation(self, image_type: str) -> bytes | None:
        """Encode all frames as `avif` or `webp`; None if the colours cannot be kept."""
        if not colour.are_known(self._data, self._type):
            return None
        self._load()  # as a check of its size
        recipe = _RECIPES[image_type]
        return animation.encode_animation(self._picture, _ENCODERS[image_type], recipe)

    def _load(self) -> None:
        if self._picture.width * self._picture.height > self._most:
            width, height = self._full
            raise ImageTooLarge(
                f"has {width:,} × {height:,} pixels; at most {self._most:,} are decoded"
            )
        self._picture.load()

    @property
    def _orientation(self) -> int:
        if self._type == "png":
            self._load()  # its EXIF may follow the pixels
        return int(self._picture.getexif().get(_ORIENTATION, 1))


class Picture:
    """A decoded picture.

    Args:
        pixels: its pixels in RGB, RGBA or grey; nothing but their profile is beside them.
    """

    def __init__(self, pixels: Image.Image) -> None:
        self._pixels = pixels

    @property
    def size(self) -> tuple[int, int]:
        """Return the width and height."""
        return self._pixels.size

    @property
    def is_transparent(self) -> bool:
        """Return whether any of it is transparent."""
        return self._pixels.mode == "RGBA"

    def resize(self, size: tuple[int, int]) -> Picture:
        """Return the picture in another size."""
        same = size == self.size
        return self if same else Picture(self._pixels.resize(size, Image.Resampling.LANCZOS))

    def encode(self, image_type: str, **options: object) -> bytes:
        """Encode the picture, with its profile and no other metadata.

        Args:
            image_type: the type to make.
            **options: options of the encoder, beside those that are always given.

        Returns:
            The file.
        """
        recipe = {**_RECIPES[image_type], **options}
        if image_type == "avif":
            recipe["subsampling"] = "4:0:0" if self._pixels.mode == "L" else "4:2:0"
        # Given, because Pillow by itself takes a profile along into some types only.
        recipe["icc_profile"] = self._pixels.info.get("icc_profile")
        buffer = BytesIO()
        self._pixels.save(buffer, _ENCODERS[image_type], **recipe)
        return buffer.getvalue()
