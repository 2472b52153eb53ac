"""The gallery in the preview of a real session."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from pelican_imagehost.watch.gallery import PAGE, Images
from pelican_imagehost.watch.preview import Preview
from tests.watch.test_preview import connect, get
from tests.watch.watchkit import Desk, prepare

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pelican_imagehost.settings import Settings
    from tests.conftest import Site


class Stage(Desk):
    """A session that gives its site to a preview."""

    def __init__(self, site: Site, preview: Preview) -> None:
        self.preview = preview
        super().__init__(site)

    def configured(self, settings: Settings) -> None:
        self.preview.images = Images(settings)


@pytest.fixture
def preview(site: Site) -> Iterator[Preview]:
    served = Preview(0)
    served.root = str(site.root / "output")
    served.start()
    yield served
    served.close()


def test_images_are_shown_and_nothing_can_be_changed(site: Site, preview: Preview) -> None:
    site.configure(IMAGEHOST_URL="https://img.example.com")
    prepare(site)
    assert get(preview, PAGE)[0] == 404
    with Stage(site, preview) as stage:
        stage.settle()
        status, headers, page = get(preview, PAGE)
    assert status == 200
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; img-src 'self';")
    assert page.count('class="card"') == 6
    assert "content/post-1.md" in page
    assert 'method="post"' not in page
    assert "client.js" not in page
    addresses = re.findall(r'(?:src|href)="(/[^"]+)"', page)
    assert len(addresses) > 12
    for address in addresses:
        connection = connect(preview)
        connection.request("GET", address.replace("&amp;", "&"))
        response = connection.getresponse()
        assert (response.status, bool(response.read())) == (200, True), address
        assert response.headers["Content-Security-Policy"]
        connection.close()
    assert get(preview, f"{PAGE}?text=picture-3")[2].count('class="card"') == 1
    assert get(preview, PAGE, Host="evil.example.com")[0] == 403
    assert get(preview, PAGE, "POST")[0] == 501
    for address in ("/.imagehost/images/../../pelicanconf.py", "/.imagehost/assets/x/gallery.js",
                    f"/.imagehost/images/aa/{'a' * 64}.png", "/.imagehost/"):  # fmt: skip
        assert get(preview, address)[0] == 404
