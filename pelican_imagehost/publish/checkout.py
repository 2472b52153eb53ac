"""Check the documents of a commit as Pelican reads them, from a folder without its images."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.publish.pushed import SUBMODULE, File, is_image, list_files, normal
from pelican_imagehost.site.prose import MARKDOWN_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from pelican_imagehost.publish.git import Git

__all__ = ["Checkout"]

# An image of one pixel (PNG, Third Edition, 5): it stands for an image that is in the commit and
# not in its manifest.
_STAND_IN = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8ff"
    "ff3f0005fe02fea35c5d110000000049454e44ae426082"
)


class Checkout(NamedTuple):
    """What is needed to check the documents of a commit.

    Attributes:
        git: runs git in the top folder of the site's repository.
        commit: the commit.
        prefix: the folder of the site in the repository, with a slash at the end; "" for the top.
        content: the folder of the documents in the repository, in the same form.
        settings: the settings file in the working tree, for a commit that lacks it.
        theme: the theme to use.
        is_plain: whether a Markdown document needs no other document.
    """

    git: Git
    commit: str
    prefix: str
    content: str
    settings: Path
    theme: str
    is_plain: bool

    def problems(self, sources: Collection[str] | None, listed: Collection[str]) -> list[str]:
        """Find the problems with documents, as lines.

        The check runs in a separate process, because a settings file is a program.

        Args:
            sources: the paths of the documents in the repository; all documents if None.
            listed: the paths in the repository of the images that the manifest lists, with the
                bytes that the commit has.
        """
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            root = self._write(folder, sources, listed)
            command = [sys.executable, "-m", "pelican_imagehost", "check-commit"]
            command += ["-s", self.settings.name, "--theme", self.theme]
            if sources is not None:
                names = [source.removeprefix(self.content) for source in sources]
                (folder / "sources").write_bytes(os.fsencode("\0".join(names)))
                command += ["--sources", str(folder / "sources")]
            done = subprocess.run(  # noqa: S603  our own command
                command,
                cwd=root,
                capture_output=True,
                encoding="utf-8",
                errors="backslashreplace",
                check=False,
            )
        if done.returncode and not done.stdout:
            return [line for line in done.stderr.splitlines() if line]
        return done.stdout.splitlines()

    def _write(
        self, folder: Path, sources: Collection[str] | None, listed: Collection[str]
    ) -> Path:
        """Write the files of the commit but its images; return the folder of the site.

        git itself refuses to write files through symbolic links in the tree.
        """
        files = list_files(self.git, self.commit)
        env = {"GIT_INDEX_FILE": str(folder / "index")}
        names = "".join(f"{path}\0" for path in self._needed(files, sources))
        self.git.run("read-tree", self.commit, env=env)
        options = ("--stdin", "-z", f"--prefix={folder}/tree/")
        self.git.run("checkout-index", *options, stdin=names, env=env)
        for file in files:
            if is_image(file.path) and normal(file.path) not in listed:
                image = folder / "tree" / file.path
                image.parent.mkdir(parents=True, exist_ok=True)
                image.write_bytes(_STAND_IN)
        root = folder / "tree" / self.prefix
        (folder / "tree" / self.content).mkdir(parents=True, exist_ok=True)
        root.mkdir(parents=True, exist_ok=True)
        if not (root / self.settings.name).exists():  # it is not in git
            shutil.copy(self.settings, root)
        return root

    def _needed(self, files: list[File], sources: Collection[str] | None) -> Iterator[str]:
        alone = self.is_plain and sources is not None and all(map(_is_markdown, sources))
        for file in files:
            if is_image(file.path) or file.mode == SUBMODULE:
                continue
            if alone and file.path.startswith(self.content) and _is_markdown(file.path):
                if file.path in (sources or ()):
                    yield file.path
            else:
                yield file.path


def _is_markdown(path: str) -> bool:
    return os.path.splitext(path)[1] in MARKDOWN_SUFFIXES
