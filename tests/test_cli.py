"""The command line, run as users run it."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import click
import pytest
from click.testing import CliRunner

from pelican_imagehost.cli import main
from pelican_imagehost.images.identify import identify
from pelican_imagehost.images.image import Image
from pelican_imagehost.publish.create import create
from pelican_imagehost.publish.repository import StoreRepository
from pelican_imagehost.storage.book import Arrival
from pelican_imagehost.storage.records import Records
from pelican_imagehost.storage.store import Store
from tests.test_plugin import HOST, key_of, post

if TYPE_CHECKING:
    from tests.conftest import Site


def files_of(folder: Path) -> dict[str, tuple[int, int]]:
    """Return the time and length of every file, to check that nothing was written."""
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_size)
        for path in folder.rglob("*")
        if "__pycache__" not in path.parts
    }


def said(completed: subprocess.CompletedProcess[bytes]) -> str:
    return completed.stderr.decode()


def test_add_prints_one_address_a_line_in_the_order_given(site: Site) -> None:
    site.configure(IMAGEHOST_URL=HOST)
    files = [site.picture(f"content/{name}.png", text_seed=n) for n, name in enumerate("cab", 1)]
    completed = site.cli("add", *files, files[0], "content/c.png")
    expected = [f"{HOST}/{key_of(file)}" for file in (*files, files[0], files[0])]
    assert completed.stdout.decode().splitlines() == expected
    assert completed.returncode == 0
    assert not said(completed)
    assert [line["path"] for line in site.manifest()] == [f"content/{n}.png" for n in "abc"]


def test_add_starts_without_what_takes_long(site: Site) -> None:
    loaded = site.imported("add", site.picture("content/a.png"))
    assert "pelican_imagehost.hosting" in loaded
    slow = {"pelican", "git", "rich", "logging", "subprocess", "concurrent.futures", "filelock"}
    slow |= {f"pelican_imagehost.documents.{name}" for name in ("references", "resolve", "rewrite")}
    slow |= {
        f"pelican_imagehost.cli.{name}" for name in ("care", "host", "publishing", "serve", "watch")
    }
    if "imagesize" not in loaded:  # which imports these
        slow |= {"email", "http.client", "socket", "ssl", "urllib.request"}
    assert loaded & slow == set()


def test_add_prints_no_address_if_any_file_fails(site: Site) -> None:
    good = site.picture("content/a.png")
    bad = site.write("content/b.png", "hello")
    completed = site.cli("add", good, bad)
    assert completed.returncode == 1
    assert completed.stdout == b""
    assert f"{bad}: is a text file" in said(completed)
    assert "No such file" in said(site.cli("add", "none.png"))


def test_add_names_every_file_that_fails(site: Site) -> None:
    site.picture("content/a.png")
    site.write("content/b.png", "hello")
    names = ["content/b.png", "content/a.png", "none.png", "content", "no\nne.png", "/b.gif", "%00"]
    completed = site.cli("add", *names)
    assert (completed.returncode, completed.stdout) == (1, b"")
    first, *lines = said(completed).splitlines()
    assert first == "pelican-imagehost: error: 6 files failed"
    assert [line.strip().partition(":")[0] for line in lines] == [
        *("content/b.png", "none.png", "content", r"no\nne.png", "/b.gif", "%00"),
    ]


@pytest.mark.parametrize("prefix", ["{root}/", "", "file://{root}/", "file://localhost{root}/",
                                    "FILE:{root}/"])  # fmt: skip
def test_add_finds_files_as_editors_name_them(site: Site, prefix: str) -> None:
    site.configure(IMAGEHOST_URL=HOST)
    start = prefix.format(root=site.root)
    names = ["my cat.png", "50%25 caf\u00e9.png", "caf\udce9.png", "a?b#c.png"]
    files = [site.picture(f"content/{name}", text_seed=n) for n, name in enumerate(names, 1)]
    encoded = [quote(os.fsencode(f"{start}content/{name}"), safe="/:") for name in names]
    completed = site.cli("add", *encoded, *(f"{start}content/{name}" for name in names[-2:]))
    assert completed.returncode == 0, said(completed)
    expected = [f"{HOST}/{key_of(file)}" for file in (*files, *files[-2:])]
    assert completed.stdout.decode().splitlines() == expected


def test_add_takes_a_file_of_exactly_that_name_first(site: Site) -> None:
    exact = site.picture("my%20cat.png", text_seed=1)
    site.picture("my cat.png", text_seed=2)
    site.picture("file:/x.png", text_seed=3)
    assert site.cli("add", "my%20cat.png").stdout.decode() == f"/images/{key_of(exact)}\n"
    exact = site.root / "file:/x.png"
    assert site.cli("add", "file:/x.png").stdout.decode() == f"/images/{key_of(exact)}\n"
    assert site.cli("add", "file://example.com/my%20cat.png").returncode == 1


@pytest.mark.parametrize("name", ["-x.gif", "-sunset.gif", "--help.gif", "-h.png", "-"])
def test_add_takes_a_file_whose_name_begins_with_a_dash(site: Site, name: str) -> None:
    file = site.picture(f"{name}", kind="gif")
    completed = site.cli("add", "--", name)
    assert completed.stdout.decode() == f"/images/{key_of(file, 'gif')}\n"
    hinted = site.cli("add", "-s", "pelicanconf.py", name)
    if name != "-":
        assert hinted.returncode == 2
        assert f"run: pelican-imagehost add -- {name}" in said(hinted)
    assert "run:" not in said(site.cli("add", "-gone.gif"))
    assert site.cli("add", "--settings=pelicanconf.py", "--", name).returncode == 0


def test_add_hosts_a_file_from_outside_under_the_stores_path(site: Site, tmp_path: Path) -> None:
    outside = shutil.move(site.picture("content/a.png"), tmp_path / "shot.png")
    completed = site.cli("add", outside)
    assert completed.stdout.decode().strip() == f"/images/{key_of(Path(outside))}"
    assert [line["path"] for line in site.manifest()] == [f"images/{key_of(Path(outside))}"]
    assert str(tmp_path) not in (site.root / "imagehost.jsonl").read_text("utf-8")


def test_check_names_every_problem_and_writes_nothing(site: Site) -> None:
    site.picture("content/cat.jpg")
    site.write("content/empty.png", "")
    site.write("content/broken.md", "Title: x\nDate: yesterday evening\n\n![a](cat.jpg)\n")
    post(site, "skipped.md", "![a](nowhere.png)", Status="skip")
    post(site, "a.md", "![a](cat.jpg)\n![a](empty.png)\n\n![a](gone.png)")
    before = files_of(site.root)
    completed = site.cli("check")
    assert completed.returncode == 1
    assert completed.stdout.decode().splitlines()[:2] == [
        "content/a.md:5: empty.png: is an empty file",
        "content/a.md:7: gone.png: no such file (looked in content, content/images)",
    ]
    assert "broken.md: Pelican cannot read this document" in completed.stdout.decode()
    assert "skipped" not in completed.stdout.decode()
    assert "1 image, 1 not hosted yet, 3 problems" in said(completed)
    assert files_of(site.root) == before


def test_check_of_a_good_site_is_quiet_and_good(site: Site) -> None:
    site.picture("content/cat.jpg")
    post(site, "a.md", "![a](cat.jpg)")
    completed = site.cli("check")
    assert (completed.returncode, completed.stdout) == (0, b"")


def test_list_shows_images_uses_and_savings(site: Site) -> None:
    cat = site.picture("content/cat.jpg")
    site.picture("content/same.jpg")
    post(site, "a.md", "![a](cat.jpg)")
    post(site, "b.md", "![a](same.jpg) ![a](cat.jpg)")
    site.build()
    listed = json.loads(site.cli("list", "--json").stdout)
    digest = key_of(cat)[3:67]
    assert listed == [
        {
            "sha256": digest,
            "type": "jpg",
            "size": cat.stat().st_size,
            "width": 40,
            "height": 30,
            "url": f"/images/{key_of(cat)}",
            "paths": ["content/cat.jpg", "content/same.jpg"],
            "documents": ["content/a.md", "content/b.md"],
            "name": "cat.jpg",
            "created": int((site.root / "images" / key_of(cat)).stat().st_mtime),
            "updated": None,
            "token": None,
            "times": 0,
            "variants": [],
            "loads": [cat.stat().st_size] * 2,
        }
    ]
    text = site.cli("list").stdout.decode()
    assert "content/same.jpg" in text
    assert "40 × 30" in text
    assert f"1 image, {cat.stat().st_size} bytes; {cat.stat().st_size} bytes saved" in text
    shutil.rmtree(site.root / "cache")
    assert json.loads(site.cli("list", "--json").stdout) == listed


def test_list_finds_by_word_type_day_and_use(site: Site) -> None:
    names = {"content/cat.jpg": "red", "content/dog.png": "blue", "content/nobody.gif": "green"}
    files = {name: site.picture(name, colour=colour) for name, colour in names.items()}
    shutil.copy(files["content/dog.png"], site.root / "content/again.png")
    post(site, "a.md", "![a](cat.jpg) ![a](dog.png) ![a](again.png) ![a](nobody.gif)")
    site.build()
    address = f"https://img.example.com/{key_of(files['content/dog.png'])}"
    post(site, "a.md", f"![a](cat.jpg) ![a]({address})")
    site.build()
    with closing(Records(site.settings().records)) as records:
        records.add(
            [Arrival(Image("f" * 64, "webp", 9, 1, 1), "Möwe über Lissabon 🐦.webp", "phone")]
        )

    def found(*options: str) -> list[str]:
        completed = site.cli("list", "--json", *options)
        assert completed.returncode == 0, said(completed)
        return [entry["name"] for entry in json.loads(completed.stdout)]

    everything = ["again.png", "cat.jpg", "nobody.gif", "Möwe über Lissabon 🐦.webp"]
    assert found() == everything
    assert found("--search", "MÖWE liss") == everything[3:]
    assert found("--search", "content/a.md") == everything[:2]
    assert found("--search", key_of(files["content/cat.jpg"])[3:20]) == ["cat.jpg"]
    assert found("--type", "gif") == found("--unused", "--until", "2999-01-01", "--type", "gif")
    assert found("--unused") == everything[2:]
    assert found("--duplicates") == ["again.png"]
    assert found("--since", "2999-01-01") == found("--until", "2000-01-01") == []
    assert site.cli("list", "--type", "pdf").returncode == 2
    assert "Möwe über Lissabon 🐦.webp" in site.cli("list").stdout.decode()


def test_verify_names_what_is_corrupt_or_missing_and_repairs_it(site: Site) -> None:
    cat, dog = site.picture("content/cat.jpg"), site.picture("content/dog.jpg", colour="blue")
    post(site, "a.md", "![a](cat.jpg) ![a](dog.jpg)")
    site.build()
    assert site.cli("verify").returncode == 0
    stored = site.root / "images" / key_of(cat)
    stored.chmod(0o644)
    stored.write_bytes(stored.read_bytes()[:-1] + b"?")
    (site.root / "images" / key_of(dog)).unlink()
    completed = site.cli("verify")
    assert completed.returncode == 1
    assert completed.stdout.decode().splitlines() == [
        f"images/{key_of(cat)}: corrupt",
        f"images/{key_of(dog)}: missing (content/dog.jpg)",
    ]
    assert "0 intact, 1 corrupt, 1 missing" in said(completed)
    assert site.cli("verify", "--repair").returncode == 0
    assert site.cli("verify").returncode == 0
    assert stored.read_bytes() == cat.read_bytes()
    assert (site.root / "images/.corrupt" / stored.name).read_bytes().endswith(b"?")


def test_verify_leaves_what_it_cannot_repair_as_a_problem(site: Site) -> None:
    cat = site.picture("content/cat.jpg")
    post(site, "a.md", "![a](cat.jpg)")
    site.build()
    (site.root / "images" / key_of(cat)).unlink()
    cat.unlink()
    assert site.cli("verify", "--repair").returncode == 1


def test_gc_removes_only_what_nothing_names_and_asks_first(site: Site) -> None:
    kept, gone = site.picture("content/kept.jpg"), site.picture("content/gone.jpg", colour="blue")
    added = site.picture("content/added.jpg", colour="green")
    hidden = site.picture("content/hidden.jpg", colour="white")
    post(site, "a.md", "![a](kept.jpg) ![a](gone.jpg) ![a](hidden.jpg)")
    site.build()
    address = site.cli("add", added).stdout.decode().strip()
    post(site, "a.md", f"![a](kept.jpg) ![a]({address})")
    post(site, "later.md", "![a](hidden.jpg)", Status="skip")
    store = site.root / "images"
    completed = site.cli("gc", "--dry-run")
    assert completed.stdout.decode().splitlines() == [
        f"{key_of(gone)}  {gone.stat().st_size} bytes  content/gone.jpg"
    ]
    assert completed.returncode == 0
    assert site.cli("gc", stdin=b"n\n").returncode == 1
    assert (store / key_of(gone)).exists()
    completed = site.cli("gc", "--yes")
    assert f"deleted 1 image, {gone.stat().st_size} bytes; 1 line of imagehost.jsonl" in said(
        completed
    )
    assert not (store / key_of(gone)).exists()
    assert all((store / key_of(file)).exists() for file in (kept, added, hidden))
    assert "content/gone.jpg" not in {line["path"] for line in site.manifest()}
    site.build()
    assert site.cli("verify").returncode == 0


def upload(site: Site, name: str, *, found: bool = False, colour: str = "pink") -> Image:
    """Record an image as the upload service does, or as `verify --repair` does."""
    file = site.picture(f"elsewhere/{name}", colour=colour)
    image = identify(file.read_bytes(), site.settings().limits)
    stored = site.root / "images" / image.key
    stored.parent.mkdir(parents=True, exist_ok=True)
    file.rename(stored)
    with closing(Records(site.settings().records)) as records:
        if found:
            records.add_found([image])
        else:
            records.add([Arrival(image, name, "phone")])
    return image


def records_of(site: Site) -> list[str]:
    with closing(Records(site.settings().records, read_only=True)) as records:
        return [record.image.sha256 for record in records.all()]


@pytest.mark.usefixtures("identity")
def test_verify_mends_records_without_files_and_files_without_records(site: Site) -> None:
    cat = site.picture("content/cat.jpg")
    post(site, "a.md", "![a](cat.jpg)")
    site.build()
    stray = site.picture("stray.png", colour="gold")
    key = key_of(stray)
    target = site.root / "images" / key
    target.parent.mkdir(exist_ok=True)
    stray.rename(target)
    assert site.cli("verify").returncode == 0  # no records are needed without uploads
    kept, lost = upload(site, "kept.png"), upload(site, "lost.png", colour="navy")
    repository = StoreRepository(Store(site.root / "images"))
    create(repository)
    repository.add([kept.key], lambda _: None)
    bytes_of = (site.root / "images" / kept.key).read_bytes()
    for image in (kept, lost):
        (site.root / "images" / image.key).unlink()
    completed = site.cli("verify")
    assert completed.returncode == 1
    assert sorted(completed.stdout.decode().splitlines()) == sorted(
        [
            f"images/{kept.key}: missing (upload kept.png)",
            f"images/{lost.key}: missing (upload lost.png)",
            f"images/{key}: unrecorded",
        ]
    )
    completed = site.cli("verify", "--repair")
    assert completed.returncode == 1
    assert "0 corrupt, 2 missing, 1 unrecorded; 2 repaired" in said(completed)
    assert (site.root / "images" / kept.key).read_bytes() == bytes_of
    completed = site.cli("verify")
    assert completed.stdout.decode().splitlines() == [
        f"images/{lost.key}: missing (upload lost.png)"
    ]
    (found,) = json.loads(site.cli("list", "--json", "--search", key[3:67]).stdout)
    assert (found["token"], found["times"], found["documents"]) == ("", 0, [])
    assert cat.exists()


def test_verify_is_content_after_an_edit_in_a_site_with_uploads(site: Site) -> None:
    old = key_of(site.picture("content/cat.jpg"))
    post(site, "a.md", "![a](cat.jpg)")
    site.build()
    sent = upload(site, "sent.png")
    site.picture("content/cat.jpg", colour="green")
    site.build()
    completed = site.cli("verify")
    assert (completed.returncode, "1 unrecorded" in said(completed)) == (0, True)
    assert completed.stdout.decode().splitlines() == [f"images/{old}: unrecorded"]
    assert site.cli("gc", "--yes").returncode == 0
    assert site.cli("verify").stdout == b""
    (site.root / "images" / sent.key).unlink()
    assert site.cli("verify").returncode == 1


def test_gc_spares_uploads_but_not_what_only_a_repair_found(site: Site) -> None:
    post(site, "a.md", "nothing")
    site.build()
    sent = upload(site, "sent.png")
    found = upload(site, "found.png", found=True, colour="gold")
    assert site.cli("gc", "--yes").returncode == 0
    assert (site.root / "images" / sent.key).exists()
    assert not (site.root / "images" / found.key).exists()
    assert records_of(site) == [sent.sha256]


def test_gc_of_chosen_images_removes_these_and_says_what_keeps_one(site: Site) -> None:
    cat = site.picture("content/cat.jpg")
    gone = site.picture("content/gone.jpg", colour="blue")
    other = site.picture("content/other.jpg", colour="green")
    post(site, "a.md", "![a](cat.jpg) ![a](gone.jpg) ![a](other.jpg)")
    site.build()
    used = upload(site, "used.png")
    logo = upload(site, "logo.png", colour="gold")
    draft = upload(site, "draft.png", colour="navy")
    unused = upload(site, "unused.png", colour="white")
    post(site, "a.md", f"![a](cat.jpg) ![b](https://img.example.com/{used.key})")
    post(site, "b.md", f"![b](/images/{draft.key})", Status="skip")
    site.configure(LOGO=f"https://img.example.com/{logo.key}")
    completed = site.cli("gc", "content/cat.jpg", used.sha256, f"/images/{logo.key}", "f" * 64,
                         draft.sha256, "--yes")  # fmt: skip
    assert completed.returncode == 1
    assert completed.stdout == b""
    for reason in (
        "cat.jpg: is used in content/a.md",
        "used.png: is used in content/a.md",
        "logo.png: is used in pelicanconf.py",
        "draft.png: is used in content/b.md",
        f"{'f' * 64}: no such image",
    ):
        assert reason in said(completed), said(completed)
    chosen = ("content/gone.jpg", unused.sha256.upper())
    before = files_of(site.root)
    assert site.cli("gc", *chosen, "--dry-run").returncode == 0
    assert files_of(site.root) == before
    assert site.cli("gc", *chosen, stdin=b"n\n").returncode == 1
    completed = site.cli("delete-chosen", *chosen)
    assert completed.returncode == 0, said(completed)
    answer = json.loads(completed.stdout)
    assert [(one["name"], one["deleted"], one["message"]) for one in answer] == [
        ("gone.jpg", True, "deleted"),
        ("unused.png", True, "deleted"),
    ]
    store = site.root / "images"
    assert not (store / key_of(gone)).exists()
    assert not (store / unused.key).exists()
    kept = (key_of(cat), key_of(other), used.key, logo.key, draft.key)
    assert all((store / key).exists() for key in kept)
    assert "content/other.jpg" in {line["path"] for line in site.manifest()}
    assert "content/gone.jpg" not in {line["path"] for line in site.manifest()}
    assert unused.sha256 not in records_of(site)


def test_gc_of_a_chosen_upload_forgets_it_when_its_file_is_gone(site: Site) -> None:
    lost = upload(site, "lost.png")
    (site.root / "images" / lost.key).unlink()
    assert site.cli("gc", lost.sha256, "--yes").returncode == 0
    assert records_of(site) == []


def test_gc_keeps_what_an_unsettled_line_names(site: Site) -> None:
    cat = site.picture("content/cat.jpg")
    post(site, "a.md", "![a](cat.jpg)")
    site.build()
    line = site.manifest()[0]
    other = json.dumps({**line, "sha256": "0" * 64})
    site.write("imagehost.jsonl", f"{json.dumps(line)}\n{other}\n")
    post(site, "a.md", "nothing")
    assert site.cli("gc", "--yes").returncode == 0
    assert (site.root / "images" / key_of(cat)).exists()


DOCUMENT = """\
Title: Cats
Date: 2024-01-01
Image: cat.jpg

![a](cat.jpg) `![code](cat.jpg)` [r][big]

    ![code](cat.jpg)

<img src='my%20cat.jpg'> ![a](<my cat.jpg> "t")

[big]: cat.jpg
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["no BOM", "BOM"])
def test_export_changes_addresses_and_nothing_else(site: Site, end: str, mark: str) -> None:
    cat, other = site.picture("content/cat.jpg"), site.picture("content/my cat.jpg", colour="blue")
    site.configure(IMAGEHOST_URL=HOST)
    text = mark + DOCUMENT.replace("\n", end)
    site.write("content/a.md", text)
    completed = site.cli("export", "content/a.md")
    first, second = f"{HOST}/{key_of(cat)}", f"{HOST}/{key_of(other)}"
    expected = (
        text.replace("Image: cat.jpg", f"Image: {first}")
        .replace("![a](cat.jpg)", f"![a]({first})")
        .replace("[big]: cat.jpg", f"[big]: {first}")
        .replace("'my%20cat.jpg'", f"'{second}'")
        .replace("<my cat.jpg>", f"<{second}>")
    )
    assert completed.stdout.decode() == expected, said(completed)
    assert completed.returncode == 0


def test_export_refuses_rather_than_print_half(site: Site) -> None:
    site.configure(IMAGEHOST_URL=HOST)
    post(site, "a.md", "![a](gone.jpg)")
    site.write("content/a.rst", "x\n#\n")
    completed = site.cli("export", "content/a.md")
    assert (completed.returncode, completed.stdout) == (1, b"")
    assert "content/a.md:4: gone.jpg: no such file" in said(completed)
    assert "only Markdown and HTML" in said(site.cli("export", "content/a.rst"))
    assert "No such file" in said(site.cli("export", "content/none.md"))


def test_export_needs_an_address_that_works_elsewhere(site: Site) -> None:
    post(site, "a.md", "text")
    said_why = said(site.cli("export", "content/a.md"))
    assert "IMAGEHOST_URL and SITEURL are not set, so images have no address" in said_why


def test_a_settings_file_elsewhere_names_its_own_site(site: Site, tmp_path: Path) -> None:
    cat = site.picture("content/cat.jpg")
    completed = subprocess.run(
        [sys.executable, "-m", "pelican_imagehost", "add", "-s", site.root / "pelicanconf.py", cat],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    assert completed.stdout.decode().strip() == f"/images/{key_of(cat)}"
    assert (site.root / "images" / key_of(cat)).exists()
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 +", "SyntaxError"),
        ("PATH = 'nowhere'", "path containing the content"),
        ("IMAGEHOST_STRIKT = 1", "did you mean IMAGEHOST_STRICT?"),
        ("IMAGEHOST_MAX_BYTES = '10 MB'", "a whole number of bytes above 0; found '10 MB'"),
    ],
)
def test_settings_that_cannot_be_used_get_a_sentence(site: Site, text: str, expected: str) -> None:
    with (site.root / "pelicanconf.py").open("a") as file:
        file.write(text + "\n")
    completed = site.cli("check")
    assert completed.returncode == 1
    assert expected in said(completed)
    assert "Traceback" not in said(completed)


def test_without_a_site_a_sentence_says_where_to_go(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pelican_imagehost", "list"]
    completed = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert completed.returncode == 1
    assert "run this in the folder of the site, or use -s FILE" in said(completed)


def test_every_command_explains_itself() -> None:
    context = click.Context(main)
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        assert command.help
        assert CliRunner().invoke(main, [name, "--help"]).exit_code == 0


def test_a_terminal_gets_a_progress_bar_and_a_pipe_does_not(site: Site) -> None:
    names = [site.picture(f"content/{n}.png", text_seed=n).name for n in range(12)]
    for name in names:
        with (site.root / "content" / name).open("ab") as file:
            file.write(os.urandom(9_500_000))
    post(site, "a.md", " ".join(f"![a]({name})" for name in names))
    quiet = site.build()
    assert "Hosting images" not in quiet.stdout + quiet.stderr
    shutil.rmtree(site.root / "images")
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "pelican_imagehost", "add", *(f"content/{n}" for n in names)],
        cwd=site.root, stdout=subprocess.PIPE, stderr=child, env={**os.environ, "TERM": "xterm"},
    )  # fmt: skip
    os.close(child)
    shown = b""
    try:
        while chunk := os.read(parent, 65_536):
            shown += chunk
    except OSError:  # the terminal was closed by its last process
        pass
    stdout, _ = process.communicate()
    assert len(stdout.splitlines()) == 12
    assert re.search(rb"Hosting images", shown)
    os.close(parent)
