"""Readers that include files as others do: in this process, in another, and from a cache.

A plugin of a site: `PLUGIN_PATHS` has this folder, and `PLUGINS` has "readers".
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import jinja2
from pelican import signals
from pelican.readers import BaseReader

if TYPE_CHECKING:
    from collections.abc import Callable

_PROGRAM = """
import os, re, sys
pattern = re.compile(sys.argv[2], re.MULTILINE)

def text(path):
    folder = os.path.dirname(path)
    with open(path, encoding="utf-8") as file:
        return pattern.sub(lambda found: text(os.path.join(folder, found[1])), file.read())

print(text(sys.argv[1]), end="")
"""


class _Reader:
    """Reads a title, an empty line, and text that is shown as it is."""

    pattern = ""
    process_metadata: Callable[[str, str], Any]

    def read(self, source_path: str) -> tuple[str, dict[str, Any]]:
        title, _, body = self.expand(source_path).partition("\n\n")
        metadata = {"title": title, "date": "2001-01-01", "category": "included"}
        process = self.process_metadata
        return f"<pre>{body}</pre>", {name: process(name, metadata[name]) for name in metadata}

    def expand(self, path: str) -> str:
        command = [sys.executable, "-c", _PROGRAM, path, self.pattern]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class AsciiDoc(_Reader, BaseReader):  # type: ignore[misc]
    """Asciidoctor is a program of its own."""

    file_extensions = ("adoc",)
    pattern = r"^include::([^\[\n]+)\[.*\]$"


class Org(_Reader, BaseReader):  # type: ignore[misc]
    """Emacs is a program of its own."""

    file_extensions = ("org",)
    pattern = r'^#\+INCLUDE: "([^"]+)".*$'


class MyST(_Reader, BaseReader):  # type: ignore[misc]
    """docutils reads included files in this process."""

    file_extensions = ("myst",)
    pattern = r"^```\{include\} (.+)\n```$"

    def expand(self, path: str) -> str:
        folder = os.path.dirname(path)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        return re.sub(
            self.pattern,
            lambda found: self.expand(os.path.join(folder, found[1])),
            text,
            flags=re.MULTILINE,
        )


class Templates(_Reader, BaseReader):  # type: ignore[misc]
    """pelican-jinja2content keeps an environment, and that keeps templates."""

    file_extensions = ("tpl",)

    def __init__(self, *arguments: Any) -> None:  # noqa: ANN401  as in Pelican
        super().__init__(*arguments)
        names = self.settings.get("JINJA2CONTENT_TEMPLATES", ["."])
        folders = [os.path.join(self.settings["PATH"], name) for name in names]
        self.env = jinja2.Environment(loader=jinja2.FileSystemLoader(folders))  # noqa: S701

    def expand(self, path: str) -> str:
        with open(path, encoding="utf-8") as file:
            return self.env.from_string(file.read()).render()


def _add(readers: Any) -> None:  # noqa: ANN401  of Pelican
    for reader in (AsciiDoc, Org, MyST, Templates):
        readers.reader_classes |= dict.fromkeys(reader.file_extensions, reader)


def register() -> None:
    signals.readers_init.connect(_add)
