"""The store as a git repository: add and remove images, push, merge with other authors.

`retracted/<sha256>` is a tombstone, which prevents an image from being published again by
accident.
"""

from __future__ import annotations

import contextlib
import re
import time
from typing import TYPE_CHECKING

from pelican_imagehost.errors import PublishError
from pelican_imagehost.images.image import digest_of
from pelican_imagehost.publish.commits import Commits, file_change, removal
from pelican_imagehost.publish.explain import explain
from pelican_imagehost.publish.git import Git
from pelican_imagehost.publish.seen import Seen
from pelican_imagehost.publish.sending import read_image
from pelican_imagehost.publish.served import PUSHED, REMOTE
from pelican_imagehost.report import count
from pelican_imagehost.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from pelican_imagehost.settings import Settings

__all__ = ["TOMBSTONES", "TRIES", "StoreRepository"]

BRANCH = "refs/heads/main"
TOMBSTONES = "retracted/"
SITE = "Site"  # the trailer of commits (git-interpret-trailers(1)); `host gc` reads it
TRIES = 8
_OURS = re.compile("^remote: imagehost: ", re.MULTILINE)


class StoreRepository:
    """The repository in the folder of a store.

    Args:
        store: the store.
        site: the folder of the site, whose git identity is used for commits.
        git: runs git.

    Attributes:
        seen: the images that were seen online.
    """

    def __init__(self, store: Store, site: Path | None = None, git: type[Git] = Git) -> None:
        self.store = store
        self.git = git(store.root)
        self._site = None if site is None else git(site)
        self._commits = Commits(self.git, self._site)
        self._trees: dict[str, set[str]] = {}  # by commit
        self.seen = Seen(self.git, self._commits, self._names)

    @classmethod
    def of(cls, settings: Settings, git: type[Git] = Git) -> StoreRepository:
        """Return the repository of a site."""
        return cls(Store(settings.store), settings.root, git)

    @property
    def is_partial(self) -> bool:
        """Return whether old images were not fetched (git-clone(1), --filter)."""
        return self.exists and self.git.config(f"remote.{REMOTE}.promisor") == "true"

    @property
    def is_ours(self) -> bool:
        """Return whether the hook of `host init` has answered a push to the remote."""
        known = self.git.config("imagehost.ours")
        return bool(known) and known == self.git.config(f"remote.{REMOTE}.url")

    @property
    def exists(self) -> bool:
        """Return whether the store itself is a repository, not just a folder inside one."""
        return (self.store.root / ".git").exists()

    def use_remote(self, url: str) -> None:
        """Set the URL to push to; the name of a remote stands for its URL."""
        known = self.git.read_config()
        wanted = {
            f"remote.{REMOTE}.url": known.get(f"remote.{url}.url", url),
            f"remote.{REMOTE}.fetch": f"+{BRANCH}:{PUSHED}",
        }
        for name, value in wanted.items():
            self.git.set_config(name, value)

    def names(self) -> set[str]:
        """Return every path in the branch: keys and tombstones."""
        return self._names(self.git.commit_of(BRANCH))

    def _names(self, commit: str) -> set[str]:
        if commit not in self._trees:
            self._trees[commit] = self.git.names(commit) if commit else set()
        return self._trees[commit]

    def read(self, key: str) -> bytes | None:
        """Return the bytes of a key in the branch; None if it is not there."""
        return self.git.read(BRANCH, key) if self.exists else None

    def add(
        self,
        keys: Iterable[str],
        advance: Callable[[int], None],
        fetch: Callable[[str], bytes | None] | None = None,
    ) -> None:
        """Commit images; the caller holds the lock of the store.

        Args:
            keys: images that are in the store, but not in the branch.
            advance: called with each number of bytes committed.
            fetch: returns the bytes of images that are not in the store.

        Raises:
            PublishError: a file is missing or corrupt; nothing is committed.
        """
        keys = sorted(keys)
        tip = self.git.commit_of(BRANCH)
        what = f"Add {count(len(keys), 'image')}"
        site = self._site_id()
        message = f"{what}\n\n{SITE}: {site}" if site else what
        commit = self._commits.add(BRANCH, tip, message, self._additions(keys, advance, fetch))
        self._trees[commit] = self._names(tip) | set(keys)
        if site:
            self.git.set_config("imagehost.site", site)

    def announce(self) -> None:
        """Commit once that this site uses the repository, even if it never adds an image.

        `host gc` removes what the pages of one site do not use, so it must know of others.
        """
        site = self._site_id()
        if not site or self.git.config("imagehost.site") == site:
            return
        known = ("log", "-1", "--format=%H", f"--grep=^{SITE}: {site}$", BRANCH)
        if self.git.commit_of(BRANCH) and not self.git.run(*known).output:
            self._commit(f"Use these images in a site\n\n{SITE}: {site}", [])
        self.git.set_config("imagehost.site", site)

    def _site_id(self) -> str:
        """Return the first commit of the site, which all its clones share; "" if unknown."""
        if self._site is None:
            return ""
        announced = self.git.config("imagehost.site")
        # The store may be a copy of another site's.
        if announced and self._site.facts([announced])[0].oid:
            return announced
        shallow = self._site.run("rev-parse", "--is-shallow-repository", check=False).output
        if shallow.strip() != "false":
            return ""
        first = self._site.run("rev-list", "--max-parents=0", "HEAD", check=False).output.split()
        return first[-1] if first else ""

    def retract(self, keys: Sequence[str]) -> None:
        """Commit the removal of an image and of its variants, and add their tombstones."""
        tombstones = [file_change(f"{TOMBSTONES}{digest_of(key)}", b"") for key in keys]
        self._commit(f"Retract {keys[0]}", [*map(removal, keys), *tombstones])
        self.note_retracted()

    def forbid(self, digests: Iterable[str]) -> None:
        """Commit tombstones of images that are not in the branch."""
        tombstones = {f"{TOMBSTONES}{digest}" for digest in digests} - self.names()
        if tombstones:
            changes = [file_change(name, b"") for name in sorted(tombstones)]
            self._commit(f"Retract {count(len(tombstones), 'image')}", changes)
            self.note_retracted()

    def restore(self, digest: str) -> None:
        """Commit the removal of the tombstone of an image, and of those added with it."""
        tombstone = f"{TOMBSTONES}{digest}"
        log = ("log", "-1", "--format=", "--name-only", "--no-renames", "--diff-filter=A")
        added = self.git.run(*log, "--full-diff", BRANCH, "--", tombstone).output.split()
        together = {name for name in added if name.startswith(TOMBSTONES)} & self.names()
        self._commit(f"Allow {digest} again", map(removal, sorted({tombstone, *together})))
        self.note_retracted()

    @contextlib.contextmanager
    def undone_on_failure(self) -> Iterator[None]:
        """Undo the commits of the block if it fails, so that no later push sends them."""
        tip = self.git.commit_of(BRANCH)
        try:
            yield
        except PublishError:
            self.git.run("update-ref", *([BRANCH, tip] if tip else ["-d", BRANCH]))
            self.note_retracted()
            raise

    def push(self) -> None:
        """Push the branch; if another author was faster, merge their branch and try again.

        Raises:
            PublishError: the host refused the push or does not answer.
        """
        for _ in range(TRIES):
            if self.try_push():
                return
            self.catch_up()
        raise PublishError(
            f"the push was rejected {TRIES} times, because other authors push too; try again"
        )

    def try_push(self) -> bool:
        """Push the current commit of the branch once; no lock is needed.

        Returns:
            False if another author was faster; call `join` and try again.

        Raises:
            PublishError: the host refused the push or does not answer.
        """
        answer = self.git.run("push", "--porcelain", REMOTE, BRANCH, check=False)
        if _OURS.search(answer.errors):
            self.git.set_config("imagehost.ours", self.git.config(f"remote.{REMOTE}.url"))
        if answer.code == 0:
            return True  # git has moved PUSHED, too
        if "src refspec" in answer.errors:
            return True  # nothing was committed yet
        if "[rejected]" not in answer.output and "cannot lock ref" not in answer.errors:
            raise explain("push", answer)
        return False

    def catch_up(self) -> None:
        """Merge the branch of the host, after a pause in which another author may finish."""
        import random  # noqa: PLC0415  seldom needed

        time.sleep(random.uniform(0, 0.5))  # noqa: S311  so that two authors do not collide again
        self.join()

    def join(self) -> None:
        """Fetch the branch of the host and merge it; additions never conflict."""
        answer = self.git.run("fetch", "--quiet", REMOTE, check=False)
        if "couldn't find remote ref" in answer.errors:
            return  # nothing has been published yet
        if answer.code:
            raise explain("fetch", answer)
        ours, theirs = self.git.commit_of(BRANCH), self.git.commit_of(PUSHED)
        if not theirs or self._contains(ours, theirs):
            return
        new = (
            theirs if not ours or self._contains(theirs, ours) else self._commits.join(ours, theirs)
        )
        self.git.run("update-ref", BRANCH, new, ours or "0" * 40)
        self.note_retracted()

    def note_retracted(self) -> None:
        """List the tombstones in the store, where a build looks them up without git."""
        listed = ("ls-tree", "-z", "--name-only", BRANCH, TOMBSTONES)
        names = self.git.run(*listed, check=False).output.split("\0")
        self.store.note_retracted(name.removeprefix(TOMBSTONES) for name in names if name)

    def _contains(self, commit: str, other: str) -> bool:
        if not commit:
            return False
        answer = self.git.run("merge-base", "--is-ancestor", other, commit, check=False)
        return answer.code == 0

    def _commit(self, message: str, changes: Iterable[bytes]) -> None:
        self._commits.add(BRANCH, self.git.commit_of(BRANCH), message, changes)

    def _additions(
        self,
        keys: list[str],
        advance: Callable[[int], None],
        fetch: Callable[[str], bytes | None] | None,
    ) -> Iterator[bytes]:
        for key in keys:
            data = read_image(self.store, key, fetch)
            yield file_change(key, data)
            advance(len(data))
