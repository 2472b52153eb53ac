"""Configuration files, from templates."""

from __future__ import annotations

import re
from string import Template
from textwrap import indent
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["inside", "render", "tidy"]


class _Template(Template):
    """A text with `%{name}`, because `$` is nginx's and the shell's."""

    delimiter = "%"


def render(template: Path, **values: str) -> str:
    """Fill a template in."""
    return _Template(template.read_text("utf-8")).substitute(values)


def inside(text: str) -> str:
    """Indent all lines but the first, whose place in a template is indented already."""
    return indent(text.strip(), "    ").lstrip()


def tidy(text: str) -> str:
    """Remove what indenting empty lines left."""
    return re.sub(r"[ ]+$", "", text.rstrip(), flags=re.MULTILINE) + "\n"
