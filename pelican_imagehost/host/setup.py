"""Setting up the host: repositories, hooks, folders, and what nginx, sshd and systemd read.

Everything is written once: a second run changes nothing, and says so. What an
administrator may have changed (certbot edits nginx.conf) is never written over.
"""

from __future__ import annotations

import getpass
import os
import re
import sys
from pathlib import Path

from pelican_imagehost.errors import PublishError
from pelican_imagehost.host import images_hook as pre_receive
from pelican_imagehost.host.config import TEMPLATES, HostName, inside, render, tidy
from pelican_imagehost.host.layout import Layout
from pelican_imagehost.publish.git import Git

__all__ = ["Setup"]

_SAFE_PATH = re.compile(r"/[\w/.+-]+", re.ASCII)  # no quoting for nginx, sh, ssh and systemd
_SITE_HOOK = '''#!{python} -I
"""A hook of site.git, written by `pelican-imagehost host init`."""

from pelican_imagehost.host.site_hook import main

main()
'''

# git-config(1). Objects are checked as they come, and stay in the pack that they came in, so
# that a push of many is one file and needs no second look; `host maintain` tidies up.
COMMON = {
    "receive.denyDeletes": "true",
    "receive.denyNonFastForwards": "true",
    "receive.unpackLimit": "1",
    "receive.autogc": "false",
    "gc.auto": "0",
    "transfer.fsckObjects": "true",
    "core.logAllRefUpdates": "true",  # `host gc` asks when what was published
}
IMAGES = COMMON | {
    "receive.maxInputSize": "8g",
    "core.bigFileThreshold": "1024",  # images neither compress nor resemble each other
    "core.compression": "0",
    "uploadpack.allowFilter": "true",  # `init --clone` leaves old images here
    "uploadpack.allowAnySHA1InWant": "true",
    "imagehost.maxbytes": str(pre_receive.MAX_BYTES),
    "imagehost.types": " ".join(pre_receive.TYPES),
}
SITE = COMMON | {"receive.maxInputSize": "1g"}
_ASKED = ("imagehost.prefix", "imagehost.python")  # each run says anew what these are to be


class Setup:
    """One folder to set up, and what was done.

    Args:
        root: the folder; made where it is not there.
        site: the name of the site's server.
        images: the name of the images' server; None: `/images/` of the site's own.

    Raises:
        PublishError: a name or the folder cannot be used.
    """

    def __init__(self, root: Path, *, site: str, images: str | None = None) -> None:
        self.layout = Layout(root.absolute())
        if not _SAFE_PATH.fullmatch(str(self.layout.root)):
            raise PublishError(
                f"{self.layout.root} cannot be used: nginx, ssh and systemd are told its name, so "
                "choose one of letters, digits, dots, dashes, underscores and slashes"
            )
        self.site = HostName.parse(site)
        self.images = HostName.parse(images) if images else None
        self.done: list[str] = []

    @property
    def prefix(self) -> str:
        """What stands before an image's key in its address; ends with a slash."""
        return self.images.url if self.images else f"{self.site.url}images/"

    def run(self) -> list[str]:
        """Make what is not there.

        Returns:
            What was done, a line each; empty where everything was there.

        Raises:
            PublishError: something cannot be made.
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
        """What is left to do by hand."""
        return self._render("steps.txt", **self._values())

    def _make_folders(self) -> None:
        layout = self.layout
        layout.root.mkdir(parents=True, exist_ok=True)
        for folder in (layout.www, layout.www / "images", layout.releases):
            if not folder.is_dir():
                folder.mkdir()
                folder.chmod(0o755)
                self.done.append(f"made {self._name(folder)}/")

    def _make_repositories(self) -> None:
        for repository in (self.layout.images, self.layout.site):
            if not (repository / "HEAD").exists():
                arguments = ("init", "--quiet", "--bare", "--initial-branch=main")
                Git(self.layout.root).run(*arguments, "--", repository.name)
                repository.chmod(0o700)
                self.done.append(f"made {repository.name}/, a bare repository")
        for path, hook in self._hooks().items():
            self._write(path, hook, mode=0o755)
        served = str(self.layout.www / "images")
        self._configure(self.layout.images, IMAGES | {"imagehost.served": served})
        self._configure(self.layout.site, SITE | {"imagehost.served": served} | self._chosen())

    def _hooks(self) -> dict[Path, str]:
        images, site = self.layout.images / "hooks", self.layout.site / "hooks"
        of_site = _SITE_HOOK.format(python=sys.executable)
        return {
            images / "pre-receive": _image_hook(),
            images / "post-receive": (TEMPLATES / "post-receive.sh").read_text("utf-8"),
            site / "pre-receive": of_site,
            site / "post-receive": of_site,
        }

    def _chosen(self) -> dict[str, str]:
        return {
            "imagehost.releases": str(self.layout.releases),
            "imagehost.current": str(self.layout.current),
            "imagehost.prefix": self.prefix,
            "imagehost.python": sys.executable,
            "imagehost.settings": "publishconf.py",
        }

    def _configure(self, path: Path, wanted: dict[str, str]) -> None:
        """Write what is new, and leave what an administrator has set, but for what was asked."""
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
        root, values = self.layout.root, self._values()
        self._write(root / "gate", self._render("gate.sh", **values), mode=0o755)
        self._offer(root / "nginx.conf", self.nginx())
        for kind in ("service", "timer"):
            text = self._render(f"maintain.{kind}", **values)
            self._offer(root / f"pelican-imagehost.{kind}", text)

    def nginx(self) -> str:
        """Render the servers' configuration, for nginx's `http` block."""
        values = self._values()
        served = self.layout.www / ("images" if self.images else "")
        path = "/" if self.images else "/images/"
        images = self._render("nginx-images.conf", **values, folder=str(served), path=path)
        if self.images is None:
            here, elsewhere = f"\n\n    {inside(images)}", ""
        else:
            values |= {"listen": inside(self.images.listen), "folder": str(served)}
            elsewhere = self._render("nginx-images-host.conf", **values, here=inside(images))
            here = ""
        values["listen"] = inside(self.site.listen)
        return tidy(self._render("nginx.conf", **values, here=here, elsewhere=elsewhere))

    def _values(self) -> dict[str, str]:
        names = [host.name for host in (self.site, self.images) if host]
        return {
            "root": str(self.layout.root),
            "site": self.site.name,
            "images": self.images.name if self.images else "",
            "url": self.prefix.rstrip("/"),
            "domains": "".join(f" -d {name}" for name in names),
            "python": sys.executable,
            "user": "imagehost" if os.geteuid() == 0 else getpass.getuser(),
        }

    def _render(self, template: str, **values: str) -> str:
        return render(TEMPLATES / template, **values)

    def _write(self, path: Path, text: str, *, mode: int) -> None:
        """Write a file that is this package's own, unless it is there already."""
        if path.exists() and path.read_text("utf-8") == text:
            return
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_text(text, "utf-8")
        temporary.chmod(mode)  # git passes over a hook that is not executable
        temporary.replace(path)
        self.done.append(f"wrote {self._name(path)}")

    def _offer(self, path: Path, text: str) -> None:
        """Write a file that administrators change; beside theirs if it is another."""
        if not path.exists() or path.read_text("utf-8") == text:
            self._write(path, text, mode=0o644)
            return
        offered = path.with_name(f"{path.name}.new")
        if not offered.exists() or offered.read_text("utf-8") != text:
            self._write(offered, text, mode=0o644)
            self.done.append(f"left {self._name(path)} as it is; compare it with the new one")

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self.layout.root))


def _image_hook() -> str:
    # Neither the user's packages nor site-packages are looked at: it starts in half the time.
    source = Path(pre_receive.__file__).read_text("utf-8")
    return f"#!{sys.executable} -IS\n{source}"
