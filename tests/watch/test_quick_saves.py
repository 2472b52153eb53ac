"""A page written at once is the page of a whole build, repaired and looked at."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.watch.watchkit import Desk, clean_build, prepare, write_post

if TYPE_CHECKING:
    from pelican_imagehost.watch.messages import Problems
    from tests.conftest import Site


class Reader(Desk):
    """A session that reads pages as soon as they are reported, before the next build starts."""

    def __init__(self, site: Site) -> None:
        self.quick: dict[str, bytes] = {}
        self.quick_problems: list[tuple[str, ...]] = []
        super().__init__(site, fork=False)  # a new process takes its time

    def changed(self, paths: tuple[str, ...], seconds: float, *, whole: bool) -> None:
        if not whole:
            root = self.site.root / "output"
            self.quick |= {os.path.relpath(path, root): Path(path).read_bytes() for path in paths}
        super().changed(paths, seconds, whole=whole)

    def problems(self, problems: Problems) -> None:
        super().problems(problems)
        self.quick_problems.append(self.wrong)


def extend(site: Site, template: str, text: str) -> None:
    file = site.root / f"theme/templates/{template}.html"
    file.write_text(file.read_text("utf-8").replace("{% endblock %}", text + "{% endblock %}"))


PICTURES = {
    "as it is": "<img src='{{ article.cover }}'>",
    "after the site": "<meta property='og:image' content='{{ SITEURL }}/{{ article.cover }}'>",
    "after a folder": "<img src='/images/{{ article.cover }}'>",
    "relative": "<img src='../{{ article.cover }}'>",
    "style": "<p style=\"background: url('{{ SITEURL }}/{{ article.cover }}')\">",
    "data": '<script type="application/ld+json">{"image": "{{ SITEURL }}/{{ article.cover }}"}'
    "</script>",
    "derived": "<img src='{{ SITEURL }}/{{ article.cover|replace('.png', '-small.png') }}'>",
    "others": "{% for one in articles %}<img src='{{ SITEURL }}/{{ one.cover }}'>{% endfor %}",
    "original": "<img src='{{ SITEURL }}/covers/{{ article.slug }}.png'>",
}


def use_covers(site: Site, **settings: object) -> None:
    prepare(site, posts=0, **settings)
    site.configure(STATIC_PATHS=["extra", "covers"], IMAGEHOST_METADATA_FIELDS=["cover"])
    for number in range(4):
        site.picture(f"content/covers/post-{number}.png", text_seed=20 + number)
        site.picture(f"content/covers/post-{number}-small.png", text_seed=30 + number)
        save(site, number, "Words.", number)


def save(site: Site, number: int, body: str, cover: int) -> None:
    picture = f"covers/post-{cover}.png"
    write_post(site, f"post-{number}", body, Cover=picture, Category="notes", Slug=f"post-{number}")


@pytest.mark.parametrize("keep", [True, False], ids=["keep", "leave out"])
@pytest.mark.parametrize("relative", [False, True], ids=["", "relative URLs"])
def test_a_page_is_repaired_as_in_a_build(site: Site, *, relative: bool, keep: bool) -> None:
    use_covers(site, RELATIVE_URLS=relative, IMAGEHOST_KEEP_STATIC=keep)
    for text in PICTURES.values():
        extend(site, "article", text)
    with Reader(site) as desk:
        bodies = [
            "Words ![p](covers/post-2.png)",
            "![[post-3.png|30]]",
            "{static}/covers/post-3.png",
        ]
        for number, body in enumerate(bodies):
            desk.quick.clear()
            save(site, 1, body, number + 1)
            desk.wait(lambda: bool(desk.quick), "page at once")
            quick = dict(desk.quick)
            desk.check()
            clean = clean_build(site)
            assert quick.keys() >= {"post-1.html"}
            assert {name for name in quick if quick[name] != clean[name]} == set()
        # A file that is new in a cover's place, which other pages show too.
        desk.quick.clear()
        site.picture("content/covers/post-0.png", text_seed=77)
        desk.wait(lambda: bool(desk.quick), "page at once")
        assert "post-0.html" in desk.quick
        quick = dict(desk.quick)
        desk.check()
        assert quick["post-0.html"] == clean_build(site)["post-0.html"]


def test_a_page_of_derived_addresses_follows_the_files_that_are_meant(site: Site) -> None:
    use_covers(site)
    extend(site, "article", PICTURES["derived"])
    with Desk(site) as desk:
        page = "post-1.html"
        assert "covers/post-1-small.png" in site.output(page)
        (site.root / "content/covers/post-1-small.png").unlink()
        desk.check()
        assert "covers/post-1-small.png" not in site.output(page)
        site.picture("content/covers/post-1-small.png", text_seed=40)
        desk.check()
        assert "covers/post-1-small.png" in site.output(page)
        desk.builds.clear()
        desk.settle()
        file = site.root / "output" / page
        before = file.stat().st_mtime_ns
        desk.beat()
        assert site.output(page)
        assert not any(str(file) in paths for paths in desk.builds)
        assert before  # a page that is repaired after each build is not reported as changed


def one_of(desk: Reader, start: str) -> str:
    """Return the problem that a quick save reported alone; "" if none did."""
    alone = [problems[0] for problems in desk.quick_problems if len(problems) == 1]
    return next((problem for problem in alone if problem.startswith(start)), "")


def test_what_the_last_look_finds_is_reported_at_once_and_vanishes_at_once(site: Site) -> None:
    prepare(site)
    extend(site, "article", "<img src='{{ SITEURL }}/extra/{{ article.picture or 'here.png' }}'>")
    site.picture("content/extra/here.png", text_seed=5)
    with Reader(site) as desk:
        desk.settle()
        assert not desk.wrong
        for name in ("nowhere.png", "elsewhere.png"):
            desk.quick_problems.clear()
            write_post(site, "post-1", Picture=name, Category="notes")
            # A save may also be seen half written, before it is complete.
            start = f"content/post-1.md:3: /extra/{name}: "
            desk.wait(lambda: bool(one_of(desk, start)), "page at once")  # noqa: B023  called here
            problem = one_of(desk, start)
            assert desk.pages[problem] == frozenset({str(site.root / "output/post-1.html")})
            desk.settle()
            assert desk.wrong == (problem,)
        desk.quick_problems.clear()
        write_post(site, "post-1", Category="notes")
        desk.wait(lambda: () in desk.quick_problems, "page at once")
        desk.check()
        assert desk.wrong == ()


def test_a_problem_of_the_theme_is_reported_once_for_all_pages(site: Site) -> None:
    prepare(site, posts=3)
    site.picture("content/extra/logo.png", text_seed=5)
    base = site.root / "theme/templates/base.html"
    base.write_text(base.read_text("utf-8").replace("<body>", "<body><img src='/extra/logo.png'>"))
    with Reader(site) as desk:
        (site.root / "content/extra/logo.png").unlink()
        desk.wait(lambda: "logo.png" in str(desk.wrong), "problem")
        desk.settle()
        (problem,) = desk.wrong
        pages = {Path(page).name for page in desk.pages[problem] or ()}
        assert pages >= {"index.html", "post-0.html", "post-1.html", "post-2.html"}
        desk.quick_problems.clear()
        write_post(site, "post-1", "Other words.", Category="notes")
        desk.wait(lambda: bool(desk.quick_problems), "page at once")
        assert desk.quick_problems[0] == (problem,)
        desk.settle()
        site.picture("content/extra/logo.png", text_seed=6)
        desk.wait(lambda: not desk.wrong, "end of the problem")


def test_problems_belong_to_the_pages_that_have_them(site: Site) -> None:
    prepare(site, posts=3)
    write_post(site, "post-1", "![p](lost.png)", Summary="In short.", Category="notes")
    write_post(site, "post-2", "![p](gone.png)", Category="notes")
    with Desk(site) as desk:
        output = site.root / "output"
        pages = {
            problem.split(": ")[1]: desk.pages[problem] or frozenset() for problem in desk.wrong
        }
        assert str(output / "post-1.html") in pages["lost.png"]
        assert str(output / "post-2.html") in pages["gone.png"]
        assert str(output / "index.html") in pages["gone.png"]  # with its summary
        assert str(output / "index.html") not in pages["lost.png"]
        assert str(output / "post-1.html") not in pages["gone.png"]
        site.write("content/post-0.md", "Title: Zero\nDate: 2000-13-45\n\nWords.\n")
        desk.wait(lambda: "2000-13-45" in str(desk.wrong), "problem")
        (broken,) = [problem for problem in desk.wrong if "2000-13-45" in problem]
        assert desk.pages[broken] == frozenset({str(output / "post-0.html")})
        site.write("theme/templates/article.html", "{% nonsense %}")
        desk.wait(lambda: "nonsense" in str(desk.wrong), "problem")
        desk.wait(lambda: None in desk.pages.values(), "problem of every page")


@pytest.mark.parametrize("kind", ["nginx", "netlify"])
@pytest.mark.parametrize("own", [False, True], ids=["", "with a file of the site"])
def test_redirects_are_those_of_a_build(site: Site, kind: str, *, own: bool) -> None:
    prepare(site, IMAGEHOST_KEEP_STATIC=False, IMAGEHOST_REDIRECTS=kind)
    site.configure(STATIC_PATHS=["extra", "pictures"])
    if own:
        site.write("content/extra/_redirects", "/old /new 301\n")
        site.configure(EXTRA_PATH_METADATA={"extra/_redirects": {"path": "_redirects"}})
    site.picture("content/pictures/one.png", text_seed=50)
    write_post(site, "post-1", "![p](pictures/one.png)", Category="notes")
    with Desk(site) as desk:
        desk.check()
        site.picture("content/pictures/two.png", text_seed=51)
        write_post(site, "post-2", "![p](pictures/two.png)", Category="notes")
        desk.check()
        for number in (1, 2):
            write_post(site, f"post-{number}", "Words.", Category="notes")
        desk.check()
