from __future__ import annotations

from datetime import date, datetime
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelican_imagehost.gallery.listing import ListedImage
from pelican_imagehost.gallery.query import Query, select, sort

NOON = int(datetime(2024, 5, 6, 12).astimezone().timestamp())
CAT = ListedImage("a" * 64, "jpg", 100, 4, 3, "/a", ["content/cats/Straße.jpg"], ["content/cat.md"],
                  "Straße.jpg", NOON, None, None, 0, [], (100, 100))  # fmt: skip
DOG = ListedImage("b" * 64, "png", 300, 4, 3, "/b", ["x.png", "y.png"], [], "dog.png", None, None,
                  None, 0, [], (300, 300))  # fmt: skip
FOX = ListedImage("c" * 64, "png", 200, 4, 3, "/c", [], ["content/fox.md"], "Fox 狐.png",
                  NOON + 86_400, NOON + 86_400, "phone", 2, [], (200, 200))  # fmt: skip
ALL = [CAT, DOG, FOX]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(), ALL),
        (Query(text="STRASSE"), [CAT]),
        (Query(text="fox  狐"), [FOX]),
        (Query(text="cat.md"), [CAT]),
        (Query(text="bbbb"), [DOG]),
        (Query(text="cat fox"), []),
        (Query(type="png"), [DOG, FOX]),
        (Query(unused=True), [DOG]),
        (Query(duplicates=True), [DOG, FOX]),
        (Query(since=date(2024, 5, 6)), [CAT, FOX]),
        (Query(since=date(2024, 5, 7)), [FOX]),
        (Query(until=date(2024, 5, 6)), [CAT, DOG]),
        (Query(since=date(2024, 5, 6), until=date(2024, 5, 6)), [CAT]),
    ],
)
def test_a_query_finds(query: Query, expected: list[ListedImage]) -> None:
    assert select(ALL, query) == expected
    assert query.is_filtered == (query != Query())


def test_the_orders() -> None:
    assert sort(ALL, "newest") == [FOX, CAT, DOG]
    assert sort(ALL, "largest") == [DOG, FOX, CAT]
    assert sort(ALL, "name") == [DOG, FOX, CAT]


def test_what_storing_once_saves() -> None:
    assert [image.saved for image in ALL] == [0, 300, 200]


@pytest.mark.parametrize(
    "fields",
    [
        {"page": "0"}, {"page": "-1"}, {"page": "9" * 5000}, {"page": "²"}, {"since": "tomorrow"},
        {"sort": "<script>"}, {"unused": ""}, {"other": "1"},
    ],
)  # fmt: skip
def test_nonsense_in_an_address_counts_as_not_there(fields: dict[str, str]) -> None:
    assert Query.parse(fields) == Query()


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
