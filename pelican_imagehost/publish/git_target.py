"""Publishing to a git repository: commits in the store, pushed to the host."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pelican_imagehost.errors import PublishError
from pelican_imagehost.images.image import KEY
from pelican_imagehost.publish import create
from pelican_imagehost.publish.git import Git
from pelican_imagehost.publish.repository import TOMBSTONES, TRIES, StoreRepository
from pelican_imagehost.publish.target import NONE, in_groups
from pelican_imagehost.report import print_nothing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from collections.abc import Set as AbstractSet

    from pelican_imagehost.publish.target import Fetch, Sending
    from pelican_imagehost.report import Say
    from pelican_imagehost.settings import Settings

__all__ = ["GitTarget"]

# The largest files that public hosts accept, in bytes; checked before anything is sent.
_HOST_LIMITS = {"github.com": 100 * 1024**2, "gitlab.com": 100 * 1024**2}


class GitTarget:
    """The repository in the folder of the store, and the host it is pushed to; a `Target`.

    Args:
        settings: the settings of the site.
        remote: the address, or the name of a remote, to push to; None: only commit.
        git: runs git.
    """

    verb = "Committing"

    def __init__(self, settings: Settings, remote: str | None, git: type[Git] = Git) -> None:
        self.repository = StoreRepository.of(settings, git)
        self.store = self.repository.store
        self.name = _host_of(remote or "")
        self.limit = _HOST_LIMITS.get(self.name.rpartition("@")[2])
        self._remote = remote
        self._is_connected = False

    @property
    def is_ready(self) -> bool:
        """Return whether the store is a repository."""
        return self.repository.exists

    @property
    def is_prompt(self) -> bool:
        """Return whether `host init` set up the host, which serves an image before a push ends."""
        return self.repository.is_ours

    def prepare(self, clone: str | None) -> list[str]:
        """Make the store a repository; see `Target`."""
        done = []
        if clone is not None and not self.is_ready:
            create.clone(self.repository, clone)
            done.append(f"cloned {clone}, without its files")
        return done + create.create(self.repository)

    def rules(self) -> list[str]:
        """Return nothing: `host init` sets up a host."""
        return []

    def connect(self) -> bool:
        """Set the URL to push to; see `Target`."""
        if self._remote and not self._is_connected:
            if not self.is_ready:
                root = self.store.root
                raise PublishError(f"{root} is not a git repository; run: pelican-imagehost init")
            self.repository.use_remote(self._remote)
            self._is_connected = True
        return bool(self._remote)

    def refresh(self) -> None:
        """Fetch and merge the branch of the host, if there is one."""
        if self.is_ready and self.connect():
            self.repository.join()

    def keys(self) -> set[str]:
        """Return the keys in the branch."""
        return set(filter(KEY.fullmatch, self._names()))

    def sizes(self) -> dict[str, int | None]:
        """Return the keys in the branch; git does not know sizes without the bytes."""
        return dict.fromkeys(self.keys())

    def retracted(self) -> set[str]:
        """Return the digests with a tombstone in the branch."""
        tombstones = (name for name in self._names() if name.startswith(TOMBSTONES))
        return {name.removeprefix(TOMBSTONES) for name in tombstones}

    def missing(self, keys: Collection[str]) -> set[str]:
        """Return which images are not in the branch."""
        return set(keys) - self._names()

    def due(self, keys: Collection[str]) -> set[str]:
        """Return which images are not in the branch."""
        due = self.missing(keys)
        if any(not self.store.path(key).exists() for key in due):
            self.refresh()  # another author may have published them
            due = self.missing(keys)
        return due

    def elsewhere(self) -> set[str]:
        """Return what is in the branch, if its old images were not fetched."""
        return self.repository.names() if self.repository.is_partial else set()

    def send(
        self,
        choose: Callable[[], list[str]],
        sending: Sending,
        fetch: Fetch | None = None,
        say: Say = print_nothing,  # noqa: ARG002  git waits for nobody
    ) -> list[str]:
        """Commit images and push; see `Target`. The push holds no lock."""
        if not choose():
            self.repository.announce()
            if self._push():
                return []
        sent: set[str] = set()
        for _ in range(TRIES):
            with self.store.locked():
                new = choose()
                if new:
                    with sending(new) as advance:
                        self.repository.add(new, advance, fetch)
                    sent.update(new)
            if self._push():
                return sorted(sent)
            with self.store.locked():
                self.repository.catch_up()
        raise PublishError("other authors push too often; try again")

    def read(self, key: str) -> bytes | None:
        """Return the bytes of an image in the branch."""
        return self.repository.read(key)

    def note_uploads(self, digests: Iterable[str]) -> None:
        """Do nothing: the host's own gc knows the pages, and not what is an upload."""

    def withdraw(self, keys: Iterable[str], variants: Mapping[str, str] = NONE) -> None:
        """Commit the removal of images with their tombstones, and push; see `Target`."""
        if not self.is_ready:
            return
        with self.repository.undone_on_failure():
            for group in in_groups(keys, variants):
                self.repository.retract(group)
            if self.connect():
                self.repository.push()

    def forbid(self, digests: Iterable[str]) -> None:
        """Commit tombstones, and push; see `Target`."""
        with self.store.locked(), self.repository.undone_on_failure():
            self.repository.forbid(digests)
            if self.connect():
                self.repository.push()

    def restore(self, digests: Iterable[str]) -> None:
        """Commit the removal of tombstones, and push; see `Target`."""
        with self.store.locked(), self.repository.undone_on_failure():
            for digest in digests:
                self.repository.restore(digest)
            if self.connect():
                self.repository.push()

    def unneeded(self, is_needed: Callable[[str], bool]) -> dict[str, int]:  # noqa: ARG002  a Target's
        """Return nothing: the host deletes what its pages do not use (`host gc`)."""
        return {}

    def remove(self, keys: Iterable[str]) -> None:
        """Do nothing; see `unneeded`."""

    def remains(self, key: str) -> list[str]:  # noqa: ARG002  a Target's
        """Say where copies of a retracted image may remain."""
        return ["copies may remain in the history of the repository, in caches and with readers"]

    def seen(self) -> set[str]:
        """Return the keys that were seen online, and that nobody has removed since."""
        return self.repository.seen.read()

    def record_seen(self, keys: AbstractSet[str]) -> None:
        """Record which of the pushed images were seen online."""
        self.repository.seen.record(keys)

    def is_unchanged(self) -> bool:
        """Return whether the branch of the host is where it was, or only we have moved it."""
        return self._push()

    def _names(self) -> set[str]:
        return self.repository.names() if self.is_ready else set()

    def _push(self) -> bool:
        return not self.connect() or self.repository.try_push()


def _host_of(remote: str) -> str:
    return urlsplit(remote).hostname or remote.partition(":")[0]
