"""The references in written files, of any content."""

from __future__ import annotations

import pytest

from pelican_imagehost.site.page_references import references_in

LD = '{"image": "/images/cat.jpg", "also": ["https:\\/\\/example.com/dog.png", "word.png"]}'


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (f'<script type="application/ld+json">{LD}</script>', 2),
        (f"<SCRIPT id=a TYPE = application/json >{LD}</SCRIPT >", 2),
        (f'<script type="text/javascript">{LD}</script>', 0),
        (f'<script data-type="x">{LD}</script>', 0),
        (f'<script type="application/ld+json">{LD}', 0),
        (f'<script type="application/ld+json">no data {LD}</script>', 0),
        (f'<![foo <script type="application/ld+json">{LD}</script> <!doctype [ <![endif]>', 2),
    ],
)
def test_data_in_scripts_of_a_page(page: str, expected: int) -> None:
    assert len(list(references_in("a.html", page))) == expected


def test_scripts_that_do_not_end_cost_no_more_than_their_length() -> None:
    page = '<script type="application/ld+json">' * 100_000
    assert list(references_in("a.html", page)) == []
