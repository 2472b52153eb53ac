"""Sites whose images are known at addresses that no document need name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.site.casekit import Case, Table, post, theme

if TYPE_CHECKING:
    from tests.conftest import Site

__all__ = ["CASES"]

case = CASES = Table("files")
KEPT = ("top", "domain", "folder", "relative", "host", "host-relative")


@case
def static_files_that_documents_name(site: Site) -> Case:
    """Links from elsewhere, search engines and feed readers go on working."""
    for seed, name in enumerate(("cat.jpg", "deep/er/dog.png", "UPPER.JPG", "two words.gif"), 1):
        site.picture(f"content/images/{name}", kind=name[-3:].lower(), text_seed=seed)
    body = "![a](/images/cat.jpg) ![b]({static}/images/deep/er/dog.png) ![c](images/UPPER.JPG)"
    post(site, "a.md", body + " ![d](<{static}images/two words.gif>)")
    return Case(builds=2)


@case
def attached_files(site: Site) -> Case:
    site.picture("content/trip/cat.jpg")
    site.picture("content/trip/dog.png", text_seed=2)
    post(site, "trip/a.md", "![a]({attach}cat.jpg) [b]({attach}dog.png)", Slug="a")
    site.configure(ARTICLE_SAVE_AS="{date:%Y}/{slug}.html", ARTICLE_URL="{date:%Y}/{slug}.html")
    return Case(everything=True, builds=2)


@case
def static_links_outside_static_paths(site: Site) -> Case:
    """Pelican copies each file that a document links to as `{static}`."""
    site.picture("content/trip/cat.jpg")
    site.picture("content/trip/dog.png", text_seed=2)
    post(site, "trip/a.md", "![a]({static}cat.jpg) <img src='{static}/trip/dog.png' alt=''>")
    return Case(everything=True)


@case
def files_with_a_path_of_their_own(site: Site) -> Case:
    site.picture("content/extra/cat.png")
    site.picture("content/images/dog.png", text_seed=2)
    site.configure(
        STATIC_PATHS=["images", "extra"],
        EXTRA_PATH_METADATA={
            "extra/cat.png": {"path": "favicon.png"},
            "images/dog.png": {"path": "pictures/of/dog.png"},
        },
    )
    theme(site, head='<link rel="icon" href="{{ SITEURL }}/favicon.png">')
    post(site, "a.md", "![a]({static}/extra/cat.png) ![b](/pictures/of/dog.png)")
    return Case()


@case
def static_paths_elsewhere(site: Site) -> Case:
    site.picture("content/pictures/cat.jpg")
    site.picture("content/favicon.png", text_seed=2)
    theme(site, '<img src="{{ SITEURL }}/pictures/{{ article.image }}">')
    post(site, "a.md", "![a](/pictures/cat.jpg) ![b](/favicon.png)", Image="cat.jpg")
    site.configure(STATIC_PATHS=["pictures", "favicon.png"])
    return Case()


@case
def everything_is_static(site: Site) -> Case:
    site.picture("content/trip/cat.jpg")
    post(site, "trip/a.md", "![a](cat.jpg) ![b](/trip/cat.jpg)", Slug="a")
    site.configure(STATIC_PATHS=["."], ARTICLE_SAVE_AS="trip/{slug}.html")
    return Case(everything=True)


@case
def one_image_at_two_addresses(site: Site) -> Case:
    site.picture("content/images/cat.jpg")
    site.picture("content/images/copy.jpg")
    theme(site, '<img src="/images/{{ article.slug }}.jpg">')
    post(site, "copy.md", "![a](/images/cat.jpg) ![b](/images/copy.jpg)")
    return Case()


@case
def links_in_place_of_copies(site: Site) -> Case:
    site.picture("content/images/cat.jpg")
    theme(site, '<img src="/images/cat.jpg">')
    post(site, "a.md", "![a](/images/cat.jpg)")
    site.configure(STATIC_CREATE_LINKS=True)
    return Case(builds=2)


@case
def output_that_is_deleted_first(site: Site) -> Case:
    site.picture("content/images/cat.jpg")
    theme(site, '<img src="/images/cat.jpg">')
    post(site, "a.md", "![a](/images/cat.jpg)")
    site.configure(DELETE_OUTPUT_DIRECTORY=True)
    return Case(builds=2)


@case
def only_newer_files_are_copied(site: Site) -> Case:
    site.picture("content/images/cat.jpg")
    theme(site, '<img src="/images/cat.jpg">')
    post(site, "a.md", "![a](/images/cat.jpg)")
    site.configure(STATIC_CHECK_IF_MODIFIED=True)
    return Case(builds=2)


@case
def pages_are_cached(site: Site) -> Case:
    site.picture("content/images/cat.jpg")
    theme(site, '<img src="{{ SITEURL }}/{{ article.cover }}">')
    post(site, "a.md", "![a]({static}/images/cat.jpg)", Cover="images/cat.jpg")
    site.configure(CACHE_CONTENT=True, LOAD_CONTENT_CACHE=True, CONTENT_CACHING_LAYER="generator")
    return Case(builds=2)


@case
def sources_are_written(site: Site) -> Case:
    site.picture("content/images/cat.jpg")
    post(site, "a.md", "![a](/images/cat.jpg)")
    site.configure(OUTPUT_SOURCES=True, OUTPUT_SOURCES_EXTENSION=".txt")
    return Case()


@case
def an_output_folder_named_images(site: Site) -> Case:
    """A file of the site's own whose address looks like one of ours."""
    name = f"ab/{'ab' * 32}.jpg"
    site.picture(f"content/images/{name}")
    theme(site, f'<img src="{{{{ SITEURL }}}}/images/{name}">')
    post(site, "a.md", f"![a](/images/{name})")
    return Case()


@case
def feeds(site: Site) -> Case:
    site.picture("content/images/cat.jpg")
    site.picture("content/images/dog.png", text_seed=2)
    post(
        site,
        "a.md",
        "![a](/images/cat.jpg) <video poster='/images/dog.png'></video> "
        "<p style='background: url(/images/dog.png)'></p>",
        Summary='<img src="{static}/images/dog.png" alt="">',
        Category="notes",
    )
    post(site, "b.md", '<img src="{static}/images/cat.jpg" srcset="/images/dog.png 2x" alt="">')
    site.configure(
        FEED_ALL_ATOM="feeds/all.atom.xml",
        FEED_ALL_RSS="all.rss.xml",
        CATEGORY_FEED_ATOM="feeds/{slug}/atom.xml",
        RSS_FEED_SUMMARY_ONLY=False,
        FEED_APPEND_REF=True,
    )
    return Case(builds=2)


@case
def feeds_of_another_domain(site: Site) -> Case:
    site.picture("content/images/cat.jpg")
    post(site, "a.md", "![a](/images/cat.jpg)")
    site.configure(FEED_DOMAIN="https://blog.example.com", FEED_ATOM="atom.xml", FEED_RSS="rss.xml")
    return Case()


@case
def a_setting_with_markup(site: Site) -> Case:
    site.picture("content/images/cat.jpg")
    theme(site, "{{ BADGE }}{{ MENU[0][1] }}")
    post(site, "a.md", "![a](/images/cat.jpg)")
    site.configure(
        BADGE='<img src="/images/cat.jpg">', MENU=[["a", '<a href="/images/cat.jpg">b</a>']]
    )
    return Case()


@case
def a_missing_picture_in_a_document(site: Site) -> Case:
    site.picture("content/images/cat.jpg")
    post(site, "a.md", "![a](/images/cat.jpg)\n\n![b](/images/gone.png)")
    return Case(says=("gone.png", "a.md"), silent=("cat.jpg:",))


@case
def links_that_are_ignored(site: Site) -> Case:
    site.picture("content/images/cat.jpg")
    site.configure(IMAGEHOST_IGNORE=["/thumbs/*"])
    post(site, "a.md", "![a](https://blog.example.com/thumbs/one.jpg) ![b](/thumbs/two.jpg)")
    return Case(modes=("domain", "host", "dropped"), silent=("one.jpg", "two.jpg"))


@case
def links_below_a_folder_that_are_ignored(site: Site) -> Case:
    site.configure(IMAGEHOST_IGNORE=["/thumbs/*"])
    post(site, "a.md", "![a](https://example.com/blog/thumbs/one.jpg)")
    return Case(modes=("folder",), silent=("one.jpg",))


@case
def links_with_the_address_of_the_site(site: Site) -> Case:
    site.picture("content/images/cat.jpg")
    post(site, "a.md", "![a](https://blog.example.com/images/cat.jpg)")
    return Case(modes=("domain", "host", "dropped", "dropped-host"), everything=True)
