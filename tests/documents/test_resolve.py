from __future__ import annotations

import os
import unicodedata
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelican_imagehost.documents.location import Location
from pelican_imagehost.documents.resolve import Place, Resolver
from pelican_imagehost.errors import ImageHostError, MissingImage, OutsideSite, UnreadableImage

if TYPE_CHECKING:
    from collections.abc import Collection

    from tests.conftest import Site

KEY = f"ab/ab{'0' * 62}.jpg"


def place(site: Site, folder: str = "posts", page: str = "") -> Place:
    return Place(str(site.root / "content" / folder), lambda: page)


def resolve(
    site: Site, url: str, *, folder: str = "posts", page: str = "", known: Collection[str] = ()
) -> Location | None:
    (site.root / "content" / folder).mkdir(parents=True, exist_ok=True)
    return Resolver(site.settings(), known).resolve(url, place(site, folder, page))


def find(site: Site, url: str, *, folder: str = "posts", page: str = "") -> str:
    """Resolve a reference that must exist; return the path relative to the site."""
    location = resolve(site, url, folder=folder, page=page)
    assert location is not None
    assert location.status is not None
    assert location.status == os.stat(location.file)
    return os.path.relpath(location.file, site.root)


# Which file a name refers to


def test_a_location_says_all_there_is_to_know(site: Site) -> None:
    cat = site.picture("content/posts/cat.jpg")
    expected = Location("content/posts/cat.jpg", str(cat), cat.stat(), "?w=1#x")
    assert resolve(site, "cat.jpg?w=1#x") == expected
    assert resolve(site, "cat.jpg") == expected._replace(suffix="")


def test_files_are_looked_for_from_the_nearest_to_the_farthest(site: Site) -> None:
    site.configure(IMAGEHOST_SEARCH_PATHS=["first", "second"])
    nearest = [
        "content/posts/cat.jpg",
        "content/blog/2020/cat.jpg",
        "content/cat.jpg",
        "content/images/cat.jpg",
        "first/cat.jpg",
        "second/cat.jpg",
    ]
    for file in nearest:
        site.picture(file)
    for file in nearest:
        assert find(site, "cat.jpg", page="blog/2020") == file
        (site.root / file).unlink()
    with pytest.raises(MissingImage):
        resolve(site, "cat.jpg", page="blog/2020")


def test_a_name_from_the_root_does_not_mean_the_documents_folder(site: Site) -> None:
    site.picture("content/posts/cat.jpg")
    site.picture("content/cat.jpg")
    assert find(site, "/cat.jpg") == "content/cat.jpg"


def test_a_name_may_lead_from_where_its_page_will_be(site: Site) -> None:
    site.picture("content/images/cat.jpg")
    assert find(site, "../../images/cat.jpg", page="2020/cats") == "content/images/cat.jpg"


@pytest.mark.parametrize("url", ["../cat.jpg", "./../cat.jpg", "x/../../cat.jpg", "..//cat.jpg"])
def test_a_name_may_climb_within_the_site(site: Site, url: str) -> None:
    site.picture("content/cat.jpg")
    assert find(site, url) == "content/cat.jpg"


@pytest.mark.parametrize("start", ["{static}", "{attach}", "{filename}", "|static|", "|attach|"])
def test_pelicans_own_links_mean_the_document_or_the_root(site: Site, start: str) -> None:
    site.picture("content/posts/cat.jpg")
    site.picture("content/images/dog.jpg")
    assert find(site, f"{start}cat.jpg") == "content/posts/cat.jpg"
    assert find(site, f"{start}/images/dog.jpg") == "content/images/dog.jpg"
    assert find(site, f"{start}../images/dog.jpg") == "content/images/dog.jpg"


def test_another_form_of_pelicans_links_is_followed(site: Site) -> None:
    site.configure(INTRASITE_LINK_REGEX="<(?P<what>.*?)>")
    site.picture("content/images/cat.jpg")
    assert find(site, "<static>/images/cat.jpg") == "content/images/cat.jpg"


@pytest.mark.parametrize("url", ["{tag}cat.jpg", "{index}", "{author}x.png", "|category|x.jpg"])
def test_pelicans_links_to_other_things_than_files_are_unchanged(site: Site, url: str) -> None:
    site.picture("content/posts/cat.jpg")
    assert resolve(site, url) is None


def test_a_link_with_the_sites_own_address_is_local(site: Site) -> None:
    site.configure(SITEURL="https://example.com/blog")
    site.picture("content/images/cat.jpg")
    assert find(site, "https://example.com/blog/images/cat.jpg") == "content/images/cat.jpg"
    assert find(site, "/blog/images/cat.jpg") == "content/images/cat.jpg"
    assert find(site, "/images/cat.jpg") == "content/images/cat.jpg"
    for other in ("https://example.com/images/cat.jpg", "https://example.com/blogs/images/cat.jpg"):
        assert resolve(site, other) is None


def test_a_link_with_a_sites_address_without_scheme_is_local(site: Site) -> None:
    site.configure(SITEURL="//example.com")
    site.picture("content/images/cat.jpg")
    assert find(site, "//example.com/images/cat.jpg") == "content/images/cat.jpg"
    assert resolve(site, "//example.org/images/cat.jpg") is None


def test_a_path_of_the_machine_is_taken_where_it_lies_in_the_site(site: Site) -> None:
    cat = site.picture("content/images/my cat.jpg")
    assert find(site, str(cat)) == "content/images/my cat.jpg"
    assert find(site, cat.as_uri()) == "content/images/my cat.jpg"
    assert find(site, f"FILE://{cat}") == "content/images/my cat.jpg"


def test_a_path_of_the_machine_is_refused_where_it_does_not(site: Site) -> None:
    secret = site.picture("../secret.png")
    for url in (str(secret), secret.as_uri(), f"file://{site.root}/../secret.png"):
        with pytest.raises(OutsideSite, match=r"secret\.png is outside the folders of the site"):
            resolve(site, url)


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/cat.jpg",
        "HTTP://elsewhere.example/cat.jpg",
        "//elsewhere.example/cat.jpg",
        r"\\elsewhere\cat.jpg",
        "data:image/png;base64,AAAA",
        "mailto:cat.jpg",
        "blob:cat.jpg",
        "C:/Users/cat.jpg",
        "file://elsewhere/cat.jpg",
        "#cat.jpg",
        "",
        " \t\n",
        " https://elsewhere.example/cat.jpg",
    ],
)
def test_what_is_not_local_is_left_alone(site: Site, url: str) -> None:
    site.picture("content/posts/cat.jpg")
    assert resolve(site, url) is None


def test_what_the_site_ignores_is_left_alone(site: Site) -> None:
    site.configure(IMAGEHOST_IGNORE=["/thumbs/*", "*.gif", "{static}/x/*"])
    site.picture("content/posts/cat.jpg")
    site.picture("content/posts/cat.gif")
    for url in ("/thumbs/a/b.jpg", "cat.gif", "{static}/x/cat.jpg", " cat.gif "):
        assert resolve(site, url) is None
    assert find(site, "cat.jpg") == "content/posts/cat.jpg"


def test_a_name_that_the_output_gives_means_its_source(site: Site) -> None:
    site.configure(EXTRA_PATH_METADATA={"extra/icon.png": {"path": "favicon.png"}})
    site.picture("content/extra/icon.png")
    for url in ("/favicon.png", "favicon.png", "{static}/favicon.png"):
        assert find(site, url) == "content/extra/icon.png"


def test_the_themes_own_files_are_left_alone(site: Site) -> None:
    site.picture("mine/static/images/my logo.png")
    site.write("mine/templates/base.html", "")
    site.configure(THEME="mine", THEME_STATIC_PATHS=["static"])
    for url in ("/theme/images/my logo.png", "theme/images/my%20logo.png?v=1"):
        assert resolve(site, url) is None
    with pytest.raises(MissingImage):
        resolve(site, "/theme/images/absent.png")
    site.picture("content/theme/images/my logo.png")
    assert find(site, "/theme/images/my logo.png") == "content/theme/images/my logo.png"


def test_the_themes_own_files_are_left_alone_below_a_sites_path(site: Site) -> None:
    site.picture("mine/static/logo.png")
    site.configure(THEME="mine", SITEURL="https://example.com/blog")
    assert resolve(site, "https://example.com/blog/theme/logo.png") is None
    assert resolve(site, "/blog/theme/logo.png") is None


def test_the_themes_own_files_are_left_alone_from_a_page_below(site: Site) -> None:
    site.picture("mine/static/logo.png")
    site.configure(THEME="mine")
    assert resolve(site, "../theme/logo.png", page="posts") is None


def test_an_overlong_name_in_the_theme_is_missing(site: Site) -> None:
    with pytest.raises(MissingImage):
        resolve(site, f"/theme/{'a' * 300}.png")


# How a name may be spelled


NFC, NFD = (unicodedata.normalize(form, "café ü.jpg") for form in ("NFC", "NFD"))


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("my cat.jpg", "my cat.jpg"),
        ("my cat.jpg", "my%20cat.jpg"),
        ("my%20cat.jpg", "my%20cat.jpg"),
        ("100%.jpg", "100%.jpg"),
        ("100%.jpg", "100%25.jpg"),
        ("a+b.jpg", "a+b.jpg"),
        ("猫.jpg", "猫.jpg"),
        ("猫.jpg", "%E7%8C%AB.jpg"),
        ("🐈.jpg", "🐈.jpg"),
        ("🐈‍⬛.jpg", "%F0%9F%90%88%E2%80%8D%E2%AC%9B.jpg"),
        (NFC, NFC),
        (NFC, NFD),
        (NFD, NFC),
        (NFD, NFD),
        (NFD, "caf%C3%A9%20%C3%BC.jpg"),
        ("cat (1).jpg", "cat (1).jpg"),
        ("cat (1).jpg", "cat%20%281%29.jpg"),
        ("C# notes.png", "C# notes.png"),
        ("C# notes.png", "C%23%20notes.png"),
        ("what?.png", "what?.png"),
        ("what?.png", "what%3F.png"),
        ("a/b/cat.jpg", r"a\b\cat.jpg"),
        ("a/b/cat.jpg", "a%2Fb%2Fcat.jpg"),
        ("a/b/cat.jpg", r".\a\b\cat.jpg"),
        (r"a\b.jpg", r"a\b.jpg"),
        ("cat.jpg", "\n cat.jpg\t"),
        ("cat.JPG", "cat.JPG"),
        ("-cat.jpg", "-cat.jpg"),
        ("~cat.jpg", "~cat.jpg"),
        ("no suffix", "no suffix"),
        (".hidden.png", ".hidden.png"),
        ("'quoted' \"cat\".jpg", "'quoted' \"cat\".jpg"),
        ("a&b;c=d.jpg", "a&b;c=d.jpg"),
        (os.fsdecode(b"caf\xe9.jpg"), "caf%E9.jpg"),
    ],
)
def test_a_file_is_found_in_each_spelling_of_its_name(site: Site, name: str, url: str) -> None:
    site.picture(f"content/posts/{name}", kind="jpg")
    location = resolve(site, url)
    assert location is not None
    assert location.file == f"{site.root}/content/posts/{name}"
    assert location.path == unicodedata.normalize("NFC", f"content/posts/{name}")
    assert location.suffix == ""


def test_the_name_as_written_wins_over_the_one_it_stands_for(site: Site) -> None:
    site.picture("content/posts/my%20cat.jpg")
    site.picture("content/posts/my cat.jpg")
    assert find(site, "my%20cat.jpg") == "content/posts/my%20cat.jpg"


def test_a_query_and_a_fragment_are_kept_as_written(site: Site) -> None:
    site.picture("content/posts/my cat.jpg")
    for suffix in ("?w=100&amp;h=%20", "#xywh=1,2", "?a#b?c", "?", "#"):
        location = resolve(site, f"my%20cat.jpg{suffix}")
        assert location is not None
        assert location.suffix == suffix


def test_a_folder_does_not_hide_a_file_whose_name_goes_on_with_a_number_sign(site: Site) -> None:
    site.picture("content/posts/C# notes.png")
    (site.root / "content" / "posts" / "C").mkdir()
    assert find(site, "C# notes.png") == "content/posts/C# notes.png"


# Files that must not be published


@pytest.mark.parametrize("url", ["../../secret.png", "/../secret.png", "{static}/../secret.png"])
def test_a_name_that_climbs_out_of_the_site_is_refused(site: Site, url: str) -> None:
    site.picture("secret.png")
    with pytest.raises(OutsideSite, match=r"^secret\.png is outside .* IMAGEHOST_SEARCH_PATHS"):
        resolve(site, url)


@pytest.mark.parametrize("url", ["%2e%2e/%2E%2E/secret.png", r"..\..\secret.png"])
def test_a_disguised_name_that_climbs_out_is_refused(site: Site, url: str) -> None:
    site.picture("secret.png")
    with pytest.raises(OutsideSite):
        resolve(site, url)


def test_a_folder_whose_name_begins_like_the_sites_is_outside(site: Site) -> None:
    site.picture("content-secret/cat.png")
    with pytest.raises(OutsideSite):
        resolve(site, "../../content-secret/cat.png")


def test_a_link_out_of_the_site_is_refused_with_its_target(site: Site) -> None:
    secret = site.picture("../secret.png").resolve()
    site.write("content/posts/a.md", "")
    (site.root / "content/posts/cat.png").symlink_to(secret)
    with pytest.raises(OutsideSite, match=f"content/posts/cat.png, a link to {secret}, is outside"):
        resolve(site, "cat.png")


def test_a_linked_folder_out_of_the_site_is_refused(site: Site) -> None:
    site.picture("../secrets/deep/cat.png")
    (site.root / "content" / "linked").symlink_to(site.root.parent / "secrets")
    for url in ("/linked/deep/cat.png", "../linked/deep/cat.png"):
        with pytest.raises(OutsideSite, match=r"content/linked/deep/cat\.png is outside"):
            resolve(site, url)


def test_a_chain_of_links_out_of_the_site_is_refused(site: Site) -> None:
    site.picture("../secret.png")
    (site.root / "content" / "one.png").symlink_to("two.png")
    (site.root / "content" / "two.png").symlink_to("../../secret.png")
    with pytest.raises(OutsideSite):
        resolve(site, "/one.png")


def test_links_within_the_site_are_followed_and_keep_their_name(site: Site) -> None:
    cat = site.picture("content/images/cat.png")
    (site.root / "content" / "linked").symlink_to("images")
    (site.root / "content" / "images" / "link.png").symlink_to("cat.png")
    location = resolve(site, "/linked/link.png")
    assert location is not None
    assert location.path == "content/linked/link.png"
    assert os.path.samefile(location.file, cat)
    assert location.status == cat.stat()


def test_a_search_path_may_be_published(site: Site) -> None:
    site.picture("../shared/cat.png")
    with pytest.raises(OutsideSite):
        resolve(site, "../../../shared/cat.png")
    site.configure(IMAGEHOST_SEARCH_PATHS=["../shared"])
    assert find(site, "cat.png") == "../shared/cat.png"
    assert find(site, "../../../shared/cat.png") == "../shared/cat.png"


def test_a_content_folder_that_is_a_link_is_the_site(site: Site) -> None:
    site.picture("../real/posts/cat.png")
    (site.root / "content" / ".keep").unlink()
    (site.root / "content").rmdir()
    (site.root / "content").symlink_to("../real")
    assert find(site, "cat.png") == "content/posts/cat.png"


def test_what_may_not_be_published_does_not_hide_what_may(site: Site) -> None:
    site.picture("../secret.png")
    (site.root / "content" / "posts").mkdir()
    (site.root / "content" / "posts" / "cat.png").symlink_to("../../../secret.png")
    site.picture("content/images/cat.png")
    assert find(site, "cat.png") == "content/images/cat.png"


# Paths that are not files


@pytest.mark.parametrize("url", ["cats.jpg", "../posts/cats.jpg", "/posts/cats.jpg"])
def test_a_folder_is_not_an_image(site: Site, url: str) -> None:
    (site.root / "content/posts/cats.jpg").mkdir(parents=True)
    with pytest.raises(UnreadableImage, match=r"^content/posts/cats\.jpg is a folder"):
        resolve(site, url)


def test_a_pipe_is_not_an_image(site: Site) -> None:
    site.write("content/posts/a.md", "")
    os.mkfifo(site.root / "content/posts/cat.jpg")
    with pytest.raises(UnreadableImage, match="is not a regular file"):
        resolve(site, "cat.jpg")


@pytest.mark.parametrize(
    "url",
    [
        "cat\0.jpg",
        "cat%00.jpg",
        "\0/cat.jpg",
        "theme/\0.png",
        "a" * 300 + ".jpg",
        "a" * 300 + "/cat.jpg",
        "a/" * 3000 + "cat.jpg",
        "../" * 500 + "cat.jpg",
        "a.md/cat.jpg",
        "loop.jpg",
        "dangling.jpg",
        "?x",
        "?#",
        ".",
        "/",
        "%",
        "%zz.jpg",
        "%ff.jpg",
    ],
)
def test_strange_names_are_missing_or_no_image(site: Site, url: str) -> None:
    site.write("content/posts/a.md", "")
    (site.root / "content/posts/loop.jpg").symlink_to("loop.jpg")
    (site.root / "content/posts/dangling.jpg").symlink_to("nowhere.jpg")
    with pytest.raises((MissingImage, UnreadableImage, OutsideSite)):
        resolve(site, url)


def test_a_lone_surrogate_is_missing(site: Site) -> None:
    for url in ("cat\ud800.jpg", "cats\ud800/cat.jpg"):
        with pytest.raises(MissingImage):
            resolve(site, url)


def test_any_text_is_resolved_or_refused(site: Site) -> None:
    site.picture("content/posts/a.png")
    site.picture("secret.png")
    resolver, where = Resolver(site.settings(), ()), place(site)
    names = st.sampled_from(
        ["a.png", "secret.png", "..", "%2e%2e", "/", "\\", "{static}", "?", "#"]
    )

    @given(st.lists(names | st.text(max_size=5), max_size=8).map("".join))
    def check(url: str) -> None:
        try:
            location = resolver.resolve(url, where)
        except ImageHostError:
            return
        if location is not None:
            assert location.file == f"{site.root}/content/posts/a.png"

    check()


# Images from the manifest and the store


def test_the_manifest_answers_where_the_file_is_missing(site: Site) -> None:
    known = {"content/images/café.jpg"}
    for url in ("/images/café.jpg", "/images/cafe\u0301.jpg?x", "{static}/images/caf%C3%A9.jpg?x"):
        location = resolve(site, url, known=known)
        assert location is not None
        assert location[:3] == ("content/images/café.jpg", "", None)
        assert location.suffix == ("?x" if "?" in url else "")


@pytest.mark.parametrize("url", ["images/cat.jpg", "../images/cat.jpg", "/images/cat.jpg"])
def test_the_manifest_answers_where_the_folder_is_missing(site: Site, url: str) -> None:
    location = resolve(site, url, known={"content/images/cat.jpg"})
    assert location == Location("content/images/cat.jpg", "", None, "")


def test_a_file_answers_before_the_manifest(site: Site) -> None:
    site.picture("content/posts/cat.jpg")
    assert find(site, "cat.jpg") == "content/posts/cat.jpg"
    location = resolve(site, "cat.jpg", known={"content/posts/cat.jpg", "content/cat.jpg"})
    assert location is not None
    assert location.status is not None


def test_a_line_for_the_nearest_folder_answers_before_a_file_farther_off(site: Site) -> None:
    # The clone of another author must show the same picture as the site with all files.
    site.picture("content/images/cat.jpg")
    location = resolve(site, "cat.jpg", known={"content/posts/cat.jpg"})
    assert location == Location("content/posts/cat.jpg", "", None, "")


@pytest.mark.parametrize(
    "url",
    [KEY, f"/images/{KEY}", f"images/{KEY}", f"https://img.example.com/{KEY}", f"../{KEY}"],
)
def test_an_address_of_the_store_means_the_stored_file(site: Site, url: str) -> None:
    site.configure(IMAGEHOST_URL="https://img.example.com")
    stored = site.picture(f"images/{KEY}")
    location = resolve(site, f"{url}#x")
    assert location == Location(f"images/{KEY}", str(stored), stored.stat(), "#x")


def test_an_address_of_the_site_itself_means_the_stored_file(site: Site) -> None:
    site.configure(SITEURL="https://example.com/blog", IMAGEHOST_STORE="pictures")
    site.picture(f"pictures/{KEY}")
    for url in (f"https://example.com/blog/images/{KEY}", f"/blog/images/{KEY}"):
        assert find(site, url) == f"pictures/{KEY}"


def test_an_address_of_the_store_that_only_the_manifest_knows_is_answered(site: Site) -> None:
    location = resolve(site, f"/images/{KEY}", known={f"images/{KEY}"})
    assert location == Location(f"images/{KEY}", "", None, "")


def test_an_address_of_the_host_that_the_store_lacks_is_left_alone(site: Site) -> None:
    site.configure(IMAGEHOST_URL="https://img.example.com")
    assert resolve(site, f"https://img.example.com/{KEY}") is None
    assert resolve(site, "https://img.example.com/logo.png") is None
    with pytest.raises(MissingImage):
        resolve(site, f"/images/{KEY}")


@pytest.mark.parametrize("url", [f"{KEY}.png", f"x{KEY}", KEY[1:], KEY.replace("ab/", "ac/", 1)])
def test_what_only_resembles_an_address_of_the_store_is_none(site: Site, url: str) -> None:
    site.picture(f"images/{KEY}")
    with pytest.raises(MissingImage):
        resolve(site, url)


# Suggestions


@pytest.mark.parametrize(
    ("there", "url", "near"),
    [
        ("posts/Cat.JPG", "cat.jpg", "Cat.JPG"),
        ("posts/cat.jpg", "CAT.jpg", "cat.jpg"),
        ("posts/cat.jpeg", "cat.jpg", "cat.jpeg"),
        ("posts/cat.png", "cat.jpg", "cat.png"),
        ("posts/kitten.jpg", "kiten.jpg", "kitten.jpg"),
        ("posts/my-cat.jpg", "my_cat.jpg", "my-cat.jpg"),
        ("images/cat.jpg", "pics/cat.jpg", "../images/cat.jpg"),
        ("images/2020/cat.jpg", "cat.jpg", "../images/2020/cat.jpg"),
        ("posts/my cat.jpg", "my%20cat.jpeg", "my cat.jpg"),
    ],
)
def test_a_missing_file_comes_with_the_one_that_was_meant(
    site: Site, there: str, url: str, near: str
) -> None:
    site.picture(f"content/{there}", kind="jpg")
    with pytest.raises(MissingImage) as caught:
        resolve(site, url)
    assert str(caught.value).endswith(f"; did you mean {near}?")


def test_the_near_miss_beside_the_document_is_suggested_first(site: Site) -> None:
    site.picture("content/a/cat.jpg")
    site.picture("content/posts/cat.jpg")
    with pytest.raises(MissingImage, match=r"did you mean cat\.jpg\?$"):
        resolve(site, "cat.JPG")


def test_a_missing_file_comes_with_where_it_was_looked_for(site: Site) -> None:
    site.configure(IMAGEHOST_SEARCH_PATHS=["shared"])
    with pytest.raises(MissingImage) as caught:
        resolve(site, "cat.jpg")
    assert str(caught.value) == (
        "no such file (looked in content/posts, content, content/images, shared)"
    )


def test_neither_the_store_nor_other_files_are_near_misses(site: Site) -> None:
    site.configure(PATH=".")
    site.picture(f"images/{KEY}")
    site.write("cat.txt", "")
    for url in (f"{KEY[3:-5]}1.jpg", "cat.jpg"):
        with pytest.raises(MissingImage) as caught:
            resolve(site, url)
        assert "did you mean" not in str(caught.value)


def test_a_document_in_the_sites_own_folder_names_paths_without_a_folder(site: Site) -> None:
    site.configure(PATH=".")
    cat = site.picture("cat.jpg")
    location = Resolver(site.settings(), ()).resolve("cat.jpg", Place(str(site.root), str))
    assert location == Location("cat.jpg", str(cat), cat.stat(), "")


# Wikilinks


def test_a_wikilink_is_resolved_as_any_link_first(site: Site) -> None:
    site.picture("content/posts/cat.jpg")
    site.picture("content/cat.jpg")
    site.picture("content/posts/sub/my cat.jpg")
    assert find(site, "[[cat.jpg]]") == "content/posts/cat.jpg"
    assert find(site, "[[../cat.jpg]]") == "content/cat.jpg"
    assert find(site, "[[/cat.jpg]]") == "content/cat.jpg"
    assert find(site, "[[sub/my cat.jpg]]") == "content/posts/sub/my cat.jpg"


@pytest.mark.parametrize(
    "target", ["cat.jpg", "b/cat.jpg", "a/b/cat.jpg", "CAT.JPG", "B/Cat.jpg", "cat.jpg#right"]
)
def test_a_wikilink_finds_a_file_in_any_folder(site: Site, target: str) -> None:
    site.picture("content/a/b/cat.jpg")
    assert find(site, f"[[{target}]]") == "content/a/b/cat.jpg"


def test_a_wikilink_means_the_file_in_the_fewest_folders(site: Site) -> None:
    for file in ("a/b/cat.jpg", "c/cat.jpg", "c/d/e/cat.jpg", ".trash/cat.jpg"):
        site.picture(f"content/{file}")
    assert find(site, "[[cat.jpg]]") == "content/c/cat.jpg"
    assert find(site, "[[b/cat.jpg]]") == "content/a/b/cat.jpg"


def test_a_wikilink_prefers_the_case_that_is_written(site: Site) -> None:
    site.picture("content/a/cat.jpg")
    site.picture("content/b/CAT.jpg")
    assert find(site, "[[cat.jpg]]") == "content/a/cat.jpg"
    assert find(site, "[[CAT.jpg]]") == "content/b/CAT.jpg"


def test_a_wikilink_that_could_mean_two_files_names_them(site: Site) -> None:
    site.picture("content/a/cat.jpg")
    site.picture("content/b/cat.jpg")
    message = (
        r"several files have this name: content/a/cat\.jpg, content/b/cat\.jpg; add the folder"
    )
    with pytest.raises(MissingImage, match=message):
        resolve(site, "[[cat.jpg]]")
    assert find(site, "[[b/cat.jpg]]") == "content/b/cat.jpg"


def test_a_wikilink_is_found_in_the_manifest_where_the_files_are_missing(site: Site) -> None:
    known = {"content/a/b/cat.jpg", "content/c/cat.jpg", "images/cat.jpg"}
    location = resolve(site, "[[cat.jpg]]", known=known)
    assert location == Location("content/c/cat.jpg", "", None, "")


def test_a_wikilink_to_nothing_is_missing(site: Site) -> None:
    site.picture("content/a/kitten.jpg")
    with pytest.raises(MissingImage, match=r"did you mean ../a/kitten\.jpg\?"):
        resolve(site, "[[kiten.jpg]]")
    with pytest.raises(MissingImage):  # only a wikilink is searched for everywhere
        resolve(site, "kitten.jpg")


@pytest.mark.parametrize(
    "url",
    [
        *["/thumbs/cat.jpg", "https://example.com/blog/thumbs/cat.jpg", "/blog/thumbs/cat.jpg"],
        *["{static}/thumbs/cat.jpg", "https://example.com/blog/th%75mbs/cat.jpg"],
        *["[[/thumbs/cat.jpg]]"],
    ],
)
def test_a_link_is_ignored_by_its_path_in_the_site(site: Site, url: str) -> None:
    site.configure(SITEURL="https://example.com/blog", IMAGEHOST_IGNORE=["/thumbs/*"])
    assert resolve(site, url) is None
    with pytest.raises(MissingImage):
        resolve(site, url.replace("mbs/", "mbs2/"))
