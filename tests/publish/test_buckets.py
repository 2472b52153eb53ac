"""Publishing to a bucket: real SeaweedFS, real readers over HTTP, real git for the site."""

from __future__ import annotations

import hashlib
import time
from contextlib import closing, nullcontext
from io import BytesIO
from typing import TYPE_CHECKING, Any

import PIL.Image
import pytest

from pelican_imagehost.images.image import digest_of
from pelican_imagehost.publish import s3_target
from pelican_imagehost.publish.s3_target import S3Target
from pelican_imagehost.site.site import Site as PelicanSite
from pelican_imagehost.storage.records import Records
from pelican_imagehost.upkeep import garbage
from tests.conftest import Site
from tests.publish.test_author import commit, git, make_ready, push
from tests.seaweed import get
from tests.serve.serverkit import Server
from tests.serve.test_outbox import wait_for, waiting
from tests.site.test_variants import photo
from tests.test_metadata import SECRET, keep_all, key_of_line, stored
from tests.test_metadata import photo as phone_photo
from tests.test_plugin import key_of, messages, post

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Browser

    from pelican_imagehost.settings import Settings
    from tests.seaweed import Place

pytestmark = pytest.mark.usefixtures("identity")


WRONG = {"AWS_SECRET_ACCESS_KEY": "wrong"}


def silent(_keys: list[str]) -> nullcontext[Callable[[int], None]]:
    return nullcontext(lambda _size: None)


@pytest.fixture
def blog(site: Site, bucket: Place, tmp_path: Path) -> Site:
    """A site ready to publish: two posts, a repository, a bucket, and `init` done."""
    make_ready(site, tmp_path, url=bucket.url, remote=bucket.remote)
    return site


def publish(site: Site, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    completed = site.cli("publish", "-s", "publishconf.py", "--wait", "20", *arguments)
    assert completed.returncode == 0, completed.stderr.decode()
    return completed


def key(site: Site, name: str) -> str:
    return key_of(site.root / "content" / name)


def test_published_images_are_there_for_readers_with_their_headers(
    blog: Site, bucket: Place
) -> None:
    completed = publish(blog)
    assert b"publishing 2 images" in completed.stderr
    assert b"2 images online" in completed.stderr
    for name in ("one.png", "two.png"):
        answer = get(f"{bucket.url}/{key(blog, name)}")
        assert answer.body == (blog.root / "content" / name).read_bytes()
        assert answer.headers["Content-Type"] == "image/png"
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["Content-Disposition"] is None
    assert bucket.names() == {key(blog, "one.png"), key(blog, "two.png")}
    again = publish(blog)
    assert again.stdout == b""
    assert b"no new images" in again.stderr
    assert b"online" not in again.stderr  # remembered: nobody is asked again


def test_a_dry_run_sends_nothing(blog: Site, bucket: Place) -> None:
    completed = publish(blog, "--dry-run")
    assert completed.stdout.count(bucket.url.encode()) == 2
    assert bucket.names() == set()


def test_many_images_are_found_by_listing(blog: Site, bucket: Place) -> None:
    for number in range(120):
        blog.picture(f"content/m{number}.png", text_seed=number + 1000)
    post(blog, "many.md", "\n".join(f"![a](m{number}.png)" for number in range(120)))
    publish(blog)
    assert len(bucket.names()) == 122
    bucket.objects.delete([key(blog, "m7.png"), key(blog, "one.png")])
    completed = publish(blog)  # what was removed is sent again, and asked for again
    assert b"publishing 2 images" in completed.stderr
    assert b"2 images online" in completed.stderr
    assert len(bucket.names()) == 122


def test_git_push_publishes_first(blog: Site, bucket: Place, tmp_path: Path) -> None:
    commit(blog)
    pushed = push(blog)
    assert pushed.returncode == 0, pushed.stderr
    assert "2 images online" in pushed.stderr
    assert bucket.names() == {key(blog, "one.png"), key(blog, "two.png")}
    # A push without news asks nobody: it passes with a key that the bucket would refuse.
    (blog.root / "README.md").write_text("Words")
    commit(blog)
    quiet = push(blog, **WRONG)
    assert quiet.returncode == 0, quiet.stderr
    new = blog.picture("content/new.png", colour="green")
    post(blog, "new.md", "![a](new.png)")
    commit(blog)
    refused = push(blog, **WRONG)
    assert refused.returncode != 0
    assert "refused the secret key" in refused.stderr
    rehearsed = push(blog, "--dry-run")
    assert "1 image would be published" in rehearsed.stderr
    assert key_of(new) not in bucket.names()
    assert push(blog).returncode == 0
    assert key_of(new) in bucket.names()
    tip = git("rev-parse", "main", folder=tmp_path / "site.git")
    assert tip == git("rev-parse", "HEAD", folder=blog.root)


def test_an_address_that_does_not_serve_the_bucket_refuses_the_push(
    blog: Site, bucket: Place
) -> None:
    blog.publishconf(IMAGEHOST_URL="http://127.0.0.1:9/images", IMAGEHOST_REMOTE=bucket.remote)
    commit(blog)
    refused = push(blog, IMAGEHOST_WAIT="0")
    assert refused.returncode != 0
    assert "2 of 2 images are not online" in refused.stderr


def test_a_retracted_image_is_gone_and_stays_away(blog: Site, bucket: Place) -> None:
    publish(blog)
    one = key(blog, "one.png")
    completed = blog.cli("retract", "-s", "publishconf.py", "content/one.png")
    assert completed.returncode == 0, completed.stderr
    assert b"if the bucket keeps versions" in completed.stderr
    assert bucket.names() == {key(blog, "two.png"), f"retracted/{digest_of(one)}"}
    assert get(f"{bucket.url}/{one}").status == 404
    refused = blog.cli("publish", "-s", "publishconf.py")
    assert refused.returncode == 1
    assert b"retract --undo" in refused.stderr
    undone = blog.cli("retract", "-s", "publishconf.py", "--undo", "content/one.png")
    assert undone.returncode == 0, undone.stderr
    publish(blog)
    assert bucket.names() == {one, key(blog, "two.png")}


def test_variants_are_gone_and_allowed_again_with_their_image(blog: Site, bucket: Place) -> None:
    blog.configure(IMAGEHOST_WIDTHS=[200, 400])
    blog.write("content/cat.jpg", photo())
    blog.write("content/cat.md", "Title: Cat\nDate: 2024-01-01\n\n![a](cat.jpg)\n")
    blog.build()
    publish(blog)
    (line,) = [one for one in blog.manifest() if one["path"] == "content/cat.jpg"]
    cat = {f"{line['sha256'][:2]}/{line['sha256']}.jpg"}
    cat |= {f"{one[2][:2]}/{one[2]}.{one[3]}" for one in line["variants"]}
    assert len(cat) == 3
    assert bucket.names() >= cat
    gone = blog.cli("retract", "-s", "publishconf.py", "content/cat.jpg")
    assert gone.returncode == 0, gone.stderr
    assert not bucket.names() & cat
    undone = blog.cli("retract", "-s", "publishconf.py", "--undo", "content/cat.jpg")
    assert undone.returncode == 0, undone.stderr
    blog.build()
    publish(blog)
    assert bucket.names() >= cat


@pytest.mark.parametrize("learned", [False, True])
def test_a_retract_by_another_author_is_seen(
    blog: Site, bucket: Place, tmp_path: Path, *, learned: bool
) -> None:
    publish(blog)
    commit(blog)
    assert push(blog).returncode == 0
    other = S3Target(other_settings(blog, bucket, tmp_path / "other"), bucket.remote)
    with other.store.locked():
        other.withdraw([key(blog, "one.png")])
    if learned:
        old_target(blog, bucket).refresh()  # as another command may have done
    (blog.root / "content/words.md").write_text("Title: w\nDate: 2024-01-01\n\n![a](two.png)\n")
    commit(blog)
    refused = push(blog)
    assert refused.returncode != 0
    assert "content/one.png was retracted" in refused.stderr
    built = blog.build(settings="publishconf.py")
    assert "retracted" in built.stdout + built.stderr


def settings_of(blog: Site, bucket: Place) -> Settings:
    return blog.settings()._replace(url=bucket.url, remote=bucket.remote)


def other_settings(blog: Site, bucket: Place, folder: Path) -> Settings:
    """Return the settings of another author, who has nothing yet."""
    index = folder / "cache/imagehost.sqlite3"
    return settings_of(blog, bucket)._replace(store=folder / "images", index=index)


def test_a_cdn_that_still_answers_is_named(blog: Site, bucket: Place) -> None:
    """The served copy is another bucket's prefix: as with a CDN, deleting here is not enough."""
    publish(blog)
    copy = bucket.beside("copy")
    one = key(blog, "one.png")
    data = (blog.root / "content/one.png").read_bytes()
    copy.objects.put(one, data, {"Content-Type": "image/png"})
    blog.publishconf(IMAGEHOST_URL=copy.url, IMAGEHOST_REMOTE=bucket.remote)
    completed = blog.cli("retract", "-s", "publishconf.py", "content/one.png")
    assert completed.returncode == 0, completed.stderr
    assert f"{copy.url}/{one} still answers".encode() in completed.stderr


def test_an_svg_is_shown_in_a_page_and_downloaded_when_opened(
    blog: Site, bucket: Place, browser: Browser
) -> None:
    picture = blog.picture("content/plan.svg", size=(80, 60))
    post(blog, "plan.md", "![a](plan.svg)")
    publish(blog)
    address = f"{bucket.url}/{key_of(picture)}"
    page = browser.new_page()
    page.set_content(f'<img src="{address}">')
    page.wait_for_function("document.images[0].complete")
    assert page.evaluate("document.images[0].naturalWidth") == 80
    with page.expect_download() as download, pytest.raises(Exception, match="Download is starting"):
        page.goto(address)
    assert download.value.path().read_bytes() == picture.read_bytes()
    page.close()


def old_target(site: Site, bucket: Place, grace: float = 0.0) -> S3Target:
    return S3Target(settings_of(site, bucket), bucket.remote, grace)


def test_gc_keeps_what_is_young_used_or_an_upload(blog: Site, bucket: Place) -> None:
    publish(blog)
    stray = "ab/ab" + "0" * 62 + ".png"
    bucket.objects.put(stray, b"x", {})
    completed = blog.cli("gc", "-s", "publishconf.py", "--yes")
    assert completed.returncode == 0, completed.stderr
    assert stray in bucket.names()  # written today
    target = old_target(blog, bucket)
    time.sleep(1.1)  # times of objects are whole seconds
    used = {key(blog, "one.png"), key(blog, "two.png")}
    assert target.unneeded(used.__contains__) == {stray: 1}
    target.note_uploads([digest_of(stray)])
    assert target.unneeded(used.__contains__) == {}
    target.remove([stray])
    assert bucket.names() == used | {f"uploads/{digest_of(stray)}"}


def test_gc_deletes_old_images_from_the_bucket(
    blog: Site, bucket: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_target, "GRACE", 0.0)
    publish(blog)
    one, two = key(blog, "one.png"), key(blog, "two.png")
    for name in ("two.md", "two.png"):
        (blog.root / "content" / name).unlink()
    time.sleep(1.1)
    site = PelicanSite(blog.root / "publishconf.py")
    plan = garbage.plan(site, grace_days=0)
    assert plan.published == {two: blog.settings().store.joinpath(two).stat().st_size}
    deleted = garbage.carry_out(site.settings, plan)
    assert deleted.files.keys() == {two}
    assert bucket.names() == {one}
    assert garbage.plan(site, grace_days=0).garbage.files == {}


def test_verify_looks_at_what_is_published(blog: Site, bucket: Place) -> None:
    publish(blog)
    well = blog.cli("verify", "-s", "publishconf.py", "--published", "--deep")
    assert well.returncode == 0, well.stderr
    assert b"2 images published, 0 missing or damaged" in well.stderr
    one, two = key(blog, "one.png"), key(blog, "two.png")
    size = (blog.root / "content/one.png").stat().st_size
    bucket.objects.put(one, bytes(size), {"Content-Type": "image/png"})
    assert blog.cli("verify", "-s", "publishconf.py", "--published").returncode == 0
    deep = blog.cli("verify", "-s", "publishconf.py", "--published", "--deep")
    assert (deep.returncode, deep.stdout) == (1, f"{one}: has other bytes\n".encode())
    bucket.objects.put(one, b"x", {})
    bucket.objects.delete([two])
    bad = blog.cli("verify", "-s", "publishconf.py", "--published")
    assert bad.returncode == 1
    lines = {f"{one}: has 1 bytes instead of {size:,}", f"{two}: missing"}
    assert set(bad.stdout.decode().splitlines()) == lines
    wrong = blog.cli("verify", "--deep")
    assert wrong.returncode == 2


def test_verify_repairs_the_store_from_the_bucket(blog: Site) -> None:
    publish(blog)
    one = key(blog, "one.png")
    data = (blog.root / "content/one.png").read_bytes()
    (blog.root / "content/one.png").unlink()
    (blog.root / "images" / one).unlink()
    assert blog.cli("verify", "-s", "publishconf.py").returncode == 1
    repaired = blog.cli("verify", "-s", "publishconf.py", "--repair")
    assert repaired.returncode == 0, repaired.stderr
    assert (blog.root / "images" / one).read_bytes() == data


def publish_untidy(blog: Site, data: bytes, bucket: Place) -> str:
    """Publish a photo with everything in it, as earlier versions did; return its key."""
    keep_all(blog)
    blog.write("content/home.jpg", data)
    post(blog, "home.md", "![a](home.jpg)")
    blog.build(settings="publishconf.py")
    old = key_of_line(line_of(blog, "content/home.jpg"))
    post(blog, "link.md", f"[full size]({bucket.url}/{old})")
    publish(blog)
    commit(blog)
    blog.configure(IMAGEHOST_KEEP_METADATA=[])
    return old


def line_of(site: Site, path: str) -> dict[str, Any]:
    (line,) = [line for line in site.manifest() if line["path"] == path]
    return line


def clean_now(site: Site) -> None:
    done = site.cli("clean", "-s", "publishconf.py", "--yes", "--now")
    assert done.returncode == 0, done.stderr
    assert b"took 1 old image offline" in done.stderr


def test_a_photo_that_tells_where_it_was_taken_is_replaced(blog: Site, bucket: Place) -> None:
    old = publish_untidy(blog, phone_photo(), bucket)
    assert SECRET in get(f"{bucket.url}/{old}").body
    others = bucket.names() - {old}
    clean_now(blog)
    new = line_of(blog, "content/home.jpg")
    key = key_of_line(new)
    assert key != old
    assert bucket.names() == others | {key, f"retracted/{digest_of(old)}"}
    assert get(f"{bucket.url}/{old}").status == 404
    answer = get(f"{bucket.url}/{key}")
    assert answer.body == stored(blog, new)
    assert SECRET not in answer.body
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert "problem" not in messages(blog.build(settings="publishconf.py"))
    for page in ("home.html", "link.html"):
        assert key in blog.output(page)
        assert old not in blog.output(page)
    assert publish(blog).stdout == b""


def test_the_variants_of_a_replaced_photo_stay(blog: Site, bucket: Place) -> None:
    """They hold no metadata, so the new image has the same ones."""
    blog.configure(IMAGEHOST_WIDTHS=[200, 400])
    exif = PIL.Image.Exif()
    exif[0x010E] = SECRET.decode()  # the description
    buffer = BytesIO()
    PIL.Image.open(BytesIO(photo())).save(buffer, "JPEG", exif=exif)
    old = publish_untidy(blog, buffer.getvalue(), bucket)
    before, others = line_of(blog, "content/home.jpg"), bucket.names() - {old}
    assert len(before["variants"]) == 2
    clean_now(blog)
    after = line_of(blog, "content/home.jpg")
    assert after["variants"] == before["variants"]
    assert bucket.names() == others | {key_of_line(after), f"retracted/{digest_of(old)}"}
    assert "problem" not in messages(blog.build(settings="publishconf.py"))
    assert publish(blog).stdout == b""


def test_an_upload_is_replaced_with_its_record_and_mark(blog: Site, bucket: Place) -> None:
    keep_all(blog)
    blog.configure(IMAGEHOST_URL=bucket.url, IMAGEHOST_REMOTE=bucket.remote)
    publish(blog)
    others = bucket.names()
    server = Server(blog)
    try:
        old = server.upload(phone_photo(), "home.jpg").json["url"]
        wait_for(lambda: not waiting(blog), server)
    finally:
        server.stop()
    assert SECRET in get(old).body
    post(blog, "home.md", f"![a]({old})")
    blog.configure(IMAGEHOST_KEEP_METADATA=[])
    clean_now(blog)
    with closing(Records(blog.settings().records, read_only=True)) as records:
        (record,) = records.all()
    assert (record.name, record.pushed) == ("home.jpg", True)
    new = record.image.sha256
    marks = {f"retracted/{digest_of(old.removeprefix(bucket.url + '/'))}", f"uploads/{new}"}
    assert bucket.names() == others | {record.image.key} | marks
    assert get(old).status == 404
    answer = get(f"{bucket.url}/{record.image.key}")
    assert (hashlib.sha256(answer.body).hexdigest(), SECRET in answer.body) == (new, False)
    assert "problem" not in messages(blog.build(settings="publishconf.py"))
    assert f"{bucket.url}/{record.image.key}" in blog.output("home.html")


def test_gc_of_an_image_takes_it_offline(blog: Site, bucket: Place) -> None:
    publish(blog)
    two = key(blog, "two.png")
    (blog.root / "content/two.md").unlink()
    completed = blog.cli("gc", "-s", "publishconf.py", "--yes", "--grace-days", "0", two)
    assert completed.returncode == 0, completed.stderr
    assert bucket.names() == {key(blog, "one.png"), f"retracted/{digest_of(two)}"}


def test_a_second_author_needs_no_old_bytes(blog: Site, bucket: Place, tmp_path: Path) -> None:
    commit(blog)
    assert push(blog).returncode == 0
    root = tmp_path / "second" / "site"
    git("clone", "--quiet", tmp_path / "site.git", root, folder=tmp_path)
    other = Site.__new__(Site)
    other.root = root
    assert other.cli("init", "-s", "publishconf.py").returncode == 0
    for name in ("one", "two"):
        (root / f"content/{name}.png").unlink()
    new = other.picture("content/new.png", colour="green")
    post(other, "new.md", "![a](new.png)")
    commit(other)
    pushed = push(other)
    assert pushed.returncode == 0, pushed.stderr
    assert bucket.names() == {key(blog, "one.png"), key(blog, "two.png"), key_of(new)}


def test_a_service_without_checksums_is_checked_by_its_answer(blog: Site, bucket: Place) -> None:
    blog.publishconf(IMAGEHOST_URL=bucket.url, IMAGEHOST_REMOTE=f"{bucket.remote}&checksum=none")
    publish(blog)
    assert get(f"{bucket.url}/{key(blog, 'one.png')}").status == 200


def test_an_old_image_is_sent_again_unless_its_manifest_has_long_been_there(
    blog: Site, bucket: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(blog)
    keys = [key(blog, "one.png"), key(blog, "two.png")]
    time.sleep(1.1)
    target = old_target(blog, bucket)
    assert target.due(keys) == set(keys)
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2020-01-01T00:00:00Z")
    commit(blog)
    assert target.due(keys) == set()
    git("push", "--quiet", "--no-verify", "origin", "main", folder=blog.root)
    assert target.due(keys) == set()
    post(blog, "three.md", "![a](three.png)")
    three = key_of(blog.picture("content/three.png", colour="blue"))
    commit(blog)  # nobody else has this commit, whatever its date
    publish(blog)
    time.sleep(1.1)
    assert target.due([*keys, three]) == {three}


def test_git_authors_do_not_load_the_library_of_buckets(blog: Site, tmp_path: Path) -> None:
    git("init", "--quiet", "--bare", tmp_path / "images.git", folder=tmp_path)
    blog.publishconf(
        IMAGEHOST_URL="http://127.0.0.1:9", IMAGEHOST_REMOTE=str(tmp_path / "images.git")
    )
    assert blog.cli("init", "-s", "publishconf.py").returncode == 0
    loaded = blog.imported("publish", "-s", "publishconf.py", "--no-confirm")
    assert "pelican_imagehost.publish.git_target" in loaded
    names = {"obstore", "pelican_imagehost.publish.objects", "pelican_imagehost.publish.s3_target"}
    assert not loaded & names
