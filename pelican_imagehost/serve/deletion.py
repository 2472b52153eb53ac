"""The deletion of images, by the command line in a separate process.

The site must be read again to know the uses of an image. Its settings are a program, and
reading them changes the state of a process, so the service does not do it itself.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from typing import TYPE_CHECKING

from pelican_imagehost.errors import printable
from pelican_imagehost.gallery.listing import Deletion
from pelican_imagehost.serve.refusal import Refusal
from pelican_imagehost.serve.tokens import VARIABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pelican_imagehost.serve.service import Service

__all__ = ["delete"]

logger = logging.getLogger(__name__)

_PATIENCE = 300.0  # seconds, to read a large site and push to its host


async def delete(service: Service, digests: Sequence[str]) -> list[Deletion]:
    """Delete unused images.

    Args:
        service: the service.
        digests: the SHA-256 of each image.

    Returns:
        The outcome for each, in order.

    Raises:
        Refusal: the site cannot be read, or deleting took too long.
    """
    options = ("delete-chosen", "--settings", str(service.settings_file))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pelican_imagehost", *options, "--", *digests,
        cwd=service.settings.root,
        env={name: value for name, value in os.environ.items() if name != VARIABLE},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_PATIENCE):
            output, messages = await process.communicate()
    except TimeoutError:
        process.kill()
        raise Refusal(504, "too_slow", "deleting took too long; reload the page later") from None
    try:
        deletions = [_shown(Deletion(**fields)) for fields in json.loads(output)]
    except ValueError:
        lines = messages.decode(errors="replace").strip().splitlines()
        reason = lines[-1] if lines else f"gc exited with status {process.returncode}"
        raise Refusal(500, "not_deleted", reason.removeprefix("pelican-imagehost: ")) from None
    for deletion in deletions:
        logger.info("delete %s: %s", deletion.name, deletion.message)
    return deletions


def _shown(deletion: Deletion) -> Deletion:
    """Make the name of a file safe for a page, for JSON and for the log."""
    name, message = printable(deletion.name), printable(deletion.message)
    return deletion._replace(name=name, message=message)
