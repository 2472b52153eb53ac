"""Uploads that are published to a bucket of an object store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pelican_imagehost.images.image import digest_of
from tests.seaweed import get
from tests.serve.serverkit import Server
from tests.serve.test_outbox import wait_for, waiting
from tests.test_plugin import key_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import PictureMaker, Site
    from tests.seaweed import Place, Seaweed


@pytest.fixture
def pictures(tmp_path: Path, picture: PictureMaker) -> dict[str, bytes]:
    files = [picture(tmp_path / f"{number}.png", seed=number) for number in range(1, 4)]
    return {key_of(file): file.read_bytes() for file in files}


@pytest.fixture
def server(site: Site, bucket: Place) -> Iterator[Server]:
    site.configure(
        IMAGEHOST_KEEP_METADATA=["all"],  # bytes behind an image tell files apart
        IMAGEHOST_URL=bucket.url,
        IMAGEHOST_REMOTE=bucket.remote,
    )
    running = Server(site)
    yield running
    if running.process.poll() is None:
        running.kill()


def test_uploads_are_published_and_marked_for_every_gc(
    server: Server, bucket: Place, pictures: dict[str, bytes]
) -> None:
    for data in pictures.values():
        assert server.upload(data).status == 200
    wait_for(lambda: not waiting(server.site), server)
    marks = {f"uploads/{digest_of(key)}" for key in pictures}
    assert bucket.names() == pictures.keys() | marks
    for key, data in pictures.items():
        assert get(f"{bucket.url}/{key}").body == data
    first = next(iter(pictures))
    assert server.site.cli("gc", "--yes", first).returncode == 0  # as the gallery does it
    gone = {first, f"uploads/{digest_of(first)}"}
    assert bucket.names() == (pictures.keys() | marks) - gone | {f"retracted/{digest_of(first)}"}


def test_a_retracted_image_is_refused(
    server: Server, bucket: Place, pictures: dict[str, bytes]
) -> None:
    first, second, _ = pictures
    bucket.objects.put(f"retracted/{digest_of(first)}", b"", {})
    assert server.upload(pictures[second]).status == 200
    wait_for(lambda: not waiting(server.site), server)  # by which the service has learned it
    assert server.upload(pictures[first]).status == 409
    assert bucket.names() & {first, second} == {second}


def test_a_gateway_that_does_not_answer_is_asked_again(
    server: Server, seaweed: Seaweed, bucket: Place, pictures: dict[str, bytes]
) -> None:
    key, data = next(iter(pictures.items()))
    seaweed.kill("s3a")
    try:
        assert server.upload(data).status == 200  # an upload waits for nobody
        wait_for(lambda: "cannot publish uploads, will retry" in server.log.read_text(), server)
        assert "does not answer" in server.log.read_text()
    finally:
        seaweed.restart("s3a")
    wait_for(lambda: not waiting(server.site), server)
    assert get(f"{bucket.url}/{key}").body == data
    assert "Traceback" not in server.stop()
