"""Build hook: the description that PyPI shows, made from README.md.

PyPI shows a README outside its repository, so relative links lead nowhere there. Where
`[project.urls]` has `Source`, they become absolute below it. Until then, a link becomes its
text and the name of the file, and images are left out.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

__all__ = ["Readme", "detach"]

_CODE = r"^ *```.*?^ *```$|`[^`\n]+`"
_RELATIVE = r"\((?!https?:|#)(?P<path>[^()\s]+)\)"
_PARTS = re.compile(
    rf"(?P<code>{_CODE})|(?P<image>!)?\[(?P<text>[^\[\]]*)\]{_RELATIVE}", re.MULTILINE | re.DOTALL
)


class Readme(MetadataHookInterface):
    """Sets the project's description."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add `readme` to the project's metadata."""
        text = Path(self.root, "README.md").read_text("utf-8")
        text = detach(text, metadata.get("urls", {}).get("Source"))
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


def detach(readme: str, source: str | None) -> str:
    """Return a README that needs no file beside it.

    Args:
        readme: Markdown with inline links; code in it stays as it is.
        source: the repository's address on GitHub; None if it has none.
    """

    def replace(match: re.Match[str]) -> str:
        if match["code"]:
            return match[0]
        if source is None:
            return "" if match["image"] else f"{match['text']} (`{match['path']}`)"
        kind = "raw" if match["image"] else "blob"
        address = f"{source.rstrip('/')}/{kind}/HEAD/{match['path']}"
        return f"{match['image'] or ''}[{match['text']}]({address})"

    return _PARTS.sub(replace, readme)
