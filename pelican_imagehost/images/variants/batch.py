"""The variants of many images: in threads, with a limit on memory, as they are made."""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.errors import ImageHostError, MissingEncoder
from pelican_imagehost.images.variants.make import Made, Wanted, is_worthwhile, make

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from concurrent.futures import Future

    from pelican_imagehost.images.image import Image

__all__ = ["Done", "Job", "estimate", "make_all"]

_BATCH = 50  # images; a killed process has lost no more
_MOST_PIXELS = 60_000_000  # in memory, decoded
_AHEAD = 2  # jobs that wait for a thread, so that none waits for whoever takes the results
# Measured seconds of CPU: 0.3 for a JPEG of 12 to 24 MP, with three AVIFs and the fallback. Other
# types are decoded at full size; a PNG or GIF is also encoded without loss.
_EACH = 0.2
_A_MEGAPIXEL = {"jpg": 0.006, "avif": 0.06, "webp": 0.06, "png": 0.15, "gif": 0.15, "svg": 0}


class Job(NamedTuple):
    """An image to make variants of.

    Attributes:
        image: the image.
        read: returns its bytes; called when it is its turn.
        wanted: the variants.
    """

    image: Image
    read: Callable[[], bytes]
    wanted: Wanted


class Done(NamedTuple):
    """The variants of an image.

    Attributes:
        image: the image.
        made: its variants, maybe none.
        error: why none could be made; None if that was not the reason.
    """

    image: Image
    made: list[Made]
    error: ImageHostError | None


def estimate(images: Iterable[Image]) -> float:
    """Return about how many seconds of CPU the variants of some images take."""
    return sum(
        _EACH + image.width * image.height / 1e6 * _A_MEGAPIXEL[image.type]
        for image in images
        if is_worthwhile(image.size, image.type)
    )


def make_all(
    jobs: Iterable[Job], workers: int, advance: Callable[[int], object]
) -> Generator[list[Done]]:
    """Make the variants of many images; memory does not grow with their number.

    Args:
        jobs: the images, taken one by one.
        workers: the number of threads; one a core is best.
        advance: is called with the bytes of each image that is done.

    Yields:
        What is done, up to 50 images at a time, as it is done; what is left of it at Ctrl-C, too.

    Raises:
        MissingEncoder: Pillow is missing, or cannot write a type.
    """
    interrupt: KeyboardInterrupt | None = None
    with closing(_run_all(jobs, workers, advance)) as results:
        while interrupt is None:
            batch: list[Done] = []
            try:
                for done in islice(results, _BATCH):
                    batch.append(done)  # noqa: PERF402  `extend` would lose what was done
            except KeyboardInterrupt as error:
                interrupt = error
            if not batch:
                break
            yield batch
    if interrupt is not None:
        raise interrupt


def _run_all(
    jobs: Iterable[Job], workers: int, advance: Callable[[int], object]
) -> Generator[Done]:
    memory = _Memory(_MOST_PIXELS)
    pool = ThreadPoolExecutor(workers, "variants")
    waiting = iter(jobs)
    running: set[Future[Done]] = set()
    try:
        while True:
            more = islice(waiting, workers + _AHEAD - len(running))
            running |= {pool.submit(_run, job, memory) for job in more}
            if not running:
                return
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for done in (future.result() for future in finished):
                advance(done.image.size)
                yield done
    finally:
        pool.shutdown(cancel_futures=True)


def _run(job: Job, memory: _Memory) -> Done:
    try:
        return Done(job.image, make(job.read(), job.image.type, job.wanted, memory.hold), None)
    except MissingEncoder:  # for all of them
        raise
    except ImageHostError as error:
        return Done(job.image, [], error)


class _Memory:
    """Pixels that threads hold; one that needs more than are free waits for the others.

    Args:
        pixels: their number.
    """

    def __init__(self, pixels: int) -> None:
        self._all = self._free = pixels
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, pixels: int) -> Iterator[None]:
        """Hold pixels, or all if that is fewer."""
        pixels = min(pixels, self._all)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= pixels)
            self._free -= pixels
        try:
            yield
        finally:
            with self._changed:
                self._free += pixels
                self._changed.notify_all()
