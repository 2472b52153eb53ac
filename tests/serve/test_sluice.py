from __future__ import annotations

import queue
import threading

import pytest

from pelican_imagehost.serve.sluice import Sluice


def test_items_come_out_in_order_each_prepared_once_and_the_end_last() -> None:
    prepared: list[int] = []
    sluice = Sluice[int](prepared.append)
    for number in range(100):
        sluice.put(number)
    sluice.put(None)
    sluice.start()
    assert [sluice.get() for _ in range(101)] == [*range(100), None]
    assert prepared == list(range(100))


def test_an_item_is_prepared_while_the_one_before_is_in_use() -> None:
    second = threading.Event()

    def prepare(number: int) -> None:
        if number == 2:
            second.set()

    sluice = Sluice[int](prepare)
    sluice.start()
    sluice.put(1)
    sluice.put(2)
    assert sluice.get() == 1
    assert second.wait(60)
    sluice.put(None)


def test_an_item_that_is_not_prepared_yet_is_not_there() -> None:
    goes_on = threading.Event()

    def wait(_number: int) -> None:
        goes_on.wait(60)

    sluice = Sluice[int](wait)
    sluice.start()
    sluice.put(1)
    with pytest.raises(queue.Empty):
        sluice.get_nowait()
    goes_on.set()
    assert sluice.get() == 1
    sluice.put(None)
