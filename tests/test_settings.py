from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pelican_imagehost.errors import SettingsError
from pelican_imagehost.images.image import IMAGE_TYPES, Limits
from pelican_imagehost.options import OPTIONS
from pelican_imagehost.settings import Settings
from pelican_imagehost.site.settings_file import read_settings

if TYPE_CHECKING:
    from tests.conftest import Site


def settings_of(site: Site, **own: object) -> Settings:
    site.configure(**own)
    return site.settings()


def test_without_any_setting_the_defaults_hold(site: Site) -> None:
    settings = site.settings()
    assert settings.root == site.root
    assert settings.content == site.root / "content"
    assert settings.static_paths == (site.root / "content" / "images",)
    assert settings.search_paths == ()
    assert settings.theme_prefix == "theme"
    assert [folder.name for folder in settings.theme_static] == ["static"]
    assert settings.theme_static[0].is_dir()
    assert settings.output_names == {}
    assert settings.output == site.root / "output"
    assert settings.site_url == ""
    assert settings.relative_urls is False
    assert settings.formatted_fields == {"summary"}
    assert settings.metadata_fields >= {"image", "cover", "og_image"}
    assert settings.url is None
    assert settings.remote is None
    assert settings.store == site.root / "images"
    assert settings.manifest == site.root / "imagehost.jsonl"
    assert settings.index == site.root / "cache" / "imagehost.sqlite3"
    assert settings.limits == Limits(10 * 1024**2, 100_000_000, frozenset(IMAGE_TYPES))
    assert settings.ignore == ()
    assert settings.keep_static is True
    assert settings.redirects is None
    assert settings.strict is False


def test_every_default_is_acceptable() -> None:
    assert all(option.accepts(option.default) for option in OPTIONS.values())


ACCEPTED: dict[str, list[Any]] = {
    "URL": [None, "https://img.example.com", "http://localhost:8000/a/", "https://[::1]/x"],
    "REMOTE": [None, "git@img.example.com:images.git", "../images.git", Path("/srv/images.git")],
    "STORE": [None, "pictures", "../pictures", Path("pictures")],
    "MANIFEST": ["facts.jsonl", Path("data/facts.jsonl")],
    "RECORDS": ["facts.jsonl", Path("data/facts.jsonl")],
    "ORIGINS": [[], ["app://obsidian.md", "file://"], ("http://localhost:8080", "https://[::1]")],
    "MAX_BYTES": [1, 10**12],
    "MAX_PIXELS": [1, 10**12],
    "TYPES": [["png"], ("jpg", "webp"), {"svg"}, frozenset(IMAGE_TYPES)],
    "METADATA_FIELDS": [[], ["Photo"], ("a", "b"), ["cover.image", "gallery.*.src"]],
    "WIKILINKS": [None, True, False],
    "SEARCH_PATHS": [[], ["../shared"], ("~/Pictures",)],
    "IGNORE": [[], ["/thumbs/*"]],
    "FIRST_IMAGE": [True, False],
    "FORMATS": [[], ["avif"], ("webp", "avif")],
    "WIDTHS": [[720], (400, 800)],
    "SIZES": ["100vw", "(min-width: 760px) 720px, 100vw"],
    "MAKE_VARIANTS": [True, False],
    "KEEP_METADATA": [[], ["copyright"], ("all",), {"copyright", "all"}],
    "KEEP_STATIC": [True, False],
    "REDIRECTS": [None, "nginx", "netlify"],
    "DECORATE": [True, False],
    "STRICT": [True, False],
    "FROZEN": [True, False],
}
REFUSED: dict[str, list[Any]] = {
    "URL": [
        "",
        "img.example.com",
        "//img.example.com",
        "ftp://img.example.com",
        "https://",
        "https:///path",
        "https://img.example.com/a b",
        "https://img.example.com/?a",
        "https://name:word@img.example.com",
        "https://img.example.com/#a",
        'https://img.example.com/"',
        "https://[::1",
        True,
        5,
        ["https://img.example.com"],
    ],
    "REMOTE": ["", 5, ["x"], "--upload-pack=x"],
    "STORE": ["", 5, True, ["images"], b"images"],
    "MANIFEST": ["", None, 5, b"x"],
    "RECORDS": ["", None, 5, b"x", "mysql://127.0.0.1/images"],
    "ORIGINS": [
        "app://obsidian.md",
        ["*"],
        ["null"],
        ["obsidian.md"],
        ["https://example.com/"],
        ["https://*.example.com"],
        ["HTTPS://example.com"],
        [""],
        [1],
        None,
    ],
    "MAX_BYTES": [0, -1, 1.5, "10 MB", None, True],
    "MAX_PIXELS": [0, -1, 1e8, "100", None, True],
    "TYPES": [[], "png", ["jpeg"], ["PNG"], [1], None],
    "METADATA_FIELDS": ["image", [""], [1], None],
    "WIKILINKS": [0, 1, "yes"],
    "SEARCH_PATHS": ["../shared", [""], [None], None],
    "IGNORE": ["/thumbs/*", [""], None],
    "FIRST_IMAGE": [1, "yes", None],
    "FORMATS": ["avif", ["jpg"], None, [1]],
    "WIDTHS": [[], 720, [0], ["720"], [True], None],
    "SIZES": ["", None, 5, '"', "<", ["100vw"]],
    "MAKE_VARIANTS": [1, None, "yes"],
    "KEEP_METADATA": ["all", ["gps"], [None], True, None],
    "KEEP_STATIC": [1, 0, "yes", None],
    "REDIRECTS": ["apache", True, 1, []],
    "DECORATE": [1, "no", None],
    "STRICT": [1, "true", None],
    "FROZEN": [1, 0, "true", ""],
}


def test_each_option_is_tried_below() -> None:
    assert ACCEPTED.keys() == REFUSED.keys() == OPTIONS.keys()


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in ACCEPTED.items() for value in values]
)
def test_a_value_that_can_be_is_taken(name: str, value: object, site: Site) -> None:
    pelican = {**_pelican(site), f"IMAGEHOST_{name}": value}
    Settings.from_pelican(pelican, root=site.root)


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in REFUSED.items() for value in values]
)
def test_a_value_that_cannot_be_is_refused(name: str, value: object, site: Site) -> None:
    pelican = {**_pelican(site), f"IMAGEHOST_{name}": value}
    with pytest.raises(SettingsError) as caught:
        Settings.from_pelican(pelican, root=site.root)
    expected = OPTIONS[name].expected
    assert str(caught.value) == f"IMAGEHOST_{name} must be {expected}; found {value!r}"


def _pelican(site: Site) -> dict[str, Any]:
    return {
        "PATH": str(site.root / "content"),
        "THEME": str(site.root / "theme"),
        "OUTPUT_PATH": str(site.root / "output"),
        "CACHE_PATH": "cache",
        "STATIC_PATHS": ["images"],
        "THEME_STATIC_PATHS": ["static"],
        "THEME_STATIC_DIR": "theme",
        "EXTRA_PATH_METADATA": {},
        "SITEURL": "",
        "RELATIVE_URLS": False,
        "INTRASITE_LINK_REGEX": "[{|](?P<what>.*?)[|}]",
        "FORMATTED_FIELDS": ["summary"],
    }


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("IMAGEHOST_URI", "IMAGEHOST_URL"),
        ("IMAGEHOST_MAXBYTES", "IMAGEHOST_MAX_BYTES"),
        ("IMAGEHOST_SEARCHPATH", "IMAGEHOST_SEARCH_PATHS"),
        ("IMAGEHOST_STRIKT", "IMAGEHOST_STRICT"),
    ],
)
def test_a_misspelt_setting_is_refused_with_the_near_miss(
    site: Site, wrong: str, near: str
) -> None:
    message = f"^{wrong} is not a setting; did you mean {near}\\?$"
    with pytest.raises(SettingsError, match=message):
        settings_of(site, **{wrong: "x"})


def test_an_unknown_setting_is_refused_with_those_that_are(site: Site) -> None:
    with pytest.raises(SettingsError) as caught:
        settings_of(site, IMAGEHOST_QQQQQQQQQQQQQQ=1)
    assert all(f"IMAGEHOST_{name}" in str(caught.value) for name in OPTIONS)


def test_settings_of_others_are_ignored(site: Site) -> None:
    settings_of(site, IMAGE_HOST_URL="x", IMAGEHOSTING=1)


def test_each_setting_arrives(site: Site) -> None:
    settings = settings_of(
        site,
        IMAGEHOST_URL="https://img.example.com/pictures/",
        IMAGEHOST_REMOTE="/srv/images.git",
        IMAGEHOST_STORE="../shared/store",
        IMAGEHOST_MANIFEST="facts.jsonl",
        IMAGEHOST_MAX_BYTES=5,
        IMAGEHOST_MAX_PIXELS=6,
        IMAGEHOST_TYPES=["png"],
        IMAGEHOST_METADATA_FIELDS=["Photo"],
        IMAGEHOST_SEARCH_PATHS=["../shared", "/srv/pictures"],
        IMAGEHOST_IGNORE=["/thumbs/*"],
        IMAGEHOST_KEEP_STATIC=True,
        IMAGEHOST_DECORATE=False,
        IMAGEHOST_STRICT=True,
    )
    assert settings.url == "https://img.example.com/pictures"
    assert settings.remote == "/srv/images.git"
    assert os.path.normpath(settings.store) == str(site.root.parent / "shared" / "store")
    assert settings.manifest == site.root / "facts.jsonl"
    assert settings.limits == Limits(5, 6, frozenset(["png"]))
    assert settings.metadata_fields == {"photo"}
    assert [os.path.normpath(path) for path in settings.search_paths] == [
        str(site.root.parent / "shared"),
        "/srv/pictures",
    ]
    assert settings.ignore == ("/thumbs/*",)
    assert settings.keep_static is True
    assert settings.decorate is False
    assert settings.strict is True


def test_a_home_folder_is_found(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/cat")
    settings = settings_of(site, IMAGEHOST_SEARCH_PATHS=["~/Pictures"])
    assert settings.search_paths == (Path("/home/cat/Pictures"),)


def test_pelicans_own_settings_arrive(site: Site) -> None:
    settings = settings_of(
        site,
        SITEURL="https://example.com/blog/",
        RELATIVE_URLS=True,
        STATIC_PATHS=["pictures", "extra"],
        EXTRA_PATH_METADATA={"extra/icon.png": {"path": "/favicon.png"}, "extra/x": {"date": "x"}},
        THEME_STATIC_DIR="/assets/",
        FORMATTED_FIELDS=["Summary", "Teaser"],
        CACHE_PATH="/var/cache/site",
    )
    content = site.root / "content"
    assert settings.site_url == "https://example.com/blog"
    assert settings.relative_urls is True
    assert settings.static_paths == (content / "pictures", content / "extra")
    assert settings.output_names == {"favicon.png": content / "extra/icon.png"}
    assert settings.theme_prefix == "assets"
    assert settings.formatted_fields == {"summary", "teaser"}
    assert settings.index == Path("/var/cache/site/imagehost.sqlite3")


def test_without_a_host_images_go_below_the_site(site: Site) -> None:
    settings = settings_of(site, SITEURL="https://example.com/blog/")
    assert settings.address_prefix == "https://example.com/blog/images/"
    assert settings.embedded == site.root / "output" / "images"


def test_with_a_host_nothing_goes_into_the_output(site: Site) -> None:
    settings = settings_of(site, SITEURL="https://a.example", IMAGEHOST_URL="https://b.example/i/")
    assert settings.address_prefix == "https://b.example/i/"
    assert settings.embedded is None


def test_a_folder_of_the_authors_own_files_is_not_the_store(site: Site) -> None:
    site.picture("images/cat.jpg")
    settings = site.settings()
    assert settings.store == site.root / "imagehost"
    assert settings.address_prefix == "/images/"  # addresses do not depend on it


@pytest.mark.parametrize(
    "names",
    [[], [".lock"], [".git/config"], ["ab/x.jpg"], ["ab/x.jpg", "README.md"]],
    ids=["empty", "lock", "repository", "store", "store and more"],
)
def test_an_empty_folder_or_a_store_is_the_store(site: Site, names: list[str]) -> None:
    (site.root / "images").mkdir()
    for name in names:
        site.write(f"images/{name}", "")
    assert site.settings().store == site.root / "images"


def test_files_are_named_relative_to_the_site_where_they_lie_in_it(site: Site) -> None:
    settings = site.settings()
    assert settings.relative(site.root / "content" / "a.md") == "content/a.md"
    assert settings.relative(f"{site.root}/content/../x.md") == "x.md"
    assert settings.relative(f"{site.root}/..hidden") == "..hidden"
    beside = f"{site.root}-2/x.md"
    assert settings.relative(beside) == beside


ROOT = """
import json, os, sys
from pelican.settings import read_settings
from pelican_imagehost.settings import Settings
file = sys.argv[1] if len(sys.argv) > 1 else None
settings = Settings.from_pelican(read_settings(file, override={"PATH": os.getcwd()}))
print(json.dumps([str(settings.root), str(settings.store)]))
"""


def find_root(folder: Path, *arguments: str) -> Path:
    completed = subprocess.run(
        [sys.executable, "-c", ROOT, *arguments], cwd=folder, capture_output=True, check=False
    )
    assert completed.returncode == 0, completed.stderr.decode()
    root, store = map(Path, json.loads(completed.stdout))
    assert store.parent == root
    return root


def test_the_root_is_the_folder_of_the_settings_file(site: Site) -> None:
    elsewhere = site.root.parent / "elsewhere"
    elsewhere.mkdir()
    assert find_root(elsewhere, str(site.root / "pelicanconf.py")) == site.root
    assert find_root(elsewhere, "../site/pelicanconf.py") == site.root
    assert find_root(site.root, "pelicanconf.py") == site.root


def test_the_root_is_that_of_the_settings_file_given_not_of_the_one_it_imports(
    site: Site,
) -> None:
    site.publishconf(SITEURL="https://example.com", RELATIVE_URLS=False)
    assert find_root(site.root, "publishconf.py") == site.root
    site.write(
        "deploy/live.py",
        "import os, sys\nsys.path.append(os.curdir)\nfrom pelicanconf import *\n",
    )
    assert find_root(site.root, "deploy/live.py") == site.root / "deploy"


def test_without_a_settings_file_the_root_is_the_working_directory(tmp_path: Path) -> None:
    assert find_root(tmp_path) == tmp_path


# Each is added to a settings file that has PATH, SITENAME and more.
FILES = {
    "usual": "SITEURL = 'https://blog.example.com'",
    "slash": "SITEURL = 'https://blog.example.com/'",
    "two slashes": "SITEURL = 'https://blog.example.com//'",
    "no SITEURL": "del SITENAME",
    "output elsewhere": "OUTPUT_PATH = '../public'; CACHE_PATH = '/var/cache/blog'",
    "named theme": "THEME = 'simple'",
    "theme here": "import os; os.makedirs('look', exist_ok=True); THEME = 'look'",
    "theme that is not there": "THEME = 'no-such-theme'",
    "theme in a variable": "from pathlib import Path; THEME = Path('simple')",
    "static paths": "STATIC_PATHS = ['images', 'extra/robots.txt']; THEME_STATIC_DIR = 'look'",
    "a text for a list": "STATIC_PATHS = 'images'",
    "one name": "THEME_TEMPLATES_OVERRIDES = 'over'",
    "no list": "THEME_STATIC_PATHS = None",
    "overrides": "THEME_TEMPLATES_OVERRIDES = ['over', '/srv/over']",
    "renamed": "EXTRA_TEMPLATES_PATHS = ['over']",
    "links": "INTRASITE_LINK_REGEX = '[<](?P<what>.*?)[>]'; FORMATTED_FIELDS = ['Lead']",
    "a set": "FORMATTED_FIELDS = {'lead'}",
    "extra paths": "EXTRA_PATH_METADATA = {'extra/a.png': {'path': 'a.png'}}",
    "own": "IMAGEHOST_URL = 'https://img.example.com/'; IMAGEHOST_REMOTE = '../images.git'",
    "own mistake": "IMAGEHOST_URI = 'https://img.example.com/'",
    "own wrong": "IMAGEHOST_STRICT = 'yes'",
    "computed": "import os.path as p; IMAGEHOST_STORE = p.join('a', 'b'); RELATIVE_URLS = 1",
    "Pelican": "from pelican.settings import DEFAULT_CONFIG; STATIC_PATHS = DEFAULT_CONFIG['PATH']",
    "content here": "PATH = '.'",
    "no content": "PATH = 'no-such-folder'",
    "content elsewhere": "import os; os.makedirs('../texts', exist_ok=True); PATH = '../texts'",
    "None": "SITEURL = None",
    "an error": "1 / 0",
    "wrong": "this is not Python",
    "lower case": "siteurl = 'https://blog.example.com'",
}


@pytest.mark.parametrize("name", FILES)
def test_without_pelican_the_settings_are_the_same(site: Site, name: str) -> None:
    site.write("pelicanconf.py", f"{(site.root / 'pelicanconf.py').read_text()}\n{FILES[name]}\n")
    site.publishconf(SITENAME="Published")
    code = (
        "import sys, pathlib, logging; logging.disable()\n"
        "from pelican_imagehost.errors import ImageHostError\n"
        "try:\n"
        "    if sys.argv[2] == 'lean':\n"
        "        from pelican_imagehost.site.settings_file import read_settings\n"
        "        read = lambda file: read_settings(file).settings\n"
        "    else:\n"
        "        from pelican_imagehost.site.site import Site\n"
        "        read = lambda file: Site(file).settings\n"
        "    print(read(pathlib.Path(sys.argv[1])))\n"
        "except ImageHostError as error:\n"
        "    print(error)\n"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", code, "publishconf.py", way],
            cwd=site.root,
            env={**os.environ, "PYTHONHASHSEED": "0"},  # for the order of sets
            capture_output=True,
            check=True,
        ).stdout.decode()
        for way in ("lean", "Pelican")
    ]
    assert said[0] == said[1]


def test_usual_settings_are_read_without_pelican(site: Site) -> None:
    code = (
        "import sys, pathlib\n"
        "from pelican_imagehost.site.settings_file import read_settings\n"
        "read_settings(pathlib.Path('pelicanconf.py'))\n"
        "print('pelican' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=site.root, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_missing_settings_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no settings file"):
        read_settings(tmp_path / "pelicanconf.py")
