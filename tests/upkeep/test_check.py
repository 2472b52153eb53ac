"""`check` of real sites: problems at scale, and images without alternative text."""

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
            "6 problems: Pelican cannot read this document; for example content/0.md; "
            "content/1.md; content/2.md"
        )
    ]
    assert "6 problems; check --all" in completed.stderr.decode()


RST = """\
A
#

:date: 2024-05-06

.. image:: cat.jpg

.. image:: cat.jpg
   :alt: A cat

.. figure:: {static}/images/dog.jpg

   A dog

.. image:: my\\ trip.png
"""
HTML = """\
<html><head><title>H</title><meta name="date" content="2024-05-06"></head><body>
<img src="cat.jpg">
<img src="cat.jpg" alt="">
<img src="cat.jpg" alt="A cat">
</body></html>
"""


def test_images_without_alternative_text_are_reported_when_asked(site: Site) -> None:
    for name in ("cat.jpg", "images/dog.jpg", "my trip.png"):
        site.picture(f"content/{name}")
    post(
        site,
        "a.md",
        '![A cat](cat.jpg)\n\n![](cat.jpg)\n\n<img src="cat.jpg" alt="">\n\n![][d]\n\n[d]: cat.jpg',
    )
    post(site, "pages/b.md", "![]({static}/images/dog.jpg)", Summary="![](/images/dog.jpg)")
    post(site, "c.md", "![A cat](cat.jpg)")
    site.write("content/r.rst", RST)
    site.write("content/h.html", HTML)
    assert site.cli("check").returncode == 0
    assert site.cli("check").stdout == b""
    completed = site.cli("check", "--alt", "--all")
    assert completed.returncode == 1
    assert lines(completed) == [
        "content/a.md:6: cat.jpg: no alternative text",
        "content/h.html:2: cat.jpg: no alternative text",
        "content/pages/b.md:3: /images/dog.jpg: no alternative text",
        "content/pages/b.md:5: {static}/images/dog.jpg: no alternative text",
        "content/r.rst:6: cat.jpg: no alternative text",
        "content/r.rst:11: {static}/images/dog.jpg: no alternative text",
        "content/r.rst:15: my trip.png: no alternative text",
    ]
    assert "7 problems" in completed.stderr.decode()
    assert lines(site.cli("check", "--alt"))[0].startswith("7 problems: no alternative text; for")


def test_a_site_with_words_for_each_image_is_good(site: Site) -> None:
    site.picture("content/cat.jpg")
    post(site, "a.md", "![A cat](cat.jpg)")
    completed = site.cli("check", "--alt")
    assert (completed.returncode, completed.stdout) == (0, b"")
