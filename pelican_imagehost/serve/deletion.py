"""Deleting images, by the command line in a process of its own.

Only a site that was read anew tells what uses an image. Its settings are a program, and
reading it changes much of a process, so that is not done in the one that serves.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from typing import TYPE_CHECKING

from pelican_imagehost.gallery.listing import Deletion
from pelican_imagehost.serve.refusal import Refusal
from pelican_imagehost.serve.tokens import VARIABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pelican_imagehost.serve.service import Service

__all__ = ["delete"]

logger = logging.getLogger(__name__)

_PATIENCE = 300.0  # seconds: a large site is read, and its host is pushed to


async def delete(service: Service, digests: Sequence[str]) -> list[Deletion]:
    """Delete the images that nothing uses.

    Args:
        service: whose.
        digests: which.

    Returns:
        What became of each, in order.

    Raises:
        Refusal: the site cannot be read, or it took too long.
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
            output, said = await process.communicate()
    except TimeoutError:
        process.kill()
        raise Refusal(504, "too_slow", "deleting took too long; look again later") from None
    try:
        deletions = [Deletion(**fields) for fields in json.loads(output)]
    except ValueError:
        lines = said.decode(errors="replace").strip().splitlines()
        reason = lines[-1] if lines else f"it ended with {process.returncode}"
        raise Refusal(500, "not_deleted", reason.removeprefix("pelican-imagehost: ")) from None
    for deletion in deletions:
        logger.info("delete %s: %s", deletion.name, deletion.message)
    return deletions
