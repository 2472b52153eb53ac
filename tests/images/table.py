"""Files of every kind, each with the size that browsers show, or the words of its refusal."""

from __future__ import annotations

import gzip
import struct
import zlib
from io import BytesIO

import PIL.Image

from tests.images.parts import (
    GIF,
    JPEG,
    LOSSLESS,
    LOSSY,
    PNG,
    SIZE,
    animate,
    aperture,
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
    scaled,
    segment,
    tiff,
    vp8x,
    with_alpha,
)

TURNED = SIZE[::-1]
CUT = "its end is missing"
DAMAGED = "is damaged"
EXOTIC = "of a kind that browsers do not show"
Case = tuple[bytes, tuple[int, int] | str]


def _resized(data: bytes, position: int, layout: str, *sides: int | bytes) -> bytes:
    """Write other sides, or other values, into a file."""
    return (
        data[:position] + struct.pack(layout, *sides) + data[position + struct.calcsize(layout) :]
    )


def _jpeg() -> dict[str, Case]:
    sof, sos = JPEG.index(b"\xff\xc0"), JPEG.index(b"\xff\xda")
    mpo = encode("MPO", save_all=True, append_images=[draw(seed=9)])
    start_of = {
        name: JPEG[: sof + 1] + bytes([code]) + JPEG[sof + 2 :]
        for name, code in (("SOF1", 0xC1), ("lossless", 0xC3), ("JPEG-LS", 0xF7))
    }
    return {
        "baseline": (JPEG, SIZE),
        "progressive": (encode("JPEG", progressive=True), SIZE),
        "restart markers": (encode("JPEG", restart_marker_blocks=1), SIZE),
        "CMYK": (encode("JPEG", draw().convert("CMYK")), SIZE),
        "grey": (encode("JPEG", draw().convert("L")), SIZE),
        "several pictures": (mpo, SIZE),
        "several pictures, the second cut": (mpo[:-50], SIZE),
        "something behind": (JPEG + b"garbage" * 9, SIZE),
        "a JPEG behind": (JPEG + JPEG, SIZE),
        "fill bytes": (JPEG[:2] + b"\xff\xff\xff" + JPEG[2:], SIZE),
        "rubbish between segments": (JPEG[:20] + b"\0\0rubbish" + JPEG[20:], SIZE),
        "a comment of no length": (in_jpeg(b"\xff\xfe\0\0"), SIZE),
        "comment": (in_jpeg(segment(0xFE, b"\xff\xd9\xff\xda hello")), SIZE),
        "extended sequential": (start_of["SOF1"], SIZE),
        **{
            f"EXIF {n}": (in_jpeg(exif_segment(oriented(n))), TURNED if n > 4 else SIZE)
            for n in range(1, 9)
        },
        "EXIF 0": (in_jpeg(exif_segment(oriented(0))), SIZE),
        "EXIF 9": (in_jpeg(exif_segment(oriented(9))), SIZE),
        "EXIF 6, little-endian": (in_jpeg(exif_segment(oriented(6, "<"))), TURNED),
        "EXIF 6, then 1": (in_jpeg(exif_segment(oriented(6)), exif_segment(oriented(1))), TURNED),
        "EXIF 1, then 6": (in_jpeg(exif_segment(oriented(1)), exif_segment(oriented(6))), SIZE),
        "EXIF without orientation, then 6": (
            in_jpeg(exif_segment(tiff()), exif_segment(oriented(6))),
            SIZE,
        ),
        "broken EXIF, then 6": (in_jpeg(exif_segment(b"zz"), exif_segment(oriented(6))), SIZE),
        "empty EXIF, then 6": (in_jpeg(exif_segment(b""), exif_segment(oriented(6))), TURNED),
        "XMP, then EXIF 6": (
            in_jpeg(
                segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>"), exif_segment(oriented(6))
            ),
            TURNED,
        ),
        "EXIF 6 before the scan": (JPEG[:sos] + exif_segment(oriented(6)) + JPEG[sos:], TURNED),
        "EXIF 6 behind the scan": (JPEG[:-2] + exif_segment(oriented(6)) + JPEG[-2:], SIZE),
        "EXIF with a long orientation": (in_jpeg(exif_segment(tiff((0x112, 4, 6)))), SIZE),
        "EXIF with two orientations": (
            in_jpeg(exif_segment(tiff((0x112, 3, 9), (0x112, 3, 6), (0x112, 3, 1)))),
            TURNED,
        ),
        "EXIF cut in its orientation": (in_jpeg(exif_segment(oriented(6)[:-7])), SIZE),
        "144 dpi of half the size": (in_jpeg(exif_segment(scaled(144, 20, 15))), (20, 15)),
        "144 dpi of half the size, turned": (
            in_jpeg(exif_segment(scaled(144, 20, 15, 6))),
            (15, 20),
        ),
        "144 dpi, size turned": (in_jpeg(exif_segment(scaled(144, 15, 20, 6))), TURNED),
        "144 dpi of another size": (in_jpeg(exif_segment(scaled(144, 40, 30))), SIZE),
        "144 dots a centimetre": (in_jpeg(exif_segment(scaled(144, 20, 15, unit=3))), SIZE),
        "96 dpi, rounded up": (in_jpeg(exif_segment(scaled(96, 30, 23))), (30, 23)),
        "96 dpi, rounded down": (in_jpeg(exif_segment(scaled(96, 30, 22))), SIZE),
        "36 dpi": (in_jpeg(exif_segment(scaled(36, 80, 60))), (80, 60)),
        "0 dpi": (in_jpeg(exif_segment(scaled(0, 20, 15))), SIZE),
        "as wide as can be": (_resized(JPEG, sof + 5, ">HH", 1, 65_500), (65_500, 1)),
        "wider": (_resized(JPEG, sof + 5, ">HH", 1, 65_501), f"{EXOTIC}.*65,500"),
        "no height": (_resized(JPEG, sof + 5, ">H", 0), DAMAGED),
        "two colours": (_resized(JPEG, sof + 9, ">B", 2), DAMAGED),
        "12 bits": (_resized(JPEG, sof + 4, ">B", 12), EXOTIC),
        "lossless": (start_of["lossless"], EXOTIC),
        "JPEG-LS": (start_of["JPEG-LS"], EXOTIC),
        "two frame headers": (JPEG[:sof] + JPEG[sof : sof + 19] + JPEG[sof:], DAMAGED),
        "two starts": (JPEG[:2] + JPEG, DAMAGED),
        "no scan": (JPEG[:sos] + b"\xff\xd9", CUT),
        "a scan's header of another length": (_resized(JPEG, sos + 2, ">H", 9), DAMAGED),
    }


def _png() -> dict[str, Case]:
    data_end = len(PNG) - 12
    data = zlib.compress(
        b"".join(b"\0" + draw().tobytes()[row : row + 120] for row in range(0, 3600, 120))
    )
    pieces = [chunk(b"IDAT", data[:100]), chunk(b"IDAT", data[100:])]
    end = chunk(b"IEND", b"")
    small = PNG[:8] + chunk(b"CgBI", b"\x50\0\x20\x02") + PNG[8:]
    return {
        "RGB": (PNG, SIZE),
        "palette": (encode("PNG", draw().quantize(16)), SIZE),
        "one bit": (encode("PNG", draw().convert("1")), SIZE),
        "grey, 16 bits": (encode("PNG", PIL.Image.new("I;16", SIZE, 999)), SIZE),
        "transparent": (encode("PNG", with_alpha()), SIZE),
        "moving": (animate("PNG"), SIZE),
        "moving, EXIF 6": (in_png(chunk(b"eXIf", oriented(6)), data=animate("PNG")), TURNED),
        **{
            f"EXIF {n}": (in_png(chunk(b"eXIf", oriented(n))), TURNED if n > 4 else SIZE)
            for n in range(1, 10)
            if n < 9
        },
        "EXIF 9": (in_png(chunk(b"eXIf", oriented(9))), SIZE),
        "EXIF 6, then 1": (
            in_png(chunk(b"eXIf", oriented(6)), chunk(b"eXIf", oriented(1))),
            TURNED,
        ),
        "EXIF 1, then 6": (in_png(chunk(b"eXIf", oriented(1)), chunk(b"eXIf", oriented(6))), SIZE),
        "EXIF 6 with a wrong CRC": (in_png(chunk(b"eXIf", oriented(6))[:-1] + b"x"), SIZE),
        "EXIF 6 with a wrong CRC, then 8": (
            in_png(chunk(b"eXIf", oriented(6))[:-1] + b"x", chunk(b"eXIf", oriented(8))),
            TURNED,
        ),
        "EXIF 6 as in a JPEG": (in_png(chunk(b"eXIf", b"Exif\0\0" + oriented(6))), SIZE),
        "EXIF 6 behind the data": (
            PNG[:data_end] + chunk(b"eXIf", oriented(6)) + PNG[data_end:],
            SIZE,
        ),
        "144 dpi of half the size": (in_png(chunk(b"eXIf", scaled(144, 20, 15))), SIZE),
        "text, time, unknown": (
            in_png(chunk(b"tEXt", b"a\0b"), chunk(b"tIME", bytes(7)), chunk(b"abCd", b"x")),
            SIZE,
        ),
        "text with a wrong CRC": (in_png(chunk(b"tEXt", b"a\0b")[:-1] + b"x"), SIZE),
        "something behind": (PNG + b"garbage" * 9, SIZE),
        "no IEND": (PNG[:data_end], SIZE),
        "cut in IEND": (PNG[:-6], SIZE),
        "cut in the CRC of its data": (PNG[: data_end - 2], SIZE),
        "cut in the checksum of its rows": (PNG[: data_end - 6], SIZE),
        "moving, no IEND": (animate("PNG")[:-12], SIZE),
        "data in two chunks": (PNG[:33] + b"".join(pieces) + end, SIZE),
        "data in two chunks, no IEND": (PNG[:33] + b"".join(pieces), SIZE),
        "cut between two chunks of data": (PNG[:33] + pieces[0], CUT),
        "text between two chunks of data": (
            PNG[:33] + pieces[0] + chunk(b"tEXt", b"a\0b") + pieces[1] + end,
            DAMAGED,
        ),
        "no data": (PNG[:33] + end, CUT),
        "an unknown critical chunk": (in_png(chunk(b"ABCD", b"x")), DAMAGED),
        "two headers": (in_png(PNG[8:33]), DAMAGED),
        "a header behind text": (PNG[:8] + chunk(b"tEXt", b"a\0b") + PNG[8:], DAMAGED),
        "a header with a wrong CRC": (PNG[:29] + b"xxxx" + PNG[33:], DAMAGED),
        "three bits": (PNG[:8] + chunk(b"IHDR", PNG[16:24] + b"\3\2\0\0\0") + PNG[33:], DAMAGED),
        "made by Xcode": (small, EXOTIC),
        "damaged line ends": (PNG.replace(b"\r\n", b"\n"), "damaged in transfer; copy it again"),
    }


def _gif() -> dict[str, Case]:
    frame = GIF.index(b",", 13 + 48)
    moving = animate("GIF", loop=0)
    wide = BytesIO()
    PIL.Image.new("1", (40_000, 3)).save(wide, "GIF")
    larger = GIF[frame:-1]
    small = encode("GIF", draw(10, 10).quantize(16))

    def screen(width: int, height: int, data: bytes = GIF) -> bytes:
        return _resized(data, 6, "<HH", width, height)

    shifted = _resized(GIF, frame + 1, "<HH", 5, 5)
    return {
        "still": (GIF, SIZE),
        "moving": (moving, SIZE),
        "87a": (b"GIF87a" + GIF[6:], SIZE),
        "89a": (b"GIF89a" + GIF[6:], SIZE),
        "transparent": (encode("GIF", draw().quantize(16), transparency=3), SIZE),
        "wider than a signed number": (wide.getvalue(), (40_000, 3)),
        "screen of 0 × 0": (screen(0, 0), SIZE),
        "screen smaller than its frame": (screen(10, 10), SIZE),
        "screen wider and lower": (screen(100, 10), (100, 30)),
        "screen of no width": (screen(0, 100), (40, 100)),
        "screen larger": (screen(100, 100), (100, 100)),
        "frame beside the corner": (shifted, (45, 35)),
        "frame beside the corner of no screen": (screen(0, 0, shifted), (45, 35)),
        "moving, screen of 0 × 0": (screen(0, 0, moving), SIZE),
        "the second frame larger": (small[:-1] + larger + b";", (10, 10)),
        "frame of 0 × 0": (_resized(GIF, frame + 5, "<HH", 0, 0), SIZE),
        "nothing at all": (screen(0, 0, _resized(GIF, frame + 5, "<HH", 0, 0)), DAMAGED),
        "no trailer": (GIF[:-1], SIZE),
        "moving, no trailer": (moving[:-1], SIZE),
        "something behind": (GIF + b"garbage, as ever!", SIZE),
        "zeros for a trailer": (GIF[:-1] + bytes(9), SIZE),
        "zeros before the trailer": (GIF[:-1] + b"\0\0;", SIZE),
        "cut in a comment": (GIF[:-1] + b"!\xfe\x10abc", SIZE),
        "cut in the second frame": (moving[: len(moving) * 2 // 3], CUT),
        "cut where a frame is announced": (GIF[:-1] + b"!\xf9\4", CUT),
        "cut when a frame was announced": (GIF[:-1] + b"!\xf9\4\0\0\0\0\0", CUT),
        "no frame": (GIF[:frame] + b";", CUT),
        "header alone": (GIF[:13], CUT),
        "rubbish before a frame": (GIF[:frame] + b"\0" + GIF[frame:], CUT),
        "compression unknown": (_resized(GIF, frame + 10, "B", 12), DAMAGED),
        "87b": (b"GIF87b" + GIF[6:], "not an image of a known type"),
        "three other letters": (b"GIFabc" + GIF[6:], "not an image of a known type"),
        "a title": (b"GIF vs. PNG: an article", "is a text file"),
    }


def _webp() -> dict[str, Case]:
    lossy, lossless = LOSSY[12:], LOSSLESS[12:]
    alpha = part(b"ALPH", b"\0" + bytes([128]) * 1200)
    moving = animate("WEBP")
    code = LOSSY.index(b"\x9d\x01\x2a") + 3
    second = moving.index(b"ANMF", moving.index(b"ANMF") + 4)
    oriented_block = part(b"EXIF", oriented(6))

    def mended(data: bytes) -> bytes:
        return _resized(data, 4, "<L", len(data) - 8)

    return {
        "lossy": (LOSSY, SIZE),
        "lossless": (LOSSLESS, SIZE),
        "transparent": (encode("WEBP", with_alpha(), quality=80), SIZE),
        "moving": (moving, SIZE),
        "with advice to scale": (_resized(LOSSY, code, "<HH", 40 | 1 << 14, 30 | 2 << 14), SIZE),
        "extended": (riff(vp8x(), lossy), SIZE),
        "extended, lossless": (riff(vp8x(), lossless), SIZE),
        "EXIF 6": (riff(vp8x(8), lossy, oriented_block), SIZE),
        "EXIF 6 before the picture": (riff(vp8x(8), oriented_block, lossy), SIZE),
        "moving, EXIF 6": (
            mended(_resized(moving, 20, "B", moving[20] | 8) + oriented_block),
            SIZE,
        ),
        "unknown chunks": (riff(vp8x(), part(b"ABCD", b"x"), lossy, part(b"efgh", b"y")), SIZE),
        "alpha unannounced": (riff(vp8x(), alpha, lossy), SIZE),
        "something behind": (LOSSY + b"garbage" * 9, SIZE),
        "a second picture behind a simple one": (riff(lossy, lossless), SIZE),
        "the first frame alone": (mended(moving[:second]), SIZE),
        "half, and the header says so": (mended(LOSSY[:200]), DAMAGED),
        "a header that promises more": (_resized(LOSSY, 4, "<L", len(LOSSY)), CUT),
        "a header that promises less": (_resized(LOSSY, 4, "<L", len(LOSSY) - 18), DAMAGED),
        "a header that promises nothing": (_resized(LOSSY, 4, "<L", 0), DAMAGED),
        "moving, cut between frames": (moving[:second], CUT),
        "canvas larger": (riff(vp8x(0, 50, 40), lossy), DAMAGED),
        "canvas smaller": (riff(vp8x(0, 20, 20), lossy), DAMAGED),
        "no picture": (riff(vp8x()), DAMAGED),
        "two pictures": (riff(vp8x(), lossy, lossless), DAMAGED),
        "moving without frames": (riff(vp8x(2), lossy), DAMAGED),
        "frame outside its canvas": (
            _resized(moving, moving.index(b"ANMF") + 8, "B", 5),
            DAMAGED,
        ),
        "unknown first": (riff(part(b"ABCD", b"x"), lossy), "not an image of a known type"),
        "not a key frame": (_resized(LOSSY, 20, "B", LOSSY[20] | 1), DAMAGED),
        "a frame that is not shown": (_resized(LOSSY, 20, "B", LOSSY[20] & ~16), DAMAGED),
        "lossless of another version": (_resized(LOSSLESS, 24, "B", LOSSLESS[24] | 32), DAMAGED),
        "rubbish within": (mended(riff(vp8x(), lossy) + b"abcd"), DAMAGED),
        "a chunk that leads out": (mended(LOSSY + b"EXIF\xff\0\0\0xx"), DAMAGED),
    }


def _avif() -> dict[str, Case]:
    whole, moving = avif(), animate("AVIF")
    header, table = moving.index(b"tkhd") + 96, moving.index(b"stco") + 12
    extent = moving.index(b"ispe") + 8
    larger = _resized(moving, header - 4, ">LL", 50 << 16, 60 << 16)
    transparent = encode("AVIF", with_alpha())
    turn = [box(b"irot", bytes([n])) for n in range(4)]
    corner = aperture(20, 10, (-10, 1), (-10, 1))
    with_exif = avif(items=((b"Exif", bytes(4) + oriented(6)),))
    return {
        "still": (whole, SIZE),
        "transparent": (transparent, SIZE),
        "moving": (moving, SIZE),
        **{f"turned {n}": (avif(turn[n]), TURNED if n % 2 else SIZE) for n in range(4)},
        "mirrored": (avif(box(b"imir", b"\0")), SIZE),
        "turned and mirrored": (avif(turn[1], box(b"imir", b"\1")), TURNED),
        "EXIF 6, ignored": (with_exif, SIZE),
        "EXIF 6, cut off": (with_exif[:-9], SIZE),
        "cropped at the corner": (avif(corner), (20, 10)),
        "cropped at the corner, turned": (avif(corner, turn[1]), (10, 20)),
        "cropped in odd numbers": (avif(aperture(21, 21, (-19, 2), (-9, 2))), (21, 21)),
        "cropped at the centre, ignored": (avif(aperture(20, 20, (0, 1), (0, 1))), SIZE),
        "cropped beyond, ignored": (avif(aperture(50, 20, (0, 1), (0, 1))), SIZE),
        "wide pixels": (avif(box(b"pasp", struct.pack(">LL", 2, 1))), SIZE),
        "open end": (avif(open_end=True), SIZE),
        "something behind": (whole + b"garbage" * 9, SIZE),
        "a box behind, cut off": (whole + box(b"free", bytes(99))[:-50], SIZE),
        "another major brand": (avif(brands=b"mif1\0\0\0\0avifmif1"), SIZE),
        "HEIC's major brand": (avif(brands=b"heic\0\0\0\0avifmif1"), SIZE),
        "one brand": (avif(brands=b"avif\0\0\0\0"), SIZE),
        "moving, another size in its header": (larger, (50, 60)),
        "moving, shown still": (_resized(larger, 8, "4s", b"avif"), SIZE),
        "moving, another size of its still": (_resized(moving, extent, ">LL", 50, 60), SIZE),
        "moving, a brand of sequences": (_resized(moving, 8, "4s", b"msf1"), SIZE),
        "moving, samples elsewhere": (_resized(moving, table, ">L", 2**31 - 1), CUT),
        "without its movie": (moving.replace(b"moov", b"moox"), DAMAGED),
        "open end, cut": (avif(open_end=True)[:-9], CUT),
        "transparency cut": (transparent[:-9], CUT),
        "no meta": (whole.replace(b"meta", b"metx"), CUT),
        "a brand of HEIF alone": (
            avif(brands=b"mif1\0\0\0\0miaf"),
            "is a HEIC photo; export it as JPEG",
        ),
    }


def _ftyp(brand: bytes, *others: bytes) -> bytes:
    return box(b"ftyp", brand + bytes(4) + b"".join(others)) + bytes(40)


def _others() -> dict[str, Case]:
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="4" height="3"/>'
    heic = {
        f"HEIC {brand.decode()}": (_ftyp(brand, b"mif1", b"heic"), "is a HEIC photo; export it as")
        for brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
    }
    video = "video; link to it, or export it as animated WebP or AVIF"
    named = {
        "TIFF": (encode("TIFF"), "is a TIFF image or a camera's raw file; export it as PNG"),
        "BigTIFF": (encode("TIFF", big_tiff=True), "is a BigTIFF image; export it as PNG"),
        "PPM": (encode("PPM"), r"is a portable bitmap \(PPM, .*; convert it to PNG"),
        "PPM of text": (b"P3\n# by hand\n1 1\n255\n9 9 9\n", "is a portable bitmap"),
        "JPEG 2000": (encode("JPEG2000"), "is a JPEG 2000 image; export it"),
        "JPEG 2000 stream": (encode("JPEG2000", no_jp2=True), "is a JPEG 2000 image; export it"),
        "JPEG XL": (b"\xff\x0a" + bytes(40), "is a JPEG XL image; export it"),
        "JPEG XL in boxes": (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(9), "is a JPEG XL image"),
        "JPEG XR": (b"II\xbc\1" + bytes(40), "is a JPEG XR image; export it"),
        "ICNS": (encode("ICNS", draw(32, 32)), r"is an Apple icon \(ICNS\); export it as PNG"),
        "PSD": (b"8BPS\0\1" + bytes(40), r"is a Photoshop document \(PSD\); export it"),
        "XCF": (b"gimp xcf v011\0" + bytes(40), r"is a GIMP document \(XCF\); export it"),
        "DDS": (encode("DDS"), "is a DDS texture; export it"),
        "PDF": (encode("PDF"), "is a PDF document; link to it, or export the page as SVG or PNG"),
        "EPS": (encode("EPS"), r"is a PostScript document \(EPS\); export it as SVG or PNG"),
        "MP4": (_ftyp(b"isom", b"mp41"), f"is an MP4 {video}"),
        "MP4 of a phone": (_ftyp(b"mp42", b"isom"), f"is an MP4 {video}"),
        "MOV": (_ftyp(b"qt  "), r"is a QuickTime video \(MOV\)"),
        "MOV of old": (box(b"moov", bytes(40)), r"is a QuickTime video \(MOV\)"),
        "3GP": (_ftyp(b"3gp4"), f"is an MP4 {video}"),
        "M4A": (_ftyp(b"M4A "), "is an MPEG-4 audio file"),
        "CR3": (_ftyp(b"crx "), r"is a camera's raw file \(CR3\)"),
        "WebM": (b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm" + bytes(40), f"is a WebM {video}"),
        "Matroska": (b"\x1a\x45\xdf\xa3\x9f\x42\x82\x88matroska", f"is a Matroska {video}"),
        "MP3": (b"ID3\4\0\0\0\0\0\0" + bytes(99), r"is a file of type MP3 \(audio/mpeg\), not"),
        "ZIP": (b"PK\3\4" + bytes(99), r"is a file of type ZIP \(application/zip\), not"),
        "svgz": (gzip.compress(svg), r"is a compressed SVG; unpack it: gunzip"),
        "gzip": (gzip.compress(b"words"), r"is a file of type GZ \(application/gzip\), not"),
        "a text about BMW": (b"BMW is a car", "is a text file"),
        "a text about ID3": (b"ID3 is a tag, MZ a programme", "is a text file"),
        "a text about P3": (b"P3 is a space of colours", "is a text file"),
        "a text about II*": (b"II* and MM", "is a text file"),
    }
    return {
        **heic,
        **named,
        "BMP": (encode("BMP"), "is a BMP image; export it as PNG, JPEG or WebP"),
        "ICO": (encode("ICO", sizes=[(16, 16)]), r"is a Windows icon \(ICO\); export it as PNG"),
        "CUR": (
            b"\0\0\2\0" + encode("ICO", sizes=[(16, 16)])[4:],
            r"is a Windows cursor \(CUR\); export it as PNG",
        ),
    }


TABLE: dict[str, Case] = {
    f"{kind}: {name}": case
    for kind, cases in (
        ("JPEG", _jpeg()),
        ("PNG", _png()),
        ("GIF", _gif()),
        ("WebP", _webp()),
        ("AVIF", _avif()),
        ("other", _others()),
    )
    for name, case in cases.items()
}
