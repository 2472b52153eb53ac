"""`check` of real sites: problems at scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.test_plugin import post

if TYPE_CHECKING:
    import subprocess

    from tests.conftest import Site


def lines(completed: subprocess.CompletedProcess[bytes]) -> list[str]:
    return completed.stdout.decode().splitlines()


def old_site(site: Site) -> None:
    """Write a site that moved without its folder of images."""
    site.picture("content/cat.jpg")
    for n in range(10):
        body = "\n\n".join(f"![a](/wp-content/{2010 + n}/{m}.jpg)" for m in range(8))
        post(site, f"{n}.md", f"![a](cat.jpg)\n\n{body}")
    post(site, "x.md", "![a](Cat.png)")


def test_a_missing_folder_is_one_line_and_all_shows_each(site: Site) -> None:
    old_site(site)
    completed = site.cli("check")
    assert completed.returncode == 1
    assert lines(completed) == [
        (
            "80 problems below wp-content/: no such file (looked in content, content/images); "
            "for example content/0.md:6: /wp-content/2010/0.jpg; content/0.md:8: "
            "/wp-content/2010/1.jpg; content/0.md:10: /wp-content/2010/2.jpg"
        ),
        (
            "content/x.md:4: Cat.png: no such file (looked in content, content/images); "
            "did you mean cat.jpg?"
        ),
    ]
    assert "1 image, 1 not hosted yet, 81 problems; check --all shows each" in (
        completed.stderr.decode()
    )
    each = site.cli("check", "--all")
    assert each.returncode == 1
    assert len(lines(each)) == 81
    assert "content/7.md:6: /wp-content/2017/0.jpg: no such file" in each.stdout.decode()
    assert "81 problems\n" in each.stderr.decode()


def test_unreadable_documents_are_problems_too(site: Site) -> None:
    for n in range(6):
        site.write(f"content/{n}.md", "Title: x\nDate: yesterday evening\n\nWords.\n")
    completed = site.cli("check")
    assert lines(completed) == [
        (
            "6 problems: Pelican could not read it; for example content/0.md; content/1.md; "
            "content/2.md"
        )
    ]
    assert "6 problems; check --all" in completed.stderr.decode()
