"""Publishing uploads, in batches, if the site has a place for it.

Uploads do not wait for it. The records hold the state, so that after a crash, or while the
host is unreachable, nothing is lost.
"""

from __future__ import annotations

import logging
import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from pelican_imagehost.errors import ImageHostError
from pelican_imagehost.publish.target import open_target
from pelican_imagehost.report import count
from pelican_imagehost.storage.records import Records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractContextManager

    from pelican_imagehost.images.image import Image
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

    Raises:
        PublishError: the place for uploads lacks something that only a person can add, as a key.

    Attributes:
        trouble: the reason why the last attempt failed; "" if it succeeded.
        retracted: the digests of retracted images, which are refused.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._target = open_target(settings)
        if self._target.is_ready:
            self._target.connect()
        self._lock = FileLock(self._target.store.uploads / "outbox.lock")
        self._news = threading.Event()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._work, name="outbox", daemon=True)
        self.trouble = ""
        self.retracted: frozenset[str] = frozenset()

    @property
    def exists(self) -> bool:
        """Return whether uploads are published."""
        return self._target.is_ready

    def start(self) -> None:
        """Start the thread, which first publishes uploads left by an earlier session."""
        if self.exists:
            self.retracted = frozenset(self._target.retracted())
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
            there = {waiting[key].sha256 for key in self._stored(waiting)}
            self._target.note_uploads(there - self.retracted)
            sent = self._target.send(lambda: self._choose(waiting), _silent)
            records.mark_pushed(image.sha256 for image in waiting.values())
            return len(sent)
        finally:
            records.close()

    def _choose(self, waiting: Mapping[str, Image]) -> list[str]:
        """Return which of the waiting images are to be sent: not deleted, and not retracted."""
        due = self._target.due(self._stored(waiting))
        self.retracted = frozenset(self._target.retracted())
        return sorted(key for key in due if waiting[key].sha256 not in self.retracted)

    def _stored(self, keys: Iterable[str]) -> list[str]:
        return [key for key in keys if self._target.store.path(key).exists()]

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


def _silent(_keys: list[str]) -> AbstractContextManager[Callable[[int], None]]:
    return nullcontext(lambda _advance: None)
