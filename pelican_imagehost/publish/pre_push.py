"""The pre-push hook of a site: publish images first, or refuse the push (githooks(5)).

It checks the pushed commits, not the working tree: all images in the committed manifest must
be online, and so must those whose addresses are in the pushed files, such as built pages; and
the committed documents must not use other images. `main` starts without Click, Pelican and
GitPython, because each push waits for it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pelican_imagehost.errors import ImageHostError, PublishError, printable_lines
from pelican_imagehost.publish.examine import Examiner
from pelican_imagehost.publish.git import LeanGit, leave_hook
from pelican_imagehost.publish.pushed import find_addresses, read_pushes
from pelican_imagehost.publish.target import open_served
from pelican_imagehost.site.settings_file import find_file, read_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pelican_imagehost.publish.publisher import Publisher
    from pelican_imagehost.publish.pushed import Push

__all__ = ["main"]

_USAGE = "usage: python -m pelican_imagehost pre-push -s FILE [REMOTE [URL]]\n"
_WAIT = 300.0  # seconds until new addresses are online


def main(arguments: Sequence[str]) -> int:
    """Publish the images of a push of the site, before git pushes it.

    Args:
        arguments: `-s FILE`, then those that git gives to the hook: the name and the address of
            the remote.

    Returns:
        The exit code for git: 0, or 1 to refuse the push; 2 for a wrong usage.
    """
    if arguments[:1] != ["-s"] or len(arguments) == 1:
        sys.stderr.write(_USAGE)
        return 2
    name, remote = [*arguments[1:3], ""][:2]
    wait = float(os.environ.get("IMAGEHOST_WAIT") or _WAIT)
    stdin = sys.stdin.read()
    leave_hook()
    try:
        file = find_file(Path(name)).absolute()
        os.chdir(file.parent)  # where settings files expect to run
        PrePush(file, remote, wait).run(stdin)
    except ImageHostError as error:
        say(f"error: {error}")
        return 1
    except OSError as error:
        say(f"error: {error.filename or 'the hook'}: {error.strerror or error}")
        return 1
    return 0


def say(message: str) -> None:
    """Write a line for the user."""
    sys.stderr.write(f"pelican-imagehost: {printable_lines(message)}\n")
    sys.stderr.flush()


def _is_rehearsal() -> bool:
    """Return whether git only pretends to push, which it does not tell its hooks (git-push(1))."""
    process = os.getppid()  # a shell or another tool, which git has started
    try:
        while process:
            words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
            if words[0].rpartition(b"/")[2] == b"git" and b"push" in words:
                return not {b"--dry-run", b"-n"}.isdisjoint(words)
            facts = Path(f"/proc/{process}/stat").read_bytes()
            process = int(facts.rpartition(b")")[2].split()[1])
    except OSError:  # not Linux, or a process has ended
        pass
    return False


class PrePush:
    """One push of a site.

    Args:
        file: the settings file, absolute.
        remote: the name or the address of the remote.
        patience: seconds to wait until new addresses are online.
    """

    def __init__(self, file: Path, remote: str, patience: float) -> None:
        _, pelican, self._settings = read_settings(file)
        self._file, self._remote, self._patience = file, remote, patience
        self._git = LeanGit(file.parent, hooks=True)
        self._examiner = Examiner(self._git, file, pelican, self._settings)

    def run(self, stdin: str) -> None:
        """Publish the images of the push.

        Args:
            stdin: the standard input of the hook.

        Raises:
            PublishError: the push must be refused.
        """
        settings = self._settings
        if settings.url is None or settings.remote is None:
            say(
                "images are not published, because IMAGEHOST_URL or IMAGEHOST_REMOTE is not set "
                f"in {self._file.name}"
            )
            return
        pushes = read_pushes(self._git, stdin, self._remote, self._examiner.manifest)
        named = find_addresses(self._git, pushes, settings.address_prefix)
        self._refuse_problems(pushes)
        manifests = [push.manifest for push in pushes if push.manifest]
        if not stdin.strip():
            self._remind()
        elif named or manifests:
            is_quiet = not named and not any(map(self._examiner.is_due, pushes))
            self._publish(named, manifests, is_quiet=is_quiet)

    def _refuse_problems(self, pushes: list[Push]) -> None:
        problems = [line for push in pushes for line in self._examiner.problems(push, say)]
        for line in problems:
            say(line)
        if problems:
            raise PublishError(
                f"push refused: {self._settings.manifest.name} is out of date for this commit; "
                "build, commit it, push again"
            )

    def _publish(self, named: dict[str, str], manifests: list[str], *, is_quiet: bool) -> None:
        if is_quiet and self._are_served(manifests):
            return  # the remote has pages with these images already
        from pelican_imagehost.publish.publisher import Wanted  # noqa: PLC0415  as in `_publisher`
        from pelican_imagehost.report import count  # noqa: PLC0415  as above
        from pelican_imagehost.site.progress import show_on_terminal  # noqa: PLC0415  as above

        publisher = self._publisher()
        # Nobody has removed one of them, if the branch of the host is where it was.
        is_known = not named and self._are_served(manifests)
        is_known = is_known and not _is_rehearsal()
        if is_known and publisher.target.is_unchanged() and self._are_served(manifests):
            return
        wanted = Wanted({}, {})
        for manifest in manifests:
            listed = Wanted.of(self._examiner.read(manifest).images)
            wanted.sizes.update(listed.sizes)
            wanted.sources.update(listed.sources)
        for key, path in named.items():
            if key not in wanted.sizes:
                file = publisher.store.path(key)
                wanted.sizes[key] = file.stat().st_size if file.exists() else None
                wanted.sources[key] = path
        if _is_rehearsal():
            say(f"{count(len(publisher.plan(wanted)), 'image')} would be published")
            return
        publisher.run(wanted, patience=self._patience, progress=show_on_terminal, say=say)
        open_served(self._settings).add(manifests)

    def _are_served(self, manifests: list[str]) -> bool:
        served = open_served(self._settings)
        return all(manifest in served for manifest in manifests)

    def _remind(self) -> None:
        """Report images that were removed from the host, when git has nothing to push."""
        fact = self._git.facts([f"HEAD:{self._examiner.manifest}"])[0]
        served = open_served(self._settings)
        if not fact.oid or not served.has_place or fact.oid in served:
            return
        from pelican_imagehost.publish.publisher import Wanted  # noqa: PLC0415  as in `_publisher`
        from pelican_imagehost.report import count  # noqa: PLC0415  as above

        publisher = self._publisher()
        wanted = Wanted.of(self._examiner.read(fact.oid).images)
        missing = publisher.target.missing(wanted.sizes)
        if missing:
            say(
                f"{count(len(missing), 'image')} in {self._settings.manifest.name} not published; "
                f"run: pelican-imagehost publish -s {self._file.name}"
            )

    def _publisher(self) -> Publisher:
        # Most pushes need none of this, and wait for each import.
        from pelican_imagehost.publish.publisher import Publisher  # noqa: PLC0415

        return Publisher(self._settings, git=LeanGit)
