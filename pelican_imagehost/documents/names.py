"""The names of all images in the folders of a site: for wikilinks and for suggestions."""

from __future__ import annotations

import difflib
import os
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

from pelican_imagehost.documents.wanted import has_image_suffix

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from pelican_imagehost.settings import Settings

__all__ = ["Names"]


class Names:
    """The image files below some folders, listed when they are first needed.

    Args:
        settings: the settings of the site; its store and its output are not searched, nor
            are hidden folders.
        folders: the folders.
        known: the paths in the manifest, for files that are missing.
    """

    def __init__(self, settings: Settings, folders: Iterable[str], known: Collection[str]) -> None:
        self._settings = settings
        self._roots = folders
        self._known = known
        self._folders: dict[str, list[str]] | None = None

    def anywhere(self, target: str) -> list[str]:
        """Find the files whose path ends in that of a wikilink, in upper or lower case.

        Args:
            target: a name, with or without folders before it.

        Returns:
            Those in the fewest folders: one, if it is clear which file is meant.
        """
        wanted = f"/{unicodedata.normalize('NFC', target).strip('/')}"
        name = wanted.rpartition("/")[2].casefold()
        all_names = self._all().items()
        files = [f"{f}/{n}" for n, fs in all_names if _fold(n) == name for f in fs]
        found = _ending(files, wanted)
        if not found and self._known:  # the manifest of a site without its files
            prefix = f"{self._settings.relative(self._settings.content)}/".removeprefix("./")
            paths = (path for path in self._known if path.startswith(prefix))
            found = _ending([f"{self._settings.root}/{path}" for path in paths], wanted)
        fewest = min((file.count("/") for file in found), default=0)
        return sorted(file for file in found if file.count("/") == fewest)

    def near_miss(self, name: str, folder: str) -> str:
        """Suggest a file with another case, suffix, spelling or folder.

        Args:
            name: the name of the file that is missing.
            folder: the folder of the document.

        Returns:
            The end of a message; "" if no name is similar.
        """
        names = self._all()
        stems = {os.path.splitext(known)[0].casefold(): known for known in names}
        close = difflib.get_close_matches(
            os.path.splitext(name)[0].casefold(), stems, n=1, cutoff=0.75
        )
        if not close:
            return ""
        same_stem = [known for known in names if known.casefold() == name.casefold()]
        known = same_stem[0] if same_stem else stems[close[0]]
        found = folder if folder in names[known] else names[known][0]
        return f"; did you mean {os.path.relpath(f'{found}/{known}', folder)}?"

    def _all(self) -> dict[str, list[str]]:
        """Map the name of each image to its folders."""
        if self._folders is None:
            self._folders = {}
            for root in self._roots:
                for folder, folders, names in os.walk(root):
                    if Path(folder) in {self._settings.store, self._settings.output}:
                        folders.clear()
                        continue
                    folders[:] = [one for one in folders if not one.startswith(".")]
                    for name in filter(has_image_suffix, names):
                        homes = self._folders.setdefault(name, [])
                        if folder not in homes:  # one root may contain another
                            homes.append(folder)
        return self._folders


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _ending(files: Iterable[str], wanted: str) -> list[str]:
    """Return the files whose path ends like this, in this case or else in any."""
    folded = wanted.casefold()
    found = [file for file in files if _fold(file).endswith(folded)]
    return [f for f in found if unicodedata.normalize("NFC", f).endswith(wanted)] or found
