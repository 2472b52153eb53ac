"""Small sites built by real Pelican without the plugin and with it, in every mode.

A case is a function that writes a site and returns what is expected of it; see `Case`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from tests.outputs import Found, Lead, look_up, vanished, worse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.conftest import Site

__all__ = ["ALL_MODES", "Case", "Table", "build_modes", "faults", "post", "theme"]

DOMAIN, FOLDER = "https://blog.example.com", "https://example.com/blog"
HOST = "https://img.example.com"


class Mode(NamedTuple):
    """Settings of one build."""

    site_url: str = ""
    relative: bool = False
    host_url: str = ""
    keep_static: bool = True

    @property
    def overrides(self) -> dict[str, object]:
        """Return the settings; the default of IMAGEHOST_KEEP_STATIC is left unset."""
        values: dict[str, object] = {"SITEURL": self.site_url, "RELATIVE_URLS": self.relative}
        if self.host_url:
            values["IMAGEHOST_URL"] = self.host_url
        if not self.keep_static:
            values["IMAGEHOST_KEEP_STATIC"] = False
        return values

    @property
    def plain(self) -> Mode:
        """Return the same without the plugin."""
        return Mode(self.site_url, self.relative)


MODES = {
    "top": Mode(),
    "domain": Mode(DOMAIN),
    "folder": Mode(FOLDER),
    "relative": Mode(relative=True),
    "relative-domain": Mode(DOMAIN, relative=True),
    "host": Mode(DOMAIN, host_url=HOST),
    "host-top": Mode(host_url=f"{HOST}/pictures"),
    "host-relative": Mode(DOMAIN, relative=True, host_url=HOST),
    "dropped": Mode(DOMAIN, keep_static=False),
    "dropped-relative": Mode(relative=True, keep_static=False),
    "dropped-host": Mode(DOMAIN, host_url=HOST, keep_static=False),
}
ALL_MODES = tuple(MODES)


class Case(NamedTuple):
    """What a site needs, and what its builds with the plugin must show beyond `faults`.

    Attributes:
        plugins: local plugins, in `plugins/` of the site, loaded before ours.
        after: local plugins loaded after ours.
        modes: the modes in which the site makes sense.
        leads: file of the output → the one file of the site whose bytes every name of an
            image in it must lead to.
        everything: whether every name must lead somewhere, also where it does not without
            the plugin.
        silent: texts that no message may contain; a name with one may lead nowhere.
        says: texts that the messages must contain.
        builds: how often each variant is built.
    """

    plugins: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    modes: tuple[str, ...] = ALL_MODES
    leads: Mapping[str, str] = MappingProxyType({})
    everything: bool = False
    silent: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    builds: int = 1


CaseFunction: TypeAlias = "Callable[[Site], Case]"


class Table(dict[str, CaseFunction]):
    """Cases by name; a decorator that adds one, named as its function is.

    Args:
        subject: the first word of each name.
    """

    def __init__(self, subject: str) -> None:
        super().__init__()
        self._subject = subject

    def __call__(self, function: CaseFunction) -> CaseFunction:
        self[f"{self._subject}: {function.__name__.replace('_', ' ')}"] = function
        return function


_PAGE = (
    "<!doctype html><html><head><meta charset='utf-8'><title>{{{{ SITENAME }}}}</title>{head}"
    "</head><body>{body}</body></html>\n"
)
_SETTINGS: dict[str, object] = {
    "THEME": "theme",
    "PLUGIN_PATHS": ["plugins"],
    "DIRECT_TEMPLATES": ["index"],
    "AUTHOR_SAVE_AS": "",
    "CATEGORY_SAVE_AS": "",
    "TAG_SAVE_AS": "",
}


def theme(
    site: Site, article: str = "", *, head: str = "", index: str = "", page: str = ""
) -> None:
    """Write a theme of three templates, with markup added to each."""
    bodies = {
        "article": f"{{{{ article.content }}}}{article}",
        "page": f"{{{{ page.content }}}}{page}",
        "index": "{% for article in articles_page.object_list %}<h2>{{ article.title }}</h2>"
        f"{{{{ article.summary }}}}{index}{{% endfor %}}",
    }
    for name, body in bodies.items():
        text = _PAGE.format(head=head if name == "article" else "", body=body)
        site.write(f"theme/templates/{name}.html", text)


def post(site: Site, relative: str, body: str = "Words.", **metadata: str) -> None:
    """Write a Markdown post or page; `_` in a field's name stays."""
    head = {"Title": Path(relative).stem, "Date": "2024-05-06", **metadata}
    lines = [f"{name}: {value}" for name, value in head.items()]
    site.write(f"content/{relative}", "\n".join(lines) + f"\n\n{body}\n")


def build_modes(site: Site, case: Case) -> dict[str, str]:
    """Build a site without the plugin, then with it, in each mode of its case.

    Returns:
        The messages of each build with the plugin, by mode.
    """
    site.configure(**{k: v for k, v in _SETTINGS.items() if k not in _names_set(site)})
    if not (site.root / "theme").exists():
        theme(site)
    (site.root / "theme/static").mkdir(exist_ok=True)
    modes = {name: MODES[name] for name in case.modes}
    variants = {_plain(mode): _arguments(case, mode, _plain(mode)) for mode in modes.values()}
    for name, mode in modes.items():
        for again in range(case.builds):
            variants[f"{name}{'-again' * again}"] = _arguments(case, mode, name, hosted=True)
    for variant in variants:  # pelican-seo expects the folder
        (site.root / "output" / variant).mkdir(parents=True, exist_ok=True)
    forks = Path(__file__).with_name("forks.py")
    environment = {**os.environ, "PYTHONWARNINGS": "default", "COLUMNS": "10000"}
    command = [sys.executable, str(forks)]
    source = json.dumps(variants).encode()
    subprocess.run(command, cwd=site.root, env=environment, input=source, check=True)
    for variant in variants:
        code = (site.root / f"{variant}.code").read_text()
        assert code == "0", (site.root / f"{variant}.log").read_text("utf-8")
    return {name: _messages(site, name) for name in modes}


def faults(site: Site, case: Case, name: str, messages: str) -> list[str]:
    """List what a build with the plugin shows that it should not.

    A name that led to an image without the plugin must lead to the same bytes; one that leads
    nowhere must be reported, and nothing else may be. Unless originals are left out, each
    image of the output is at its old address. The store holds what its names promise.
    """
    mode, store = MODES[name], site.root / "images"
    plain, hosted = site.root / "output" / _plain(mode), site.root / "output" / name
    before = look_up(plain, site_url=mode.site_url)
    after = look_up(hosted, site_url=mode.site_url, host_url=mode.host_url, store=store)
    nowhere = [found for found in after if found.lead is Lead.NOWHERE]
    found = worse(before, after) + _report(nowhere, messages, case, mode)
    if mode.keep_static:
        found += vanished(plain, hosted)
    if case.everything:
        found += [str(name) for name in nowhere]
    for page, file in case.leads.items():
        found += _wrong([name for name in after if name.file == page], page, site.root / file)
    return list(dict.fromkeys(found + _damaged(store)))


def _plain(mode: Mode) -> str:
    plain = mode.plain
    return "plain-" + next(name for name, known in MODES.items() if known == plain)


def _names_set(site: Site) -> set[str]:
    text = (site.root / "pelicanconf.py").read_text("utf-8")
    return set(re.findall(r"^(\w+) = ", text, re.MULTILINE))


def _arguments(case: Case, mode: Mode, output: str, *, hosted: bool = False) -> list[str]:
    ours = ["pelican_imagehost"] if hosted else []
    overrides = mode.overrides if hosted else mode.plain.overrides
    values = {**overrides, "PLUGINS": [*case.plugins, *ours, *case.after]}
    pairs = [f"{name}={json.dumps(value)}" for name, value in values.items()]
    return ["content", "-s", "pelicanconf.py", "-o", f"output/{output}", "-e", *pairs]


def _messages(site: Site, variant: str) -> str:
    return " ".join((site.root / f"{variant}.log").read_text("utf-8").split())


def _report(nowhere: list[Found], messages: str, case: Case, mode: Mode) -> list[str]:
    faults = [f"not reported: {text}" for text in case.says if text not in messages]
    faults += [f"reported: {text}" for text in case.silent if text in messages]
    loud = [name for name in nowhere if not any(text in name.url for text in case.silent)]
    for name in loud:
        file = name.url.partition("?")[0].partition("#")[0].rpartition("/")[2]
        if file not in messages and not _elsewhere(name.url, mode):
            faults.append(f"not reported: {name}")
    if not loud and not case.says and re.search(r"[\d,]+ problems?\b", messages):
        faults.append(f"false alarm: {messages}")
    return faults


def _elsewhere(url: str, mode: Mode) -> bool:
    """Return whether a name may lead to another site of the same host."""
    folder = f"{urlsplit(mode.site_url).path}/"
    return url.startswith("/") and not url.startswith(("//", folder))


def _wrong(names: list[Found], page: str, file: Path) -> list[str]:
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    if not names:
        return [f"{page}: has no image"]
    return [f"{name}, not to {file.name}" for name in names if name.digest != digest]


def _damaged(store: Path) -> list[str]:
    files = [path for path in store.glob("*/*.*") if path.is_file()]
    return [
        f"{path.name}: the store has other bytes"
        for path in files
        if hashlib.sha256(path.read_bytes()).hexdigest() != path.stem
    ]
