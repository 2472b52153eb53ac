from __future__ import annotations

from datetime import date
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelican_imagehost.gallery.query import Query


@pytest.mark.parametrize(
    "fields",
    [
        {"page": "0"}, {"page": "-1"}, {"page": "9" * 5000}, {"page": "²"}, {"since": "tomorrow"},
        {"sort": "<script>"}, {"unused": ""}, {"other": "1"},
    ],
)  # fmt: skip
def test_nonsense_in_an_address_counts_as_not_there(fields: dict[str, str]) -> None:
    assert Query.parse(fields) == Query()


def test_every_field_but_order_and_page_can_exclude_images() -> None:
    assert not Query(sort="name", page=2).is_filtered
    day = date(2024, 5, 6)
    for fields in ({"text": "a"}, {"type": "png"}, {"since": day}, {"until": day},
                   {"unused": True}, {"duplicates": True}):  # fmt: skip
        assert Query()._replace(**fields).is_filtered


days = st.none() | st.dates()


@given(
    st.builds(
        Query,
        text=st.text().map(str.strip),
        type=st.sampled_from(["", "jpg"]),
        since=days,
        until=days,
        unused=st.booleans(),
        sort=st.sampled_from(["newest", "name"]),
        page=st.integers(1, 999),
    )
)
def test_an_address_asks_what_the_query_asked(query: Query) -> None:
    fields = dict(parse_qsl(query.address()[1:], keep_blank_values=True))
    assert Query.parse(fields) == query
