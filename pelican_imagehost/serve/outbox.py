"""Publishing uploads: committed and pushed in batches, if the store is a git repository.

Uploads do not wait for it. The records hold the state, so that after a crash, or while the
host is unreachable, nothing is lost.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from pelican_imagehost.errors import ImageHostError
from pelican_imagehost.publish.repository import TOMBSTONES, StoreRepository
from pelican_imagehost.report import count
from pelican_imagehost.storage.records import Records
from pelican_imagehost.storage.store import Store

if TYPE_CHECKING:
    from pelican_imagehost.settings import Settings

__all__ = ["Outbox"]

logger = logging.getLogger(__name__)

_GATHERING = 1.0  # seconds of uploads in one commit
_LOOKING = 60.0  # seconds between checks for uploads left by other processes
_FAREWELL = 5.0  # seconds for a running push at the end
_LONGEST_PAUSE = 300.0  # seconds between attempts when the host does not answer


class Outbox:
    """The thread that publishes; only one process at a time does.

    Args:
        settings: the settings of the site.

    Attributes:
        trouble: the reason why the last attempt failed; "" if it succeeded.
        retracted: the digests of retracted images, which are refused.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store = Store(settings.store)
        self._repository = StoreRepository.of(settings)
        self._lock = FileLock(self._store.uploads / "outbox.lock")
        self._news = threading.Event()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._work, name="outbox", daemon=True)
        self.trouble = ""
        self.retracted: frozenset[str] = frozenset()

    @property
    def exists(self) -> bool:
        """Return whether the store is a repository."""
        return self._repository.exists

    def start(self) -> None:
        """Start the thread, which first publishes uploads left by an earlier session."""
        if self.exists:
            self._learn(self._repository.names())
            self._news.set()
            self._thread.start()

    def close(self) -> None:
        """End the thread; the rest is left for the next session."""
        self._ends.set()
        self._news.set()
        if self._thread.is_alive():
            self._thread.join(_FAREWELL)  # a push may hang; the next session repeats it

    def notify(self) -> None:
        """Wake the thread, because there may be uploads to publish."""
        self._news.set()

    def send(self) -> int:
        """Publish all waiting uploads.

        Returns:
            The number of images.

        Raises:
            ImageHostError: publishing failed; the uploads keep waiting.
        """
        records = Records(self._settings.records)
        try:
            waiting = {record.image.key: record.image for record in records.waiting()}
            if not waiting:
                return 0
            with self._store.locked():
                names = self._repository.names()
                self._learn(names)
                new = {k for k, image in waiting.items() if self._is_new(image.sha256, k, names)}
                if new:
                    self._repository.add(new, lambda _: None)
            if self._settings.remote:
                self._push(self._settings.remote)
            records.mark_pushed(image.sha256 for image in waiting.values())
            return len(new)
        finally:
            records.close()

    def _is_new(self, sha256: str, key: str, names: set[str]) -> bool:
        is_there = self._store.path(key).exists()  # else it has been deleted
        return is_there and key not in names and sha256 not in self.retracted

    def _push(self, remote: str) -> None:
        self._repository.use_remote(remote)
        if not self._repository.try_push():
            with self._store.locked():
                self._repository.push()

    def _learn(self, names: set[str]) -> None:
        tombstones = (name for name in names if name.startswith(TOMBSTONES))
        self.retracted = frozenset(name.removeprefix(TOMBSTONES) for name in tombstones)

    def _work(self) -> None:
        pause = _GATHERING
        while not self._ends.is_set():
            self._news.wait(_LOOKING)
            self._news.clear()
            if self._ends.wait(pause):
                return
            pause = _GATHERING if self._attempt() else min(pause * 2, _LONGEST_PAUSE)

    def _attempt(self) -> bool:
        try:
            with self._lock.acquire(blocking=False):
                sent = self.send()
        except Timeout:  # another process is publishing; the next check finds the rest
            return True
        except ImageHostError as error:
            if str(error) != self.trouble:
                logger.warning("cannot publish uploads, will retry: %s", error)
            self.trouble = str(error)
            self._news.set()
            return False
        if sent:
            done = "published" if self._settings.remote else "committed"
            logger.info("%s %s", done, count(sent, "image"))
        self.trouble = ""
        return True
