"""Storing uploads, in batches, because one sync of the disk serves a whole batch.

While one batch waits for the disk, another thread already looks at the images of the next.

Files are durable and in place before they are recorded, and the record is durable before
a client gets an answer. A crash in between leaves a file that `verify` finds, or nothing.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.errors import ForbiddenUploads, ImageHostError
from pelican_imagehost.serve.refusal import Refusal, explain
from pelican_imagehost.serve.sluice import Sluice
from pelican_imagehost.storage.book import Arrival

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pelican_imagehost.images.image import Image
    from pelican_imagehost.serve.image_store import ImageStore
    from pelican_imagehost.serve.spool import SpooledFile
    from pelican_imagehost.storage.book import RecordBook

    Outcome = list[Image] | Refusal

__all__ = ["Intake"]

logger = logging.getLogger(__name__)

_MOST = 64  # requests that share one sync


class _Delivery(NamedTuple):
    files: Sequence[SpooledFile]
    token: str
    answer: asyncio.Future[list[Image]]


class Intake:
    """The threads that look at uploads and store them.

    Args:
        store: the place for the images.
        records: the record of uploads; for the exclusive use of this thread.
        taken: called after each batch.
    """

    def __init__(
        self,
        store: ImageStore,
        records: RecordBook,
        taken: Callable[[], None],
    ) -> None:
        self._store = store
        self._records = records
        self._taken = taken
        self._queue = Sluice(_inspect)
        self._thread = threading.Thread(target=self._work, name="intake", daemon=True)

    def start(self) -> None:
        """Start the threads."""
        self._queue.start()
        self._thread.start()

    def close(self) -> None:
        """Store everything received so far, and end the threads."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()

    async def take(self, files: Sequence[SpooledFile], token: str) -> list[Image]:
        """Store files, all or none.

        Args:
            files: the uploaded files.
            token: the name of the token of the request.

        Returns:
            The images, in order, stored and recorded durably.

        Raises:
            Refusal: one is not an allowed image, or the store cannot be written.
        """
        answer: asyncio.Future[list[Image]] = asyncio.get_running_loop().create_future()
        self._queue.put(_Delivery(files, token, answer))
        return await answer

    def _work(self) -> None:
        while (first := self._queue.get()) is not None:
            deliveries = [first]
            ends = False
            with suppress(queue.Empty):
                while len(deliveries) < _MOST and not ends:
                    following = self._queue.get_nowait()
                    ends = following is None
                    deliveries += [following] if following else []
            self._take(deliveries)
            if ends:
                return

    def _take(self, deliveries: list[_Delivery]) -> None:
        outcomes = [self._identify_all(delivery) for delivery in deliveries]
        try:
            self._store_all(deliveries, outcomes)
        except Exception as error:  # noqa: BLE001  all clients get an answer, and the thread goes on
            refusal = _refusal(error)
            outcomes = [one if isinstance(one, Refusal) else refusal for one in outcomes]
        # In one call: each call from this thread wakes the loop up.
        loop = deliveries[0].answer.get_loop()
        loop.call_soon_threadsafe(_answer, deliveries, outcomes)
        self._taken()

    def _identify_all(self, delivery: _Delivery) -> Outcome:
        try:
            return [self._identify(file) for file in delivery.files]
        except Refusal as refusal:
            return refusal

    def _identify(self, file: SpooledFile) -> Image:
        try:
            image = file.identify()
        except Exception as error:
            raise _refusal(error, file.name) from error
        if image.sha256 in self._store.retracted():
            raise _retraction(file, image)
        return image

    def _store_all(self, deliveries: list[_Delivery], outcomes: list[Outcome]) -> None:
        """Store what can be stored; refuse what was retracted at the last moment."""
        while True:
            good = [
                (delivery, images)
                for delivery, images in zip(deliveries, outcomes, strict=True)
                if not isinstance(images, Refusal)
            ]
            try:
                self._store_together(good)
            except ForbiddenUploads as error:
                outcomes[:] = [
                    _without(error.digests, delivery, outcome)
                    for delivery, outcome in zip(deliveries, outcomes, strict=True)
                ]
            else:
                return

    def _store_together(self, good: list[tuple[_Delivery, list[Image]]]) -> None:
        arrivals, files = [], {}
        for delivery, images in good:
            for file, image in zip(delivery.files, images, strict=True):
                files[file.path] = file
                arrivals.append(Arrival(image, file.name, delivery.token))
        received = [(one.image, path) for one, path in zip(arrivals, files, strict=True)]
        with self._store.storing(received) as taken:
            for path in taken:
                files[path].hand_over()
            self._records.add(arrivals)


def _without(digests: frozenset[str], delivery: _Delivery, outcome: Outcome) -> Outcome:
    """Refuse a delivery that has one of the images."""
    if not isinstance(outcome, Refusal):
        for file, image in zip(delivery.files, outcome, strict=True):
            if image.sha256 in digests:
                return _retraction(file, image)
    return outcome


def _retraction(file: SpooledFile, image: Image) -> Refusal:
    return Refusal(
        409,
        "retracted",
        f"{file.name} was retracted; to allow it again, run: pelican-imagehost retract "
        f"--undo {image.sha256}",
    )


def _answer(deliveries: list[_Delivery], outcomes: list[Outcome]) -> None:
    for delivery, outcome in zip(deliveries, outcomes, strict=True):
        if delivery.answer.done():  # the request was cancelled
            continue
        if isinstance(outcome, Refusal):
            delivery.answer.set_exception(outcome)
        else:
            delivery.answer.set_result(outcome)


def _inspect(delivery: _Delivery) -> None:
    for file in delivery.files:
        file.inspect()


def _refusal(error: Exception, name: str = "") -> Refusal:
    if isinstance(error, ImageHostError):
        return explain(error, name)
    logger.error("an upload failed unexpectedly", exc_info=error)
    return Refusal(500, "internal", f"{name}: {error}" if name else str(error))
