"""Decide which images are kept, and why: for `gc`, `gc IMAGE` and the gallery alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.gallery.listing import mentions_by_key, users_by_key
from pelican_imagehost.gallery.sources import Facts
from pelican_imagehost.gallery.uses import Mentions
from pelican_imagehost.images.image import KEY, digest_of
from pelican_imagehost.publish.history import committed_digests, recent_digests
from pelican_imagehost.report import silent
from pelican_imagehost.site.names import mentioned_names, name_of
from pelican_imagehost.storage.manifest import Manifest
from pelican_imagehost.upkeep.check import look

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pelican_imagehost.report import Progress
    from pelican_imagehost.site.site import Site

__all__ = ["Keepers"]

_SETTINGS = "the settings"


class Keepers(NamedTuple):
    """Everything in a site that may keep an image.

    Attributes:
        facts: the images; `uses` is what a build would find now.
        uses_before: document → manifest paths, from the index before `facts` were read.
        users: key → the documents and files that use the image.
        unread: names of image files, folded, in documents that Pelican cannot read or skips.
        unsettled: lines of the manifest that conflict or cannot be read.
        committed: digests in the manifest of the last commit.
        recent: digests in manifests that were committed within the grace period.
        grace_days: the length of the grace period.
        manifest: the name of the manifest.
    """

    facts: Facts
    uses_before: Mapping[str, set[str]]
    users: Mapping[str, set[str]]
    unread: frozenset[str]
    unsettled: str
    committed: frozenset[str]
    recent: frozenset[str]
    grace_days: int
    manifest: str

    @classmethod
    def read(cls, site: Site, grace_days: int, progress: Progress = silent) -> Keepers:
        """Read the whole site; nothing is written.

        Args:
            site: the site.
            grace_days: keep images the committed manifest listed within this many days.
            progress: shows the progress of reading.

        Raises:
            ImageHostError: the site cannot be read.
        """
        settings = site.settings
        before = Facts.read(settings, {})  # first: `collect` keeps images that are used later
        _, report, unread = look(site, progress=progress)
        mentions: dict[str, Iterable[str]] = dict(Mentions(settings).find())
        values = {key: value for key, value in site.pelican_settings.items() if key.isupper()}
        in_settings = {match[0] for text in _strings(values) for match in KEY.finditer(text)}
        mentions[_SETTINGS] = in_settings - set().union(*mentions.values())
        facts = before._replace(uses=report.uses, mentions=mentions)
        skipped = site.sources(only=unread)
        return cls(
            facts,
            {document: set(paths) for document, paths in before.uses.items()},
            users_by_key(facts),
            frozenset(name for text in skipped for name in mentioned_names(text)),
            Manifest.load(settings.manifest).unsettled_text(),
            frozenset(committed_digests(settings.manifest)),
            frozenset(recent_digests(settings.manifest, grace_days)),
            grace_days,
            settings.manifest.name,
        )

    def unused_lines(self) -> set[str]:
        """Return the manifest paths that are not used; their images may still be kept."""
        named = {path for paths in self.facts.uses.values() for path in paths}
        mentioned = mentions_by_key(self.facts)
        return {
            path
            for path, image in self.facts.paths.items()
            if path not in named and image.key not in mentioned and name_of(path) not in self.unread
        }

    def reason(self, key: str, paths: Iterable[str] = ()) -> str:
        """Return the reason why an image is kept; "" if it may be deleted.

        Args:
            key: the key of the image.
            paths: its paths in the manifest.
        """
        digest = digest_of(key)
        if self.users.get(key):
            return f"is used in {', '.join(sorted(self.users[key]))}"
        if any(name_of(path) in self.unread for path in paths):
            return "may be used in a document that Pelican skips or cannot read"
        if digest in self.unsettled:
            return f"is in an invalid line of {self.manifest}; fix that line"
        return self._committed_reason(digest)

    def is_waiting(self, key: str) -> bool:
        """Return whether only committed manifests keep an image that has no line."""
        return not self.users.get(key) and bool(self._committed_reason(digest_of(key)))

    def _committed_reason(self, digest: str) -> str:
        if digest in self.committed:
            return (
                f"is listed in the committed {self.manifest}; run `pelican-imagehost gc`, "
                f"commit {self.manifest}, then repeat this"
            )
        if digest in self.recent:
            return (
                f"was listed in {self.manifest} in the last {self.grace_days} days, so cached "
                "pages may still show it; to delete it anyway, add --grace-days 0"
            )
        return ""


def _strings(value: object) -> Iterator[str]:
    """Yield every string in a value, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.items():
            yield from _strings(item)
    elif isinstance(value, list | tuple | set):
        for item in value:
            yield from _strings(item)
