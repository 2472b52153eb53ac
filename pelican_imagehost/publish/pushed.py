"""Read a push of the site: its commits, and the files that they change (githooks(5), pre-push)."""

from __future__ import annotations

import contextlib
import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.images.image import IMAGE_SUFFIXES, KEY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pelican_imagehost.publish.git import Git

__all__ = [
    "SUBMODULE",
    "File",
    "Push",
    "find_addresses",
    "is_image",
    "list_files",
    "normal",
    "read_pushes",
]

SUBMODULE = "160000"
_ENTRY = re.compile(r"(?::[0-7]+ )?([0-7]+) (?:[a-z]+ )?(?:[0-9a-f]+ )?([0-9a-f]+)")
# Files that contain no addresses of images; compressed pages belong to pages that do.
_OPAQUE = (".avi", ".br", ".bz2", ".ico", ".mkv", ".mov", ".mp3", ".mp4", ".ogg", ".otf",
           ".ttf", ".wasm", ".wav", ".webm", ".woff", ".woff2", ".xz", ".zip", ".zst")  # fmt: skip
_GZIP = ".gz"
_MOST = 100 * 1024**2  # bytes to decompress
# As HTML, JSON and queries of other addresses spell them.
_SPELLINGS = {
    "/": r"(?:\\?/|%2f|&\#x2f;|&\#47;|\\u002f)",
    ":": r"(?::|%3a|&\#x3a;|&\#58;|\\u003a)",
}


class File(NamedTuple):
    """A file in a commit: its path in the repository, its mode, and the name of its object."""

    path: str
    mode: str
    oid: str


class Push(NamedTuple):
    """One branch or tag that is pushed.

    Attributes:
        commit: the pushed commit.
        base: a commit in its history that the remote has; "" if none is known.
        manifest: the name of the manifest's object in the commit; "" without a manifest.
        before: the same, in `base`.
        files: the files that are not in `base`, or are different there.
    """

    commit: str
    base: str
    manifest: str
    before: str
    files: list[File]


def read_pushes(git: Git, stdin: str, remote: str, manifest: str) -> list[Push]:
    """Read the standard input of the hook.

    Deleted branches, and tags of anything but a commit, are left out.

    Args:
        git: the repository of the site.
        stdin: for each branch or tag: local name, local object, remote name, remote object.
        remote: the name or address of the remote.
        manifest: the path of the manifest in the repository.
    """
    # The local name may be as given by the user: `HEAD@{1 hour ago}`.
    updates = [line.rsplit(maxsplit=3) for line in stdin.splitlines() if line.strip()]
    names = [f"{oid}^{{commit}}" for _, local, _, known in updates for oid in (local, known)]
    names += [f"{name}:{manifest}" for name in names]
    facts = [fact.oid for fact in git.facts(names)]
    commits, manifests = facts[: len(facts) // 2], facts[len(facts) // 2 :]
    listed = dict(zip(commits, manifests, strict=True))
    heads: dict[str, str] = {}
    tags: dict[str, str] = {}
    for number, update in enumerate(updates):
        commit, base = commits[2 * number : 2 * number + 2]
        if commit:
            (tags if update[2].startswith("refs/tags/") else heads)[commit] = base
    heads |= _apart(git, tags, heads)
    bases = {commit: base or _find_base(git, commit, remote) for commit, base in heads.items()}
    bases = {commit: base for commit, base in bases.items() if commit != base}
    found = [base for base in bases.values() if base not in listed]
    asked = [f"{base}:{manifest}" for base in found]
    listed |= zip(found, (fact.oid for fact in git.facts(asked)), strict=True)
    return [
        Push(commit, base, listed[commit], listed[base], list_files(git, commit, base))
        for commit, base in bases.items()
    ]


def _apart(git: Git, tags: dict[str, str], heads: dict[str, str]) -> dict[str, str]:
    """Leave out tags in the history of pushed branches, whose images may be gone by now."""
    if not tags or not heads:
        return tags
    options = (*tags, "--not", *heads)
    outside = set(git.run("rev-list", *options).output.split())
    return {commit: base for commit, base in tags.items() if commit in outside}


def _find_base(git: Git, commit: str, remote: str) -> str:
    """Find a commit in the history that the remote had when it was last contacted."""
    if not remote:
        return ""
    listed = ("for-each-ref", "--format=%(objectname)", f"refs/remotes/{remote}/")
    known = git.run(*listed, check=False).output.split()
    return git.run("merge-base", commit, *known, check=False).output.strip() if known else ""


def list_files(git: Git, commit: str, base: str = "") -> list[File]:
    """List the files of a commit that are not the same in another commit, if there is one."""
    if base:
        options = ("--raw", "--no-renames", "--diff-filter=d")
        raw = git.run("diff-tree", "-r", "-z", *options, base, commit).output
        fields = iter(raw.split("\0")[:-1])
        pairs: Iterable[tuple[str, ...]] = zip(fields, fields, strict=True)
    else:
        raw = git.run("ls-tree", "-r", "-z", "--full-tree", commit).output
        pairs = (tuple(line.split("\t", 1)) for line in raw.split("\0")[:-1])
    files = []
    for facts, path in pairs:
        match = _ENTRY.match(facts)
        if match is not None:
            files.append(File(path, match[1], match[2]))
    return files


def normal(path: str) -> str:
    """Return a path as in a manifest: in the normal form NFC (UAX #15)."""
    return path if path.isascii() else unicodedata.normalize("NFC", path)


def is_image(path: str) -> bool:
    """Return whether a file has the name of an image."""
    return path.lower().endswith(IMAGE_SUFFIXES)


def find_addresses(git: Git, pushes: Iterable[Push], prefix: str) -> dict[str, str]:
    """Find the addresses of images in the pushed files, such as those of built pages.

    Args:
        git: the repository of the site.
        pushes: the push.
        prefix: the prefix of the addresses; its scheme does not matter.

    Returns:
        Key → a file that contains its address.
    """
    files: dict[str, str] = {}
    for push in pushes:
        for file in push.files:
            is_text = file.oid != push.manifest and not is_image(file.path)
            if is_text and file.mode != SUBMODULE and not file.path.lower().endswith(_OPAQUE):
                files.setdefault(file.oid, file.path)
    names = set(files.values())
    files = {
        oid: path for oid, path in files.items() if path.removesuffix(_GZIP) not in names - {path}
    }
    pattern = _address_pattern(prefix)
    found: dict[str, str] = {}
    for data, path in zip(git.contents(list(files)), files.values(), strict=True):
        for key in _keys(pattern, _text(data, path)):
            found.setdefault(key, path)
    return found


def _address_pattern(prefix: str) -> re.Pattern[bytes]:
    plain = re.escape(prefix.partition(":")[2]) + KEY.pattern
    spelled = "".join(_SPELLINGS.get(letter, letter) for letter in plain)
    return re.compile(spelled.encode(), re.IGNORECASE)


def _text(data: bytes, path: str) -> bytes:
    """Return the text of a file, decompressed and as UTF-8."""
    if path.endswith(_GZIP):
        import zlib  # noqa: PLC0415  seldom needed

        with contextlib.suppress(zlib.error):  # it is something else
            data = zlib.decompressobj(wbits=31).decompress(data, _MOST)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace").encode(errors="replace")
    return data


def _keys(pattern: re.Pattern[bytes], data: bytes) -> Iterator[str]:
    for match in pattern.finditer(data):
        digest, kind = match[2].decode().lower(), match[3].decode().lower()
        yield f"{digest[:2]}/{digest}.{kind}"
