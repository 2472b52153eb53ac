"""The upload service of a site, shared by its endpoints."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pelican_imagehost.report import HostedImage
from pelican_imagehost.serve.access import Access
from pelican_imagehost.serve.body import PATIENCE
from pelican_imagehost.serve.image_store import open_image_store
from pelican_imagehost.serve.intake import Intake
from pelican_imagehost.serve.outbox import Outbox
from pelican_imagehost.serve.spool import Spool
from pelican_imagehost.storage.book import open_records

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pelican_imagehost.serve.body import Patience
    from pelican_imagehost.serve.spool import SpooledFile
    from pelican_imagehost.settings import Settings

__all__ = ["Service"]

_STRANGERS = 8


class Service:
    """Stores uploads in a site.

    Args:
        settings: the settings of the site.
        tokens: name → secret.
        settings_file: the settings file of Pelican, for commands in separate processes.
        patience: the time limits for clients.
        allow_local_paths: whether every client may name files of this machine.

    Attributes:
        settings: as given.
        settings_file: as given.
        patience: as given.
        allow_local_paths: as given.
        access: checks tokens.
        strangers: limits the uploads at once whose token is in the form, behind the file.
        store: the place for the images.
        spool: the files being received.
        outbox: publishes uploads; None if that is done by storing them.

    Raises:
        ImageHostError: the store or the records cannot be written.
    """

    def __init__(
        self,
        settings: Settings,
        tokens: Mapping[str, str],
        settings_file: Path,
        *,
        patience: Patience = PATIENCE,
        allow_local_paths: bool = False,
    ) -> None:
        self.settings = settings
        self.settings_file = settings_file
        self.patience = patience
        self.allow_local_paths = allow_local_paths
        self._records = open_records(settings)
        # A bucket that is the store itself needs no outbox.
        self.outbox = Outbox(settings) if settings.database is None else None
        self.store = open_image_store(settings, self._records, self._retracted)
        self.spool = Spool(self.store.uploads, settings.limits, settings.keep_metadata)
        self.spool.prepare()
        self.access = Access(tokens, settings.index.with_name("imagehost-access.sqlite3"))
        self.strangers = asyncio.Semaphore(_STRANGERS)
        self._intake = Intake(self.store, self._records, self._publish)

    def start(self) -> None:
        """Start to accept uploads."""
        self._intake.start()
        if self.outbox:
            self.outbox.start()

    def close(self) -> None:
        """End the service; store everything received so far."""
        self._intake.close()
        if self.outbox:
            self.outbox.close()
        self._records.close()
        self.access.close()

    async def take(self, files: Sequence[SpooledFile], token: str) -> list[HostedImage]:
        """Store files, all or none.

        Args:
            files: the uploaded files.
            token: the name of the token of the request.

        Returns:
            A hosted image for each file, in order, stored and recorded.

        Raises:
            Refusal: one of them cannot be hosted.
        """
        images = await self._intake.take(files, token)
        prefix = self.settings.address_prefix
        return [
            HostedImage(image, file.name, prefix + image.key)
            for file, image in zip(files, images, strict=True)
        ]

    def _retracted(self) -> frozenset[str]:
        return self.outbox.retracted if self.outbox else frozenset()

    def _publish(self) -> None:
        if self.outbox:
            self.outbox.notify()
