"""The paths of a host."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pelican_imagehost.errors import PublishError
from pelican_imagehost.publish.git import Git

__all__ = ["Layout"]


@dataclass(frozen=True, slots=True)
class Layout:
    """The folder that `host init` sets up.

    Attributes:
        root: the folder, absolute.
    """

    root: Path

    @classmethod
    def find(cls, root: Path) -> Layout:
        """Find the host in a folder.

        Raises:
            PublishError: the folder is not set up.
        """
        layout = cls(root.absolute())
        if not (layout.images / "HEAD").exists():
            raise PublishError(
                f"{root} is not an image host; run: pelican-imagehost host init {root}"
            )
        return layout

    @property
    def images(self) -> Path:
        """Return the repository of images."""
        return self.root / "images.git"

    @property
    def site(self) -> Path:
        """Return the repository of the site."""
        return self.root / "site.git"

    @property
    def www(self) -> Path:
        """Return the folder of the served tree and its staging."""
        return self.root / "www"

    @property
    def releases(self) -> Path:
        """Return the folder of releases, each named by its commit."""
        return self.root / "releases"

    @property
    def current(self) -> Path:
        """Return the link to the release that readers see."""
        return self.root / "current"

    @property
    def served(self) -> Path:
        """Return the served tree, as the hooks are configured."""
        return Path(self.setting("served") or self.www / "images")

    @property
    def prefix(self) -> str:
        """Return the address of the served tree, with a slash at the end."""
        return Git(self.site).config("imagehost.prefix")

    def setting(self, name: str) -> str:
        """Return a setting of the image hooks; "" if it is not set."""
        return Git(self.images).config(f"imagehost.{name}")
