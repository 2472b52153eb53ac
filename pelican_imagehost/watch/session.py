"""A drafting session as a person runs it: on a terminal, with a preview, until Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
import webbrowser
from typing import TYPE_CHECKING

from pelican_imagehost.errors import ImageHostError
from pelican_imagehost.report import count
from pelican_imagehost.watch.gallery import PAGE, Images
from pelican_imagehost.watch.loop import Drafting, Show
from pelican_imagehost.watch.preview import Preview

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pelican_imagehost.settings import Settings
    from pelican_imagehost.watch.messages import Problems

__all__ = ["run"]


class _Person(Show):
    """Shows a session in browsers and on the terminal."""

    def __init__(self, preview: Preview, say: Callable[[str], None]) -> None:
        self._preview = preview
        self._say = say
        self._said: set[str] = set()
        self._wrong: Problems = ()

    def changed(self, paths: tuple[str, ...], seconds: float, *, whole: bool) -> None:
        self._preview.changed(paths)
        if whole:
            self._say(f"the site: {count(len(paths), 'file')} changed in {seconds:.1f} s")
        elif paths:
            self._say(f"{count(len(paths), 'page')} in {seconds * 1000:.0f} ms")

    def problems(self, problems: Problems) -> None:
        self._preview.hub.wrong(problems)
        for problem in problems:
            if problem not in self._wrong:
                self._say(problem)
        if self._wrong and not problems:
            self._say("all is well again")
        self._wrong = problems

    def output(self, folder: str) -> None:
        self._preview.root = folder

    def configured(self, settings: Settings) -> None:
        self._preview.images = Images(settings)

    def say(self, message: str) -> None:
        if message not in self._said:  # Pelican warns of the same in every build
            self._said.add(message)
            self._say(message)


def run(
    settings_file: Path, port: int, *, poll: bool, open_browser: bool, say: Callable[[str], None]
) -> None:
    """Draft until SIGINT (Ctrl-C) or SIGTERM, and end cleanly.

    Args:
        settings_file: Pelican's settings file.
        port: where the preview listens on 127.0.0.1; 0: anywhere.
        poll: do without file events.
        open_browser: show the preview at once.
        say: takes each line for the terminal.

    Raises:
        ImageHostError: the port is taken, or there is no such settings file.
    """
    if not settings_file.is_file():
        raise ImageHostError(f"no settings file {settings_file} here; name it with -s")
    try:
        preview = Preview(port)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageHostError(f"port {port} cannot be used ({reason}); try --port 0") from error
    drafting = Drafting(settings_file, _Person(preview, say), poll=poll)
    with _stopped_by_signals(drafting):
        try:
            preview.start()
            say(f"{preview.address.rstrip('/')}{PAGE} shows all images")
            say(f"{preview.address} follows your saves; Ctrl-C ends it")
            drafting.start()
            if open_browser:
                webbrowser.open(preview.address)
            drafting.serve()
            say("ended")
        finally:
            preview.close()
            drafting.close()


@contextlib.contextmanager
def _stopped_by_signals(drafting: Drafting) -> Iterator[None]:
    """Let signals end a session between two steps: within one, a builder could be left behind."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: drafting.stop()) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
