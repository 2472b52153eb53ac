"""The endpoints that `bench_upload` compares with: the body of a request, written to a file.

python -m tests.benchmarks.floor {plain,sha256,sync,both} PORT
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import queue
import sys
import threading
from typing import TYPE_CHECKING, NamedTuple

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from pelican_imagehost.storage.durable import sync_directory, sync_files

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["FLOORS"]


class Floor(NamedTuple):
    """What an endpoint does besides."""

    hashes: bool
    syncs: bool


FLOORS = {
    "plain": Floor(hashes=False, syncs=False),
    "sha256": Floor(hashes=True, syncs=False),
    "sync": Floor(hashes=False, syncs=True),
    "both": Floor(hashes=True, syncs=True),
}


class Batches:
    """A thread that gives files their names, durably: all that have been written by then."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[tuple[str, str, asyncio.Future[None]]] = queue.SimpleQueue()
        threading.Thread(target=self._work, daemon=True).start()

    async def name(self, file: str, name: str) -> None:
        """Rename a file, and wait until its bytes and its name are durable."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.put((file, name, done))
        await done

    def _work(self) -> None:
        while True:
            batch = [self._queue.get()]
            while not self._queue.empty():
                batch.append(self._queue.get())
            sync_files([file for file, _, _ in batch])
            for file, name, _ in batch:
                os.rename(file, name)
            sync_directory(".")
            batch[0][2].get_loop().call_soon_threadsafe(_answer, batch)


def _answer(batch: list[tuple[str, str, asyncio.Future[None]]]) -> None:
    for _, _, done in batch:
        done.set_result(None)


def serve(floor: Floor, port: int) -> None:
    """Serve an endpoint, in the working directory."""
    numbers = itertools.count()
    batches = Batches() if floor.syncs else None

    async def write(request: Request) -> Response:
        name = f"{next(numbers)}"
        digest = hashlib.sha256() if floor.hashes else None
        with open(f"{name}.part", "wb", buffering=0) as file:  # noqa: ASYNC230  as plain as can be
            async for chunk in request.stream():
                file.write(chunk)
                if digest is not None:
                    digest.update(chunk)
        if digest is not None:
            name = digest.hexdigest()
        if batches is not None:
            await batches.name(file.name, name)
        return JSONResponse({"url": f"/{name}"})

    uvicorn.run(
        Starlette(routes=[Route("/upload/image", write, methods=["POST"])]),
        port=port,
        timeout_keep_alive=2,
        access_log=False,
        log_config=None,
        server_header=False,
    )


if __name__ == "__main__":
    serve(FLOORS[sys.argv[1]], int(sys.argv[2]))
