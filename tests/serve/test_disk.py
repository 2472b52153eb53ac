"""The service on a full disk, and on a read-only one."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from pelican_imagehost.storage.records import Records
from tests.serve.abuse import GIF, check_refused, picture
from tests.serve.serverkit import TOKEN, Server, upload_site

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.conftest import Site

__all__ = ["upload_site"]  # a fixture


def digests(file: Path) -> list[str]:
    records = Records(file, read_only=True)
    found = [record.image.sha256 for record in records.all()]
    records.close()
    return found


def test_a_full_store_is_reported_and_works_again_when_there_is_room(
    upload_site: Site, small_disk: Path
) -> None:
    store = small_disk / "images"
    upload_site.configure(IMAGEHOST_STORE=str(store))
    server = Server(upload_site)
    try:
        check_refused(server.upload(picture(0, 100_000), "a.gif"), 507, "storage")
        filler = small_disk / "filler"
        filler.write_bytes(bytes(40_000))
        check_refused(server.upload(picture(0, 40_000), "a.gif"), 507, "storage")
        assert not list(store.glob("??/*"))
        assert not list((store / ".uploads").glob("*.part"))
        assert digests(upload_site.root / "imagehost-uploads.sqlite3") == []
        filler.unlink()
        answer = server.upload(picture(0, 40_000), "a.gif")
        assert answer.status == 200
        (stored,) = store.glob("??/*")
        assert stored.read_bytes() == picture(0, 40_000)
    finally:
        server.kill()


def test_records_without_room_are_said_and_work_again_when_there_is_room(
    upload_site: Site, small_disk: Path
) -> None:
    subprocess.run(["mount", "-o", "remount,size=256k", small_disk], check=True)
    file = small_disk / "uploads.sqlite3"
    upload_site.configure(IMAGEHOST_RECORDS=str(file))
    server = Server(upload_site)
    try:
        assert server.upload(GIF, "a.gif").status == 200
        filler = small_disk / "filler"
        fill(filler)
        statuses = [server.upload(picture(number), "a.gif").status for number in range(50)]
        assert statuses[-1] == 507
        assert len(digests(file)) == 1 + statuses.count(200)
        filler.unlink()
        assert [server.upload(picture(n), "a.gif").status for n in range(5)] == [200] * 5
        assert len(digests(file)) >= 6
        assert not list((upload_site.root / "images/.uploads").glob("*.part"))
    finally:
        server.kill()


def fill(file: Path) -> None:
    with file.open("wb", buffering=0) as opened:
        try:
            while opened.write(bytes(4096)) == 4096:
                pass
        except OSError:  # the disk is full
            return


def test_a_store_or_records_that_cannot_be_written_are_said_at_the_start(
    upload_site: Site, read_only_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGEHOST_TOKEN", TOKEN)
    for name in ("STORE", "RECORDS"):
        site = upload_site.publishconf(**{f"IMAGEHOST_{name}": str(read_only_folder / "a")})
        done = upload_site.cli("serve", "--port", "0", "-s", site)
        said = done.stderr.decode()
        assert (done.returncode, said.count("\n")) == (1, 1), said
        assert said.startswith("pelican-imagehost: error: ")
        assert str(read_only_folder) in said
