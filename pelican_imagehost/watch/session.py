"""A drafting session on a terminal, with a preview, until Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
import webbrowser
from typing import TYPE_CHECKING

from pelican_imagehost.errors import ImageHostError
from pelican_imagehost.report import Problem, count, group
from pelican_imagehost.watch.gallery import PAGE, Images
from pelican_imagehost.watch.loop import Drafting, Show
from pelican_imagehost.watch.preview import Preview
from pelican_imagehost.watch.rules import Rules
from pelican_imagehost.watch.widths import Widths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pelican_imagehost.settings import Settings
    from pelican_imagehost.watch.messages import Problems

__all__ = ["run"]


class _Terminal(Show):
    """Shows a session in browsers and on the terminal."""

    def __init__(self, preview: Preview, say: Callable[[str], None]) -> None:
        self._preview = preview
        self._say = say
        self._printed: set[str] = set()
        self._problems: frozenset[str] = frozenset()

    def changed(self, paths: tuple[str, ...], seconds: float, *, whole: bool) -> None:
        self._preview.changed(paths)
        if whole:
            self._say(f"site built in {seconds:.1f} s, {count(len(paths), 'file')} changed")
        elif paths:
            self._say(f"{count(len(paths), 'page')} updated in {seconds * 1000:.0f} ms")

    def problems(self, problems: Problems) -> None:
        self._preview.wrong(problems)
        new = (one.text for one in problems if one.text not in self._problems)
        for line in group(map(Problem.parse, new)):
            self._say(line)
        if self._problems and not problems:
            self._say("all problems fixed")
        self._problems = frozenset(problem.text for problem in problems)

    def output(self, folder: str) -> None:
        self._preview.root = folder

    def configured(self, settings: Settings) -> None:
        self._preview.images = Images(settings)
        widths, rules = Widths(settings, self.say), Rules(self.say)
        self._preview.takers = {"widths": widths.take, "rules": rules.take}

    def say(self, message: str) -> None:
        if message not in self._printed:  # Pelican repeats warnings in every build
            self._printed.add(message)
            self._say(message)


def run(
    settings_file: Path, port: int, *, poll: bool, open_browser: bool, say: Callable[[str], None]
) -> None:
    """Run a session until SIGINT (Ctrl-C) or SIGTERM.

    Args:
        settings_file: the settings file of Pelican.
        port: the port of the preview on 127.0.0.1; 0 picks a free one.
        poll: check all files every second instead of using file events.
        open_browser: open the preview in a browser.
        say: called with each message for the terminal.

    Raises:
        ImageHostError: the port cannot be used, or the settings file does not exist.
    """
    if not settings_file.is_file():
        raise ImageHostError(f"settings file {settings_file} not found; specify it with -s")
    try:
        preview = Preview(port)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageHostError(f"cannot listen on port {port}: {reason}; try --port 0") from error
    drafting = Drafting(settings_file, _Terminal(preview, say), poll=poll)
    with _stopped_by_signals(drafting):
        try:
            preview.start()
            say(f"image gallery at {preview.address.rstrip('/')}{PAGE}")
            say(f"preview at {preview.address}; press Ctrl-C to stop")
            drafting.start()
            if open_browser:
                webbrowser.open(preview.address)
            drafting.serve()
            say("stopped")
        finally:
            preview.close()
            drafting.close()


@contextlib.contextmanager
def _stopped_by_signals(drafting: Drafting) -> Iterator[None]:
    """Let signals end the session between steps, so that no builder is left running."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: drafting.stop()) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
