"""The store as a git repository: add and remove images, push, merge with other authors.

Neither the index nor the work tree of the repository is used, so that git need not scan
files, and a partial clone without old files is sufficient: fast-import creates commits on
top of the branch, and merges use a temporary index. `retracted/<sha256>` is a tombstone,
which prevents an image from being published again by accident.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pelican_imagehost.errors import PublishError
from pelican_imagehost.images.image import KEY, digest_of
from pelican_imagehost.publish.git import Git, explain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pelican_imagehost.storage.store import Store

__all__ = ["TOMBSTONES", "StoreRepository"]

BRANCH = "refs/heads/main"
REMOTE = "imagehost"
PUSHED = f"refs/remotes/{REMOTE}/main"
CONFIRMED = "refs/imagehost/confirmed"
TOMBSTONES = "retracted/"
_TRIES = 8
# Images do not compress; with its default settings git would try, and take ten times as long.
SETTINGS = {
    "core.bigFileThreshold": "1024",
    "core.compression": "0",
    "gc.auto": "0",
    "core.autocrlf": "false",
}
_EXCLUDED = "# not part of the store\n.incoming/\n.corrupt/\n.uploads/\n.lock\n"


class StoreRepository:
    """The repository in the folder of a store.

    Args:
        store: the store.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.git = Git(store.root)

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

        Raises:
            PublishError: the repository cannot be cloned, or the folder is not empty.
        """
        root = self.store.root
        if root.is_dir() and any(root.iterdir()):
            raise PublishError(f"cannot clone into {root}: it is not empty; move it away first")
        root.parent.mkdir(parents=True, exist_ok=True)
        options = ("--quiet", "--filter=blob:none", "--no-checkout", f"--origin={REMOTE}")
        Git(root.parent).run("clone", *options, "--", url, root.name)
        self.git.run("symbolic-ref", "HEAD", BRANCH)

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
        return self.git.names(BRANCH) if self.git.commit_of(BRANCH) else set()

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
        self._commit(what, self._additions(keys, advance))

    def retract(self, key: str) -> None:
        """Commit the removal of an image, and add its tombstone."""
        tombstone = f"{TOMBSTONES}{digest_of(key)}"
        self._commit(f"Retract {key}", [f"D {key}\n".encode(), _file(tombstone, b"")])

    def restore(self, digest: str) -> None:
        """Commit the removal of the tombstone of an image."""
        self._commit(f"Allow {digest} again", [f"D {TOMBSTONES}{digest}\n".encode()])

    @contextlib.contextmanager
    def undone_on_failure(self) -> Iterator[None]:
        """Undo the commits of the block if it fails, so that no later push sends them."""
        tip = self.git.commit_of(BRANCH)
        try:
            yield
        except PublishError:
            self.git.run("update-ref", *([BRANCH, tip] if tip else ["-d", BRANCH]))
            raise

    def push(self) -> None:
        """Push the branch; if another author was faster, merge their branch and try again.

        Raises:
            PublishError: the host refused the push or does not answer.
        """
        for attempt in range(_TRIES):
            if self.try_push():
                return
            time.sleep(random.uniform(0, 0.2) * 2**attempt)  # noqa: S311  so that two authors do not collide again
            self.join()
        raise PublishError(
            f"the push was rejected {_TRIES} times, because other authors push too; try again"
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
        if answer.code == 0:
            self.git.run("update-ref", PUSHED, commit)
            return True
        if "[rejected]" not in answer.output and "cannot lock ref" not in answer.errors:
            raise explain("push", answer)
        return False

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

    def unconfirmed(self) -> list[str]:
        """Return the keys that were pushed, but not confirmed to be online, sorted."""
        if not self.git.commit_of(PUSHED):
            return []
        seen = self.git.commit_of(CONFIRMED) or self._empty_tree()
        output = self.git.run(
            "diff-tree", "-r", "-z", "--name-only", "--diff-filter=A", "--no-renames", seen, PUSHED
        ).output
        return [name for name in output.split("\0") if KEY.fullmatch(name)]

    def confirm(self) -> None:
        """Record that all pushed images are online."""
        self.git.run("update-ref", CONFIRMED, PUSHED)

    def _contains(self, commit: str, other: str) -> bool:
        if not commit:
            return False
        answer = self.git.run("merge-base", "--is-ancestor", other, commit, check=False)
        return answer.code == 0

    def _joined(self, ours: str, theirs: str) -> str:
        base = self.git.run("merge-base", ours, theirs, check=False).output.strip()
        with tempfile.TemporaryDirectory() as folder:
            env = {"GIT_INDEX_FILE": str(Path(folder, "index"))}
            trees = (base or self._empty_tree(), ours, theirs)
            self.git.run("read-tree", "-i", "-m", "--aggressive", *trees, env=env)
            tree = self.git.run("write-tree", env=env).output.strip()
        parents = ("-p", theirs, "-p", ours)
        return self.git.run("commit-tree", *parents, "-m", "Join", tree).output.strip()

    def _empty_tree(self) -> str:
        return self.git.feed("hash-object", "-w", "-t", "tree", "--stdin", chunks=[]).output.strip()

    def _commit(self, message: str, changes: Iterable[bytes]) -> None:
        tip = self.git.commit_of(BRANCH)
        person = self.git.run("var", "GIT_COMMITTER_IDENT").output.strip()

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
