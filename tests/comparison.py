"""Compare a site built without the plugin and with it, file by file, byte by byte.

    python tests/comparison.py SITE_FOLDER [SETTINGS_FILE]

builds a site twice and prints every difference that is not an image's address. Variants are off,
because with them pages name other pictures on purpose, and images keep their metadata, so that
each is one of the site's files. Nothing is written to the site.

The rule: in a page nothing changes but references to images, each of which becomes the address of
the bytes that it referred to, and what decoration adds; in anything else, references alone.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tempfile
from html import unescape
from pathlib import Path
from urllib.parse import unquote

__all__ = ["Replacement", "compare_outputs", "undecorate"]

_ADDRESS = r"[0-9a-f]{2}/([0-9a-f]{64})\.(?:avif|gif|jpg|png|svg|webp)"
_TEXTS = {".html", ".xml", ".txt"}
# With variants: `picture` around an image, and its rules.
_PICTURE = re.compile(r"<picture data-imagehost>(?:<source [^>]*>)+(<img\b[^>]*>)</picture>")
_SHEET = re.compile(
    r"<style>(?::where\(picture\[data-imagehost\][^{]*\)\{[^}]*\})*:where\(img\[data-imagehost\]:not\(\[data-imagehost\*=h\]\)\)\{height:auto\}"
    r"@supports\(contain-intrinsic-size:1px\)\{"
    r":where\(img\[data-imagehost\]:not\(\[data-imagehost\*=w\]\)\)\{width:auto\}"
    r"(?::where\(img\[data-imagehost\|=\"\d+x\d+\"\]\)\{contain:size;"
    r"contain-intrinsic-size:\d+px \d+px;aspect-ratio:auto \d+/\d+\})+\}</style>"
)
_ATTRIBUTES = re.compile(
    r"""(?<=<img)
    (?: (?: [ ]width=(["']?)\d+\1 )? (?: [ ]height=(["']?)\d+\2 )?
        [ ]data-imagehost=(["']?)\d+x\d+(?:-w?h?)?\3 )?
    (?: [ ]fetchpriority=(["']?)high\4 | [ ]loading=(["']?)lazy\5 )?
    (?: [ ]decoding=(["']?)async\6 )? (?: [ ]sizes=(["']?)(?:auto,[ ])?100vw\7 )?""",
    re.IGNORECASE | re.VERBOSE,
)

Replacement = tuple[str, str, str]  # page, reference as written, SHA-256 of its address


def compare_outputs(plain: Path, hosted: Path, prefix: str) -> tuple[list[Replacement], list[str]]:
    """Compare two outputs.

    Args:
        plain: output of a build without the plugin.
        hosted: output of the same build with it.
        prefix: a pattern for the part of an address before the key of the image.

    Returns:
        The replaced references, and all other differences as lines. An image that is
        only in `plain` is not a difference: the host has it.
    """
    replaced: list[Replacement] = []
    differences: list[str] = []
    for name in sorted(_files(plain) | _files(hosted)):
        before, after = plain / name, hosted / name
        if not before.exists():
            if not re.fullmatch(f"(?:.*/)?{_ADDRESS}", name):
                differences.append(f"{name}: only with the plugin")
        elif not after.exists():
            if not re.search(r"\.(?:png|jpe?g|gif|webp|avif|svg)$", name, re.IGNORECASE):
                differences.append(f"{name}: only without the plugin")
        elif before.read_bytes() != after.read_bytes():
            found = _replacements(before, after, prefix) if before.suffix in _TEXTS else None
            if found is None:
                differences.append(f"{name}: differs in more than addresses")
            else:
                replaced += [(name, reference, digest) for reference, digest in found]
    return replaced, differences


def undecorate(page: str) -> str:
    """Return a page without what decoration adds.

    An author who writes the same in the same place loses it too, so take it off both sides of
    a comparison.
    """
    return _ATTRIBUTES.sub("", _PICTURE.sub(r"\1", _SHEET.sub("", page)))


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def _replacements(before: Path, after: Path, prefix: str) -> list[tuple[str, str]] | None:
    """Compare two texts; an address in the second matches anything but markup in the first."""
    old, new = before.read_text("utf-8"), after.read_text("utf-8")
    if after.suffix == ".html":
        old, new = undecorate(old), undecorate(new)
    address = re.compile(f"(?:{prefix}){_ADDRESS}")
    pattern, position = "", 0
    digests = []
    for match in address.finditer(new):
        if old.count(match[0]):
            continue  # the author wrote this address
        pattern += re.escape(new[position : match.start()]) + r"([^\"<>]*?)"
        digests.append(match[1])
        position = match.end()
    match_all = re.fullmatch(pattern + re.escape(new[position:]), old, re.DOTALL)
    return None if match_all is None else list(zip(match_all.groups(), digests, strict=True))


def _build(site: Path, file: str, plugins: str, output: Path) -> None:
    command = [sys.executable, "-m", "pelican", "-s", file, "-o", str(output)]
    settings = [f"PLUGINS={plugins}", "IMAGEHOST_FORMATS=[]", 'IMAGEHOST_KEEP_METADATA=["all"]']
    settings += [
        f"{name}={json.dumps(str(output.parent / name))}"
        for name in ("IMAGEHOST_STORE", "IMAGEHOST_MANIFEST", "CACHE_PATH")
    ]
    subprocess.run([*command, "-e", *settings], cwd=site, check=True)


def main() -> None:
    """Build the site given on the command line twice, and print the differences."""
    site = Path(sys.argv[1]).resolve()
    settings = sys.argv[2] if len(sys.argv) > 2 else "pelicanconf.py"
    with tempfile.TemporaryDirectory() as folder:
        plain, hosted = Path(folder, "plain"), Path(folder, "hosted")
        _build(site, settings, "[]", plain)
        _build(site, settings, '["pelican_imagehost"]', hosted)
        replaced, differences = compare_outputs(plain, hosted, "[^\"'<> ]*?/images/")
    digests: dict[str, set[str]] = {}
    for file in site.rglob("*.*"):
        if file.is_file():
            digests.setdefault(file.name, set()).add(hashlib.sha256(file.read_bytes()).hexdigest())
    for page, reference, digest in replaced:
        name = unquote(unescape(reference)).partition("?")[0].rpartition("/")[2].partition("#")[0]
        if digest not in digests.get(name, ()):
            differences.append(f"{page}: {reference} became another file's address")
    print(*differences, f"{len(replaced)} references replaced", sep="\n")  # noqa: T201  its result
    sys.exit(bool(differences))


if __name__ == "__main__":
    main()
