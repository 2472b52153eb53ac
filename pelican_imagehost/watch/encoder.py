"""Variants of new images, made while nobody saves: in a process of low priority.

Run as a program, this module is that process. It reads what to make from its input, pickled by
the main process, and prints lines for the user.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from pelican_imagehost.errors import ImageHostError
from pelican_imagehost.report import count
from pelican_imagehost.storage.catalogue import Catalogue
from pelican_imagehost.storage.making import make_asked, make_variants

if TYPE_CHECKING:
    from pelican_imagehost.images.variants.make import Asked
    from pelican_imagehost.report import Say
    from pelican_imagehost.settings import Settings
    from pelican_imagehost.watch.messages import Lacking

__all__ = ["Encoder"]

_QUIET = 1.0  # seconds after a build
_NICE = 19


class Encoder:
    """Makes variants when it is quiet; the manifest then tells builders of them.

    Args:
        say: is called with each line for the user, in another thread.

    Attributes:
        settings: the settings of the site, once they are known.
        process: the last process; None if there was none.
    """

    def __init__(self, say: Say) -> None:
        self.settings: Settings | None = None
        self._say = say
        self._tried: frozenset[Lacking] = frozenset()
        self._timer: threading.Timer | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self._one_at_a_time = threading.Lock()
        self._closed = False

    @property
    def is_busy(self) -> bool:
        """Return whether variants are being made, or will be soon."""
        return self._one_at_a_time.locked() or (self._timer is not None and self._timer.is_alive())

    def want(self, lacking: frozenset[Lacking]) -> None:
        """Make variants after a while without a save.

        Args:
            lacking: all that are lacking; what still is after it was tried is not tried again.
        """
        self.put_off()
        self._tried &= lacking
        if lacking - self._tried:
            self._timer = threading.Timer(_QUIET, self._run, [lacking])
            self._timer.daemon = True
            self._timer.start()

    def put_off(self) -> None:
        """Make nothing until `want` is called again; what is being made continues."""
        if self._timer is not None:
            self._timer.cancel()

    def close(self) -> None:
        """End the process; what it has written is whole."""
        self._closed = True
        self.put_off()
        if self.process is not None:
            self.process.terminate()  # has no effect after its end
        if self._timer is not None:
            self._timer.join()

    def _run(self, lacking: frozenset[Lacking]) -> None:
        with self._one_at_a_time:
            lacking -= self._tried
            if self._closed or not lacking:
                return
            self._tried |= lacking
            self.process = process = subprocess.Popen(  # noqa: S603  the same interpreter, this module
                [sys.executable, "-m", __name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                process_group=0 if os.name == "posix" else None,  # Ctrl-C is for the main process
            )
            output, _ = process.communicate(pickle.dumps((self.settings, lacking)))
            for line in output.decode(errors="replace").splitlines():
                self._say(line)


def _yield_to_others() -> None:
    """Take only the time of the processor that nothing else wants."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    if hasattr(os, "nice"):
        os.nice(_NICE)


def _make(settings: Settings, lacking: frozenset[Lacking]) -> None:
    catalogue = Catalogue(settings)
    images = catalogue.manifest.images
    asked: dict[str, list[Asked]] = {}
    for digest, one in lacking:
        if one is not None:
            asked.setdefault(digest, []).append(one)
    usual = [image for image in images.values() if (image.sha256, None) in lacking]
    made = make_variants(catalogue, usual, _print, workers=1)
    made |= make_asked(catalogue, images.values(), asked, _print, workers=1)
    number = sum(bool(image.variants) for image in made.values())
    if number:
        _print(f"smaller variants of {count(number, 'image')} made, and listed in the manifest")


def main() -> None:
    """Make variants, as the main process says."""
    _yield_to_others()
    try:
        _make(*pickle.loads(sys.stdin.buffer.read()))  # noqa: S301  from the main process
    except ImageHostError as error:
        _print(f"no variants were made: {error}")


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
