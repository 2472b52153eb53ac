"""A site in drafting, and the result of a clean build."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Self

from pelican_imagehost.watch.builder.live_site import OVERRIDES
from pelican_imagehost.watch.loop import Drafting, Show

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pelican_imagehost.watch.messages import Problems
    from tests.conftest import Site

TIMEOUT = 60.0  # seconds; enough for everything, even on a busy machine
THEME = {
    "base.html": "<html><head><title>{{ SITENAME }}</title></head>"
    "<body>{% block content %}{% endblock %}</body></html>\n",
    "article.html": '{% extends "base.html" %}{% block content %}<h1>{{ article.title }}</h1>'
    "<p>{{ article.date }} {{ article.category }} {{ article.tags|join(' ') }}</p>"
    "{{ article.content }}{% endblock %}\n",
    "page.html": '{% extends "base.html" %}{% block content %}<h1>{{ page.title }}</h1>'
    "{{ page.content }}{% endblock %}\n",
    "index.html": '{% extends "base.html" %}{% block content %}{% for article in articles %}'
    '<a href="{{ SITEURL }}/{{ article.url }}">{{ article.title }}</a>{{ article.summary }}'
    "{% endfor %}{% endblock %}\n",
}


def write_post(site: Site, name: str, body: str = "Words.", **metadata: str) -> Path:
    """Write a Markdown post; a number in its name changes its date."""
    number = int("".join(filter(str.isdigit, name)) or 0)
    date = f"{2000 + number // 300}-{number // 25 % 12 + 1:02}-{number % 25 + 1:02}"
    head = {"Title": name.rpartition("/")[2], "Date": date, **metadata}
    lines = [f"{key}: {value}" for key, value in head.items()]
    return site.write(f"content/{name}.md", "\n".join(lines) + f"\n\n{body}\n")


def prepare(site: Site, posts: int = 6, **settings: object) -> None:
    """Write a small site with its own theme."""
    for name, text in THEME.items():
        site.write(f"theme/templates/{name}", text)
    site.write("theme/static/style.css", "body { color: black }\n")
    site.write("content/extra/beat.txt", "0")
    for number in range(posts):
        site.picture(f"content/picture-{number}.png", text_seed=number + 1)
        body = f"Words {number}.\n\n![p](picture-{number}.png)"
        write_post(site, f"post-{number}", body, Tags=f"tag-{number % 3}", Category="notes")
    site.write("content/pages/about.md", "Title: About\n\nA page.\n")
    values: dict[str, object] = {"THEME": "theme", "STATIC_PATHS": ["extra"], **settings}
    site.configure(PLUGINS=["pelican_imagehost"], FEED_ALL_ATOM="feed.xml")
    site.configure(**values)


def tree(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder with its bytes."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def clean_build(site: Site, settings: str = "pelicanconf.py") -> dict[str, bytes]:
    """Do a clean build of a site with the settings of drafting."""
    output = site.root.parent / f"{site.root.name}-clean"
    shutil.rmtree(output, ignore_errors=True)
    extra = [f"{name}={json.dumps(value)}" for name, value in OVERRIDES.items()]
    command = [sys.executable, "-m", "pelican", "-q", "-s", settings, "-o", str(output), "-e"]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run(
        [*command, *extra],
        cwd=site.root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return tree(output)


class Desk(Show):
    """A session in a thread of this process, and its news, for which tests can wait."""

    def __init__(self, site: Site, *, poll: bool = False, fork: bool = True) -> None:
        self.site = site
        self.news = threading.Condition()
        self.drafts: list[tuple[str, ...]] = []
        self.builds: list[tuple[str, ...]] = []
        self.wrong: tuple[str, ...] = ()
        self.all_wrong: list[tuple[str, ...]] = []
        self.pages: dict[str, frozenset[str] | None] = {}  # problem → the pages that have it
        self.said: list[str] = []
        self.drafting = Drafting(site.root / "pelicanconf.py", self, poll=poll, fork=fork)
        self._thread = threading.Thread(target=self._run)
        self._beat = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self.wait(lambda: bool(self.builds or self.wrong), "the first build")
        return self

    def __exit__(self, *_: object) -> None:
        self.drafting.stop()
        self._thread.join()

    def _run(self) -> None:
        try:
            self.drafting.start()
            self.drafting.serve()
        finally:
            self.drafting.close()

    def changed(self, paths: tuple[str, ...], seconds: float, *, whole: bool) -> None:
        assert seconds >= 0
        with self.news:
            (self.builds if whole else self.drafts).append(paths)
            self.news.notify_all()

    def problems(self, problems: Problems) -> None:
        with self.news:
            self.pages = dict(problems)
            self.wrong = tuple(self.pages)
            self.all_wrong.append(self.wrong)
            self.news.notify_all()

    def say(self, message: str) -> None:
        with self.news:
            self.said.append(message)

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until the news make a condition true."""
        with self.news:
            assert self.news.wait_for(condition, TIMEOUT), f"no {what}: {self.wrong}, {self.said}"

    def settle(self) -> None:
        """Wait until a whole build includes all earlier changes."""
        self.beat()
        watcher = self.drafting._watcher  # noqa: SLF001  what it waits for, no build can have seen
        assert watcher is not None
        deadline = time.monotonic() + TIMEOUT
        while watcher._missing and time.monotonic() < deadline:  # noqa: SLF001  taken for gone soon
            time.sleep(0.005)
        self.beat()
        if self.drafting.encoder.is_busy:
            while self.drafting.encoder.is_busy and time.monotonic() < deadline:
                time.sleep(0.005)
            self.beat()

    def beat(self) -> None:
        """Change a file, and wait until a whole build includes the change."""
        self._beat += 1
        beat = self.site.root / "output/extra/beat.txt"
        self.site.write("content/extra/beat.txt", str(self._beat))
        self.wait(
            lambda: (
                any(str(beat) in paths for paths in self.builds)
                and beat.read_text() == str(self._beat)
            ),
            "whole build",
        )
        self.builds.clear()

    def check(self) -> None:
        """Check that the output is the same as after a clean build."""
        self.settle()
        drafted, clean = tree(self.site.root / "output"), clean_build(self.site)
        assert not drafted.keys() - clean.keys(), drafted.keys() - clean.keys()
        different = {name for name in clean if clean[name] != drafted.get(name)}
        assert not different, different
