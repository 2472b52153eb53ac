"""The steps with which editors save a file, found with strace and in their sources."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["WAYS", "save_with_vim"]


def in_place(file: Path, text: str) -> None:
    """Truncate and write, as VS Code, nano and Sublime Text do by default."""
    with file.open("w", encoding="utf-8") as opened:
        opened.write(text)


def in_pieces(file: Path, text: str) -> None:
    """Write in parts, as on a slow disk or for a long text."""
    with file.open("w", encoding="utf-8") as opened:
        opened.write(text[: len(text) // 2])
        opened.flush()
        opened.write(text[len(text) // 2 :])


def typora(file: Path, text: str) -> None:
    """Rename a new file in the same folder over the old one, as Typora, Kate and gedit do."""
    fresh = file.with_name(f".goutputstream-{os.getpid():06}")
    in_place(fresh, text)
    fresh.replace(file)


def jetbrains(file: Path, text: str) -> None:
    """Write as JetBrains' "safe write" does."""
    fresh = file.with_name(file.name + "___jb_tmp___")
    old = file.with_name(file.name + "___jb_old___")
    in_place(fresh, text)
    file.rename(old)
    fresh.rename(file)
    old.unlink()


def vim(file: Path, text: str) -> None:
    """Write as Vim with backupcopy=no does: for a moment there is no file."""
    probe = file.with_name("4913")
    in_place(probe, "")
    probe.unlink()
    backup = file.with_name(file.name + "~")
    file.rename(backup)
    in_place(file, text)
    backup.unlink()


def emacs(file: Path, text: str) -> None:
    """Write in place after a backup, with a lock that is a broken link, as Emacs does."""
    lock = file.with_name(f".#{file.name}")
    lock.symlink_to("somebody@somewhere.1")
    file.with_name(file.name + "~").write_bytes(file.read_bytes())
    in_place(file, text)
    lock.unlink()


def from_elsewhere(file: Path, text: str) -> None:
    """Move a temporary file from outside the site."""
    fresh = file.absolute().parents[1] / f"fresh-{os.getpid()}"
    in_place(fresh, text)
    fresh.replace(file)


def unlink_and_link(file: Path, text: str) -> None:
    """Remove the file and link a new one, as some synchronisers do."""
    fresh = file.with_name(f".{file.name}.tmp")
    in_place(fresh, text)
    file.unlink()
    os.link(fresh, file)
    fresh.unlink()


WAYS: dict[str, Callable[[Path, str], None]] = {
    way.__name__: way
    for way in (
        in_place,
        in_pieces,
        typora,
        jetbrains,
        vim,
        emacs,
        from_elsewhere,
        unlink_and_link,
    )
}


def save_with_vim(file: Path, text: str) -> None:
    """Write the text with the real vim, with its default settings."""
    lines = "\n".join(f"call setline({n}, {line!r})" for n, line in enumerate(text.splitlines(), 1))
    script = f"%delete _\n{lines}\nwq\n"
    command = ["vim", "-u", "NONE", "-i", "NONE", "-N", "-es", str(file)]
    # Its exit code is 1 for an empty buffer; only the written file matters.
    subprocess.run(command, input=script, text=True, check=False, capture_output=True)
    assert file.read_text("utf-8") == text
