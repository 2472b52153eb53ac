"""The hooks of images.git: check what is pushed, and serve it before the branch moves.

One file of the standard library alone, for Python 3.9 and later, which `host init` copies to
`hooks/pre-receive`. `hooks/post-receive` runs it with its own name where something was
retracted (githooks(5)).

Before the branch moves, every new blob is read from the quarantine and hashed on its way
into a staging folder beside the served tree. When all are good they are made durable and
renamed into place, so that no reader meets half an image and no page names one that is not
there yet. When the branch has moved, retracted images leave the served tree.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import subprocess
import sys
import time
from typing import IO, TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

__all__ = [
    "MAIN",
    "MAX_BYTES",
    "TYPES",
    "Refused",
    "Staging",
    "Update",
    "check_forward",
    "git",
    "locked",
    "main",
    "read_blobs",
    "read_config",
    "read_tombstones",
    "remove_image",
    "run_hook",
    "say",
    "shown",
]

MAIN = "refs/heads/main"
TYPES = ("avif", "gif", "jpg", "png", "svg", "webp")
MAX_BYTES = 10 * 1024**2
_KEY = re.compile(r"([0-9a-f]{2})/(\1[0-9a-f]{62})\.([a-z]+)")
_TOMBSTONE = re.compile(r"retracted/([0-9a-f]{64})")
_FILE = "100644"
_MODES = {"100755": "executable", "120000": "a symbolic link", "160000": "a submodule"}
_CHUNK = 1024**2
_FEW = 8  # up to here one fsync a file is cheaper than waiting for the whole file system


class Refused(Exception):
    """The push cannot be taken; the message says what, where, and what to do."""


class Update(NamedTuple):
    """A branch that a push moves: two commits, `old` being zeros where it is new."""

    old: str
    new: str
    ref: str


class Change(NamedTuple):
    """What a commit does to one path: "A", "D" or another letter of git-diff-tree(1)."""

    status: str
    mode: str
    oid: str
    path: str


def main() -> None:
    """Do what the hook that was called does, and exit as git expects."""
    run_hook({"pre-receive": receive, "post-receive": withdraw})


def run_hook(actions: dict[str, Callable[[Update], None]]) -> None:
    """Run the action of a hook on the update that a push makes, and exit.

    The hook is named by the first argument, else by the file itself. A refusal or a
    failure is one line, which git shows to whoever pushes.
    """
    os.umask(0o022)  # the web server reads what is made here
    name = os.path.basename(sys.argv[-1])
    verdict = "refused" if name == "pre-receive" else "pushed, but"
    try:
        actions[name](read_update(sys.stdin))
    except Refused as refusal:
        say(f"{verdict}: {refusal}")
    except OSError as error:
        say(f"{verdict}: {_explain(error)}")
    except subprocess.CalledProcessError as error:
        last = (error.stderr or b"").decode(errors="replace").strip().rpartition("\n")[2]
        say(f"{verdict}: git {error.cmd[1]} failed on the host: {last or error.returncode}")
    else:
        sys.exit(0)
    sys.exit(1)


def _explain(error: OSError) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "the host's disk is full, so make room there and push again"
    return f"the host cannot store it ({error.strerror}: {error.filename})"


def say(message: str) -> None:
    """Tell whoever pushes; a push that nobody waits for any more goes on."""
    with contextlib.suppress(BrokenPipeError):
        sys.stderr.write(f"imagehost: {message}\n")
        sys.stderr.flush()


def read_update(stdin: Iterable[str]) -> Update:
    """Read what a push moves, which must be the branch main alone.

    Raises:
        Refused: it is another branch or a tag, or main would be deleted.
    """
    updates = [Update(*line.split()) for line in stdin]
    for update in updates:
        if update.ref != MAIN:
            raise Refused(f"{shown(update.ref)} is not kept here; push the branch main alone")
        if not update.new.strip("0"):
            raise Refused("the branch main stays; to take an image offline, retract it")
    return updates[0]


def check_forward(update: Update) -> None:
    """Check that main keeps its commits; git itself does so only after the hook.

    Raises:
        Refused: it would not.
    """
    if update.old.strip("0") and git("rev-list", "-1", update.old, "--not", update.new):
        raise Refused("main would lose commits; fetch, join yours with them, and push again")


def receive(update: Update) -> None:
    """Check the commits that come, and serve their images."""
    config = read_config()
    tip, history = read_changes(update)
    images = _images([*history, *tip], config)
    check_tombstones(update.new, tip)
    added = {change.path for change in tip if change.status == "A"}
    with Staging(config["served"]) as staging:
        with contextlib.closing(read_blobs(images, staging.file("oids"))) as blobs:
            for (path, _), blob, size in blobs:
                _check_size(path, size, config)
                staging.add(path, size, blob, keep=path in added)
        count = staging.publish()
    if images:
        say(f"{count:,} published, {len(added & dict(images).keys()) - count:,} already there")


def withdraw(update: Update) -> None:
    """Take retracted images out of the served tree, now that the branch has moved."""
    changes = list(_diff(update, "--", "retracted"))
    if not any(change.status == "A" for change in changes):
        return
    served = read_config()["served"]
    with locked(served, exclusive=True):
        for digest in read_tombstones(MAIN) & {_digest(change.path) for change in changes}:
            if remove_image(served, digest):
                say(f"{digest} is offline")


def remove_image(served: str, digest: str) -> bool:
    """Remove an image of whatever type, and its compressed copy; False if it is not there."""
    names = [f"{served}/{digest[:2]}/{digest}.{kind}" for kind in (*TYPES, "svg.gz")]
    there = [name for name in names if os.path.exists(name)]
    for name in there:
        os.unlink(name)
    return bool(there)


# What is pushed


def read_changes(update: Update) -> tuple[list[Change], list[Change]]:
    """Read what a push changes in the tree, and what its commits do one by one.

    The commits count too: what one adds and the next removes stays in the history.

    Returns:
        The changes from the old tree to the new; those of each commit, where there are
        several. A merge shows only what differs from all its parents.

    Raises:
        Refused: main would lose commits.
    """
    commits = git("rev-list", "--parents", update.new, "--not", "--all").decode().split("\n")[:-1]
    if commits == [f"{update.new} {update.old}"]:
        return list(_diff(update)), []
    check_forward(update)
    tip = list(_diff(update))
    ids = "".join(f"{commit.split()[0]}\n" for commit in commits)
    options = ("--stdin", "-c", "--root", "--no-commit-id")
    return tip, list(_parse(git("diff-tree", "-r", "-z", "--no-renames", *options, stdin=ids)))


def _diff(update: Update, *paths: str) -> Iterator[Change]:
    old = update.old if update.old.strip("0") else _object_id(update.old, b"tree 0\0")
    return _parse(git("diff-tree", "-r", "-z", "--no-renames", old, update.new, *paths))


def _parse(raw: bytes) -> Iterator[Change]:
    """Parse git-diff-tree(1)'s raw output, also for merges: one colon and mode a parent."""
    fields = iter(raw.split(b"\0")[:-1])
    for fact, path in zip(fields, fields):  # noqa: B905  `strict` is newer than Python 3.9
        parents = fact.count(b":")
        values = fact[parents:].decode().split()
        letters = "".join(sorted(set(values[-1])))
        yield Change(letters, values[parents], values[2 * parents + 1], os.fsdecode(path))


def _object_id(example: str, content: bytes) -> str:
    """Compute an object's id in the repository's own object format, that of an example."""
    algorithm = "sha1" if len(example) == 40 else "sha256"  # noqa: PLR2004  hex digits
    return hashlib.new(algorithm, content).hexdigest()


def _images(changes: Iterable[Change], config: dict[str, str]) -> list[tuple[str, str]]:
    """Check every change, and list the images among them: path and object.

    Raises:
        Refused: something is neither a new image, a tombstone, nor a removal.
    """
    types = config.get("types", " ".join(TYPES)).split()
    images: dict[tuple[str, str], None] = {}
    for change in changes:
        if change.status == "D":
            continue
        if change.status != "A":
            raise Refused(f"{shown(change.path)} is changed; what is stored never changes")
        if change.mode != _FILE:
            what = _MODES.get(change.mode, f"of mode {change.mode}")
            raise Refused(f"{shown(change.path)} is {what}; add plain files alone")
        if _is_image(change, types):
            images[change.path, change.oid] = None
    return list(images)


def _is_image(change: Change, types: list[str]) -> bool:
    match = _KEY.fullmatch(change.path)
    if match and match[3] in types:
        return True
    path = shown(change.path)
    if match:
        raise Refused(f"{path} has a type that is not served here; there are {', '.join(types)}")
    if not _TOMBSTONE.fullmatch(change.path):
        raise Refused(f"{path} is no image's place; that is ab/<SHA-256 in hex, from ab>.<type>")
    if change.oid != _object_id(change.oid, b"blob 0\0"):
        raise Refused(f"{path} is a tombstone and must be empty")
    return False


def check_tombstones(commit: str, changes: list[Change]) -> None:
    """Check that images and tombstones exclude each other in a commit's tree.

    Raises:
        Refused: an image goes without a tombstone, comes in spite of one, or stays beside it.
    """
    tombstones = read_tombstones(commit)
    for change in changes:
        is_image = _KEY.fullmatch(change.path) is not None
        retracted = _digest(change.path) in tombstones
        if is_image and change.status == "D" and not retracted:
            raise Refused(f"{change.path} is deleted; to take an image offline, retract it")
        if is_image and change.status == "A" and retracted:
            raise Refused(f"{change.path} was retracted; remove its tombstone to allow it again")
    fresh = [_digest(c.path) for c in changes if c.status == "A" and not _KEY.fullmatch(c.path)]
    asked = "".join(f"{commit}:{sha[:2]}/{sha}.{kind}\n" for sha in fresh for kind in TYPES)
    answers = git("cat-file", "--batch-check", stdin=asked).decode() if asked else ""
    for name, answer in zip(asked.split(), answers.split("\n")):  # noqa: B905  as above
        if not answer.endswith(" missing"):
            raise Refused(f"{name.partition(':')[2]} has a tombstone and is still there; remove it")


def read_tombstones(commit: str) -> set[str]:
    """List the digests that a commit's tree retracts."""
    names = git("ls-tree", "-z", "--name-only", commit, "retracted/").decode().split("\0")
    return {_digest(name) for name in names if name}


def _digest(path: str) -> str:
    """The digest in an image's or a tombstone's path."""
    return os.path.basename(path)[:64]


def _check_size(path: str, size: int, config: dict[str, str]) -> None:
    limit = int(config.get("maxbytes", MAX_BYTES))
    if size > limit:
        raise Refused(f"{path} has {size:,} bytes; at most {limit:,} are taken, so make it smaller")


def shown(text: str, limit: int = 120) -> str:
    """Make a text that somebody pushed fit for a terminal."""
    clean = "".join(letter if letter.isprintable() else "?" for letter in text)
    return clean if len(clean) <= limit else f"{clean[: limit - 3]}..."


# Running git


def git(*arguments: str, stdin: str | None = None, cwd: str | None = None) -> bytes:
    """Run a git command and take what it prints.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    data = None if stdin is None else stdin.encode()
    command = ["git", *arguments]
    return subprocess.run(command, input=data, cwd=cwd, check=True, capture_output=True).stdout  # noqa: S603  no user's text is an option


def read_config() -> dict[str, str]:
    """Read `imagehost.*` of the repository.

    Raises:
        Refused: it was not set up.
    """
    lines = git("config", "-z", "--list").decode().split("\0")
    known = dict(line.split("\n", 1) for line in lines if line.startswith("imagehost."))
    config = {name.partition(".")[2]: value for name, value in known.items()}
    if "served" not in config:
        raise Refused("the host is not set up; run there: pelican-imagehost host init")
    return config


def read_blobs(
    images: list[tuple[str, str]], oids: IO[str], cwd: str | None = None
) -> Generator[tuple[tuple[str, str], IO[bytes], int]]:
    """Read objects with one `git cat-file`, in order.

    Args:
        images: paths and objects.
        oids: a new file that takes the objects' names, so that neither side waits.
        cwd: the repository, outside a hook.

    Yields:
        Each path and object, a stream, and its length; read exactly that before the next.
    """
    oids.writelines(f"{oid}\n" for _, oid in images)
    oids.flush()
    oids.seek(0)
    command = ["git", "cat-file", "--batch", "--buffer"]
    with subprocess.Popen(command, stdin=oids, stdout=subprocess.PIPE, cwd=cwd) as process:  # noqa: S603  a fixed command
        try:
            for image in images:
                header = process.stdout.readline().split()  # type: ignore[union-attr]  # a pipe
                if header[1:2] != [b"blob"]:
                    raise Refused(f"{image[0]} has no content in the push; fetch it, push again")
                yield image, process.stdout, int(header[2])  # type: ignore[misc]  # a pipe
                process.stdout.read(1)  # type: ignore[union-attr]  # the line's end
        finally:
            process.kill()


# The served tree


@contextlib.contextmanager
def locked(served: str, *, exclusive: bool = False) -> Iterator[bool]:
    """Hold the served tree: pushes share it; whoever removes images has it alone.

    Yields:
        Whether nobody else held it, so that what lies in staging was left behind.
    """
    incoming = f"{os.path.dirname(served)}/.incoming"
    os.makedirs(incoming, mode=0o700, exist_ok=True)
    with open(f"{incoming}/lock", "w", encoding="ascii") as lock:
        alone = True
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            alone = False
            fcntl.flock(lock, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        if alone:
            _sweep(incoming)
            if not exclusive:
                fcntl.flock(lock, fcntl.LOCK_SH)
        yield alone


def _sweep(incoming: str) -> None:
    for entry in os.scandir(incoming):
        if entry.is_dir(follow_symlinks=False):
            _remove(entry.path)


def _remove(folder: str) -> None:
    """Remove a folder of plain files."""
    for entry in os.scandir(folder):
        os.unlink(entry.path)
    os.rmdir(folder)


class Staging:
    """A folder beside the served tree where images wait until all of them are good.

    Args:
        served: the served tree.
    """

    def __init__(self, served: str) -> None:
        self._served = served
        self._waiting: dict[str, str] = {}
        self._present: set[str] = set()
        self._held = contextlib.ExitStack()

    def __enter__(self) -> Staging:  # noqa: PYI034  Self is newer than Python 3.9
        with contextlib.ExitStack() as held:
            held.enter_context(locked(self._served))
            incoming = f"{os.path.dirname(self._served)}/.incoming"
            self._folder = f"{incoming}/{os.getpid()}-{time.time_ns()}"
            os.mkdir(self._folder, 0o700)
            held.callback(_remove, self._folder)
            self._held = held.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._held.close()

    def file(self, name: str) -> IO[str]:
        """Open a file that goes with the folder."""
        return self._held.enter_context(open(f"{self._folder}/{name}", "w+", encoding="ascii"))

    def add(
        self, key: str, size: int, blob: IO[bytes], *, keep: bool = True, again: bool = False
    ) -> None:
        """Hash a blob against its name, and let it wait unless the tree has it.

        Args:
            key: its place in the tree.
            size: its length in bytes.
            blob: a stream, of which that many are read.
            keep: whether it is to be served; checked it is in any case.
            again: replace what the tree has under that name.

        Raises:
            Refused: the name is not its SHA-256.
        """
        target = f"{self._folder}/{os.path.basename(key)}"
        there = not again and _size(f"{self._served}/{key}") == size
        with open(target, "wb") if keep and not there else contextlib.nullcontext() as file:
            digest = _copy(blob, size, file)
        if digest != _digest(key):
            raise Refused(f"{key} is not named by its content, whose SHA-256 is {digest}")
        if there:
            self._present.add(key)
        elif keep:
            self._waiting[key] = target
            if key.endswith(".svg"):
                self._compress(key, target)

    def _compress(self, key: str, source: str) -> None:
        """Put a compressed copy beside an SVG, for nginx's gzip_static, where that is shorter."""
        import gzip  # noqa: PLC0415  most pushes need none

        with open(source, "rb") as file:
            data = gzip.compress(file.read(), mtime=0)
        if len(data) < os.path.getsize(source):
            with open(f"{source}.gz", "wb") as file:
                file.write(data)
            # In front of the image, so that an image in place has its copy.
            self._waiting = {f"{key}.gz": f"{source}.gz", **self._waiting}

    def publish(self) -> int:
        """Make all bytes durable, give them their names, and make the names durable.

        Returns:
            How many images are new in the served tree.
        """
        _sync(self._waiting.values())
        folders = {f"{self._served}/{key[:2]}" for key in (*self._waiting, *self._present)}
        for folder in folders:
            os.makedirs(folder, mode=0o755, exist_ok=True)
        for key, staged in self._waiting.items():
            os.chmod(staged, 0o444)
            os.replace(staged, f"{self._served}/{key}")
        _sync([*folders, self._served] if folders else [])
        return sum(not key.endswith(".gz") for key in self._waiting)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return -1


def _copy(blob: IO[bytes], size: int, file: IO[bytes] | None) -> str:
    """Copy a number of bytes into a file, if there is one; returns their SHA-256."""
    digest = hashlib.sha256()
    while size > 0:
        chunk = blob.read(min(size, _CHUNK))
        if not chunk:
            raise Refused("the host's git stopped in the middle of an image; push again")
        size -= len(chunk)
        digest.update(chunk)
        if file is not None:
            file.write(chunk)
    return digest.hexdigest()


def _sync(paths: Iterable[str]) -> None:
    """Make files or folders of one file system durable; many at once by syncfs(2)."""
    paths = list(paths)
    if len(paths) > _FEW and _sync_file_system(paths[0]):
        return
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _sync_file_system(path: str) -> bool:
    import ctypes  # noqa: PLC0415  few pushes need it

    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "syncfs"):
        return False
    descriptor = os.open(path, os.O_RDONLY)
    try:
        if library.syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)
    finally:
        os.close(descriptor)
    return True


if __name__ == "__main__":
    main()
