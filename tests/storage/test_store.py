from __future__ import annotations

import hashlib
import os
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelican_imagehost.errors import StoreError
from pelican_imagehost.images.image import KEY, Image
from pelican_imagehost.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable


def describe(data: bytes) -> Image:
    return Image(hashlib.sha256(data).hexdigest(), "png", len(data), 1, 1)


def put(store: Store, *contents: bytes) -> list[bool]:
    with store.locked(), store.batch() as batch:
        return [batch.add(describe(data), data) for data in contents]


def tree(root: Path) -> list[str]:
    """List every file of a store except its lock and what hides it from git."""
    hidden = {".lock", ".gitignore"}
    files = [file for file in root.rglob("*") if file.is_file() and file.name not in hidden]
    return sorted(str(file.relative_to(root)) for file in files)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "images")


def test_an_image_lies_under_its_digest_and_only_to_be_read(store: Store) -> None:
    assert put(store, b"cat") == [True]
    image = describe(b"cat")
    assert tree(store.root) == [image.key]
    assert store.path(image.key).read_bytes() == b"cat"
    assert stat.S_IMODE(store.path(image.key).stat().st_mode) == 0o444
    assert store.has(image)
    assert store.is_intact(image.key)


def test_the_same_bytes_are_stored_once(store: Store) -> None:
    assert put(store, b"cat", b"cat", b"dog") == [True, False, True]
    inode = store.path(describe(b"cat").key).stat().st_ino
    assert put(store, b"cat") == [False]
    assert store.path(describe(b"cat").key).stat().st_ino == inode
    assert list(store.keys()) == sorted([describe(b"cat").key, describe(b"dog").key])


def test_several_threads_may_fill_a_batch(store: Store) -> None:
    contents = [b"%d" % (number % 50) for number in range(400)]
    with store.locked(), store.batch() as batch, ThreadPoolExecutor(8) as pool:
        new = list(pool.map(lambda data: batch.add(describe(data), data), contents))
    assert sum(new) == 50
    assert tree(store.root) == sorted(describe(data).key for data in set(contents))


def test_nothing_is_in_place_before_the_batch_ends(store: Store) -> None:
    with store.locked(), store.batch() as batch:
        batch.add(describe(b"cat"), b"cat")
        assert list(store.keys()) == []
    assert list(store.keys()) == [describe(b"cat").key]


def test_a_batch_that_fails_leaves_nothing(store: Store) -> None:
    def fail() -> None:
        with store.locked(), store.batch() as batch:
            batch.add(describe(b"cat"), b"cat")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert tree(store.root) == []


def test_what_an_interrupted_batch_left_is_swept(store: Store) -> None:
    stale = store.root / ".incoming" / describe(b"cat").key[3:]
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"ca")
    stale.chmod(0o444)
    assert put(store, b"cat") == [True]
    assert tree(store.root) == [describe(b"cat").key]
    assert store.is_intact(describe(b"cat").key)


def test_a_file_of_another_length_is_not_taken_for_the_image_and_is_healed(store: Store) -> None:
    image = describe(b"cat")
    store.path(image.key).parent.mkdir(parents=True)
    store.path(image.key).write_bytes(b"c")
    assert not store.has(image)
    assert put(store, b"cat") == [True]
    assert store.is_intact(image.key)


def adopt(store: Store, data: bytes) -> bool:
    """Let an upload arrive."""
    store.uploads.mkdir(parents=True, exist_ok=True)
    file = store.uploads / "a.part"
    file.write_bytes(data)
    with store.locked(), store.batch() as batch:
        return batch.adopt(describe(data), str(file))


def damage(file: Path, data: bytes) -> None:
    """Write other bytes of the same length, and leave the time as it was."""
    before = file.stat()
    file.chmod(0o644)
    file.write_bytes(data)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("arrive", [lambda store, data: put(store, data)[0], adopt])
@pytest.mark.parametrize("same", [True, False])
def test_a_file_damaged_at_the_same_length_is_replaced_when_its_bytes_arrive_again(
    store: Store, arrive: Callable[[Store, bytes], bool], *, same: bool
) -> None:
    put(store, b"cat", b"dog")
    file = store.path(describe(b"cat").key)
    assert not arrive(store, b"cat")
    inode = file.stat().st_ino
    damage(file, b"cut")
    store = store if same else Store(store.root)
    assert arrive(store, b"cat")
    assert file.read_bytes() == b"cat"
    assert stat.S_IMODE(file.stat().st_mode) == 0o444
    assert file.stat().st_ino != inode
    assert not arrive(store, b"cat")


def test_a_file_that_arrives_often_is_hashed_once(store: Store) -> None:
    data = b"cat" * 100_000
    put(store, data)
    before = bytes_read()
    assert not adopt(store, data)
    once = bytes_read()
    assert [adopt(store, data) for _ in range(3)] == [False] * 3
    assert once - before > len(data)
    assert bytes_read() - once < len(data)


def bytes_read() -> int:
    """Return the number of bytes that this process has read (proc_pid_io(5))."""
    lines = Path("/proc/self/io").read_text("ascii").splitlines()
    return int(dict(line.split(": ") for line in lines)["rchar"])


@pytest.mark.timeout(20)
def test_a_pipe_in_the_place_of_an_image_is_not_opened(store: Store) -> None:
    path = store.path(describe(b"cat").key)
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    with pytest.raises(StoreError, match="not a regular file"):
        store.is_intact(describe(b"cat").key)
    assert put(store, b"cat") == [True]
    assert path.read_bytes() == b"cat"


def test_changed_bytes_are_found_and_can_be_set_aside(store: Store) -> None:
    put(store, b"cat")
    key = describe(b"cat").key
    store.path(key).chmod(0o644)
    store.path(key).write_bytes(b"cut")
    assert not store.is_intact(key)
    aside = store.set_aside(key)
    assert aside.read_bytes() == b"cut"
    assert list(store.keys()) == []
    assert put(store, b"cat") == [True]


def test_a_file_that_is_not_there_cannot_be_checked_removed_or_set_aside(store: Store) -> None:
    key = describe(b"cat").key
    store.root.mkdir()
    for act in (store.is_intact, store.remove, store.set_aside):
        with pytest.raises(StoreError, match="No such file"):
            act(key)


def test_a_removed_image_gives_back_its_bytes(store: Store) -> None:
    put(store, b"cat")
    assert store.remove(describe(b"cat").key) == 3
    assert not store.has(describe(b"cat"))
    assert list(store.keys()) == []


def test_other_files_in_the_tree_are_none_of_its_keys(store: Store) -> None:
    put(store, b"cat")
    key = describe(b"cat").key
    for name in ("README", "ab/notes.txt", f"{key[:2]}/{key[3:]}.bak", f"zz/{key[3:]}", ".git/x"):
        (store.root / name).parent.mkdir(exist_ok=True)
        (store.root / name).touch()
    other = "00" if key[:2] != "00" else "01"
    (store.root / other).mkdir(exist_ok=True)
    (store.root / other / key[3:]).touch()  # a digest in the wrong folder
    assert list(store.keys()) == [key]


def test_a_store_that_is_not_there_is_empty(store: Store) -> None:
    assert list(store.keys()) == []
    assert not store.has(describe(b"cat"))
    assert not store.root.exists()


@given(contents=st.lists(st.binary(min_size=1, max_size=40), max_size=12))
def test_adding_again_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes]
) -> None:
    store = Store(tmp_path_factory.mktemp("store"))
    assert sum(put(store, *contents)) == len(set(contents))
    before = tree(store.root)
    assert not any(put(store, *contents))
    assert tree(store.root) == before == sorted({describe(data).key for data in contents})
    assert all(store.is_intact(key) for key in before)


def test_a_full_disk_is_an_error_and_leaves_nothing_of_the_batch(small_disk: Path) -> None:
    store = Store(small_disk / "images")
    put(store, b"before")
    with pytest.raises(StoreError, match=r"images cannot be written: No space left"):
        put(store, b"small", bytes(100_000))
    assert tree(store.root) == [describe(b"before").key]
    assert put(store, b"small") == [True]


def test_a_disk_that_is_full_of_others_files_is_an_error(small_disk: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        (small_disk / "ballast").write_bytes(bytes(100_000))
    with pytest.raises(StoreError, match="cannot be written"):
        put(Store(small_disk / "images"), bytes(5000))


def test_a_read_only_store_is_an_error_and_still_reads(
    read_only_folder: Path, tmp_path: Path
) -> None:
    put(Store(tmp_path / "writable"), b"cat")
    store = Store(read_only_folder)
    with pytest.raises(StoreError, match="Read-only file system"):
        put(store, b"dog")
    with pytest.raises(StoreError, match="Read-only file system"):
        store.remove(describe(b"cat").key)
    assert store.has(describe(b"cat"))
    assert store.is_intact(describe(b"cat").key)


def test_a_store_that_cannot_be_made_is_an_error(tmp_path: Path, read_only_folder: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be written"):
        put(Store(tmp_path / "file"), b"cat")
    with pytest.raises(StoreError, match="cannot be written"):
        put(Store(tmp_path / "file" / "images"), b"cat")
    with pytest.raises(StoreError, match="cannot be written"):
        put(Store(read_only_folder / "images"), b"cat")


def test_a_failing_write_into_the_tree_is_an_error_of_the_store(store: Store) -> None:
    key = describe(b"cat").key
    (store.root / key[:2]).parent.mkdir()
    (store.root / key[:2]).touch()  # instead of its folder
    with pytest.raises(StoreError, match="cannot be written"):
        put(store, b"cat", b"dog")
    assert list((store.root / ".incoming").iterdir()) == []


WRITER = """
import hashlib, sys
from pathlib import Path
from pelican_imagehost.images.image import Image
from pelican_imagehost.storage.store import Store
root, first, last, size = Path(sys.argv[1]), *map(int, sys.argv[2:])
store = Store(root)
print("ready", flush=True)
sys.stdin.readline()
for number in range(first, last):
    data = b"%06d" % number * size
    image = Image(hashlib.sha256(data).hexdigest(), "png", len(data), 1, 1)
    with store.locked(), store.batch() as batch:
        batch.add(image, data)
    print(image.key, flush=True)
"""


def start_writer(root: Path, first: int, last: int, *, size: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(root), str(first), str(last), str(size)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def release(*writers: subprocess.Popen[str]) -> None:
    for writer in writers:
        assert writer.stdout
        assert writer.stdin
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin
        writer.stdin.write("go\n")
        writer.stdin.flush()


def test_two_processes_may_add_at_once(store: Store) -> None:
    writers = [start_writer(store.root, first, first + 60, size=1000) for first in (0, 30)]
    release(*writers)
    for writer in writers:
        out, _ = writer.communicate()
        assert writer.returncode == 0
        assert len(out.splitlines()) == 60
    keys = list(store.keys())
    assert len(keys) == 90
    assert tree(store.root) == keys
    assert all(map(store.is_intact, keys))


@pytest.mark.parametrize("after", range(6))
def test_a_kill_in_the_middle_leaves_no_corrupt_file_and_no_lock(store: Store, after: int) -> None:
    writer = start_writer(store.root, 0, 100_000, size=30_000)
    release(writer)
    assert writer.stdout
    reported = [writer.stdout.readline().strip() for _ in range(after * 3)]
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    assert writer.returncode == -signal.SIGKILL
    keys = list(store.keys())
    assert set(reported) <= set(keys)  # acknowledged images are stored
    assert all(map(store.is_intact, keys))
    assert put(store, b"next") == [True]
    assert os.listdir(store.root / ".incoming") == []


@pytest.mark.parametrize("kind", ["avif", "gif", "jpg", "png", "svg", "webp"])
def test_keys_are_matched_in_full(kind: str) -> None:
    digest = describe(b"cat").sha256
    assert KEY.fullmatch(f"{digest[:2]}/{digest}.{kind}")
    other = "0" if digest[0] != "0" else "1"
    for wrong in (
        f"{other}{digest[1]}/{digest}.{kind}",
        f"{digest[:2]}/{digest[:-1]}.{kind}",
        f"{digest[:2]}/{digest.upper()}.{kind}",
        f"{digest[:2]}/{digest}.{kind}x",
    ):
        assert KEY.fullmatch(wrong) is None
