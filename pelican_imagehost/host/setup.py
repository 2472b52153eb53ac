"""Set up the host: repositories, hooks, folders, and files for nginx, ssh and systemd.

Safe to re-run: a second run changes nothing and reports so. Files that an administrator may
edit (as certbot edits nginx.conf) are never overwritten.
"""

from __future__ import annotations

import getpass
import os
import re
import sys
from typing import TYPE_CHECKING

from pelican_imagehost.errors import PublishError
from pelican_imagehost.host.config import HostName, render
from pelican_imagehost.host.layout import Layout
from pelican_imagehost.images.image import IMAGE_TYPES, MAX_BYTES
from pelican_imagehost.publish.git import Git

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Setup"]

_SAFE_PATH = re.compile(r"/[\w/.+-]+", re.ASCII)  # no quoting for nginx, sh, ssh and systemd

# git-config(1). Objects are checked as they arrive and stay in the pack that they arrive in,
# so that a large push is one file that is read once; `host maintain` repacks.
COMMON = {
    "receive.denyDeletes": "true",
    "receive.denyNonFastForwards": "true",
    "receive.unpackLimit": "1",
    "receive.autogc": "false",
    "gc.auto": "0",
    "transfer.fsckObjects": "true",
    "core.logAllRefUpdates": "true",  # `host gc` reads when commits were pushed
}
IMAGES = COMMON | {
    "receive.maxInputSize": "8g",
    "core.bigFileThreshold": "1024",  # images neither compress nor resemble each other
    "core.compression": "0",
    "uploadpack.allowFilter": "true",  # `init --clone` fetches no old images
    "uploadpack.allowAnySHA1InWant": "true",
    "imagehost.maxbytes": str(MAX_BYTES),
    "imagehost.types": " ".join(IMAGE_TYPES),
}
SITE = COMMON | {"receive.maxInputSize": "1g"}
_ASKED = ("imagehost.prefix", "imagehost.python")  # set again by each run


class Setup:
    """One folder to set up, and the actions taken.

    Args:
        root: the folder; created if it does not exist.
        site: the host name of the site.
        images: the host name for images; `/images/` of the site when None.

    Raises:
        PublishError: a name or the folder cannot be used.
    """

    def __init__(self, root: Path, *, site: str, images: str | None = None) -> None:
        self.layout = Layout(root.absolute())
        if not _SAFE_PATH.fullmatch(str(self.layout.root)):
            raise PublishError(
                f"{self.layout.root} cannot be used: nginx, ssh and systemd need a path of "
                "letters, digits, dots, dashes, underscores, plus signs and slashes"
            )
        self.site = HostName.parse(site)
        self.images = HostName.parse(images) if images else None
        self.done: list[str] = []

    @property
    def prefix(self) -> str:
        """Return the address of the served tree, with a slash at the end."""
        return self.images.url if self.images else f"{self.site.url}images/"

    def run(self) -> list[str]:
        """Create whatever is missing.

        Returns:
            The actions taken, a line each; empty if everything was in place.

        Raises:
            PublishError: a file or folder cannot be written.
        """
        try:
            self._make_folders()
            self._make_repositories()
            self._write_files()
        except OSError as error:
            raise PublishError(
                f"{error.filename or self.layout.root} cannot be written: {error.strerror}"
            ) from error
        return self.done

    def steps(self) -> str:
        """Return the steps that remain to be done by hand."""
        return self._render("steps.txt")

    def _make_folders(self) -> None:
        layout = self.layout
        layout.root.mkdir(parents=True, exist_ok=True)
        for folder in (layout.www, layout.www / "images", layout.releases):
            if not folder.is_dir():
                folder.mkdir()
                folder.chmod(0o755)
                self.done.append(f"created {self._name(folder)}/")

    def _make_repositories(self) -> None:
        for repository in (self.layout.images, self.layout.site):
            if not (repository / "HEAD").exists():
                arguments = ("init", "--quiet", "--bare", "--initial-branch=main")
                Git(self.layout.root).run(*arguments, "--", repository.name)
                repository.chmod(0o700)
                self.done.append(f"created {repository.name}/, a bare repository")
        for path, hook in self._hooks().items():
            self._write(path, hook, mode=0o755)
        served = str(self.layout.www / "images")
        self._configure(self.layout.images, IMAGES | {"imagehost.served": served})
        self._configure(self.layout.site, SITE | {"imagehost.served": served} | self._chosen())

    def _hooks(self) -> dict[Path, str]:
        hooks = {}
        for repository in (self.layout.images, self.layout.site):
            for hook in ("pre-receive", "post-receive"):
                names = {"repository": repository.stem, "hook": hook}
                hooks[repository / "hooks" / hook] = self._render("hook.sh", **names)
        retracting = self._render("images-post-receive.sh")
        return hooks | {self.layout.images / "hooks/post-receive": retracting}

    def _chosen(self) -> dict[str, str]:
        return {
            "imagehost.releases": str(self.layout.releases),
            "imagehost.current": str(self.layout.current),
            "imagehost.prefix": self.prefix,
            "imagehost.python": sys.executable,
            "imagehost.settings": "publishconf.py",
        }

    def _configure(self, path: Path, wanted: dict[str, str]) -> None:
        """Set what is new or was asked for, and keep what an administrator has set."""
        repository = Git(path)
        listed = repository.run("config", "--local", "--list", "-z").output.split("\0")
        known = dict(line.split("\n", 1) for line in listed if "\n" in line)
        new = [
            name
            for name, value in wanted.items()
            if name.lower() not in known or (name in _ASKED and known[name] != value)
        ]
        for name in new:
            repository.set_config(name, wanted[name])
        if new:
            self.done.append(f"set {', '.join(new)} in {path.name}/config")

    def _write_files(self) -> None:
        root = self.layout.root
        self._write(root / "gate", self._render("gate.sh"), mode=0o755)
        self._offer(root / "nginx.conf", self.nginx())
        for kind in ("service", "timer"):
            self._offer(root / f"pelican-imagehost.{kind}", self._render(f"maintain.{kind}"))

    def nginx(self) -> str:
        """Render the servers' configuration, for nginx's `http` block."""
        folder = self.layout.www / ("images" if self.images else "")
        path = "/" if self.images else "/images/"
        return self._render("nginx.conf", folder=folder, path=path)

    def _render(self, template: str, **values: object) -> str:
        return render(
            f"host/templates/{template}",
            root=self.layout.root,
            site=self.site,
            images=self.images or self.site,
            url=self.prefix.rstrip("/"),
            python=sys.executable,
            user="imagehost" if os.geteuid() == 0 else getpass.getuser(),
            **values,
        )

    def _write(self, path: Path, text: str, *, mode: int) -> None:
        """Write a file of this package, unless it is there already."""
        if path.exists() and path.read_text("utf-8") == text:
            return
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_text(text, "utf-8")
        temporary.chmod(mode)  # git ignores a hook that is not executable
        temporary.replace(path)
        self.done.append(f"wrote {self._name(path)}")

    def _offer(self, path: Path, text: str) -> None:
        """Write a file that administrators edit; beside theirs if that differs."""
        if not path.exists() or path.read_text("utf-8") == text:
            self._write(path, text, mode=0o644)
            return
        offered = path.with_name(f"{path.name}.new")
        if not offered.exists() or offered.read_text("utf-8") != text:
            self._write(offered, text, mode=0o644)
            self.done.append(f"kept {self._name(path)} as it is; compare it with {offered.name}")

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self.layout.root))
