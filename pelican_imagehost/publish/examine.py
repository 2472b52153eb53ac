"""Examine the pushed commits of a site: do their documents only use images of the manifest?

Images are never unpacked, and documents only if they changed and Pelican must read them.
"""

from __future__ import annotations

import os
import posixpath
import re
from typing import TYPE_CHECKING, Any

from pelican_imagehost.publish.pushed import SUBMODULE, is_image, normal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pelican_imagehost.publish.checkout import Checkout
    from pelican_imagehost.publish.git import Git
    from pelican_imagehost.publish.pushed import File, Push
    from pelican_imagehost.report import Say
    from pelican_imagehost.settings import Settings
    from pelican_imagehost.storage.manifest import Manifest

__all__ = ["Examiner"]

# git-lfs, docs/spec.md; the object is named by its SHA-256.
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:.*\n)*?oid sha256:(\w{64})\n"
)


class Examiner:
    """Examines commits of one site.

    Args:
        git: the repository of the site.
        file: the settings file, absolute.
        pelican: the settings of Pelican.
        settings: the settings of the site.

    Attributes:
        manifest: the path of the manifest in the repository.
    """

    def __init__(
        self, git: Git, file: Path, pelican: Mapping[str, Any], settings: Settings
    ) -> None:
        self._git, self._file, self._pelican, self._settings = git, file, pelican, settings
        shown = git.run("rev-parse", "--show-prefix", "--show-cdup").output.split("\n")
        self._prefix, self._top = shown[0], settings.root / shown[1]
        self._content = self._inside(settings.content, folder=True)
        self._manifests: dict[str, Manifest] = {}
        self.manifest = self._inside(settings.manifest)

    def read(self, manifest: str) -> Manifest:
        """Read a manifest, named by its git object; "" for an empty one."""
        from pelican_imagehost.storage.manifest import Manifest  # noqa: PLC0415  see `_checkout`

        if manifest not in self._manifests:
            (data,) = self._git.contents([manifest]) if manifest else (b"",)
            self._manifests[manifest] = Manifest.parse(self._settings.manifest, data)
        return self._manifests[manifest]

    def is_due(self, push: Push) -> bool:
        """Return whether a push may name images that the remote does not name yet."""
        changes = (
            file.path.startswith(self._content) or is_image(file.path) or _is_program(file)
            for file in push.files
        )
        return not push.base or push.manifest != push.before or any(changes)

    def problems(self, push: Push, say: Say) -> list[str]:
        """Find images that the documents of a commit use and its manifest does not list.

        Args:
            push: the push.
            say: called with the submodules, whose documents are not examined.

        Returns:
            The problems, as lines; none for a commit that is older than the use of this package.
        """
        for file in push.files:
            if file.mode == SUBMODULE:
                say(
                    f"{file.path} is a submodule; its documents are not checked, and its images "
                    f"only as far as {self.manifest} lists them"
                )
        if not push.manifest and (submodule := self._submodule_of(push.commit, self.manifest)):
            advice = "set IMAGEHOST_MANIFEST to a file in the repository of the site"
            return [f"{self.manifest} cannot be read: {submodule} is a submodule; {advice}"]
        if not self.is_due(push) or not (push.manifest or self._mentions_us(push.commit)):
            return []
        manifest = self.read(push.manifest)
        lines = _unsettled(manifest)
        stale = self._stale(push.files, manifest)
        sources = self._documents(push, manifest, stale)
        if sources is None or sources:
            listed = {self._prefix + path for path in manifest.images} - stale
            lines += self._checkout(push.commit).problems(sources, listed)
        return lines

    def _documents(self, push: Push, manifest: Manifest, stale: set[str]) -> set[str] | None:
        """Return the documents that Pelican must read; None for all."""
        if not push.base or stale or any(map(_is_program, push.files)):
            return None
        if push.manifest != push.before:
            before = self.read(push.before)
            if before.images.keys() - manifest.images.keys():
                return None  # documents that did not change may use these images
        changed = [file for file in push.files if self._is_document(file)]
        return {file.path for file in changed} - self._harmless(changed, manifest)

    def _harmless(self, changed: list[File], manifest: Manifest) -> set[str]:
        """Find documents that need not be read by Pelican."""
        from pelican_imagehost.site.prose import (  # noqa: PLC0415  see `_checkout`
            MARKDOWN_SUFFIXES,
            Prose,
            is_plain_site,
        )

        texts = [f for f in changed if f.path.endswith(MARKDOWN_SUFFIXES) and not _is_link(f)]
        if not texts or not is_plain_site(self._pelican, self._settings):
            return set()
        prose = Prose(self._pelican, self._settings, manifest.images)
        contents = self._git.contents([file.oid for file in texts])
        return {
            file.path
            for file, text in zip(texts, contents, strict=True)
            if prose.lists_all_images(text, posixpath.dirname(file.path.removeprefix(self._prefix)))
        }

    def _stale(self, files: Iterable[File], manifest: Manifest) -> set[str]:
        """Find images with other bytes than the manifest lists for them."""
        images = {}
        for file in files:
            path = normal(file.path)
            image = manifest.images.get(path.removeprefix(self._prefix))
            if image is not None and is_image(path) and not _is_link(file):
                images[path] = (file.oid, {image.sha256, image.original})
        contents = self._git.contents([oid for oid, _ in images.values()])
        return {
            path
            for (path, (_, listed)), data in zip(images.items(), contents, strict=True)
            if _digest(data) not in listed
        }

    def _checkout(self, commit: str) -> Checkout:
        # Most pushes need none of this, and wait for each import.
        from pelican_imagehost.publish.checkout import Checkout  # noqa: PLC0415
        from pelican_imagehost.site.prose import is_plain_site  # noqa: PLC0415

        theme = str(self._pelican["THEME"])
        is_plain = is_plain_site(self._pelican, self._settings)
        folders = (self._prefix, self._content)
        top = type(self._git)(self._top, hooks=True)
        return Checkout(top, commit, *folders, self._file, theme, is_plain)

    def _is_document(self, file: File) -> bool:
        return file.path.startswith(self._content) and not is_image(file.path)

    def _submodule_of(self, commit: str, path: str) -> str:
        """Return the submodule of a commit in which a path is; "" if it is in none."""
        folders = [path[:end] for end, letter in enumerate(path) if letter == "/"]
        if not folders:
            return ""
        listed = self._git.run("ls-tree", "-z", "--full-tree", commit, "--", *folders).output
        entries = (entry.partition("\t") for entry in listed.split("\0"))
        return next((name for facts, _, name in entries if facts.startswith(SUBMODULE)), "")

    def _mentions_us(self, commit: str) -> bool:
        """Return whether the settings of a commit without a manifest are about this package."""
        asked = ("grep", "-q", "-i", "imagehost", commit, "--", f":(top){self._prefix}*.py")
        return self._git.run(*asked, check=False).code == 0

    def _inside(self, path: Path, *, folder: bool = False) -> str:
        """Return a path in the repository; that of a folder ends with a slash, but for the top."""
        inside = os.path.relpath(path, self._settings.root)
        name = posixpath.normpath(posixpath.join(self._prefix, inside))
        if not folder:
            return name
        return "" if name == "." else f"{name}/"


def _unsettled(manifest: Manifest) -> list[str]:
    lines = [f"{manifest.file.name}:{number}: {error}" for number, error in manifest.errors]
    return lines + [str(error) for error in manifest.conflicts.values()]


def _is_program(file: File) -> bool:
    return file.path.endswith(".py")


def _is_link(file: File) -> bool:
    return file.mode == "120000"


def _digest(data: bytes) -> str:
    import hashlib  # noqa: PLC0415  as above

    pointer = _POINTER.match(data) if len(data) < 1024 else None  # noqa: PLR2004  by its specification
    return pointer[1].decode() if pointer else hashlib.sha256(data).hexdigest()
