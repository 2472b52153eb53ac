"""Files of every type that say more than they show, as cameras, phones and editors write them."""

from __future__ import annotations

import struct
import zlib

import PIL.ImageCms

from tests.images.parts import (
    GIF,
    JPEG,
    LOCATION,
    LOSSLESS,
    LOSSY,
    PNG,
    XMP,
    animate,
    avif,
    box,
    chunk,
    draw,
    encode,
    exif_segment,
    in_jpeg,
    in_png,
    oriented,
    part,
    riff,
    segment,
    tiff,
    vp8x,
    with_alpha,
)

COLOURS = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
PLACE = tiff(*LOCATION)
PLACE_LITTLE = tiff(*LOCATION, order="<")
SECRET = b"Jane Doe, 1 Example Street"


def _iptc() -> bytes:
    records = b"".join(
        b"\x1c\x02" + bytes([number]) + struct.pack(">H", len(text)) + text
        for number, text in ((80, b"An Author"), (90, b"Berlin"), (116, b"(c) An Author"))
    )
    return b"Photoshop 3.0\x008BIM\4\4\0\0" + struct.pack(">L", len(records)) + records + b"\0"


def _thumbnail() -> bytes:
    """Make an EXIF block with a small picture, in a second directory."""
    small = encode("JPEG", draw(16, 12))
    first = b"MM\0*\0\0\0\x08\0\0\0\0\0\x0e"
    second = struct.pack(">HHHLLHHLLL", 2, 0x201, 4, 1, 44, 0x202, 4, 1, len(small), 0)
    return first + second + small


def _film() -> bytes:
    place = box(b"udta", box(b"\xa9xyz", struct.pack(">HH", 18, 0x15C7) + b"+52.5200+013.4050/"))
    return box(b"ftyp", b"mp42\0\0\0\0mp42") + box(b"moov", place) + box(b"mdat", SECRET)


def _jpeg() -> dict[str, bytes]:
    xmp = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP)
    more = b"0" * 32 + struct.pack(">LL", len(XMP), 0) + XMP
    extended = segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + more)
    claim = segment(
        0xEB, b"JP\0\1\0\0\0\1" + box(b"jumb", box(b"jumd", b"c2pa" + bytes(12) + SECRET))
    )
    ducky = segment(0xEC, b"Ducky\0\2\0\x1e\0\0\0\x1a" + SECRET)
    small_jfif = JPEG[:2] + segment(0xE0, JPEG[6:18] + b"\1\1abc") + JPEG[20:]
    extension = JPEG[:20] + segment(0xE0, b"JFXX\0\x10" + encode("JPEG", draw(16, 12))) + JPEG[20:]
    mpo = encode("MPO", save_all=True, append_images=[draw(seed=9)])
    cmyk = encode("JPEG", draw().convert("CMYK"), icc_profile=COLOURS)
    place, comment = exif_segment(PLACE), segment(0xFE, SECRET)
    return {
        "EXIF": in_jpeg(place),
        "EXIF, little-endian": in_jpeg(exif_segment(PLACE_LITTLE)),
        "EXIF behind JFIF": JPEG[:20] + place + JPEG[20:],
        "two EXIF": in_jpeg(exif_segment(oriented(3)), place),
        "EXIF in the middle": in_jpeg(data=JPEG[:-2] + place + JPEG[-2:]),
        "EXIF with a small picture": in_jpeg(exif_segment(_thumbnail())),
        "EXIF without orientation": in_jpeg(exif_segment(tiff(*LOCATION[1:]))),
        "EXIF with a resolution": in_jpeg(
            exif_segment(tiff(*LOCATION, (0x11A, 5, (300, 1)), (0x11B, 5, (300, 1)), (0x128, 3, 2)))
        ),
        "XMP": in_jpeg(xmp),
        "extended XMP": in_jpeg(xmp, extended),
        "IPTC": in_jpeg(segment(0xED, _iptc())),
        "comment": in_jpeg(comment),
        "content credentials": in_jpeg(claim),
        "Photoshop's Ducky": in_jpeg(ducky),
        "FlashPix": in_jpeg(segment(0xE2, b"FPXR\0\0" + SECRET)),
        "small picture in JFIF": small_jfif,
        "small picture behind JFIF": extension,
        "several pictures": in_jpeg(place, data=mpo),
        "a picture behind": in_jpeg(place) + in_jpeg(place),
        "motion photo": in_jpeg(place, xmp) + _film(),
        "film behind a clean picture": JPEG + _film(),
        "CMYK": in_jpeg(place, comment, data=cmyk),
        "grey": in_jpeg(comment, data=encode("JPEG", draw().convert("L"))),
        "restart markers": in_jpeg(place, data=encode("JPEG", restart_marker_blocks=1)),
        "progressive": in_jpeg(xmp, data=encode("JPEG", progressive=True, icc_profile=COLOURS)),
        "dpi": in_jpeg(comment, data=encode("JPEG", dpi=(300, 300))),
        "everything": in_jpeg(place, xmp, extended, claim, ducky, comment, segment(0xED, _iptc()))
        + _film(),
    }


def _png() -> dict[str, bytes]:
    text = chunk(b"tEXt", b"Comment\0" + SECRET)
    packed = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(SECRET))
    xmp = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)
    raw = b"\nexif\n%8d\n" % (len(PLACE) + 6) + (b"Exif\0\0" + PLACE).hex().encode() + b"\n"
    place = chunk(b"eXIf", PLACE)
    colours = encode("PNG", icc_profile=COLOURS, dpi=(300, 300))
    palette = encode("PNG", draw().quantize(16), transparency=3)
    gamma = [chunk(b"gAMA", struct.pack(">L", 45455)), chunk(b"cICP", b"\1\x0d\0\1")]
    end = len(PNG) - 12
    return {
        "text": in_png(text),
        "packed text": in_png(packed),
        "text of the world": in_png(chunk(b"iTXt", b"Title\0\0\0de\0Titel\0" + SECRET)),
        "text behind the data": PNG[:end] + text + PNG[end:],
        "XMP": in_png(xmp),
        "EXIF": in_png(place),
        "EXIF as ImageMagick writes it": in_png(
            chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw))
        ),
        "time": in_png(chunk(b"tIME", struct.pack(">HBBBBB", 2024, 5, 6, 7, 8, 9))),
        "content credentials": in_png(chunk(b"caBX", box(b"jumb", SECRET)), text),
        "something behind": in_png(text) + SECRET,
        "a second PNG behind": PNG + in_png(text),
        "moving": in_png(place, text, data=animate("PNG", loop=3)),
        "colours": in_png(text, data=colours),
        "colours of video": in_png(*gamma, text),
        "palette": in_png(text, place, data=palette),
    }


def _webp() -> dict[str, bytes]:
    place, xmp = part(b"EXIF", PLACE), part(b"XMP ", XMP)
    moving = animate("WEBP", loop=3, exif=PLACE, xmp=XMP, icc_profile=COLOURS)
    frame = moving.index(b"ANMF")
    size = int.from_bytes(moving[frame + 4 : frame + 8], "little")
    unknown = part(b"ABCD", SECRET)
    inner = moving[12:frame] + part(b"ANMF", moving[frame + 8 : frame + 8 + size] + unknown)
    return {
        "lossy": riff(vp8x(0x0C), LOSSY[12:], place, xmp),
        "lossless": riff(vp8x(0x0C), LOSSLESS[12:], place, xmp),
        "EXIF as in a JPEG": riff(vp8x(8), LOSSY[12:], part(b"EXIF", b"Exif\0\0" + PLACE)),
        "metadata first": riff(vp8x(0x0C), xmp, place, LOSSY[12:]),
        "transparent": encode("WEBP", with_alpha(), quality=80, exif=PLACE, xmp=XMP),
        "moving": moving,
        "unknown within a frame": riff(inner, moving[frame + 8 + size :]),
        "unannounced": riff(vp8x(), LOSSY[12:], xmp, unknown),
        "simple": riff(LOSSY[12:], place, xmp),
        "colours": encode("WEBP", icc_profile=COLOURS, exif=PLACE),
        "something behind": riff(vp8x(8), LOSSY[12:], place) + SECRET,
    }


def _gif() -> dict[str, bytes]:
    frame = GIF.index(b",", 13 + 48)
    comment = b"!\xfe" + bytes([len(SECRET)]) + SECRET + b"\0"
    xmp = b"!\xff\x0bXMP DataXMP" + XMP + b"\1" + bytes(range(255, -1, -1)) + b"\0"
    plain = b"!\x01\x0c" + bytes(12) + bytes([len(SECRET)]) + SECRET + b"\0"
    other = b"!\xff\x0bEXAMPLE 1.0" + bytes([len(SECRET)]) + SECRET + b"\0"
    blocks = [COLOURS[p : p + 255] for p in range(0, len(COLOURS), 255)]
    data = b"".join(bytes([len(block)]) + block for block in blocks)
    colours = b"!\xff\x0bICCRGBG1012" + data + b"\0"
    moving = animate("GIF", loop=3, comment=SECRET)

    def within(*blocks: bytes) -> bytes:
        return b"GIF89a" + GIF[6:frame] + b"".join(blocks) + GIF[frame:]

    return {
        "comment": within(comment),
        "XMP": within(xmp),
        "comment and text": within(comment, plain),
        "others' data": within(other, comment),
        "colours": within(colours, comment),
        "moving": moving,
        "comment behind the frame": b"GIF89a" + GIF[6:-1] + comment + b";",
        "comment, no trailer": within(comment)[:-1],
        "something behind": within(comment) + SECRET,
    }


def _avif() -> dict[str, bytes]:
    place, text = (b"Exif", bytes(4) + PLACE), (b"mime", XMP)
    note = box(b"udes", bytes(4) + b"de\0Title\0" + SECRET + b"\0tag\0")
    moving = animate("AVIF", exif=tiff(*LOCATION[1:]), xmp=XMP)
    own = box(b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + XMP)
    return {
        "EXIF": avif(items=(place,)),
        "XMP": avif(items=(text,)),
        "both": avif(items=(place, text)),
        "EXIF as in a JPEG": avif(items=((b"Exif", b"\0\0\0\6Exif\0\0" + PLACE),)),
        "both, by Pillow": encode("AVIF", exif=tiff(*LOCATION), xmp=XMP),
        "transparent, by Pillow": encode("AVIF", with_alpha(), exif=tiff(*LOCATION), xmp=XMP),
        "turned": avif(box(b"irot", b"\1"), items=(place,)),
        "moving": moving,
        "description": avif(note, items=(text,)),
        "XMP in a box of its own": avif() + own,
        "something behind": avif(items=(place,)) + SECRET,
        "colours": encode("AVIF", icc_profile=COLOURS, exif=PLACE),
    }


PRIVATE: dict[str, tuple[str, bytes]] = {
    f"{kind}: {name}": (kind, data)
    for kind, files in (
        ("jpg", _jpeg()),
        ("png", _png()),
        ("webp", _webp()),
        ("gif", _gif()),
        ("avif", _avif()),
    )
    for name, data in files.items()
}
