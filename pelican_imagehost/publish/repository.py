"""The store as a git repository: add and remove images, push, merge with other authors.

Neither the index nor the work tree of the repository is used, so that git need not scan
files, and a partial clone without old files is sufficient: fast-import creates commits on
top of the branch, and merges use a temporary index. `retracted/<sha256>` is a tombstone,
which prevents an image from being published again by accident.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pelican_imagehost.errors import PublishError
from pelican_imagehost.images.image import KEY, digest_of
from pelican_imagehost.publish.git import Git, explain
from pelican_imagehost.publish.served import PUSHED, REMOTE
from pelican_imagehost.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from collections.abc import Set as AbstractSet

    from pelican_imagehost.settings import Settings

__all__ = ["TOMBSTONES", "TRIES", "StoreRepository"]

BRANCH = "refs/heads/main"
CONFIRMED = "refs/imagehost/confirmed"
TOMBSTONES = "retracted/"
SITE = "Site"  # the trailer of commits (git-interpret-trailers(1)); `host gc` reads it
TRIES = 8
_OURS = re.compile("^remote: imagehost: ", re.MULTILINE)
# Images do not compress; with its default settings git would try, and take ten times as long.
SETTINGS = {
    "core.bigFileThreshold": "1024",
    "core.compression": "0",
    "gc.auto": "0",
    "core.autocrlf": "false",
}
_OWN = re.compile(r"[0-9a-f]{2}|\..*")  # names in the top folder of a store
_EXCLUDED = (
    "# not part of the store\n.incoming/\n.corrupt/\n.uploads/\n.lock\n.gitignore\n.retracted\n"
)


class StoreRepository:
    """The repository in the folder of a store.

    Args:
        store: the store.
        site: the folder of the site, whose git identity is used for commits.
        git: runs git.
    """

    def __init__(self, store: Store, site: Path | None = None, git: type[Git] = Git) -> None:
        self.store = store
        self.git = git(store.root)
        self._site = None if site is None else git(site)
        self._trees: dict[str, set[str]] = {}  # by commit

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

    def create(self) -> list[str]:
        """Make the store a repository, or complete its settings.

        Returns:
            A line for each step; empty if there was nothing to do.
        """
        done = []
        if not self.exists:
            self.store.root.mkdir(parents=True, exist_ok=True)
            self.git.run("init", "--quiet")
            self.git.run("symbolic-ref", "HEAD", BRANCH)
            done.append(f"made {self.store.root.name}/ a git repository")
        changed = [name for name, value in SETTINGS.items() if self.git.set_config(name, value)]
        if changed:
            done.append(f"set {', '.join(changed)} for files that do not compress")
        exclude = self.store.root / ".git/info/exclude"
        if not exclude.exists() or exclude.read_text() != _EXCLUDED:
            exclude.parent.mkdir(exist_ok=True)
            exclude.write_text(_EXCLUDED)
        return done

    def clone(self, url: str) -> None:
        """Make the store a partial clone, with the history, but without the files.

        Images that a build has stored already stay; `publish` sends those that are new.

        Raises:
            PublishError: the repository cannot be cloned, or the folder has other files.
        """
        root = self.store.root
        other = (
            [name for name in os.listdir(root) if not _OWN.fullmatch(name)] if root.exists() else []
        )
        if other:
            raise PublishError(
                f"cannot clone into {root}: {min(other)} is not part of a store; move it away first"
            )
        import tempfile  # noqa: PLC0415  slow

        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root, prefix=".clone-") as folder:
            options = ("--quiet", "--filter=blob:none", "--no-checkout", f"--origin={REMOTE}")
            self.git.run("clone", *options, "--", url, str(Path(folder, "clone")))
            Path(folder, "clone/.git").rename(root / ".git")
        self.git.run("symbolic-ref", "HEAD", BRANCH)
        self._note_retracted()

    def use_remote(self, url: str) -> None:
        """Set the URL to push to; the name of a remote stands for its URL."""
        listed = self.git.run("config", "--null", "--get-regexp", r"^remote\.", check=False).output
        known = dict(entry.split("\n", 1) for entry in listed.split("\0") if "\n" in entry)
        wanted = {
            f"remote.{REMOTE}.url": known.get(f"remote.{url}.url", url),
            f"remote.{REMOTE}.fetch": f"+{BRANCH}:{PUSHED}",
        }
        for name, value in wanted.items():
            if known.get(name) != value:
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

    def add(self, keys: Iterable[str], advance: Callable[[int], None]) -> None:
        """Commit images; the caller holds the lock of the store.

        Args:
            keys: images that are in the store, but not in the branch.
            advance: called with each number of bytes committed.

        Raises:
            PublishError: a file is missing or corrupt; nothing is committed.
        """
        keys = sorted(keys)
        what = f"Add {len(keys):,} image{'' if len(keys) == 1 else 's'}"
        site = self._site_id()
        self._commit(f"{what}\n\n{SITE}: {site}" if site else what, self._additions(keys, advance))

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
        shallow = self._site.run("rev-parse", "--is-shallow-repository", check=False).output
        if shallow.strip() != "false":
            return ""
        first = self._site.run("rev-list", "--max-parents=0", "HEAD", check=False).output.split()
        return first[-1] if first else ""

    def retract(self, key: str) -> None:
        """Commit the removal of an image, and add its tombstone."""
        tombstone = f"{TOMBSTONES}{digest_of(key)}"
        self._commit(f"Retract {key}", [f"D {key}\n".encode(), _file(tombstone, b"")])
        self._note_retracted()

    def restore(self, digest: str) -> None:
        """Commit the removal of the tombstone of an image."""
        self._commit(f"Allow {digest} again", [f"D {TOMBSTONES}{digest}\n".encode()])
        self._note_retracted()

    @contextlib.contextmanager
    def undone_on_failure(self) -> Iterator[None]:
        """Undo the commits of the block if it fails, so that no later push sends them."""
        tip = self.git.commit_of(BRANCH)
        try:
            yield
        except PublishError:
            self.git.run("update-ref", *([BRANCH, tip] if tip else ["-d", BRANCH]))
            self._note_retracted()
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
        commit = self.git.commit_of(BRANCH)
        if not commit:
            return True
        refs = f"{commit}:{BRANCH}"
        answer = self.git.run("push", "--porcelain", REMOTE, refs, check=False)
        if _OURS.search(answer.errors):
            self.git.set_config("imagehost.ours", self.git.config(f"remote.{REMOTE}.url"))
        if answer.code == 0:
            self.git.run("update-ref", PUSHED, commit)
            return True
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
        new = theirs if not ours or self._contains(theirs, ours) else self._joined(ours, theirs)
        self.git.run("update-ref", BRANCH, new, ours or "0" * 40)
        self._note_retracted()

    def confirmed(self) -> set[str]:
        """Return the keys that were seen online, and that nobody has removed since."""
        seen, pushed = self.git.commit_of(CONFIRMED), self.git.commit_of(PUSHED)
        if not seen or not pushed:
            return set()
        # A later commit may have added an image again, so the two trees do not show it.
        options = ("-r", "-z", "--no-renames", "--name-only", "--diff-filter=D", "--format=")
        removed = self.git.run("log", "-m", *options, f"{seen}..{pushed}").output.split("\0")
        return self._names(seen) & self._names(pushed) - set(removed)

    def confirm(self, seen: AbstractSet[str]) -> None:
        """Record which of the pushed images were seen online."""
        pushed = self.git.commit_of(PUSHED)
        if not pushed:
            return
        unseen = set(filter(KEY.fullmatch, self._names(pushed) - seen))
        if unseen:
            pushed = self._without(pushed, unseen)
        self.git.run("update-ref", CONFIRMED, pushed)

    def _without(self, commit: str, names: set[str]) -> str:
        """Make a commit on top of another that lacks some files."""
        import tempfile  # noqa: PLC0415  slow

        with tempfile.TemporaryDirectory() as folder:
            env = {"GIT_INDEX_FILE": str(Path(folder, "index"))}
            self.git.run("read-tree", commit, env=env)
            listed = "".join(f"0 {'0' * 40}\t{name}\0" for name in sorted(names)).encode()
            self.git.feed("update-index", "-z", "--index-info", chunks=[listed], env=env)
            tree = self.git.run("write-tree", env=env).output.strip()
        message = ("-p", commit, "-m", "Confirmed", tree)
        return self.git.run("commit-tree", *message, env=self._identity()).output.strip()

    def _note_retracted(self) -> None:
        """List the tombstones in the store, where a build looks them up without git."""
        listed = ("ls-tree", "-z", "--name-only", BRANCH, TOMBSTONES)
        names = self.git.run(*listed, check=False).output.split("\0")
        self.store.note_retracted(name.removeprefix(TOMBSTONES) for name in names if name)

    def _contains(self, commit: str, other: str) -> bool:
        if not commit:
            return False
        answer = self.git.run("merge-base", "--is-ancestor", other, commit, check=False)
        return answer.code == 0

    def _joined(self, ours: str, theirs: str) -> str:
        import tempfile  # noqa: PLC0415  slow

        base = self.git.run("merge-base", ours, theirs, check=False).output.strip()
        with tempfile.TemporaryDirectory() as folder:
            env = {"GIT_INDEX_FILE": str(Path(folder, "index"))}
            trees = (base or self._empty_tree(), ours, theirs)
            self.git.run("read-tree", "-i", "-m", "--aggressive", *trees, env=env)
            tree = self.git.run("write-tree", env=env).output.strip()
        message = ("-p", theirs, "-p", ours, "-m", "Join", tree)
        return self.git.run("commit-tree", *message, env=self._identity()).output.strip()

    def _empty_tree(self) -> str:
        return self.git.feed("hash-object", "-w", "-t", "tree", "--stdin", chunks=[]).output.strip()

    def _identity(self) -> dict[str, str]:
        """Return the identity of the site's repository, as variables for git."""
        asked = ("var", "GIT_COMMITTER_IDENT")
        found = self._site.run(*asked, check=False) if self._site else None
        person = (found if found and found.code == 0 else self.git.run(*asked)).output
        name, _, rest = person.partition(" <")
        email = rest.partition(">")[0]
        variables = {"GIT_COMMITTER_NAME": name, "GIT_COMMITTER_EMAIL": email}
        return {**variables, "GIT_AUTHOR_NAME": name, "GIT_AUTHOR_EMAIL": email}

    def _commit(self, message: str, changes: Iterable[bytes]) -> None:
        tip = self.git.commit_of(BRANCH)
        asked = ("var", "GIT_COMMITTER_IDENT")
        person = self.git.run(*asked, env=self._identity()).output.strip()

        def stream() -> Iterator[bytes]:
            yield f"commit {BRANCH}\ncommitter {person}\n".encode()
            yield f"data {len(message.encode())}\n{message}\n".encode()
            if tip:
                yield f"from {tip}\n".encode()
            yield from changes
            yield b"\ndone\n"

        options = ("--quiet", "--done", "--depth=0", "--big-file-threshold=1k", "--date-format=raw")
        self.git.feed("fast-import", *options, chunks=stream())

    def _additions(self, keys: list[str], advance: Callable[[int], None]) -> Iterator[bytes]:
        for key in keys:
            try:
                data = self.store.path(key).read_bytes()
            except OSError as error:
                raise PublishError(
                    f"{key} is neither in the store nor on the host; build on the machine that "
                    "has the original file"
                ) from error
            if hashlib.sha256(data).hexdigest() != digest_of(key):
                raise PublishError(f"{key} is corrupt; run: pelican-imagehost verify --repair")
            yield _file(key, data)
            advance(len(data))


def _file(name: str, data: bytes) -> bytes:
    return f"M 100644 inline {name}\ndata {len(data)}\n".encode() + data + b"\n"
