"""Where everything lies on the host."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pelican_imagehost.errors import PublishError
from pelican_imagehost.publish.git import Git

__all__ = ["Layout"]


@dataclass(frozen=True, slots=True)
class Layout:
    """The folder that `host init` made.

    Attributes:
        root: the folder, absolute.
    """

    root: Path

    @classmethod
    def find(cls, root: Path) -> Layout:
        """Take a folder that is set up.

        Raises:
            PublishError: it is not.
        """
        layout = cls(root.absolute())
        if not (layout.images / "HEAD").exists():
            raise PublishError(f"{root} is no image host; make it one: pelican-imagehost host init")
        return layout

    @property
    def images(self) -> Path:
        """The images' repository."""
        return self.root / "images.git"

    @property
    def site(self) -> Path:
        """The site's repository."""
        return self.root / "site.git"

    @property
    def www(self) -> Path:
        """The folder of the served tree and its staging."""
        return self.root / "www"

    @property
    def releases(self) -> Path:
        """The folder of releases, each named by its commit."""
        return self.root / "releases"

    @property
    def current(self) -> Path:
        """The link to the release that readers see."""
        return self.root / "current"

    @property
    def served(self) -> Path:
        """The served tree, as the hooks know it."""
        return Path(self.setting("served") or self.www / "images")

    @property
    def prefix(self) -> str:
        """What stands before an image's key in its address; ends with a slash."""
        return Git(self.site).config("imagehost.prefix")

    def setting(self, name: str) -> str:
        """A setting of the images' hooks; "" where it is not set."""
        return Git(self.images).config(f"imagehost.{name}")
