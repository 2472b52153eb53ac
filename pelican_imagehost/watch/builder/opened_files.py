"""The files that this process opens while it reads a document: those that the document includes.

The interpreter reports every `open` (PEP 578), so this works with the readers and extensions
of anyone, whatever their syntax. What another process reads is not seen.
"""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pelican_imagehost.storage.index import Stamp

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["OpenedFiles"]

_PATHS = ("stdlib", "platstdlib", "purelib", "platlib")
# The system's and the environment's files are not part of a site.
_FOREIGN = tuple(
    os.path.join(folder, "")
    for folder in (
        *("/dev", "/etc", "/proc", "/sys", "/usr"),
        *map(sysconfig.get_path, _PATHS),
        *site.getsitepackages(),
        site.getusersitepackages(),
    )
)
_WRITING = os.O_WRONLY | os.O_RDWR


class OpenedFiles:
    """Notes opened files, from its creation to the end of the process.

    Attributes:
        written: the files that were opened to be written, or renamed, while noting or not.
    """

    def __init__(self) -> None:
        self.written: set[str] = set()
        self._notes: list[dict[str, Stamp | None]] = []
        sys.addaudithook(self._hear)

    @contextmanager
    def noted(self) -> Iterator[dict[str, Stamp | None]]:
        """Note the files that are read.

        Yields:
            File, absolute → its stamp before it was opened; None if it did not exist. It is
            complete afterwards; temporary files are not in it.
        """
        files: dict[str, Stamp | None] = {}
        self._notes.append(files)
        try:
            yield files
        finally:
            self._notes.pop()
            for path in [path for path, stamp in files.items() if stamp and not Stamp.at(path)]:
                del files[path]

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Take an event; an exception would make the operation fail."""
        if event == "open":
            path, _, flags = arguments
            if isinstance(path, str | bytes) and isinstance(flags, int):
                self._take(os.fsdecode(path), flags)
        elif event == "os.rename" and isinstance(arguments[1], str):
            self.written.add(arguments[1])

    def _take(self, path: str, flags: int) -> None:
        if flags & _WRITING:
            self.written.add(path)
        elif self._notes and "\0" not in path:
            path = os.path.abspath(path)
            if not path.startswith(_FOREIGN) and not os.path.isdir(path):
                stamp = Stamp.at(path)
                for files in self._notes:
                    files.setdefault(path, stamp)
