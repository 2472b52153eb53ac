"""No door lets the metadata of a photo through, and no address moves by itself."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from io import BytesIO
from typing import TYPE_CHECKING, Any

import PIL.Image
import pytest

from tests.publish.test_author import Host, blog, host
from tests.serve.serverkit import Server
from tests.test_plugin import HOST, messages, post
from tests.watch.watchkit import Desk, clean_build, prepare, tree

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Require, Site

__all__ = ["blog", "host"]

SECRET = b"Rose Cottage, Mill Lane"
GPS = {1: "N", 2: (52.0, 12.0, 30.0), 3: "E", 4: (0.0, 7.0, 12.0)}  # Exif 2.32, section 4.6.6


def photo(colour: str = "red", secret: bytes = SECRET) -> bytes:
    """Return a JPEG as a phone writes it, turned by 90 degrees."""
    exif = PIL.Image.Exif()
    exif[0x010E], exif[0x0112] = secret.decode(), 6  # description, orientation
    exif.get_ifd(0x8825).update(GPS)
    buffer = BytesIO()
    PIL.Image.new("RGB", (60, 40), colour).save(buffer, "JPEG", exif=exif, comment=secret)
    return buffer.getvalue()


def plain(colour: str = "red") -> bytes:
    buffer = BytesIO()
    PIL.Image.new("RGB", (60, 40), colour).save(buffer, "JPEG")
    return buffer.getvalue()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def told(folder: Path) -> list[str]:
    """List the files below a folder that tell the secret."""
    return sorted(path for path, data in tree(folder).items() if SECRET in data)


def key_of_line(line: dict[str, Any]) -> str:
    return f"{line['sha256'][:2]}/{line['sha256']}.{line['type']}"


def stored(site: Site, line: dict[str, Any]) -> bytes:
    return (site.root / "images" / key_of_line(line)).read_bytes()


def keep_all(site: Site) -> None:
    """Publish with the metadata, as versions before this feature did."""
    site.configure(IMAGEHOST_KEEP_METADATA=["all"])


def test_a_build_publishes_the_pixels_alone(site: Site) -> None:
    data = photo()
    site.write("content/home.jpg", data)
    post(site, "a.md", "![a](home.jpg)")
    site.build()
    (line,) = site.manifest()
    assert line["source"] == digest(data)
    published = stored(site, line)
    assert digest(published) == line["sha256"]
    assert line["size"] == len(published)
    assert (line["width"], line["height"]) == (40, 60)  # as it is shown
    with PIL.Image.open(BytesIO(published)) as one, PIL.Image.open(BytesIO(data)) as other:
        assert one.tobytes() == other.tobytes()
        assert dict(one.getexif()) == {0x0112: 6}
    assert told(site.root / "output") == told(site.root / "images") == []
    assert (site.root / "content/home.jpg").read_bytes() == data
    before = (site.root / "imagehost.jsonl").read_bytes()
    site.build()
    assert (site.root / "imagehost.jsonl").read_bytes() == before


def test_what_has_nothing_to_clean_keeps_its_bytes(site: Site) -> None:
    site.write("content/cat.jpg", plain())
    post(site, "a.md", "![a](cat.jpg)")
    site.build()
    (line,) = site.manifest()
    assert line["sha256"] == digest(plain())
    assert "source" not in line


def test_two_photos_that_differ_in_metadata_alone_are_one_image(site: Site) -> None:
    site.write("content/a.jpg", photo())
    site.write("content/b.jpg", photo(secret=b"Another day"))
    post(site, "a.md", "![a](a.jpg) ![b](b.jpg)")
    site.build()
    one, two = site.manifest()
    assert one["sha256"] == two["sha256"]
    assert one["source"] != two["source"]
    assert site.cli("list").stdout.count(one["sha256"].encode()) == 1


def test_everything_is_kept_on_request(site: Site) -> None:
    keep_all(site)
    site.write("content/extra/home.jpg", photo())
    site.configure(STATIC_PATHS=["extra"])
    post(site, "a.md", "![a](/extra/home.jpg)")
    site.build()
    (line,) = site.manifest()
    assert line["sha256"] == digest(photo())
    assert (site.root / "output/extra/home.jpg").read_bytes() == photo()
    assert site.cli("check").returncode == 0


COPIES: dict[str, dict[str, object]] = {
    "as Pelican does": {},
    "links": {"STATIC_CREATE_LINKS": True},
    "only newer": {"STATIC_CHECK_IF_MODIFIED": True},
    "named only": {"IMAGEHOST_KEEP_STATIC": False},
    "on a host": {"IMAGEHOST_URL": HOST},
    "on a host, frozen": {"IMAGEHOST_URL": HOST, "IMAGEHOST_FROZEN": False},
}


@pytest.mark.parametrize("settings", COPIES.values(), ids=COPIES)
def test_copies_of_static_files_are_clean(site: Site, settings: dict[str, object]) -> None:
    site.write("content/extra/named.jpg", photo())
    site.write("content/extra/other.jpg", photo("blue"))
    site.write("content/extra/plain.jpg", plain())
    site.write("content/extra/notes.txt", b"Words.")
    post(site, "a.md", "![a](/extra/named.jpg)\n\n[b]({static}/extra/plain.jpg)")
    site.configure(STATIC_PATHS=["extra"])
    site.build()  # makes copies that the next settings find
    site.configure(**settings)
    for _ in range(2):
        site.build()
        assert told(site.root / "output") == []
        copies = tree(site.root / "output/extra")
        assert {"other.jpg", "plain.jpg", "notes.txt"} <= copies.keys()
        assert copies["plain.jpg"] == plain()
        with PIL.Image.open(BytesIO(copies["other.jpg"])) as shown:
            assert shown.size == (60, 40)
    site.write("content/extra/other.jpg", photo("green"))
    site.build()
    assert told(site.root / "output") == []
    assert tree(site.root / "output/extra")["other.jpg"] != copies["other.jpg"]


def test_copies_that_were_made_before_are_replaced(site: Site) -> None:
    site.write("content/extra/named.jpg", photo())
    site.write("content/extra/other.jpg", photo("blue"))
    post(site, "a.md", "![a](/extra/named.jpg)")
    site.configure(STATIC_PATHS=["extra"], PLUGINS=[])
    site.build()
    assert told(site.root / "output") == ["extra/named.jpg", "extra/other.jpg"]
    site.configure(PLUGINS=["pelican_imagehost"])
    site.build()
    assert told(site.root / "output") == []


def test_a_copy_that_cannot_be_followed_is_a_problem(site: Site) -> None:
    site.write("content/extra/cut.jpg", photo()[:-300])
    site.write("content/extra/page.jpg", b"<html>no image</html>")
    post(site, "a.md", "Words.")
    site.configure(STATIC_PATHS=["extra"])
    text = messages(site.build())
    assert "content/extra/cut.jpg: " in text
    assert "it may hold private data, so it is not copied" in text
    assert list(tree(site.root / "output/extra")) == ["page.jpg"]


def test_add_and_uploads_are_clean(site: Site) -> None:
    outside = site.root.parent / "home.jpg"
    outside.write_bytes(photo())
    url = site.cli("add", outside).stdout.decode().strip()
    assert digest(photo()) not in url
    server = Server(site)
    try:
        answer = server.upload(photo(), "home.jpg")
        assert answer.status == 200
        again = server.upload(photo("blue"), "other.jpg")
    finally:
        server.stop()
    assert url.rpartition("/")[2].encode() in answer.body
    assert again.status == 200
    assert told(site.root / "images") == []
    assert len(list((site.root / "images").glob("??/*.jpg"))) == 2


def test_drafting_is_clean(site: Site) -> None:
    prepare(site)
    site.write("content/extra/other.jpg", photo("blue"))
    with Desk(site) as desk:
        desk.settle()
        site.write("content/home.jpg", photo())
        post(site, "post-1.md", "![a](home.jpg)")
        desk.settle()
    output = site.root / "output"
    assert told(output) == told(site.root / "images") == []
    assert tree(output)["extra/other.jpg"] == clean_build(site)["extra/other.jpg"]


def test_a_lost_image_is_restored_from_the_file(site: Site) -> None:
    site.write("content/home.jpg", photo())
    post(site, "a.md", "![a](home.jpg)")
    site.build()
    (line,) = site.manifest()
    before = stored(site, line)
    shutil.rmtree(site.root / "images")
    assert site.cli("verify", "--repair").returncode == 0
    assert stored(site, line) == before


def build_hosted(site: Site) -> str:
    """Build a site with a photo on a host; return its page."""
    site.configure(IMAGEHOST_URL=HOST)
    site.write("content/home.jpg", photo())
    post(site, "a.md", "![a](home.jpg)")
    site.build()
    return site.output("a.html")


def test_the_same_pages_come_from_a_clone_without_the_image(site: Site) -> None:
    before = build_hosted(site)
    site.remove_what_is_made()
    (site.root / "content/home.jpg").unlink()
    assert "problem" not in messages(site.build())
    assert site.output("a.html") == before


def test_a_frozen_build_accepts_the_file_of_a_line(site: Site) -> None:
    before = build_hosted(site)
    site.remove_what_is_made()
    site.configure(IMAGEHOST_FROZEN=True, IMAGEHOST_STRICT=True)
    site.build()
    assert site.output("a.html") == before
    assert not list(site.root.glob("images/??"))


def test_an_lfs_pointer_stands_for_the_file(site: Site) -> None:
    before = build_hosted(site)
    pointer = (
        "version https://git-lfs.github.com/spec/v1\n"
        f"oid sha256:{digest(photo())}\nsize {len(photo())}\n"
    )
    site.write("content/home.jpg", pointer)
    shutil.rmtree(site.root / "images")
    assert "problem" not in messages(site.build())
    assert site.output("a.html") == before


@pytest.fixture
def old_site(site: Site) -> Site:
    """A site whose images were stored with everything in them."""
    keep_all(site)
    site.write("content/home.jpg", photo())
    site.write("content/cat.jpg", plain("blue"))
    outside = site.root.parent / "upload.jpg"
    outside.write_bytes(photo("green"))
    url = site.cli("add", outside).stdout.decode().strip()
    post(site, "a.md", "![a](home.jpg) ![c](cat.jpg)")
    post(site, "b.md", f"![b]({url})")
    site.write("content/extra/style.css", f"body {{ background: url({url}) }}")
    os.chmod(site.root / "content/b.md", 0o640)
    site.build()
    site.configure(IMAGEHOST_KEEP_METADATA=[])
    return site


def test_no_address_moves_by_itself_and_check_names_what_is_online(old_site: Site) -> None:
    before = (old_site.root / "imagehost.jsonl").read_bytes()
    pages = old_site.output("a.html")
    for lost in ("", "cache/imagehost.sqlite3", "output"):
        target = old_site.root / lost
        if lost:
            shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)
        old_site.build()
        assert (old_site.root / "imagehost.jsonl").read_bytes() == before
        assert old_site.output("a.html") == pages
    found = old_site.cli("check", "--all")
    assert found.returncode == 1
    lines = found.stdout.decode().splitlines()
    assert "content/home.jpg: says where it was taken; run: pelican-imagehost clean" in lines
    assert len(lines) == 2
    assert b"2 with metadata that would be removed today" in old_site.cli("verify").stderr


def test_one_command_cleans_what_is_stored_and_moves_the_links(old_site: Site) -> None:
    before = {line["path"]: line for line in old_site.manifest()}
    listed = old_site.cli("clean", "--dry-run")
    assert b"2 images to clean" in listed.stderr
    assert {line["path"]: line for line in old_site.manifest()} == before
    done = old_site.cli("clean", "--yes")
    assert done.returncode == 0, done.stderr
    after = {line["path"]: line for line in old_site.manifest()}
    assert len(after) == len(before)
    assert after["content/cat.jpg"] == before["content/cat.jpg"]
    assert after["content/home.jpg"]["source"] == digest(photo())
    for line in after.values():
        assert SECRET not in stored(old_site, line)
    for line in before.values():
        assert stored(old_site, line)  # for pages in caches
    (upload,) = [path for path in after if path.startswith("images/")]
    (uploaded,) = [path for path in before if path.startswith("images/")]
    assert upload.endswith(f"{after[upload]['sha256']}.jpg")
    for name in ("content/b.md", "content/extra/style.css"):
        text = (old_site.root / name).read_text("utf-8")
        assert before[uploaded]["sha256"] not in text
        assert after[upload]["sha256"] in text
        assert name in done.stderr.decode()
    assert (old_site.root / "content/b.md").stat().st_mode & 0o777 == 0o640
    assert "problem" not in messages(old_site.build())
    assert after["content/home.jpg"]["sha256"] in old_site.output("a.html")
    assert [line for line in old_site.manifest() if line != after[line["path"]]] == []
    again = old_site.cli("clean", "--yes", "--grace-days", "0")
    assert b"0 images to clean" in again.stderr
    assert b"took 2 old images offline" in again.stderr
    assert told(old_site.root / "images") == []
    assert old_site.cli("check").returncode == 0
    assert old_site.cli("verify").returncode == 0


def test_the_old_images_stay_for_the_grace_period(old_site: Site, identity: Path) -> None:  # noqa: ARG001  git's
    git = ["git", "-C", str(old_site.root)]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "imagehost.jsonl"], check=True)
    subprocess.run([*git, "commit", "-qm", "Old"], check=True)
    assert old_site.cli("clean", "--yes").returncode == 0
    subprocess.run([*git, "commit", "-qam", "Clean"], check=True)
    done = old_site.cli("clean", "--yes")
    assert b"2 old images still online for 30 days" in done.stderr
    assert len(told(old_site.root / "images")) == 2
    done = old_site.cli("clean", "--yes", "--now")
    assert b"took 2 old images offline" in done.stderr, done.stderr
    assert told(old_site.root / "images") == []


def test_uploads_are_cleaned_with_their_records(site: Site) -> None:
    keep_all(site)
    server = Server(site)
    try:
        assert server.upload(photo(), "home.jpg").status == 200
    finally:
        server.stop()
    site.configure(IMAGEHOST_KEEP_METADATA=[])
    assert site.cli("clean", "--yes", "--now").returncode == 0
    assert told(site.root / "images") == []
    listed = site.cli("list", "--json").stdout
    assert b'"name": "home.jpg"' in listed
    assert digest(photo()).encode() not in listed
    assert site.cli("verify").returncode == 0


def test_a_damaged_file_is_refused_with_its_line(site: Site) -> None:
    site.write("content/cut.jpg", photo()[:-300])
    post(site, "a.md", "![a](cut.jpg)")
    assert "content/a.md:4: cut.jpg: " in messages(site.build())
    assert told(site.root / "images") == []


def test_exiftool_finds_nothing(site: Site, require: Require) -> None:
    require(shutil.which("exiftool"), "exiftool is not installed")
    site.write("content/extra/home.jpg", photo())
    site.configure(STATIC_PATHS=["extra"])
    post(site, "a.md", "![a](/extra/home.jpg)")
    site.build()
    found = subprocess.run(
        ["exiftool", "-r", "-G", "-a", "-u", "-ext", "jpg", site.root / "output"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert found.count("Orientation") == 2
    assert "GPS" not in found
    assert "Description" not in found
    assert "Comment" not in found


@pytest.fixture
def online(identity: Path, blog: Site, host: Host) -> Site:  # noqa: ARG001  git's
    """A site with a host, also in its first settings file, that has published its images."""
    blog.configure(IMAGEHOST_URL=host.url, IMAGEHOST_REMOTE=str(host.repository))
    assert blog.cli("publish", "--no-confirm").returncode == 0
    return blog


def test_nothing_private_is_in_the_history_of_the_host(online: Site, host: Host) -> None:
    online.write("content/home.jpg", photo())
    post(online, "home.md", "![a](home.jpg)")
    online.build()
    done = online.cli("publish", "--no-confirm")
    assert done.returncode == 0, done.stderr
    for line in online.manifest():
        data = subprocess.run(
            ["git", "-C", host.repository, "show", f"main:{key_of_line(line)}"],
            capture_output=True,
            check=True,
        ).stdout
        assert SECRET not in data
    assert told(online.root / "images") == []


def test_what_an_earlier_version_has_stored_is_not_published(online: Site, host: Host) -> None:
    keep_all(online)
    online.write("content/home.jpg", photo())
    post(online, "home.md", "![a](home.jpg)")
    online.build()
    online.configure(IMAGEHOST_KEEP_METADATA=[])
    before = host.names()
    refused = online.cli("publish", "--no-confirm")
    assert refused.returncode == 1
    assert (
        b"content/home.jpg says where it was taken; nothing was sent; run: pelican-imagehost clean"
        in refused.stderr
    )
    assert host.names() == before
    assert online.cli("clean", "--yes").returncode == 0
    assert online.cli("publish", "--no-confirm").returncode == 0
    (line,) = [line for line in online.manifest() if line["path"] == "content/home.jpg"]
    assert key_of_line(line) in host.names()


def test_what_is_online_is_replaced_there(online: Site, host: Host) -> None:
    keep_all(online)
    online.write("content/home.jpg", photo())
    post(online, "home.md", "![a](home.jpg)")
    online.build()
    assert online.cli("publish", "--no-confirm").returncode == 0
    (old,) = [line for line in online.manifest() if line["path"] == "content/home.jpg"]
    assert key_of_line(old) in host.names()
    online.configure(IMAGEHOST_KEEP_METADATA=[])
    done = online.cli("clean", "--yes", "--now")
    assert done.returncode == 0, done.stderr
    (new,) = [line for line in online.manifest() if line["path"] == "content/home.jpg"]
    assert key_of_line(new) in host.names()
    assert key_of_line(old) not in host.names()
    assert f"retracted/{old['sha256']}" in " ".join(host.names())
    online.build()
    assert "problem" not in messages(online.build())
