"""Make commits in the repository of a store, without its index and work tree.

So git need not scan files, and a partial clone without old files is sufficient: fast-import
creates commits on top of a branch, and merges use a temporary index.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pelican_imagehost.publish.git import Git

__all__ = ["Commits", "file_change", "removal"]


class Commits:
    """Makes commits in one repository, under the name of the author of the site.

    Args:
        git: the repository.
        site: the repository of the site, whose git identity is used; that of `git` if None.
    """

    def __init__(self, git: Git, site: Git | None) -> None:
        self._git = git
        self._site = site

    def add(self, branch: str, tip: str, message: str, changes: Iterable[bytes]) -> str:
        """Add a commit to a branch.

        Args:
            branch: the full name of the branch.
            tip: its last commit; "" if the branch is new.
            message: the message of the commit.
            changes: `file_change` and `removal`.

        Returns:
            The commit.

        Raises:
            PublishError: git does not know the author, or cannot write.
        """
        person = self._person()

        def stream() -> Iterator[bytes]:
            yield f"commit {branch}\nmark :1\ncommitter {person}\n".encode()
            yield f"data {len(message.encode())}\n{message}\n".encode()
            if tip:
                yield f"from {tip}\n".encode()
            yield from changes
            yield b"\nget-mark :1\ndone\n"

        options = ("--quiet", "--done", "--depth=0", "--big-file-threshold=1k", "--date-format=raw")
        return self._git.feed("fast-import", *options, chunks=stream()).output.strip()

    def join(self, ours: str, theirs: str) -> str:
        """Make a commit with the files of two; a file that one of them removed is left out."""
        base = self._git.run("merge-base", ours, theirs, check=False).output.strip()
        trees = (base or self._empty_tree(), ours, theirs)
        tree = self._tree("read-tree", "-i", "-m", "--aggressive", *trees)
        return self._commit_tree(tree, "Join", theirs, ours)

    def without(self, commit: str, names: Iterable[str]) -> str:
        """Make a commit on top of another that lacks some files."""
        listed = "".join(f"0 {'0' * 40}\t{name}\0" for name in sorted(names))
        return self._commit_tree(self._tree("read-tree", commit, drop=listed), "Confirmed", commit)

    def _tree(self, *read: str, drop: str = "") -> str:
        import tempfile  # noqa: PLC0415  slow

        with tempfile.TemporaryDirectory() as folder:
            env = {"GIT_INDEX_FILE": f"{folder}/index"}
            self._git.run(*read, env=env)
            if drop:
                self._git.run("update-index", "-z", "--index-info", stdin=drop, env=env)
            return self._git.run("write-tree", env=env).output.strip()

    def _commit_tree(self, tree: str, message: str, *parents: str) -> str:
        name, _, rest = self._person().partition(" <")
        email = rest.partition(">")[0]
        env = {"GIT_COMMITTER_NAME": name, "GIT_COMMITTER_EMAIL": email}
        env |= {"GIT_AUTHOR_NAME": name, "GIT_AUTHOR_EMAIL": email}
        options = [option for parent in parents for option in ("-p", parent)]
        return self._git.run("commit-tree", *options, "-m", message, tree, env=env).output.strip()

    def _empty_tree(self) -> str:
        return self._git.run("hash-object", "-w", "-t", "tree", "--stdin", stdin="").output.strip()

    def _person(self) -> str:
        """Return name, address, time and zone of the author, as commits have them."""
        asked = ("var", "GIT_COMMITTER_IDENT")
        found = self._site.run(*asked, check=False) if self._site else None
        return (found if found and found.code == 0 else self._git.run(*asked)).output.strip()


def file_change(name: str, data: bytes) -> bytes:
    """Return the addition of a file (git-fast-import(1), filemodify)."""
    return f"M 100644 inline {name}\ndata {len(data)}\n".encode() + data + b"\n"


def removal(name: str) -> bytes:
    """Return the removal of a file (git-fast-import(1), filedelete)."""
    return f"D {name}\n".encode()
