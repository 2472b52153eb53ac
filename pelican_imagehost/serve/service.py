"""The upload service of one site: what its endpoints share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pelican_imagehost.report import HostedImage
from pelican_imagehost.serve.access import Access
from pelican_imagehost.serve.body import PATIENCE
from pelican_imagehost.serve.intake import Intake
from pelican_imagehost.serve.outbox import Outbox
from pelican_imagehost.serve.spool import Spool
from pelican_imagehost.storage.records import Records
from pelican_imagehost.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pelican_imagehost.serve.body import Patience
    from pelican_imagehost.serve.spool import SpooledFile
    from pelican_imagehost.settings import Settings

__all__ = ["Service"]


class Service:
    """Takes uploads into a site's store.

    Args:
        settings: the site's.
        tokens: name → secret.
        settings_file: Pelican's settings file, for commands in processes of their own.
        patience: with clients.

    Attributes:
        settings: the site's.
        settings_file: as given.
        patience: likewise.
        access: who may upload.
        store: the site's.
        spool: takes what arrives.
        outbox: publishes what was taken.

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
    ) -> None:
        self.settings = settings
        self.settings_file = settings_file
        self.patience = patience
        self.access = Access(tokens)
        self.store = Store(settings.store)
        self.spool = Spool(self.store, settings.limits)
        self.spool.prepare()
        self._records = Records(settings.records)
        self.outbox = Outbox(settings)
        self._intake = Intake(
            self.store,
            self._records,
            retracted=lambda: self.outbox.retracted,
            taken=self.outbox.notify,
        )

    def start(self) -> None:
        """Begin to take uploads."""
        self._intake.start()
        self.outbox.start()

    def close(self) -> None:
        """End; what has arrived is stored first."""
        self._intake.close()
        self.outbox.close()
        self._records.close()

    async def take(self, files: Sequence[SpooledFile], token: str) -> list[HostedImage]:
        """Store files, all or none.

        Args:
            files: as they arrived.
            token: the name of the token that they came with.

        Returns:
            One hosted image a file, in order, stored and recorded.

        Raises:
            Refusal: one cannot be hosted.
        """
        images = await self._intake.take(files, token)
        prefix = self.settings.address_prefix
        return [
            HostedImage(image, file.name, prefix + image.key)
            for file, image in zip(files, images, strict=True)
        ]
