"""The hooks of images.git: check the pushed images, and serve them before the branch moves.

Before the branch moves, every new blob is read from the quarantine (githooks(5)) and hashed
on its way into staging, and the images are put into the served tree: no page can name an
image that is not there yet. When the branch has moved, retracted images leave the tree.
"""

from __future__ import annotations

import contextlib
import io
import re
from typing import IO, TYPE_CHECKING

from pelican_imagehost.errors import ImageHostError, PublishError
from pelican_imagehost.host.push import (
    GIT,
    MAIN,
    diff,
    object_id,
    read_changes,
    read_config,
    say,
    shown,
)
from pelican_imagehost.host.served import Staging, locked, remove_image
from pelican_imagehost.images.image import IMAGE_TYPES, KEY, MAX_BYTES, digest_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from pelican_imagehost.host.push import Change, Update
    from pelican_imagehost.publish.git import LeanGit

__all__ = ["TOMBSTONES", "read_images", "receive", "withdraw"]

TOMBSTONES = "retracted/"
_TOMBSTONE = re.compile(rf"{TOMBSTONES}([0-9a-f]{{64}})")
_FILE = "100644"
_MODES = {"100755": "executable", "120000": "a symbolic link", "160000": "a submodule"}


def receive(update: Update) -> None:
    """Check the pushed commits, and serve their images.

    Raises:
        PublishError: one of them has something that is not accepted.
    """
    config = read_config()
    limit = int(config.get("maxbytes", MAX_BYTES))
    tip, history = read_changes(update)
    images = _images([*history, *tip], config.get("types", " ".join(IMAGE_TYPES)).split())
    _check_tombstones(update.new, tip)
    added = {change.path for change in tip if change.status == "A"}
    with Staging(config["served"]) as staging:
        with contextlib.closing(read_images(GIT, images)) as blobs:
            for path, blob, size in blobs:
                if size > limit:
                    raise PublishError(f"{path} has {size:,} bytes; at most {limit:,} are allowed")
                if path.endswith(".svg"):
                    blob = _checked_svg(path, blob.read(size))  # noqa: PLW2901  its bytes are read
                staging.add(path, size, blob, keep=path in added)
        new = staging.publish()
    if images:
        say(f"{new:,} published, {len(added & dict(images).keys()) - new:,} already there")


def withdraw(update: Update) -> None:
    """Remove retracted images from the served tree, now that the branch has moved."""
    changes = diff(update, "--", TOMBSTONES.rstrip("/"))
    retracted = {change.path for change in changes if change.status == "A"}
    if not retracted:
        return
    served = read_config()["served"]
    with locked(served, exclusive=True):
        # The branch may have moved on since.
        for digest in _read_tombstones(MAIN) & {
            path.removeprefix(TOMBSTONES) for path in retracted
        }:
            if remove_image(served, digest):
                say(f"{digest} is offline")


def read_images(
    git: LeanGit, images: list[tuple[str, str]]
) -> Generator[tuple[str, IO[bytes], int]]:
    """Read images from a repository, in order.

    Args:
        git: the repository.
        images: paths and object names.

    Yields:
        Each path, a stream, and its length in bytes; read exactly that before the next.

    Raises:
        PublishError: an image is missing.
    """
    with contextlib.closing(git.stream([oid for _, oid in images])) as objects:
        for (path, _), (found, stream) in zip(images, objects, strict=True):
            if found.kind != "blob":
                raise PublishError(f"{path} has no content in the push; fetch it, push again")
            yield path, stream, found.size


def _images(changes: Iterable[Change], types: list[str]) -> list[tuple[str, str]]:
    """Check every change, and list the new images: path and object name.

    Raises:
        PublishError: a change is neither a new image, a tombstone, nor a removal.
    """
    images: dict[tuple[str, str], None] = {}
    for change in changes:
        if change.status == "D":
            continue
        if change.status != "A":
            raise PublishError(f"{shown(change.path)} is changed; stored files never change")
        if change.mode != _FILE:
            kind = _MODES.get(change.mode, f"of mode {change.mode}")
            raise PublishError(f"{shown(change.path)} is {kind}; only plain files are allowed")
        if _is_image(change, types):
            images[change.path, change.oid] = None
    return list(images)


def _is_image(change: Change, types: list[str]) -> bool:
    path = shown(change.path)
    name, _, kind = change.path.rpartition(".")
    if KEY.fullmatch(f"{name}.{IMAGE_TYPES[0]}") and kind.isalnum():
        if kind in types:
            return True
        raise PublishError(f"{path} has a type that is not served here: {', '.join(types)}")
    if not _TOMBSTONE.fullmatch(change.path):
        raise PublishError(f"{path} is not an image path; expected ab/<sha256>.<type>")
    if change.oid != object_id(change.oid, b"blob 0\0"):
        raise PublishError(f"{path} is a tombstone and must be empty")
    return False


def _checked_svg(path: str, data: bytes) -> IO[bytes]:
    """Check an SVG as `identify` does on the author's side; return its bytes as a stream.

    Raises:
        PublishError: it is not an SVG, or could run scripts or load other files.
    """
    from pelican_imagehost.images import svg  # noqa: PLC0415  most pushes need none

    if not svg.looks_like_svg(data):
        raise PublishError(f"{path} is not an SVG")
    try:
        svg.inspect(data)
    except ImageHostError as error:
        raise PublishError(f"{path} {shown(str(error), limit=300)}") from None
    return io.BytesIO(data)


def _check_tombstones(commit: str, changes: list[Change]) -> None:
    """Check that no image of a commit's tree has a tombstone there.

    Raises:
        PublishError: an image is removed without a tombstone, added in spite of one, or
            stays beside a new one.
    """
    tombstones = _read_tombstones(commit)
    for change in changes:
        if not KEY.fullmatch(change.path):
            continue
        retracted = digest_of(change.path) in tombstones
        if change.status == "D" and not retracted:
            raise PublishError(f"{change.path} is deleted; to take an image offline, retract it")
        if change.status == "A" and retracted:
            raise PublishError(f"{change.path} was retracted; remove its tombstone to allow it")
    added = [_TOMBSTONE.fullmatch(c.path) for c in changes if c.status == "A"]
    keys = [f"{m[1][:2]}/{m[1]}.{kind}" for m in added if m for kind in IMAGE_TYPES]
    found = GIT.facts(f"{commit}:{key}" for key in keys)
    for key, image in zip(keys, found, strict=True):
        if image.oid:
            raise PublishError(f"{key} has a tombstone and is still in the commit; remove it")


def _read_tombstones(commit: str) -> set[str]:
    """Read the digests that a commit's tree retracts."""
    names = GIT.run("ls-tree", "-z", "--name-only", commit, TOMBSTONES).output.split("\0")[:-1]
    return {name.removeprefix(TOMBSTONES) for name in names}
